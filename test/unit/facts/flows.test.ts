import { describe, expect, it } from 'vitest';
import { parseFacts } from '../../../src/facts/parse-facts.ts';
import { probeText } from './helpers/probe-text.ts';

function flows(...lines: readonly string[]) {
  const parsed = parseFacts(probeText({ flows: lines }));
  if (parsed.kind === 'unreadable') throw new Error(`${parsed.section}: ${parsed.why}`);
  return parsed.facts.flows;
}

const WEB = '203.0.113.9 192.0.2.10 443';
const PLAIN = { forwardedTo: null, disguisedAs: null };

describe('established flows', () => {
  it('are not known where the probe did not ask, or the host could not tell', () => {
    const old = probeText().replace('\n@@flows\n', '\n');
    expect(old).not.toContain('flows');
    expect(parseFacts(old)).toMatchObject({ kind: 'facts', facts: { flows: null } });
    expect(flows()).toBeNull();
  });

  it('come from the table of connections, sorted, in one spelling', () => {
    expect(
      flows(
        'source sockets',
        'flows 0',
        'source conntrack',
        'flows 6',
        '2 udp 203.0.113.9 192.0.2.10 5060 192.0.2.10 5060 203.0.113.9',
        '1 tcp 2001:0db8:0000::0001 2001:db8::10 443 2001:db8::10 443 2001:db8::1',
        `3 tcp ${WEB} 192.0.2.10 443 203.0.113.9`,
      ),
    ).toEqual({
      source: 'conntrack',
      kinds: [
        { protocol: 'tcp', opener: '203.0.113.9', address: '192.0.2.10', port: 443, count: 3, ...PLAIN },
        { protocol: 'tcp', opener: '2001:db8::1', address: '2001:db8::10', port: 443, count: 1, ...PLAIN },
        { protocol: 'udp', opener: '203.0.113.9', address: '192.0.2.10', port: 5060, count: 2, ...PLAIN },
      ],
      omitted: 0,
      cut: false,
      untracked: [],
    });
  });

  it('come from sockets where there is no table', () => {
    const line = '1 tcp ::ffff:203.0.113.9 ::ffff:192.0.2.10 443 ::ffff:192.0.2.10 443 ::ffff:203.0.113.9';
    expect(flows('source sockets', 'flows 1', line)).toMatchObject({
      source: 'sockets',
      kinds: [{ opener: '203.0.113.9', address: '192.0.2.10' }],
      untracked: [],
    });
  });

  it('say where they are translated to', () => {
    const found = flows(
      'source conntrack',
      'flows 3',
      `1 tcp ${WEB} 198.51.100.7 8443 203.0.113.9`,
      '1 tcp 198.51.100.7 203.0.113.9 80 203.0.113.9 80 192.0.2.10',
      `1 tcp ${WEB} 192.0.2.10 443 203.0.113.9`,
    );
    expect(found!.kinds.map(({ forwardedTo, disguisedAs }) => ({ forwardedTo, disguisedAs }))).toEqual([
      { forwardedTo: { address: '198.51.100.7', port: 8443 }, disguisedAs: null },
      PLAIN,
      { forwardedTo: null, disguisedAs: '192.0.2.10' },
    ]);
  });

  it("are untracked where the table has none of a socket's kind, behind a translation too", () => {
    const tracked = ['source conntrack', 'flows 1', `1 tcp ${WEB} 192.0.2.10 8443 203.0.113.9`];
    const sockets = (...lines: string[]) => ['source sockets', `flows ${lines.length}`, ...lines];
    const socket = (port: number, protocol = 'tcp') =>
      `1 ${protocol} 203.0.113.9 192.0.2.10 ${port} 192.0.2.10 ${port} 203.0.113.9`;
    const untracked = flows(...tracked, ...sockets(socket(8443), socket(25), socket(53, 'udp')))!.untracked;
    expect(untracked.map(({ port }) => port)).toEqual([25]);
    // Of a table that was not read to its end nobody can say what it does not have.
    expect(flows('source conntrack', 'flows 1', 'cut', ...tracked.slice(2), ...sockets(socket(25)))!.untracked).toEqual(
      [],
    );
    expect(flows('source conntrack', 'flows 9', ...tracked.slice(2), ...sockets(socket(25)))!.untracked).toEqual([]);
  });

  it('are counted where they are too many to be listed', () => {
    const line = `3 tcp ${WEB} 192.0.2.10 443 203.0.113.9`;
    expect(flows('source conntrack', 'flows 100003', 'cut', line)).toMatchObject({ omitted: 100_000, cut: true });
  });

  it.each([
    '0 tcp 203.0.113.9 192.0.2.10 443 192.0.2.10 443 203.0.113.9',
    '1 icmp 203.0.113.9 192.0.2.10 443 192.0.2.10 443 203.0.113.9',
    '1 tcp 203.0.113.9 192.0.2.10 65536 192.0.2.10 443 203.0.113.9',
    '1 tcp 203.0.113.9 010.0.0.1 443 192.0.2.10 443 203.0.113.9',
    '1 tcp 203.0.113.9 192.0.2.10 443',
    '\u001b[2J',
  ])('pass over "%s"', (line) => {
    expect(flows('source conntrack', 'flows 0', line)!.kinds).toEqual([]);
  });

  it('are refused by the thousands, or without a source', () => {
    const many = Array.from({ length: 10_001 }, () => 'cut');
    expect(parseFacts(probeText({ flows: many }))).toMatchObject({ kind: 'unreadable', section: 'flows' });
    expect(parseFacts(probeText({ flows: ['flows 1'] }))).toMatchObject({ kind: 'unreadable', section: 'flows' });
  });
});
