import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { DecideContext, Decision } from '../../../src/decide/decide.ts';
import type { HostFacts, ManagedConnection, RunningFirewalld } from '../../../src/facts/facts.ts';
import { stockFirewalld } from '../../../src/firewalld/offline.ts';
import type { HostJob } from '../../../src/fleet/operations.ts';
import { beginRequest, permanentRequest } from '../../../src/host/requests.ts';
import { loadMatrix } from '../../../src/matrix/load-matrix.ts';
import type { Play } from '../../../src/matrix/matrix.ts';
import type { Rehearsal } from '../../../src/plan/rehearsal.ts';
import { Firewalld } from '../plan/helpers/simulator.ts';
import { interfacesOf, readInventory } from '../policy/helpers/cases.ts';
import { decidedFromFacts, decidedWith } from './helpers/decided.ts';

const MATRIX = loadMatrix(path.join(import.meta.dirname, '../../fixtures/roles/example.yaml'));

const WIRED: ManagedConnection = {
  uuid: '0a6d1e5c-8f0b-4d7a-9a44-0c8b5f1e2d3c',
  connection: 'Wired 1',
  zone: '',
  interfaces: [],
  unsaved: false,
};

interface Given {
  /** Another matrix than the example's, by the name under which it ships. */
  readonly matrix?: string;
  readonly facts?: Partial<HostFacts>;
  readonly firewalld?: Partial<RunningFirewalld>;
  /** Files below /etc/firewalld. */
  readonly files?: readonly (readonly [string, string])[];
  readonly variables?: Readonly<Record<string, unknown>>;
  readonly private?: Play['private'];
  /** Hosts of `--accept-lockout`. */
  readonly accepted?: readonly string[];
  /** What the host says of the rehearsal; it cannot rehearse when left out. */
  readonly rehearsal?: Rehearsal;
}

function decision(given: Given): Decision {
  const { inventory, settings } = readInventory({
    all: {
      hosts: {
        'sip1.example.net': {
          ansible_host: '192.0.2.10',
          portfw_roles: ['proxy'],
          portfw_interfaces: { public: 'eth0', private: 'eth1' },
          ...given.variables,
        },
        'sip2.example.net': { ansible_host: '198.51.100.11' },
        office1: { ansible_host: '198.51.100.77', portfw_managed: false },
      },
    },
  });
  const facts: HostFacts = {
    os: { id: 'debian', versionId: '12', prettyName: 'Debian' },
    kernel: '6.1',
    hostname: 'sip1',
    root: true,
    controllerPath: { clientAddress: '203.0.113.7', clientPort: 40000, serverAddress: '192.0.2.10', serverPort: 22 },
    interfaces: interfacesOf({ lo: ['127.0.0.1/8'], eth0: ['192.0.2.10/24'], eth1: ['198.51.100.10/24'] }),
    sockets: [],
    flows: null,
    units: [],
    processes: [],
    packages: [],
    files: [],
    rpc: [],
    writers: { units: [] },
    forwarding: { ipv4: [], ipv6: [] },
    firewalld: { ...new Firewalld(given.files ?? []).facts(), ...given.firewalld },
    remembered: null,
    lock: null,
    unfinished: { runs: [], busy: false },
    lastRun: null,
    ...given.facts,
  };
  const play: Play = {
    name: 'p',
    hosts: 'all',
    matrix: given.matrix === undefined ? MATRIX : loadMatrix(given.matrix),
    private: given.private ?? null,
    features: [],
    serial: [],
    maxFailPercentage: null,
    onFailure: 'keep-good',
    probes: [],
    location: { file: 'p', line: 1, column: 1, secret: null },
  };
  const context: DecideContext = {
    inventory,
    settings,
    today: '2026-03-01',
    acceptLockout: new Set(given.accepted ?? []),
  };
  const job = { host: 'sip1.example.net', settings: settings.get('sip1.example.net')! } as HostJob;
  return given.rehearsal === undefined
    ? decidedFromFacts(job, play, facts, context)
    : decidedWith(given.rehearsal, job, play, facts, context);
}

const NOTHING_RUNS = { runtime: stockFirewalld().runtime };

const OLD_SERVICE: readonly [string, string] = [
  'services/portfw-old.xml',
  '<service><port port="1" protocol="tcp"/></service>',
];
const listening = (port: number, name: string): HostFacts['sockets'] => [
  { protocol: 'tcp', address: '0.0.0.0', port, processes: [name] },
];

