import type { Client, ClientChannel } from 'ssh2';
import { terminalLine } from '../../core/terminal-text.ts';
import type { ConnectFailure } from '../connection.ts';
import { type Carrier, PairedStream } from './carrier.ts';
import { type LoginGoal, where } from './login-words.ts';
import { interrupted } from './tcp-socket.ts';

/** An SSH server that opens forwarded TCP connections. */
export interface ForwardingServer {
  readonly goal: LoginGoal;
  readonly client: Client;
  /** Whether the connection to it is open. */
  isAlive(): boolean;
  /** Called when the connection through it has ended. */
  release(): void;
}

/** The result of a forwarding. */
export type Forwarded =
  | { readonly kind: 'open'; readonly carrier: Carrier }
  | { readonly kind: 'failed'; readonly failure: ConnectFailure }
  /** The connection to the jump host was lost. */
  | { readonly kind: 'hop-lost' };

/** Lets a jump host open a TCP connection. */
export function forward(hop: ForwardingServer, goal: LoginGoal, signal: AbortSignal | undefined): Promise<Forwarded> {
  return new Promise((resolve) => {
    let settled = false;
    const settle = (outcome: Forwarded): void => {
      settled = true;
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      hop.client.off('close', onLost);
      resolve(outcome);
    };
    const onAbort = (): void => settle({ kind: 'failed', failure: interrupted(goal) });
    const onLost = (): void => settle({ kind: 'hop-lost' });
    const onOpen = (error: (Error & { reason?: number | string }) | undefined, channel: ClientChannel): void => {
      if (settled) {
        if (error === undefined) channel.close();
      } else if (error !== undefined) {
        // Without a number it is not the server's answer: the connection to it is lost.
        if (typeof error.reason !== 'number') onLost();
        else settle({ kind: 'failed', failure: notForwarded(hop.goal, goal, error) });
      } else settle({ kind: 'open', carrier: channelCarrier(channel, hop) });
    };
    const timer = setTimeout(() => {
      settle({
        kind: 'failed',
        failure: fromHop(hop.goal, goal, `no answer within ${goal.connectTimeoutMs / 1000} s`),
      });
    }, goal.connectTimeoutMs);
    signal?.addEventListener('abort', onAbort, { once: true });
    hop.client.once('close', onLost);
    try {
      // The source address is only for the server's log.
      hop.client.forwardOut('127.0.0.1', 65_535, goal.address, goal.port, onOpen as never);
    } catch {
      onLost();
    }
  });
}

function channelCarrier(channel: ClientChannel, hop: ForwardingServer): Carrier {
  const stream = new PairedStream(channel, channel, () => {
    channel.close();
    hop.release();
  });
  return {
    stream,
    // The host sees an address of the jump host, which is not known here.
    endpoints: null,
    lastWords: () =>
      Promise.resolve(hop.isAlive() ? null : `the connection to the jump host ${where(hop.goal)} was lost`),
  };
}

/** RFC 4254, section 5.1. */
const ADMINISTRATIVELY_PROHIBITED = 1;
const UNKNOWN_CHANNEL_TYPE = 3;

function notForwarded(hop: LoginGoal, goal: LoginGoal, error: Error & { reason?: number | string }): ConnectFailure {
  const said = terminalLine(error.message.replace(/^\(SSH\) Channel open failure: ?/, ''));
  const { reason } = error;
  if (reason === ADMINISTRATIVELY_PROHIBITED || reason === UNKNOWN_CHANNEL_TYPE || /prohibited/i.test(said)) {
    return {
      kind: 'unreachable',
      what: `The jump host ${hop.user}@${where(hop)} does not allow a connection to ${where(goal)} ("${said}")`,
      solve:
        'On the jump host, AllowTcpForwarding and PermitOpen in sshd_config and the options in authorized_keys (restrict, permitopen) have to allow it',
    };
  }
  return fromHop(hop, goal, said);
}

/** The jump host tried and could not connect. */
function fromHop(hop: LoginGoal, goal: LoginGoal, said: string): ConnectFailure {
  const [what, solve] = explain(goal, said);
  return {
    kind: 'unreachable',
    what: `The jump host ${where(hop)} cannot connect to ${where(goal)}: ${what}`,
    solve,
  };
}

function explain({ words }: LoginGoal, said: string): readonly [what: string, solve: string] {
  if (/refused/i.test(said)) {
    return ['nothing listens there', `Check that sshd runs on the ${words.role}, and ${words.port}`];
  }
  if (/no answer within/.test(said)) {
    return [
      said,
      `Check that the ${words.role} is up and that no firewall drops packets from the jump host; ${words.timeout} raises the limit`,
    ];
  }
  if (/timed out/i.test(said)) {
    return ['no answer', `Check that the ${words.role} is up and that no firewall drops packets from the jump host`];
  }
  if (/name or service|name resolution|not known|nodename|no address/i.test(said)) {
    return [
      `it cannot resolve the name (${said})`,
      `The name is looked up on the jump host: correct ${words.address}, or give an IP address`,
    ];
  }
  if (/no route|unreachable/i.test(said)) {
    return ['there is no route', `Check ${words.address}, and the routes and the firewall of the jump host`];
  }
  return [said, 'Try "ssh" to the same address from the jump host'];
}

/** The jump host was lost while it connected. */
export function lostOnTheWay(hop: LoginGoal, goal: LoginGoal): ConnectFailure {
  return {
    kind: 'unreachable',
    what: `The connection to the jump host ${where(hop)} was lost while it connected to ${where(goal)}`,
    solve: 'Run it again; look into the SSH log of the jump host',
  };
}
