import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Secret } from '../../src/core/secret.ts';
import type { SshEndpoint, Target } from '../../src/transport/connection.ts';
import { openTransport } from '../../src/transport/open-transport.ts';
import { supported } from '../helpers/supported.ts';
import type { LabHost } from '../lab/host.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import { writeInventory } from './helpers/lab-inventory.ts';
import { outcomeOf, portfwJson } from './helpers/portfw-cli.ts';
import { connected, ended, eventually, loginsAt, run, startSshd, targetOf } from './helpers/transport-lab.ts';

/** The host is reached through two machines: the bastion is the only one that talks to us, and inner alone talks to the host. */
let lab: Lab;
let bastion: LabHost;
let inner: LabHost;
let host: LabHost;
let bastionPort: number;
let innerPort: number;

const file = (name: string): string => join(lab.directory, name);
/** A key of its own, with its public half among those that may log in as that account. */
async function allow(at: LabHost, user: string, options = ''): Promise<string> {
  const name = file(`${at.name}-${user}${options === '' ? '' : '-restricted'}`);
  const key = ssh2.utils.generateKeyPairSync('ed25519');
  writeFileSync(name, key.private, { mode: 0o600 });
  const home = user === 'root' ? '/root' : `/home/${user}`;
  await at.sh(
    'mkdir -p "$1/.ssh"; printf "%s\\n" "$3" >>"$1/.ssh/authorized_keys"; chown -R "$2" "$1/.ssh"; chmod -R go= "$1/.ssh"',
    home,
    user,
    options + key.public,
  );
  return name;
}

/** Makes a machine deaf to another: what it would answer goes nowhere. */
const deafTo = (machine: LabHost, address: string) => machine.run('ip', 'route', 'add', 'blackhole', address);

const SETTINGS = 'AuthorizedKeysFile .ssh/authorized_keys\nPermitRootLogin yes\nPerSourcePenalties no';

beforeAll(async () => {
  lab = await startLab({
    name: 'jump',
    hosts: [
      { name: 'bastion', suite: 'trixie', firewalld: 'stopped' },
      { name: 'inner', suite: 'bookworm', firewalld: 'stopped', networks: ['private'] },
      { name: 'host', suite: 'bookworm', networks: ['private'] },
    ],
  });
  [bastion, inner, host] = [lab.host('bastion'), lab.host('inner'), lab.host('host')];
  bastionPort = await startSshd(bastion, `${SETTINGS}\nMaxStartups 10:100:10`);
  innerPort = await startSshd(inner, SETTINGS.replace('\nPerSourcePenalties no', ''));
  const us = lab.spareAddress('private', 100).v4.replace(/\.100$/, '.1');
  await Promise.all([
    deafTo(inner, us),
    deafTo(host, us),
    deafTo(host, bastion.privateAddress),
    allow(bastion, 'admin'),
    allow(inner, 'operator'),
  ]);
});
afterAll(() => lab?.stop());

const endpoint = (changes: Partial<SshEndpoint>): SshEndpoint => ({
  address: '',
  port: 22,
  user: '',
  privateKeyFiles: [],
  identitiesOnly: false,
  agentSocket: null,
  knownHostsFiles: [lab.knownHostsFile],
  hostKeyAlias: null,
  acceptNewHostKeys: false,
  connectTimeoutMs: 5000,
  keepalive: { intervalMs: 1000, countMax: 3 },
  password: null,
  ...changes,
});
const overBastion = (changes: Partial<SshEndpoint> = {}): SshEndpoint =>
  endpoint({
    address: bastion.publicAddress,
    port: bastionPort,
    hostKeyAlias: bastion.publicAddress,
    user: 'admin',
    privateKeyFiles: [file('bastion-admin')],
    ...changes,
  });
const overInner = (changes: Partial<SshEndpoint> = {}): SshEndpoint =>
  endpoint({
    address: inner.privateAddress,
    port: innerPort,
    hostKeyAlias: inner.privateAddress,
    user: 'operator',
    privateKeyFiles: [file('inner-operator')],
    ...changes,
  });
/** The same jump host, as the variables of each host name it. */
const writtenAt = (line: number): Partial<SshEndpoint> => {
  const location = { file: 'hosts.yaml', line: line + 1, column: 1, secret: null };
  return { options: [{ option: 'User', value: 'admin', by: { name: '-J', location } }] };
};
const through = (...hops: readonly SshEndpoint[]): Target['route'] => ({ kind: 'jump', hops });
const target = (route: Target['route'], changes: Partial<Target> = {}): Target =>
  targetOf(lab, host, { address: host.privateAddress, connectTimeoutMs: 5000, route, ...changes });

