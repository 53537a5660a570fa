import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EVERY_ADDRESS } from '../../../src/core/address-ranges.ts';
import { Evaluator } from '../../../src/kernel/evaluate.ts';
import { readIpsetSave } from '../../../src/kernel/read-ipset-save.ts';
import { readIptablesSave } from '../../../src/kernel/read-iptables-save.ts';
import { readNft } from '../../../src/kernel/read-nft.ts';
import { stretches } from '../../../src/kernel/stretches.ts';
import { rulesDifference } from '../../helpers/rules-difference.ts';
import { ask, fixture, verdict } from './helpers/asking.ts';

type Line = Record<string, Record<string, unknown>>;

function lines(name: string): Line[] {
  return (JSON.parse(fixture(name)) as { nftables: Line[] }).nftables;
}

function read(entries: readonly unknown[]) {
  return readNft(JSON.stringify({ nftables: entries }));
}

/** An input chain of the policy drop with these rules. */
function inputChain(rules: readonly unknown[], besides: readonly unknown[] = []) {
  const of = { family: 'inet', table: 't', chain: 'input' };
  return read([
    { table: { family: 'inet', name: 't' } },
    { chain: { family: 'inet', table: 't', name: 'input', type: 'filter', hook: 'input', prio: 0, policy: 'drop' } },
    ...besides,
    ...rules.map((expr) => ({ rule: { ...of, expr } })),
  ]);
}

const match = (protocol: string, field: string, right: unknown, op = '==') => ({
  match: { op, left: { payload: { protocol, field } }, right },
});

describe('the comparison of rules', () => {
  const before = lines('forms-nft-1.1.3.json');

  it('passes over handles, counters, expiry, owners, and any order but that of rules', () => {
    const after = structuredClone(before).map((line): Line => {
      const [kind = '', value = {}] = Object.entries(line)[0] ?? [];
      value['handle'] = 999;
      if (kind === 'table') value['flags'] = ['owner', 'persist'];
      if (kind === 'set' && Array.isArray(value['elem'])) value['elem'].reverse();
      return line;
    });
    const text = JSON.stringify(after).replace(/"packets":\d+,"bytes":\d+/g, '"packets":7,"bytes":9');
    const entries = (JSON.parse(text) as Line[]).sort((a, b) => order(a) - order(b));
    expect(rulesDifference(read(before), read(entries))).toBeNull();
  });

  const order = (line: Line) =>
    ['metainfo', 'table', 'map', 'set', 'rule', 'chain'].indexOf(Object.keys(line)[0] ?? '');

  it('names what is missing and what is new', () => {
    const after = before.filter((line) => JSON.stringify(line).includes('"dport"') === false || !('rule' in line));
    const found = rulesDifference(read(before), read(after));
    expect(found?.added).toEqual([]);
    expect(found?.missing).toContain(
      'ip late input (filter input 20 accept): tcp dport 443 ip saddr 203.0.113.70 drop',
    );
    const one = inputChain([[match('tcp', 'dport', 22), { accept: null }], [{ drop: null }]]);
    const two = inputChain([[{ drop: null }], [match('tcp', 'dport', 22), { accept: null }]]);
    expect(rulesDifference(one, two)).toEqual({
      missing: ['tcp dport 22 accept', 'drop'].map((rule) => `inet t input (filter input 0 drop): ${rule}`),
      added: ['drop', 'tcp dport 22 accept'].map((rule) => `inet t input (filter input 0 drop): ${rule}`),
    });
  });

  it('sees a policy, an element and a set that differ', () => {
    const set = (elements: readonly string[]) => ({
      set: { family: 'inet', table: 't', name: 's', type: 'ipv4_addr', elem: elements },
    });
    const one = inputChain([], [set(['192.0.2.1', '192.0.2.2'])]);
    expect(rulesDifference(one, inputChain([], [set(['192.0.2.2', '192.0.2.1'])]))).toBeNull();
    expect(rulesDifference(one, inputChain([], [set(['192.0.2.2'])]))).toEqual({
      missing: ['inet t set s type ipv4_addr: 192.0.2.1'],
      added: [],
    });
    expect(rulesDifference(one, inputChain([]))?.missing).toHaveLength(3);
  });
});

