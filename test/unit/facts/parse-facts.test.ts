import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ParsedFacts, parseFacts } from '../../../src/facts/parse-facts.ts';
import { SECTIONS } from '../../../src/facts/sections.ts';
import { probeText, runningFirewalld } from './helpers/probe-text.ts';

const FIXTURES = path.join(import.meta.dirname, '../../fixtures/facts');

/** The facts with firewalld's texts cut down to their names: the whole is in the fixture itself. */
function summary(parsed: ParsedFacts): unknown {
  if (parsed.kind === 'unreadable' || parsed.facts.firewalld.kind !== 'running') return parsed;
  const { files, builtin, runtime, ...rest } = parsed.facts.firewalld;
  const firewalld = {
    ...rest,
    files: files.map((file) => `${file.mode} ${file.owner} ${file.path}`),
    builtin: builtin.map((file) => file.path),
    runtime: {
      ...Object.fromEntries(Object.entries(runtime).map(([key, value]) => [key, Object.keys(value)])),
      direct: runtime.direct,
    },
  };
  return { ...parsed, facts: { ...parsed.facts, firewalld } };
}

describe('answers of hosts', () => {
  const names = readdirSync(FIXTURES).filter((name) => name.endsWith('.txt'));
  it.each(names)('%s', async (name) => {
    const parsed = parseFacts(readFileSync(path.join(FIXTURES, name), 'utf8'));
    const expected = path.join(FIXTURES, name.replace(/\.txt$/, '.json'));
    await expect(`${JSON.stringify(summary(parsed), null, 2)}\n`).toMatchFileSnapshot(expected);
  });
});

function facts(text: string): Extract<ParsedFacts, { kind: 'facts' }> {
  const parsed = parseFacts(text);
  if (parsed.kind === 'unreadable') throw new Error(`${parsed.section}: ${parsed.why}`);
  return parsed;
}

describe('an answer that is not whole', () => {
  const whole = probeText();

  it('passes over what a login shell printed first', () => {
    expect(facts(`Welcome to sip1\n@@ authorised use only @@\n${whole}`).facts.hostname).toBe('sip1');
  });

  it('accepts a section that ended without a line feed', () => {
    const text = probeText({
      'firewalld-version': ['installed'],
      firewalld: ['{"kind":"stopped","reason":"it is not running"}'],
    });
    expect(facts(text.replace('running"}\n', 'running"}')).facts.firewalld.kind).toBe('stopped');
  });

  it('says after each cut which section is missing', () => {
    for (const name of [...SECTIONS, 'end']) {
      const cut = whole.slice(0, whole.indexOf(`\n@@${name}\n`));
      expect(parseFacts(cut)).toMatchObject({ kind: 'unreadable', section: name });
    }
  });

  it.each([
    ['nothing', '', 'probe'],
    ['a banner only', 'Last login: today\n', 'probe'],
    ['a section twice', whole.replace('\n@@missing', '\n@@files\n@@missing'), 'missing'],
    ['an unknown section', whole.replace('\n@@os', '\n@@extra\n@@os'), 'os'],
    ['text at the start of a line', whole.replace('\n@@os', '\nbash: warning\n@@os'), 'os'],
    ['an end that comes early', `${whole.slice(0, whole.indexOf('\n@@units\n'))}\n@@end\n`, 'units'],
    ['text behind the end', `${whole}more\n`, 'probe'],
  ])('refuses %s', (_what, text, section) => {
    expect(parseFacts(text)).toMatchObject({ kind: 'unreadable', section });
  });
});

