import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { parseFacts } from '../../../src/facts/parse-facts.ts';
import { loadMatrix } from '../../../src/matrix/load-matrix.ts';
import { detectRoles } from '../../../src/roles/detect.ts';

const FACTS = path.join(import.meta.dirname, '../../fixtures/facts');

it.each([
  ['dispatching-node-firewalld-0.9', 'portaswitch-ocs', ['dispatching-node', 'processing-node']],
  ['dispatching-sbc-firewalld-1.3', 'portaswitch-ocs', ['dispatching-sbc']],
  ['radius-firewalld-2.3', 'portaswitch-ocs', ['radius']],
  ['radius-firewalld-2.3', 'portaswitch', ['radius']],
  ['ocs-firewalld-1.3', 'portaswitch-ocs', ['ocs']],
  ['web-admin-firewalld-2.3', 'portaswitch', ['web-admin', 'master-db']],
  ['gcems-firewalld-0.9', 'img-gcems', ['gcems']],
])('the host recorded as %s plays by %s %j', (fixture, matrix, roles) => {
  const parsed = parseFacts(readFileSync(path.join(FACTS, `${fixture}.txt`), 'utf8'));
  if (parsed.kind !== 'facts') throw new Error(parsed.why);
  const findings = detectRoles({ matrix: loadMatrix(matrix), facts: parsed.facts, declared: null, remembered: null });
  expect(findings.verdict).toEqual({ kind: 'settled' });
  expect(findings.roles.filter(({ because }) => because === 'detected').map(({ role }) => role)).toEqual(roles);
  expect(findings.warnings).toEqual([]);
});
