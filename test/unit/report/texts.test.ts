import stringWidth from 'string-width';
import { describe, expect, it } from 'vitest';
import { Problem } from '../../../src/core/problem.ts';
import type { HostOutcome, RunSummary } from '../../../src/fleet/events.ts';
import { detectText } from '../../../src/report/terminal/detect-text.ts';
import { factsText } from '../../../src/report/terminal/facts-text.ts';
import { historyText } from '../../../src/report/terminal/history-text.ts';
import { columnLines, cutToWidth } from '../../../src/report/terminal/layout.ts';
import { PlainReport } from '../../../src/report/terminal/plain.ts';
import { problemsText } from '../../../src/report/terminal/problems-text.ts';
import { resultsText } from '../../../src/report/terminal/results-text.ts';
import { createStyle, PLAIN_STYLE, wantsColours } from '../../../src/report/terminal/style.ts';
import { closingTable } from '../../../src/report/terminal/table.ts';
import { BARE_FACTS, BUSY_FACTS, EVENTS, FACTS, OUTCOMES, PENDING, SUMMARY, Written } from './helpers/outcomes.ts';

const GOLDEN = '../../fixtures/report';
const DURATIONS = new Map([...OUTCOMES.keys()].map((host, index) => [host, index * 1000 + 234]));

function findingsOf(host: string) {
  const outcome = OUTCOMES.get(host);
  if (outcome?.kind !== 'roles') throw new Error(`no findings for ${host}`);
  return outcome;
}

function generationsOf(host: string) {
  const outcome = OUTCOMES.get(host);
  if (outcome?.kind !== 'history') throw new Error(`no generations for ${host}`);
  return outcome;
}

function plain(verbosity: number): string {
  const output = new Written();
  const report = new PlainReport(output, verbosity);
  for (const event of EVENTS) report.event(event);
  return output.text;
}

describe('texts for people', () => {
  it.each([
    ['facts', () => factsText('web1', FACTS, PLAIN_STYLE)],
    ['facts-bare', () => factsText('web1', BARE_FACTS, PLAIN_STYLE)],
    ['facts-busy', () => factsText('web1', BUSY_FACTS, PLAIN_STYLE)],
    ['detect-busy', () => detectText(['web1'], { ...findingsOf('roles1'), facts: BUSY_FACTS }, PLAIN_STYLE)],
    ['history-busy', () => historyText('web1', { ...generationsOf('history1'), pending: [PENDING] }, PLAIN_STYLE)],
    ['detect-settled', () => detectText(['web1'], findingsOf('roles1'), PLAIN_STYLE)],
    ['detect-ambiguous', () => detectText(['sip1'], findingsOf('roles2'), PLAIN_STYLE)],
    ['detect-none', () => detectText(['new1'], findingsOf('roles3'), PLAIN_STYLE)],
    ['history', () => historyText('web1', generationsOf('history1'), PLAIN_STYLE)],
    ['history-none', () => historyText('web1', { generations: [], pending: [] }, PLAIN_STYLE)],
    ['table', () => closingTable(SUMMARY, DURATIONS, { style: PLAIN_STYLE, width: null })],
    ['plain', () => plain(0)],
    ['plain-vv', () => plain(2)],
  ])('%s', async (name, text) => {
    await expect(text()).toMatchFileSnapshot(`${GOLDEN}/${name}.txt`);
  });

  it('plain lines have no escape sequence, whatever a host sends', () => {
    expect(plain(2)).not.toContain('\u001b');
  });

  it('plans are no results: they are shown as a review', () => {
    const outcomes = new Map([['settled1', OUTCOMES.get('settled1')!]]);
    for (const command of ['plan', 'apply'])
      expect(resultsText({ ...SUMMARY, command, outcomes }, PLAIN_STYLE)).toBe('');
  });

  it('what is to be decided of roles is said once for hosts that have the same', () => {
    const outcomes = new Map(
      [...['new1', 'new2'], 'sip1', 'new3', 'web1'].map((host) => {
        const like = host === 'sip1' ? 'roles2' : host === 'web1' ? 'roles1' : 'roles3';
        return [host, OUTCOMES.get(like)!];
      }),
    );
    const text = resultsText({ ...SUMMARY, command: 'detect', outcomes }, PLAIN_STYLE);
    expect(text.match(/^\S.*$/gm)).toEqual([
      'new1, new2, new3: no role: nothing was found and nothing is declared',
      'sip1: ambiguous: udp/5060 fits radius, dispatching-node',
      'web1: settled',
    ]);
    expect(text.split('portfw_roles: []')).toHaveLength(2);
  });
});

