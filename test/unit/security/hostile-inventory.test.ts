import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matchLimit } from '../../../src/ansible/patterns/patterns.ts';
import { InputError } from '../../../src/core/problem.ts';
import { readIpsetXml } from '../../../src/firewalld/kinds/ipset.ts';
import { readServiceXml } from '../../../src/firewalld/kinds/service.ts';
import { readZoneXml } from '../../../src/firewalld/kinds/zone.ts';
import { beginRequest, permanentRequest } from '../../../src/host/requests.ts';
import { createMarkers, programInput } from '../../../src/transport/program-framing.ts';
import { createTarget } from '../../../src/transport/target.ts';
import { decideOn, interfaceWith, prepare, type Variables } from '../adversarial/helpers/worlds.ts';
import { Firewalld } from '../plan/helpers/simulator.ts';
import { readInventory } from '../policy/helpers/cases.ts';
import { type FakeHost, PROGRAMS, runFake } from './helpers/fake-host.ts';

/** Texts that mean something to a shell, to XML, to a template, to D-Bus, to Python or to a terminal. */
const NASTY = [
  '"; touch /pwned; #',
  "'; touch /pwned; '",
  '$(touch /pwned)',
  '`touch /pwned`',
  '$IFS$9 | & > < * ? ~ ! \\',
  '-oProxyCommand=touch',
  '--help',
  '</short></service><service><port port="1-65535" protocol="tcp"/>',
  ']]> <!-- --> <?x ?> <!DOCTYPE x> &x; &#0; &amp;',
  '%s%n %(x)s {0} {x!r}',
  "__import__('os').system('touch /pwned')",
  '../../../../etc/passwd',
  'PORTFW_END_OF_PROGRAM',
  'portfw_program',
  'rule family="ipv4" accept',
  'portfw-public',
  'constructor',
  '__proto__',
  '\u0000',
  'a\nb',
  'a\r\nb',
  '\u001b[2J\u001b]0;owned\u0007',
  '\u202egnp.exe',
  '\u200b',
  '\ud800',
  '\uffff',
  '\ufffd',
  'x'.repeat(500),
  '',
  ' ',
] as const;

const nasty = fc.oneof(
  fc.constantFrom<string>(...NASTY),
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.string({ unit: 'grapheme', maxLength: 30 }),
  fc.tuple(fc.constantFrom('web', 'ops', 'a'), fc.constantFrom<string>(...NASTY)).map(([head, tail]) => head + tail),
);

const MATRIX = {
  matrix: 'm',
  title: 'M',
  print: { document: 'none', edition: 'none' },
  features: { console: 'The console' },
  peers: { gateways: { description: 'Gateways' } },
  roles: {
    server: {
      title: 'Server',
      every_host: true,
      rules: [
        { interface: 'public', source: 's', ports: [{ tcp: 22, purpose: 'SSH' }] },
        { interface: 'public', source: 's', from: 'gateways', ports: [{ udp: 162, purpose: 'Traps' }] },
      ],
    },
    web: { title: 'Web', rules: [{ interface: 'public', source: 's', ports: [{ tcp: 443, purpose: 'Pages' }] }] },
  },
};

const VARIABLES: Variables = {
  ansible_host: '192.0.2.10',
  portfw_interfaces: { public: ['eth0'] },
  portfw_roles: ['web'],
  portfw_features: [],
  portfw_private: 'matrix',
  portfw_zone_target: 'default',
  portfw_vips: [],
  portfw_role_interfaces: {},
  portfw_allow_from: {},
  portfw_peers: { gateways: ['203.0.113.4/30'] },
  portfw_management: [],
  portfw_extra_rules: [],
};

const RULE = { name: 'probe', interface: 'public', protocol: 'tcp', port: 7, owner: 'ops', reason: 'Probe' };
type Rule = (typeof VARIABLES.portfw_extra_rules)[number];
const withRule = (changes: object): Partial<Variables> => ({
  portfw_extra_rules: [{ ...RULE, expires: '2026-03-01', ...changes } as Rule],
});
const inMatrix = (change: (copy: typeof MATRIX) => void): object => {
  const copy = structuredClone(MATRIX);
  change(copy);
  return copy;
};

