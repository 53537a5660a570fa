import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { HostPlan, ReviewedPlan, RollbackPlan } from '../../../src/plan/plan.ts';
import { driftOf, inputDrift, isAlreadyApplied } from '../../../src/saved/drift.ts';
import { namesOfKey, peopleAmong } from '../../../src/saved/people.ts';
import { digestOf, type SavedContents, type SavedHostPlan, savedText } from '../../../src/saved/saved-plan.ts';
import { readSaved } from '../../../src/saved/saved-schema.ts';
import { PLAN_SCHEMA } from '../../helpers/plan-schema.ts';
import { planOf } from '../fleet/helpers/fakes.ts';
import { rollbackOf } from '../report/helpers/fleets.ts';

const KEY = { type: 'ssh-ed25519', fingerprint: `SHA256:${'a'.repeat(43)}` };
const OTHER_KEY = { type: 'ssh-rsa', fingerprint: `SHA256:${'b'.repeat(43)}` };

function hostPlan(plan: ReviewedPlan): SavedHostPlan {
  const seen = ['permanent zone public', 'permanent zone public: service ssh'];
  return { kind: 'plan', host: plan.host, groups: ['web'], identity: KEY, firewalld: '1.3.3', seen, plan };
}

function contents(...hosts: SavedContents['hosts']): SavedContents {
  return {
    format: 1,
    kind: 'apply',
    portfw: '1.0.0',
    today: '2026-01-31',
    options: {
      inventory: ['inventory.yaml'],
      playbook: null,
      limit: null,
      acceptLockout: [],
      acceptForwardingStop: [],
    },
    inputs: [{ path: 'inventory.yaml', sha256: '0'.repeat(64) }],
    hosts,
  };
}

const problemsIn = (text: string) => {
  const reading = readSaved(text);
  return reading.kind === 'saved' ? [] : reading.problems;
};
/** The text with a digest that fits, as somebody who knows how would make it. */
const forged = (changed: object) => savedText(changed as SavedContents);

describe('a saved plan', () => {
  const given = contents(hostPlan(planOf('web1')), {
    kind: 'without',
    host: 'web2',
    groups: [],
    without: { kind: 'unreachable', code: 'no-route', what: 'no route', details: [], solve: 'plug it in' },
  });

  it('is read back equal, and fits its published schema', () => {
    const reading = readSaved(savedText(given));
    expect(reading).toEqual({ kind: 'saved', saved: { ...given, digest: digestOf(given) } });
    const published = z.fromJSONSchema(PLAN_SCHEMA.schema as Parameters<typeof z.fromJSONSchema>[0]);
    expect(published.safeParse(JSON.parse(savedText(given))).error).toBeUndefined();
    expect(published.safeParse(given).success).toBe(false);
  });

  it('ships its schema as it is', () => {
    const shipped = readFileSync(new URL('../../../playbooks/schemas/plan.schema.json', import.meta.url), 'utf8');
    expect(shipped).toBe(`${JSON.stringify(PLAN_SCHEMA.schema, null, 2)}\n`);
  });

  it('keeps its digest when it is formatted anew, and loses it with any change', () => {
    const text = savedText(given);
    expect(readSaved(JSON.stringify(JSON.parse(text))).kind).toBe('saved');
    const { digest, ...rest } = JSON.parse(text) as Record<string, unknown>;
    expect(readSaved(JSON.stringify({ digest, ...Object.fromEntries(Object.entries(rest).reverse()) })).kind).toBe(
      'saved',
    );
    for (const [from, to] of [
      ['web1', 'web9'],
      ['1/tcp', '2/tcp'],
      ['2026-01-31', '2027-01-31'],
      ['no route', 'a route'],
    ] as const)
      expect(readSaved(text.replace(from, to)), from).toMatchObject({ code: 'edited-plan' });
  });

  it('is refused if a key stands twice, of which one reader takes the first and another the last', () => {
    const text = savedText(given);
    for (const twice of [
      text.replace('{', '{"hosts":[],'),
      text.replace(/"host": ?"web1"/, '"host":"web9","host":"web1"'),
    ])
      expect(readSaved(twice)).toMatchObject({ kind: 'unreadable', code: 'edited-plan' });
    const odd = contents({ ...hostPlan(planOf('we "b\\1 \u00e9 \u2028')), groups: ['a b', '{"x" : 1}'] });
    expect(readSaved(savedText(odd)).kind).toBe('saved');
  });

  it('tells everything that is wrong at once', () => {
    const text = savedText(given).replace('"kind": "apply"', '"kind": "both"').replace('"today": "', '"today": "x');
    expect(problemsIn(text)).toEqual([
      expect.stringContaining('somebody has edited the file'),
      expect.stringMatching(/^kind: /),
      expect.stringMatching(/^today: /),
    ]);
  });

  it('refuses other formats and other files by name', () => {
    expect(problemsIn(forged({ ...given, format: 2 }))).toEqual(['its format is 2, and this portfw reads format 1']);
    expect(problemsIn('{"all": {}}')).toEqual([expect.stringContaining('not a saved plan')]);
    expect(problemsIn('{"format": 1')).toEqual([expect.stringContaining('not JSON')]);
  });

  it('refuses what cannot be together, also with a digest that fits', () => {
    const [first] = given.hosts;
    expect(problemsIn(forged(contents(first!, first!)))).toEqual(['hosts.1: the host is in the file twice']);
    expect(problemsIn(forged(contents({ ...hostPlan(planOf('web1')), host: 'web2' })))).toEqual([
      'hosts.0: the plan is for another host',
    ]);
    const lost: HostPlan = { ...planOf('web1'), steps: [{ kind: 'reload', because: 'x', serves: [7] }] };
    expect(problemsIn(forged(contents(hostPlan(lost))))).toEqual(['hosts.0: step 0 names a change that is not there']);
    expect(problemsIn(forged({ ...given, extra: 1 }))).toEqual([expect.stringContaining('extra')]);
  });
});

