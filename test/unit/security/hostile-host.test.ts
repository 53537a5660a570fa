import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseFacts } from '../../../src/facts/parse-facts.ts';
import { SECTIONS, type SectionName } from '../../../src/facts/sections.ts';
import { observedFirewalld } from '../../../src/firewalld/observed.ts';
import { parseXml, XmlError } from '../../../src/firewalld/xml.ts';
import { parseAnswer } from '../../../src/host/answers.ts';
import { jsonLine } from '../../../src/report/json/json-line.ts';
import { factsText } from '../../../src/report/terminal/facts-text.ts';
import { plansText } from '../../../src/report/terminal/plan-text.ts';
import { PLAIN_STYLE } from '../../../src/report/terminal/style.ts';
import { decideOn, prepare } from '../adversarial/helpers/worlds.ts';
import { probeText, runningFirewalld } from '../facts/helpers/probe-text.ts';
import { Firewalld } from '../plan/helpers/simulator.ts';

/** Values as JSON text: what no honest program prints, and what its reader may stumble over. */
const RAW = [
  'null',
  '[]',
  '{}',
  '""',
  '0',
  '-0',
  '1e999',
  '123456789012345678901234567890.5e-400',
  'true',
  '[null]',
  '[[]]',
  '[[null]]',
  '[["22-1","tcp"]]',
  '[["1-65535"]]',
  '{"toString":1,"valueOf":1}',
  '[[{"toString":1,"valueOf":1},"tcp"]]',
  '{"__proto__":{"polluted":true}}',
  '{"constructor":{"prototype":{"polluted":true}}}',
  '{"length":4294967295}',
  '{"hash":"a","hash":1}',
  '"\\ud800"',
  '"\\udc00\\ud800"',
  '"\\u0000\\u001b]0;owned\\u0007\\u001b[2J\\r\\n"',
  '"\\u202egnp.exe\\u2066 \\u009b31m \\u200b\\ufeff \\udb40\\udc41"',
  '["\\u001b[31m","\\ud800"]',
  '"<zone><short>&x;</short></zone>"',
  '"<!DOCTYPE a [<!ENTITY b \\"c\\">]><zone/>"',
  '"<zone><rule><source ipset=\\"none\\"/></rule><port port=\\"99999\\" protocol=\\"tcp\\"/></zone>"',
  '"rule family=\\"ipv4\\" source address=\\"\\u001b[2J\\" accept"',
  `"${'a'.repeat(5000)}"`,
  '['.repeat(60_000) + ']'.repeat(60_000),
  `${'{"a":'.repeat(60_000)}1${'}'.repeat(60_000)}`,
  'NaN',
  '[1,',
  '',
] as const;

/** Paths to every value of a document, itself included. */
function pathsOf(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, part]) => pathsOf(part, [...path, key]))];
}

/** A document as JSON text with the value at one place replaced by that text. */
function withRaw(document: unknown, path: readonly string[], raw: string): string {
  if (path.length === 0) return raw;
  const copy = structuredClone(document) as Record<string, unknown>;
  let owner = copy;
  for (const key of path.slice(0, -1)) owner = owner[key] as Record<string, unknown>;
  owner[path.at(-1)!] = '@HERE@';
  return JSON.stringify(copy).replace('"@HERE@"', () => raw);
}

/** Characters that steer a terminal or hide from its reader. */
const UNSAFE =
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]|[\u{e0000}-\u{e007f}]|\p{Surrogate}/u;

/** The answer of a host that has something of everything, as the collector prints it. */
const FULL = {
  ...runningFirewalld(),
  ...JSON.parse(
    JSON.stringify(
      new Firewalld([
        ['zones/public.xml', '<zone><interface name="eth0"/><service name="ssh"/><forward/></zone>'],
        [
          'zones/portfw-public.xml',
          '<zone><service name="portfw-old"/><rule><source ipset="portfw-set"/><accept/></rule></zone>',
        ],
        ['services/portfw-old.xml', '<service><port port="22" protocol="tcp"/><include service="ssh"/></service>'],
        [
          'ipsets/portfw-set.xml',
          '<ipset type="hash:net"><option name="maxelem" value="9"/><entry>192.0.2.7</entry></ipset>',
        ],
      ]).facts(),
    ),
  ),
} as Record<string, unknown>;

