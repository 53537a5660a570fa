import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Secret } from '../../src/core/secret.ts';
import type { HostFacts } from '../../src/facts/facts.ts';
import { parseFacts } from '../../src/facts/parse-facts.ts';
import { probeProgram } from '../../src/host/programs.ts';
import { loadMatrix } from '../../src/matrix/load-matrix.ts';
import { detectRoles } from '../../src/roles/detect.ts';
import { probeInput } from '../../src/roles/wanted.ts';
import type { Become, Connection, Target } from '../../src/transport/connection.ts';
import { openTransport } from '../../src/transport/open-transport.ts';
import type { LabHost } from '../lab/host.ts';
import { type Lab, startLab } from '../lab/lab.ts';

/** One host of each suite with each way of telling the four roles on UDP 5060 apart, and hosts in other states. */
const HOSTS = [
  { name: 'node1', suite: 'bullseye', daemons: ['dispatching-node'] },
  { name: 'sbc1', suite: 'bookworm', daemons: ['dispatching-sbc'] },
  { name: 'bill1', suite: 'trixie', daemons: ['radius'] },
  { name: 'ocs1', suite: 'bullseye', daemons: ['ocs'] },
  { name: 'gcems1', suite: 'bookworm', daemons: ['gcems'] },
  { name: 'bare1', suite: 'trixie' },
  { name: 'off1', suite: 'bookworm', firewalld: 'stopped' },
  { name: 'none1', suite: 'bullseye', firewalld: 'absent' },
] as const;

const VERSIONS = { bullseye: '0.9.3', bookworm: '1.3.3', trixie: '2.3.1' } as const;

let lab: Lab;
const transport = openTransport({ passphrase: null, ask: null });

beforeAll(async () => {
  lab = await startLab({ name: 'facts', hosts: HOSTS });
});
afterAll(() => lab?.stop());

interface Way {
  readonly user?: string;
  readonly become?: Become;
  readonly address?: string;
}

async function connected<T>(host: LabHost, way: Way, use: (connection: Connection) => Promise<T>): Promise<T> {
  const target: Target = {
    name: host.name,
    kind: 'ssh',
    address: way.address ?? host.publicAddress,
    port: 22,
    user: way.user ?? 'root',
    privateKeyFiles: [lab.privateKeyFile],
    knownHostsFiles: [lab.knownHostsFile],
    hostKeyAlias: null,
    acceptNewHostKeys: false,
    connectTimeoutMs: 10_000,
    become: way.become ?? { kind: 'none' },
    agentSocket: null,
    identitiesOnly: false,
    keepalive: { intervalMs: 1000, countMax: 3 },
    route: { kind: 'direct' },
    password: null,
  };
  const outcome = await transport.connect(target);
  if (outcome.kind !== 'connected') throw new Error(`${host.name}: ${outcome.what}`);
  try {
    return await use(outcome.connection);
  } finally {
    await outcome.connection.close();
  }
}

/** Runs the probe and reads its answer; one that cannot be read fails the test. */
async function probe(connection: Connection, data = '', program = probeProgram()) {
  const outcome = await connection.run({ program, data, deadlineMs: 30_000, outputLimitBytes: 16 * 1024 * 1024 });
  if (outcome.kind !== 'exited') throw new Error(outcome.what);
  const parsed = parseFacts(outcome.stdout.toString('utf8'));
  if (parsed.kind === 'unreadable') throw new Error(`${parsed.section}: ${parsed.why}\n${outcome.stderr.toString()}`);
  return { ...parsed, stderr: outcome.stderr.toString() };
}

async function factsOf(name: string, data = ''): Promise<HostFacts> {
  return (await connected(lab.host(name), {}, (connection) => probe(connection, data))).facts;
}

function socketsOf(facts: HostFacts, process: string): string[] {
  const own = facts.sockets.filter(({ processes }) => processes.includes(process));
  return [...new Set(own.map(({ protocol, port }) => `${protocol}/${port}`))].sort();
}

