import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { observedFirewalld } from '../../../src/firewalld/observed.ts';
import { type ApplyInput, beginRequest, permanentRequest } from '../../../src/host/requests.ts';
import type { Step } from '../../../src/plan/steps.ts';
import { buildDesired } from '../../../src/policy/build-desired.ts';
import { reasonText } from '../../../src/report/reason-view.ts';
import { makePlan } from '../../helpers/make-plan.ts';
import { removes } from '../../helpers/removes.ts';
import { inputOf, type PolicyCase } from '../policy/helpers/cases.ts';
import { Firewalld } from './helpers/simulator.ts';

const FIXTURES = path.join(import.meta.dirname, '../../fixtures/plan');
const CASES = path.join(FIXTURES, 'cases');

interface PlanCase extends PolicyCase {
  /** What was applied before everything else: parts of the case that were other then. */
  readonly before?: Partial<PolicyCase>;
  /** Files below /etc/firewalld that the host has from its owner. */
  readonly files?: Readonly<Record<string, string>>;
  /** Changes behind our back: zone → what it holds at runtime instead. */
  readonly runtime?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Files that were edited and not loaded. */
  readonly edited?: Readonly<Record<string, string>>;
  readonly remembered?: { readonly matrix: string; readonly roles: readonly string[] };
}

function planned(given: PlanCase, host: Firewalld): ApplyInput {
  const remembered =
    given.remembered === undefined
      ? null
      : { format: 1 as const, generation: 'g', appliedAt: '2026-02-01T00:00:00Z', ...given.remembered };
  const policy = inputOf(given);
  const outcome = buildDesired({ ...policy, facts: { ...policy.facts, remembered } });
  if (outcome.kind === 'refused') throw new Error(outcome.refusals[0]!.what);
  const facts = host.facts();
  const observed = observedFirewalld(facts);
  const roles = given.roles.map((role) => ({ role, because: 'declared' as const, confidence: 1, evidence: [] }));
  const { plan } = makePlan({
    host: 'web1.example.net',
    matrix: 'telephony',
    roles,
    facts,
    observed,
    desired: outcome.desired,
    losses: outcome.losses,
    remembered,
    notes: [],
  });
  return {
    id: 'i',
    holder: 'h',
    plan,
    guard: { windowSeconds: 60, confirm: 'auto' },
    at: '2026-03-01T10:00:00.000Z',
  };
}

function hostOf(given: PlanCase): Firewalld {
  const host = new Firewalld(Object.entries(given.files ?? {}));
  if (given.before !== undefined) {
    const input = planned({ ...given, ...given.before }, host);
    host.begin(beginRequest(input));
    host.permanent(permanentRequest(input));
  }
  for (const [name, settings] of Object.entries(given.runtime ?? {}))
    host.runtime.zones.set(name, { ...host.runtime.zones.get(name)!, ...settings });
  for (const [file, text] of Object.entries(given.edited ?? {})) host.files.set(file, text);
  return host;
}

/** A step on one line, with the changes that it is for. */
function stepLine(step: Step): string {
  const what = (() => {
    switch (step.kind) {
      case 'file':
        return step.path;
      case 'reload':
        return step.because;
      case 'call':
        return step.call.join(' ');
      case 'edit-zone':
        return `${step.zone}: ${step.interfaces.join(' ')}`;
      case 'settings':
        return `${step.object} ${step.settings.name}${step.object === 'ipset' ? `: ${step.settings.entries.join(' ')}` : ''}`;
      case 'delete':
        return `${step.object} ${step.name}`;
      case 'connection':
        return `${step.uuid} ${step.zone}`;
      case 'remember':
        return `${step.matrix}: ${step.roles.join(' ')}`;
      case 'start-firewalld':
        return step.install ? 'once it is installed' : '';
    }
  })();
  return `${step.kind} ${what} (for ${step.serves.join(' ')})`;
}

/**
 * The plan without the reasons for what comes: those are in the policy's golden files. Changes are numbered, as steps name
 * them.
 */
function shown(input: ApplyInput): string {
  const { changes, steps, disruption, notes, nothingBecause } = input.plan;
  return stringify(
    {
      changes: changes.map((change, number) => ({
        number,
        ...Object.fromEntries(Object.entries(change).filter(([key]) => key !== 'reasons')),
        ...(removes(change) && 'reasons' in change ? { because: change.reasons.map((item) => reasonText(item)) } : {}),
      })),
      steps: steps.map(stepLine),
      disruption,
      notes,
      nothingBecause,
    },
    { lineWidth: 0, aliasDuplicateObjects: false },
  );
}

describe('the plan', () => {
  const names = readdirSync(CASES)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => path.basename(file, '.yaml'));

  it.each(names)('%s', async (name) => {
    const given = parse(readFileSync(path.join(CASES, `${name}.yaml`), 'utf8')) as PlanCase;
    const host = hostOf(given);
    const input = planned(given, host);
    await expect(shown(input)).toMatchFileSnapshot(path.join(FIXTURES, 'golden', `${name}.yaml`));
    host.begin(beginRequest(input));
    host.permanent(permanentRequest(input));
    const again = planned(given, host).plan;
    expect(again.changes.filter((change) => change.kind !== 'remember')).toEqual([]);
  });

  it('has a golden file for each case and no other', () => {
    expect(readdirSync(path.join(FIXTURES, 'golden')).sort()).toEqual(names.map((name) => `${name}.yaml`).sort());
  });
});
