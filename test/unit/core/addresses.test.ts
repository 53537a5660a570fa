import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addressFamily,
  aggregate,
  contains,
  formatNetwork,
  normaliseAddress,
  parseAddress,
  parseNetwork,
  parseSource,
} from '../../../src/core/addresses.ts';

const octet = fc.integer({ min: 0, max: 255 });
const ipv4 = fc.tuple(octet, octet, octet, octet).map((parts) => parts.join('.'));
const ipv6 = fc
  .array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), { minLength: 8, maxLength: 8 })
  .map((parts) => parts.map((part) => part.toString(16)).join(':'));
/** Networks drawn from a few neighbouring addresses, so that overlaps and neighbours are common. */
const crowded = fc
  .tuple(fc.integer({ min: 0, max: 63 }), fc.integer({ min: 26, max: 32 }))
  .map(([host, prefix]) => `192.0.2.${host}/${prefix}`);

describe('strict reading of addresses', () => {
  it.each(['192.0.2.1', '0.0.0.0', '255.255.255.255', '2001:db8::1', '::', '::ffff:192.0.2.1'])('takes %s', (text) => {
    expect(parseAddress(text)).not.toBeNull();
  });

  it.each([
    '010.0.0.1',
    '192.0.2.01',
    '10.1',
    '3221225985',
    '0x7f.0.0.1',
    '256.0.0.1',
    '192.0.2.1 ',
    '192.0.2.1/32',
    '1.2.3.4.5',
    '',
    'fe80::1%eth0',
    '2001:db8:::1',
    '2001:db8::1::2',
    '12345::',
    '[2001:db8::1]',
  ])('refuses %j', (text) => {
    expect(parseAddress(text)).toBeNull();
    expect(addressFamily(text)).toBeNull();
  });

  it.each([
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['2001:db8::0001', '2001:db8::1'],
    ['2001:db8:0:1:0:0:0:1', '2001:db8:0:1::1'],
    ['192.0.2.1', '192.0.2.1'],
  ])('normalises %s to %s', (text, normal) => {
    expect(normaliseAddress(text)).toBe(normal);
  });

  it('agrees with the operating system about what an address is', () => {
    fc.assert(
      fc.property(fc.oneof(ipv4, ipv6), (text) => isIP(text) === (parseAddress(text)?.family === 'ipv4' ? 4 : 6)),
    );
  });

  it('reads back what it writes', () => {
    fc.assert(
      fc.property(fc.oneof(ipv4, ipv6), (text) => {
        const address = parseAddress(text)!;
        const again = parseAddress(formatNetwork(address))!;
        expect(again).toEqual(address);
      }),
    );
  });
});

describe('networks', () => {
  it.each([
    ['192.0.2.77/24', '192.0.2.0/24'],
    ['192.0.2.1/32', '192.0.2.1'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['2001:db8::77/64', '2001:db8::/64'],
    ['2001:db8::1/128', '2001:db8::1'],
    ['::/0', '::/0'],
  ])('finds the network of %s: %s', (text, network) => {
    expect(formatNetwork(parseNetwork(text)!)).toBe(network);
  });

  it.each(['192.0.2.0/33', '192.0.2.0/-1', '192.0.2.0/024', '192.0.2.0/', '2001:db8::/129', '/24', '192.0.2.0/24/24'])(
    'refuses %j',
    (text) => {
      expect(parseNetwork(text)).toBeNull();
    },
  );

  it.each([
    ['192.0.2.7/24', '"192.0.2.7/24" has bits set behind its prefix; the network is 192.0.2.0/24, the host 192.0.2.7'],
    ['010.0.0.1', '"010.0.0.1" has a part with a leading zero, which some programs read as octal'],
    ['192.0.2.0/33', '"/33" is not a prefix length between 0 and 32'],
    ['2001:db8::/129', '"/129" is not a prefix length between 0 and 128'],
    ['fe80::1%eth0', '"fe80::1%eth0" names an interface; write the address without "%" and what follows'],
    ['10.1', '"10.1" is neither an IPv4 or IPv6 address nor a network in CIDR notation'],
  ])('says what is wrong with the source %s', (text, message) => {
    expect(parseSource(text)).toBe(message);
  });

  it('knows what lies in what', () => {
    const network = parseNetwork('192.0.2.0/25')!;
    expect(contains(network, parseNetwork('192.0.2.127')!)).toBe(true);
    expect(contains(network, parseNetwork('192.0.2.64/26')!)).toBe(true);
    expect(contains(network, parseNetwork('192.0.2.128')!)).toBe(false);
    expect(contains(network, parseNetwork('192.0.2.0/24')!)).toBe(false);
    expect(contains(parseNetwork('::/0')!, parseNetwork('192.0.2.1')!)).toBe(false);
  });
});

describe('aggregation', () => {
  it('joins neighbours, drops what is covered, and sorts by number', () => {
    expect(
      aggregate([
        '192.0.2.10',
        '192.0.2.9',
        '192.0.2.8',
        '10.0.0.0/8',
        '10.1.2.3',
        '2001:db8::1',
        '2001:DB8::0',
        '192.0.2.2',
      ]),
    ).toEqual({ ipv4: ['10.0.0.0/8', '192.0.2.2', '192.0.2.8/31', '192.0.2.10'], ipv6: ['2001:db8::/127'] });
  });

  it('reaches the ends of the address space', () => {
    expect(aggregate(['0.0.0.0/1', '128.0.0.0/1', '::/1', '8000::/1'])).toEqual({
      ipv4: ['0.0.0.0/0'],
      ipv6: ['::/0'],
    });
    expect(aggregate(['255.255.255.255']).ipv4).toEqual(['255.255.255.255']);
  });

  it('throws for what is no address', () => {
    expect(() => aggregate(['010.0.0.1'])).toThrow(RangeError);
  });

  it('covers exactly the same addresses', () => {
    fc.assert(
      fc.property(fc.array(crowded, { maxLength: 12 }), (sources) => {
        const before = sources.map((source) => parseNetwork(source)!);
        const after = aggregate(sources).ipv4.map((source) => parseNetwork(source)!);
        for (let host = 0; host < 64; host += 1) {
          const address = parseAddress(`192.0.2.${host}`)!;
          const covering = after.filter((network) => contains(network, address));
          expect(covering).toHaveLength(before.some((network) => contains(network, address)) ? 1 : 0);
        }
      }),
    );
  });

  it('is minimal, sorted, and the same however often and in whatever order', () => {
    fc.assert(
      fc.property(fc.array(crowded, { maxLength: 12 }), (sources) => {
        const once = aggregate(sources);
        expect(aggregate([...sources].reverse())).toEqual(once);
        expect(aggregate(once.ipv4)).toEqual(once);
        const networks = once.ipv4.map((source) => parseNetwork(source)!);
        for (const [index, network] of networks.entries()) {
          const next = networks[index + 1];
          if (next === undefined) continue;
          expect(network.last < next.first).toBe(true);
          const siblings = network.prefix === next.prefix && network.last + 1n === next.first;
          const size = network.last - network.first + 1n;
          expect(siblings && network.first % (size * 2n) === 0n).toBe(false);
        }
      }),
    );
  });
});