describe('what each suite says of itself', () => {
  it.each([
    ['node1', 'EdgeProxy', ['tcp/5051', 'tcp/5060', 'udp/5060'], 'portasip-edge.service'],
    ['sbc1', 'sip-sbc', ['tcp/5051', 'tcp/5061', 'udp/5060'], 'portasip-sbc.service'],
    ['bill1', 'disconnectd', ['udp/5060'], 'porta-disconnect.service'],
  ] as const)('%s', async (name, process, sockets, unit) => {
    const host = lab.host(name);
    const data = 'package openssh-server\npackage no-such-package\nfile /etc/ssh/sshd_config\nfile /no/such/file\n';
    const { facts, notes, stderr } = await connected(host, {}, (connection) => probe(connection, data));
    expect(stderr).toBe('');
    expect(notes).toEqual([]);
    expect(facts.root).toBe(true);
    expect(facts.hostname).toBe(name);
    expect(facts.os.id).toBe('debian');
    expect(facts.os.prettyName).toContain(host.suite);
    expect(socketsOf(facts, process)).toEqual(sockets);
    expect(facts.processes).toContain(process);
    expect(facts.units).toContainEqual({ name: unit, active: 'active' });
    expect(facts.packages).toEqual(['openssh-server']);
    expect(facts.files).toEqual(['/etc/ssh/sshd_config']);
    expect(facts.remembered).toBeNull();
    expect(facts.lock).toBeNull();
    const publicSide = facts.interfaces.find((one) => one.name === host.interfaces.public);
    expect(publicSide).toMatchObject({ up: true, loopback: false });
    expect(publicSide?.addresses).toContainEqual({ address: host.publicAddress, prefix: 24, family: 'ipv4' });
    expect(facts.interfaces.find(({ loopback }) => loopback)?.name).toBe('lo');
    expect(publicSide).toMatchObject({ kind: 'veth' });
    expect(publicSide).not.toHaveProperty('parent');
    const routes = ['ipv4', 'ipv6'].map((family) => ({ family, interface: host.interfaces.public, table: 'main' }));
    expect(facts.defaultRoutes).toEqual(routes);
    if (facts.firewalld.kind !== 'running') throw new Error(`firewalld: ${facts.firewalld.kind}`);
    expect(facts.firewalld.version).toBe(VERSIONS[host.suite]);
    expect(facts.firewalld.state).toBe('RUNNING');
    expect(facts.firewalld.defaultZone).toBe('public');
    expect(facts.firewalld.runtime.zones['public']).toMatchObject({ services: expect.arrayContaining(['ssh']) });
    expect(facts.firewalld.files.map((file) => file.path)).toContain('firewalld.conf');
  });

  it('asking twice changes nothing and gives the same answer', async () => {
    const [first, second] = await connected(lab.host('bare1'), {}, async (connection) => [
      (await probe(connection)).facts.firewalld,
      (await probe(connection)).facts.firewalld,
    ]);
    expect(second).toEqual(first);
  });

  it('does not start a portmapper that does not run', async () => {
    expect((await factsOf('bare1')).rpc).toEqual([]);
    expect((await lab.host('bare1').exec(['systemctl', 'is-active', 'rpcbind.service'])).stdout).not.toMatch(/^active/);
  });

  it('has the ports of RPC programs where the portmapper runs', async () => {
    const facts = await factsOf('gcems1');
    const mountd = facts.rpc.filter(({ service, protocol }) => service === 'mountd' && protocol === 'udp');
    expect(mountd.map(({ program }) => program)).toEqual(mountd.map(() => 100005));
    expect([...new Set(mountd.map(({ port }) => `udp/${port}`))]).toEqual(
      socketsOf(facts, 'rpc.mountd').filter((socket) => socket.startsWith('udp/')),
    );
    expect(mountd.length).toBeGreaterThan(0);
  });

  it('tells a stopped firewalld from none', async () => {
    expect((await factsOf('off1')).firewalld).toMatchObject({ kind: 'stopped', version: '1.3.3' });
    expect((await factsOf('none1')).firewalld).toEqual({ kind: 'absent' });
  });

  it('has what an earlier run left and the lock of one under way', async () => {
    const host = lab.host('off1');
    const state = {
      format: 1,
      matrix: 'portaswitch',
      roles: ['web-admin'],
      generation: '20260101T000000Z-abcdef',
      appliedAt: '2026-01-01T00:00:00Z',
    };
    // Without a line feed at the end, as a program may leave it.
    await host.sh('mkdir -p /var/lib/portfw; printf %s "$1" >/var/lib/portfw/state.json', JSON.stringify(state));
    await host.sh('mkdir -p /run/portfw/lock');
    expect((await factsOf('off1')).lock).toEqual({ holder: 'unknown', since: 'unknown', id: 'unknown' });
    const lock = { holder: 'ops@controller.example.net', since: '2026-01-01T00:00:00Z', id: '7' };
    await host.sh('printf %s "$1" >/run/portfw/lock/holder.json', JSON.stringify(lock));
    expect(await factsOf('off1')).toMatchObject({ remembered: state, lock });
  });

  it('says what it could not find out', async () => {
    const host = lab.host('none1');
    await host.sh('mv "$(command -v ss)" /root/ss');
    try {
      const { facts, notes } = await connected(host, {}, (connection) => probe(connection));
      expect(facts.sockets).toEqual([]);
      expect(notes).toEqual([expect.stringContaining('ss is not installed')]);
    } finally {
      await host.sh('mv /root/ss /usr/bin/ss');
    }
  });
});