/** Every place of an inventory or a matrix whose text goes to a host, or takes part in what does. */
const PLACES: Readonly<Record<string, (text: string) => { variables?: Partial<Variables>; matrix?: object }>> = {
  'the owner of a rule': (owner) => ({ variables: withRule({ owner }) }),
  'the reason of a rule': (reason) => ({ variables: withRule({ reason }) }),
  'the name of a rule': (name) => ({ variables: withRule({ name, from: ['203.0.113.9'] }) }),
  'the sender of a rule': (from) => ({ variables: withRule({ from: [from] }) }),
  'the ports of a rule': (port) => ({ variables: withRule({ port }) }),
  'the protocol of a rule': (protocol) => ({ variables: withRule({ protocol }) }),
  'the side of a rule': (side) => ({ variables: withRule({ interface: side }) }),
  'the day of a rule': (expires) => ({ variables: withRule({ expires }) }),
  'an interface': (name) => ({ variables: { portfw_interfaces: { public: ['eth0', name] } } }),
  'a virtual address': (address) => ({ variables: { portfw_vips: [address] as Variables['portfw_vips'] } }),
  'a role': (role) => ({ variables: { portfw_roles: ['web', role] } }),
  'a feature': (feature) => ({ variables: { portfw_features: [feature] as Variables['portfw_features'] } }),
  'a peer': (peer) => ({ variables: { portfw_peers: { gateways: [peer] } } }),
  'a set of peers': (set) => ({ variables: { portfw_peers: { [set]: ['203.0.113.9'] } } }),
  'a selector': (selector) => ({ variables: { portfw_allow_from: { [selector]: ['203.0.113.9'] } } }),
  'an allowed sender': (from) => ({ variables: { portfw_allow_from: { server: ['0.0.0.0/0', from] } } }),
  'a manager': (manager) => ({ variables: { portfw_management: [manager] } }),
  'a group': (group) => ({ variables: { portfw_cluster: group } as Partial<Variables> }),
  'the title of a role': (title) => ({
    matrix: inMatrix((copy) => {
      copy.roles.web.title = title;
    }),
  }),
  'the purpose of a port': (purpose) => ({
    matrix: inMatrix((copy) => {
      copy.roles.web.rules[0]!.ports[0]!.purpose = purpose;
    }),
  }),
  'the source of a rule': (source) => ({
    matrix: inMatrix((copy) => {
      copy.roles.web.rules[0]!.source = source;
    }),
  }),
  'the name of a matrix': (name) => ({
    matrix: inMatrix((copy) => {
      copy.matrix = name;
    }),
  }),
};

/** Whatever a name of ours may hold: it is a file's name, a D-Bus argument and a word of a rich rule. */
const NAME = /^portfw-[a-z0-9-]{1,64}$/;
const RICH_RULE =
  /^rule family="ipv[46]"( source ipset="portfw-[a-z0-9-]+")?( destination address="[0-9a-f:.]+")?( service name="portfw-[a-z0-9-]+")? accept$/;