describe('the closing table', () => {
  it('stays within the terminal: notes go on in their column', () => {
    const table = closingTable(SUMMARY, DURATIONS, { style: PLAIN_STYLE, width: 80 });
    const rows = table.trimEnd().split('\n');
    for (const line of rows) expect(stringWidth(line)).toBeLessThanOrEqual(80);
    const column = rows[0]!.indexOf('note');
    const [, ...ofTable] = table.split('\n\n')[0]!.split('\n');
    expect(ofTable.filter((line) => !line.startsWith(' '))).toHaveLength(OUTCOMES.size);
    for (const line of ofTable.filter((one) => one.startsWith(' ')))
      expect(line.slice(0, column + 1)).toMatch(/^ +\S$/);
  });

  it.each([80, 60, 40, 20])('has every generation in one piece, at %i columns', (width) => {
    const wide = closingTable(SUMMARY, DURATIONS, { style: PLAIN_STYLE, width: null });
    const generations = wide.match(/\d{8}T\d{6}Z-[0-9a-f]+/g) ?? [];
    expect(generations.length).toBeGreaterThan(2);
    const narrow = closingTable(SUMMARY, DURATIONS, { style: PLAIN_STYLE, width });
    expect(narrow.match(/\d{8}T\d{6}Z-[0-9a-f]+/g)).toEqual(generations);
  });

  it('says a failure that several hosts share once', () => {
    const outcomes = new Map(['web1', 'web2', 'web3'].map((host) => [host, OUTCOMES.get('refused1')!]));
    const table = closingTable({ ...SUMMARY, outcomes }, DURATIONS, { style: PLAIN_STYLE, width: null });
    const rows = table.split('\n').slice(1, 4);
    expect(rows.map((line) => line.replaceAll(/ {2,}/g, ' | '))).toEqual([
      'web1 | refused | firewalld-absent: firewalld is not installed',
      'web2 | refused | as web1',
      'web3 | refused | as web1',
    ]);
  });

  it('keeps its columns straight beside a host with wide characters, and within the terminal', () => {
    const outcomes = new Map([
      ['東京', OUTCOMES.get('failed1')!],
      ['web1', OUTCOMES.get('settled1')!],
    ]);
    const rows = (width: number | null) =>
      closingTable({ ...SUMMARY, outcomes }, DURATIONS, { style: PLAIN_STYLE, width })
        .split('\n')
        .slice(0, 3);
    // "東京" is as wide as "host": the outcome begins six columns in, in every row.
    expect(rows(null)[1]).toMatch(/^東京 {2}failed {5}/);
    expect(rows(null)[2]).toMatch(/^web1 {2}unchanged {2}0 /);
    const wide = new Map([['東京東京東京東京', OUTCOMES.get('failed1')!]]);
    const table = closingTable({ ...SUMMARY, outcomes: wide }, DURATIONS, { style: PLAIN_STYLE, width: 70 });
    const [head, row, ...further] = table.split('\n\n')[0]!.split('\n');
    expect(head).toMatch(/^host {14}outcome/);
    expect(row).toMatch(/^東京東京東京東京 {2}failed/);
    for (const line of [row!, ...further]) expect(stringWidth(line)).toBeLessThanOrEqual(70);
    const column = stringWidth(row!.slice(0, row!.indexOf('verify-failed')));
    for (const line of further) expect(line).toMatch(new RegExp(`^ {${column}}\\S`));
  });

  it('folds the uneventful hosts of a large fleet, and no other', () => {
    const outcomes = new Map<string, HostOutcome>();
    for (let index = 0; index < 1000; index += 1) {
      const kind = index === 500 ? 'failed1' : index === 600 ? 'changed1' : 'settled1';
      outcomes.set(`host${index}`, OUTCOMES.get(kind)!);
    }
    const summary: RunSummary = { command: 'apply', outcomes, durationMs: 100, interrupted: false };
    const lines = closingTable(summary, new Map(), { style: PLAIN_STYLE, width: null }).trim().split('\n');
    expect(lines).toHaveLength(6);
    expect(lines[1]).toMatch(/^host500 +failed/);
    expect(lines[2]).toMatch(/^host600 +changed/);
    expect(lines[3]).toMatch(/^998 hosts +unchanged/);
    expect(lines[5]).toBe('1000 hosts in 0.1 s: 998 unchanged, 1 failed, 1 changed');
  });
});

