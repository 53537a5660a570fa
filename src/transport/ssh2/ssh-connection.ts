import type { Client, ClientChannel } from 'ssh2';
import type { Fault } from '../../core/failure.ts';
import { terminalLine } from '../../core/terminal-text.ts';
import type { CommandOutcome, Connection, HostKey, RemoteCommand, Target } from '../connection.ts';
import type { Account } from '../program/account.ts';
import { type ProcessEvents, type ProcessHandle, runProgram } from '../program/program-session.ts';
import type { Carrier } from './carrier.ts';
import { where } from './login-words.ts';
import type { LoggedIn } from './ssh-login.ts';

const CLOSE_TIMEOUT_MS = 500;

/**
 * An authenticated SSH connection. Programs run on ssh2's own channels, because node-ssh's exec reports a lost connection like
 * a success.
 */
export class SshConnection implements Connection {
  readonly target: Target;
  readonly hostKey: HostKey | null;
  readonly endpoints: Connection['endpoints'];
  readonly notes: readonly string[];
  readonly #account: Account;
  readonly #client: Client;
  readonly #stream: Carrier['stream'];
  #lostBecause: string | null = null;
  #closed: Promise<void> | null = null;

  constructor(target: Target, account: Account, login: LoggedIn, carrier: Carrier, notes: readonly string[]) {
    const { client, hostKey } = login;
    this.target = target;
    this.hostKey = hostKey;
    this.#account = account;
    this.notes = notes;
    this.#client = client;
    this.#stream = carrier.stream;
    this.endpoints = carrier.endpoints;
    client.on('error', (error) => {
      this.#lostBecause ??= error.message;
    });
  }

  run(command: RemoteCommand): Promise<CommandOutcome> {
    return runProgram((line, events) => this.#start(line, events), this.#account, command);
  }

  close(): Promise<void> {
    this.#lostBecause ??= 'portfw closed it';
    this.#closed ??= new Promise((resolve) => {
      if (this.#stream.destroyed) {
        resolve();
        return;
      }
      const timer = setTimeout(() => this.#stream.destroy(), CLOSE_TIMEOUT_MS);
      this.#stream.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      this.#client.end();
    });
    return this.#closed;
  }

  #start(line: string, events: ProcessEvents): ProcessHandle {
    const waiting: Buffer[] = [];
    let channel: ClientChannel | null = null;
    let abandoned = false;
    const onOpen = (error: Error | undefined, opened: ClientChannel): void => {
      if (error) {
        events.onStartFailure(this.#startFailure(error));
        return;
      }
      channel = opened;
      opened.on('error', () => undefined);
      // The listeners stay after the end, so that the channel drains and closes.
      opened.on('data', (chunk: Buffer) => events.onStdout(chunk));
      opened.stderr.on('data', (chunk: Buffer) => events.onStderr(chunk));
      opened.on('exit', (code: number | null, signal?: string) => events.onExit(code, signal ?? null));
      opened.on('close', () => events.onClose(this.#lostBecause));
      if (abandoned) opened.close();
      else for (const bytes of waiting) opened.write(bytes);
    };
    try {
      this.#client.exec(line, onOpen);
    } catch (error) {
      events.onStartFailure(this.#startFailure(error as Error));
    }
    return {
      write: (bytes) => {
        if (channel === null) waiting.push(bytes);
        else if (channel.writable) channel.write(bytes);
      },
      abandon: () => {
        abandoned = true;
        channel?.close();
      },
    };
  }

  #startFailure(error: Error): Fault & { readonly kind: 'lost' | 'not-run' } {
    const said = terminalLine(this.#lostBecause ?? error.message);
    if (this.#stream.destroyed || !this.#stream.writable || !/open fail|unable to exec/i.test(error.message)) {
      return {
        kind: 'lost',
        what: `The connection to ${where(this.target)} was lost before the program was sent: ${said}`,
        solve: 'Connect again; this program did not run',
      };
    }
    return {
      kind: 'not-run',
      what: `The SSH server at ${where(this.target)} refused to run a command: ${said}`,
      solve: 'Look for MaxSessions, ForceCommand and restrictions in authorized_keys on the host',
    };
  }
}
