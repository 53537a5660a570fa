import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { HostOutcome } from '../../src/fleet/events.ts';
import { AWAIT_FIREWALLD } from '../lab/firewalld.ts';
import type { LabHost } from '../lab/host.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import { type HostState, isLocked, remembered, stateOf, statesOf } from './helpers/host-state.ts';
import { type Variables, writeInventory } from './helpers/lab-inventory.ts';
import { type CliResult, type JsonRun, outcomeOf, portfw, portfwJson } from './helpers/portfw-cli.ts';
import { startSshd } from './helpers/transport-lab.ts';

/**
 * One fleet in which nearly every host is bad in a way of its own. Each gets a clear outcome, nothing is changed there, and
 * the good ones are applied as if they were alone.
 */
let lab: Lab;
let inventory: string;
let before: Readonly<Record<string, HostState>>;
let plan: CliResult;
let apply: JsonRun;
let shared: Readonly<Record<string, Variables>>;

/** Hosts that each have a machine of their own, and how it is made bad. */
const MACHINES: Readonly<Record<string, (host: LabHost) => Promise<unknown>>> = {
  'too-old': (host) =>
    host.sh(`
      sed -i "s/^VERSION = .*/VERSION = '0.8.2'/" /usr/lib/python3/dist-packages/firewall/config/__init__.py
      systemctl restart firewalld.service
      ${AWAIT_FIREWALLD}`),
  fallback: async (host) => {
    await host.writeFile('/etc/firewalld/zones/office.xml', '<zone><service name="ssh"/>');
    await host.sh(`systemctl restart firewalld.service\n${AWAIT_FIREWALLD}`);
  },
  torn: (host) => host.writeFile('/etc/firewalld/zones/office.xml', '<?xml version="1.0"?>\n<zone>\n  <service na'),
  garbled: async (host) => {
    await host.writeFile('/etc/firewalld/policies/transit.xml', '<policy target="ACCEPT">');
    await host.writeFile('/etc/firewalld/services/legacy.xml', '<zone/>');
    await host.writeFile('/etc/firewalld/ipsets/allowed.xml', 'not XML at all');
    await host.writeFile('/etc/firewalld/services/portfw-web-admin-public.xml', '');
  },
  linked: async (host) => {
    await host.writeFile('/srv/office.xml', '<zone><service');
    await host.run('ln', '-s', '/srv/office.xml', '/etc/firewalld/zones/office.xml');
  },
  // In panic, but somebody has flushed the rules since.
  panic: (host) => host.sh('firewall-cmd --quiet --panic-on; nft flush ruleset'),
  dark: (host) => host.run('firewall-cmd', '--quiet', '--panic-on'),
  'full-var': (host) =>
    host.sh(`mkdir -p /var/lib/portfw; mount -t tmpfs -o size=16k tmpfs /var/lib/portfw; ${fill('/var/lib/portfw')}`),
  'full-etc': (host) =>
    host.sh(`
      cp -a /etc/firewalld /srv/copy
      mount -t tmpfs -o size=256k,mode=755 tmpfs /etc/firewalld
      cp -a /srv/copy/. /etc/firewalld
      ${fill('/etc/firewalld')}`),
  // A listener that any of four roles may have, and nothing to tell which.
  ambiguous: (host) =>
    host.sh(`
      cp -L /usr/bin/python3 /usr/local/bin/callagent
      systemd-run --quiet --unit=callagent /usr/local/bin/callagent -c '
import socket, time
listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
listener.bind(("0.0.0.0", 5060))
time.sleep(100000)'
      until ss -Hlun sport = :5060 | grep -q .; do sleep 0.05; done`),
  chatty: (host) =>
    host.sh(`
      for file in /etc/profile /root/.profile /root/.bashrc /etc/bash.bashrc; do
        printf '%s\\n' 'echo "*** Authorised use only ***"; echo "{\\"kind\\":\\"absent\\"}" ; echo "warning: quota" >&2' >"$file"
      done`),
};

import { makeKeyPair } from '../lab/keys.ts';

/** Fills a file system to the last block. */
function fill(folder: string): string {
  return `dd if=/dev/zero of=${folder}/filler bs=4k 2>/dev/null || true`;
}