/** A transport of its own, as each run of the command has; what it opened is closed at the end. */
async function inRun<T>(use: (transport: ReturnType<typeof openTransport>) => Promise<T>): Promise<T> {
  const transport = openTransport({ passphrase: null, ask: null });
  try {
    return await use(transport);
  } finally {
    await transport.close();
  }
}
const attempt = (to: Target) =>
  inRun(async (transport) => {
    const outcome = await transport.connect(to);
    if (outcome.kind === 'connected') await outcome.connection.close();
    return outcome;
  });
const hostName = async (to: Target): Promise<string> =>
  inRun(async (transport) => {
    const connection = connected(await transport.connect(to));
    const { stdout } = ended(await run(connection, 'hostname; echo "$SSH_CONNECTION"'));
    await connection.close();
    return stdout;
  });

describe('jump hosts', () => {
  it(supported('Jump hosts', 'a host that only its jump host can reach'), async () => {
    const direct = targetOf(lab, inner, { address: inner.privateAddress, connectTimeoutMs: 1000 });
    expect((await attempt(direct)).kind).toBe('unreachable');
    const routed = { ...direct, connectTimeoutMs: 5000, route: through(overBastion()) };
    const [name, seen] = (await hostName(routed)).split('\n');
    expect(name).toBe(await inner.run('hostname').then((text) => text.trim()));
    // What the lockout proof takes: the address that the host sees.
    expect(seen).toMatch(new RegExp(`^${bastion.privateAddress.replaceAll('.', '\\.')} \\d+ ${inner.privateAddress}`));
  });

  it(
    supported('Jump hosts', 'ProxyJump through several hosts, each with its own account, key, port and host key'),
    async () => {
      expect((await attempt(target(through(overBastion()), { connectTimeoutMs: 1500 }))).kind).toBe('unreachable');
      const seen = await hostName(target(through(overBastion(), overInner())));
      expect(seen).toContain(`${inner.privateAddress} `);
    },
  );

  it(
    supported(
      'Jump hosts',
      'one login on a jump host for all hosts behind it; to each host a new connection and a new login',
    ),
    async () => {
      const [before, behind] = [await loginsAt(bastion, bastionPort), await loginsAt(inner, innerPort)];
      const ports = await inRun(async (transport) => {
        const outcomes = await Promise.all(
          Array.from({ length: 20 }, (_, index) =>
            transport.connect(target(through(overBastion(writtenAt(index)), overInner()))),
          ),
        );
        const seen = await Promise.all(
          outcomes.map(async (outcome) => {
            const connection = connected(outcome);
            const { stdout } = ended(await run(connection, 'echo "$SSH_CONNECTION"'));
            await connection.close();
            return stdout.split(' ')[1];
          }),
        );
        // The guard's fresh connection comes a moment later; it is new at the host and costs no login on the way.
        const fresh = connected(await transport.connect(target(through(overBastion(), overInner()))));
        seen.push(ended(await run(fresh, 'echo "$SSH_CONNECTION"')).stdout.split(' ')[1]);
        await fresh.close();
        return seen;
      });
      expect(new Set(ports).size).toBe(21);
      expect(await loginsAt(bastion, bastionPort)).toBe(before + 1);
      expect(await loginsAt(inner, innerPort)).toBe(behind + 1);
    },
  );

  it('log out when no longer used', async () => {
    await attempt(target(through(overBastion(), overInner())));
    await eventually('nobody of ours is logged in', async () => {
      const left = await bastion.run('ss', '-Htn', 'state', 'established', `sport = :${bastionPort}`);
      return left.trim() === '';
    });
  });

  it(supported('Jump hosts', 'a changed host key of a jump host is a loud stop that names file and line'), async () => {
    const other = host.hostKeys.find((line) => line.startsWith('ssh-ed25519'));
    const changed = file('changed');
    writeFileSync(changed, `# what the host had once\n${inner.privateAddress} ${other}\n`);
    const hop = overInner({ knownHostsFiles: [changed] });
    expect(await attempt(target(through(overBastion(), hop)))).toMatchObject({
      kind: 'host-key-changed',
      file: changed,
      line: 2,
      what: expect.stringMatching(/jump host operator@.*HAS CHANGED/),
    });
    expect(await attempt(target(through(overBastion({ knownHostsFiles: [changed] }))))).toMatchObject({
      kind: 'host-key-unknown',
      what: expect.stringContaining('The jump host admin@'),
    });
  });

  it(
    supported('Jump hosts', 'a jump host with a password: it is asked for on the terminal, once in a run'),
    async () => {
      const ways = [
        'PasswordAuthentication yes\nKbdInteractiveAuthentication no',
        'PasswordAuthentication no\nKbdInteractiveAuthentication yes',
      ];
      for (const way of ways) {
        const hop = overBastion({
          port: await startSshd(bastion, `${way}\n${SETTINGS}`),
          noDefaultKeys: true,
          privateKeyFiles: [],
        });
        const to = target(through(hop), { address: inner.privateAddress, hostKeyAlias: inner.privateAddress });
        const asked: string[] = [];
        const by = (answer: string) =>
          openTransport({ passphrase: null, ask: null }, ({ account, prompt }) => {
            asked.push(`${account} ${prompt}`);
            return Promise.resolve(new Secret(answer));
          });
        const transport = by(lab.sudoPassword);
        const outcomes = await Promise.all([transport.connect(to), transport.connect({ ...to, name: 'another' })]);
        for (const outcome of outcomes) await connected(outcome).close();
        await transport.close();
        expect(asked).toEqual([`admin@${bastion.publicAddress} Password:`]);
        if (way === ways[0]) continue;
        const wrong = by('wrong');
        expect(await wrong.connect(to)).toMatchObject({ kind: 'auth-failed' });
        expect(await wrong.connect({ ...to, name: 'another' })).toMatchObject({ kind: 'auth-failed' });
        expect(asked).toHaveLength(2);
      }
    },
  );

  it('is asked for its own host key, and the host for its own', async () => {
    const route = through(overBastion(), overInner());
    const other = file('other-host');
    writeFileSync(other, `${host.privateAddress} ${inner.hostKeys.find((line) => line.startsWith('ssh-ed25519'))}\n`);
    expect(await attempt(target(route, { knownHostsFiles: [other] }))).toMatchObject({
      kind: 'host-key-changed',
      what: expect.not.stringContaining('jump host'),
    });
  });

  it(
    supported('Jump hosts', 'a jump host that refuses the login is asked once in a run, for whichever hosts'),
    async () => {
      const before = (await bastion.run('cat', `/run/sshd_${bastionPort}.log`)).split('Connection closed by').length;
      const hop = overBastion({ privateKeyFiles: [file('inner-operator')] });
      const outcomes = await inRun(async (transport) => {
        const first = await Promise.all([1, 2, 3].map(() => transport.connect(target(through(hop)))));
        return [...first, await transport.connect(target(through(hop, overInner())))];
      });
      for (const outcome of outcomes) {
        expect(outcome).toMatchObject({
          kind: 'auth-failed',
          what: expect.stringContaining(`The jump host admin@${bastion.publicAddress} port ${bastionPort}`),
          solve: expect.stringContaining('ssh_config'),
        });
      }
      const after = (await bastion.run('cat', `/run/sshd_${bastionPort}.log`)).split('Connection closed by').length;
      expect(after - before).toBeLessThanOrEqual(1);
    },
  );

  it(
    supported(
      'Jump hosts',
      'which jump host is in the way, and why: not there, no such name, nothing listening, forwarding forbidden',
    ),
    async () => {
      const dead = lab.spareAddress('public', 150).v4;
      const cases: readonly (readonly [string, Target, RegExp, RegExp])[] = [
        [
          'unreachable',
          target(through(overBastion({ address: dead, connectTimeoutMs: 800 }))),
          /jump host admin@.*150.*(no answer|no route)/,
          /ConnectTimeout|routes/,
        ],
        [
          'unreachable',
          target(through(overBastion({ port: 2 }))),
          /jump host .*nothing listens/,
          /Port of the jump host/,
        ],
        [
          'unreachable',
          target(through(overBastion()), { port: 2, address: inner.privateAddress }),
          /The jump host .* cannot connect to .* port 2: nothing listens/,
          /ansible_port/,
        ],
        [
          'unreachable',
          target(through(overBastion()), { address: 'no-such-host.invalid' }),
          /cannot resolve the name/,
          /looked up on the jump host/,
        ],
        [
          'unreachable',
          target(through(overBastion(), overInner({ address: '192.0.2.1', connectTimeoutMs: 800 }))),
          /The jump host .* cannot connect to 192\.0\.2\.1/,
          /./,
        ],
      ];
      for (const [kind, to, what, solve] of cases) {
        expect(await attempt(to)).toMatchObject({
          kind,
          what: expect.stringMatching(what),
          solve: expect.stringMatching(solve),
        });
      }
      const port = await startSshd(bastion, `AllowTcpForwarding no\n${SETTINGS}`);
      const restricted = await allow(bastion, 'operator', 'restrict,permitopen="192.0.2.1:22" ');
      for (const hop of [overBastion({ port }), overBastion({ user: 'operator', privateKeyFiles: [restricted] })]) {
        expect(await attempt(target(through(hop), { address: inner.privateAddress }))).toMatchObject({
          kind: 'unreachable',
          what: expect.stringContaining('does not allow a connection to'),
          solve: expect.stringContaining('AllowTcpForwarding'),
        });
      }
    },
  );

  it('are given up when the caller says so, without holding up others', async () => {
    await inRun(async (transport) => {
      const route = through(overBastion({ address: lab.spareAddress('public', 151).v4 }));
      const startedAt = performance.now();
      const given = transport.connect(target(route), AbortSignal.timeout(100));
      const other = transport.connect(target(route), AbortSignal.timeout(400));
      expect(await given).toMatchObject({ kind: 'unreachable', what: expect.stringContaining('interrupted') });
      expect(performance.now() - startedAt).toBeLessThan(390);
      expect((await other).kind).toBe('unreachable');
    });
  });

  it(
    supported(
      'Jump hosts',
      'a jump host lost in the middle of a run: what was running is unknown, the next connection opens the way anew',
    ),
    async () => {
      await inRun(async (transport) => {
        const to = target(through(overBastion(), overInner()));
        const connection = connected(await transport.connect(to));
        const running = run(connection, 'sleep 20');
        await new Promise((resolve) => setTimeout(resolve, 300));
        await bastion.sh('pkill -KILL -u admin');
        expect(await running).toMatchObject({ kind: 'lost', mayHaveRun: true });
        const again = connected(await transport.connect(to));
        expect(ended(await run(again, 'echo back')).stdout).toBe('back\n');
        await Promise.all([again.close(), connection.close()]);
      });
    },
  );
});

