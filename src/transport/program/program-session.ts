import type { Fault } from '../../core/failure.ts';
import { redacted, type Secret } from '../../core/secret.ts';
import { terminalLine } from '../../core/terminal-text.ts';
import type { Become, BecomeFailure, CommandOutcome, RemoteCommand } from '../connection.ts';
import {
  commandLine,
  createMarkers,
  KILL_AFTER_MS,
  type Markers,
  type ProgramInput,
  programInput,
  unframe,
} from '../program-framing.ts';
import type { Account } from './account.ts';
import { ByteSink } from './byte-sink.ts';
import { becomeFailureReason, becomeFailureText } from './sudo-messages.ts';

/** Allowance for banners, sudo's lecture and the markers, beyond the program's output limit. */
const FRAMING_ALLOWANCE_BYTES = 64 * 1024;
/** The time for sudo to ask, to check (PAM delays a refusal by seconds) and to start the shell. */
const BECOME_TIMEOUT_MS = 30_000;
/** A stopped program gets TERM, then KILL; after that portfw waits no longer. */
const STOP_LIMIT_MS = KILL_AFTER_MS + 1000;
/** The host's own deadline comes first; portfw waits this much longer. */
const LOCAL_GRACE_MS = KILL_AFTER_MS + 3000;
/** After the exit status: how long to wait for more output, with and without the end marker. */
const QUIET_AFTER_END_MS = 200;
const QUIET_AFTER_EXIT_MS = 2000;
/** The longest time for output after the exit. */
const DRAIN_LIMIT_MS = 15_000;

/** A started process. These functions never throw; after the end they do nothing. */
export interface ProcessHandle {
  /** Writes to its standard input. */
  write(bytes: Buffer): void;
  /** Closes every stream without waiting. */
  abandon(): void;
}

/** What a process reports. */
export interface ProcessEvents {
  onStdout(chunk: Buffer): void;
  onStderr(chunk: Buffer): void;
  /** It ended; output may still follow. */
  onExit(exitCode: number | null, signal: string | null): void;
  /** No more output follows. `lost` is the reason of a lost connection, else `null`. */
  onClose(lost: string | null): void;
  /** It could not be started. */
  onStartFailure(failure: Fault & { readonly kind: 'lost' | 'not-run' }): void;
}

/** Starts a command line on the host. */
export type StartProcess = (commandLine: string, events: ProcessEvents) => ProcessHandle;

/**
 * Runs one program over a started process: becomes root, sends the program, enforces limits and deadlines, and extracts the
 * answer. See `program-framing.ts` for the protocol.
 *
 * The password is sent only after sudo's prompt with this run's nonce, and the program only after the shell is ready, so
 * that they cannot be confused.
 */
export async function runProgram(
  start: StartProcess,
  account: Account,
  command: RemoteCommand,
): Promise<CommandOutcome> {
  if (account.needsTerminal) return runOnce(start, account, command, true);
  const outcome = await runOnce(start, account, command, false);
  if (outcome.kind !== 'become-failed' || outcome.reason !== 'tty-required' || outcome.mayHaveRun) return outcome;
  // sudo refused before it asked for a password and before the program was sent, so this uses up no login attempt.
  account.needsTerminal = true;
  return runOnce(start, account, command, true);
}

function runOnce(
  start: StartProcess,
  account: Account,
  command: RemoteCommand,
  terminal: boolean,
): Promise<CommandOutcome> {
  const markers = createMarkers();
  const input = programInput(command.program, command.data, command.deadlineMs, markers);
  const line = commandLine(account.become, markers, terminal);
  return new Promise((resolve) => {
    new ProgramSession({ start, line, account, command, markers, input }, resolve).begin();
  });
}

type FailureDetail =
  | { kind: 'lost' | 'deadline' | 'aborted' | 'too-much-output' }
  | { kind: 'not-run'; exitCode: number | null }
  | { kind: 'broken-off'; exitCode: number | null; signal: string | null };

interface SessionInput {
  readonly start: StartProcess;
  readonly line: string;
  readonly account: Account;
  readonly command: RemoteCommand;
  readonly markers: Markers;
  readonly input: ProgramInput;
}