describe('drift', () => {
  const saved = hostPlan(planOf('web1', 2));
  const look = { identity: KEY, firewalld: '1.3.3', seen: saved.seen };

  it('is none where the plan would be made again', () => {
    expect(driftOf(saved, look, planOf('web1', 2))).toEqual([]);
  });

  it('names the key, the version, the lines and the changes', () => {
    const now = {
      identity: OTHER_KEY,
      firewalld: '2.3.1',
      seen: ['permanent zone public', 'runtime zone public: port 7999/tcp'],
    };
    expect(driftOf(saved, now, { ...planOf('web1', 3), observedHash: 'another' })).toEqual([
      `host key: ssh-ed25519 ${KEY.fingerprint} → ssh-rsa ${OTHER_KEY.fingerprint}`,
      'firewalld: 1.3.3 → 2.3.1',
      '- permanent zone public: service ssh',
      '+ runtime zone public: port 7999/tcp',
      '+ the plan: remove port 3/tcp in zone portfw-public',
    ]);
  });

  it('is told when the hash differs and no line does, and when only what is sent differs', () => {
    expect(driftOf(saved, look, { ...planOf('web1', 2), observedHash: 'another' })).toEqual([
      'the state of firewalld differs in what portfw does not list',
    ]);
    const step = { kind: 'reload', because: 'x', serves: [0] } as const;
    expect(driftOf(saved, look, { ...planOf('web1', 2), steps: [step] })).toEqual([
      'the plan has the same changes, with other reasons or other steps',
    ]);
  });

  it('is shortened', () => {
    const seen = Array.from({ length: 100 }, (_, index) => `line ${index}`);
    const lines = driftOf(saved, { ...look, seen }, null);
    expect(lines).toHaveLength(21);
    expect(lines.at(-1)).toBe('~ and 82 more lines');
  });

  it('is only what is seen where no new plan could be made', () => {
    expect(driftOf(saved, look, null)).toEqual([]);
    // firewalld cannot be read: that is what the refusal says.
    expect(driftOf(saved, { ...look, seen: [] }, null)).toEqual([]);
  });

  it('is none on a host that is as the plan would leave it', () => {
    const done = planOf('web1', 0);
    expect(isAlreadyApplied(saved.plan, done)).toBe(true);
    expect(isAlreadyApplied(saved.plan, planOf('web1', 1))).toBe(false);
    expect(
      isAlreadyApplied(saved.plan, { ...done, result: { ...done.result, ipsets: [{ name: 'x' } as never] } }),
    ).toBe(false);
  });

  it('of a rollback is told of its generation, its changes and its proof, and not where it does nothing', () => {
    const reload = { kind: 'reload', because: 'x', holdMs: 80 } as const;
    const back = (changes: number, id = 'g1'): RollbackPlan => ({
      ...rollbackOf(planOf('web1', changes), id),
      disruption: reload,
    });
    const given = hostPlan(back(2));
    expect(driftOf(given, look, back(2))).toEqual([]);
    expect(driftOf(given, look, back(2, 'g2'))).toEqual(['generation: g1 → g2']);
    expect(driftOf(given, look, back(3))).toEqual(['+ the plan: remove port 3/tcp in zone portfw-public']);
    const unproved = { severity: 'warning', code: 'not-rehearsed', text: 'no namespaces' } as const;
    expect(driftOf(given, look, { ...back(2), notes: [unproved] })).toEqual(['+ the plan: warning: no namespaces']);
    const idle: RollbackPlan = { ...back(0), disruption: { kind: 'none' } };
    expect(driftOf(hostPlan(idle), look, back(2))).toEqual([]);
    expect(isAlreadyApplied(back(2), idle)).toBe(true);
    expect(isAlreadyApplied(back(2), { ...idle, generation: { ...idle.generation, id: 'g2' } })).toBe(false);
    expect(isAlreadyApplied(idle, idle)).toBe(false);
  });

  it('of files names those that changed, came and went, and follows them into another folder if it may', () => {
    const input = (path: string, digit: string) => ({ path, sha256: digit.repeat(64) });
    const before = [input('a.yaml', '1'), input('b.yaml', '2'), input('c.yaml', '3')];
    const now = [input('a.yaml', '1'), input('b.yaml', '9'), input('d.yaml', '4')];
    expect(inputDrift(before, now, false)).toEqual([
      '~ file b.yaml: it has changed',
      '- file c.yaml: no longer read',
      '+ file d.yaml: not read when the plan was saved',
    ]);
    const moved = before.map(({ path, sha256 }) => ({ path: `elsewhere/${path}`, sha256 }));
    expect(inputDrift(before, moved, false)).toHaveLength(6);
    expect(inputDrift(before, moved, true)).toEqual([]);
  });
});

