import { expect, it } from 'vitest';
import { firewalldProgram, probeProgram } from '../../../src/host/programs.ts';

/** What Linux takes as one argument (MAX_ARG_STRLEN), with room for the shell's own words. */
const LONGEST = 128 * 1024 - 4096;

/** The Python text in a program that is sent: it becomes one argument of the interpreter, and the way back is made of it. */
function pythonOf(program: string): string {
  return program.split("<<'PORTFW_END_OF_PROGRAM'\n")[1]!.split('PORTFW_END_OF_PROGRAM\n')[0]!;
}

it.each([
  ['the steps', firewalldProgram],
  ['the probe', probeProgram],
])('%s fit into one argument of the interpreter', (_what, program) => {
  expect(Buffer.byteLength(pythonOf(program()))).toBeLessThan(LONGEST);
});

it('the files of the steps share one namespace, and no name in it stands for two things', () => {
  const python = pythonOf(firewalldProgram());
  const names = python.split('\n').flatMap((line) => {
    const defined = /^(?:def|class) (\w+)/.exec(line)?.[1];
    if (defined !== undefined) return [defined];
    return /^(\w+(?:, \w+)*) = /.exec(line)?.[1]?.split(', ') ?? [];
  });
  expect(names).toContain('OPERATIONS');
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
});