const WORLD = prepare(
  {
    matrix: 'm',
    title: 'M',
    print: { document: 'none', edition: 'none' },
    roles: {
      server: {
        title: 'S',
        every_host: true,
        rules: [{ interface: 'public', source: 's', ports: [{ tcp: 22, purpose: 'SSH' }] }],
      },
    },
  },
  {
    ansible_host: '192.0.2.10',
    portfw_interfaces: { public: ['eth0'] },
    portfw_roles: [],
    portfw_features: [],
    portfw_private: 'matrix',
    portfw_zone_target: 'default',
    portfw_vips: [],
    portfw_role_interfaces: {},
    portfw_allow_from: {},
    portfw_peers: {},
    portfw_management: [],
    portfw_extra_rules: [],
  },
);

/** Everything that is done with what a host says until a plan is shown. Returns the texts that people see. */
function throughAllStages(text: string): string {
  const parsed = parseFacts(text);
  if (parsed.kind === 'unreadable') return `${parsed.section}: ${parsed.why}`;
  const { facts } = parsed;
  // What goes to whoever reads --json: one line, nothing in it that steers.
  const line = jsonLine(facts);
  expect(line).not.toMatch(/\p{Cc}/u);
  JSON.parse(line);
  if (facts.firewalld.kind === 'running') observedFirewalld(facts.firewalld);
  const decision = decideOn(WORLD, new Firewalld(), facts.controllerPath, facts);
  const said =
    decision.kind === 'planned'
      ? plansText([decision.plan], { style: PLAIN_STYLE, verbosity: 2 })
      : `${decision.failure.what} ${decision.failure.solve}`;
  return [...parsed.notes, factsText('h', facts, PLAIN_STYLE), said].join('\n');
}