class ProgramSession {
  readonly #start: StartProcess;
  readonly #line: string;
  readonly #become: Become;
  readonly #user: string;
  readonly #command: RemoteCommand;
  readonly #markers: Markers;
  readonly #input: ProgramInput;
  readonly #resolve: (outcome: CommandOutcome) => void;
  readonly #startedAt = performance.now();
  readonly #stdout = new ByteSink();
  readonly #stderr = new ByteSink();
  #received = 0;
  #endMarkerSeen = false;
  #stdoutTail = '';
  /** The end of sudo's output, which may contain the beginning of a marker. */
  #becomeTail = '';
  #prompts = 0;
  #sentAt: number | null = null;
  #exit: { readonly code: number | null; readonly signal: string | null } | null = null;
  #process: ProcessHandle | null = null;
  #drainUntil: number | null = null;
  #timer: NodeJS.Timeout | null = null;
  #settled = false;
  /** What to do when a stopped program has ended; `null` if it was not stopped. */
  #afterStop: (() => void) | null = null;
  readonly #onAbort = (): void => {
    this.#stopThen(() =>
      this.#fail({ kind: 'aborted' }, { what: 'The command was interrupted', solve: 'Run it again' }),
    );
  };

  constructor(
    { start, line, account, command, markers, input }: SessionInput,
    resolve: (outcome: CommandOutcome) => void,
  ) {
    this.#start = start;
    this.#line = line;
    this.#become = account.become;
    this.#user = account.user;
    this.#command = command;
    this.#markers = markers;
    this.#input = input;
    this.#resolve = resolve;
  }

  begin(): void {
    const signal = this.#command.signal;
    if (signal?.aborted) {
      this.#onAbort();
      return;
    }
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    this.#process = this.#start(this.#line, {
      onStdout: (chunk) => this.#receive(this.#stdout, chunk),
      onStderr: (chunk) => this.#receive(this.#stderr, chunk),
      onExit: (code, exitSignal) => {
        this.#exit ??= { code, signal: exitSignal };
        if (this.#afterStop === null) this.#settleWhenQuiet();
        else this.#afterStop();
      },
      onClose: (lost) => {
        if (this.#afterStop === null) this.#finish(lost);
        else this.#afterStop();
      },
      onStartFailure: (failure) => {
        // Nothing was received by the host.
        this.#sentAt = null;
        const text = { what: failure.what, solve: failure.solve };
        if (failure.kind === 'lost') this.#fail({ kind: 'lost' }, text);
        else this.#fail({ kind: 'not-run', exitCode: null }, text);
      },
    });
    // A failed start has settled already; `#settled` cannot be narrowed here.
    if (this.#settled) {
      this.#process.abandon();
      return;
    }
    if (this.#become.kind === 'none') this.#sendProgram(this.#input.shell);
    else this.#setTimer(BECOME_TIMEOUT_MS, () => this.#failBecome());
  }

  #sendProgram(input: readonly Buffer[]): void {
    this.#sentAt = performance.now();
    for (const part of input) this.#process?.write(part);
    this.#setTimer(this.#command.deadlineMs + LOCAL_GRACE_MS, () => this.#stopThen(() => this.#failDeadline()));
  }

  /**
   * Stops the program and continues when it has ended, or after a time limit. The connection must not be closed at once: sshd
   * would discard the stop line if it has not passed it to the program yet.
   */
  #stopThen(next: () => void): void {
    if (this.#settled || this.#afterStop !== null) return;
    if (this.#sentAt === null || this.#exit !== null) {
      next();
      return;
    }
    this.#afterStop = next;
    this.#process?.write(Buffer.from(this.#markers.stop));
    this.#setTimer(STOP_LIMIT_MS, next);
  }

  #receive(stream: ByteSink, chunk: Buffer): void {
    if (this.#settled || this.#afterStop !== null) return;
    this.#received += chunk.length;
    // Before the program is sent, not much output is expected.
    const allowed = this.#sentAt === null ? 0 : this.#command.outputLimitBytes;
    if (this.#received > allowed + FRAMING_ALLOWANCE_BYTES) {
      this.#failOutput();
      return;
    }
    stream.append(chunk);
    if (stream === this.#stderr && this.#sentAt === null) this.#watchSudo(chunk);
    if (stream === this.#stdout && !this.#endMarkerSeen) {
      this.#stdoutTail += chunk.toString('latin1');
      this.#endMarkerSeen = this.#stdoutTail.includes(this.#markers.end);
      this.#stdoutTail = this.#stdoutTail.slice(-this.#markers.end.length);
    }
    if (this.#exit !== null) this.#settleWhenQuiet();
  }

  #watchSudo(chunk: Buffer): void {
    if (this.#become.kind !== 'sudo') return;
    const { becomeDone, helperDone, passwordPrompt } = this.#markers;
    this.#becomeTail += chunk.toString('latin1');
    if (this.#becomeTail.includes(becomeDone)) {
      this.#sendProgram(this.#input.shell);
      return;
    }
    if (this.#becomeTail.includes(helperDone)) {
      this.#sendProgram(this.#input.helper);
      return;
    }
    const parts = this.#becomeTail.split(passwordPrompt);
    this.#becomeTail = parts.at(-1)!.slice(-Math.max(becomeDone.length, helperDone.length, passwordPrompt.length));
    if (parts.length === 1) return;
    const asked = this.#prompts > 0;
    this.#prompts += parts.length - 1;
    if (this.#become.password === null) this.#failBecome('password-required');
    else if (this.#prompts > 1) this.#failBecome('password-wrong');
    else if (!asked) this.#process?.write(Buffer.from(`${this.#become.password.reveal()}\n`, 'utf8'));
  }

  /** A remaining child can hold the streams open for ever: after the exit status, portfw waits only for silence. */
  #settleWhenQuiet(): void {
    if (this.#settled) return;
    this.#drainUntil ??= performance.now() + DRAIN_LIMIT_MS;
    const quiet = this.#endMarkerSeen ? QUIET_AFTER_END_MS : QUIET_AFTER_EXIT_MS;
    this.#setTimer(Math.min(quiet, this.#drainUntil - performance.now()), () => this.#finish(null));
  }

  #finish(lost: string | null): void {
    if (this.#settled) return;
    const output = this.#unframe();
    if (output.kind === 'complete') {
      if (output.stdout.length + output.stderr.length > this.#command.outputLimitBytes) {
        this.#failOutput();
        return;
      }
      const { exitCode, stdout } = output;
      const stderr = redacted(output.stderr, this.#secret());
      this.#settle({ kind: 'exited', exitCode, stdout, stderr, durationMs: this.#elapsed() });
      return;
    }
    if (this.#exit === null) {
      this.#fail(
        { kind: 'lost' },
        {
          what: `The connection was lost while a program ran${lost === null ? '' : `: ${terminalLine(lost)}`}`,
          solve: 'Connect again to see what the host did; its state is unknown until then',
        },
      );
      return;
    }
    const { code, signal } = this.#exit;
    if (this.#sentAt === null && this.#become.kind === 'sudo') this.#failBecome();
    else if (this.#sentAt !== null && performance.now() - this.#sentAt >= this.#command.deadlineMs)
      this.#failDeadline();
    else if (output.kind === 'none') {
      const words = redacted(Buffer.concat([output.stderr, output.stdout]), this.#secret());
      this.#fail({ kind: 'not-run', exitCode: code }, notRunText(this.#user, code, words));
    } else {
      const how = signal === null ? `with exit code ${code ?? 'unknown'}` : `by signal ${terminalLine(signal, 20)}`;
      this.#fail(
        { kind: 'broken-off', exitCode: code, signal },
        {
          what: `The program was cut short on the host: its shell ended ${how}`,
          solve: 'Look on the host for what killed it (for example the out-of-memory killer)',
        },
      );
    }
  }

  #failDeadline(): void {
    this.#fail(
      { kind: 'deadline' },
      {
        what: `The program did not end within ${this.#command.deadlineMs / 1000} s and was stopped`,
        solve: 'See whether the host is overloaded or a command hangs there (a dead mount, a stuck daemon)',
      },
    );
  }

  #failOutput(): void {
    this.#stopThen(() =>
      this.#fail(
        { kind: 'too-much-output' },
        {
          what: `The host sent more than the ${this.#command.outputLimitBytes} bytes that the program may print`,
          solve: 'Look for a login script that prints endlessly; the answer was discarded',
        },
      ),
    );
  }

  #failBecome(known?: BecomeFailure): void {
    // Without prompt and markers, the rest is sudo's message.
    const stderr = this.#stderr.bytes();
    const said = redacted(stderr, this.#secret()).toString('utf8').replaceAll(this.#markers.passwordPrompt, ' ');
    const reason = known ?? becomeFailureReason(said, this.#exit?.code ?? null);
    const text = becomeFailureText(reason, this.#user, said);
    this.#settle({ kind: 'become-failed', reason, ...text, ...this.#failedParts() });
  }

  #fail(detail: FailureDetail, text: Fault): void {
    this.#settle({ ...detail, ...text, ...this.#failedParts() });
  }

  #failedParts() {
    const output = this.#unframe();
    const stdout = redacted(output.stdout, this.#secret());
    const stderr = redacted(output.stderr, this.#secret());
    return { stdout, stderr, durationMs: this.#elapsed(), mayHaveRun: this.#mayHaveRun() };
  }

  /** The shell checks lengths before it runs anything: a program that was not sent, or was refused, did not run. */
  #mayHaveRun(): boolean {
    if (this.#sentAt === null) return false;
    // Output after the stop line is ignored.
    if (this.#afterStop !== null) return true;
    return this.#exit === null || this.#unframe().kind !== 'none';
  }

  #unframe() {
    return unframe(this.#stdout.bytes(), this.#stderr.bytes(), this.#markers);
  }

  /** The secret that the host knows and could print. */
  #secret(): Secret | null {
    return this.#become.kind === 'sudo' ? this.#become.password : null;
  }

  #elapsed(): number {
    return performance.now() - this.#startedAt;
  }

  #setTimer(milliseconds: number, action: () => void): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = this.#settled ? null : setTimeout(action, milliseconds);
  }

  #settle(outcome: CommandOutcome): void {
    if (this.#settled) return;
    this.#settled = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#command.signal?.removeEventListener('abort', this.#onAbort);
    this.#process?.abandon();
    this.#resolve(outcome);
  }
}

function notRunText(user: string, exitCode: number | null, said: Buffer): Fault {
  const words = terminalLine(said.toString('utf8'));
  if (exitCode === 95 && words.includes('portfw-run: ')) {
    return {
      what: `The host allows ${user} only the programs of another version of portfw (${words})`,
      solve: `Run the output of this version's "portfw sudoers ${user}" as root on the host`,
    };
  }
  return {
    what: `The host did not run portfw's program (exit code ${exitCode ?? 'unknown'})${words === '' ? '' : `; it said: ${words}`}`,
    solve: `Give ${user} a login shell that runs commands, and look for a forced command or a profile that exits; "timeout", "head" and "base64" (coreutils) must be installed`,
  };
}
