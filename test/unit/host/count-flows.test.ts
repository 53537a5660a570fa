import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const PROBE = readFileSync(new URL('../../../src/host/remote/probe.sh', import.meta.url), 'utf8');
const FUNCTION = /^count_flows\(\) \{\n[\s\S]*?^\}\n/m.exec(PROBE)![0];

/** What the probe's own function makes of these lines, sorted but for what stands first. */
function counted(...lines: readonly string[]): string[] {
  const output = execFileSync('/bin/sh', ['-c', `${FUNCTION}count_flows`], {
    input: `${lines.join('\n')}\n`,
    encoding: 'utf8',
  });
  return output.trimEnd().split('\n').sort();
}

const tuple = (from: string, to: string, sport: number, dport: number) =>
  `src=${from} dst=${to} sport=${sport} dport=${dport}`;
const entry = (head: string, there: string, back: string, tail = '[ASSURED] mark=0 use=1') =>
  `${head} ${there} ${back} ${tail}`;

describe('the table of connections', () => {
  const there = tuple('203.0.113.9', '192.0.2.10', 40_000, 443);
  const back = tuple('192.0.2.10', '203.0.113.9', 443, 40_000);

  it('is counted by kind, as conntrack and as /proc print it', () => {
    expect(
      counted(
        'source conntrack',
        entry('ipv4     2 tcp      6 431999 ESTABLISHED', there, back),
        entry('ipv4     2 tcp      6', there.replace('40000', '40001'), back, '[OFFLOAD] mark=0 use=2'),
        entry('ipv4     2 tcp      6 118 TIME_WAIT', there, back),
        entry(
          'ipv4     2 udp      17 29',
          tuple('203.0.113.9', '192.0.2.10', 5060, 5060),
          tuple('192.0.2.10', '203.0.113.9', 5060, 5060),
        ),
        'ipv4     2 udp      17 29 src=203.0.113.8 dst=192.0.2.10 sport=1 dport=9 [UNREPLIED] src=192.0.2.10 dst=203.0.113.8 sport=9 dport=1 mark=0 use=1',
        entry(
          'ipv6     10 tcp      6 9 ESTABLISHED',
          `${tuple('2001:db8:9::1', '2001:db8::10', 1, 443)} packets=1 bytes=2`,
          tuple('2001:db8::10', '2001:db8:9::1', 443, 1),
        ),
        'ipv4     2 icmp     1 29 src=203.0.113.9 dst=192.0.2.10 type=8 code=0 id=1 src=192.0.2.10 dst=203.0.113.9 type=0 code=0 id=1 mark=0 use=1',
      ),
    ).toEqual([
      ' 1 tcp 2001:db8:9::1 2001:db8::10 443 2001:db8::10 443 2001:db8:9::1',
      ' 1 udp 203.0.113.9 192.0.2.10 5060 192.0.2.10 5060 203.0.113.9',
      ' 2 tcp 203.0.113.9 192.0.2.10 443 192.0.2.10 443 203.0.113.9',
      ' flows 4',
      ' source conntrack',
    ]);
  });

  it('keeps both ends of a translation', () => {
    const lines = [
      entry('ipv4 2 tcp 6 9 ESTABLISHED', there, tuple('198.51.100.7', '203.0.113.9', 8443, 40_000)),
      entry(
        'ipv4 2 tcp 6 9 ESTABLISHED',
        tuple('198.51.100.7', '203.0.113.9', 1, 80),
        tuple('203.0.113.9', '192.0.2.10', 80, 1),
      ),
    ];
    expect(counted('source conntrack', ...lines)).toEqual([
      ' 1 tcp 198.51.100.7 203.0.113.9 80 203.0.113.9 80 192.0.2.10',
      ' 1 tcp 203.0.113.9 192.0.2.10 443 198.51.100.7 8443 203.0.113.9',
      ' flows 2',
      ' source conntrack',
    ]);
  });

  it('leaves out what the host says to itself', () => {
    const own = ['127.0.0.1', '192.0.2.10', '::1', '0000:0000:0000:0000:0000:0000:0000:0001'].map((address) =>
      entry('ipv4 2 tcp 6 9 ESTABLISHED', tuple(address, address, 1, 80), tuple(address, address, 80, 1)),
    );
    expect(counted('source conntrack', ...own)).toEqual([' flows 0', ' source conntrack']);
  });

  it('says when it was not read to its end', () => {
    expect(counted('source conntrack', 'cut')).toEqual([' cut', ' flows 0', ' source conntrack']);
  });

  it('lists so many kinds and counts the rest', () => {
    const lines = Array.from({ length: 2_500 }, (_, index) => {
      const peer = `203.0.${Math.floor(index / 250)}.${index % 250}`;
      return entry('ipv4 2 udp 17 9', tuple(peer, '192.0.2.10', 1, 5060), tuple('192.0.2.10', peer, 5060, 1));
    });
    const found = counted('source conntrack', ...lines);
    expect(found.filter((line) => / udp /.test(line))).toHaveLength(2_000);
    expect(found).toContain(' flows 2500');
  });
});

describe('sockets', () => {
  const listening = [
    ' Netid State  Recv-Q Send-Q Local Address:Port Peer Address:Port Process',
    ' tcp   LISTEN 0      128          0.0.0.0:443       0.0.0.0:*     users:(("httpd",pid=4,fd=3))',
    ' udp   UNCONN 0      0                  *:5060            *:*     users:(("sbc",pid=5,fd=3))',
  ];

  it('were opened by the other end where the port is one that the host listens on', () => {
    expect(
      counted(
        'source sockets',
        ...listening,
        'Netid Recv-Q Send-Q Local Address:Port Peer Address:Port Process',
        'tcp   0      0      192.0.2.10:443     203.0.113.9:40000',
        'tcp   0      0      192.0.2.10:443     203.0.113.9:40001',
        'tcp   0      0      192.0.2.10:41000   203.0.113.9:443',
        'udp   0      0      [2001:db8::10]:5060   [2001:db8:9::1]:5060',
        'tcp   0      0      [fe80::1%eth0]:443 [fe80::2%eth0]:9',
        'tcp   0      0      127.0.0.1:443      127.0.0.1:9',
      ),
    ).toEqual([
      ' 1 tcp 192.0.2.10 203.0.113.9 443 203.0.113.9 443 192.0.2.10',
      ' 1 tcp fe80::2 fe80::1 443 fe80::1 443 fe80::2',
      ' 1 udp 2001:db8:9::1 2001:db8::10 5060 2001:db8::10 5060 2001:db8:9::1',
      ' 2 tcp 203.0.113.9 192.0.2.10 443 192.0.2.10 443 203.0.113.9',
      ' flows 5',
      ' source sockets',
    ]);
  });
});