describe('a hostile host', { timeout: 60_000 }, () => {
  it('may put anything anywhere into what it says of firewalld', () => {
    const paths = pathsOf(FULL);
    let planned = 0;
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.constantFrom(...RAW), (path, raw) => {
        const firewalld = [withRaw(FULL, path, raw)];
        const text = probeText({ 'firewalld-version': ['installed', "'1.3.3'"], firewalld });
        if (parseFacts(text).kind === 'facts') planned += 1;
        throughAllStages(text);
      }),
      { numRuns: 160, seed: 5 },
    );
    expect(planned).toBeGreaterThan(30);
    expect('polluted' in {}).toBe(false);
  });

  it('shows nothing that steers a terminal, whatever section it is in', () => {
    const nasty = fc.oneof(
      fc.constantFrom(...RAW.filter((raw) => raw.length < 200)),
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.constantFrom(
        'tcp LISTEN 0 1 0.0.0.0:22 0.0.0.0:* users:(("\u001b[2J\u202e",pid=1,fd=1))',
        '2: \u001b]0;x\u0007eth0: <UP>',
        '    inet 192.0.2.10/24',
        'PRETTY_NAME="\u202e\u001b[31m"',
        'active:0a-1:eth0\u202e',
        'connection.uuid:0a-1',
        'connection.id:\u001b[1;1H\u{e0041}',
        'ssh.service loaded active \u001b[31m',
        '100005 3 udp 20048 \u009b31m',
        '{"holder":"\\u001b[2J","since":"\\u202e","id":"\\ud800"}',
        'held',
        'uid 0',
        'kernel \u001b[2J',
        'hostname \u202e\u{1f642}\ud800',
        '/etc/\u001b[2J',
        '192.0.2.1 1 192.0.2.10 22',
      ),
    );
    const usual = { firewalld: [JSON.stringify(FULL)], 'firewalld-version': ['installed', "'1.3.3'"] };
    fc.assert(
      fc.property(fc.constantFrom<SectionName>(...SECTIONS), fc.array(nasty, { maxLength: 6 }), (section, lines) => {
        const system = ['uid 0', 'kernel 6', 'hostname h', ...(section === 'system' ? lines : [])];
        const shown = throughAllStages(
          probeText({ ...usual, [section]: lines, system: section === 'system' ? lines : system }),
        );
        expect(shown).not.toMatch(UNSAFE);
      }),
      { numRuns: 150, seed: 6 },
    );
  });

  it('may answer a request with anything', () => {
    const pending = {
      id: 'i',
      holder: 'h',
      what: 'w',
      since: 's',
      confirm: 'auto',
      proved: true,
      decision: 'open',
      secondsLeft: 1,
      step: '',
      alive: true,
    };
    const last = { id: 'i', outcome: 'kept', by: 'b', why: 'w', at: 'a', what: 'w', holder: 'h' };
    const answers: readonly Record<string, unknown>[] = [
      { kind: 'begun', generation: 'g', reloaded: true },
      { kind: 'permanent', observed: FULL },
      { kind: 'kept', generation: 'g', drifted: false },
      { kind: 'held', pending },
      { kind: 'nothing-pending', last },
      { kind: 'status', lock: { holder: 'h', since: 's', id: 'i' }, pending: [pending], last },
      { kind: 'settled', aftermath: { kind: 'restore-failed', generation: 'g', why: 'w' } },
      {
        kind: 'history',
        generations: [{ id: 'i', savedAt: 's', savedBy: 'b', before: 'b', permanentHash: 'h', current: true }],
        pending: [pending],
      },
      { kind: 'rolled-back', generation: 'g', hash: 'h', whole: true, runtime: true },
      { kind: 'no-generation', why: 'w', known: ['g'] },
      { kind: 'locked', lock: { holder: 'h', since: 's', id: 'i' }, pending },
      { kind: 'failed', step: 's', why: 'w', aftermath: { kind: 'restored', generation: 'g', by: 'b' } },
    ];
    const places = answers.flatMap((answer) => pathsOf(answer).map((path) => ({ answer, path })));
    fc.assert(
      fc.property(fc.constantFrom(...places), fc.constantFrom(...RAW), ({ answer, path }, raw) => {
        const parsed = parseAnswer(withRaw(answer, path, raw));
        if (parsed.kind === 'permanent') return;
        expect(jsonLine(parsed)).not.toMatch(/\p{Cc}/u);
        for (const text of textsOf(parsed)) expect(text).not.toMatch(UNSAFE);
      }),
      { numRuns: 800, seed: 7 },
    );
  });

  it.each([
    ['a list that is nested without end', '['.repeat(2_000_000)],
    ['one that ends', `{"kind":"permanent","observed":${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}}`],
    ['an object of very many keys', `{${Array.from({ length: 200_000 }, (_, at) => `"k${at}":0`).join()}}`],
    ['a text of 16 MiB', JSON.stringify({ kind: 'x'.repeat(16 * 1024 * 1024) })],
  ])('gets no further with %s', (_what, text) => {
    const began = performance.now();
    expect(parseAnswer(text).kind).toBe('unreadable');
    expect(parseFacts(probeText({ 'firewalld-version': ['installed'], firewalld: [text] })).kind).toBe('unreadable');
    expect(performance.now() - began).toBeLessThan(8000);
  });

  it('has no file taken for good that firewalld itself would refuse', () => {
    // As Expat, which firewalld reads with, finds them.
    for (const text of [
      '\u0001',
      '\u001b',
      '\ufffe',
      '\uffff',
      '&#1;',
      '&#x0;',
      '&#65535;',
      '&#xd800;',
      '&#1114112;',
      '&x;',
    ])
      expect(() => parseXml(`<zone><short>${text}</short></zone>`, 'zone'), text).toThrow(XmlError);
    for (const text of [
      '\t\n',
      '\ufffd',
      '\u007f\u0085',
      '\u{1ffff}',
      '&#9;&#x41;',
      '<!-- &#1; -->',
      '<![CDATA[&#1;]]>',
    ])
      expect(() => parseXml(`<zone><short>${text}</short></zone>`, 'zone'), text).not.toThrow();
  });
});

function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsOf) : [];
}
