import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseDocument, stringify } from 'yaml';
import { readMatrix } from '../../../src/matrix/load-matrix.ts';
import { readPlaybook } from '../../../src/matrix/load-playbook.ts';
import { fixture } from './helpers/fixtures.ts';

/** Values that stand where they should not. */
const ODD_VALUES = [null, true, -1, 1.5, '', 'odd \u0007', [], [null], {}, { odd: 1 }, '__proto__', 'constructor'];

/** A few odd values for the path at `index`: neighbours get others, so that all are tried everywhere in the end. */
function oddValues(index: number): readonly unknown[] {
  return ODD_VALUES.filter((_, position) => (position + index) % 3 === 0);
}

type Steps = readonly (string | number)[];

function pathsOf(value: unknown, at: Steps = []): Steps[] {
  if (typeof value !== 'object' || value === null) return [at];
  const entries: [string | number, unknown][] = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  return [at, ...entries.flatMap(([key, inner]) => pathsOf(inner, [...at, key]))];
}

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'portfw-matrix-'));
  for (const name of ['base.yaml', 'changed.yaml'])
    writeFileSync(path.join(folder, name), readFileSync(fixture('extends', name)));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('an odd value anywhere', () => {
  it.each(['base.yaml', 'changed.yaml'])(
    'in %s is reported with its place, or harmless',
    (name) => {
      const source = readFileSync(fixture('extends', name), 'utf8');
      const file = path.join(folder, 'odd.yaml');
      let refused = 0;
      for (const [index, steps] of pathsOf(parseDocument(source).toJS()).entries()) {
        for (const odd of oddValues(index)) {
          const document = parseDocument(source);
          if (steps.length === 0) writeFileSync(file, stringify(odd));
          else {
            document.setIn(steps, odd);
            writeFileSync(file, document.toString());
          }
          const { matrix, problems } = readMatrix(file);
          if (matrix !== null) continue;
          refused += 1;
          expect(problems.length).toBeGreaterThan(0);
          for (const problem of problems) expect(problem.location?.line, problem.what).toBeGreaterThan(0);
        }
      }
      expect(refused).toBeGreaterThan(150);
    },
    30_000,
  );

  it('in a playbook is reported with its place, or harmless', () => {
    const source =
      "- { name: Web, hosts: web, matrix: ./base.yaml, private: peers, features: [tls], serial: [1, '50%'], max_fail_percentage: 20, on_failure: revert-run, probes: [{ name: a, tcp: 'web1:443', from: web, timeout: 2, before: may-fail }, { command: ['true', x] }] }\n";
    const file = path.join(folder, 'playbook.yaml');
    let refused = 0;
    for (const [index, steps] of pathsOf(parseDocument(source).toJS()).entries()) {
      for (const odd of steps.includes('probes') ? oddValues(index) : ODD_VALUES) {
        const document = parseDocument(source);
        if (steps.length > 0) document.setIn(steps, odd);
        writeFileSync(file, steps.length === 0 ? stringify(odd) : document.toString());
        const { playbook, problems } = readPlaybook(file);
        if (playbook !== null) continue;
        refused += 1;
        for (const problem of problems) expect(problem.location?.line, problem.what).toBeGreaterThan(0);
      }
    }
    expect(refused).toBeGreaterThan(110);
  }, 30_000);
});
