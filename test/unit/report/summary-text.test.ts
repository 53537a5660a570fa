import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import type { ReviewInput } from '../../../src/report/review-input.ts';
import { summaryView } from '../../../src/report/summary/summary-view.ts';
import { createStyle, PLAIN_STYLE } from '../../../src/report/terminal/style.ts';
import { summaryText, totalsLines } from '../../../src/report/terminal/summary-text.ts';
import {
  ANYBODY,
  access,
  both,
  NOBODY,
  planOf,
  refusedHost,
  reviewInput,
  rollbackOf,
  row,
  settled,
  side,
  sipAccess,
  smallFleet,
  these,
  webAccess,
  whole,
} from './helpers/fleets.ts';
import { FIRST_APPLY } from './helpers/plans.ts';

const GOLDEN = '../../fixtures/report';
const OPTIONS = { style: PLAIN_STYLE, width: null, details: 'portfw plan inventory.yaml --details' };
const textOf = (input: ReviewInput, options = OPTIONS): string => summaryText(summaryView(input), options);
const fleet = (count: number, plan: (host: string, at: number) => ReviewInput['plans'][number]): ReviewInput =>
  reviewInput(Array.from({ length: count }, (_, at) => plan(`host${at}.example.net`, at)));

/** IPv6 stays as open as it was, and one port changes for IPv6 only. */
const familiesDiffer = access([
  side(
    'eth0',
    ['public'],
    [
      row('22/tcp', ANYBODY, these('192.0.2.0/25')),
      row('22/tcp', ANYBODY, NOBODY, { family: 'ipv6' }),
      row('443/tcp', NOBODY, ANYBODY),
      row('8443/tcp', ANYBODY, ANYBODY),
      row('8443/tcp', ANYBODY, these('2001:db8::/48'), { family: 'ipv6' }),
      row('9443/tcp', ANYBODY, these('192.0.2.0/25')),
      row('9443/tcp', ANYBODY, these('2001:db8::/48'), { family: 'ipv6' }),
    ],
  ),
]);

/** Kinds of hosts that differ in one port each. */
const kinds = (at: number, classes: readonly string[]) =>
  access([
    side('eth0', classes, [...both(`${2000 + at}/tcp`, NOBODY, ANYBODY), ...both(`${3000 + at}/udp`, ANYBODY, NOBODY)]),
  ]);

const wideOpen = access([
  side('eth0', ['public'], [], whole(NOBODY, ANYBODY)),
  side('wlan0', [], both('111/tcp', ANYBODY, ANYBODY)),
]);

const warnings = (host: string, at: number) => ({
  notes: [
    { severity: 'warning', code: 'asked-first', text: `zone of ${host} takes precedence for 192.0.2.${at}` } as const,
    { severity: 'warning', code: 'not-narrowed', text: 'web-admin limits who may connect in vain' } as const,
    { severity: 'warning', code: 'roles', text: `evidence number ${'abcdefgh'[at]} contradicts` } as const,
    { severity: 'info', code: 'foreign', text: 'docker writes rules of its own' } as const,
  ],
});

