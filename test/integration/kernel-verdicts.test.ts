import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EVERY_ADDRESS, holds } from '../../src/core/address-ranges.ts';
import { parseAddress } from '../../src/core/addresses.ts';
import { Evaluator } from '../../src/kernel/evaluate.ts';
import { combine, readIptablesSave } from '../../src/kernel/read-iptables-save.ts';
import { readNft } from '../../src/kernel/read-nft.ts';
import type { Ruleset } from '../../src/kernel/ruleset.ts';
import { RESTART_FIREWALLD } from '../lab/firewalld.ts';
import type { LabHost } from '../lab/host.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import {
  type RandomConfig,
  randomConfig,
  type Surroundings,
  TCP_PORTS,
  UDP_PORTS,
} from './helpers/random-firewalld.ts';

/**
 * What the rules of real hosts let in, by nmap and by the evaluator: random configurations of firewalld with rules beside it,
 * loaded by each version. They must agree on every port.
 */
const CONFIGURATIONS = Number(process.env['CONFIGURATIONS'] ?? 8);
const SUITES = ['bullseye', 'bookworm', 'trixie'] as const;
/** The interface behind which another machine is, and its address. */
const BEHIND = 'veth0';
const behindOf = (host: LabHost) => `203.0.113.${4 * SUITES.indexOf(host.suite) + 202}`;

/** The scanner's own number and further ones. */
const CALLERS = [5, 150, 151, 160];

/** Another one for each run, unless it is given: a failure shows it. */
const SEED = Number(process.env['KERNEL_SEED'] ?? Date.now() % 1_000_000);

const SERVER = `
import selectors, socket, sys
tcp, udp = ([int(port) for port in ports.split(',')] for ports in sys.argv[1:3])
watched = selectors.DefaultSelector()
for kind, ports in ((socket.SOCK_STREAM, tcp), (socket.SOCK_DGRAM, udp)):
    for port in ports:
        server = socket.socket(socket.AF_INET6, kind)
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(('::', port))
        if kind == socket.SOCK_STREAM:
            server.listen(64)
        watched.register(server, selectors.EVENT_READ)
while True:
    for key, _ in watched.select():
        server = key.fileobj
        if server.type == socket.SOCK_STREAM:
            try:
                server.accept()[0].close()
            except OSError:
                pass
        else:
            _, caller = server.recvfrom(2048)
            try:
                server.sendto(b'here', caller)
            except OSError:
                pass
`;

/** Another machine, behind the host. */
const BESIDE = `
ip netns add behind
ip link add ${BEHIND} type veth peer name eth0 netns behind
ip address add "$2" dev ${BEHIND}
ip link set ${BEHIND} up
ip -n behind address add "$1" dev eth0
ip -n behind link set eth0 up
ip -n behind link set lo up
ip -n behind route add default via "$3"
`;

/** Loads a configuration and prints the rules in force. */
const LOAD = `
cat >/run/config.json
for table in 'inet admin' 'ip admin_nat'; do nft delete table $table 2>/dev/null || true; done
python3 - <<'END'
import json, os, shutil
config = json.load(open('/run/config.json'))
for folder in ('zones', 'policies', 'ipsets'):
    shutil.rmtree('/etc/firewalld/' + folder, ignore_errors=True)
    os.makedirs('/etc/firewalld/' + folder)
if os.path.exists('/etc/firewalld/direct.xml'):
    os.remove('/etc/firewalld/direct.xml')
for name, text in config['files'].items():
    with open('/etc/firewalld/' + name, 'w') as out:
        out.write('<?xml version="1.0" encoding="utf-8"?>' + chr(10) + text + chr(10))
with open('/run/admin.nft', 'w') as out:
    out.write(config['nft'] + chr(10))
END
busctl call --timeout=60 org.fedoraproject.FirewallD1 /org/fedoraproject/FirewallD1 org.fedoraproject.FirewallD1 reload 2>/dev/null ||
  { ${RESTART_FIREWALLD}
  } || exit 9
nft -f /run/admin.nft
nft -j list ruleset
echo
echo '# ip'
iptables-save
echo '# ip6'
ip6tables-save
`;

let lab: Lab;
let callers: readonly string[];
let device: string;

beforeAll(async () => {
  const hosts = SUITES.map((suite) => ({ name: suite, suite, forwarding: true }));
  lab = await startLab({ name: 'verdicts', scanner: true, hosts });
  const network = lab.networks.public.subnet.replace('0/24', '');
  callers = CALLERS.map((number) => `${network}${number}`);
  const { stdout } = await lab.scanner.exec(['ip', '-o', 'route', 'show', lab.networks.public.subnet]);
  device = / dev (\S+)/.exec(stdout)![1]!;
  for (const caller of callers.slice(1)) {
    await lab.scanner.exec(['ip', 'address', 'add', `${caller}/32`, 'dev', device]);
  }
  for (const host of lab.hosts) {
    await host.writeFile('/opt/answers.py', SERVER);
    const ports = [TCP_PORTS.filter((port) => port !== 22), UDP_PORTS].map((list) => list.join(','));
    await host.run('systemd-run', '--quiet', '--unit=answers', 'python3', '/opt/answers.py', ...ports);
    const inside = behindOf(host);
    const gateway = inside.replace(/\d+$/, (last) => String(Number(last) - 1));
    await host.sh(BESIDE, `${inside}/30`, `${gateway}/30`, gateway);
    const served = [TCP_PORTS.join(','), UDP_PORTS.join(',')];
    await host.run(
      'systemd-run',
      '--quiet',
      '--unit=behind',
      'ip',
      'netns',
      'exec',
      'behind',
      'python3',
      '/opt/answers.py',
      ...served,
    );
    await lab.scanner.exec(['ip', 'route', 'add', `${inside}/32`, 'via', host.publicAddress]);
  }
});

