import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseRemembered } from '../../../src/facts/state.ts';
import { eachOurKind } from '../../../src/firewalld/kinds/kinds.ts';
import { parseAnswer } from '../../../src/host/answers.ts';
import { firewalldProgram } from '../../../src/host/programs.ts';
import { beginRequest, permanentRequest, startRequest } from '../../../src/host/requests.ts';
import {
  changed,
  type GivenRequest,
  GOOD,
  HOSTILE,
  isTakenAway,
  type Json,
  placesOf,
  RUN_ID,
  valueAt,
  type Way,
  withMore,
} from '../../helpers/hostile-requests.ts';
import { decideOn, prepare, worldArbitrary } from '../adversarial/helpers/worlds.ts';

const HOST = path.join(import.meta.dirname, '../../../src/host/remote');
const folder = mkdtempSync(path.join(tmpdir(), 'portfw-door-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The very Python that runs on hosts, but for its last lines, which begin to read standard input. */
const PROGRAM = firewalldProgram().split("<<'PORTFW_END_OF_PROGRAM'\n")[1]!.split('\nif len(sys.argv) == 3:')[0]!;

// A module of its own, so that Python compiles it once.
writeFileSync(path.join(folder, 'program.py'), PROGRAM);

/** Asks the door with the local Python; the expression sees `given`, and `ask`, which returns why a text is refused or None. */
function python(expression: string, given: unknown): unknown {
  const file = path.join(folder, 'ask.py');
  writeFileSync(
    file,
    `from program import *
def ask(sent):
    try:
        admitted(sent.encode("utf-8", "surrogatepass"))
    except Stop as stop:
        assert stop.document["kind"] == "refused"
        return stop.document["why"]
def attempt(rule, value):
    try:
        return rule(value)
    except Wrong as wrong:
        return wrong
given = json.load(sys.stdin)
json.dump(${expression}, sys.stdout)
`,
  );
  const input = JSON.stringify(given);
  return JSON.parse(execFileSync('python3', [file], { input, encoding: 'utf8', maxBuffer: 2 ** 28 }));
}

/** Why each request is refused; `null` for one that is let in. */
const asked = (requests: readonly unknown[]) =>
  python(
    '[ask(sent) for sent in given]',
    requests.map((request) => JSON.stringify(request)),
  ) as (string | null)[];

/** A place as a text, with every index alike: `.calls[][]`. */
const shown = (way: Way) => way.map((key) => (typeof key === 'number' ? '[]' : `.${key}`)).join('');

/** Places that people write texts into. */
const TEXTS = /\.(?:holder|what|why|short|description|signers\[\])$/;

/** What may stand in a place although it looks odd; everything else has to be refused. */
function mayBe(request: GivenRequest, way: Way, value: Json): boolean {
  const place = shown(way);
  const held = valueAt(request, way);
  if (typeof value === 'string') {
    if (TEXTS.test(place) && value.length > (/why|short|description/.test(place) ? -1 : 0)) {
      if (place === '.why') return value.length <= 8192;
      return (
        value.length <= (/short|desc/.test(place) ? 65_536 : 512) &&
        !/[\u0000-\u0008\u000b-\u001f\ud800]/.test(value) &&
        (/short|desc/.test(place) || !/[\n\u2028]/.test(value))
      );
    }
    const isCall = place === '.calls[][]' ? (valueAt(request, way.slice(0, -1)) as string[])[0] : '';
    if (isTakenAway(request, way)) return value !== '' && !/[\p{Cc}\u2028\ud800]/u.test(value) && value.length < 1025;
    if (isCall === 'move-connection' && way[2] === 2) return value === '';
    if (isCall === 'remove-forward-port' && (way[2] === 4 || way[2] === 5)) return value === '';
    return place === '.connections[][]' && way[2] === 1 && value === '';
  }
  if (value === null)
    return (
      value === held ||
      place === '.state' ||
      (place === '.generation' && request.operation !== 'rollback') ||
      (place === '.observedHash' && request.operation === 'rollback') ||
      place === '.ways[].sourcePort' ||
      /^\.audit\.(?:run|plan|file|journal)$/.test(place) ||
      (place === '.id' && request.operation === 'confirm')
    );
  // No time at all: where nobody has measured.
  if (value === 0) return place === '.reloadSeconds';
  if (typeof value === 'boolean') return /\.(?:reload|starts)$/.test(place) || value === held;
  if (Array.isArray(held))
    return Array.isArray(value) && value.length === 0 && !/^\.(?:calls|deletions|connections)\[\]$/.test(place);
  return isMap(place) && JSON.stringify(value) === '{}';
}

/** Whether a place holds objects by names of their own, and may hold none. */
function isMap(place: string): boolean {
  return place === '.ipsets.portfw-p.options' || eachOurKind((_, name) => `.${name}`).includes(place);
}

/** Whether a key is one of those names: without it, less is asked, and nothing wrong. */
function isFreeKey(way: Way): boolean {
  return isMap(shown(way.slice(0, -1)));
}

describe('the door', () => {
  it('lets in each operation with something in every field', () => {
    expect(asked(GOOD)).toEqual(GOOD.map(() => null));
    expect(new Set(GOOD.map(({ operation }) => operation))).toEqual(
      new Set(python('sorted(SCHEMA)', null) as string[]),
    );
  });

  it('knows the very operations and calls that the program carries out', () => {
    const request = readFileSync(path.join(HOST, 'request.py'), 'utf8');
    const carried = [...request.matchAll(/^ {4}"([a-z-]+)": \w+,$|"([a-z-]+)": \w+,$/gm)].map(
      (match) => match[1] ?? match[2],
    );
    const [operations, calls, counts] = python(
      `[sorted(SCHEMA), [sorted(CALLS), sorted([*RUNTIME_CALLS, "move-connection"])],
        [[name, len(CALLS[name]), len(RUNTIME_CALLS[name][2].rstrip("i"))] for name in RUNTIME_CALLS]]`,
      null,
    ) as [string[], string[][], [string, number, number][]];
    expect(carried.sort()).toEqual(operations);
    expect(calls[0]).toEqual(calls[1]);
    // As many arguments as the call on the bus has; a time without end is added to some.
    for (const [name, checked, sent] of counts) expect([name, checked]).toEqual([name, sent]);
  });

  it('lets in everything that portfw makes of a plan', () => {
    const guard = { windowSeconds: 60, confirm: 'auto' } as const;
    const requests: unknown[] = [];
    for (const world of fc.sample(worldArbitrary, { numRuns: 120, seed: 11 })) {
      const host = world.host();
      for (const mishap of world.mishaps) mishap.at(host);
      const decision = decideOn(prepare(world.matrix, world.variables), host, world.controller);
      if (decision.kind !== 'planned') continue;
      const { plan } = decision;
      const input = {
        id: RUN_ID,
        holder: '"; touch /x; #@h',
        at: '2026-03-01T10:00:00.000Z',
        guard,
        plan,
      };
      requests.push(beginRequest(input), permanentRequest(input), startRequest(input));
    }
    expect(requests.length).toBeGreaterThan(100);
    const seen = new Set(requests.flatMap((request) => placesOf(request as Json).map(shown)));
    for (const place of [
      '.files[].text',
      '.calls[][]',
      '.foreign[]',
      '.releases[].interfaces[]',
      '.edits[].zone',
      '.deletions[][]',
    ])
      expect(seen).toContain(place);
    const refused = asked(requests).flatMap((why, index) =>
      why === null ? [] : [[why, JSON.stringify(requests[index])]],
    );
    expect(refused.slice(0, 3)).toEqual([]);
  }, 120_000);
});

describe('the form of', () => {
  const rule = (text: string) => `rule family="ipv4" ${text}`;
  it.each([
    ['PORT', ['1', '65535', '8903-8904'], ['65536', '99999', '1-', '-1', '1-65536', '0x1', '1 ', 'ssh']],
    ['RUN', [RUN_ID], ['20260301T100000Z-0123aB', `${RUN_ID}x`, `x${RUN_ID}`, RUN_ID.replace('T', ' ')]],
    [
      'OUR_ZONE',
      ['portfw-public', 'portfw-1234567890'],
      ['portfw-', 'portfw-12345678901', 'public', 'portfw-a/b', 'portfw-a.b'],
    ],
    [
      'ZONE',
      ['public', 'office-2', 'a'.repeat(17), 'b\u00fcro'],
      ['a'.repeat(18), 'a/b', '..', '-a', 'a\u2028', 'a b'],
    ],
    [
      'INTERFACE',
      ['eth0', 'eth0.100', 'br+', 'enp1s0:1', 'a'.repeat(16)],
      ['a'.repeat(17), '-a', 'a/b', 'a b', 'a"', 'a$b', ''],
    ],
    ['UUID', ['0a6d1e5c-8f0b-4d7a-9a44-0c8b5f1e2d3c'], ['0a6d1e5c', 'id', '--temporary']],
    [
      'NETWORK',
      ['192.0.2.0/24', '2001:db8::/32', '192.0.2.1'],
      ['192.0.2.1,tcp:80', 'a.example.net', '/etc', '192.0.2.0/24/1'],
    ],
    [
      'RICH_RULE',
      [
        rule('source ipset="portfw-p" destination address="192.0.2.9" service name="portfw-a" accept'),
        rule('port port="1-65535" protocol="tcp" accept'),
        'rule priority="32767" accept',
        'rule priority="-1" family="ipv6" icmp-type name="packet-too-big" accept',
      ],
      [
        rule('log prefix="x" accept'),
        rule('masquerade'),
        rule('forward-port port="1" protocol="tcp" to-port="2"'),
        rule('port port="1" protocol="tcp" accept mark set="1"'),
        rule('service name="a b" accept'),
        rule('service name="sip" accept'),
        rule('source mac="00:11:22:33:44:55" reject type="icmp-host-prohibited"'),
        rule('source NOT address="192.0.2.0/24" accept'),
        rule('source address="192.0.2.0/24" drop'),
        rule('source address="192.0.2.0/24"'),
        `${rule('accept')}\n${rule('accept')}`,
        rule('port port="1-65536" protocol="tcp" accept'),
      ],
    ],
  ])('%s', (name, good, bad) => {
    const taken = python(
      `(lambda takes: [[takes(value) for value in values] for values in given])(lambda value: not isinstance(attempt(${name}, value), Wrong))`,
      [good, bad],
    );
    expect(taken).toEqual([good.map(() => true), bad.map(() => false)]);
  });
});

it('takes no time with 100,000 peers', () => {
  const seconds = python(
    `(lambda entries, began: (ask(json.dumps(dict(given[0],
        files=[{"path": "ipsets/portfw-a.xml", "text": XML_HEAD + '<ipset type="hash:net">\\n' + "".join("  <entry>%s</entry>\\n" % entry for entry in entries) + "</ipset>\\n"}],
        calls=[["add-entry", "portfw-a", entry] for entry in entries]))), ask(json.dumps(dict(given[1], ipsets={name: dict(one, entries=entries) for name, one in given[1]["ipsets"].items()}))),
        time.process_time() - began))(["10.%d.%d.%d" % (index >> 16, index >> 8 & 255, index & 255) for index in range(100000)], time.process_time())`,
    [GOOD[0], GOOD[2]],
  ) as [null, null, number];
  expect(seconds.slice(0, 2)).toEqual([null, null]);
  expect(seconds[2]).toBeLessThan(3);
}, 60_000);

it('lets in no file that the host would not read back whole', () => {
  const file = path.join(folder, 'longest');
  const request = GOOD[0] as GivenRequest;
  const [most, read, whole, more] = python(
    `(lambda most, one: [most, open(given[0], "wb").write(b"x" * (most + 9)) and len(read_bytes(given[0])),
      ask(one(most)), ask(one(most + 1))])(MOST_FILE_BYTES, lambda length: json.dumps(dict(given[1], files=[{"path": "ipsets/portfw-a.xml",
        "text": (lambda text: text + "\\n" * (length - len(text)))(XML_HEAD + '<ipset type="hash:net">\\n' + "  <entry>2001:db8:1111:2222:3333:4444:5555:6666</entry>\\n" * 100000 + "</ipset>\\n")}])))`,
    [file, request],
  ) as [number, number, string | null, string | null];
  expect(read).toBe(most + 1);
  expect(whole).toBe(null);
  expect(more).toContain('.files[0].text: expected at most');
}, 60_000);

it('lets nothing in that leaves the host unreadable for whoever comes next', () => {
  const texts = [
    'web-admin',
    'a'.repeat(128),
    'a b',
    '-',
    '\u00fc',
    '2026-03-01T10:00:00.000Z',
    '\u{1f525}'.repeat(10),
  ].concat([64, 65, 512, 1024, 8192, 65_536].flatMap((many) => ['x'.repeat(many), '\u{1f525}'.repeat(many)]));
  const state = valueAt(GOOD[0]!, ['state']) as Readonly<Record<string, Json>>;
  const end = { id: RUN_ID, outcome: 'kept', by: 'x', why: '', at: 'x', what: 'x', holder: 'x' };
  const unread: string[] = [];
  const taken = new Map<string, number>();
  const attempt = (what: string, change: (text: string) => [Json, () => unknown]) => {
    const tried = texts.map(change);
    asked(tried.map(([request]) => request)).forEach((why, index) => {
      if (why !== null) return;
      taken.set(what, (taken.get(what) ?? 0) + 1);
      try {
        const answer = tried[index]![1]();
        if ((answer as { kind?: string }).kind === 'unreadable') throw new Error('an answer that cannot be read');
      } catch (error) {
        unread.push(`${what} of ${texts[index]!.slice(0, 4)} x ${texts[index]!.length}: ${String(error)}`);
      }
    });
  };
  const begin = GOOD[0]!;
  for (const key of ['matrix', 'appliedAt', 'roles']) {
    attempt(`state.${key}`, (text) => {
      const given = { ...state, [key]: key === 'roles' ? [text] : text };
      return [{ ...begin, state: given }, () => parseRemembered([JSON.stringify(given)])];
    });
  }
  attempt('state.roles, many', (text) => {
    const roles = Array.from({ length: Math.min(text.length, 5000) }, (_, index) => `r${index}`);
    return [{ ...begin, state: { ...state, roles } }, () => parseRemembered([JSON.stringify({ ...state, roles })])];
  });
  for (const key of ['holder', 'what']) {
    attempt(key, (text) => [
      { ...begin, [key]: text },
      () => {
        const saved = { id: RUN_ID, savedAt: 'x', savedBy: text, before: text, permanentHash: 'x', current: false };
        const lock = { holder: text, since: 'x', id: RUN_ID };
        for (const answer of [
          { kind: 'history', generations: [saved], pending: [] },
          { kind: 'status', lock, pending: [], last: { ...end, [key]: text } },
        ]) {
          const read = parseAnswer(JSON.stringify(answer));
          if (read.kind === 'unreadable') return read;
        }
        return {};
      },
    ]);
  }
  attempt('why', (text) => [
    { operation: 'settle', id: RUN_ID, why: text },
    () => parseAnswer(JSON.stringify({ kind: 'status', lock: null, pending: [], last: { ...end, why: text } })),
  ]);
  expect(unread).toEqual([]);
  expect([...taken.keys()]).toEqual([
    'state.matrix',
    'state.appliedAt',
    'state.roles',
    'state.roles, many',
    'holder',
    'what',
    'why',
  ]);
});

describe('a request that is more than it should be', () => {
  interface Case {
    readonly what: string;
    readonly request: Json;
    readonly admitted: boolean;
  }
  const cases: Case[] = [];

  beforeAll(() => {
    for (const request of GOOD) {
      const { operation } = request;
      const places = placesOf(request).filter(([key]) => key !== 'operation');
      for (const way of places) {
        for (const value of HOSTILE) {
          const what = `${operation}${shown(way)} = ${JSON.stringify(value).slice(0, 60)}`;
          cases.push({ what, request: changed(request, way, value), admitted: mayBe(request, way, value) });
        }
        const parent = valueAt(request, way.slice(0, -1));
        if (!Array.isArray(parent) && !isFreeKey(way))
          cases.push({
            what: `${operation} without ${shown(way)}`,
            request: changed(request, way, undefined),
            admitted: false,
          });
      }
      for (const way of [[], ...places]) {
        const held = valueAt(request, way);
        if (typeof held === 'object' && held !== null && !Array.isArray(held))
          cases.push({ what: `${operation}${shown(way)} with more`, request: withMore(request, way), admitted: false });
      }
      for (const value of HOSTILE)
        cases.push({
          what: `the operation ${JSON.stringify(value).slice(0, 60)}`,
          request: changed(request, ['operation'], value),
          admitted: false,
        });
    }
  });

  it('is refused in every field of every operation', () => {
    expect(cases.length).toBeGreaterThan(5000);
    const answers = asked(cases.map(({ request }) => request));
    const wrong = cases.filter(({ admitted }, index) => (answers[index] === null) !== admitted);
    expect(wrong.map(({ what, admitted }) => `${admitted ? 'refused' : 'admitted'}: ${what}`)).toEqual([]);
    // What is said of it has nothing of it but names of fields, cut and escaped.
    for (const why of answers) if (why !== null) expect(why.length).toBeLessThan(300);
  }, 60_000);

  it.each([
    ['no JSON', '{'],
    ['no object', '[]'],
    ['nested without end', '['.repeat(200_000)],
    ['numbers without end', `{"operation":"settle","id":${'9'.repeat(100_000)},"why":""}`],
    ['no number', '{"operation":"rollback","window":NaN}'],
    ['no UTF-8', '{"operation":"status"}\ud800'],
  ])('is refused where it is %s', (_what, sent) => {
    expect(python('ask(given)', sent)).toContain('expected');
  });
});

describe('a file in a request', () => {
  const begin = GOOD[0]!;
  const text = (index: number) => valueAt(begin, ['files', index, 'text']) as string;
  const withText = (index: number, wanted: string) => changed(begin, ['files', index, 'text'], wanted);

  let answers: (string | null)[] | undefined;
  const files: readonly (readonly [string, number, string])[] = [
    ['a kernel module', 0, text(0).replace('</service>', '  <module name="nf_conntrack_sip"/>\n</service>')],
    ['another helper', 0, text(0).replace('"ftp"', '"sip"')],
    ['an include', 0, text(0).replace('</service>', '  <include service="ssh"/>\n</service>')],
    ['a DOCTYPE', 0, text(0).replace('<service>', '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/shadow">]>\n<service>')],
    ['a reference by name', 0, text(0).replace('A &#38; b', '&a;')],
    ['a character that XML does not have', 0, text(0).replace('&#38;', '&#0;')],
    ['a comment', 0, text(0).replace('<service>', '<service>\n  <!-- -->')],
    ['CDATA', 0, text(0).replace('A &#38; b', '<![CDATA[x]]>')],
    ['a processing instruction', 0, text(0).replace('<service>', '<?x y?>\n<service>')],
    ['another encoding', 0, text(0).replace('utf-8', 'utf-16')],
    ['another root', 0, text(2)],
    ['two roots', 0, `${text(0)}${text(0).split('?>\n')[1]}`],
    ['no end', 0, text(0).replace('</service>\n', '')],
    ['an end of something else', 0, text(0).replace('</service>', '</zone>')],
    ['nothing', 0, ''],
    ['an attribute twice', 0, text(0).replace('port="8442"', 'port="8442" port="22"')],
    ['another attribute', 0, text(0).replace('port="8442"', 'port="8442" x="y"')],
    ['no attribute', 0, text(0).replace('port="8442" ', '')],
    ['another type of set', 1, text(1).replace('hash:net', 'bitmap:port')],
    ['another option', 1, text(1).replace('"family"', '"timeout"')],
    ['an entry of two lines', 1, text(1).replace('2001:db8::/32', '2001:db8::/32\nx')],
    ['a rule that refuses', 2, text(2).replace('<accept/>', '<reject type="icmp-host-prohibited"/>')],
    ['a rule that logs', 2, text(2).replace('<accept/>', '<log prefix="x"/><accept/>')],
    ['a rule that forwards', 2, text(2).replace('<accept/>', '<masquerade/>')],
    ['forwarding between its interfaces', 2, text(2).replace('  <interface name="eth0"/>', '  <forward/>')],
    ['masquerading', 2, text(2).replace('  <interface name="eth0"/>', '  <masquerade/>')],
    ['a service of others, which may load kernel modules', 2, text(2).replace('"portfw-a"', '"sip"')],
    ['a source', 2, text(2).replace('  <interface name="eth0"/>', '  <source address="0.0.0.0/0"/>')],
    ['an interface that is none', 2, text(2).replace('"eth0"', '"eth0;x"')],
    ['another target', 2, text(2).replace('DROP', 'CONTINUE')],
    ['text between elements', 2, text(2).replace('  <interface name="eth0"/>', '  x\n  <interface name="eth0"/>')],
  ];

  it.each(files)('has nothing in it that we do not write: %s', (what, index, wanted) => {
    expect(wanted).not.toBe(text(index));
    answers ??= asked(files.map(([, at, given]) => withText(at, given)));
    expect(answers[files.findIndex(([other]) => other === what)]).toContain(`.files[${index}].text`);
  });
});