describe('a command in place of a connection', () => {
  const by = (command: string, changes: Partial<Target> = {}): Target => target({ kind: 'command', command }, changes);
  /** OpenSSH as the proxy, with the options that our own jump host has. */
  const proxy = (goal: string): string =>
    [
      `ssh -F none -p ${bastionPort} -i ${file('bastion-admin')} -o IdentitiesOnly=yes -o BatchMode=yes`,
      `-o UserKnownHostsFile=${lab.knownHostsFile} -o HostKeyAlias=${bastion.publicAddress} -W ${goal}`,
      `admin@${bastion.publicAddress}`,
    ].join(' ');

  it(
    supported('Jump hosts', 'ProxyCommand, `ssh -W` as well as any other program; it is ended with the connection'),
    async () => {
      const to = by(proxy(`${inner.privateAddress}:22`), { address: inner.privateAddress });
      expect(await hostName(to)).toContain(`${bastion.privateAddress} `);
      // A pipe through a program that knows nothing of SSH, with a child of its own.
      const pipe = `sh -c 'sleep 4711 & exec ${proxy(`${inner.privateAddress}:22`)}'`;
      expect(await hostName(by(pipe, { address: inner.privateAddress }))).toContain(bastion.privateAddress);
      await eventually('nothing of the command is left', () => !processes().includes('sleep 4711'));
    },
  );

  it('to the nearest jump host, which has one of its own', async () => {
    const route = { ...through(overInner()), firstHopCommand: proxy(`${inner.privateAddress}:${innerPort}`) };
    expect(await hostName(target(route))).toContain(`${inner.privateAddress} `);
  });

  it(supported('Jump hosts', 'a ProxyCommand that fails or hangs is told with what it said'), async () => {
    const broken = await attempt(by('sh -c \'echo "no way \u001b[31mout" >&2; exit 7\''));
    expect(broken).toMatchObject({
      kind: 'unreachable',
      what: expect.stringMatching(/the ProxyCommand ended with exit code 7 and said: no way out$/),
    });
    const startedAt = performance.now();
    const hanging = await attempt(by('sleep 4712', { connectTimeoutMs: 1000 }));
    expect(hanging).toMatchObject({ kind: 'unreachable', what: expect.stringContaining('within 1 s') });
    expect(performance.now() - startedAt).toBeLessThan(3000);
    await eventually('it is ended', () => !processes().includes('sleep 4712'));
    expect(await attempt(by('/no/such/program'))).toMatchObject({
      kind: 'unreachable',
      what: expect.stringContaining('ProxyCommand'),
    });
    expect(await attempt(by('echo 220 mail.example.net'))).toMatchObject({
      what: expect.stringContaining('ProxyCommand'),
    });
  });

  it('does not get our passwords', async () => {
    process.env['PORTFW_SSH_PASSWORD'] = 'not for others';
    try {
      const outcome = await attempt(by("sh -c 'env >&2; exit 1'"));
      expect(outcome.kind === 'unreachable' && outcome.what).not.toContain('not for others');
      expect(outcome.kind === 'unreachable' && outcome.what).toContain('ended with exit code 1');
    } finally {
      delete process.env['PORTFW_SSH_PASSWORD'];
    }
  });

  const processes = (): string => execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' });
});