describe('the way that we came in by', () => {
  it.each([
    ['192.0.2.10 50022 198.51.100.1 22', ['192.0.2.10', 50022, '198.51.100.1', 22]],
    ['2001:DB8::10 50022 2001:db8:0:0::1 2222', ['2001:db8::10', 50022, '2001:db8::1', 2222]],
    ['fe80::1%eth0 50022 fe80::2%eth0 22', ['fe80::1', 50022, 'fe80::2', 22]],
    ['::ffff:192.0.2.10 50022 ::ffff:198.51.100.1 22', ['192.0.2.10', 50022, '198.51.100.1', 22]],
  ])('%s', (line, [clientAddress, clientPort, serverAddress, serverPort]) => {
    expect(facts(probeText({ ssh: [line] })).facts.controllerPath).toEqual({
      clientAddress,
      clientPort,
      serverAddress,
      serverPort,
    });
  });

  it.each([[[]], [['UNKNOWN 65535 UNKNOWN 65535']]])('is none for %j', (lines) => {
    expect(facts(probeText({ ssh: lines })).facts.controllerPath).toBeNull();
  });

  it.each(['192.0.2.10 50022', '192.0.2.10 0 198.51.100.1 22', '010.0.0.1 1 198.51.100.1 22', 'a b c d'])(
    'refuses "%s"',
    (line) => {
      expect(parseFacts(probeText({ ssh: [line] }))).toMatchObject({ kind: 'unreadable', section: 'ssh' });
    },
  );
});

describe('links and routes', () => {
  const links = (...lines: string[]) =>
    facts(probeText({ interfaces: lines })).facts.interfaces.map(({ name, kind, parent }) => [name, kind, parent]);

  it.each<[string, string[], [string, string?, string?]]>([
    [
      'a macvlan of keepalived',
      [
        '2: vrrp.51@eth0: <BROADCAST,UP> mtu 1500',
        '    link/ether 00:00:5e:00:01:33 brd ff:ff:ff:ff:ff:ff promiscuity 0 minmtu 68 maxmtu 65535 ',
        '    macvlan mode private numtxqueues 1 numrxqueues 1 ',
        '    inet 192.0.2.80/32 scope global vrrp.51',
      ],
      ['vrrp.51', 'macvlan', 'eth0'],
    ],
    [
      'a VLAN',
      ['3: eth0.7@eth0: <UP> mtu 1500', '    vlan protocol 802.1Q id 7 <REORDER_HDR> '],
      ['eth0.7', 'vlan', 'eth0'],
    ],
    [
      "one end of a container's link: the other end is no parent",
      ['4: eth0@if5: <UP> mtu 1500', '    link/ether 02:42:c6:12:56:0b link-netnsid 0', '    veth numtxqueues 2 '],
      ['eth0', 'veth'],
    ],
    ['a name with an @', ['5: a@b@if9: <UP> mtu 1500', '    macvlan mode bridge '], ['a@b', 'macvlan', 'if9']],
    ['hardware', ['6: eth0: <UP> mtu 1500', '    link/ether 52:54:00:00:00:01', '    inet 192.0.2.1/24'], ['eth0']],
    ['hardware in a bridge', ['6: eth0: <UP> master br0', '    bridge_slave state forwarding'], ['eth0']],
    ['an alias is no kind', ['7: eth0@eth9: <UP>', '    alias macvlan', '    macvlan mode private'], ['eth0']],
    ['another name is no kind', ['8: eth0: <UP>', '    altname enp0s3', '    dummy x'], ['eth0']],
  ])('%s', (_what, lines, [name, kind, parent]) => {
    expect(links(...lines)).toEqual([[name, kind, parent]]);
  });

  it('reads default routes of every table and family', () => {
    const routes = [
      'ipv4 default via 192.0.2.1 dev eth0 proto static metric 100 ',
      'ipv4 default table 100 \\\tnexthop dev vrrp.51 weight 1 \\\tnexthop via 192.0.2.1 dev eth1 weight 2 ',
      'ipv4 unreachable default metric 5000 ',
      'ipv6 default via fe80::1 dev eth1 proto ra metric 1024 pref medium',
      'ipv6 default via fe80::2 dev eth1 metric 2048',
      'ipv6 unreachable default dev lo metric 4294967295 error -101 pref medium',
      'Error: something else',
    ];
    const read = facts(probeText({ routes })).facts.defaultRoutes;
    expect(read?.map((route) => `${route.family} ${route.table} ${route.interface}`)).toEqual([
      'ipv4 100 eth1',
      'ipv4 100 vrrp.51',
      'ipv4 main eth0',
      'ipv6 main eth1',
    ]);
  });

  it('tells no routes from a probe that did not ask', () => {
    expect(facts(probeText()).facts.defaultRoutes).toEqual([]);
    expect(facts(probeText().replace('\n@@routes\n', '')).facts.defaultRoutes).toBeUndefined();
  });
});

