import { expect, it } from 'vitest';
import { PORTFW_SCHEMAS } from '../../../src/settings/schema.ts';
import { randomFrom } from '../../helpers/seeded-random.ts';
import { type Fleet, type FleetHost, type Proposed, proposeFor } from './helpers/fleet.ts';

const RECORDINGS = [
  'web-admin-firewalld-2.3',
  'dispatching-node-firewalld-0.9',
  'radius-firewalld-2.3',
  'gcems-firewalld-0.9',
];
const HOSTILE = [
  'eth0\n      portfw_managed: false',
  '\u001b[31mred\u001b[0m',
  "'] # {{ lookup('pipe', 'id') }}",
  '\u202egnol',
  'a: b',
  '- x',
  '\u0085next',
];

/** A fleet of up to seven hosts: networks of both families, routes, groups, and names that try to get out of a comment. */
function randomFleet(seed: number): Fleet {
  const next = randomFrom(seed);
  const below = (count: number): number => Math.floor(next() * count);
  const pick = <T>(values: readonly T[]): T => values[below(values.length)]!;
  const chance = (share: number): boolean => next() < share;
  const networks = ['203.0.113', '198.51.100', '10.1.0', '10.2.0', '8.8.8', '192.168.7'];
  const names = Array.from({ length: 1 + below(7) }, (_, index) => `host${index}`);
  const hostOf = (index: number): FleetHost => {
    const interfaces: Record<string, string[]> = { lo: ['127.0.0.1/8'] };
    const links: Record<string, { kind: string; parent?: string }> = {};
    for (let count = 1 + below(3); count > 0; count -= 1) {
      const name = chance(0.1) ? pick(HOSTILE) : pick(['eth0', 'eth1', 'ens3', 'bond0.7', 'docker0', 'tun0']);
      interfaces[name] = [`${pick(networks)}.${index + 1}/${pick([16, 24, 24, 24, 32])}`];
      if (chance(0.3)) interfaces[name].push(`${pick(networks)}.${200 + below(3)}/${pick([24, 32])}`);
      if (chance(0.3)) interfaces[name].push(`2001:db8:${below(3)}::${index + 1}/64`);
    }
    if (chance(0.2)) {
      interfaces['vrrp.51'] = chance(0.5) ? ['203.0.113.240/32'] : [];
      links['vrrp.51'] = { kind: 'macvlan', parent: pick(Object.keys(interfaces)) };
    }
    const addresses = Object.values(interfaces)
      .flat()
      .map((text) => text.split('/')[0]!);
    return {
      ...(chance(0.7) ? { recording: pick(RECORDINGS) } : {}),
      interfaces,
      links,
      routes: Object.keys(interfaces).filter(() => chance(0.4)),
      ...(chance(0.8) ? { path: [pick(['192.0.2.9', '10.1.0.99', '2001:db8::9']), pick(addresses)] as const } : {}),
      ssh: Array.from({ length: below(4) }, () =>
        pick(['10.1.0.98', '198.51.100.66', '10.1.0.1', 'fd00::', 'not an address']),
      ),
      processes: [...(chance(0.4) ? ['keepalived'] : []), pick(HOSTILE)],
    };
  };
  const lines = names.map((name) => `${name}${chance(0.1) ? ' portfw_vips="[\'203.0.113.77\']"' : ''}`);
  const grouped = ['[one]', ...names.filter(() => chance(0.5)), '[two]', ...names.filter(() => chance(0.5))];
  const missed = chance(0.4) ? { gone: pick(HOSTILE) } : {};
  return {
    ini: [...lines, 'gone', 'win1 ansible_connection=winrm', ...grouped],
    hosts: Object.fromEntries(names.map((name, index) => [name, hostOf(index)])),
    missed,
  };
}

/** What a host's lines set, by the proposals alone: its own line, else that of its group, else that for all. */
function proposed({ proposals, inventory }: Proposed, host: string): Readonly<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  const groups = new Set(inventory.hosts.get(host)?.groups);
  for (const kind of ['all', 'group', 'host'] as const) {
    for (const one of proposals) {
      if (one.kind !== 'line' || one.scope.kind !== kind) continue;
      const { scope, setting } = one;
      if (scope.kind === 'group' ? !groups.has(scope.name) : scope.kind === 'host' && scope.name !== host) continue;
      switch (setting.variable) {
        case 'portfw_interfaces': {
          const sides = [
            ['public', setting.public],
            ['private', setting.private],
          ] as const;
          found[setting.variable] = Object.fromEntries(sides.filter(([, own]) => own.length > 0));
          break;
        }
        case 'portfw_playbook':
          found[setting.variable] = setting.playbook;
          break;
        case 'portfw_vips':
          found[setting.variable] = setting.vips;
          break;
        case 'portfw_roles':
          found[setting.variable] = setting.roles;
          break;
        case 'portfw_management':
          found[setting.variable] = setting.sources;
          break;
        case 'portfw_managed':
          found[setting.variable] = setting.managed;
          break;
      }
    }
  }
  return found;
}

const LINE =
  /^(?: {2}(?:vars|hosts|children):| {4}(?:host\d|gone|win1|one|two):| {6}vars:| *portfw_(?:playbook: [a-z-]+|managed: false|interfaces:|(?:vips|management|roles): \[[\w.:', -]*\])| *(?:public|private): \[[\w.:/', -]+\]|all:|)$/;

it('is read back by our own reader as it was proposed, and nothing that a host says gets out of a comment', {
  timeout: 240_000,
}, () => {
  let values = 0;
  for (let seed = 1; seed <= 60; seed += 1) {
    const seen = proposeFor(randomFleet(seed));
    const { text } = seen.file;
    expect(text.replaceAll('\n', ''), `seed ${seed}`).not.toMatch(
      /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e]/,
    );
    expect(
      text.split('\n').filter((line) => !/^ *#/.test(line) && !LINE.test(line)),
      `seed ${seed}`,
    ).toEqual([]);
    for (const [name, host] of seen.inventory.hosts) {
      const written = [...host.variables].flatMap(([variable, { plain }]) => {
        const own =
          name.startsWith('host') && variable === 'portfw_vips' && JSON.stringify(plain) === '["203.0.113.77"]';
        return variable.startsWith('portfw_') && !own ? [[variable, plain] as const] : [];
      });
      expect(Object.fromEntries(written), `seed ${seed}: ${name}\n${text}`).toEqual(proposed(seen, name));
      for (const [variable, plain] of written) {
        values += 1;
        const schema = PORTFW_SCHEMAS[variable as keyof typeof PORTFW_SCHEMAS];
        expect(schema.safeParse(plain).success, `${variable} ${JSON.stringify(plain)}`).toBe(true);
      }
    }
  }
  expect(values).toBeGreaterThan(300);
});
