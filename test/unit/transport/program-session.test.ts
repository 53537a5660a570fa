import { spawn } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../../src/core/secret.ts';
import type { Become, CommandOutcome, RemoteCommand } from '../../../src/transport/connection.ts';
import type { Account } from '../../../src/transport/program/account.ts';
import { type ProcessEvents, runProgram, type StartProcess } from '../../../src/transport/program/program-session.ts';

/**
 * The far end of a process handle, played move by move: what a hostile or dying host does cannot be had from a real one
 * on demand.
 */
class FarEnd {
  readonly written: string[] = [];
  readonly calls: string[] = [];
  line = '';
  events: ProcessEvents | null = null;

  readonly start: StartProcess = (line, events) => {
    this.line = line;
    this.events = events;
    return {
      write: (bytes) => void this.written.push(bytes.toString()),
      abandon: () => void this.calls.push('abandon'),
    };
  };

  get nonce(): string {
    return /[0-9a-f]{32}/.exec(this.line + this.written.join(''))?.[0] ?? '';
  }

  stdout(text: string): void {
    this.events?.onStdout(Buffer.from(text.replaceAll('NONCE', this.nonce)));
  }

  stderr(text: string): void {
    this.events?.onStderr(Buffer.from(text.replaceAll('NONCE', this.nonce)));
  }
}

const none: Become = { kind: 'none' };
const withPassword: Become = { kind: 'sudo', password: new Secret('s3cret') };

const account = (become: Become): Account => ({ user: 'web', become, needsTerminal: false });

function play(become: Become, options: Partial<RemoteCommand> = {}) {
  const far = new FarEnd();
  const outcome = runProgram(far.start, account(become), {
    program: 'the-program',
    data: 'the-data',
    deadlineMs: 10_000,
    outputLimitBytes: 1000,
    ...options,
  });
  return { far, outcome };
}

const summary = (outcome: CommandOutcome) =>
  'mayHaveRun' in outcome ? [outcome.kind, outcome.mayHaveRun] : outcome.kind;