describe('listening sockets', () => {
  const parse = (...lines: string[]) => facts(probeText({ sockets: lines }));

  it.each([
    ['tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:(("sshd",pid=40,fd=3))', 'tcp', '0.0.0.0', 22, ['sshd']],
    ['tcp   LISTEN 0  4096  *:80  *:*  users:(("nginx",pid=9,fd=6),("nginx",pid=8,fd=6))', 'tcp', '*', 80, ['nginx']],
    ['tcp LISTEN 0 128 :::22 :::* users:(("sshd",1,3))', 'tcp', '::', 22, []],
    [
      'udp UNCONN 0 0 [2001:db8::1]:5060 [::]:* users:(("b",pid=2,fd=4),("a",pid=1,fd=4))',
      'udp',
      '2001:db8::1',
      5060,
      ['a', 'b'],
    ],
    ['udp UNCONN 0 0 127.0.0.53%lo:53 0.0.0.0:*', 'udp', '127.0.0.53', 53, []],
    ['udp UNCONN 0 0 0.0.0.0%eth0:67 0.0.0.0:*', 'udp', '0.0.0.0', 67, []],
    ['udp UNCONN 0 0 0.0.0.0%lo:67 0.0.0.0:*', 'udp', '127.0.0.1', 67, []],
    ['udp UNCONN 0 0 *%lo:67 *:*', 'udp', '::1', 67, []],
    ['udp UNCONN 0 0 [fe80::1]%eth0:546 [::]:*', 'udp', 'fe80::1', 546, []],
    ['tcp LISTEN 0 50 [::ffff:192.0.2.1]:1099 *:*', 'tcp', '192.0.2.1', 1099, []],
    ['tcp LISTEN 0 5 0.0.0.0:1312 0.0.0.0:* users:(("my daemon",pid=4,fd=1))', 'tcp', '0.0.0.0', 1312, ['my daemon']],
  ] as const)('%s', (line, protocol, address, port, processes) => {
    expect(parse(line).facts.sockets).toEqual([{ protocol, address, port, processes }]);
    expect(parse(line).notes).toEqual([]);
  });

  it('are merged by protocol, address and port, and sorted', () => {
    const { sockets } = parse(
      'udp UNCONN 0 0 0.0.0.0:5060 0.0.0.0:* users:(("sbc",pid=7,fd=4))',
      'tcp LISTEN 0 0 0.0.0.0:5060 0.0.0.0:* users:(("sbc",pid=7,fd=5))',
      'udp UNCONN 0 0 0.0.0.0:5060 0.0.0.0:* users:(("edge",pid=8,fd=4))',
      'tcp LISTEN 0 0 0.0.0.0:443 0.0.0.0:*',
    ).facts;
    expect(sockets.map(({ protocol, port, processes }) => [protocol, port, ...processes])).toEqual([
      ['tcp', 443],
      ['tcp', 5060, 'sbc'],
      ['udp', 5060, 'edge', 'sbc'],
    ]);
  });

  it.each([
    ['a port beyond 65535', 'tcp LISTEN 0 128 0.0.0.0:65536 0.0.0.0:*'],
    ['an octal-looking address', 'tcp LISTEN 0 128 010.0.0.1:22 0.0.0.0:*'],
    ['the rest of a process name with a line break', 'x",pid=4,fd=5))'],
    ['another protocol', 'sctp LISTEN 0 128 0.0.0.0:36412 0.0.0.0:*'],
  ])('pass over %s, and say so', (_what, line) => {
    const { facts: found, notes } = parse('tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:*', line);
    expect(found.sockets).toHaveLength(1);
    expect(notes).toEqual(['1 line of the list of sockets could not be read']);
  });
});