describe('stretches of ports', () => {
  it('begin where a rule, a set or a map begins or ends', () => {
    expect(stretches([readNft(fixture('firewalld-2.3.1.json'))])).toEqual([1, 22, 23, 546, 547]);
    const forms = stretches([readNft(fixture('forms-nft-1.1.3.json'))]);
    for (const port of [82, 83, 84, 8000, 8011, 60_000, 110, 116, 22, 23]) expect(forms).toContain(port);
    expect(
      stretches([readNft(fixture('firewalld-2.3.1.json')), readIptablesSave(fixture('iptables-save.txt'), 'ip')]),
    ).toContain(2223);
  });

  it('are treated alike', () => {
    const rules = readNft(fixture('forms-nft-1.0.6.json'));
    const starts = stretches([rules]);
    for (const [index, start] of starts.entries()) {
      const last = (starts[index + 1] ?? 65_536) - 1;
      const answers = [start, last].map((port) => ({ ...ask(rules, { port }), translated: null }));
      expect(answers[0], `${start}-${last}`).toEqual(answers[1]);
    }
  });
});

describe('what the kernel does', () => {
  it('knows no connection before it is looked up, and none that is not tracked', () => {
    const early = (priority: number) =>
      read([
        { table: { family: 'ip', name: 't' } },
        {
          chain: {
            family: 'ip',
            table: 't',
            name: 'c',
            type: 'filter',
            hook: 'prerouting',
            prio: priority,
            policy: 'accept',
          },
        },
        {
          rule: {
            family: 'ip',
            table: 't',
            chain: 'c',
            expr: [{ match: { op: 'in', left: { ct: { key: 'state' } }, right: 'new' } }, { drop: null }],
          },
        },
      ]);
    expect(verdict(ask(early(-300)), '192.0.2.1')).toBe('accept');
    expect(verdict(ask(early(-150)), '192.0.2.1')).toBe('drop');
  });

  it('translates once, at one point of the hook, whatever the priorities say', () => {
    const nat = (name: string, priority: number, port: number) => [
      { chain: { family: 'ip', table: 't', name, type: 'nat', hook: 'prerouting', prio: priority, policy: 'accept' } },
      { rule: { family: 'ip', table: 't', chain: name, expr: [match('tcp', 'dport', 22), { redirect: { port } }] } },
    ];
    const rules = read([
      { table: { family: 'ip', name: 't' } },
      ...nat('second', -50, 24),
      ...nat('first', -60, 23),
      {
        chain: {
          family: 'ip',
          table: 't',
          name: 'late',
          type: 'filter',
          hook: 'prerouting',
          prio: -70,
          policy: 'accept',
        },
      },
      { rule: { family: 'ip', table: 't', chain: 'late', expr: [match('tcp', 'dport', 23), { drop: null }] } },
    ]);
    expect(verdict(ask(rules), '192.0.2.1')).toBe('to 198.51.100.1 23: drop');
    expect(verdict(ask(rules, { state: 'established' }), '192.0.2.1')).toBe('accept');
  });

  it('does not call a flow translated that goes where it wanted to go', () => {
    const of = { family: 'ip', table: 't' };
    const rules = (port: number) =>
      read([
        { table: { family: 'ip', name: 't' } },
        { chain: { ...of, name: 'n', type: 'nat', hook: 'prerouting', prio: -100, policy: 'accept' } },
        { rule: { ...of, chain: 'n', expr: [match('tcp', 'dport', 22), { redirect: { port } }] } },
        { chain: { ...of, name: 'i', type: 'filter', hook: 'input', prio: 0, policy: 'drop' } },
        {
          rule: {
            ...of,
            chain: 'i',
            expr: [{ match: { op: 'in', left: { ct: { key: 'status' } }, right: 'dnat' } }, { accept: null }],
          },
        },
      ]);
    const first = { redirectedTo: '198.51.100.1' };
    expect(verdict(ask(rules(23), first), '192.0.2.1')).toBe('to 198.51.100.1 23: accept');
    expect(verdict(ask(rules(22), first), '192.0.2.1')).toBe('drop');
    // To another of the host's addresses it is a translation; which one it is must be known.
    expect(verdict(ask(rules(22), { redirectedTo: '198.51.100.2' }), '192.0.2.1')).toBe('accept');
    const two = { local: ['198.51.100.1', '198.51.100.2'] };
    for (const worst of [true, false]) expect(verdict(ask(rules(22), two, worst), '192.0.2.1')).toBe('drop');
  });

  it("tells the host's own addresses as sources", () => {
    const own = (op: string) => ({
      match: { op, left: { fib: { result: 'type', flags: ['saddr'] } }, right: 'local' },
    });
    for (const [operator, ours, others] of [
      ['==', 'reject', 'accept'],
      ['!=', 'accept', 'reject'],
    ] as const) {
      const rules = inputChain([[own(operator), { reject: null }], [{ accept: null }]]);
      expect(verdict(ask(rules), '198.51.100.1')).toBe(ours);
      expect(verdict(ask(rules), '127.0.0.9')).toBe(ours);
      expect(verdict(ask(rules), '198.51.100.2')).toBe(others);
    }
  });

  it('assumes that packets come by the way that the routes know', () => {
    for (const version of ['0.9.3', '1.3.3', '2.3.1']) {
      expect(ask(readNft(fixture(`firewalld-${version}.json`)), { family: 'ipv6' }).refused).toEqual([]);
    }
  });

  it('keeps answers of large sets small: the same set, whatever the port', () => {
    const elements = Array.from({ length: 20_000 }, (_, index) => `11.${index >> 7}.${(index * 2) & 255}.0`);
    const set = { set: { family: 'inet', table: 't', name: 's', type: 'ipv4_addr', elem: elements } };
    const chain = inputChain(
      [
        [match('ip', 'saddr', '@s'), { drop: null }],
        ...[1, 2, 3].map((port) => [match('tcp', 'dport', port), { accept: null }]),
      ],
      [set],
    );
    const rules = new Evaluator(chain);
    const answers = [1, 2, 3].map((port) => ask(rules, { port }).accepted);
    expect(answers[0]!.length).toBeGreaterThan(10_000);
    expect(answers[1]).toBe(answers[0]);
    expect(answers[2]).toBe(answers[0]);
  });

  it('asks thousands of rules about large sets in no time', () => {
    const address = (number: number) => [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join('.');
    const elements = Array.from({ length: 100_000 }, (_, index) => ({
      prefix: { addr: address(0x0b000000 + index * 512), len: 24 },
    }));
    const set = {
      set: { family: 'inet', table: 't', name: 's', type: 'ipv4_addr', flags: ['interval'], elem: elements },
    };
    const rules = inputChain(
      [
        [match('ip', 'saddr', '@s'), { drop: null }],
        ...Array.from({ length: 2500 }, (_, index) => [
          match('ip', 'saddr', address(0xcb007100 + index * 7)),
          { drop: null },
        ]),
        ...Array.from({ length: 2500 }, (_, index) => [match('tcp', 'dport', index + 1), { accept: null }]),
      ],
      [set],
    );
    // The sets are made ready once.
    ask(rules, { port: 1 });
    const start = process.cpuUsage();
    for (const port of [2, 2400, 9999]) ask(rules, { port });
    expect(process.cpuUsage(start).user / 3000).toBeLessThan(500);
  }, 60_000);
});

describe('whatever a host sends', () => {
  it('is read without an exception, and answered', () => {
    const seeds = ['forms-nft-0.9.8.json', 'forms-nft-1.1.3.json', 'firewalld-0.9.3.json', 'iptables-nft.json'].map(
      lines,
    );
    const strange = fc.oneof(
      fc.jsonValue({ maxDepth: 3 }),
      fc.constantFrom<unknown>(
        '@banned',
        '__proto__',
        'constructor',
        -1,
        1.5,
        1e30,
        '\u0000',
        'x'.repeat(300),
        [],
        {},
        null,
      ),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...seeds),
        fc.array(fc.tuple(fc.nat(), fc.nat(), strange), { minLength: 1, maxLength: 12 }),
        (seed, edits) => {
          const copy = structuredClone(seed);
          for (const [entry, place, value] of edits) replaceIn(copy[entry % copy.length], place, value);
          const rules = read(copy);
          for (const worst of [true, false]) {
            ask(rules, { port: 80 }, worst);
            ask(rules, { direction: 'forward', outInterface: 'eth1', family: 'ipv6', protocol: 'udp' }, worst);
          }
          rulesDifference(rules, read(seed));
          stretches([rules]);
        },
      ),
      { numRuns: 200 },
    );
  }, 60_000);

  it('may be no JSON, nested without end, or rules that jump in circles', () => {
    expect(readNft('').problems).toEqual(['the list of rules is no JSON']);
    expect(readNft('[]').problems).toEqual(['the list of rules has no list "nftables"']);
    const deep = `${'{"&":['.repeat(50_000)}1${']}'.repeat(50_000)}`;
    const rules = readNft(
      `{"nftables":[{"chain":{"family":"ip","table":"t","name":"c","type":"filter","hook":"input","prio":0}},
        {"rule":{"family":"ip","table":"t","chain":"c","expr":[{"match":{"op":"==","left":${deep},"right":1}}]}},
        {"set":{"family":"ip","table":"t","name":"s","type":"ipv4_addr","elem":[${deep}]}}]}`,
    );
    expect(ask(rules).unknown).toEqual(['a rule that is nested too deep']);
    expect(rulesDifference(rules, rules)).toBeNull();
    const jump = (target: string) => [{ jump: { target } }];
    const of = { family: 'ip', table: 't' };
    const circle = read([
      { chain: { ...of, name: 'c', type: 'filter', hook: 'input', prio: 0, policy: 'accept' } },
      ...['c', 'a', 'b'].flatMap((chain) => ['a', 'b'].map((to) => ({ rule: { ...of, chain, expr: jump(to) } }))),
    ]);
    expect(ask(circle).accepted).toEqual([]);
    expect(ask(circle).unknown.length).toBeGreaterThan(0);
  }, 30_000);

  it('is evaluated once when its rules jump to each other endlessly', () => {
    const of = { family: 'ip', table: 't' };
    const forks = Array.from({ length: 22 }, (_, index) => [index, index]).flat();
    const rules = read([
      { chain: { ...of, name: 'c0', type: 'filter', hook: 'input', prio: 0, policy: 'accept' } },
      ...forks.map((index) => ({ rule: { ...of, chain: `c${index}`, expr: [{ jump: { target: `c${index + 1}` } }] } })),
      { chain: { ...of, name: 'c22' } },
    ]);
    const evaluator = new Evaluator(rules);
    const first = ask(evaluator);
    expect(first.accepted).toEqual([]);
    const began = Date.now();
    for (let port = 1; port <= 100; port += 1) {
      const again = ask(evaluator, { port });
      expect([again.accepted, again.unknown]).toEqual([[], first.unknown]);
    }
    expect(Date.now() - began).toBeLessThan(5_000);
  }, 300_000);

  it('may have numbers that are none, and more expressions than the kernel takes', () => {
    const rule = (expr: string) =>
      readNft(
        `{"nftables":[{"chain":{"family":"ip","table":"t","name":"c","type":"filter","hook":"input","prio":0}},
        {"rule":{"family":"ip","table":"t","chain":"c","expr":[${expr}]}}]}`,
      );
    const huge = rule('{"mangle":{"key":{"meta":{"key":"mark"}},"value":1e999}},{"drop":null}');
    expect(ask(huge).accepted).toEqual([]);
    const long = rule(`${'{"notrack":null},'.repeat(100_000)}{"drop":null}`);
    expect(ask(long).unknown).toEqual(['a rule that is longer than the kernel takes']);
    expect(ask(long).accepted).toEqual([]);
  });

  it('from iptables as well', () => {
    const texts = [fixture('iptables-save.txt'), fixture('ipset-save.txt')] as const;
    const edits = fc.array(fc.tuple(fc.nat(), fc.nat(40), fc.string({ maxLength: 12 })), {
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(edits, edits, (rules, sets) => {
        const [ruleText, setText] = [mangled(texts[0], rules), mangled(texts[1], sets)];
        const found = readIptablesSave(ruleText, 'ip', readIpsetSave(setText));
        for (const worst of [true, false]) ask(found, { port: 90, sources: EVERY_ADDRESS.ipv4 }, worst);
        stretches([found]);
        rulesDifference(found, found);
      }),
      { numRuns: 200 },
    );
  }, 60_000);
});

/** Puts a value in the place of one somewhere inside another. */
function replaceIn(tree: unknown, place: number, value: unknown): void {
  const holders: object[] = [];
  const collect = (item: unknown) => {
    if (typeof item !== 'object' || item === null) return;
    holders.push(item);
    for (const inner of Object.values(item)) collect(inner);
  };
  collect(tree);
  const holder = holders[place % Math.max(1, holders.length)];
  if (holder === undefined) return;
  const keys = Object.keys(holder);
  const key = keys[place % Math.max(1, keys.length)];
  if (key !== undefined) Reflect.set(holder, key, value);
}

function mangled(text: string, edits: readonly (readonly [number, number, string])[]): string {
  let result = text;
  for (const [at, length, by] of edits) {
    const start = at % (result.length + 1);
    result = result.slice(0, start) + by + result.slice(start + length);
  }
  return result;
}
