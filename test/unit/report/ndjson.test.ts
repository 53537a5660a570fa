import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseFacts } from '../../../src/facts/parse-facts.ts';
import type { FleetEvent } from '../../../src/fleet/events.ts';
import { asPublished } from '../../../src/report/json/alike.ts';
import { EVENT_FORMAT } from '../../../src/report/json/event-format.ts';
import { publishedEvent } from '../../../src/report/json/event-schema.ts';
import { jsonLine } from '../../../src/report/json/json-line.ts';
import { NdjsonReport } from '../../../src/report/json/ndjson.ts';
import { EVENTS_SCHEMA } from '../../helpers/events-schema.ts';
import { runFake } from '../security/helpers/fake-host.ts';
import { EVENTS, OUTCOMES, Written } from './helpers/outcomes.ts';

const SHIPPED = 'playbooks/schemas/events.schema.json';
const FACTS = path.join(import.meta.dirname, '../../fixtures/facts');

function lines(events: readonly FleetEvent[]): readonly string[] {
  const output = new Written();
  const report = new NdjsonReport(output, new Written());
  for (const event of events) report.event(event);
  return output.text.trimEnd().split('\n');
}

/** Each line fits the published form, and has nothing that the form does not know. */
function expectPublished(said: readonly string[]): void {
  const shipped = z.fromJSONSchema(JSON.parse(readFileSync(SHIPPED, 'utf8')));
  for (const line of said) {
    const value: unknown = JSON.parse(line);
    expect(publishedEvent.parse(value)).toEqual(value);
    expect(shipped.safeParse(value)).toMatchObject({ success: true });
  }
}

type Option = (typeof publishedEvent.options)[number];

function optionOf<K extends FleetEvent['kind']>(kind: K) {
  const option = publishedEvent.options.find(({ shape }) => shape.kind.value === kind);
  return option as Extract<Option, { shape: { kind: z.ZodLiteral<K> } }>;
}

function outcomeKinds(): readonly string[] {
  const { outcome } = optionOf('host-finished').shape;
  return outcome.options.map(({ shape }) => shape.kind.value).sort();
}

describe('NDJSON', () => {
  const said = lines(EVENTS);
  const values = said.map((line) => JSON.parse(line));

  it('begins with the format, and has an object a line for every event', () => {
    expect(values[0]).toEqual({ kind: 'run-started', format: 1, command: 'apply', hosts: [...OUTCOMES.keys()], at: 0 });
    const kinds = values.map((value) => value.kind).filter((kind) => kind !== 'host-planned');
    expect(kinds).toEqual(EVENTS.map(({ kind }) => kind).filter((kind) => kind !== 'host-planned'));
    const same = new Set([
      'host-phase',
      'host-note',
      'batches-split',
      'batch-started',
      'batch-finished',
      'interrupted',
    ]);
    expect(values.filter(({ kind }) => same.has(kind))).toEqual(EVENTS.filter(({ kind }) => same.has(kind)));
  });

  it('has a plan once, before the end of its host, and facts once', () => {
    const planned = [...OUTCOMES].filter(([, outcome]) => 'plan' in outcome).map(([host]) => host);
    const plans = values.filter(({ kind }) => kind === 'host-planned');
    expect(plans.map(({ host }) => host).sort()).toEqual([...planned].sort());
    expect(JSON.stringify(values).match(/"observedHash"/g)).toHaveLength(planned.length);
    for (const { host, plan } of plans) {
      const outcome = OUTCOMES.get(host)!;
      if ('plan' in outcome) expect(plan).toEqual(outcome.plan);
      const at = (kind: string) => values.findIndex((value) => value.kind === kind && value.host === host);
      expect(at('host-planned')).toBeLessThan(at('host-finished'));
      expect(values[at('host-finished')].outcome.changes).toBe(plan.changes.length);
    }
    const told = [...OUTCOMES.values()].filter((outcome) => 'facts' in outcome);
    expect(JSON.stringify(values).match(/"prettyName"/g)).toHaveLength(told.length);
  });

  it('names the hosts that the run leaves out, and why, with its start', () => {
    const leftOut = [
      { host: 'pc1', why: 'connection', connection: 'winrm' },
      { host: 'localhost', why: 'local-among-remote', connection: 'local' },
    ] as const;
    const said = lines([{ kind: 'run-started', command: 'plan', hosts: ['web1'], leftOut, at: 0 }]);
    expectPublished(said);
    expect(JSON.parse(said[0]!)).toEqual({
      ...{ kind: 'run-started', format: EVENT_FORMAT, command: 'plan', hosts: ['web1'] },
      ...{ leftOut, at: 0 },
    });
  });

  it('keeps everything else out of the stream', () => {
    const output = new Written();
    const diagnostics = new Written();
    new NdjsonReport(output, diagnostics).say('not an event');
    expect(output.text).toBe('');
    expect(diagnostics.text).toBe('not an event\n');
  });

  it('ends with the summary: outcomes by host, without facts and plans', () => {
    const { summary } = values.at(-1);
    expect(summary).toMatchObject({ command: 'apply', durationMs: 65432, interrupted: true });
    expect(summary.counts).toMatchObject({ facts: 1, roles: 3, failed: 3, reverted: 1, changed: 1 });
    expect(summary.outcomes['changed1']).toEqual({ kind: 'changed', changes: 10, generation: '20260131T221500Z-3f2a' });
    expect(summary.outcomes['settled1']).toEqual({ kind: 'unchanged', changes: 0 });
    expect(summary.outcomes['refused1']).toEqual({
      kind: 'refused',
      code: 'firewalld-absent',
      what: 'firewalld is not installed',
    });
    expect(summary.outcomes['failed1'].aftermath.kind).toBe('restore-failed');
    expect(summary.outcomes['reverted1']).toEqual({
      kind: 'reverted',
      because: 'failed1 failed',
      generation: '20260131T221500Z-77aa',
    });
    expect(summary.outcomes['facts1']).toEqual({ kind: 'facts' });
    expect(summary.outcomes['unsettled1'].unsettled.kind).toBe('alive');
    expect(summary.outcomes['skipped1'].because).toContain('interrupted');
  });

  it('writes every control character as an escape', () => {
    const value = { text: '\u009b31m\u202e\u2028\u007f' };
    const line = jsonLine(value);
    expect(line).toBe('{"text":"\\u009b31m\\u202e\\u2028\\u007f"}');
    expect(JSON.parse(line)).toEqual(value);
  });
});