const NO_RULES = { nft: '{"nftables":[]}', save4: '', save6: '', ipsets: '' };

/** An owner's files that both name one interface: firewalld loads them up to 0.9. */
const TWO_FILES = ['public', 'dmz'].map((name) => ({
  path: `zones/${name}.xml`,
  text: '<zone>\n  <interface name="eth0"/>\n  <service name="ssh"/>\n</zone>\n',
  mode: '0644',
  owner: '0:0',
  sha256: 'a',
}));

describe('a host in a state that cannot be configured', () => {
  it('is refused where its files do not load, whether the rules of its kernel can be read or not', () => {
    for (const nft of [NO_RULES.nft, '{"nftables":[{"surprise":{}}]}']) {
      const disk = {
        name: 'disk',
        loads: false,
        slow: false,
        why: 'INVALID_PORT',
        said: [],
        files: [],
        together: false,
      };
      const rehearsal = { kind: 'rehearsed', now: { ...NO_RULES, nft }, states: [disk], ways: [] } as const;
      const made = decision({ rehearsal: rehearsal as Rehearsal });
      expect(made.kind === 'refused' && made.failure.code).toBe('cannot-reload');
    }
  });

  it.each<[string, Given, RegExp]>([
    ['not-root', { facts: { root: false } }, /ansible_become/],
    ['firewalld-absent', { facts: { firewalld: { kind: 'absent' } } }, /install/],
    ['firewalld-too-old', { facts: { firewalld: { kind: 'stopped', version: '0.6.3', reason: 'x' } } }, /0\.9/],
    ['firewalld-too-old', { firewalld: { version: '0.8.2' } }, /0\.9/],
    [
      'firewalld-stopped',
      { facts: { firewalld: { kind: 'stopped', version: '1.3.3', reason: 'x' } } },
      /systemctl enable --now/,
    ],
    ['firewalld-stopped', { facts: { firewalld: { kind: 'stopped', version: '', reason: 'x' } } }, /systemctl/],
    ['firewalld-failed', { firewalld: { state: 'FAILED' } }, /journalctl/],
    ['panic-mode', { firewalld: { panicMode: true } }, /panic-off/],
    [
      'broken-xml',
      { firewalld: { files: [{ path: 'zones/dmz.xml', text: '<zone>', mode: '0644', owner: '0:0', sha256: 'a' }] } },
      /repair/,
    ],
    [
      'roles-ambiguous',
      { variables: { portfw_roles: null }, facts: { sockets: listening(8080, 'java') } },
      /portfw_roles: \[console\]/,
    ],
    ['no-roles', { variables: { portfw_roles: null } }, /portfw_roles/],
    [
      'class-not-mapped',
      { variables: { portfw_interfaces: { private: 'eth1' } }, facts: { controllerPath: null } },
      /add public: \[INTERFACE\] to portfw_interfaces/,
    ],
    ['interface-not-found', { variables: { portfw_interfaces: { public: 'eth9' } } }, /eth0 \(192\.0\.2\.10\/24\)/],
    ['trusted-and-shared', { variables: { portfw_interfaces: { public: 'eth0', private: 'eth0' } } }, /portfw_private/],
    [
      'sides-mixed-up',
      {
        facts: {
          interfaces: interfacesOf({ eth0: ['192.168.0.10/24'], eth1: ['203.0.113.10/24'] }),
          defaultRoutes: [{ family: 'ipv4', interface: 'eth1', table: 'main' }],
        },
      },
      /portfw_sides_checked/,
    ],
    ['ipsets-unusable', { private: 'peers', firewalld: { ipsetsUsable: false } }, /package ipset/],
    [
      'lockout',
      {
        facts: {
          controllerPath: {
            clientAddress: '203.0.113.7',
            clientPort: 1,
            serverAddress: '192.0.2.10',
            serverPort: 2222,
          },
        },
      },
      /portfw_extra_rules/,
    ],
    [
      'networkmanager-unsaved',
      { firewalld: { networkManager: [{ ...WIRED, interfaces: ['eth0'], zone: '$(id)', unsaved: true }] } },
      /portfw-public.*nmcli connection modify uuid 0a6d1e5c-\S+ connection\.zone '\$\(id\)'/,
    ],
    [
      'networkmanager-shared',
      { firewalld: { networkManager: [{ ...WIRED, interfaces: ['eth0', 'eth1'] }] } },
      /a connection of its own/,
    ],
    [
      'networkmanager-shared',
      { firewalld: { networkManager: [{ ...WIRED, interfaces: ['eth0', 'eth7'] }] } },
      /a connection of its own/,
    ],
    [
      'still-used',
      { files: [OLD_SERVICE, ['zones/dmz.xml', '<zone><interface name="eth7"/><service name="portfw-old"/></zone>']] },
      /zone dmz|portfw-old/,
    ],
    [
      'still-used',
      { files: [OLD_SERVICE, ['zones/dmz.xml', '<zone><rule><service name="portfw-old"/><accept/></rule></zone>']] },
      /portfw-old/,
    ],
    [
      'still-used',
      {
        files: [
          ['ipsets/portfw-old.xml', '<ipset type="hash:net"/>'],
          ['zones/dmz.xml', '<zone><source ipset="portfw-old"/></zone>'],
        ],
      },
      /portfw-old/,
    ],
    [
      'still-used',
      { files: [OLD_SERVICE, ['policies/out.xml', '<policy><service name="portfw-old"/></policy>']] },
      /portfw-old/,
    ],
    [
      'still-used',
      { files: [OLD_SERVICE, ['services/own.xml', '<service><include service="portfw-old"/></service>']] },
      /portfw-old/,
    ],
    [
      'missing-ipset',
      { files: [['zones/dmz.xml', '<zone><rule family="ipv4"><source ipset="gone"/><accept/></rule></zone>']] },
      /define the ipset gone/,
    ],
    ['missing-ipset', { files: [['zones/dmz.xml', '<zone><source ipset="gone"/></zone>']] }, /define the ipset gone/],
    ['interface-in-two-zones', { firewalld: { files: TWO_FILES } }, /remove eth0 from one/],
  ])('%s (%#)', (code, given, solve) => {
    const made = decision(given);
    if (made.kind !== 'refused') throw new Error('it was planned');
    expect(made.failure.code).toBe(code);
    expect(made.failure.solve).toMatch(solve);
    expect(made.failure.what).not.toBe('');
  });

  it('hears everything that is wrong at once', () => {
    const made = decision({ variables: { portfw_interfaces: { public: ['eth8', 'eth9'] } } });
    expect(made.kind === 'refused' && made.failure.details.join()).toContain('eth9');
    const broken = [1, 2].map((at) => ({
      path: `zones/z${at}.xml`,
      text: '<zone>',
      mode: '0644',
      owner: '0:0',
      sha256: 'a',
    }));
    const two = decision({ firewalld: { files: broken } });
    expect(two.kind === 'refused' && two.failure.details.join()).toContain('/etc/firewalld/zones/z2.xml');
  });
});

