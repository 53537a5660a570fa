import { expect, it } from 'vitest';
import type { Comers } from '../../../src/firewalld/filter/comers.ts';
import type { Impact, SocketImpact } from '../../../src/plan/impact-types.ts';
import { impactParts } from '../../../src/report/impact-view.ts';
import { impactLines } from '../../../src/report/terminal/impact-text.ts';
import { PLAIN_STYLE } from '../../../src/report/terminal/style.ts';

const who = (name: 'anybody' | 'nobody', ...sources: string[]): Comers =>
  sources.length > 0 ? { who: 'these', sources, more: 0 } : { who: name, sources: [], more: 0 };

function lines(...sockets: readonly (readonly [address: string, after: Comers])[]): readonly string[] {
  const closed = sockets.map(
    ([address, after]): SocketImpact => ({
      protocol: 'tcp',
      address,
      ports: ['22'],
      processes: ['sshd'],
      interface: 'eth0',
      destinations: [],
      zoneBefore: 'public',
      zoneAfter: 'portfw-public',
      before: who('anybody'),
      after,
    }),
  );
  const impact: Impact = {
    closed,
    opened: [],
    unheard: [],
    flows: { source: 'sockets', cut: [], outlive: [], unseen: 0 },
  };
  return impactLines(impactParts(impact, 'short'), PLAIN_STYLE).map((line) => line.trim());
}

it('names the family where IPv4 and IPv6 fare differently', () => {
  expect(lines(['0.0.0.0', who('nobody', '192.0.2.0/24')], ['::', who('nobody')])).toEqual([
    'listening sockets that fewer clients can reach',
    '- 22/tcp, IPv4 sshd on eth0: anybody → 192.0.2.0/24',
    '- 22/tcp, IPv6 sshd on eth0: anybody → nobody',
  ]);
});

it('says it once where both fare alike', () => {
  expect(lines(['0.0.0.0', who('nobody')], ['::', who('nobody')])).toEqual([
    'listening sockets that fewer clients can reach',
    '- 22/tcp sshd on eth0: anybody → nobody',
  ]);
});
