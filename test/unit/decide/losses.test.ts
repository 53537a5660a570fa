import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseRichRule } from '../../../src/firewalld/rich-rule.ts';
import { describeChange } from '../../../src/plan/change-words.ts';
import { lossSchemas } from '../../../src/plan/loss-schemas.ts';
import type { HostPlan } from '../../../src/plan/plan.ts';
import { reasonText } from '../../../src/report/reason-view.ts';
import { readPlan, writePlan } from '../../helpers/plan-text.ts';
import { removes } from '../../helpers/removes.ts';
import { Firewalld } from '../plan/helpers/simulator.ts';
import { after, applied, planned, type Situation } from './helpers/changed-host.ts';

const FIXTURES = path.join(import.meta.dirname, '../../fixtures/losses');
const CASES = path.join(FIXTURES, 'cases');

interface LossCase {
  readonly before: Situation;
  readonly after: Situation;
  /** The host remembers nothing of the first run. */
  readonly forget?: boolean;
  /** Files that somebody wrote after the first run, and loaded. */
  readonly edited?: Readonly<Record<string, string>>;
  /** What somebody added at runtime after the first run: zone → services and rich rules. */
  readonly runtime?: Readonly<
    Record<string, { readonly services: readonly string[]; readonly richRules: readonly string[] }>
  >;
}

function planOf(name: string): HostPlan {
  const given = parse(readFileSync(path.join(CASES, `${name}.yaml`), 'utf8')) as LossCase;
  const host = new Firewalld([]);
  const remembered = applied(planned(given.before, host, null), host);
  for (const [file, text] of Object.entries(given.edited ?? {})) host.files.set(file, text);
  if (given.edited !== undefined) host.reload();
  for (const [zone, { services, richRules }] of Object.entries(given.runtime ?? {}))
    host.runtime.zones.set(zone, {
      ...host.runtime.zones.get(zone)!,
      services,
      richRules: richRules.map(parseRichRule),
    });
  return planned(after(given.before, given.after), host, given.forget === true ? null : remembered);
}

const NAMES = readdirSync(CASES)
  .filter((file) => file.endsWith('.yaml'))
  .map((file) => path.basename(file, '.yaml'));

describe('why something goes', () => {
  it.each(NAMES)('%s', async (name) => {
    const plan = planOf(name);
    const lines = plan.changes
      .filter(removes)
      .flatMap((change) => [
        describeChange(change),
        ...('reasons' in change ? change.reasons.map((reason) => `    because ${reasonText(reason)}`) : []),
      ]);
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot(path.join(FIXTURES, 'golden', `${name}.txt`));
    expect(readPlan(writePlan(plan))).toEqual({ kind: 'plan', plan });
  });

  it('has a golden file for each case and no other', () => {
    expect(readdirSync(path.join(FIXTURES, 'golden')).sort()).toEqual(NAMES.map((name) => `${name}.txt`).sort());
  });

  it('is said in each of its kinds by one of the cases', () => {
    const said = NAMES.flatMap((name) => planOf(name).changes)
      .flatMap((change) => ('reasons' in change ? change.reasons : []))
      .map(({ kind }) => kind);
    const kinds = lossSchemas.map((schema) => schema.shape.kind.value);
    expect(kinds.filter((kind) => !said.includes(kind))).toEqual([]);
  });
});