describe('names from the host', () => {
  it('carry no control characters', () => {
    const esc = '\u001b]0;owned\u0007';
    const { facts: found } = facts(
      probeText({
        system: ['uid 0', `kernel 6${esc}`, `hostname h${esc}`],
        os: [`PRETTY_NAME="x${esc}"`],
        processes: [`p${esc}`, 'p\r'],
        sockets: [`udp UNCONN 0 0 0.0.0.0:5060 0.0.0.0:* users:(("s${esc}",pid=1,fd=1))`],
        interfaces: [`2: e${esc}: <UP>`],
        rpc: [`100005 3 udp 20048 m${esc}`],
        files: [`/f${esc}`],
        lock: ['held', JSON.stringify({ holder: `me${esc}` })],
        'firewalld-version': ['installed', "'1.3.3'"],
        firewalld: [JSON.stringify({ kind: 'stopped', reason: `r${esc}` })],
      }),
    );
    expect(JSON.stringify(found)).not.toMatch(/\\u00[01]|\\[rnbt]|\u007f/);
    expect(found.hostname).toContain('\\u{1b}');
  });
});

describe('what is remembered, and the lock', () => {
  const state = {
    format: 1,
    matrix: 'portaswitch',
    roles: ['web-admin'],
    generation: '20260101T000000Z-abcdef',
    appliedAt: '2026-01-01T00:00:00Z',
  };
  const parse = (value: unknown) => parseFacts(probeText({ state: [JSON.stringify(value)] }));

  it('is read back as it was written', () => {
    expect(parse(state)).toMatchObject({ facts: { remembered: state } });
  });

  it.each([
    ['another format', { ...state, format: 2 }],
    ['no matrix', { ...state, matrix: undefined }],
    ['roles that are no list', { ...state, roles: 'web-admin' }],
    ['a role that is no name', { ...state, roles: ['../etc'] }],
    ['a list', []],
    ['a number', 7],
  ])('is refused with %s: forgetting would close ports', (_what, value) => {
    expect(parse(value)).toMatchObject({ kind: 'unreadable', section: 'state' });
  });

  it.each([
    [['held'], { holder: 'unknown', since: 'unknown', id: 'unknown' }],
    [['held', '{"holder":"ops'], { holder: 'unknown', since: 'unknown', id: 'unknown' }],
    [
      ['held', '{"holder":"ops@c1","since":"2026-01-01T00:00:00Z","id":"7"}'],
      { holder: 'ops@c1', since: '2026-01-01T00:00:00Z', id: '7' },
    ],
    [[], null],
  ])('a lock of %j', (lines, lock) => {
    expect(facts(probeText({ lock: lines })).facts.lock).toEqual(lock);
  });

  it('runs that have not ended are told by the collector, and none where it says nothing of them', () => {
    const run = {
      id: '20260301T100000Z-0123ab',
      holder: 'ann@desk\u001b[31m',
      what: 'apply telephony',
      since: '2026-03-01T10:00:00Z',
      confirm: 'manual',
      proved: true,
      decision: 'open',
      secondsLeft: 30,
      step: '',
      alive: true,
    };
    const unfinished = { runs: [run, { ...run, alive: false, decision: 'revert' }], busy: true };
    const text = (given: Record<string, unknown>) =>
      probeText({ 'firewalld-version': ['installed'], firewalld: [JSON.stringify(runningFirewalld(given))] });
    const { facts: found } = facts(text({ unfinished }));
    expect(found.unfinished).toEqual({
      runs: [
        { ...run, holder: 'ann@desk\\u{1b}[31m' },
        { ...run, holder: 'ann@desk\\u{1b}[31m', alive: false, decision: 'revert' },
      ],
      busy: true,
    });
    expect(facts(text({})).facts.unfinished).toEqual({ runs: [], busy: false });
    expect(parseFacts(text({ unfinished: { runs: [{ ...run, alive: 'yes' }], busy: false } })).kind).toBe('unreadable');
  });
});

