import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readMatrix } from '../../../src/matrix/load-matrix.ts';
import { readPlaybook } from '../../../src/matrix/load-playbook.ts';
import { fixture, fixtureNames, problemText } from './helpers/fixtures.ts';

/** What must be reported stands beside each file: place, message and hint of every problem, in order. */
function expected(folder: string, name: string): string {
  return readFileSync(fixture(folder, `${name}.expected`), 'utf8');
}

describe('a broken matrix is refused with every problem in it', () => {
  it.each(fixtureNames('bad-matrices'))('%s', (name) => {
    const { matrix, problems } = readMatrix(fixture('bad-matrices', `${name}.yaml`));
    expect(problemText(problems)).toBe(expected('bad-matrices', name));
    expect(matrix).toBeNull();
  });
});

describe('a broken playbook is refused with every problem in it', () => {
  it.each(fixtureNames('bad-playbooks'))('%s', (name) => {
    const { playbook, problems } = readPlaybook(fixture('bad-playbooks', `${name}.yaml`));
    expect(problemText(problems)).toBe(expected('bad-playbooks', name));
    expect(playbook).toBeNull();
  });
});

describe('a reference from the command line', () => {
  it.each([
    [
      'matrix',
      'portaswich',
      'error: no matrix named "portaswich" ships with portfw\n    Did you mean "portaswitch"? Otherwise, give your own as a path that ends in .yaml\n',
    ],
    [
      'playbook',
      'site',
      'error: no playbook named "site" ships with portfw\n    There are img-gcems, portaswitch, portaswitch-ocs; give your own as a path that ends in .yaml\n',
    ],
    ['matrix', './nowhere.yaml', 'nowhere.yaml:1:1: error: there is no such file\n    Check the path\n'],
    ['playbook', './nowhere.yaml', 'nowhere.yaml:1:1: error: there is no such file\n    Check the path\n'],
  ] as const)('%s %s', (kind, reference, text) => {
    const { problems } = kind === 'matrix' ? readMatrix(reference) : readPlaybook(reference);
    expect(problemText(problems)).toBe(text);
  });
});