describe('runProgram', () => {
  it('finds markers and answers that arrive byte by byte', async () => {
    const { far, outcome } = play(none);
    for (const byte of `banner${'portfw:NONCE:begin\n'.replace('NONCE', far.nonce)}é${'portfw:NONCE:end:4\n'.replace('NONCE', far.nonce)}`) {
      far.stdout(byte);
    }
    far.events?.onExit(4, null);
    far.events?.onClose(null);
    const result = await outcome;
    expect(result).toMatchObject({ kind: 'exited', exitCode: 4 });
    expect(result.stdout.toString()).toBe('é');
  });

  it('does not count exit code 0 without an end marker as success', async () => {
    const { far, outcome } = play(none);
    far.stdout('portfw:NONCE:begin\nhalf an answer');
    far.events?.onExit(0, null);
    far.events?.onClose(null);
    expect(await outcome).toMatchObject({ kind: 'broken-off', exitCode: 0, mayHaveRun: true });
  });

  it('reports a shell killed by a signal', async () => {
    const { far, outcome } = play(none);
    far.stdout('portfw:NONCE:begin\n');
    far.events?.onExit(null, 'KILL');
    far.events?.onClose(null);
    expect(await outcome).toMatchObject({ kind: 'broken-off', signal: 'KILL', mayHaveRun: true });
  });

  it('reports a login shell that runs nothing, with its words made safe', async () => {
    const { far, outcome } = play(none);
    far.stdout('This account is currently \u001b[5mnot available.\n');
    far.events?.onExit(1, null);
    far.events?.onClose(null);
    const result = await outcome;
    expect(summary(result)).toEqual(['not-run', false]);
    expect(result).toMatchObject({ exitCode: 1, what: expect.stringContaining('currently not available.') });
  });

  it('does not know what happened when the connection goes away', async () => {
    const { far, outcome } = play(none);
    far.events?.onClose('Keepalive timeout');
    const result = await outcome;
    expect(summary(result)).toEqual(['lost', true]);
    expect(result).toMatchObject({ what: expect.stringContaining('Keepalive timeout') });
  });

  it('counts an answer that is whole although the connection went away before the exit status', async () => {
    const { far, outcome } = play(none);
    far.stdout('portfw:NONCE:begin\nportfw:NONCE:end:0\n');
    far.events?.onClose('gone');
    expect(await outcome).toMatchObject({ kind: 'exited', exitCode: 0 });
  });

  it('does not wait for a child that keeps the streams open', async () => {
    const { far, outcome } = play(none);
    far.stdout('portfw:NONCE:begin\nportfw:NONCE:end:0\n');
    far.events?.onExit(0, null);
    const result = await outcome;
    expect(result.kind).toBe('exited');
    expect(result.durationMs).toBeLessThan(1500);
    expect(far.calls).toEqual(['abandon']);
  });

  it('lets go of a host that sends too much', async () => {
    const { far, outcome } = play(none, { outputLimitBytes: 10 });
    far.stdout('portfw:NONCE:begin\n');
    far.stdout('x'.repeat(100_000));
    expect(summary(await outcome)).toEqual(['too-much-output', true]);
    expect([far.written.at(-1), far.calls]).toEqual([`portfw:${far.nonce}:stop\n`, ['abandon']]);
  });

  it('holds the program to its limit to the byte', async () => {
    for (const [length, kind] of [
      [10, 'exited'],
      [11, 'too-much-output'],
    ] as const) {
      const { far, outcome } = play(none, { outputLimitBytes: 10 });
      far.stdout(`a banner of its own length portfw:NONCE:begin\n${'x'.repeat(length)}portfw:NONCE:end:0\n`);
      far.events?.onExit(0, null);
      far.events?.onClose(null);
      expect((await outcome).kind).toBe(kind);
    }
  });

  it('stops waiting when the host does not keep its own deadline', async () => {
    const { far, outcome } = play(none, { deadlineMs: -4900 });
    far.stdout('portfw:NONCE:begin\n');
    expect(summary(await outcome)).toEqual(['deadline', true]);
    expect([far.written.at(-1), far.calls]).toEqual([`portfw:${far.nonce}:stop\n`, ['abandon']]);
  });

  it('stops when aborted, before or after the start', async () => {
    const early = new AbortController();
    early.abort();
    const before = play(none, { signal: early.signal });
    expect(summary(await before.outcome)).toEqual(['aborted', false]);
    expect(before.far.line).toBe('');
    const late = new AbortController();
    const after = play(none, { signal: late.signal });
    late.abort();
    expect(summary(await after.outcome)).toEqual(['aborted', true]);
    expect(after.far.written.at(-1)).toBe(`portfw:${after.far.nonce}:stop\n`);
    const waiting = new AbortController();
    const atSudo = play(withPassword, { signal: waiting.signal });
    waiting.abort();
    expect(summary(await atSudo.outcome)).toEqual(['aborted', false]);
    expect(atSudo.far.written).toEqual([]);
  });

  it('reports a process that cannot be started, at once or later', async () => {
    const failure = { kind: 'not-run', what: 'no', solve: 'try' } as const;
    const start: StartProcess = (_line, events) => {
      events.onStartFailure(failure);
      return { write: () => undefined, abandon: () => undefined };
    };
    const command = { program: 'x', data: '', deadlineMs: 1, outputLimitBytes: 1 };
    expect(summary(await runProgram(start, account(none), command))).toEqual(['not-run', false]);
    for (const become of [none, withPassword]) {
      const { far, outcome } = play(become);
      far.events?.onStartFailure({ kind: 'lost', what: 'gone', solve: 'again' });
      expect(summary(await outcome)).toEqual(['lost', false]);
    }
  });
});

