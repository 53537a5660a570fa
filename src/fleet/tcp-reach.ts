import { connect } from 'node:net';

/** The time for each address, if a name has several. */
const ADDRESS_ATTEMPT_MS = 1000;

/**
 * Tries a TCP connection from this machine and closes it at once.
 *
 * @param host a name or an address, without brackets
 * @param timeoutMs for the name and the connection together
 * @returns `null` when it was made, else why not
 */
export function reachTcp(host: string, port: number, timeoutMs: number): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect({
      host,
      port,
      autoSelectFamily: true,
      autoSelectFamilyAttemptTimeout: Math.min(ADDRESS_ATTEMPT_MS, timeoutMs),
    });
    const settle = (failure: string | null): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(failure);
    };
    const timer = setTimeout(() => settle(`no answer within ${timeoutMs / 1000} s`), timeoutMs);
    // The listeners stay: an error without a listener would end the process.
    socket.on('connect', () => settle(null));
    socket.on('error', (error) => settle(reason(error)));
  });
}

function reason(error: Error): string {
  // A name with several addresses fails with one error for each.
  const causes = error instanceof AggregateError ? (error.errors as NodeJS.ErrnoException[]) : [];
  const code = causes.at(-1)?.code ?? (error as NodeJS.ErrnoException).code;
  switch (code) {
    case 'ENOTFOUND':
      return 'the name does not exist';
    case 'EAI_AGAIN':
      return 'the name server does not answer';
    case 'ECONNREFUSED':
      return 'connection refused';
    case 'ECONNRESET':
      return 'connection reset';
    case 'EHOSTUNREACH':
      return 'no route, or a firewall rejects it';
    case 'ENETUNREACH':
      return 'no route to the network';
    case 'ETIMEDOUT':
      return 'no answer';
    default:
      return code ?? error.message;
  }
}
