import fc from 'fast-check';
import stringWidth from 'string-width';
import { describe, expect, it } from 'vitest';
import { parsePortRange } from '../../../src/core/ports.ts';
import type { Comers } from '../../../src/firewalld/filter/comers.ts';
import type { AccessRow, AccessSide, HostAccess } from '../../../src/plan/access-types.ts';
import type { SummaryView, VerdictPorts } from '../../../src/report/summary/summary-types.ts';
import { summaryView } from '../../../src/report/summary/summary-view.ts';
import { reachedText } from '../../../src/report/summary/summary-words.ts';
import { PLAIN_STYLE } from '../../../src/report/terminal/style.ts';
import { summaryText } from '../../../src/report/terminal/summary-text.ts';
import { ANYBODY, both, NOBODY, planOf, refusedHost, reviewInput, row, side, these, whole } from './helpers/fleets.ts';

const COLUMNS = 100;
const OPTIONS = { style: PLAIN_STYLE, width: COLUMNS, details: 'portfw plan inventory.yaml --details' };

const comers: fc.Arbitrary<Comers> = fc.oneof(
  fc.constant(NOBODY),
  fc.constant(ANYBODY),
  fc.constantFrom(these('192.0.2.0/25'), these('192.0.2.0/25', '198.51.100.7'), these('203.0.113.9')),
  fc.constant<Comers>({ who: 'anybody-but', sources: ['192.0.2.66'], more: 0 }),
);

/** Ports of a host, each with at most one row a family. */
const rows: fc.Arbitrary<readonly AccessRow[]> = fc
  .uniqueArray(fc.integer({ min: 1, max: 60 }), { maxLength: 12 })
  .chain((ports) =>
    fc.tuple(
      ...ports.map((port) =>
        fc
          .tuple(comers, comers, comers, comers, fc.integer({ min: 0, max: 2 }), fc.constantFrom('tcp', 'udp'))
          .map(([before, after, before6, after6, families, protocol]) => {
            const text = `${port * 100}-${port * 100 + (port % 3) * 30}/${protocol}`;
            const only = row(text, before, after);
            if (families === 0) return [only];
            return families === 1 ? both(text, before, after) : [only, row(text, before6, after6, { family: 'ipv6' })];
          }),
      ),
    ),
  )
  .map((all) => all.flat());

const sideOf = (name: string, classes: fc.Arbitrary<readonly string[]>): fc.Arbitrary<AccessSide> =>
  fc
    .tuple(classes, rows, comers, comers, fc.boolean())
    .map(([names, all, before, after, open]) => side(name, names, all, open ? whole(before, after) : undefined));

const anySide = fc.constantFrom<readonly string[]>(['public'], ['private'], ['public', 'vip'], ['control'], []);

const accesses: fc.Arbitrary<HostAccess> = fc
  .tuple(sideOf('eth0', anySide), sideOf('eth1', anySide), fc.boolean())
  .map(([one, other, two]) => ({ sides: two ? [one, other] : [one], ssh: [22], reasons: [] }));

const fleets = fc
  .array(accesses, { minLength: 1, maxLength: 10 })
  .map((all) => reviewInput(all.map((given, at) => planOf(`host${at}.example.net`, given))));

/** Ports of a text in a view. */
const coveredBy = (ports: readonly string[], row: AccessRow): boolean => {
  const range = parsePortRange(row.ports);
  if (typeof range === 'string') throw new Error(range);
  let next = range.first;
  for (const text of ports) {
    const [numbers = '', protocol] = text.split('/');
    const named = parsePortRange(numbers);
    if (protocol !== row.protocol || typeof named === 'string') continue;
    if (named.first <= next && named.last >= next) next = named.last + 1;
  }
  return next > range.last;
};

const flat = (text: string): string => text.replaceAll(/\s+/g, ' ');

