import { userInfo } from 'node:os';
import { execa } from 'execa';
import { withoutSecrets } from '../core/environment.ts';
import type { CommandOutcome, Connection, ConnectOutcome, RemoteCommand, Target, Transport } from './connection.ts';
import { type ProcessEvents, type ProcessHandle, runProgram } from './program/program-session.ts';

/** The machine that portfw runs on (`ansible_connection: local`). */
export class LocalTransport implements Transport {
  connect(target: Target): Promise<ConnectOutcome> {
    return Promise.resolve({ kind: 'connected', connection: new LocalConnection(target), connectMs: 0 });
  }
}

class LocalConnection implements Connection {
  readonly target: Target;
  readonly endpoints = null;
  readonly notes: readonly string[] = [];
  /** Stops waiting for each running process. */
  readonly #running = new Set<() => void>();

  constructor(target: Target) {
    this.target = target;
  }

  run(command: RemoteCommand): Promise<CommandOutcome> {
    return runProgram((line, events) => this.#start(line, events), this.target.become, userInfo().username, command);
  }

  close(): Promise<void> {
    for (const end of this.#running) end();
    return Promise.resolve();
  }

  #start(line: string, events: ProcessEvents): ProcessHandle {
    // A process group of its own: portfw handles an interrupt at the keyboard, not the program.
    const child = execa('/bin/sh', ['-c', line], {
      env: withoutSecrets(process.env),
      extendEnv: false,
      buffer: false,
      reject: false,
      stdin: 'pipe',
      detached: true,
    });
    // Its promise only repeats what the events below say.
    child.catch(() => undefined);
    child.stdin.on('error', () => undefined);
    child.stdout.on('data', (chunk: Buffer) => events.onStdout(chunk));
    child.stderr.on('data', (chunk: Buffer) => events.onStderr(chunk));
    child.on('error', (error) => {
      events.onStartFailure({
        kind: 'not-run',
        message: `Cannot start /bin/sh on this machine: ${error.message}`,
        hint: 'Check the limits on processes (ulimit -u) and memory',
      });
    });
    child.on('exit', (code, signal) => events.onExit(code, signal));
    child.on('close', () => {
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
      events.onClose('we closed it');
    };
    this.#running.add(end);
    return handle;
  }
}
