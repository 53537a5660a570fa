import { describe, expect, it } from 'vitest';
import type { JournalPlace } from '../../../src/host/requests.ts';
import { lineDigest, readChain } from '../../../src/journal/chain.ts';
import { compareJournals, readableLines } from '../../../src/journal/compare.ts';
import { controllerLineText, type JournalEntry, readControllerLine } from '../../../src/journal/controller-line.ts';
import { readHostLine } from '../../../src/journal/host-line.ts';

const PLAN = 'a'.repeat(64);
const RUN = '20260301T100000Z-000001';
const GENERATION = '20260301T100001Z-000001';

/** A controller's journal of these entries, all of one run. */
function controllerOf(entries: readonly JournalEntry[]): Buffer {
  const of = { run: RUN, who: 'ops@desk', command: 'apply', file: null, signers: [] };
  let previous: string | null = null;
  const lines = entries.map((entry, index) => {
    const line: string = controllerLineText(of, entry, new Date('2026-03-01T10:00:00Z'), { seq: index + 1, previous });
    previous = lineDigest(line);
    return `${line}\n`;
  });
  return Buffer.from(lines.join(''));
}

function hostEntry(kind: string, more: { generation?: string | null; aftermath?: string } = {}): JournalEntry {
  const { generation = GENERATION, aftermath = null } = more;
  const outcome = { kind, code: null, aftermath };
  return { event: 'host', host: 'web1', matrix: 'm', roles: [], generation, plan: PLAN, changes: {}, outcome };
}

const STARTED: JournalEntry = { event: 'started', hosts: ['web1'] };
const ENDED: JournalEntry = { event: 'ended', outcomes: {}, interrupted: false };

function hostLine(journal: JournalPlace | null, more: Readonly<Record<string, unknown>> = {}): string {
  const at = '2026-03-01T10:00:09Z';
  const about = { id: GENERATION, outcome: 'kept', by: 'the controller', why: '', who: 'ops@desk', what: 'apply m' };
  const from = { run: RUN, plan: PLAN, file: null, signers: [], journal };
  return JSON.stringify({ format: 1, seq: 1, at, ...about, ...from, previous: null, ...more });
}

/** Compares; the host's lines are those that `there` makes for the place of the run's first line. */
function compared(entries: readonly JournalEntry[], there: (place: JournalPlace) => readonly string[]) {
  const chain = readChain(controllerOf(entries), null);
  const id = chain.lines[0]?.digest ?? 'f'.repeat(64);
  const hosts = readChain(
    Buffer.from(
      there({ id, seq: 1, digest: id })
        .map((line) => `${line}\n`)
        .join(''),
    ),
    null,
  );
  const lines = readableLines(hosts.lines, readHostLine);
  const found = compareJournals('web1', readableLines(chain.lines, readControllerLine), id, lines);
  return {
    codes: found.problems.map(({ code }) => code),
    whats: found.problems.map(({ what }) => what),
    notes: found.notes,
  };
}

describe('journals that agree', () => {
  it.each([
    ['a change that was kept', [hostEntry('changed')], {}],
    ['one that a person confirmed', [hostEntry('awaiting'), hostEntry('confirmed')], {}],
    ['one that its timer rolled back', [hostEntry('awaiting')], { outcome: 'reverted', by: 'timer' }],
    ['a failure', [hostEntry('failed', { aftermath: 'restored' })], { outcome: 'reverted' }],
    [
      'a rollback, whose own generation the controller has not',
      [hostEntry('rolled-back', { generation: 'older' })],
      { plan: null },
    ],
  ])('%s', (_what, entries, more) => {
    const said = compared([STARTED, ...entries, ENDED], (place) => [hostLine(place, more)]);
    expect(said).toEqual({ codes: [], whats: [], notes: [] });
  });

  it.each(['refused', 'unreachable', 'awaiting', 'failed'])('a host where nothing ended: %s', (kind) =>
    expect(compared([STARTED, hostEntry(kind), ENDED], () => []).codes).toEqual([]),
  );

  it('but for a run during which portfw was killed, and runs of others', () => {
    const said = compared([STARTED], (place) => [
      hostLine(place),
      hostLine({ ...place, id: 'e'.repeat(64) }, { who: 'alice@lap' }),
      hostLine(null, { run: null, who: null }),
    ]);
    expect(said.codes).toEqual([]);
    expect(said.notes).toEqual([
      expect.stringContaining(`killed on this machine during run ${RUN}`),
      expect.stringContaining('1 of its lines are about runs of alice@lap'),
      expect.stringContaining('1 of its lines are about runs of unknown'),
    ]);
  });
});

describe('journals that do not agree', () => {
  it('a change that the host has no line for', () => {
    const { codes, whats } = compared([STARTED, hostEntry('changed'), ENDED], () => []);
    expect(codes).toEqual(['missing']);
    expect(whats[0]).toMatch(new RegExp(`no line for what ended as changed at 2026-03-01.* run ${RUN}, line 2 of`));
  });

  it.each([
    ['plan', 'b'.repeat(64)],
    ['who', 'mallory@desk'],
    ['outcome', 'reverted'],
  ])('a line of the host with another %s', (key, value) => {
    const said = compared([STARTED, hostEntry('changed'), ENDED], (place) => [hostLine(place, { [key]: value })]);
    expect(said.codes).toEqual(['disagrees']);
  });

  it('a host that this machine has no line for', () => {
    expect(compared([STARTED, ENDED], (place) => [hostLine(place)]).codes).toEqual(['missing']);
  });

  it('a beginning of a run that is missing here, or is another one', () => {
    const gone = compared([STARTED, hostEntry('changed'), ENDED], (place) => [hostLine({ ...place, seq: 9 })]);
    expect(gone.whats).toEqual([expect.stringContaining("line 9 of this machine's journal is missing")]);
    const other = compared([STARTED, hostEntry('changed'), ENDED], (place) => [hostLine({ ...place, digest: PLAN })]);
    expect(other.whats).toEqual([expect.stringContaining("line 1 of this machine's journal was changed")]);
  });
});

describe('lines that nobody wrote so', () => {
  const good = hostLine(null);
  it.each([
    good.replace('"kept"', '"done"'),
    good.replace('"format":1', '"format":2'),
    good.replace('"who":"ops@desk"', '"who":{"a":1}'),
    good.replace('"signers":[]', '"signers":"x"'),
    good.replace('"journal":null', '"journal":{"id":"x"}'),
    good.replace('"why":""', `"why":"${'x'.repeat(5000)}"`),
    '[]',
    '{}',
  ])('of a host: %s', (line) => expect(readHostLine(line)).toBe(null));

  it.each(['{}', 'x', controllerOf([STARTED]).toString().replace('started', 'begun'), '{"format":1}'])(
    'of a controller: %s',
    (line) => expect(readControllerLine(line)).toBe(null),
  );

  it('have texts that are safe to show', () => {
    const line = readHostLine(good.replace('ops@desk', 'ops\\u001b[31m\\u202e@desk'));
    expect(line?.who).not.toMatch(/[\u0000-\u001f\u202e]/u);
    const bytes = controllerOf([{ ...STARTED, hosts: ['a\u001b[31m\nb'] }]).toString();
    expect(JSON.stringify(readControllerLine(bytes))).not.toMatch(/\\u001b|\\n/);
  });
});
