import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { confirm } from '../../../src/cli/confirm.ts';
import { type Interruption, listenForInterruption } from '../../../src/cli/interruption.ts';
import { BuiltPortfw } from './helpers/portfw.ts';

function listen(): { interruption: Interruption; said: string[]; ended: number[] } {
  const said: string[] = [];
  const ended: number[] = [];
  const interruption = listenForInterruption(
    (text) => said.push(text),
    (code) => ended.push(code),
  );
  return { interruption, said, ended };
}

describe('signals', () => {
  it('abort first, then only say so again, and end the process the third time', () => {
    const { interruption, said, ended } = listen();
    try {
      expect(interruption.signal.aborted).toBe(false);
      interruption.interrupt();
      expect(interruption.signal.aborted).toBe(true);
      expect(said).toEqual([]);
      interruption.interrupt();
      expect(said).toEqual([expect.stringContaining('Still finishing')]);
      expect(ended).toEqual([]);
      interruption.interrupt();
      expect(said).toHaveLength(2);
      expect(ended).toEqual([130]);
    } finally {
      interruption.dispose();
    }
  });

  it('are given back', () => {
    const before = process.listenerCount('SIGINT');
    const { interruption } = listen();
    expect(process.listenerCount('SIGINT')).toBe(before + 1);
    interruption.dispose();
    expect(process.listenerCount('SIGINT')).toBe(before);
  });
});

describe('the question', () => {
  it.each([
    ['yes\n', true],
    [' yes \n', true],
    ['no\nyes\n', false],
    ['n\nyes\n', false],
    ['No\n', false],
  ])('%j is a yes: %s', async (typed, expected) => {
    const { interruption } = listen();
    const input = new PassThrough();
    const answer = confirm('Apply? ', interruption, input, new PassThrough());
    input.write(typed);
    expect(await answer).toBe(expected);
    interruption.dispose();
  });

  it.each([
    ['y\nyes\n', true, 1],
    ['YES\n\nyes please\nyes\n', true, 3],
    ['y\nno\n', false, 1],
  ])('%j: what is neither yes nor no is asked again', async (typed, expected, asked) => {
    const { interruption } = listen();
    const [input, output] = [new PassThrough(), new PassThrough()];
    const answer = confirm('Apply? ', interruption, input, output);
    input.write(typed);
    expect(await answer).toBe(expected);
    const shown = String(output.read());
    expect(shown.split('Type "yes" to continue, or "no" to stop: ')).toHaveLength(asked + 1);
    expect(shown.split('Apply? ')).toHaveLength(2);
    interruption.dispose();
  });

  it('after a wrong answer, too, takes the end of input and an interruption for a no', async () => {
    const { interruption } = listen();
    const input = new PassThrough();
    const closed = confirm('Apply? ', interruption, input, new PassThrough());
    input.end('y\n');
    expect(await closed).toBe(false);
    const [typing, output] = [new PassThrough(), new PassThrough()];
    const interrupted = confirm('Apply? ', interruption, typing, output);
    typing.write('y\n');
    while (!String(output.read()).includes('"no" to stop')) await sleep(5);
    interruption.interrupt();
    expect(await interrupted).toBe(false);
    interruption.dispose();
  });

  it('takes the end of input and an interruption for a no', async () => {
    const { interruption } = listen();
    const input = new PassThrough();
    const closed = confirm('Apply? ', interruption, input, new PassThrough());
    input.end();
    expect(await closed).toBe(false);
    const interrupted = confirm('Apply? ', interruption, new PassThrough(), new PassThrough());
    interruption.interrupt();
    expect(await interrupted).toBe(false);
    expect(await confirm('Apply? ', interruption, new PassThrough(), new PassThrough())).toBe(false);
    interruption.dispose();
  });
});

describe('a run that is interrupted', { timeout: 60_000 }, () => {
  let built: BuiltPortfw;
  const folder = mkdtempSync(join(tmpdir(), 'portfw-interrupted-'));
  // It accepts connections and never says a word: a host that is being connected to.
  const silent = createServer(() => {});
  beforeAll(async () => {
    built = new BuiltPortfw();
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  }, 120_000);
  afterAll(() => {
    silent.close();
    built.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('by %s begins no further host and ends with 130', async (signal) => {
    const address = silent.address();
    const ansible_port = typeof address === 'object' && address !== null ? address.port : 0;
    const host = { ansible_host: '127.0.0.1', ansible_port };
    const inventory = join(folder, 'inventory.yaml');
    writeFileSync(
      inventory,
      JSON.stringify({ all: { hosts: { 'first.example.net': host, 'second.example.net': host } } }),
    );
    const { child, ended } = built.start(['facts', inventory, '--forks', '1', '-v'], {
      HOME: folder,
      SSH_AUTH_SOCK: '',
      PORTFW_SSH_PASSWORD: 'never sent',
    });
    child.stdout?.on('data', (text: string) => {
      if (text.includes('connecting')) setTimeout(() => child.kill(signal), 300);
    });
    const { code, stdout } = await Promise.race([
      ended,
      sleep(50_000).then(() => {
        child.kill('SIGKILL');
        return { code: null, stdout: 'it did not end', stderr: '' };
      }),
    ]);
    expect(stdout).toContain('Interrupted: finishing hosts in progress');
    expect(stdout).toMatch(/^second\.example\.net +skipped/m);
    expect(code).toBe(130);
  });
});
