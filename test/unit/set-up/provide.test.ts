import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { provide, requireProgram } from '../../set-up/provide.ts';
import { recordedPackages, recordPackages, unrecordPackages } from '../../set-up/record.ts';

const folder = mkdtempSync(join(tmpdir(), 'portfw-provide-'));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => vi.unstubAllEnvs());

describe('where nothing can be installed', () => {
  it('everything that is missing is named at once, with its packages', async () => {
    vi.stubEnv('PATH', folder);
    const said: string[] = [];
    const work = provide(['ansible', 'zsh', 'zsh', 'fish'], (line) => said.push(line));
    await expect(work).rejects.toThrow(
      /^Missing on this machine: Ansible, zsh and fish; .*\nHow to go on: install it \(Debian's packages: ansible-core zsh fish\) and run this again\.$/,
    );
    expect(said).toEqual([]);
  });

  it('a test that needs a program says how to get it', () => {
    vi.stubEnv('PATH', folder);
    expect(() => requireProgram('zsh', 'zsh')).toThrow(/^Missing on this machine: zsh; .*\n.*packages: zsh\)/);
  });
});

it('nothing happens where nothing is missing', async () => {
  const said: string[] = [];
  await provide(['python', 'bash', 'script'], (line) => said.push(line));
  expect(said).toEqual([]);
});

it('the record keeps what was brought until it is taken away', async () => {
  const file = join(folder, 'state/installed-packages');
  expect(await recordedPackages(file)).toEqual([]);
  await recordPackages(['runc', 'docker.io'], file);
  await recordPackages(['zsh', 'runc'], file);
  expect(await recordedPackages(file)).toEqual(['docker.io', 'runc', 'zsh']);
  await unrecordPackages(['runc'], file);
  expect(await recordedPackages(file)).toEqual(['docker.io', 'zsh']);
  await unrecordPackages(['docker.io', 'zsh'], file);
  expect(await recordedPackages(file)).toEqual([]);
});
