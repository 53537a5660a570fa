import { setMaxListeners } from 'node:events';

/** What a run needs to know about signals. */
export interface Interruption {
  /** Aborted by the first SIGINT, SIGTERM or SIGHUP. */
  readonly signal: AbortSignal;
  /** The same as a SIGINT, for a prompt that sees the key itself. */
  readonly interrupt: () => void;
  /** Gives the signals back. */
  readonly dispose: () => void;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Listens for signals during a run. The first one aborts: no new hosts are started, and hosts in progress are finished.
 * The second one only says so again. The third one ends the process, with a warning.
 *
 * @param end ends the process at once with an exit code
 */
export function listenForInterruption(say: (text: string) => void, end: (code: number) => void): Interruption {
  const controller = new AbortController();
  // Every host in progress adds a listener; this is not a leak.
  setMaxListeners(0, controller.signal);
  let count = 0;
  const interrupt = (): void => {
    count += 1;
    if (count === 1) {
      controller.abort();
    } else if (count === 2) {
      say('Still finishing hosts in progress; interrupt once more to stop portfw at once');
    } else {
      say('Stopped at once: check the hosts that were in progress, they may be half changed');
      end(130);
    }
  };
  for (const signal of SIGNALS) process.on(signal, interrupt);
  return {
    signal: controller.signal,
    interrupt,
    dispose: () => {
      for (const signal of SIGNALS) process.removeListener(signal, interrupt);
    },
  };
}