describe('a host that can be configured', () => {
  it.each<[string, Given]>([
    ['as it is', {}],
    ['with detected roles', { variables: { portfw_roles: null }, facts: { processes: ['bill'] } }],
    ['with a declared empty list of roles', { variables: { portfw_roles: [] } }],
    ['over a local connection', { facts: { controllerPath: null } }],
    ['under NetworkManager', { firewalld: { networkManager: [{ ...WIRED, interfaces: ['eth0'] }] } }],
    [
      'under NetworkManager whose connection names our zone in memory',
      {
        firewalld: { networkManager: [{ ...WIRED, interfaces: ['eth0'], zone: 'portfw-public', unsaved: true }] },
      },
    ],
    [
      'under NetworkManager that manages another interface',
      { firewalld: { networkManager: [{ ...WIRED, interfaces: ['eth7'], unsaved: true }] } },
    ],
    [
      'with a service of ours that only we use',
      { files: [OLD_SERVICE, ['zones/portfw-old.xml', '<zone><service name="portfw-old"/></zone>']] },
    ],
    [
      'with a name that only begins like one that goes',
      { files: [OLD_SERVICE, ['policies/out.xml', '<policy><service name="portfw-older"/></policy>']] },
    ],
  ])('%s', (_what, given) => {
    const made = decision(given);
    if (made.kind === 'refused') throw new Error(made.failure.what);
    expect(made.plan.changes.length).toBeGreaterThan(0);
    expect(made.plan.host).toBe('sip1.example.net');
    expect(made.plan.result.zones.find(({ name }) => name === 'portfw-public')?.interfaces).toEqual(['eth0']);
  });

  it('takes an interface out of each file of others that names it, where firewalld could load them', () => {
    const made = decision({ firewalld: { version: '0.9.3', files: TWO_FILES } });
    if (made.kind === 'refused') throw new Error(made.failure.what);
    const edits = made.plan.changes.flatMap((change) =>
      change.kind === 'interface' && change.interface === 'eth0' ? [change.editsZone] : [],
    );
    expect(edits).toEqual(['dmz', 'public']);
  });

  it('is warned when another run holds it', () => {
    const lock = { holder: 'ann@desk', since: '2026-03-01T10:00:00Z', id: 'r' };
    const run = {
      ...lock,
      what: 'apply telephony',
      confirm: 'manual',
      proved: true,
      decision: 'open',
      secondsLeft: 20,
      step: '',
      alive: true,
    } as const;
    const decided = decision({ facts: { lock, unfinished: { runs: [run], busy: false } } });
    if (decided.kind === 'refused') throw new Error(decided.failure.what);
    expect(decided.plan.notes.find(({ code }) => code === 'locked')?.text).toContain('ann@desk');
  });

  it('is warned when nobody can say by which of its addresses we came in, but not over a local connection', () => {
    const codes = (given: Given) => {
      const decided = decision(given);
      return decided.kind === 'planned' ? decided.plan.notes.map((note) => note.code) : [decided.failure.code];
    };
    const elsewhere = { clientAddress: '203.0.113.7', clientPort: 40000, serverAddress: '203.0.113.8', serverPort: 22 };
    expect(codes({})).not.toContain('entrance-unknown');
    expect(codes({ facts: { controllerPath: null } })).toContain('entrance-unknown');
    // Every interface lets us in: then it does not matter which it is.
    expect(codes({ facts: { controllerPath: elsewhere } })).not.toContain('entrance-unknown');
    expect(codes({ facts: { controllerPath: { ...elsewhere, serverPort: 2222 } } })).toContain('entrance-unknown');
    expect(codes({ facts: { controllerPath: null }, variables: { ansible_connection: 'local' } })).not.toContain(
      'entrance-unknown',
    );
  });

  it('without firewalld is not told to install one on the machine that portfw runs on, unless that is wanted there', () => {
    const solve = (variables: Readonly<Record<string, unknown>>): string => {
      const decided = decision({ facts: { firewalld: { kind: 'absent' } }, variables });
      return decided.kind === 'refused' ? decided.failure.solve : '';
    };
    const install = /^install the package firewalld and start it, or/;
    expect(solve({})).toMatch(install);
    expect(solve({ ansible_connection: 'local', portfw_managed: true })).toMatch(install);
    expect(solve({ ansible_connection: 'local' })).toMatch(
      /^to leave this machine \(ansible_connection: local\) alone, write portfw_managed: false for it; else install/,
    );
  });

  describe('whose plan would cut SSH', () => {
    const elsewhere = { clientAddress: '203.0.113.7', clientPort: 1, serverAddress: '192.0.2.10', serverPort: 2222 };
    const office = { portfw_management: ['office1'], portfw_private: 'matrix' };

    it('is planned with a warning where that was accepted for this very host', () => {
      const made = decision({ facts: { controllerPath: elsewhere }, accepted: ['sip1.example.net'] });
      if (made.kind === 'refused') throw new Error(made.failure.what);
      const note = made.plan.notes.find(({ code }) => code === 'lockout-accepted');
      expect(note).toMatchObject({
        severity: 'warning',
        text: expect.stringMatching(/^zone portfw-public would not .* only the automatic rollback restores access$/),
      });
      const other = decision({ facts: { controllerPath: elsewhere }, accepted: ['sip2.example.net'] });
      expect(other.kind === 'refused' && other.failure.code).toBe('lockout');
    });

    it('is refused for an address of portfw_management, by the name of a host, too', () => {
      const made = decision({ variables: office });
      if (made.kind === 'planned') throw new Error('it was planned');
      expect(made.failure.what).toContain('198.51.100.77 (of office1 in portfw_management)');
      expect(made.failure.solve).toContain('interface: private');
      expect(made.failure.solve).toContain('from: [198.51.100.77]');
      expect(decision({ variables: { ...office, portfw_private: 'trusted' } }).kind).toBe('planned');
    });

    it('is not called proved where it was accepted, nor where the host has no address of the family', () => {
      const made = decision({ variables: office, accepted: ['sip1.example.net'] });
      if (made.kind === 'refused') throw new Error(made.failure.what);
      const texts = made.plan.notes.map(({ text }) => text).join();
      expect(texts).toContain('198.51.100.77 (of office1 in portfw_management)');
      expect(texts).not.toMatch(/was proved/);
    });

    it('is no reason to refuse a plan that only remembers roles', () => {
      const made = decision({ variables: office, accepted: ['sip1.example.net'] });
      if (made.kind === 'refused') throw new Error(made.failure.what);
      const guard = { windowSeconds: 60, confirm: 'auto' } as const;
      const input = { id: 'i', holder: 'h', plan: made.plan, guard, at: '2026-03-01T10:00:00.000Z' };
      const host = new Firewalld([]);
      host.begin(beginRequest(input));
      host.permanent(permanentRequest(input));
      const again = decision({ variables: office, firewalld: host.facts() });
      if (again.kind === 'refused') throw new Error(again.failure.what);
      expect(again.plan.changes.map(({ kind }) => kind)).toEqual(['remember']);
      expect(again.plan.notes.find(({ code }) => code === 'lockout')?.text).toContain('198.51.100.77');
    });

    it.each(['portaswitch', 'portaswitch-ocs'])(
      'is refused when SSH is narrowed past ourselves, and planned when not: %s',
      (matrix) => {
        const ours = { clientAddress: '203.0.113.7', clientPort: 1, serverAddress: '192.0.2.10', serverPort: 22 };
        const given = (management: readonly string[]) =>
          decision({
            matrix,
            facts: { controllerPath: ours },
            variables: { portfw_roles: ['web-admin'], portfw_management: management },
          });
        const shut = given(['203.0.113.8']);
        if (shut.kind === 'planned') throw new Error('it was planned');
        expect(shut.failure).toMatchObject({ code: 'lockout', solve: expect.stringContaining('from: [203.0.113.7]') });
        const open = given(['203.0.113.8', '203.0.113.0/29']);
        if (open.kind === 'refused') throw new Error(open.failure.what);
        const rules = open.plan.result.zones.find(({ name }) => name === 'portfw-public')?.richRules;
        expect(rules).toContain(
          'rule family="ipv4" source ipset="portfw-management" service name="portfw-server-public-management" accept',
        );
        const { ipsets } = open.plan.result;
        expect(ipsets.find(({ name }) => name === 'portfw-management')?.entries).toEqual([
          '203.0.113.0/29',
          '203.0.113.8',
        ]);
        expect(open.plan.notes.map(({ text }) => text).filter((text) => text.startsWith('SSH'))).toEqual([]);
        expect(open.plan.notes.filter(({ code }) => code === 'open-to-all')).toHaveLength(1);
      },
    );
  });

  describe('whose firewalld does not run', () => {
    const offline = (files: RunningFirewalld['files'] = [], unit = 'disabled'): Partial<HostFacts> => {
      const firewalld = { ...new Firewalld([]).facts(), ...NOTHING_RUNS, files };
      return {
        firewalld: { kind: 'stopped', version: '1.3.3', reason: 'it does not run', offline: { firewalld, unit } },
      };
    };
    const running = { portfw_ensure_firewalld: 'running' };
    const installed = { portfw_ensure_firewalld: 'installed' };
    const absent: Partial<HostFacts> = { firewalld: { kind: 'absent' } };

    it.each<[string, Given, string]>([
      ['and nobody allowed its start', { facts: offline() }, 'firewalld-stopped'],
      ['and is masked', { facts: offline([], 'masked'), variables: running }, 'firewalld-masked'],
      ['and no systemd runs', { facts: offline([], ''), variables: running }, 'firewalld-stopped'],
      [
        'and cannot be read',
        { facts: { firewalld: { kind: 'stopped', version: '1.3.3', reason: 'no bus' } }, variables: running },
        'firewalld-stopped',
      ],
      [
        'beside another firewall',
        { facts: { ...offline(), writers: { units: ['docker', 'ufw'] } }, variables: running },
        'other-firewall',
      ],
      [
        'beside another firewall, and is not installed',
        { facts: { ...absent, writers: { units: ['nftables'] } }, variables: installed },
        'other-firewall',
      ],
      ['and is not installed, which was not allowed', { facts: absent, variables: running }, 'firewalld-absent'],
      [
        'and has a file that it cannot read',
        { facts: offline([{ ...TWO_FILES[0]!, text: '<zone>' }]), variables: running },
        'broken-xml',
      ],
      [
        'and would cut us as soon as it starts',
        {
          facts: {
            ...offline(),
            controllerPath: {
              clientAddress: '203.0.113.7',
              clientPort: 1,
              serverAddress: '192.0.2.10',
              serverPort: 2222,
            },
          },
          variables: running,
        },
        'lockout',
      ],
    ])('is refused: %s', (_what, given, code) => {
      const made = decision(given);
      expect(made.kind === 'refused' && made.failure.code).toBe(code);
    });

    it.each<[string, Given, string]>([
      ['start', { facts: offline(), variables: running }, 'start'],
      ['start, though it might be installed too', { facts: offline(), variables: installed }, 'start'],
      ['install and start', { facts: absent, variables: installed }, 'install'],
    ])('is planned to %s', (_what, given, action) => {
      const made = decision(given);
      if (made.kind === 'refused') throw new Error(made.failure.what);
      const { changes, disruption, notes } = made.plan;
      expect(changes[0]).toEqual({ kind: 'ensure-firewalld', action });
      expect(disruption).toEqual({ kind: 'firewalld-starts' });
      expect(notes.filter(({ code }) => code.startsWith('reload'))).toEqual([]);
      const moved = changes.find((change) => change.kind === 'interface' && change.interface === 'eth0');
      // Nothing is filtered until then: whatever the new zone does not open is closed.
      expect(moved).toMatchObject({ closes: ['everything that the new zone does not open (the old one accepts all)'] });
    });

    it('is warned of interfaces that no class names', () => {
      const made = decision({ facts: offline(), variables: { ...running, portfw_interfaces: { public: 'eth0' } } });
      if (made.kind === 'refused') throw new Error(made.failure.what);
      expect(made.plan.notes.find(({ code }) => code === 'default-zone')?.text).toBe(
        "eth1 will be in firewalld's default zone public, which opens dhcpv6-client, ssh",
      );
    });
  });

  it('is told of other writers, of contradictions in its roles and of what it forgets', () => {
    const made = decision({
      facts: { writers: { units: ['docker.service'] }, processes: ['bill'] },
    });
    if (made.kind === 'refused') throw new Error(made.failure.what);
    const codes = made.plan.notes.map(({ code }) => code);
    expect(codes).toContain('other-writers');
    expect(codes).toContain('roles');
  });

  it('keeps a role that was applied before, under another matrix too, and warns of one that this matrix does not know', () => {
    const remembered = { format: 1 as const, generation: 'g', appliedAt: 'x' };
    const planned = (matrix: string, roles: readonly string[]) => {
      const made = decision({
        variables: { portfw_roles: null },
        facts: { processes: ['bill'], remembered: { ...remembered, matrix, roles } },
      });
      if (made.kind === 'refused') throw new Error(made.failure.what);
      return made.plan;
    };
    for (const matrix of ['example', 'other']) {
      const { roles } = planned(matrix, ['media']);
      const found = roles.map(({ role, because }) => `${role} ${because}`);
      expect(found).toEqual(['server every-host', 'billing detected', 'media remembered']);
    }
    expect(
      planned('other', ['fax'])
        .notes.map(({ text }) => text)
        .join(),
    ).toContain('"fax"');
  });

  it('takes the private mode from the inventory before the playbook, and trusts by default', () => {
    const trusts = (given: Given) => {
      const made = decision(given);
      if (made.kind === 'refused') throw new Error(made.failure.what);
      const zone = made.plan.result.zones.find(({ name }) => name === 'portfw-private');
      return zone?.richRules.includes('rule priority="32767" accept');
    };
    expect(trusts({})).toBe(true);
    expect(trusts({ private: 'matrix' })).toBe(false);
    expect(trusts({ private: 'matrix', variables: { portfw_private: 'trusted' } })).toBe(true);
  });
});