describe('firewalld', () => {
  const parsedText = (json: unknown, version: readonly string[] = ["'1.3.3'"]) =>
    probeText({ 'firewalld-version': ['installed', ...version], firewalld: [JSON.stringify(json)] });
  const parse = (json: unknown, version?: readonly string[]) => parseFacts(parsedText(json, version));

  it('is taken over whole when it runs', () => {
    const { kind: _, ...rest } = runningFirewalld();
    expect(parse(runningFirewalld())).toMatchObject({ facts: { firewalld: rest } });
  });

  it('that is not installed is absent', () => {
    expect(facts(probeText()).facts.firewalld).toEqual({ kind: 'absent' });
  });

  it('that does not run has its version from the package', () => {
    expect(parse({ kind: 'stopped', reason: 'the service is not running' }, ['"2.3.1"'])).toMatchObject({
      facts: { firewalld: { kind: 'stopped', version: '2.3.1', reason: 'the service is not running' } },
    });
  });

  it('that does not run says what it would be, where that can be said', () => {
    const offline = { ...runningFirewalld(), kind: 'offline' };
    const stopped = { kind: 'stopped', reason: 'the service is not running', unit: 'disabled\u001b[2J', offline };
    const { kind: _, ...rest } = runningFirewalld();
    const read = facts(parsedText(stopped)).facts.firewalld;
    if (read.kind !== 'stopped') throw new Error(read.kind);
    expect(read.offline?.firewalld).toMatchObject(rest);
    expect(read.offline?.unit).not.toContain('\u001b');
    expect(parse({ ...stopped, offline: { ...offline, hash: 'x' } })).toMatchObject({ kind: 'unreadable' });
  });

  it('that is too old to be collected is refused by its version', () => {
    const text = probeText({ 'firewalld-version': ['installed', "'0.6.3'"] });
    expect(facts(text).facts.firewalld).toMatchObject({
      kind: 'stopped',
      version: '0.6.3',
      reason: /older than 0\.9\.0/,
    });
  });

  it('that could not be collected is unreadable', () => {
    expect(parseFacts(probeText({ 'firewalld-version': ['installed', "'1.3.3'"] }))).toMatchObject({
      section: 'firewalld',
    });
    expect(parse({ kind: 'failed', reason: 'no bindings' })).toMatchObject({
      section: 'firewalld',
      why: 'no bindings',
    });
  });

  it('is not asked for without root', () => {
    const text = probeText({
      system: ['uid 1000', 'kernel 6', 'hostname h'],
      'firewalld-version': ['installed', "'1.3.3'"],
    });
    expect(facts(text).facts).toMatchObject({ root: false, firewalld: { kind: 'stopped', version: '1.3.3' } });
    expect(facts(text).notes.join()).toMatch(/root/);
  });

  const file = { path: 'zones/public.xml', text: '', mode: '0644', owner: '0:0', sha256: 'a'.repeat(64) };
  it('keeps what is odd about a file, as one line', () => {
    const odd = { ...file, link: '/srv/a\nb.xml', unreadable: 'it is \u001b[1mbad', mounted: true, folder: true };
    const read = parse(runningFirewalld({ files: [odd], otherFolder: '/srv/fw\n', denies: true }));
    expect(read).toMatchObject({
      facts: {
        firewalld: {
          otherFolder: '/srv/fw\\u{a}',
          denies: true,
          files: [{ link: '/srv/a\\u{a}b.xml', unreadable: 'it is \\u{1b}[1mbad', mounted: true, folder: true }],
        },
      },
    });
  });

  const runtime = { zones: {}, services: {}, ipsets: {}, policies: {}, direct: [] };
  it.each([
    ['an unknown kind', { kind: 'sleeping' }],
    ['no kind', {}],
    ['a list', []],
    ['null', null],
    ['a version that is none', runningFirewalld({ version: 'new' })],
    ['a version that is a number', runningFirewalld({ version: 2 })],
    ['a flag that is text', runningFirewalld({ panicMode: 'no' })],
    ['a hash that is none', runningFirewalld({ hash: 'A'.repeat(64) })],
    ['a state that is missing', runningFirewalld({ state: undefined })],
    ['files that are an object', runningFirewalld({ files: {} })],
    ['a file that is text', runningFirewalld({ files: ['zones/public.xml'] })],
    ['a link that is no text', runningFirewalld({ files: [{ ...file, link: 5 }] })],
    ['a reason that is no text', runningFirewalld({ files: [{ ...file, unreadable: {} }] })],
    ['a mount that is text', runningFirewalld({ files: [{ ...file, mounted: 'yes' }] })],
    ['a path that leads out', runningFirewalld({ files: [{ ...file, path: '../shadow' }] })],
    ['a path in the middle that leads out', runningFirewalld({ files: [{ ...file, path: 'zones/../../shadow' }] })],
    ['an absolute path', runningFirewalld({ builtin: [{ path: '/etc/shadow', text: '' }] })],
    ['a path with a line break', runningFirewalld({ files: [{ ...file, path: 'zones/a\nb.xml' }] })],
    ['a mode that is none', runningFirewalld({ files: [{ ...file, mode: 'rw-r--r--' }] })],
    ['an owner with an escape', runningFirewalld({ files: [{ ...file, owner: '\u001b[31m' }] })],
    ['a text that is missing', runningFirewalld({ files: [{ ...file, text: null }] })],
    ['no runtime', runningFirewalld({ runtime: null })],
    ['runtime zones that are a list', runningFirewalld({ runtime: { ...runtime, zones: [] } })],
    ['a runtime zone that is text', runningFirewalld({ runtime: { ...runtime, zones: { public: 'open' } } })],
    ['a direct rule that is an object', runningFirewalld({ runtime: { ...runtime, direct: [{}] } })],
    ['helpers that are no texts', runningFirewalld({ helpers: [1] })],
  ])('is refused with %s', (_what, json) => {
    expect(parse(json)).toMatchObject({ kind: 'unreadable', section: 'firewalld' });
  });

  it('is refused when its JSON is cut off', () => {
    const whole = JSON.stringify(runningFirewalld());
    const text = probeText({ 'firewalld-version': ['installed'], firewalld: [whole.slice(0, -9)] });
    expect(parseFacts(text)).toMatchObject({ kind: 'unreadable', section: 'firewalld', why: /JSON/ });
  });

  it('keeps a zone named __proto__ a name', () => {
    const text = JSON.stringify(runningFirewalld()).replace('"zones":{"public"', '"zones":{"__proto__"');
    const parsed = parseFacts(probeText({ 'firewalld-version': ['installed'], firewalld: [text] }));
    if (parsed.kind !== 'facts' || parsed.facts.firewalld.kind !== 'running') throw new Error('not read');
    expect(Object.keys(parsed.facts.firewalld.runtime.zones)).toEqual(['__proto__']);
  });
});