/** What is expected of each host: the kind of its outcome, its code, and what its text says. */
const EXPECTED: readonly (readonly [host: string, kind: HostOutcome['kind'], code: string, text: RegExp])[] = [
  ['absent', 'refused', 'firewalld-absent', /^firewalld is not installed/],
  ['too-old', 'refused', 'firewalld-too-old', /^firewalld 0\.8\.2 is older than 0\.9\.0/],
  ['stopped', 'refused', 'firewalld-stopped', /^firewalld does not run/],
  ['fallback', 'refused', 'firewalld-failed', /reports the state FAILED$/],
  ['torn', 'refused', 'broken-xml', /cannot use \/etc\/firewalld\/zones\/office\.xml: /],
  ['garbled', 'refused', 'broken-xml', /cannot use \/etc\/firewalld\/ipsets\/allowed\.xml: /],
  ['linked', 'refused', 'broken-xml', /cannot use \/etc\/firewalld\/zones\/office\.xml: /],
  ['panic', 'refused', 'panic-mode', /^firewalld is in panic mode/],
  ['dark', 'unreachable', 'unreachable', /within 2 s|timed out/],
  ['ambiguous', 'refused', 'roles-ambiguous', /^udp\/5060 .*fits .*dispatching-node/],
  ['no-roles', 'refused', 'no-roles', /^no role was found/],
  ['no-sudo', 'failed', 'become-not-allowed', /^sudo does not allow nosudo/],
  ['wrong-password', 'failed', 'become-password-wrong', /^sudo refused the password of admin$/],
  ['no-password', 'failed', 'become-password-required', /^sudo asks for a password of admin/],
  ['not-root', 'refused', 'not-root', /^the account has no root rights/],
  ['closed', 'failed', 'command-not-run', /did not run portfw's program .*not available/],
  ['nobody', 'unreachable', 'unreachable', /^Cannot connect|within 2 s/],
  ['wrong-key', 'unreachable', 'auth-failed', /refused the login \(tried key /],
  ['changed-key', 'unreachable', 'host-key-changed', /line 1/],
  ['unknown-key', 'unreachable', 'host-key-unknown', /SHA256:/],
  ['no-interface', 'refused', 'interface-not-found', /says public is eth9/],
  ['no-side', 'refused', 'class-not-mapped', /need a private interface/],
  ['other-port', 'refused', 'lockout', /would not let SSH in again: .* port 22\d\d\/tcp/],
];

/** Those that can be planned, and fail only when they are applied. */
const EXPECTED_AT_APPLY: typeof EXPECTED = [
  ['full-var', 'failed', 'step-failed', /No space left on device/],
  ['full-etc', 'failed', 'step-failed', /^arming the rollback: .*No space left on device/],
];

const GOOD = ['good', 'chatty'];

beforeAll(async () => {
  lab = await startLab({
    name: 'bad',
    hosts: [
      { name: 'absent', suite: 'bookworm', firewalld: 'absent' },
      { name: 'too-old', suite: 'bullseye' },
      { name: 'stopped', suite: 'trixie', firewalld: 'stopped' },
      { name: 'fallback', suite: 'bookworm' },
      { name: 'torn', suite: 'bullseye' },
      { name: 'garbled', suite: 'trixie' },
      { name: 'linked', suite: 'bookworm' },
      { name: 'panic', suite: 'trixie' },
      { name: 'dark', suite: 'bookworm' },
      { name: 'full-var', suite: 'bookworm' },
      { name: 'full-etc', suite: 'trixie' },
      { name: 'ambiguous', suite: 'bullseye' },
      { name: 'shared', suite: 'bookworm' },
      { name: 'good', suite: 'bullseye' },
      { name: 'chatty', suite: 'trixie' },
    ],
  });
  await writeFile(join(lab.directory, 'at-once.yaml'), '- hosts: all\n  matrix: portaswitch\n');
  shared = await sharedHosts();
  await Promise.all(Object.entries(MACHINES).map(([name, spoil]) => spoil(lab.host(name))));
  inventory = await written('fleet', shared);
  before = await statesOf(lab.hosts);
  plan = await portfw('plan', inventory);
  apply = await portfwJson('apply', inventory, '--yes');
});

afterAll(() => lab?.stop());

function written(name: string, sharing: Readonly<Record<string, Variables>>): Promise<string> {
  // Two do not answer at all; the others may be slow where all start at once.
  const usual = (host: string) => ({
    portfw_playbook: 'at-once.yaml',
    ansible_timeout: host === 'dark' || host === 'nobody' ? 2 : 20,
  });
  const own = lab.hosts.map(({ name: host }) => host).filter((host) => host !== 'shared');
  const roles = (host: string) => (host === 'ambiguous' ? {} : { portfw_roles: ['web-admin'] });
  return writeInventory(lab, name, {
    hosts: Object.fromEntries(own.map((host) => [host, { ...usual(host), ...roles(host) }])),
    others: Object.fromEntries(
      Object.entries(sharing).map(([host, variables]) => [
        host,
        { ...usual(host), portfw_managed: true, ...variables },
      ]),
    ),
  });
}

/** Hosts of the inventory that are bad only in how they are reached or described: they share one machine. */
async function sharedHosts(): Promise<Readonly<Record<string, Variables>>> {
  const host = lab.host('shared');
  await host.sh('useradd --no-create-home --no-user-group --shell /usr/sbin/nologin closed');
  const port = await startSshd(host, '');
  // The administrators have opened it, in a zone that will not hold the interface any more.
  await host.run('firewall-cmd', '--quiet', '--zone=public', `--add-port=${port}/tcp`);
  await host.run('firewall-cmd', '--quiet', '--zone=public', `--add-port=${port}/tcp`, '--permanent');
  const wrongKey = join(lab.directory, 'wrong-key');
  await writeFile(wrongKey, makeKeyPair().private, { mode: 0o600 });
  const changed = join(lab.directory, 'changed-known-hosts');
  const otherKey = lab.host('good').hostKeys.find((key) => key.startsWith('ssh-ed25519'));
  await writeFile(changed, `${host.publicAddress} ${otherKey}\n`);
  const knownHosts = (file: string) => ({ ansible_ssh_common_args: `-o UserKnownHostsFile=${file}` });
  const usual = {
    ansible_host: host.publicAddress,
    portfw_roles: ['web-admin'],
    portfw_interfaces: { public: host.publicAddress, private: host.privateAddress },
  };
  const admin = { ...usual, ansible_user: 'admin', ansible_become: true };
  return {
    'no-sudo': { ...admin, ansible_user: 'nosudo', ansible_become_password: lab.sudoPassword },
    'wrong-password': { ...admin, ansible_become_password: 'wrong' },
    'no-password': admin,
    'not-root': { ...admin, ansible_become: false },
    closed: { ...usual, ansible_user: 'closed' },
    nobody: { ...usual, ansible_host: lab.spareAddress('public', 150).v4 },
    'wrong-key': { ...usual, ansible_ssh_private_key_file: wrongKey },
    'changed-key': { ...usual, ...knownHosts(changed) },
    'unknown-key': { ...usual, ...knownHosts(join(lab.directory, 'no-known-hosts')) },
    'no-roles': { ...usual, portfw_roles: undefined },
    'no-interface': { ...usual, portfw_interfaces: { public: 'eth9' } },
    'no-side': { ...usual, portfw_roles: ['configuration'], portfw_interfaces: { public: host.publicAddress } },
    'other-port': {
      ...usual,
      ansible_port: port,
      ansible_ssh_common_args: `-o UserKnownHostsFile=${lab.knownHostsFile} -o HostKeyAlias=shared`,
    },
  };
}

/** The row of a host in the closing table. */
function row(result: CliResult, host: string): string {
  return result.stdout.split('\n').findLast((line) => line.startsWith(`${host} `)) ?? '';
}

/** Hosts with the failure of a host above. */
const ALIKE: ReadonlyMap<string, string> = new Map([
  ['linked', 'torn'],
  ['nobody', 'dark'],
]);

describe('each bad host gets an outcome of its own', () => {
  it.each([...EXPECTED, ...EXPECTED_AT_APPLY])('%s: %s, %s', (host, kind, code, text) => {
    const outcome = outcomeOf(apply, host, kind);
    const { failure } = outcome as Extract<HostOutcome, { failure: unknown }>;
    expect(failure).toMatchObject({ code, what: expect.stringMatching(text), solve: expect.stringMatching(/\w/) });
    if (outcome.kind === 'failed') expect(outcome.aftermath).toEqual({ kind: 'untouched' });
  });

  it.each(EXPECTED)('%s: the plan says the same in its table: %s, %s', (host, kind, code) => {
    // What a row above says as well is said there.
    const above = / {2,}as (\S+)$/.exec(row(plan, host))?.[1];
    const said = above === undefined ? row(plan, host) : row(plan, above);
    expect(said).toMatch(new RegExp(`^${above ?? host} +${kind} .* ${code === kind ? '' : `${code}: `}\\S`));
    expect(above).toBe(ALIKE.get(host));
  });

  it('every file that is broken is named', () => {
    const { failure } = outcomeOf(apply, 'garbled', 'refused');
    expect(failure.details).toEqual([
      expect.stringMatching(/^\/etc\/firewalld\/policies\/transit\.xml: /),
      expect.stringMatching(/^\/etc\/firewalld\/services\/legacy\.xml: its element is <zone>, not <service>/),
      expect.stringMatching(/^\/etc\/firewalld\/services\/portfw-web-admin-public\.xml: /),
    ]);
  });

  it('hints name what to do', () => {
    const hint = (host: string) =>
      (apply.outcomes.get(host) as Extract<HostOutcome, { failure: unknown }>).failure.solve;
    expect(hint('ambiguous')).toMatch(/portfw_roles: \[/);
    expect(hint('no-interface')).toContain(lab.host('shared').publicAddress);
    expect(hint('no-side')).toContain('add private: [INTERFACE] to portfw_interfaces');
    expect(hint('no-password')).toContain('PORTFW_BECOME_PASSWORD');
    expect(hint('unknown-key')).toContain('--accept-new-host-keys');
  });
});

describe('none of them is changed', () => {
  it('configuration, rules and zones are what they were, and nothing is remembered or locked', async () => {
    for (const host of lab.hosts.filter(({ name }) => !GOOD.includes(name))) {
      expect(await stateOf(host), host.name).toEqual(before[host.name]);
      expect(await isLocked(host), host.name).toBe(false);
      const left = (await remembered(host))?.filter((path) => !['filler', 'generations', 'guard'].includes(path));
      expect(left ?? [], host.name).toEqual([]);
    }
  });
});

describe('the good ones', () => {
  it.each(GOOD)('%s is applied', async (name) => {
    expect(outcomeOf(apply, name, 'changed').reloads).toBe(1);
    expect((await stateOf(lab.host(name))).zones.join()).toContain('portfw-public');
  });
});

describe('the exit code', () => {
  it('is 1 where a host failed or was refused, for plan and apply', () => {
    expect([plan.exitCode, apply.exitCode]).toEqual([1, 1]);
  });

  it('is 3 where hosts could not be reached and the others are well', async () => {
    const run = await portfwJson('plan', inventory, '--limit', 'good,chatty,nobody,dark');
    expect(run.exitCode).toBe(3);
    expect([...run.outcomes.values()].map(({ kind }) => kind).sort()).toEqual([
      'unchanged',
      'unchanged',
      'unreachable',
      'unreachable',
    ]);
  });
});

describe('SSH on a port that the matrix does not open', () => {
  it('goes through with the line that the refusal names', async () => {
    const { failure } = outcomeOf(apply, 'other-port', 'refused');
    const line = parse(failure.solve.replace(/^.*?(?=portfw_extra_rules:)/, '')) as Variables;
    const own = await written('other-port', { 'other-port': { ...shared['other-port'], ...line } });
    const run = await portfwJson('apply', own, '--yes', '--limit', 'other-port');
    outcomeOf(run, 'other-port', 'changed');
    const again = await portfwJson('apply', own, '--yes', '--limit', 'other-port');
    outcomeOf(again, 'other-port', 'unchanged');
  });
});
