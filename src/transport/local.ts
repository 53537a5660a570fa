import { userInfo } from 'node:os';
import { execa } from 'execa';
import { houseOptions } from '../core/run-program.ts';
import type { CommandOutcome, Connection, ConnectOutcome, RemoteCommand, Target, Transport } from './connection.ts';
import { type Account, Accounts } from './program/account.ts';
import { type ProcessEvents, type ProcessHandle, runProgram } from './program/program-session.ts';

/** The machine that portfw runs on (`ansible_connection: local`). */
export class LocalTransport implements Transport {
  readonly #accounts = new Accounts();

  connect(target: Target): Promise<ConnectOutcome> {
    return Promise.resolve({
      kind: 'connected',
      connection: new LocalConnection(target, this.#accounts.of(target, userInfo().username)),
      connectMs: 0,
    });
  }
}

class LocalConnection implements Connection {
  readonly target: Target;
  readonly hostKey = null;
  readonly endpoints = null;
  readonly notes: readonly string[] = [];
  /** Stops waiting for each running process. */
  readonly #running = new Set<() => void>();
  readonly #account: Account;

  constructor(target: Target, account: Account) {
    this.target = target;
    this.#account = account;
  }

  run(command: RemoteCommand): Promise<CommandOutcome> {
    return runProgram((line, events) => this.#start(line, events), this.#account, command);
  }

  close(): Promise<void> {
    for (const end of this.#running) end();
    return Promise.resolve();
  }

  #start(line: string, events: ProcessEvents): ProcessHandle {
    // Not `runProgram`: its output is read as it comes, and answered. It is a process group of its own: portfw handles an interrupt at the
    // keyboard, not the program.
    const child = execa('/bin/sh', ['-c', line], {
      ...houseOptions(),
      buffer: false,
      stdin: 'pipe',
      detached: true,
    });
    child.stdin.on('error', () => undefined);
    child.stdout.on('data', (chunk: Buffer) => events.onStdout(chunk));
    child.stderr.on('data', (chunk: Buffer) => events.onStderr(chunk));
    child.on('exit', (code, signal) => events.onExit(code, signal));
    void child.then(({ exitCode, signal, originalMessage }) => {
      if (exitCode === undefined && signal === undefined) {
        events.onStartFailure({
          kind: 'not-run',
          what: `Cannot start /bin/sh on this machine: ${originalMessage}`,
          solve: 'Check the limits on processes (ulimit -u) and memory',
        });
      }
      this.#running.delete(end);
      events.onClose(null);
    });
    const handle: ProcessHandle = {
      write: (bytes) => {
        if (child.stdin.writable) child.stdin.write(bytes);
      },
      abandon: () => {
        child.stdin.destroy();
        child.stdout.destroy();
        child.stderr.destroy();
        child.unref();
      },
    };
    const end = (): void => {
      handle.abandon();
      events.onClose('portfw closed it');
    };
    this.#running.add(end);
    return handle;
  }
}
