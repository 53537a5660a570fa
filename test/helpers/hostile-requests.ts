/** Requests as portfw sends them, and as somebody sends them who wants to become root by them. */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type GivenRequest = { readonly operation: string; readonly [key: string]: Json };

export const RUN_ID = '20260301T100000Z-0123ab';
const UUID = '0a6d1e5c-8f0b-4d7a-9a44-0c8b5f1e2d3c';
const HEAD = '<?xml version="1.0" encoding="utf-8"?>\n';
const TITLES = '  <short>A &#38; b</short>\n  <description>c</description>\n';
const SERVICE = `${HEAD}<service>\n${TITLES}  <port port="8442" protocol="tcp"/>\n  <helper name="ftp"/>\n</service>\n`;
const IPSET = `${HEAD}<ipset type="hash:net">\n${TITLES}  <option name="family" value="inet6"/>\n  <entry>2001:db8::/32</entry>\n</ipset>\n`;
const ZONE = `${HEAD}<zone target="DROP">\n${TITLES}  <interface name="eth0"/>\n  <service name="portfw-a"/>\n  
  <rule family="ipv4">\n    <source ipset="portfw-p"/>\n    <destination address="192.0.2.9"/>\n    <port port="1-2" protocol="udp"/>\n    <accept/>\n  </rule>\n</zone>\n`;

const audit = {
  run: RUN_ID,
  plan: 'b'.repeat(64),
  file: 'c'.repeat(64),
  signers: ['change-board@example.net'],
  journal: { id: 'd'.repeat(64), seq: 7, digest: 'e'.repeat(64) },
};
const head = { id: RUN_ID, holder: 'ops@desk', what: 'apply portaswitch', window: 60, audit };
const change = {
  ...head,
  confirm: 'auto',
  observedHash: 'a'.repeat(64),
  files: [
    { path: 'services/portfw-a.xml', text: SERVICE },
    { path: 'ipsets/portfw-p.xml', text: IPSET },
    { path: 'zones/portfw-public.xml', text: ZONE },
  ],
  foreign: ['zones/office.xml'],
  state: {
    format: 1,
    matrix: 'portaswitch',
    roles: ['web-admin'],
    generation: RUN_ID,
    appliedAt: '2026-03-01T10:00:00.000Z',
  },
};
const released = [{ zone: 'office', interfaces: ['eth0'] }];
const rule =
  'rule family="ipv4" source ipset="portfw-p" destination address="192.0.2.9" service name="portfw-a" accept';

/** One good request of each operation, with something in every field. */
export const GOOD: readonly GivenRequest[] = [
  {
    operation: 'begin',
    ...change,
    reload: true,
    reloadSeconds: 2,
    calls: [
      ['move-connection', UUID, 'portfw-public', 'eth0'],
      ['bind-interface', 'portfw-public', 'eth0.7'],
      ['release-interface', 'portfw-old', 'eth1'],
      ['add-service', 'portfw-public', 'portfw-a'],
      ['remove-service', 'portfw-public', 'büro'],
      ['add-rich-rule', 'portfw-public', rule],
      ['remove-rich-rule', 'portfw-public', 'rule family="ipv4" log prefix="x" drop'],
      ['remove-port', 'portfw-public', '1-2', 'tcp'],
      ['remove-source-port', 'portfw-public', '53', 'udp'],
      ['remove-protocol', 'portfw-public', 'esp'],
      ['remove-source', 'portfw-public', 'ipset:x'],
      ['remove-masquerade', 'portfw-public'],
      ['remove-icmp-block', 'portfw-public', 'echo-request'],
      ['remove-icmp-block-inversion', 'portfw-public'],
      ['remove-forward-port', 'portfw-public', '80', 'tcp', '8080', '192.0.2.1'],
      ['add-entry', 'portfw-p', '192.0.2.0/24'],
      ['remove-entry', 'portfw-p', '2001:db8::1'],
    ],
  },
  { operation: 'start', ...change, deletions: ['zones/portfw-old.xml'], edits: released, connections: [[UUID, '']] },
  {
    operation: 'permanent',
    id: RUN_ID,
    zones: {
      'portfw-public': {
        name: 'portfw-public',
        short: 'Public',
        description: 'Line\nLine',
        target: '%%REJECT%%',
        interfaces: ['eth0'],
        sources: [],
        services: ['portfw-a'],
        ports: [],
        protocols: [],
        sourcePorts: [],
        icmpBlocks: [],
        icmpBlockInversion: false,
        masquerade: false,
        forward: false,
        forwardPorts: [],
        richRules: [rule],
      },
    },
    services: {
      'portfw-a': {
        name: 'portfw-a',
        short: 'A',
        description: 'b',
        ports: [{ protocol: 'tcp', range: { first: 8442, last: 8449 } }],
        protocols: [],
        sourcePorts: [],
        helpers: ['ftp'],
        modules: [],
        includes: [],
        destination: { ipv4: null, ipv6: null },
      },
    },
    ipsets: {
      'portfw-p': {
        name: 'portfw-p',
        short: 'P',
        description: 'q',
        type: 'hash:net',
        family: 'ipv6',
        options: { family: 'inet6' },
        entries: ['2001:db8::/32'],
      },
    },
    releases: released,
    deletions: [['service', 'portfw-old']],
    connections: [[UUID, 'portfw-public']],
  },
  { operation: 'hold', id: RUN_ID },
  { operation: 'keep', id: RUN_ID },
  { operation: 'confirm', id: RUN_ID, holder: 'ops@desk' },
  { operation: 'settle', id: RUN_ID, why: 'no answer\nfrom 192.0.2.1' },
  {
    operation: 'rollback',
    ...head,
    generation: RUN_ID,
    observedHash: null,
    permanentHash: 'a'.repeat(64),
    confirm: 'auto',
    reloadSeconds: 3,
  },
  { operation: 'look-rollback', generation: null },
  { operation: 'rehearse-rollback', generation: null, ways: [], listen: [2222] },
  {
    operation: 'cut-flows',
    holder: 'ops@desk',
    flows: [{ protocol: 'tcp', opener: '192.0.2.1', address: '192.0.2.2', port: 22 }],
  },
  {
    operation: 'rehearse',
    starts: false,
    reload: true,
    files: change.files,
    ours: change.files,
    edits: released,
    calls: [['bind-interface', 'portfw-public', 'eth0']],
    connections: [[UUID, 'portfw-public']],
    ways: [
      {
        interface: 'eth0',
        source: '192.0.2.7',
        destination: '192.0.2.10',
        protocol: 'udp',
        port: 546,
        sourcePort: 547,
      },
    ],
    listen: [22],
  },
  { operation: 'history' },
  { operation: 'journal' },
  { operation: 'status' },
];

