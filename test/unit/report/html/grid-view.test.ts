import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Comers } from '../../../../src/firewalld/filter/comers.ts';
import { type AccessRow, type AccessSide, NO_ACCESS, type Turn } from '../../../../src/plan/access-types.ts';
import { type GridView, gridView, linesOf } from '../../../../src/report/html/grid-view.ts';
import { reviewOf } from '../../../../src/report/review.ts';
import type { ReviewInput } from '../../../../src/report/review-input.ts';
import { ANYBODY, NOBODY, reviewFleet } from '../../../helpers/review-fleet.ts';
import { SETTLED } from '../helpers/plans.ts';

const OFFICE: Comers = { who: 'these', sources: ['192.0.2.0/24'], more: 0 };

function row(
  ports: string,
  turn: Turn,
  before: Comers,
  after: Comers,
  family: AccessRow['family'] = 'ipv4',
): AccessRow {
  return { protocol: 'tcp', ports, family, destinations: [], before, after, turn, by: ['portfw-web-pub'], why: [] };
}

function side(rows: readonly AccessRow[], name = 'eth0'): AccessSide {
  const whole = (family: AccessRow['family']) => ({ family, before: NOBODY, after: NOBODY, turn: 'same' as const });
  return {
    interface: name,
    classes: ['public'],
    zoneBefore: 'public',
    zoneAfter: 'portfw-public',
    whole: [whole('ipv4'), whole('ipv6')],
    rows,
  };
}

function input(...hosts: readonly (readonly AccessSide[])[]): ReviewInput {
  return {
    action: 'apply',
    plans: hosts.map((sides, at) => ({ ...SETTLED, host: `h${at}`, access: { ...NO_ACCESS, sides } })),
    without: [],
    groups: new Map(),
    digest: null,
  };
}

function gridOf(review: ReviewInput): GridView {
  return gridView(reviewOf(review, 'full'));
}

describe('the grid of a review', () => {
  it('has a column for each range of ports, by protocol and port, and a row for hosts that are alike', () => {
    const http = row('443', 'opened', NOBODY, ANYBODY);
    const grid = gridOf(
      input(
        [side([http, row('8442-8449', 'same', ANYBODY, ANYBODY)])],
        [side([row('22', 'same', OFFICE, OFFICE)])],
        [side([http, row('8442-8449', 'same', ANYBODY, ANYBODY)])],
      ),
    );
    expect(grid.columns.map(({ label }) => label)).toEqual(['22/tcp', '443/tcp', '8442-8449/tcp']);
    expect(grid.rows.map(({ hosts }) => hosts.map((host) => grid.hosts[host]!.name))).toEqual([['h0', 'h2'], ['h1']]);
    expect(grid.rows.map(({ cells }) => cells.map((cell) => (cell === null ? null : grid.cells[cell]!.turn)))).toEqual([
      [null, 'opened', 'same'],
      ['same', null, null],
    ]);
  });

  it('names the family only where the families differ', () => {
    const both = gridOf(
      input([side([row('22', 'narrowed', ANYBODY, OFFICE), row('22', 'narrowed', ANYBODY, OFFICE, 'ipv6')])]),
    );
    expect(both.cells[0]!.lines.map(({ family }) => family)).toEqual([null]);
    const differ = gridOf(
      input([side([row('22', 'narrowed', ANYBODY, OFFICE), row('22', 'closed', ANYBODY, NOBODY, 'ipv6')])]),
    );
    expect(differ.cells[0]!.lines.map(({ family }) => family)).toEqual(['IPv4', 'IPv6']);
    expect(differ.cells[0]!.turn).toBe('narrowed');
  });

  it.each<[Turn[], Turn]>([
    [['same', 'opened'], 'opened'],
    [['opened', 'widened'], 'widened'],
    [['closed', 'narrowed'], 'narrowed'],
    [['closed', 'opened'], 'changed'],
    [['same', 'same'], 'same'],
  ])('says of interfaces that do %j: %s', (turns, expected) => {
    const sides = turns.map((turn, at) => side([row('80', turn, ANYBODY, OFFICE)], `eth${at}`));
    expect(gridOf(input(sides)).cells.map(({ turn }) => turn)).toEqual([expected]);
  });

  it('has a column of all ports where somebody gets in whole', () => {
    const open: AccessSide = {
      ...side([]),
      whole: [{ family: 'ipv4', before: NOBODY, after: ANYBODY, turn: 'opened' }],
    };
    const grid = gridOf(input([open]));
    expect(grid.columns.map(({ label }) => label)).toEqual(['all ports']);
    expect(grid.cells).toMatchObject([{ turn: 'opened', internet: true }]);
  });

  it('says of the internet only what the internet reaches', () => {
    const inside: AccessSide = { ...side([row('80', 'same', ANYBODY, ANYBODY)], 'eth1'), classes: ['private'] };
    const some = side([row('22', 'narrowed', ANYBODY, OFFICE), row('443', 'same', ANYBODY, ANYBODY)]);
    const grid = gridOf(input([inside, some]));
    const cell = (at: number) => grid.cells[grid.rows[0]!.cells[at]!]!.internet;
    expect(grid.columns.map(({ label }, at) => [label, cell(at)])).toEqual([
      ['22/tcp', false],
      ['80/tcp', false],
      ['443/tcp', true],
    ]);
  });

  it('keeps every access of every host, in its cells and in its lines', () => {
    fc.assert(
      fc.property(
        fc.record({
          hosts: fc.integer({ min: 1, max: 12 }),
          ports: fc.integer({ min: 1, max: 12 }),
          kinds: fc.integer({ min: 1, max: 6 }),
          seed: fc.nat(),
        }),
        (size) => {
          const review = reviewFleet(size);
          const grid = gridOf(review);
          expect(grid.rows.flatMap(({ hosts }) => hosts).sort((a, b) => a - b)).toEqual(grid.hosts.map((_, at) => at));
          review.plans.forEach((plan, at) => {
            const mine = grid.rows.find(({ hosts }) => hosts.includes(at))!;
            const told = new Set(
              linesOf(grid, mine).flatMap(({ ports, line }) =>
                ports.map((port) => `${port} ${line.turn} ${line.interface}`),
              ),
            );
            const meant = plan.access.sides.flatMap(({ interface: name, rows }) =>
              rows.map(({ protocol, ports, turn }) => `${ports}/${protocol} ${turn} ${name}`),
            );
            expect([...told].filter((text) => !text.startsWith('all ports')).sort()).toEqual(
              [...new Set(meant)].sort(),
            );
          });
        },
      ),
      { numRuns: 50 },
    );
  });
});
