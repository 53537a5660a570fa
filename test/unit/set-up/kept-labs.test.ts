import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { isKept, isRunning, keptOwner, thisProcess } from '../../lab/owner.ts';

describe('labs that were kept', () => {
  it('belong to their clone, and are never taken for the labs of a process that has ended', () => {
    const [own, other] = [keptOwner(), keptOwner('/srv/portfw/.lab/')];
    expect(own).toBe(keptOwner());
    expect(other).not.toBe(own);
    for (const owner of [own, other, 'kept']) expect([isKept(owner), isRunning(owner)], owner).toEqual([true, true]);
    expect(isKept(thisProcess())).toBe(false);
    expect(isRunning(thisProcess())).toBe(true);
    expect(isRunning('999999999:1')).toBe(false);
  });

  it.each([['--all'], ['--remove', '--keep'], ['--keep', '--all'], ['--remove-all']])(
    'npm run demo -- %s %s is no command',
    (...flags) => {
      const { status, stderr } = spawnSync('node_modules/.bin/tsx', ['test/lab/demo.ts', ...flags], {
        encoding: 'utf8',
      });
      expect([status, stderr]).toEqual([4, 'usage: npm run demo [-- --keep | --record | --remove [--all]]\n']);
    },
  );
});