describe('the summary of a review', () => {
  it.each([
    ['one-host', reviewInput([planOf('web1.example.net', webAccess())])],
    ['small-fleet', smallFleet()],
    ['like-hosts', fleet(500, (host) => planOf(host, webAccess()))],
    ['many-kinds', fleet(500, (host, at) => planOf(host, kinds(at % 40, ['private'])))],
    ['many-kinds-open', fleet(500, (host, at) => planOf(host, kinds(at % 40, ['public'])))],
    ['families', fleet(1, (host) => planOf(host, familiesDiffer))],
    ['wide-open', fleet(2, (host) => planOf(host, wideOpen))],
    ['as-it-is', fleet(3, (host, at) => settled(host, sipAccess(at)))],
    ['unknown', reviewInput([planOf('web1.example.net', access([]))])],
    [
      'refused-and-warnings',
      {
        ...fleet(5, (host, at) => planOf(host, webAccess(), undefined, warnings(host, at))),
        without: [
          ...Array.from({ length: 12 }, (_, at) => refusedHost(`sip${at}.example.net`)),
          refusedHost('db1.example.net', 'unreachable', 'timeout', 'no answer from 198.51.100.9 within 10 s'),
          refusedHost('db2.example.net', 'unreachable', 'timeout', 'no answer from 198.51.100.10 within 10 s'),
          refusedHost('db3.example.net', 'failed', 'internal-error', 'the answer of the host is cut off'),
          refusedHost('db4.example.net', 'skipped', 'skipped', 'the run was interrupted'),
        ],
      },
    ],
    [
      'rollback',
      reviewInput(
        [
          ...['web1', 'web2'].map((host) =>
            rollbackOf(planOf(`${host}.example.net`, webAccess()), '20261128T201500Z-0a1b'),
          ),
          rollbackOf(planOf('sip1.example.net', sipAccess(0)), '20261127T090000Z-77aa'),
        ],
        [],
        'rollback',
      ),
    ],
  ] satisfies readonly (readonly [string, ReviewInput])[])('%s', async (name, input) => {
    await expect(textOf(input)).toMatchFileSnapshot(`${GOLDEN}/summary-${name}.txt`);
  });

  it('is in the documentation as it is', async () => {
    const page = await readFile('docs/plan-and-apply.md', 'utf8');
    const example = textOf(smallFleet())
      .trimEnd()
      .replaceAll(/^(?=.)/gm, '    ');
    expect(page).toContain(`\n\n${example}\n\n`);
  });

  it('has colours for signs and for what opens, and the same text with them', () => {
    const coloured = textOf(smallFleet(), { ...OPTIONS, style: createStyle(true) });
    expect(coloured).toContain('\u001b[31m-\u001b[39m ');
    expect(coloured.replaceAll(/\u001b\[\d+m/g, '')).toBe(textOf(smallFleet()));
    const loud = textOf(
      fleet(1, (host) => planOf(host, wideOpen)),
      { ...OPTIONS, style: createStyle(true) },
    );
    expect(loud).toMatch(/\u001b\[31m.*ALL PORTS FROM ANYBODY/);
  });

  it('does not say how to get details that follow', () => {
    expect(textOf(smallFleet(), { ...OPTIONS, details: null as never })).not.toContain('Details:');
  });

  it('has the numbers on their own for the question', () => {
    const lines = totalsLines(summaryView(smallFleet()), OPTIONS);
    expect(lines).toMatch(/^9 hosts: 5 to change, 1 as it is, 2 refused, 1 unreachable; 5 ports close;/);
  });

  it('shows nothing of a host that could steer the terminal', () => {
    const nasty = 'eth0\u001b[2J\u202e\nzone trusted';
    const hostile = access(
      [{ ...side(nasty, ['public'], both('443/tcp', ANYBODY, NOBODY, [0])), zoneAfter: nasty }],
      [{ kind: 'peers', set: nasty, from: nasty }],
    );
    const change = { ...FIRST_APPLY.changes[3]!, interface: nasty, zone: nasty, otherZone: 'x' };
    const notes = [{ severity: 'warning', code: 'x', text: nasty } as const];
    const plan = planOf(nasty, hostile, [change as (typeof FIRST_APPLY.changes)[number]], { notes });
    const text = textOf(reviewInput([plan], [refusedHost(nasty), refusedHost(`${nasty}2`, 'failed', nasty, nasty)]));
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    expect(text).not.toMatch(/^zone trusted/m);
    expect(text).toContain('eth0 zone trusted (public)');
  });

  it('groups members of a cluster, each of which lets in all the others', () => {
    const nodes = 24;
    const { rows, verdicts } = summaryView(fleet(nodes, (host, at) => planOf(host, sipAccess(at, nodes))));
    expect(rows).toHaveLength(1);
    expect(verdicts).toHaveLength(1);
    expect(verdicts[0]!.trusted[0]).toMatchObject({ from: '23 addresses (not the same on each host)' });
  });

  it('keeps hosts apart where single addresses differ for another reason', () => {
    const offices = ['192.0.2.7', '198.51.100.7'];
    const { rows } = summaryView(fleet(2, (host, at) => planOf(host, webAccess([offices[at]!]))));
    expect(rows.map(({ closes }) => closes[0]!.after)).toEqual(offices);
  });
});

it('does not say of a host whose interfaces have no address that nothing opens there', () => {
  const text = textOf(fleet(1, (host) => planOf(host, access([side('eth0', ['public'], [], [])]))));
  expect(text).toContain('Not known who gets in: host0.example.net');
  expect(text).not.toContain('nothing to the internet');
});
