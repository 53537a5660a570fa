import { expect, it } from 'vitest';
import { whoOf } from '../../../src/report/summary/port-stretches.ts';
import type { PortsLine, SummaryRow } from '../../../src/report/summary/summary-types.ts';
import { rowText } from '../../../src/report/summary/summary-words.ts';

const line = (given: Partial<PortsLine>): PortsLine => ({
  turn: 'opened',
  interface: 'eth0',
  classes: ['public'],
  internet: true,
  family: null,
  partly: false,
  ports: ['443/tcp'],
  before: 'nobody',
  after: 'anybody',
  why: [],
  ...given,
});

it('a row in one line does not count all ports as one port', () => {
  const row: SummaryRow = {
    hosts: { shown: ['web1'], more: 0, count: 1 },
    closes: [line({ turn: 'closed', ports: ['all other ports'], interface: 'eth1' })],
    opens: [line({ ports: ['all ports'], family: 'IPv4' }), line({ ports: ['all ports'], family: 'IPv6' }), line({})],
    interfaces: [],
    also: [],
    reloads: 0,
    flowsCut: 0,
    flowsOutlive: 0,
    socketsFewer: 0,
    counts: { changes: 1, add: 1, change: 0, remove: 0 },
  };
  expect(rowText(row)).toBe(
    'all other ports on 1 interface closed or narrowed; all ports on 1 interface opened or widened; 1 port opened or widened',
  );
});

it('a rough text counts the networks that it does not name', () => {
  const sources = ['192.0.2.0/25', '198.51.100.0/24', '203.0.113.0/24', '10.0.0.0/8', '172.16.0.0/12'];
  expect(whoOf([{ who: 'these', sources, more: 2 }], true).rough).toBe(
    '192.0.2.0/25, 198.51.100.0/24, 203.0.113.0/24 and 4 further networks (not the same on each host)',
  );
});
