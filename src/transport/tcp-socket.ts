import { connect, type Socket } from 'node:net';
import type { ConnectFailure, Target } from './connection.ts';

/** The time that each of several addresses of a name gets; Node's own 250 ms is too short for a distant host. */
const ADDRESS_ATTEMPT_MS = 2500;

/**
 * Opens the TCP connection to a target.
 *
 * Without Nagle's algorithm, which costs 40–200 ms a connection over SSH's small packets. The socket is paused, so that
 * nothing the server says is lost before somebody listens.
 */
export function openSocket(
  target: Target,
  signal: AbortSignal | undefined,
): Promise<{ readonly kind: 'open'; readonly socket: Socket } | ConnectFailure> {
  return new Promise((resolve) => {
    const socket = connect({
      host: target.address,
      port: target.port,
      noDelay: true,
      autoSelectFamily: true,
      autoSelectFamilyAttemptTimeout: ADDRESS_ATTEMPT_MS,
    });
    const settle = (outcome: { kind: 'open'; socket: Socket } | ConnectFailure): void => {
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
      settle({ kind: 'open', socket });
    };
    const onError = (error: Error): void => settle(unreachable(target, errorCode(error)));
    const onAbort = (): void => settle(interrupted(target));
    const timer = setTimeout(() => settle(unreachable(target, 'ETIMEDOUT')), target.connectTimeoutMs);
    socket.once('connect', onConnect);
    socket.once('error', onError);
    if (signal?.aborted) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** The outcome of an attempt that the caller gave up. */
export function interrupted(target: Target): ConnectFailure {
  return { kind: 'unreachable', message: `Connecting to ${where(target)} was interrupted`, hint: 'Run it again' };
}

/** `address port N` for messages. */
export function where(target: Target): string {
  return `${target.address} port ${target.port}`;
}

function errorCode(error: Error): string {
  // A name with several addresses fails with one error for each; the last one is as good as any.
  const causes = error instanceof AggregateError ? (error.errors as NodeJS.ErrnoException[]) : [];
  return causes.at(-1)?.code ?? (error as NodeJS.ErrnoException).code ?? error.message;
}

function unreachable(target: Target, code: string): ConnectFailure {
  const [reason, hint] = explain(target, code);
  return { kind: 'unreachable', message: `Cannot connect to ${where(target)}: ${reason}`, hint };
}

function explain(target: Target, code: string): readonly [reason: string, hint: string] {
  switch (code) {
    case 'ENOTFOUND':
      return ['the name does not exist', 'Correct ansible_host, or add the name to DNS or /etc/hosts'];
    case 'EAI_AGAIN':
      return ['the name server does not answer', 'Check name resolution on this machine, or give an IP address'];
    case 'ECONNREFUSED':
      return ['nothing listens there', 'Check that sshd runs on the host, and ansible_port'];
    case 'ECONNRESET':
      return ['the host reset the connection', 'Look for a firewall or fail2ban in between'];
    case 'ETIMEDOUT':
      return [
        `no answer within ${target.connectTimeoutMs / 1000} s`,
        'Check that the host is up and that no firewall drops the packets; ansible_timeout raises the limit',
      ];
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return ['there is no route', 'Check ansible_host and the routes of this machine'];
    default:
      return [code, 'Try "ssh" to the same address from this machine'];
  }
}