/** Whether a place holds what others may have put into an object of ours: any text, since it only goes away. */
export function isTakenAway(request: Json, way: Way): boolean {
  const [key, index, argument] = way;
  if (key !== 'calls' || argument !== 2) return false;
  return /^(?:release-interface|remove-(?:service|rich-rule|protocol|source|icmp-block|entry))$/.test(
    valueAt(request, [key, index!, 0]) as string,
  );
}

/** Where somebody looks who has made a host run, read or write what it should not. */
export const CANARY = '/srv/canary-of-requests';

/** Values that mean more than a name to a shell, to systemd, to a path, to nmcli, to XML, to JSON or to Python. */
export const HOSTILE: readonly Json[] = [
  `x;touch ${CANARY};#`,
  `$(touch ${CANARY})`,
  `\`touch ${CANARY}\``,
  `'; touch ${CANARY}; '`,
  `portfw-x\ntouch ${CANARY}`,
  `portfw-x\nExecStart=/bin/touch ${CANARY}`,
  '../../../etc/sudoers.d/x',
  'zones/../../sudoers.d/portfw-x.xml',
  'zones/portfw-a/../../x.xml',
  '/etc/passwd',
  'portfw-x\u0000y',
  '-x',
  '--temporary',
  '%i%n',
  '$\u007bHOME}$PATH',
  '\u001b[2J',
  '\u2028',
  '\ud800',
  `${RUN_ID}\n`,
  `${RUN_ID}/x`,
  'x'.repeat(70_000),
  '',
  ' ',
  -1,
  0,
  1.5,
  1e300,
  true,
  false,
  null,
  [],
  {},
  [[[[[[]]]]]],
  { __proto__: null, constructor: 'x' },
  ['portfw-x', { a: 1 }],
];

export type Way = readonly (string | number)[];

/** Every place in a request below the operation's name, containers too. */
export function placesOf(value: Json, way: Way = []): Way[] {
  const inner = Array.isArray(value)
    ? value.flatMap((item, index) => placesOf(item, [...way, index]))
    : typeof value === 'object' && value !== null
      ? Object.entries(value).flatMap(([key, item]) => placesOf(item as Json, [...way, key]))
      : [];
  return way.length === 0 ? inner : [way, ...inner];
}

/** The request with something else in one place; with `undefined` the place is gone. */
export function changed(value: Json, way: Way, wanted: Json | undefined): Json {
  const [key, ...rest] = way;
  if (key === undefined) return wanted as Json;
  if (Array.isArray(value)) {
    const items = rest.length === 0 && wanted === undefined ? [] : [changed(value[key as number], rest, wanted)];
    return value.toSpliced(key as number, 1, ...items);
  }
  const entries = Object.entries(value as object).flatMap(([name, item]) => {
    if (name !== key) return [[name, item] as const];
    return rest.length === 0 && wanted === undefined ? [] : [[name, changed(item, rest, wanted)] as const];
  });
  return Object.fromEntries(entries);
}

/** The request with one more field in the object at a place. */
export function withMore(value: Json, way: Way): Json {
  const [key, ...rest] = way;
  if (key === undefined) return { ...(value as object), more: `x;touch ${CANARY}` };
  if (Array.isArray(value)) return value.with(key as number, withMore(value[key as number], rest));
  return { ...(value as object), [key]: withMore((value as { [key: string]: Json })[key]!, rest) };
}

/** What is at a place. */
export function valueAt(value: Json, way: Way): Json {
  return way.reduce<Json>((held, key) => (held as { [key: string | number]: Json })[key]!, value);
}
