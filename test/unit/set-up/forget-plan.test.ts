import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Choice, heldByEngine, packagesToPurge } from '../../set-up/forget-plan.ts';
import { isEngineFolder, removeEngineFolder } from '../../set-up/stop-engine.ts';

/** What each package needs, on a machine where all dependencies were installed for these alone. */
const DEPENDENCIES: Readonly<Record<string, readonly string[]>> = {
  'docker.io': ['runc', 'containerd'],
  'docker-compose': ['docker.io'],
  shellcheck: [],
  mmdebstrap: ['perl'],
};

function removalOf(installed: readonly string[]) {
  return async (names: readonly string[]) => ({
    dependents: installed.filter(
      (name) => !names.includes(name) && (DEPENDENCIES[name] ?? []).some((each) => names.includes(each)),
    ),
    all: [...names, ...names.flatMap((name) => DEPENDENCIES[name] ?? [])],
  });
}

interface Scene {
  readonly installed: readonly string[];
  readonly recorded: readonly string[];
  readonly others?: readonly string[];
  readonly choice: Choice;
  /** To every question. */
  readonly answer?: boolean;
}

async function plan({ installed, recorded, others = [], choice, answer }: Scene) {
  const lines: string[] = [];
  const questions: string[] = [];
  const agreed = async (question: string): Promise<boolean> => {
    questions.push(question);
    if (answer === undefined) throw new Error(`asked: ${question}`);
    return answer;
  };
  const machine = { installed, recorded, removalOf: removalOf(installed) };
  const packages = await packagesToPurge(machine, others, choice, agreed, (line) => lines.push(line));
  return { packages, lines, questions };
}

const ASK: Choice = { yes: false, all: false };
const YES: Choice = { yes: true, all: false };
const CI: Choice = { yes: true, all: true };

describe('what lab:forget removes', () => {
  it.each([ASK, YES])('what the set-up brought, with the dependencies that came along (%o)', async (choice) => {
    const installed = ['docker.io', 'runc', 'containerd', 'shellcheck', 'git'];
    const recorded = ['docker.io', 'runc', 'containerd', 'shellcheck', 'removed-since'];
    const { packages, lines } = await plan({ installed, recorded, choice });
    expect([...packages].sort()).toEqual(['containerd', 'docker.io', 'runc', 'shellcheck']);
    expect(lines).toEqual([]);
  });

  it('never a dependency that was there before', async () => {
    const { packages } = await plan({ installed: ['mmdebstrap', 'perl'], recorded: ['mmdebstrap'], choice: YES });
    expect(packages).toEqual(['mmdebstrap']);
  });

  it.each([ASK, YES])('nothing that was there before the set-up, and says so (%o)', async (choice) => {
    const { packages, lines } = await plan({ installed: ['shellcheck', 'python3', 'zsh'], recorded: [], choice });
    expect(packages).toEqual([]);
    expect(lines).toEqual(['shellcheck stays: it was here before the set-up (--all takes it too)']);
  });

  it.each([true, false])('that too if it is asked for and agreed to (%s)', async (answer) => {
    const scene = { installed: ['shellcheck'], recorded: [], choice: { yes: false, all: true }, answer };
    const { packages, questions } = await plan(scene);
    expect(questions).toEqual(['shellcheck was on this machine before the set-up. Remove it as well?']);
    expect(packages).toEqual(answer ? ['shellcheck'] : []);
  });

  it('all that CI must not find, without a question', async () => {
    const installed = [
      'docker.io',
      'runc',
      'containerd',
      'mmdebstrap',
      'perl',
      'shellcheck',
      'python3',
      'zsh',
      'openssh-client',
    ];
    const { packages, lines } = await plan({ installed, recorded: [], choice: CI });
    expect([...packages].sort()).toEqual(['containerd', 'docker.io', 'mmdebstrap', 'perl', 'runc', 'shellcheck']);
    expect(lines).toEqual([]);
  });

  it.each([YES, CI])('no engine that holds what is not the lab’s (%o)', async (choice) => {
    const installed = ['docker.io', 'runc', 'containerd', 'shellcheck'];
    const { packages, lines } = await plan({ installed, recorded: installed, others: ['image web:1'], choice });
    expect(packages).toEqual(['shellcheck']);
    expect(lines).toEqual(["docker.io stays: the engine also holds what is not the lab's: image web:1"]);
  });

  it.each([YES, CI])('no engine of this machine by what another one says (%o)', async (choice) => {
    const installed = ['docker.io', 'runc', 'containerd'];
    const others = heldByEngine({ others: [] }, false);
    expect((await plan({ installed, recorded: installed, others, choice })).packages).toEqual([]);
    expect(heldByEngine({ others: ['image web:1'] }, true)).toEqual(['image web:1']);
    expect(heldByEngine(null, false)).toEqual([]);
  });

  it.each([YES, CI])('nothing that another package needs (%o)', async (choice) => {
    const installed = ['docker.io', 'runc', 'containerd', 'docker-compose'];
    const { packages, lines } = await plan({ installed, recorded: ['docker.io', 'runc', 'containerd'], choice });
    expect(packages).toEqual([]);
    expect(lines).toEqual(['docker.io stays: docker-compose needs it']);
  });
});

describe('the folder of an engine', () => {
  it('is removed only where it is the usual one: another may hold what is not an engine’s', () => {
    expect(['/var/lib/docker', '/srv', '/home/ann/docker', '/'].filter(isEngineFolder)).toEqual(['/var/lib/docker']);
  });

  it('keeps everything while something below it stays mounted', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'portfw-engine-'));
    try {
      mkdirSync(join(folder, 'volumes'));
      writeFileSync(join(folder, 'volumes/theirs'), 'x');
      const mounts = `tmpfs ${folder} tmpfs rw 0 0\nserver:/x ${folder}/volumes nfs rw 0 0\n`;
      await expect(removeEngineFolder(folder, mounts, async () => false)).rejects.toThrow(
        `${folder}/volumes is mounted and cannot be unmounted`,
      );
      expect(existsSync(join(folder, 'volumes/theirs'))).toBe(true);
      await removeEngineFolder(folder, mounts, async (path) => path !== folder);
      expect(existsSync(join(folder, 'volumes'))).toBe(false);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