afterAll(async () => {
  await lab?.stop();
});

/** The rules that a host has in force with a configuration; `null` when firewalld does not take it. */
async function load(host: LabHost, config: RandomConfig): Promise<Ruleset | null> {
  const encoded = Buffer.from(JSON.stringify(config)).toString('base64');
  const script = `printf %s "$1" | base64 -d | { ${LOAD} }`;
  const { exitCode, stdout: output, stderr } = await host.exec(['/bin/sh', '-eu', '-c', script, 'sh', encoded]);
  if (exitCode === 9) return null;
  if (exitCode !== 0) throw new Error(`${host.name} does not take it:\n${stderr}`);
  const [, json = '', ipv4 = '', ipv6 = ''] = /^([\s\S]*?)\n# ip\n([\s\S]*?)# ip6\n([\s\S]*)$/.exec(output) ?? [];
  return combine(readNft(json), [readIptablesSave(ipv4, 'ip'), readIptablesSave(ipv6, 'ip6')]);
}

/** The ports of a destination that the rules let an address reach, and what they leave open. */
function predicted(
  rules: Ruleset,
  around: Surroundings,
  caller: string,
  destination: string,
): { open: string[]; unknown: string[] } {
  const address = parseAddress(caller)!.first;
  const direction = destination === around.address ? 'input' : 'forward';
  const local = [around.address, around.privateAddress];
  const evaluator = new Evaluator(rules);
  const open: string[] = [];
  const unknown = new Set<string>();
  for (const [protocol, ports] of [
    ['tcp', TCP_PORTS],
    ['udp', UDP_PORTS],
  ] as const) {
    for (const port of ports) {
      const answers = [true, false].map((worst) => {
        const found = evaluator.passage(
          {
            direction,
            interface: around.interface,
            outInterface: direction === 'input' ? null : BEHIND,
            family: 'ipv4',
            protocol,
            port,
            sourcePort: null,
            sources: EVERY_ADDRESS.ipv4,
            destination,
            state: 'new',
            local,
            redirectedTo: around.address,
          },
          worst,
        );
        for (const text of found.unknown) unknown.add(text);
        const answering: readonly number[] = protocol === 'tcp' ? TCP_PORTS : UDP_PORTS;
        const elsewhere = found.translated.some(
          ({ accepted, local: here, port: to }) =>
            here === true && to !== null && answering.includes(to) && holds(accepted, address),
        );
        return holds(found.accepted, address) || elsewhere;
      });
      if (answers[0] !== answers[1]) unknown.add(`${protocol}/${port} is not certain`);
      if (answers[0] === true) open.push(`${protocol}/${port}`);
    }
  }
  return { open: open.sort(), unknown: [...unknown] };
}

async function seen(address: string, caller: string, retries: number): Promise<string[]> {
  const speed = [
    '-T5',
    '--max-retries',
    String(retries),
    '--initial-rtt-timeout',
    '50ms',
    '--max-rtt-timeout',
    '150ms',
  ];
  const ports = `T:${TCP_PORTS.join(',')},U:${UDP_PORTS.join(',')}`;
  const argv = [
    'nmap',
    '-n',
    '-Pn',
    '-sS',
    '-sU',
    ...speed,
    '-S',
    caller,
    '-e',
    device,
    '-p',
    ports,
    '-oG',
    '-',
    address,
  ];
  const { exitCode, stdout, stderr } = await lab.scanner.exec(argv);
  if (exitCode !== 0) throw new Error(`nmap failed:\n${stderr}`);
  return [...stdout.matchAll(/(\d+)\/open\/(tcp|udp)\//g)].map(([, port, protocol]) => `${protocol}/${port}`).sort();
}

describe('what the rules in force let in, by nmap and by us', { timeout: 900_000, concurrent: true }, () => {
  it.each(SUITES)('%s', async (suite) => {
    const host = lab.host(suite);
    const around: Surroundings = {
      interface: host.interfaces.public!,
      address: host.publicAddress,
      privateAddress: host.privateAddress,
      behind: BEHIND,
      callers,
    };
    const disagreements: object[] = [];
    let answered = 0;
    let asked = 0;
    let looked = 0;
    for (let index = 0; looked < CONFIGURATIONS && index < 2 * CONFIGURATIONS; index += 1) {
      const seed = SEED * 100 + index;
      const rules = await load(host, randomConfig(seed, around));
      if (rules === null) continue;
      looked += 1;
      const caller = callers[index % callers.length]!;
      // Forwarding is looked at as well, now and then.
      for (const at of [around.address, ...(index % 2 === 0 ? [behindOf(host)] : [])]) {
        const { open, unknown } = predicted(rules, around, caller, at);
        let found = await seen(at, caller, 1);
        // A busy machine loses packets; no lost packet makes a closed port look open.
        if (open.some((port) => !found.includes(port))) found = await seen(at, caller, 6);
        answered += found.length;
        asked += TCP_PORTS.length + UDP_PORTS.length;
        if (unknown.length > 0 || found.join() !== open.join())
          disagreements.push({ seed, at, caller, open, found, unknown });
      }
    }
    expect(disagreements, `KERNEL_SEED=${SEED}`).toEqual([]);
    expect(looked).toBe(CONFIGURATIONS);
    // Neither always open nor always shut.
    expect(answered).toBeGreaterThan(asked / 10);
    expect(answered).toBeLessThan((asked * 9) / 10);
  });
});
