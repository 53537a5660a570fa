import { afterAll, beforeAll, expect, it } from 'vitest';
import type { FlowImpact } from '../../src/plan/impact-types.ts';
import type { LabHost } from '../lab/host.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import { addressOn } from '../lab/network.ts';
import { SCANNER_MACHINE } from '../lab/scanner.ts';
import { writeInventory } from './helpers/lab-inventory.ts';
import { outcomeOf, portfw, portfwJson } from './helpers/portfw-cli.ts';

/** Connections that are held open from outside while their ports are closed: what the plan says of them, and what comes true. */
const PORTS = [7000, 7001, 7002];
/** Idle for longer than the kernel remembers. */
const FORGOTTEN = 7002;

/** Says back whatever it hears, on every address, and keeps its connections. */
const ECHO = `
import selectors, socket
selector = selectors.DefaultSelector()
for port in (${PORTS.join(', ')}):
    server = socket.socket(socket.AF_INET6)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("::", port))
    server.listen()
    selector.register(server, selectors.EVENT_READ, True)
while True:
    for key, _ in selector.select():
        if key.data:
            selector.register(key.fileobj.accept()[0], selectors.EVENT_READ, False)
            continue
        try:
            heard = key.fileobj.recv(100)
            key.fileobj.sendall(heard)
        except OSError:
            heard = b""
        if not heard:
            selector.unregister(key.fileobj)
            key.fileobj.close()
`;

/** Opens a connection, waits for a sign, says a word and notes what comes back. */
const CLIENT = `
exec 3<>"/dev/tcp/$1/$2" || exit 1
touch "/tmp/open-$3"
until [ -e /tmp/speak ]; do sleep 0.05; done
echo hello >&3
timeout 1 head -n 1 <&3 >"/tmp/heard-$3"
touch "/tmp/done-$3"
sleep 60
`;

let lab: Lab;
let host: LabHost;
let inventory: string;

beforeAll(async () => {
  lab = await startLab({ name: 'impact', scanner: true, hosts: [{ name: 'web1', suite: 'bookworm' }] });
  host = lab.host('web1');
  inventory = await writeInventory(lab, 'impact', {
    hosts: { web1: { portfw_playbook: 'portaswitch', portfw_roles: [] } },
  });
  await host.writeFile('/root/echo.py', ECHO);
  await host.run('systemd-run', '--quiet', 'python3', '/root/echo.py');
});

afterAll(async () => {
  await lab?.stop();
});

async function scanner(script: string, ...args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await lab.scanner.exec(['bash', '-c', script, 'bash', ...args]);
  if (exitCode !== 0) throw new Error(`${script} ended with ${exitCode} on the scanner: ${stderr}`);
  return stdout;
}

/** Opens ports of the echo in a zone at runtime, and a connection to each end; by name, so that two rounds do not mix. */
async function openFlows(zone: string, round: string, ends: readonly (readonly [string, number])[]): Promise<void> {
  const ports = ends.map(([, port]) => port).filter((port) => PORTS.includes(port));
  await host.run('firewall-cmd', '--quiet', `--zone=${zone}`, ...ports.map((port) => `--add-port=${port}/tcp`));
  await scanner('rm -f /tmp/speak');
  for (const [address, port] of ends) {
    const name = `${round}-${address}-${port}`;
    await scanner('setsid bash -c "$1" bash "$2" "$3" "$4" >/dev/null 2>&1 &', CLIENT, address, String(port), name);
    await scanner('for i in {1..100}; do [ -e "/tmp/open-$1" ] && exit; sleep 0.05; done; exit 1', name);
  }
}

/** What each connection hears when it speaks: its own word, or nothing. */
async function heard(round: string, ends: readonly (readonly [string, number])[]): Promise<string[]> {
  await scanner('touch /tmp/speak');
  return Promise.all(
    ends.map(([address, port]) =>
      scanner(
        'for i in {1..100}; do [ -e "/tmp/done-$1" ] && break; sleep 0.05; done; cat "/tmp/heard-$1"',
        `${round}-${address}-${port}`,
      ).then((text) => text.trim()),
    ),
  );
}

const named = (flows: readonly FlowImpact[]) =>
  flows.map(({ opener, address, port, count }) => [opener, address, port, count]);

it('names the flows whose permission goes, lets them live on, and ends those that are not tracked', async () => {
  const { v4, v6 } = host.addresses.public!;
  const peer = addressOn(lab.networks.public, SCANNER_MACHINE);
  const ends = [
    [v4, 7000],
    [v6!, 7001],
    [v4, FORGOTTEN],
  ] as const;
  await openFlows('public', 'first', ends);
  await host.run('conntrack', '-D', '-p', 'tcp', '--dport', String(FORGOTTEN));

  const planned = await portfwJson('plan', inventory);
  const { impact, disruption } = outcomeOf(planned, 'web1', 'planned').plan;
  expect(disruption).toMatchObject({ kind: 'interface-moves', reload: true });
  expect(impact.closed).toMatchObject([
    {
      ports: ['7000-7002'],
      processes: ['python3'],
      interface: host.interfaces.public,
      destinations: [],
      zoneBefore: 'public',
      zoneAfter: 'portfw-public',
      before: { who: 'anybody' },
      after: { who: 'nobody' },
    },
  ]);
  expect(impact.flows.source).toBe('conntrack');
  expect(named(impact.flows.outlive)).toEqual([
    [peer.v4, v4, 7000, 1],
    [peer.v6, v6, 7001, 1],
  ]);
  expect(named(impact.flows.cut)).toEqual([[peer.v4, v4, FORGOTTEN, 1]]);

  const applied = await portfw('apply', inventory, '--yes', '--details');
  expect(applied.exitCode, applied.stdout + applied.stderr).toBe(0);
  expect(applied.stdout).toContain('7000-7002/tcp python3 on');
  expect(applied.stdout).toContain('2 flows that nothing allows any more continue (--cut-revoked ends such flows)');
  expect(await heard('first', ends)).toEqual(['hello', 'hello', '']);
});

it('--cut-revoked ends those flows, and no others', async () => {
  const { v4, v6 } = host.addresses.public!;
  const ends = [
    [v4, 7000],
    [v4, 7001],
    [v6!, 7001],
    [v4, 22],
  ] as const;
  await openFlows('portfw-public', 'second', ends);
  const applied = await portfwJson('apply', inventory, '--yes', '--cut-revoked');
  const { cut, plan } = outcomeOf(applied, 'web1', 'changed');
  // Those of the first round stand as well.
  expect(plan.impact.flows.outlive.map(({ port, count }) => [port, count])).toEqual([
    [7000, 2],
    [7001, 1],
    [7001, 2],
  ]);
  expect(cut).toEqual({ kind: 'cut', ended: 5, left: 0 });
  const open = await host.sh("ss -Htn state established | awk '{ print $3 }' | grep -c ':700[01]$' || true");
  expect(open.trim()).toBe('0');
  const [first, second, third, ssh] = await heard('second', ends);
  expect([first, second, third]).toEqual(['', '', '']);
  expect(ssh).toMatch(/^SSH-2/);
});
