import { connect, type Socket } from 'node:net';
import type { ConnectFailure } from '../connection.ts';
import type { Carrier } from './carrier.ts';
import { type LoginGoal, where } from './login-words.ts';

/** The time for each address, if a name has several; Node's 250 ms is too short for a distant host. */
const ADDRESS_ATTEMPT_MS = 2500;

/**
 * Opens the TCP connection to an SSH server.
 *
 * Without Nagle's algorithm, which costs 40–200 ms a connection over SSH's small packets. The socket is paused, so that
 * no data is lost before there is a listener.
 */
export function openSocket(
  goal: LoginGoal,
  signal: AbortSignal | undefined,
): Promise<{ readonly kind: 'open'; readonly carrier: Carrier } | ConnectFailure> {
  return new Promise((resolve) => {
    const socket = connect({
      host: goal.address,
      port: goal.port,
      noDelay: true,
      ...(goal.addressFamily === undefined
        ? { autoSelectFamily: true, autoSelectFamilyAttemptTimeout: ADDRESS_ATTEMPT_MS }
        : { family: goal.addressFamily }),
      ...(goal.bindAddress === undefined ? {} : { localAddress: goal.bindAddress }),
    });
    const settle = (outcome: { kind: 'open'; carrier: Carrier } | ConnectFailure): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      socket.off('connect', onConnect);
      socket.off('error', onError);
      if (outcome.kind !== 'open') {
        socket.on('error', () => undefined);
        socket.destroy();
      }
      resolve(outcome);
    };
    const onConnect = (): void => {
      socket.pause();
      settle({ kind: 'open', carrier: carrierOf(socket) });
    };
    const onError = (error: Error): void => settle(unreachable(goal, errorCode(error)));
    const onAbort = (): void => settle(interrupted(goal));
    const timer = setTimeout(() => settle(unreachable(goal, 'ETIMEDOUT')), goal.connectTimeoutMs);
    socket.once('connect', onConnect);
    socket.once('error', onError);
    if (signal?.aborted) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
  });
}

function carrierOf(socket: Socket): Carrier {
  return {
    stream: socket,
    endpoints: {
      localAddress: socket.localAddress ?? '',
      localPort: socket.localPort ?? 0,
      remoteAddress: socket.remoteAddress ?? '',
      remotePort: socket.remotePort ?? 0,
    },
    lastWords: () => Promise.resolve(null),
  };
}

/** The outcome of an aborted attempt. */
export function interrupted(goal: Pick<LoginGoal, 'address' | 'port'>): ConnectFailure {
  return { kind: 'unreachable', what: `Connecting to ${where(goal)} was interrupted`, solve: 'Run it again' };
}

function errorCode(error: Error): string {
  // A name with several addresses fails with one error for each; the last one is used.
  const causes = error instanceof AggregateError ? (error.errors as NodeJS.ErrnoException[]) : [];
  return causes.at(-1)?.code ?? (error as NodeJS.ErrnoException).code ?? error.message;
}

function unreachable(goal: LoginGoal, code: string): ConnectFailure {
  const [reason, solve] = explain(goal, code);
  return { kind: 'unreachable', what: `Cannot connect to ${where(goal)}: ${reason}`, solve };
}

function explain(
  { words, connectTimeoutMs, bindAddress }: LoginGoal,
  code: string,
): readonly [reason: string, solve: string] {
  switch (code) {
    case 'ENOTFOUND':
      return ['the name does not exist', `Correct ${words.address}, or add the name to DNS or /etc/hosts`];
    case 'EAI_AGAIN':
      return ['the name server does not answer', 'Check name resolution on this machine, or give an IP address'];
    case 'ECONNREFUSED':
      return ['nothing listens there', `Check that sshd runs on the ${words.role}, and ${words.port}`];
    case 'ECONNRESET':
      return [`the ${words.role} reset the connection`, 'Look for a firewall or fail2ban in between'];
    case 'ETIMEDOUT':
      return [
        `no answer within ${connectTimeoutMs / 1000} s`,
        `Check that the ${words.role} is up and that no firewall drops the packets; ${words.timeout} raises the limit`,
      ];
    case 'EHOSTUNREACH':
      // The kernel reports both with this error: a missing route, and a firewall that rejects with "prohibited".
      return [
        'there is no route, or a firewall refuses the connection',
        `Check ${words.address}, the routes of this machine, and the firewalls on the way and on the ${words.role}`,
      ];
    case 'ENETUNREACH':
      return ['there is no route', `Check ${words.address} and the routes of this machine`];
    case 'EADDRNOTAVAIL':
      return [
        `this machine does not have the address ${bindAddress ?? 'to connect from'}`,
        'Correct BindAddress (BindInterface) in ssh_config or the SSH arguments',
      ];
    default:
      return [code, 'Try "ssh" to the same address from this machine'];
  }
}