describe('text of an inventory or a matrix', { timeout: 600_000 }, () => {
  it('is refused, or reaches a host as data that reads back as it was, in whatever place it stands', () => {
    let planned = 0;
    const places = fc.constantFrom(...Object.keys(PLACES));
    fc.assert(
      fc.property(places, nasty, (place, text) => {
        const given = PLACES[place]!(text);
        const host = new Firewalld();
        const way = { clientAddress: '203.0.113.7', clientPort: 1, serverAddress: '192.0.2.10', serverPort: 22 };
        let prepared: ReturnType<typeof prepare>;
        try {
          prepared = prepare(given.matrix ?? MATRIX, { ...VARIABLES, ...given.variables });
        } catch (error) {
          // readInventory of the tests makes one error of all problems.
          expect(error instanceof InputError || (error as Error).constructor === Error, String(error)).toBe(true);
          expect((error as Error).message).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
          return;
        }
        const decision = decideOn(prepared, host, way);
        if (decision.kind === 'refused') return;
        planned += 1;
        const { plan } = decision;
        const guard = { windowSeconds: 60, confirm: 'auto' } as const;
        const input = { id: 'i', holder: text, at: 'now', guard, plan };
        const begin = JSON.parse(JSON.stringify(beginRequest(input))) as ReturnType<typeof beginRequest>;
        for (const { path: file, text: xml } of begin.files) {
          const [, kind, name = ''] = /^(zones|services|ipsets)\/(.*)\.xml$/.exec(file) ?? [];
          expect(name).toMatch(NAME);
          // Only the texts may hold markup, and they hold it escaped.
          if (kind === 'services')
            expect(readServiceXml(name, xml)).toEqual(plan.result.services.find((item) => item.name === name));
          if (kind === 'ipsets')
            expect(readIpsetXml(name, xml)).toEqual(plan.result.ipsets.find((item) => item.name === name));
          if (kind === 'zones') expect(readZoneXml(name, xml).name).toBe(name);
          expect(xml).not.toMatch(/<!|\]\]>|[^\P{Cc}\n]/u);
        }
        for (const [operation, owner, argument = '', ...rest] of begin.calls) {
          expect(operation).toMatch(/^[a-z-]+$/);
          expect(owner).toMatch(NAME);
          if (operation === 'bind-interface') expect(interfaceWith('192.0.2.10')).toBe(argument);
          else if (operation.endsWith('rich-rule')) expect(argument).toMatch(RICH_RULE);
          else expect(argument).toMatch(/^[A-Za-z0-9:./-]+$/);
          expect(rest).toEqual([]);
        }
        host.begin(begin);
        const permanent = permanentRequest(input);
        expect(JSON.parse(JSON.stringify(permanent))).toEqual(permanent);
        host.permanent(permanent);
        const left = decideOn(prepared, host, way);
        expect(left.kind === 'planned' && left.plan.changes.filter(({ kind }) => kind !== 'remember')).toEqual([]);
      }),
      { numRuns: 160, seed: 11 },
    );
    expect(planned).toBeGreaterThan(25);
  });

  it('that says where a host is never makes more than an address, a port, a name of an account and file names', () => {
    const keys = fc.constantFrom(
      'ansible_host',
      'ansible_user',
      'ansible_port',
      'ansible_become_user',
      'ansible_become_method',
      'ansible_connection',
      'ansible_ssh_private_key_file',
      'ansible_ssh_common_args',
      'ansible_ssh_extra_args',
      'ansible_timeout',
    );
    fc.assert(
      fc.property(keys, nasty, fc.boolean(), (key, text, asOption) => {
        const value = asOption && key.endsWith('_args') ? `-o HostKeyAlias=${text} -o User="${text}"` : text;
        let settings: ReturnType<typeof readInventory>['settings'];
        try {
          ({ settings } = readInventory({ all: { hosts: { h: { ansible_host: '192.0.2.1', [key]: value } } } }));
        } catch {
          return;
        }
        const options = { acceptNewHostKeys: false, becomePassword: null, sshPassword: null, agentSocket: null };
        const { target } = createTarget(settings.get('h')!, { ...options, localUser: 'me' });
        if (target === null) return;
        expect(target.address).toMatch(/^[A-Za-z0-9_.:-]+$/);
        expect(target.address).not.toMatch(/^-/);
        expect(target.hostKeyAlias ?? '').toMatch(/^[A-Za-z0-9_.:%[\]-]*$/);
        expect(JSON.stringify([target.user, target.privateKeyFiles])).not.toMatch(/\\u00|\\n|[\u202a-\u202e]/);
        expect(Number.isInteger(target.port)).toBe(true);
      }),
      { numRuns: 400, seed: 12 },
    );
  });

  it('of --limit picks hosts, or says what is wrong', () => {
    const { inventory } = readInventory({
      all: { hosts: { 'web[1:3]': {}, constructor: {} }, children: { toString: {} } },
    });
    fc.assert(
      fc.property(nasty, (text) => {
        let found: unknown;
        try {
          found = matchLimit(inventory, text);
        } catch (error) {
          // `@FILE` names a file of patterns, which may not be there.
          expect(error).toBeInstanceOf(InputError);
          found = (error as InputError).problems;
        }
        for (const said of textsOf(found)) expect(said).not.toMatch(/\p{Cc}|[\u202a-\u202e]/u);
      }),
      { numRuns: 300, seed: 13 },
    );
  });
});

function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsOf) : [];
}