describe('runProgram through sudo', () => {
  const sent = (far: FarEnd) => far.written.join('');

  it('sends the password on the prompt only and the program on the ready mark only', async () => {
    const { far, outcome } = play(withPassword);
    expect(far.written).toEqual([]);
    far.stderr('We trust you have received the usual lecture.\n[sudo] password for web: ');
    far.stdout('[portfw:NONCE:password][portfw:NONCE:ready]');
    expect(far.written).toEqual([]);
    far.stderr('[portfw:NON');
    expect(far.written).toEqual([]);
    far.stderr('CE:password]'.replace('CE', ''));
    expect(far.written).toEqual([]);
    far.stderr('[portfw:NONCE:password]');
    expect(far.written).toEqual(['s3cret\n']);
    far.stderr('\n[portfw:NONCE:ready]');
    expect(sent(far)).toContain('the-program');
    far.stderr('portfw:NONCE:begin\n');
    far.stdout('portfw:NONCE:begin\nportfw:NONCE:end:0\n');
    far.events?.onExit(0, null);
    far.events?.onClose(null);
    const result = await outcome;
    expect(result.kind).toBe('exited');
    expect(result.stderr.toString()).toBe('');
  });

  it('finds a prompt that arrives in two pieces', () => {
    const { far } = play(withPassword);
    far.stderr(`[portfw:${far.nonce.slice(0, 9)}`);
    far.stderr(`${far.nonce.slice(9)}:password]`);
    expect(far.written).toEqual(['s3cret\n']);
    far.events?.onClose(null);
  });

  it('sends nothing but the program where no password is asked for', async () => {
    const { far, outcome } = play(withPassword);
    far.stderr('[portfw:NONCE:ready]');
    expect(sent(far)).toContain('the-program');
    expect(sent(far)).not.toContain('s3cret');
    far.events?.onClose(null);
    expect(summary(await outcome)).toEqual(['lost', true]);
  });

  it('never sends a password twice', async () => {
    const { far, outcome } = play(withPassword);
    far.stderr('[portfw:NONCE:password]');
    far.stderr('\nSorry, try again.\n[portfw:NONCE:password]');
    expect(await outcome).toMatchObject({ kind: 'become-failed', reason: 'password-wrong', mayHaveRun: false });
    expect(far.written).toEqual(['s3cret\n']);
    expect(far.calls).toEqual(['abandon']);
  });

  it('does not show the prompt or the password in what it reports', async () => {
    const { far, outcome } = play(withPassword);
    far.stderr('[portfw:NONCE:password]');
    far.stderr('\nsudo: strange things\n');
    far.events?.onExit(1, null);
    far.events?.onClose(null);
    const result = await outcome;
    expect(result).toMatchObject({ kind: 'become-failed', reason: 'other' });
    expect('what' in result && result.what).toBe('sudo gave no root rights: sudo: strange things');
  });

  it('tells sudo not to ask when there is no password', async () => {
    const { far, outcome } = play({ kind: 'sudo', password: null });
    expect(far.line).toMatch(/ -n$/);
    far.stderr('sudo: a password is required\n');
    far.events?.onExit(1, null);
    far.events?.onClose(null);
    expect(await outcome).toMatchObject({ kind: 'become-failed', reason: 'password-required', mayHaveRun: false });
  });

  it('does not listen to a flood before sudo has answered', async () => {
    const { far, outcome } = play(withPassword, { outputLimitBytes: 10_000_000 });
    far.stderr('x'.repeat(100_000));
    expect(summary(await outcome)).toEqual(['too-much-output', false]);
  });

  it('asks for a terminal at once, once sudo has insisted on one', async () => {
    const ends: FarEnd[] = [];
    const start: StartProcess = (line, events) => {
      const far = new FarEnd();
      ends.push(far);
      const handle = far.start(line, events);
      if (ends.length !== 1) setTimeout(() => events.onStartFailure({ kind: 'lost', what: 'gone', solve: 'again' }));
      else {
        far.stderr('sudo: sorry, you must have a tty to run sudo\n');
        events.onExit(1, null);
        events.onClose(null);
      }
      return handle;
    };
    const own = account(withPassword);
    const command = { program: 'x', data: '', deadlineMs: 10_000, outputLimitBytes: 1000 };
    await runProgram(start, own, command);
    expect(own.needsTerminal).toBe(true);
    await runProgram(start, own, command);
    const [first, second, third] = ends.map(({ line }) => line.replaceAll(/[0-9a-f]{32}/g, 'NONCE'));
    expect(second).not.toBe(first);
    expect(third).toBe(second);
  });

  it('is lost, not refused, when the connection goes away before sudo answers', async () => {
    const { far, outcome } = play(withPassword);
    far.events?.onClose('reset');
    expect(summary(await outcome)).toEqual(['lost', false]);
  });
});

describe('runProgram over a real shell', () => {
  const local: StartProcess = (line, events) => {
    const child = spawn('/bin/sh', ['-c', line]);
    child.stdout.on('data', (chunk) => events.onStdout(chunk));
    child.stderr.on('data', (chunk) => events.onStderr(chunk));
    child.stdin.on('error', () => undefined);
    child.on('exit', (code, signal) => events.onExit(code, signal));
    child.on('close', () => events.onClose(null));
    return {
      write: (bytes) => child.stdin.write(bytes),
      abandon: () => child.stdin.destroy(),
    };
  };
  const command = { program: 'sleep 30', data: '', deadlineMs: 200, outputLimitBytes: 1000 };

  it('reports the deadline that the shell kept', async () => {
    const result = await runProgram(local, account(none), command);
    expect(summary(result)).toEqual(['deadline', true]);
    expect(result.durationMs).toBeLessThan(2000);
  });

  it('reports the deadline of a program that shrugs off TERM', async () => {
    const result = await runProgram(local, account(none), { ...command, program: `trap '' TERM; sleep 30; sleep 30` });
    expect(summary(result)).toEqual(['deadline', true]);
    expect(result.durationMs).toBeGreaterThan(2000);
    expect(result.durationMs).toBeLessThan(5000);
  });
});