describe('the way that we came in by', () => {
  const sudo = (password: string | null): Become => ({
    kind: 'sudo',
    password: password === null ? null : new Secret(password),
  });

  it.each([
    ['as root', 'root', null],
    ['with sudo', 'operator', sudo(null)],
    ['with sudo and a password', 'admin', sudo('portfw-lab')],
  ] as const)('%s', async (_how, user, become) => {
    const host = lab.host('sbc1');
    const way = { user, become: become ?? ({ kind: 'none' } as const) };
    await connected(host, way, async (connection) => {
      const expected = {
        clientAddress: connection.endpoints?.localAddress,
        clientPort: connection.endpoints?.localPort,
        serverAddress: host.publicAddress,
        serverPort: 22,
      };
      const { facts } = await probe(connection);
      expect(facts.root).toBe(true);
      expect(facts.controllerPath).toEqual(expected);
      // Without the variable it is read from the processes above, past sudo.
      const bare = await probe(connection, '', `unset SSH_CONNECTION\n${probeProgram()}`);
      expect(bare.facts.controllerPath).toEqual(expected);
    });
  });

  it('over IPv6', async () => {
    const host = lab.host('bill1');
    const address = host.addresses.public?.v6;
    if (address === null || address === undefined) return;
    const { facts } = await connected(host, { address }, (connection) => probe(connection));
    expect(facts.controllerPath?.serverAddress).toBe(address);
  });

  it('without root the facts say so', async () => {
    const { facts, notes } = await connected(lab.host('sbc1'), { user: 'nosudo' }, (connection) => probe(connection));
    expect(facts.root).toBe(false);
    expect(facts.firewalld.kind).not.toBe('absent');
    expect(notes.join()).toContain('did not run as root');
  });
});

describe('who is on port 5060', () => {
  const matrix = loadMatrix('portaswitch-ocs');
  const detect = async (name: string) =>
    detectRoles({ matrix, facts: await factsOf(name, probeInput([matrix])), declared: null, remembered: null });

  it.each([
    ['node1', 'dispatching-node', 'udp/5060 owned by EdgeProxy'],
    ['sbc1', 'dispatching-sbc', 'udp/5060 owned by sip-sbc'],
    ['bill1', 'radius', 'unit porta-billing.service'],
    ['ocs1', 'ocs', 'unit porta-ocs.service'],
  ])('%s is the %s', async (name, role, proof) => {
    const { verdict, roles } = await detect(name);
    expect(verdict).toEqual({ kind: 'settled' });
    expect(roles.map((one) => [one.role, one.because])).toEqual([
      ['server', 'every-host'],
      [role, 'detected'],
    ]);
    expect(roles[1]?.evidence.map(({ text }) => text)).toContain(proof);
  });

  it('a host without any of their daemons plays no role', async () => {
    expect((await detect('off1')).verdict).toEqual({ kind: 'none' });
  });

  it('only an unknown process is ambiguous, and its name cannot forge an answer', async () => {
    const host = lab.host('bare1');
    // Writes a name with line breaks, which any user may give to a process of theirs, then listens.
    const listener = [
      'import socket, time',
      'open("/proc/self/comm", "w").write("\\n@@end\\n@@x")',
      's = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("0.0.0.0", 5060)); time.sleep(600)',
    ].join('\n');
    await host.run('systemd-run', '--unit=stranger', 'python3', '-c', listener);
    try {
      await host.sh('until ss -Hlnu | grep -q :5060; do sleep 0.1; done');
      const { verdict, roles } = await detect('bare1');
      expect(verdict).toEqual({
        kind: 'ambiguous',
        unexplained: [expect.stringMatching(/^udp\/5060 /)],
        candidates: ['dispatching-node', 'dispatching-sbc', 'ocs', 'radius'],
      });
      expect(roles.map(({ role }) => role)).toEqual(['server']);
    } finally {
      await host.sh('systemctl stop stranger.service; systemctl reset-failed stranger.service 2>/dev/null || true');
    }
  });

  it('a GCEMS is found by its own daemons', async () => {
    const gcems = loadMatrix('img-gcems');
    const facts = await factsOf('gcems1', probeInput([gcems]));
    const { verdict, roles } = detectRoles({ matrix: gcems, facts, declared: null, remembered: null });
    expect(verdict).toEqual({ kind: 'settled' });
    expect(roles).toMatchObject([{ role: 'gcems', because: 'detected' }]);
  });
});
