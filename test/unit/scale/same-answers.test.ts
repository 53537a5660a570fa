import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { describe, expect, it } from 'vitest';
import {
  type AddressRanges,
  addressRanges,
  countNetworks,
  firstNetworks,
  holds,
  intersect,
  networksOf,
  subtract,
  unite,
  uniteAll,
} from '../../../src/core/address-ranges.ts';
import { addressFamily, formatNetwork, parseAddress, parseNetwork } from '../../../src/core/addresses.ts';
import { readIpsetXml } from '../../../src/firewalld/kinds/ipset.ts';
import { XmlError } from '../../../src/firewalld/xml.ts';

/** The ways that are quick for 100,000 of something say what the plain ways say. */
const SPACE = 900;
const numbers = fc.uniqueArray(fc.integer({ min: 0, max: SPACE - 1 }), { maxLength: SPACE });
const rangesOf = (wanted: Iterable<number>): AddressRanges =>
  addressRanges(
    [...wanted].map((value) => `10.0.${value >> 8}.${value & 255}`),
    'ipv4',
  )!;
const BASE = 10n << 24n;
const numbersOf = (ranges: AddressRanges): number[] =>
  ranges.flatMap(({ first, last }) =>
    Array.from({ length: Number(last - first) + 1 }, (_, at) => Number(first - BASE) + at),
  );
const sorted = (values: Iterable<number>) => [...values].sort((a, b) => a - b);

describe('sets of addresses', () => {
  it('of any size are cut, intersected, united and asked as sets of numbers are', () => {
    fc.assert(
      fc.property(numbers, numbers, (left, right) => {
        const [a, b] = [rangesOf(left), rangesOf(right)];
        const [inLeft, inRight] = [new Set(left), new Set(right)];
        // Twice: a large result is remembered.
        for (let turn = 0; turn < 2; turn += 1) {
          expect(numbersOf(subtract(a, b))).toEqual(sorted(left.filter((value) => !inRight.has(value))));
          expect(numbersOf(intersect(a, b))).toEqual(sorted(left.filter((value) => inRight.has(value))));
          expect(numbersOf(unite(a, b))).toEqual(sorted(new Set([...left, ...right])));
        }
        expect(numbersOf(uniteAll([a, [], b, a, b, a]))).toEqual(sorted(new Set([...left, ...right])));
        for (let value = 0; value < SPACE; value += 7) expect(holds(a, BASE + BigInt(value))).toBe(inLeft.has(value));
        expect(countNetworks(a, 'ipv4')).toBe(networksOf(a, 'ipv4').length);
        expect(firstNetworks(a, 'ipv4', 5)).toEqual(networksOf(a, 'ipv4').slice(0, 5));
      }),
      { numRuns: 60 },
    );
  }, 60_000);
});

describe('addresses', () => {
  it('are read as the library reads four plain decimals, and no other text is one', () => {
    const part = fc.oneof(
      fc.integer({ min: 0, max: 300 }).map(String),
      fc.constantFrom('', '00', '01', '1e1', ' 1', '-1', '0x1'),
    );
    fc.assert(
      fc.property(fc.array(part, { minLength: 3, maxLength: 5 }), (parts) => {
        const text = parts.join('.');
        expect(addressFamily(text) === 'ipv4', text).toBe(ipaddr.IPv4.isValidFourPartDecimal(text));
      }),
    );
  });

  it('of both families are the same when written and read', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        const address = parseAddress(text);
        if (address === null) return;
        const written = formatNetwork(address);
        expect(parseNetwork(written)).toEqual(address);
        expect(written).toBe(ipaddr.parse(text).toString());
      }),
    );
  });
});

describe('the file of an ipset', () => {
  const piece = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.integer({ min: 1, max: 20 }).map((count) => '<entry> 192.0.2.1 </entry>\n'.repeat(count)),
    },
    { weight: 6, arbitrary: fc.nat(255).map((last) => `<entry>192.0.2.${last}</entry>`) },
    fc.constantFrom(
      '<entry>a&amp;b</entry>',
      '<entry/>',
      '<entry>',
      '</entry>',
      '<entry><x/></entry>',
      '<option name="a" value="b"/>',
      '<option name="o"><entry>1</entry></option>',
      '<short>s</short>',
      '<description>~3</description>',
      '<!-- <entry>192.0.2.9</entry> -->',
      '<![CDATA[<entry>192.0.2.9</entry>]]>',
      '<entry>~0</entry>',
    ),
  );
  const read = (text: string): unknown => {
    try {
      return readIpsetXml('x', text);
    } catch (error) {
      if (!(error instanceof XmlError)) throw error;
      return 'malformed';
    }
  };

  it('is read the same with long runs of entries as one by one', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const text = `<ipset type="hash:net">${pieces.join('')}</ipset>`;
        // A comment makes the reader take every entry by itself.
        expect(read(text)).toEqual(read(text.replace('</ipset>', '<!-- --></ipset>')));
      }),
      { numRuns: 300 },
    );
  }, 60_000);
});
