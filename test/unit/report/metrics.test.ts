import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { measured } from '../../../src/cli/metrics-file.ts';
import { UsageError } from '../../../src/cli/usage-error.ts';
import type { HostOutcome, RunSummary } from '../../../src/fleet/events.ts';
import { type MeasuredRun, metricsText, NO_SUCCESS, readLastSuccesses } from '../../../src/report/metrics.ts';
import { OUTCOMES, SUMMARY } from './helpers/outcomes.ts';
import { DRIFT } from './helpers/plans.ts';

const EXAMPLES = path.join(import.meta.dirname, '../../../docs/examples/drift');
const folder = mkdtempSync(path.join(tmpdir(), 'portfw-metrics-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const RUN: MeasuredRun = {
  version: '0.1.0',
  summary: { ...SUMMARY, command: 'plan', durationMs: 1234.4 },
  finishedAt: 1_800_000_000,
  plannedAt: 1_799_999_000,
  before: NO_SUCCESS,
};

const refused: HostOutcome = {
  kind: 'refused',
  failure: { code: 'no-roles', what: 'no role', details: [], solve: 'declare roles' },
};

function summaryOf(outcomes: Readonly<Record<string, HostOutcome>>): RunSummary {
  return { command: 'plan', outcomes: new Map(Object.entries(outcomes)), durationMs: 1, interrupted: false };
}

/** The samples of a text, by what stands before the value. */
function samples(text: string): ReadonlyMap<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  );
}

/** What promtool's linter says; it speaks to nobody. */
function lint(text: string): { readonly code: number | null; readonly said: string } {
  const run = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
  return { code: run.status, said: `${run.stdout ?? ''}${run.stderr ?? ''}` };
}

describe('metrics', () => {
  it('of every outcome please promtool', async () => {
    const text = metricsText(RUN);
    expect(lint(text)).toEqual({ code: 0, said: '' });
    await expect(text).toMatchFileSnapshot('../../fixtures/report/metrics.prom');
  });

  it('of any host name and any time please promtool, and are read back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 30 }), fc.nat(10 ** 11), (host, finishedAt) => {
        const text = metricsText({
          ...RUN,
          summary: summaryOf({ [host]: { kind: 'unchanged', plan: DRIFT } }),
          finishedAt,
        });
        const { run, hosts } = readLastSuccesses(text);
        expect(run).toBe(finishedAt);
        expect([...hosts.values()]).toEqual([finishedAt]);
        const failed = { ...RUN, summary: summaryOf({ [host]: refused }), before: { run, hosts } };
        expect(readLastSuccesses(metricsText(failed))).toEqual({ run, hosts });
      }),
      { numRuns: 300 },
    );
    const nasty = ['a"b', 'a\\b', 'a\nb', 'ü', '\u202ex', 'a{b="c"} 1'];
    const outcomes = Object.fromEntries(
      nasty.map((host): [string, HostOutcome] => [host, { kind: 'planned', plan: DRIFT }]),
    );
    expect(lint(metricsText({ ...RUN, summary: summaryOf(outcomes) }))).toEqual({ code: 0, said: '' });
  });

  it('count what is pending, by kind and by host, and nothing after an apply', () => {
    const plan = { ...DRIFT, host: 'a' };
    const changed: HostOutcome = { kind: 'changed', plan, generation: 'g', reloads: 0 };
    const seen = samples(
      metricsText({ ...RUN, summary: summaryOf({ a: { kind: 'planned', plan }, b: changed, c: refused }) }),
    );
    const strays = plan.changes.filter(({ kind }) => kind === 'stray').length;
    expect(strays).toBeGreaterThan(0);
    expect(seen.get('portfw_pending_changes{kind="stray"}')).toBe(strays);
    expect(seen.get('portfw_host_drift_changes{host="a",kind="stray"}')).toBe(strays);
    expect(seen.get('portfw_host_pending_changes{host="a"}')).toBe(plan.changes.length);
    expect(seen.get('portfw_host_pending_changes{host="b"}')).toBe(0);
    expect(seen.has('portfw_host_pending_changes{host="c"}')).toBe(false);
    expect(seen.get('portfw_hosts{state="pending"}')).toBe(1);
    expect(seen.get('portfw_hosts{state="refused"}')).toBe(1);
    const states = [...seen].filter(([name]) => name.startsWith('portfw_hosts{'));
    expect(states.reduce((sum, [, value]) => sum + value, 0)).toBe(3);
  });

  it('tell hosts that were not reached, and rollbacks that may come', () => {
    const seen = samples(metricsText(RUN));
    for (const [host, outcome] of OUTCOMES) {
      const reached = outcome.kind === 'skipped' ? undefined : outcome.kind === 'unreachable' ? 0 : 1;
      expect(seen.get(`portfw_host_reachable{host="${host}"}`), host).toBe(reached);
    }
    expect(seen.get('portfw_host_pending_rollbacks{host="unsettled1"}')).toBeGreaterThan(0);
    expect(seen.get('portfw_host_pending_rollbacks{host="changed1"}')).toBe(0);
  });
});