/** What of a host's records does not depend on chance or on the length of what was sent. */
function withoutChance(host: FakeHost): { lines: string[]; bootstraps: string[]; programs: string[] } {
  const plain = (text: string) => text.replaceAll(/[0-9a-f]{32}/g, 'NONCE').replace(/ \d+ \d+$/, ' LENGTH LENGTH');
  return {
    lines: [...new Set(host.lines.map(plain))],
    bootstraps: [...new Set(host.runs.map(({ bootstrap }) => plain(bootstrap)))].sort(),
    programs: [...new Set(host.runs.map(({ program }) => program))],
  };
}

describe('what reaches a host', () => {
  const reachable = { ansible_host: '192.0.2.1', ansible_user: 'operator', ansible_become: true };
  const usual = {
    ...reachable,
    ansible_become_password: 'a password',
    portfw_roles: ['proxy'],
    portfw_interfaces: { public: 'eth0' },
  };
  /** Texts that the readers let through, since only people read them. */
  const shown = NASTY.filter((text) => !/[\p{Cc}\p{Cs}\u200b\u202e\uffff]/u.test(text) && text.trim() !== '').filter(
    (text) => text.length <= 200,
  );
  const hostile = {
    ...usual,
    ansible_ssh_common_args: `-o User='"$(touch /pwned)"' -o LogLevel='\`touch /pwned\`'`,
    portfw_extra_rules: shown.map((text, index) => ({
      name: `rule-${index}`,
      interface: 'public',
      protocol: 'tcp',
      port: 1000 + index,
      from: ['203.0.113.9'],
      owner: text,
      reason: text,
    })),
  };

  it('is the same command line and the same programs, whatever the inventory says', async () => {
    const plain = await runFake({ hosts: { plain: usual } });
    const other = await runFake({
      hosts: { constructor: hostile },
      groups: { valueOf: { hosts: { constructor: null } } },
      holder: '"; touch /pwned; #@\u202econtroller',
    });
    const [before, after] = [plain.hosts.get('plain')!, other.hosts.get('constructor')!];
    for (const { events } of [plain, other]) {
      const outcome = events.flatMap((event) => (event.kind === 'host-finished' ? [event.outcome] : []));
      expect(outcome).toMatchObject([{ kind: 'changed' }]);
    }
    expect(withoutChance(after)).toEqual(withoutChance(before));
    expect(after.visible).not.toContain('pwned');
    // One line a run, and in it nothing but what the framing of programs has.
    expect(withoutChance(after).lines).toHaveLength(1);
    const framed = PROGRAMS.map((program) => programInput(program, '', 1000, createMarkers()).shell[1]!.toString());
    for (const program of withoutChance(after).programs) expect(framed).toContain(program);
    // The texts did arrive: as JSON, each whole.
    const data = after.runs.flatMap((run) => (run.data.startsWith('{') ? [JSON.parse(run.data) as unknown] : []));
    const sent = JSON.stringify(data);
    expect(sent).toContain('touch /pwned');
    const written = [...after.firewalld.memory.services.values()].map(({ description }) => description);
    for (const text of shown) expect(written).toContain(`${text.trim()}. Managed by portfw.`);
  });
});

describe('the programs on the host', () => {
  const folder = path.join(import.meta.dirname, '../../../src/host/remote');
  const files = (ending: string) => readdirSync(folder).filter((name) => name.endsWith(ending));

  it.each(files('.py'))('%s gives no text to a shell and evaluates none', (name) => {
    const text = readFileSync(path.join(folder, name), 'utf8');
    expect(text).not.toMatch(
      /shell\s*=\s*True|os\.(?:system|popen|exec[lv]p?e?)\b|\b(?:eval|exec)\(|(?<!re\.)compile\(|pickle|marshal/,
    );
    // D-Bus arguments have a signature: nothing is guessed from what arrives.
    expect(text).not.toMatch(/dbus\.Interface|Introspect(?!ion)/);
  });

  // portfw-run is there to evaluate a text, one that it has listed: sudo-helper.test.ts.
  it.each(files('.sh').filter((name) => name !== 'portfw-run.sh'))('%s evaluates no text', (name) => {
    const text = readFileSync(path.join(folder, name), 'utf8');
    expect(text).not.toMatch(/\beval\b|^\s*(?:source|\.) |\bsh -c\b/m);
  });
});
