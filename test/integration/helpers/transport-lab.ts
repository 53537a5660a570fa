import { Secret } from '../../../src/core/secret.ts';
import type {
  CommandOutcome,
  Connection,
  ConnectOutcome,
  RemoteCommand,
  Target,
} from '../../../src/transport/connection.ts';
import { openTransport } from '../../../src/transport/open-transport.ts';
import type { LabHost } from '../../lab/host.ts';
import type { Lab } from '../../lab/lab.ts';

/** A transport without passphrases. */
export const transport = openTransport({ passphrase: null, ask: null });

/** How to reach a lab host as root with the lab's key and known hosts. */
export function targetOf(lab: Lab, host: LabHost, changes: Partial<Target> = {}): Target {
  return {
    name: host.name,
    kind: 'ssh',
    address: host.publicAddress,
    port: 22,
    user: 'root',
    privateKeyFiles: [lab.privateKeyFile],
    knownHostsFiles: [lab.knownHostsFile],
    hostKeyAlias: null,
    acceptNewHostKeys: false,
    connectTimeoutMs: 10_000,
    become: { kind: 'none' },
    agentSocket: null,
    identitiesOnly: false,
    keepalive: { intervalMs: 1000, countMax: 3 },
    route: { kind: 'direct' },
    password: null,
    ...changes,
  };
}

/** sudo with that password, or with none. */
export function sudo(password: string | null): Target['become'] {
  return { kind: 'sudo', password: password === null ? null : new Secret(password) };
}

/** The connection of an attempt that must succeed. */
export function connected(outcome: ConnectOutcome): Connection {
  if (outcome.kind === 'connected') return outcome.connection;
  throw new Error(`${outcome.kind}: ${outcome.what}`);
}

/** Connects, hands the connection over, and closes it. */
export async function withConnection<T>(target: Target, use: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = connected(await transport.connect(target));
  try {
    return await use(connection);
  } finally {
    await connection.close();
  }
}

/** Runs a program with limits that fit a test. */
export function run(
  connection: Connection,
  program: string,
  options: Partial<RemoteCommand> = {},
): Promise<CommandOutcome> {
  return connection.run({ program, data: '', deadlineMs: 20_000, outputLimitBytes: 1_000_000, ...options });
}

/** Connects and runs one program. */
export function runOn(target: Target, program: string, options: Partial<RemoteCommand> = {}): Promise<CommandOutcome> {
  return withConnection(target, (connection) => run(connection, program, options));
}

/** Exit code and output of a program that must have run to its end. */
export function ended(outcome: CommandOutcome): { exitCode: number; stdout: string; stderr: string } {
  if (outcome.kind !== 'exited') throw new Error(`${outcome.kind}: ${outcome.what}`);
  return {
    exitCode: outcome.exitCode,
    stdout: outcome.stdout.toString('utf8'),
    stderr: outcome.stderr.toString('utf8'),
  };
}

/** Waits until a condition holds; throws after 40 seconds, which a busy machine may need to plan and rehearse. */
export async function eventually(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  const end = performance.now() + 40_000;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`Not within 40 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Whether a process whose command line contains the text runs on the host. */
export async function isRunning(host: LabHost, text: string): Promise<boolean> {
  const found = await host.exec(['grep', '-lsaF', text, ...(await processFiles(host))]);
  // The searching grep has the text in its own command line, but its number was not in the list yet.
  return found.stdout.trim() !== '';
}

async function processFiles(host: LabHost): Promise<string[]> {
  const list = await host.exec(['sh', '-c', 'ls -d /proc/[0-9]*']);
  return list.stdout
    .trim()
    .split('\n')
    .map((folder) => `${folder}/cmdline`);
}

let lastPort = 2200;

/** Where the sshd of {@link startSshd} on that port writes what it does. */
function sshdLog(port: number): string {
  return `/run/sshd_${port}.log`;
}

/** How many logins that sshd has let in. */
export async function loginsAt(host: LabHost, port: number): Promise<number> {
  const log = await host.run('cat', sshdLog(port));
  return log.split('\n').filter((line) => line.includes('Accepted ')).length;
}

/**
 * Starts one more sshd on a lab host, on a port of its own and with these settings before the usual ones, and waits
 * until it listens. Returns the port.
 */
export async function startSshd(host: LabHost, settings: string): Promise<number> {
  const port = ++lastPort;
  const file = `/etc/ssh/sshd_${port}`;
  const usual = [
    `Port ${port}`,
    'HostKey /etc/ssh/ssh_host_ed25519_key',
    'HostKey /etc/ssh/ssh_host_ecdsa_key',
    'AuthorizedKeysFile /etc/ssh/lab_authorized_keys',
    'PermitRootLogin yes',
    'UsePAM yes',
    'UseDNS no',
    'PidFile none',
  ];
  await host.writeFile(file, `${settings}\n${usual.join('\n')}\n`);
  await host.run('/usr/sbin/sshd', '-f', file, '-E', sshdLog(port));
  await eventually(`sshd listens on ${port}`, async () => (await host.run('ss', '-Hltn', `sport = :${port}`)) !== '');
  return port;
}
