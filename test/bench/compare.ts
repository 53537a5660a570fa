import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { RESTART_FIREWALLD } from '../lab/firewalld.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import { setUpLab } from '../set-up/lab.ts';
import { FOR_BENCH } from '../set-up/needs.ts';

/**
 * What the same work takes: 18 ports on each of three hosts (firewalld 0.9.3, 1.3.3, 2.3.1), by portfw, by
 * `ansible.posix.firewalld` in a loop, and beside both a bare `ssh host true`. All in one run on one lab, so that the
 * figures compare with each other; a machine's own speed cancels out in the ratios.
 *
 * `npm run bench` prints the table and writes it into docs/evidence/benchmarks.md.
 */
const ROUNDS = 3;
const ROOT = join(import.meta.dirname, '../..');
const run = promisify(execFile);

/** The 18 rows of a PortaSwitch web server: those of web-admin, and SSH. */
const PORTS = [
  ...['22', '25', '80', '443', '8442', '8443', '8444', '8445', '8446', '8447', '8448', '8449'].map(
    (port) => `${port}/tcp`,
  ),
  ...['8600', '8601', '8901', '8903-8904', '8943'].map((port) => `${port}/tcp`),
  '69/udp',
];

interface Bench {
  readonly lab: Lab;
  readonly portfwInventory: string;
  readonly ansibleInventory: string;
  readonly playbook: string;
  readonly ansibleConfig: string;
  readonly pipelinedConfig: string;
}