describe('the published form of events', () => {
  it('ships as a JSON Schema that is made of it', () => {
    // When this fails: npx tsx test/tools/generate-schemas.ts
    expect(readFileSync(SHIPPED, 'utf8')).toBe(`${JSON.stringify(EVENTS_SCHEMA.schema, null, 2)}\n`);
  });

  it('is that of every event and every outcome', () => {
    const said = lines(EVENTS);
    expectPublished(said);
    const values = said.map((line) => JSON.parse(line));
    const kinds = publishedEvent.options.map((option) => option.shape.kind.value);
    expect([...new Set(values.map(({ kind }) => kind))].sort()).toEqual([...kinds].sort());
    const seen = new Set(values.flatMap((value) => (value.kind === 'host-finished' ? [value.outcome.kind] : [])));
    expect([...seen].sort()).toEqual(outcomeKinds());
  });

  it('is that of the facts of every recorded host', () => {
    const files = readdirSync(FACTS).filter((file) => file.endsWith('.txt'));
    const recorded = files.map((file) => parseFacts(readFileSync(path.join(FACTS, file), 'utf8')));
    const facts = recorded.flatMap((parsed) => (parsed.kind === 'facts' ? [parsed.facts] : []));
    expect(facts.length).toBeGreaterThan(7);
    for (const one of facts) {
      const outcome = { kind: 'facts', facts: one } as const;
      expectPublished(lines([{ kind: 'host-finished', host: 'web1', outcome, durationMs: 1, at: 1 }]));
    }
  });

  it('is that of a run, from its first event to its last', async () => {
    const host = (address: string) => ({
      ansible_host: address,
      ansible_user: 'operator',
      ansible_become: true,
      ansible_become_password: 'a password',
      portfw_roles: ['proxy'],
      portfw_interfaces: { public: 'eth0' },
    });
    const { events } = await runFake({
      hosts: { good: host('192.0.2.1'), refusing: host('192.0.2.2'), failing: host('192.0.2.3') },
      behaviours: {
        refusing: { refusal: '\nsudo: account validation failure\n' },
        failing: { answer: ({ operation }) => (operation === 'begin' ? '{"kind":"absent"}' : undefined) },
      },
    });
    const said = lines(events);
    expectPublished(said);
    const ends = said.map((line) => JSON.parse(line)).filter(({ kind }) => kind === 'host-finished');
    expect(ends.map(({ host: name, outcome }) => `${name} ${outcome.kind}`).sort()).toEqual([
      'failing refused',
      'good changed',
      'refusing failed',
    ]);
  });

  it('is documented: one example a kind, which fits it, and every outcome and phase by name', () => {
    const page = readFileSync('docs/reference/events.md', 'utf8');
    const examples = page.split('\n').filter((line) => line.startsWith('    {'));
    expectPublished(examples);
    const kinds = publishedEvent.options.map((option) => option.shape.kind.value);
    expect(examples.map((line) => JSON.parse(line).kind).sort()).toEqual([...kinds].sort());
    for (const kind of kinds) expect(page).toMatch(new RegExp(`^\`${kind}\`: `, 'm'));

    const table = page.slice(page.indexOf('## Outcomes'));
    const documented = [...table.matchAll(/^\| (`.*?`) \|/gm)].flatMap(([, cell]) => cell!.split(', ')).slice(1);
    expect(documented.sort()).toEqual(outcomeKinds().map((kind) => `\`${kind}\``));
    const phases = [...page.matchAll(/`([a-z ]+)`(?=,|\n| or|\.)/g)].map(([, name]) => name);
    for (const phase of optionOf('host-phase').shape.phase.options) expect(phases).toContain(phase);
    expect(page.split('\n').length).toBeLessThanOrEqual(81);
  });

  it('takes no internal type that has a field more, less or other: that does not compile', () => {
    type Form = { readonly list: readonly { readonly name: string }[] };
    const more: { readonly list: readonly { readonly name: string; readonly hidden?: string }[] } = { list: [] };
    const other: { readonly list: readonly { readonly name: string | null }[] } = { list: [] };
    expect(asPublished<{ list: { name: string }[] }, Form>({ list: [] })).toEqual({ list: [] });
    // @ts-expect-error an optional field more, below an array
    asPublished<typeof more, Form>(more);
    // @ts-expect-error a field of another type
    asPublished<typeof other, Form>(other);
    // @ts-expect-error a field less
    asPublished<Record<never, never>, Form>({});
  });

  it('does not take what is not it', () => {
    const [started] = lines(EVENTS);
    for (const edit of [{ format: 2 }, { kind: 'run-began' }, { hosts: 'web1' }, { at: undefined }])
      expect(publishedEvent.safeParse({ ...JSON.parse(started!), ...edit }).success).toBe(false);
  });
});