describe('the summary of any access', { timeout: 30_000 }, () => {
  it('has all that the internet reaches, in its verdicts', () => {
    fc.assert(
      fc.property(fleets, (input) => {
        const { verdicts } = summaryView(input);
        for (const { host, access } of input.plans) {
          const verdict = verdicts.find(({ hosts }) => hosts.shown.includes(host))!;
          for (const { interface: name, classes, whole: all, rows: ports } of access.sides) {
            if (classes.length > 0 && !classes.includes('public') && !classes.includes('vip')) continue;
            const of = (family: string): readonly VerdictPorts[] =>
              verdict.opens.filter(
                (line) => line.interface === name && (line.family === null || line.family.toLowerCase() === family),
              );
            for (const one of all) {
              if (one.after.who === 'nobody') continue;
              expect(of(one.family).some((line) => line.ports[0]!.startsWith('all '))).toBe(true);
            }
            for (const one of ports) {
              const { after } = all.find(({ family }) => family === one.family)!;
              if (one.after.who === 'nobody' || JSON.stringify(after) === JSON.stringify(one.after)) continue;
              expect(
                coveredBy(
                  of(one.family).flatMap((line) => line.ports),
                  one,
                ),
              ).toBe(true);
            }
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  it('has every port of its verdicts that the internet reaches in the text, uncut', () => {
    fc.assert(
      fc.property(fleets, (input) => {
        const view = summaryView(input);
        const text = flat(summaryText(view, OPTIONS));
        for (const { opens } of view.verdicts) if (opens.length > 0) expect(text).toContain(flat(reachedText(opens)));
      }),
      { numRuns: 40 },
    );
  });

  it('fits a screen and its columns, if nothing differs in what opens to the internet', () => {
    const inside = fc.constantFrom<readonly string[]>(['private'], ['control']);
    const calm = fc
      .tuple(
        fc.array(sideOf('eth1', inside), { minLength: 1, maxLength: 30 }),
        fc.array(fc.tuple(fc.string(), fc.string({ maxLength: 400 })), { maxLength: 30 }),
      )
      .map(([sides, failed]) =>
        reviewInput(
          sides.map((one, at) => {
            const notes = failed.map(([code, text]) => ({ severity: 'warning', code: `w${code}`, text }) as const);
            const given = {
              sides: [side('eth0', ['public'], both('443/tcp', NOBODY, ANYBODY)), one],
              ssh: [22],
              reasons: [],
            };
            return planOf(`${'long-name-'.repeat(at % 12)}${at}.example.net`, given, undefined, { notes });
          }),
          failed.map(([code, text], at) => refusedHost(`bad${at}`, 'refused', `r${code}`, text)),
        ),
      );
    fc.assert(
      fc.property(calm, (input) => {
        const lines = summaryText(summaryView(input), OPTIONS).split('\n');
        expect(lines.length).toBeLessThan(45);
        for (const line of lines) expect(stringWidth(line)).toBeLessThanOrEqual(COLUMNS);
      }),
      { numRuns: 40 },
    );
  });

  it('has totals that are the sums of its rows', () => {
    const isAll = (port: string): boolean => port.startsWith('all ');
    /** Each port of `eth0 20-22/tcp` by itself. */
    const onesOf = (text: string): readonly string[] => {
      const [, place = '', first = '', last = first, protocol = ''] = /^(.*) (\d+)(?:-(\d+))?\/(\w+)$/.exec(text) ?? [];
      const length = Number(last) - Number(first) + 1;
      return Array.from({ length }, (_, at) => `${place} ${Number(first) + at}/${protocol}`);
    };
    const sum = (view: SummaryView, of: (row: SummaryView['rows'][number]) => number): number =>
      view.rows.reduce((total, one) => total + of(one), 0);
    fc.assert(
      fc.property(fleets, (input) => {
        const view = summaryView(input);
        const { totals } = view;
        const ports = (from: 'closes' | 'opens', turns: readonly string[]) => (one: SummaryView['rows'][number]) => {
          const named = one[from].filter(({ turn }) => turns.includes(turn));
          const each = named.flatMap((line) => line.ports.map((port) => `${line.interface} ${port}`));
          const single = each.filter((each) => !isAll(each.split(' ').slice(1).join(' ')));
          return new Set(single.flatMap(onesOf)).size * one.hosts.count;
        };
        expect(totals.closing + totals.narrowing).toBe(sum(view, ports('closes', ['closed', 'narrowed', 'changed'])));
        expect(totals.hosts).toBe(view.rows.reduce((count, { hosts }) => count + hosts.count, 0));
        expect(totals.changes).toBe(sum(view, ({ counts }) => counts.changes));
        expect(totals.reloads).toBe(sum(view, ({ reloads }) => reloads));
        expect(view.verdicts.reduce((count, { hosts }) => count + hosts.count, 0)).toBe(totals.hosts);
      }),
      { numRuns: 100 },
    );
  });

  it('takes less than a second for 500 hosts of 60 rows', () => {
    const ports = (at: number) =>
      Array.from({ length: 30 }, (_, port) => both(`${1000 + port * 3 + (at % 7)}/tcp`, NOBODY, ANYBODY)).flat();
    const plans = Array.from({ length: 500 }, (_, at) =>
      planOf(`host${at}.example.net`, { sides: [side('eth0', ['public'], ports(at))], ssh: [22], reasons: [] }),
    );
    const began = performance.now();
    summaryText(summaryView(reviewInput(plans)), OPTIONS);
    expect(performance.now() - began).toBeLessThan(1000);
  });
});
