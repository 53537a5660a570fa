import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { firewalldProgram, probeProgram } from '../../../src/host/programs.ts';

const HOST = path.join(import.meta.dirname, '../../../src/host/remote');
const HOST_FILES = readdirSync(HOST).filter((name) => name.endsWith('.py'));

/** The first line of a file's docstring, which tells one file from another in a program. */
function docstringOf(name: string): string {
  return /^"""(.*)$/m.exec(readFileSync(path.join(HOST, name), 'utf8'))![1]!;
}

/** The Python text in a program that is sent. */
function pythonOf(program: string): string {
  return program.split("<<'PORTFW_END_OF_PROGRAM'\n")[1]!.split('PORTFW_END_OF_PROGRAM\n')[0]!;
}

it.each([
  ['the steps', firewalldProgram],
  ['the probe', probeProgram],
])('%s are to Python what the files in the source are', (_what, program) => {
  const sent = pythonOf(program());
  const names = [...HOST_FILES].filter((name) => sent.includes(`"""${docstringOf(name)}`));
  expect(names.length).toBeGreaterThan(2);
  const same = `
import ast, json, sys
sent, files = json.load(sys.stdin)
bodies = [ast.dump(node) for text in files for node in ast.parse(text).body]
sys.stdout.write(json.dumps(sorted(bodies) == sorted(ast.dump(node) for node in ast.parse(sent).body)))`;
  const input = JSON.stringify([sent, names.map((name) => readFileSync(path.join(HOST, name), 'utf8'))]);
  expect(execFileSync('python3', ['-c', same], { input, encoding: 'utf8' })).toBe('true');
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
