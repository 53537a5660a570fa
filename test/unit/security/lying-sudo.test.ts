import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inspect } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { Secret } from '../../../src/core/secret.ts';
import type { CommandOutcome } from '../../../src/transport/connection.ts';
import { type ProcessEvents, runProgram, type StartProcess } from '../../../src/transport/program/program-session.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'portfw-sudo-'));
afterAll(() => rmSync(folder, { recursive: true }));

const PASSWORD = 'Tr0ub4dor&3';
let number = 0;

/** A shell on a host whose `sudo` is this script; `$prompt` is what it was told to ask with, `$mark` what tells us that we are root. */
function hostWith(sudo: string): { start: StartProcess; written: () => string } {
  number += 1;
  const bin = path.join(folder, `bin${number}`);
  const made = spawnable(bin, sudo);
  let written = '';
  const start: StartProcess = (line, events) => {
    const child = spawn('/bin/sh', ['-c', line], { env: { PATH: `${made}:${process.env['PATH'] ?? ''}` } });
    child.stdout.on('data', (chunk: Buffer) => events.onStdout(chunk));
    child.stderr.on('data', (chunk: Buffer) => events.onStderr(chunk));
    child.stdin.on('error', () => undefined);
    child.on('exit', (code, signal) => events.onExit(code, signal));
    child.on('close', () => events.onClose(null));
    return {
      write: (bytes) => {
        written += bytes.toString('latin1');
        child.stdin.write(bytes);
      },
      abandon: () => {
        child.stdin.destroy();
        child.kill('SIGKILL');
      },
    };
  };
  return { start, written: () => written };
}

function spawnable(bin: string, sudo: string): string {
  const script = [
    '#!/bin/sh',
    'prompt=$3',
    'while [ "$1" != -- ]; do shift; done; shift',
    // The nonce of the ready mark is the last word of the command that sudo is given, for anybody to see.
    'for nonce in "$@"; do :; done; mark="[portfw:$nonce:ready]"',
    sudo,
  ];
  rmSync(bin, { recursive: true, force: true });
  const file = path.join(mkdtempSync(`${bin}-`), 'sudo');
  writeFileSync(file, `${script.join('\n')}\n`);
  chmodSync(file, 0o755);
  return path.dirname(file);
}

async function run(sudo: string, program = 'echo ran; id -u'): Promise<{ outcome: CommandOutcome; written: string }> {
  const { start, written } = hostWith(sudo);
  const outcome = await runProgram(
    start,
    { user: 'web', become: { kind: 'sudo', password: new Secret(PASSWORD) }, needsTerminal: false },
    {
      program,
      data: 'the data',
      deadlineMs: 10_000,
      outputLimitBytes: 100_000,
    },
  );
  return { outcome, written: written() };
}

/** How often the password was sent. */
const sent = (written: string) => written.split(PASSWORD).length - 1;
const proof = path.join(folder, 'ran');