describe('portfw itself, by an ssh_config with ProxyJump', () => {
  let inventory: string;
  let config: string;
  /** From whom SSH is let in on the host, which is what decides whether a plan locks us out. */
  const write = (name: string, sshFrom: string): Promise<string> =>
    writeInventory(lab, name, {
      hosts: {
        host: {
          portfw_playbook: 'portaswitch',
          portfw_roles: ['server', 'master-db'],
          portfw_private: 'matrix',
          portfw_interfaces: { private: [lab.networks.private.subnet] },
          portfw_extra_rules: [
            {
              name: 'admin-ssh',
              interface: 'private',
              protocol: 'tcp',
              port: 22,
              from: [sshFrom],
              owner: 'ops@example.net',
              reason: 'The jump host',
            },
          ],
        },
      },
    });
  const portfwOver = (...args: readonly string[]) => portfwJson(...args, '--ssh-config', config);

  beforeAll(async () => {
    config = file('ssh_config');
    const block = (name: string, hop: SshEndpoint, more = ''): string =>
      [
        `Host ${name}`,
        `  HostName ${hop.address}\n  Port ${hop.port}\n  User ${hop.user}\n  IdentityFile ${hop.privateKeyFiles[0]}`,
        `  IdentitiesOnly yes\n  HostKeyAlias ${hop.hostKeyAlias}\n  UserKnownHostsFile ${lab.knownHostsFile}\n${more}`,
      ].join('\n');
    writeFileSync(
      config,
      [
        block('bastion', overBastion()),
        block('inner', overInner(), '  ProxyJump bastion\n'),
        `Host ${host.privateAddress}\n  ProxyJump inner\n`,
      ].join('\n'),
    );
    inventory = await write('site', inner.privateAddress);
  });

  it(
    supported(
      'Jump hosts',
      'a plan that would shut out the jump host is refused: what counts is the address that the host sees',
    ),
    async () => {
      const shut = await portfwOver('apply', await write('shut', bastion.privateAddress), '--yes');
      expect(outcomeOf(shut, 'host', 'refused').failure.code).toBe('lockout');
    },
  );

  it(
    supported('Jump hosts', 'plan, apply with the rollback armed and proven by a new connection, status, rollback'),
    async () => {
      const before = await loginsAt(bastion, bastionPort);
      const applied = await portfwOver('apply', inventory, '--yes');
      expect(applied.exitCode, applied.stdout + applied.stderr).toBe(0);
      outcomeOf(applied, 'host', 'changed');
      expect(await loginsAt(bastion, bastionPort)).toBe(before + 1);
      const again = await portfwOver('plan', inventory, '--detailed-exitcode');
      expect(again.exitCode).toBe(0);
      expect((await portfwOver('status', inventory)).exitCode).toBe(0);
      const rolledBack = await portfwOver('rollback', inventory, '--yes');
      expect(rolledBack.exitCode, rolledBack.stdout + rolledBack.stderr).toBe(0);
      outcomeOf(rolledBack, 'host', 'rolled-back');
    },
  );

  it('finds out over a new way what became of a host whose jump host was lost in the middle', async () => {
    const before = await loginsAt(bastion, bastionPort);
    const run = portfwOver('apply', inventory, '--yes', '--revert-after', '30s');
    await eventually('the rollback is armed', async () => {
      const armed = await host.exec(['sh', '-c', 'ls /run/systemd/transient | grep -q portfw-revert']);
      return armed.exitCode === 0;
    });
    await bastion.run('pkill', '-KILL', '-u', 'admin');
    const outcome = (await run).outcomes.get('host');
    expect(await loginsAt(bastion, bastionPort)).toBeGreaterThan(before + 1);
    // Never a success that nobody has proven: it was rolled back, or the proof was made over the new way.
    const zones = await host.run('firewall-cmd', '--get-zones');
    if (outcome?.kind === 'changed') expect(zones).toContain('portfw');
    else {
      expect(outcome).toMatchObject({ kind: 'failed', aftermath: { kind: 'restored' } });
      expect(zones).not.toContain('portfw');
    }
  });
});