describe('the people who signed', () => {
  const by = (key: string, ...principals: string[]) => ({ key, principals });

  it('have all the names that any line has for their key', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'portfw-people-'));
    try {
      for (const name of ['a', 'b'])
        execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', path.join(folder, name)]);
      const [a, b] = ['a', 'b'].map((name) => readFileSync(path.join(folder, `${name}.pub`), 'utf8').trim());
      const fingerprint = execFileSync('ssh-keygen', ['-l', '-f', path.join(folder, 'a')], { encoding: 'utf8' }).split(
        ' ',
      )[1]!;
      const allowed = [`# ann ${a}`, `ann,!eve ${a}`, `bob ${b}`, `ann-work namespaces="portfw-plan" ${a} at work`, ''];
      expect(namesOfKey(allowed.join('\n'), fingerprint)).toEqual(['ann', 'ann-work']);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('are counted once, whatever keys and names they have', () => {
    expect(peopleAmong([])).toEqual([]);
    expect(peopleAmong([by('K1', 'ann'), by('K1', 'anna')])).toEqual(['ann (K1)']);
    expect(peopleAmong([by('K1', 'ann'), by('K2', 'ann')])).toEqual(['ann (K1)']);
    expect(peopleAmong([by('K1', 'ann'), by('K2', 'bob')])).toEqual(['ann (K1)', 'bob (K2)']);
    // The same key, once in a certificate.
    expect(peopleAmong([by('ED25519 SHA256:x', 'ann'), by('ED25519-CERT SHA256:x', 'ann@example.net')])).toHaveLength(
      1,
    );
    // A third signature shows that two of them are one person.
    expect(peopleAmong([by('K1', 'ann'), by('K2', 'bob'), by('K2', 'ann', 'bob')])).toHaveLength(1);
  });
});