describe('a sudo that lies', () => {
  it('an honest one is believed', async () => {
    const { outcome, written } = await run('printf %s "$prompt" >&2; IFS= read -r given; exec "$@"');
    expect(outcome).toMatchObject({ kind: 'exited', exitCode: 0 });
    expect(outcome.stdout.toString()).toMatch(/^ran\n\d+\n$/);
    expect(sent(written)).toBe(1);
  });

  it('asks again and again: the password is sent once', async () => {
    const { outcome, written } = await run('while :; do printf %s "$prompt" >&2; IFS= read -r given || exit 1; done');
    expect(outcome).toMatchObject({ kind: 'become-failed', reason: 'password-wrong', mayHaveRun: false });
    expect(sent(written)).toBe(1);
    expect(written).toBe(`${PASSWORD}\n`);
  });

  it('asks a hundred times at once: the password is not even sent', async () => {
    const { outcome, written } = await run(
      'for i in 1 2 3 4 5 6 7 8 9 10; do text=$text$prompt$prompt$prompt; done; printf %s "$text" >&2; sleep 5',
    );
    expect(outcome).toMatchObject({ kind: 'become-failed', reason: 'password-wrong' });
    expect(sent(written)).toBe(0);
  });

  it('prints the mark of success by itself: the program runs without root, and gets no password', async () => {
    const { outcome, written } = await run('exec "$@"', `id -u; touch ${proof}`);
    expect(outcome.kind).toBe('exited');
    expect(existsSync(proof)).toBe(true);
    expect(sent(written)).toBe(0);
  });

  it('prints the mark of success and then asks: the password is not sent any more', async () => {
    const { outcome, written } = await run('printf "%s%s" "$mark" "$prompt" >&2; sleep 0.3; exit 1');
    expect(outcome.kind).not.toBe('exited');
    expect(sent(written)).toBe(0);
  });

  it('asks with another prompt, or on standard output: nothing is sent', async () => {
    const { outcome, written } = await run(
      `printf '[sudo] password for web: ' >&2; printf %s "$prompt"; sleep 0.3; exit 1`,
    );
    expect(outcome).toMatchObject({ kind: 'become-failed', mayHaveRun: false });
    expect(written).toBe('');
  });

  it.each([
    ['when it refuses', 'IFS= read -r given; echo "sudo: bad password $given$given" >&2; exit 1'],
    ['before it dies', 'IFS= read -r given; echo "$given" >&2; kill -9 $$'],
    ['on both streams', 'IFS= read -r given; echo "$given"; echo "$given" >&2; exit 1'],
    ['and lets us in', 'IFS= read -r given; echo "warning: $given" >&2; exec "$@"'],
    ['with the mark, and runs nothing', 'IFS= read -r given; printf "%s" "$mark" >&2; echo "$given"; exit 1'],
  ])('says the password back %s: nobody reads it', async (_when, sudo) => {
    const { outcome, written } = await run(`printf %s "$prompt" >&2; ${sudo}`);
    expect(sent(written)).toBe(1);
    expect(inspect({ ...outcome, stdout: '', stderr: '' }, { depth: null })).not.toContain(PASSWORD);
    expect(outcome.stderr.toString()).not.toContain(PASSWORD);
    if (outcome.kind !== 'exited') expect(outcome.stdout.toString()).not.toContain(PASSWORD);
  });

  it('floods us: it is cut off', async () => {
    const { outcome, written } = await run('yes not the prompt >&2');
    expect(outcome).toMatchObject({ kind: 'too-much-output', mayHaveRun: false });
    expect(written).toBe('');
  });
});

describe('a host that sends its answer byte by byte', () => {
  const played = (): { events: ProcessEvents; nonce: string; outcome: Promise<CommandOutcome> } => {
    let events: ProcessEvents | null = null;
    const written: string[] = [];
    const start: StartProcess = (line, given) => {
      events = given;
      written.push(line);
      return { write: (bytes) => void written.push(bytes.toString('latin1')), abandon: () => undefined };
    };
    const outcome = runProgram(
      start,
      { user: 'web', become: { kind: 'none' }, needsTerminal: false },
      {
        program: 'x',
        data: '',
        deadlineMs: 60_000,
        outputLimitBytes: 1_000_000,
      },
    );
    return { events: events!, nonce: /[0-9a-f]{32}/.exec(written.join(''))![0], outcome };
  };

  it('costs no more memory than its bytes: packets are copied, not kept', async () => {
    const { events, nonce, outcome } = played();
    const text = `portfw:${nonce}:begin\n${'answer '.repeat(500)}portfw:${nonce}:end:0\n`;
    for (const byte of Buffer.from(text)) {
      // Each comes in a packet of its own, which is used again at once.
      const packet = Buffer.alloc(32 * 1024, byte);
      events.onStdout(packet.subarray(0, 1));
      packet.fill(0);
    }
    events.onExit(0, null);
    events.onClose(null);
    const { kind, stdout } = await outcome;
    expect(kind).toBe('exited');
    expect(stdout.toString()).toBe('answer '.repeat(500));
  });
});