describe('problems', () => {
  const at = (file: string, line: number, column: number) => ({ file, line, column, secret: null });
  const problem = (severity: Problem['severity'], what: string, location: Problem['location']) =>
    new Problem({ severity, code: 'x', what, solve: 'Solve it', location });

  it('come in the order of the files, once each, and counted', () => {
    const text = problemsText(
      [
        problem('error', 'late', at('b.yaml', 9, 1)),
        problem('warning', 'odd', at('a.yaml', 10, 1)),
        problem('error', 'early', at('a.yaml', 2, 3)),
        problem('error', 'early', at('a.yaml', 2, 3)),
        problem('error', 'nowhere', null),
      ],
      PLAIN_STYLE,
    );
    expect(text).toBe(
      [
        'error: nowhere\n    Solve it',
        'a.yaml:2:3: error: early\n    Solve it',
        'a.yaml:10:1: warning: odd\n    Solve it',
        'b.yaml:9:1: error: late\n    Solve it',
        '3 errors, 1 warning\n',
      ].join('\n'),
    );
  });
});

describe('layout', () => {
  it.each([
    ['host', 10, 'host'],
    ['a-long-host-name', 6, 'a-lon…'],
    ['漢字漢字', 5, '漢字…'],
    ['👩‍👩‍👧👩‍👩‍👧', 3, '👩‍👩‍👧…'],
    ['e\u0301te\u0301', 2, 'e\u0301…'],
    ['anything', 0, ''],
  ])('%s cut to %i columns', (text, columns, cut) => {
    expect(cutToWidth(text, columns)).toBe(cut);
    expect(stringWidth(cut)).toBeLessThanOrEqual(Math.max(columns, 0));
  });

  it('keeps columns straight beside wide characters', () => {
    const rows = [
      ['host', 'outcome'],
      ['東京', 'changed'],
      ['ｿｳﾙ', 'failed'],
      ['cafe\u0301', 'skipped'],
    ].map((row) => row.map((text) => ({ text })));
    expect(columnLines(rows)).toEqual(['host  outcome', '東京  changed', 'ｿｳﾙ   failed', 'cafe\u0301  skipped']);
  });

  it.each([
    [true, {}, true],
    [false, {}, false],
    [true, { NO_COLOR: '1' }, false],
    [true, { NO_COLOR: '' }, true],
    [true, { TERM: 'dumb' }, false],
    [false, { FORCE_COLOR: '1' }, false],
    [true, { FORCE_COLOR: '0' }, true],
    [true, { FORCE_COLOR: '1', NO_COLOR: '1' }, false],
  ])('colours on a terminal (%s) with %o: %s', (isTty, environment, expected) => {
    expect(wantsColours(isTty, environment)).toBe(expected);
    expect(createStyle(expected).red('x') === 'x').toBe(!expected);
  });

  it('paints by its own decision, whatever the environment and the streams of the process are', () => {
    const before = { NO_COLOR: process.env['NO_COLOR'], FORCE_COLOR: process.env['FORCE_COLOR'] };
    try {
      for (const environment of [{ NO_COLOR: '1' }, { FORCE_COLOR: '0' }, { FORCE_COLOR: '3' }]) {
        for (const name of ['NO_COLOR', 'FORCE_COLOR']) delete process.env[name];
        Object.assign(process.env, environment);
        const style = createStyle(true);
        expect([style.bold('x'), style.dim('x')]).toEqual(['\u001b[1mx\u001b[22m', '\u001b[2mx\u001b[22m']);
        expect([style.red('x'), style.green('x')]).toEqual(['\u001b[31mx\u001b[39m', '\u001b[32mx\u001b[39m']);
        expect([style.yellow('x'), style.cyan('x')]).toEqual(['\u001b[33mx\u001b[39m', '\u001b[36mx\u001b[39m']);
        expect(Object.values(createStyle(false)).map((paint) => paint('x'))).toEqual(Array(6).fill('x'));
      }
    } finally {
      for (const [name, value] of Object.entries(before)) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
    }
  });
});