describe('the file of metrics', () => {
  const write = (file: string, summary: RunSummary) => measured(file, '0.1.0').finished!(summary);
  const well = summaryOf({ a: { kind: 'unchanged', plan: DRIFT }, b: { kind: 'unchanged', plan: DRIFT } });

  it('is written as a whole, readable for everybody, and keeps the last success of a run that fails', () => {
    const file = path.join(folder, 'portfw.prom');
    expect(write(file, well)).toBeNull();
    const before = readLastSuccesses(readFileSync(file, 'utf8'));
    expect(write(file, summaryOf({ a: refused, b: { kind: 'unchanged', plan: DRIFT } }))).toBeNull();
    const after = readLastSuccesses(readFileSync(file, 'utf8'));
    expect(after.run).toBe(before.run);
    expect(after.hosts.get('a')).toBe(before.hosts.get('a'));
    expect(statSync(file).mode & 0o777).toBe(0o644);
    expect(readdirSync(folder)).toEqual(['portfw.prom']);
  });

  it('replaces a link, and does not follow it', () => {
    const target = path.join(folder, 'precious');
    const link = path.join(folder, 'link.prom');
    writeFileSync(target, 'mine\n');
    symlinkSync(target, link);
    expect(write(link, well)).toBeNull();
    expect(readFileSync(target, 'utf8')).toBe('mine\n');
    expect(readFileSync(link, 'utf8')).toContain('portfw_hosts');
  });

  it('is refused before any host is contacted when it cannot be written', () => {
    expect(() => measured(path.join(folder, 'missing', 'x.prom'), '0.1.0')).toThrow(UsageError);
    expect(() => measured(folder, '0.1.0')).toThrow(/is not a file/);
    expect(measured(undefined, '0.1.0')).toEqual({});
  });
});

describe('the examples for Prometheus and Grafana', () => {
  const families = new Set(
    [...metricsText({ ...RUN, before: { run: 1, hosts: new Map() } }).matchAll(/^# TYPE (\S+) gauge$/gm)].map(
      (match) => match[1]!,
    ),
  );

  it('have rules that promtool accepts, and whose tests pass', () => {
    const rules = spawnSync('promtool', ['check', 'rules', path.join(EXAMPLES, 'alerts.yaml')], { encoding: 'utf8' });
    expect(`${rules.stdout}${rules.stderr}`).toContain('SUCCESS');
    const tests = spawnSync(
      'promtool',
      ['test', 'rules', path.join(import.meta.dirname, '../../fixtures/report/alert-tests.yaml')],
      {
        encoding: 'utf8',
      },
    );
    expect(`${tests.stdout}${tests.stderr}`).toContain('SUCCESS');
  });

  it.each(['alerts.yaml', 'dashboard.json'])('%s names only metrics that there are', (name) => {
    const used = new Set(readFileSync(path.join(EXAMPLES, name), 'utf8').match(/\bportfw_[a-z_]+/g));
    expect(used.size).toBeGreaterThan(3);
    expect([...used].filter((metric) => !families.has(metric))).toEqual([]);
  });

  it('have a dashboard whose panels do not overlap, each with a query', () => {
    const board = JSON.parse(readFileSync(path.join(EXAMPLES, 'dashboard.json'), 'utf8')) as {
      panels: {
        id: number;
        title: string;
        gridPos: { x: number; y: number; w: number; h: number };
        targets: { expr: string }[];
      }[];
    };
    const taken = new Set<string>();
    for (const { title, gridPos, targets } of board.panels) {
      expect(
        targets.every(({ expr }) => expr !== ''),
        title,
      ).toBe(true);
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(taken.has(`${x} ${y}`), title).toBe(false);
          taken.add(`${x} ${y}`);
        }
      }
    }
    expect(new Set(board.panels.map(({ id }) => id)).size).toBe(board.panels.length);
  });
});