async function seconds(argv: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<number> {
  const [command, ...args] = argv;
  const began = performance.now();
  await run(command!, args, { env: { ...process.env, ...environment }, maxBuffer: 64 * 1024 * 1024 });
  return (performance.now() - began) / 1000;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

async function prepare(lab: Lab): Promise<Bench> {
  const folder = join(lab.directory, 'bench');
  await mkdir(folder, { recursive: true });
  const path = (name: string): string => join(folder, name);
  const common = { ansible_user: 'root', ansible_ssh_private_key_file: lab.privateKeyFile };
  const known = `-o UserKnownHostsFile=${lab.knownHostsFile}`;
  const hosts = Object.fromEntries(
    lab.hosts.map((host) => [
      host.name,
      {
        ansible_host: host.publicAddress,
        portfw_interfaces: { public: host.publicAddress },
        public_interface: host.interfaces.public,
      },
    ]),
  );
  const strip = ({ public_interface: _, ...rest }: Record<string, unknown>): Record<string, unknown> => rest;
  const playbook = [{ name: 'web servers', hosts: 'all', matrix: 'portaswitch' }];
  await writeFile(path('playbook.yaml'), JSON.stringify(playbook));
  const ours = {
    all: {
      vars: {
        ...common,
        ansible_ssh_common_args: known,
        portfw_playbook: path('playbook.yaml'),
        portfw_roles: ['web-admin'],
      },
      hosts: Object.fromEntries(Object.entries(hosts).map(([name, variables]) => [name, strip(variables)])),
    },
  };
  await writeFile(path('inventory.yaml'), JSON.stringify(ours, null, 2));
  await writeFile(
    path('ansible.yaml'),
    JSON.stringify({ all: { vars: { ...common, ansible_ssh_common_args: known }, hosts } }, null, 2),
  );
  const firewalld = (parameters: Record<string, unknown>): Record<string, unknown> => ({
    'ansible.posix.firewalld': parameters,
  });
  const play = {
    hosts: 'all',
    gather_facts: false,
    tasks: [
      { name: 'zone', ...firewalld({ zone: 'bench', state: 'present', permanent: true }), register: 'zone' },
      { name: 'reload', command: 'firewall-cmd --reload', when: 'zone.changed' },
      {
        name: 'ports',
        ...firewalld({ zone: 'bench', port: '{{ item }}', state: 'enabled', permanent: true, immediate: true }),
        loop: PORTS,
      },
      {
        name: 'interface',
        ...firewalld({
          zone: 'bench',
          interface: '{{ public_interface }}',
          state: 'enabled',
          permanent: true,
          immediate: true,
        }),
      },
    ],
  };
  await writeFile(path('ansible-play.yaml'), JSON.stringify([play], null, 2));
  await writeFile(path('ansible.cfg'), '[defaults]\nhost_key_checking = True\ninterpreter_python = /usr/bin/python3\n');
  await writeFile(
    path('pipelined.cfg'),
    '[defaults]\nhost_key_checking = True\ninterpreter_python = /usr/bin/python3\n[connection]\npipelining = True\n',
  );
  return {
    lab,
    portfwInventory: path('inventory.yaml'),
    ansibleInventory: path('ansible.yaml'),
    playbook: path('ansible-play.yaml'),
    ansibleConfig: path('ansible.cfg'),
    pipelinedConfig: path('pipelined.cfg'),
  };
}

async function reset(lab: Lab): Promise<void> {
  await Promise.all(
    lab.hosts.map((host) =>
      host.sh(
        `rm -f /etc/firewalld/zones/bench.xml* /etc/firewalld/zones/portfw-* /etc/firewalld/services/portfw-*; rm -rf /var/lib/portfw; ${RESTART_FIREWALLD}`,
      ),
    ),
  );
}

async function measure(bench: Bench): Promise<Map<string, number>> {
  const figures = new Map<string, number[]>();
  const add = async (name: string, argv: readonly string[], environment?: NodeJS.ProcessEnv): Promise<void> => {
    const taken = await seconds(argv, environment);
    process.stderr.write(`  ${name}: ${taken.toFixed(2)} s\n`);
    figures.set(name, [...(figures.get(name) ?? []), taken]);
  };
  const portfw = ['node', join(ROOT, 'dist/cli/main.js'), 'apply', bench.portfwInventory, '--yes'];
  const ansible = ['ansible-playbook', '-i', bench.ansibleInventory, bench.playbook];
  const ssh = bench.lab.hosts.map(
    (host) =>
      `ssh -i ${bench.lab.privateKeyFile} -o UserKnownHostsFile=${bench.lab.knownHostsFile} root@${host.publicAddress} true`,
  );
  for (let round = 1; round <= ROUNDS; round += 1) {
    process.stderr.write(`round ${round} of ${ROUNDS}\n`);
    await add('ssh host true, three hosts at once', ['sh', '-c', `${ssh.join(' & ')} & wait`]);
    await reset(bench.lab);
    await add('portfw apply, first time', portfw);
    await add('portfw apply, nothing to do', portfw);
    await reset(bench.lab);
    await add('ansible.posix.firewalld, first time', ansible, { ANSIBLE_CONFIG: bench.ansibleConfig });
    await add('ansible.posix.firewalld, nothing to do', ansible, { ANSIBLE_CONFIG: bench.ansibleConfig });
    await add('ansible.posix.firewalld, pipelined, nothing to do', ansible, { ANSIBLE_CONFIG: bench.pipelinedConfig });
  }
  return new Map([...figures].map(([name, values]) => [name, median(values)]));
}

async function startUp(): Promise<{ readonly bare: number; readonly version: number }> {
  const bare: number[] = [];
  const version: number[] = [];
  for (let i = 0; i < 15; i += 1) {
    bare.push(await seconds(['node', '-e', '0']));
    version.push(await seconds(['node', join(ROOT, 'dist/cli/main.js'), '--version']));
  }
  return { bare: median(bare), version: median(version) };
}

function table(
  figures: ReadonlyMap<string, number>,
  start: { readonly bare: number; readonly version: number },
): string {
  const first = figures.get('portfw apply, first time')!;
  const idle = figures.get('portfw apply, nothing to do')!;
  const ratio = (name: string, own: number): string =>
    name.startsWith('ansible') ? `${(figures.get(name)! / own).toFixed(1)} × portfw` : '';
  const rows = [...figures].map(
    ([name, value]) => `| ${name} | ${value.toFixed(2)} | ${ratio(name, name.includes('nothing') ? idle : first)} |`,
  );
  return [
    '| what | seconds, median of three rounds | ratio |',
    '| --- | --- | --- |',
    ...rows,
    '',
    `Start-up: \`portfw --version\` ${(start.version * 1000).toFixed(0)} ms, \`node -e 0\` ${(start.bare * 1000).toFixed(0)} ms (medians of 15).`,
  ].join('\n');
}

async function main(): Promise<void> {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  await setUpLab(say, { besides: FOR_BENCH });
  if (!existsSync(join(ROOT, 'dist/cli/main.js'))) throw new Error('dist is missing: run `npm run build` first');
  const suites = ['bullseye', 'bookworm', 'trixie'] as const;
  const lab = await startLab({ name: 'bench', hosts: suites.map((suite) => ({ name: `web-${suite}`, suite })), say });
  try {
    const figures = await measure(await prepare(lab));
    const text = table(figures, await startUp());
    process.stdout.write(`${text}\n`);
    const file = join(ROOT, 'docs/evidence/benchmarks.md');
    const page = await readFile(file, 'utf8');
    const measured = `<!-- measured: ${cpus().length} cores, Node ${process.versions.node} -->\n\n${text}\n\n<!-- end -->`;
    await writeFile(file, page.replace(/<!-- measured[\s\S]*<!-- end -->/, measured));
  } finally {
    await lab.stop();
  }
}

await main();