describe('whatever a host says', () => {
  const line = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 80 }),
    fc.constantFrom(
      '@@end',
      '@@firewalld',
      'tcp LISTEN 0 0 [::',
      'udp UNCONN 0 0 1.2.3.4:99999 x',
      'held',
      'installed',
      '{',
      '[1]',
      'inet 1.2.3.4/99',
      '1: a: <>',
      'null',
    ),
  );
  const isResult = (parsed: ParsedFacts): boolean =>
    parsed.kind === 'facts' || (parsed.section !== '' && parsed.why !== '');

  it('gives facts or a reason, for any text', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 2000 }), (text) => isResult(parseFacts(text))));
  });

  it('gives facts or a reason, for any content of any section', () => {
    const contents = fc.record(Object.fromEntries(SECTIONS.map((name) => [name, fc.array(line, { maxLength: 5 })])), {
      requiredKeys: [],
    });
    fc.assert(fc.property(contents, (sections) => isResult(parseFacts(probeText(sections)))));
  });

  it('gives facts or a reason, for any JSON of the collector', () => {
    const key = fc.constantFrom(...Object.keys(runningFirewalld()));
    fc.assert(
      fc.property(key, fc.jsonValue(), (changed, value) => {
        const firewalld = [JSON.stringify(runningFirewalld({ [changed]: value }))];
        return isResult(parseFacts(probeText({ 'firewalld-version': ['installed'], firewalld })));
      }),
    );
  });

  it('cannot be forged from within a section', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...SECTIONS.map((name) => `@@${name}`), '@@end', '@@portfw-facts'), { maxLength: 20 }),
        (processes) => {
          const parsed = parseFacts(probeText({ processes }));
          expect(parsed).toMatchObject({
            kind: 'facts',
            facts: { processes: [...new Set(processes)].sort(), hostname: 'sip1' },
          });
        },
      ),
    );
  });
});
