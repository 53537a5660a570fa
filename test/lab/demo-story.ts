import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { formatPortRange, mergePortRanges } from '../../src/core/ports.ts';
import { DEMO_HOSTS, type DemoHost } from './demo-inventory.ts';
import { look, matrixRows, type Seen, type Sight } from './demo-scan.ts';
import type { Stage } from './demo-stage.ts';
import type { Lab } from './lab.ts';
import { addressOn } from './network.ts';
import { SCANNER_MACHINE } from './scanner.ts';

/** What the story is told with. */
export interface Story {
  readonly stage: Stage;
  readonly lab: Lab;
  /** The path of the inventory, as commands name it. */
  readonly inventory: string;
}

/** The port that is opened by hand, and that no matrix has. */
const BY_HAND = '9999/tcp';
/** How many scans run at once: nmap is one processor's work. */
const SCANS_AT_ONCE = 2;

/** Where the first plan of the story is saved: that of all hosts, beside their inventory. */
export function savedPlan(inventory: string): string {
  return join(dirname(inventory), 'change.plan.json');
}

/** Tells the whole story: from a host as its administrators left it, to one that matches the matrix, and back. */
export async function tellStory(story: Story): Promise<void> {
  const { stage, lab, inventory } = story;
  const original = await footprints(lab);
  const running = await runtimes(lab);

  stage.heading('The inventory: an Ansible inventory with a few portfw_ variables');
  stage.command(`cat ${inventory}`);
  stage.say(await readFile(inventory, 'utf8'));

  stage.heading('lint: checks the files; contacts no host');
  await stage.portfw(['lint', inventory], 0);

  stage.heading('detect: which roles the hosts play, with the evidence');
  await stage.portfw(['detect', inventory], 0);

  const saved = savedPlan(inventory);
  stage.heading('plan: what would change; reads only; exit code 2 means that changes are pending');
  await stage.portfw(['plan', inventory, '--out', saved, '--detailed-exitcode'], 2);
  stage.heading('show: the plan that was saved, for those who review it; contacts no host');
  const { output } = await stage.portfw(['show', saved], 0);
  stage.check('it is the plan of all six hosts', output.includes(`${DEMO_HOSTS.length} hosts`));
  stage.heading('plan --details: each change of a host, with its reasons');
  await stage.portfw(['plan', inventory, '--limit', 'sip1', '--details'], 0);
  stage.check('detect and plan have changed nothing on any host', same(original, await footprints(lab)));

  stage.heading('apply: changes the hosts batch by batch, and verifies each over a new connection');
  await stage.portfw(['apply', inventory, '--yes'], 0);
  const applied = await footprints(lab);
  for (const { host, version, roles } of await Promise.all(DEMO_HOSTS.map((host) => remembered(lab, host)))) {
    const wanted = host.roles.join(', ');
    stage.check(`${host.name} (firewalld ${version}) plays ${wanted}`, roles === wanted, [`it remembers: ${roles}`]);
  }
  stage.check('no foreign file has changed', same(others(original), others(applied)));

  stage.heading('apply again: nothing to do, so nothing is done');
  await stage.portfw(['apply', inventory, '--yes'], 0);
  stage.check(
    'every file and its time of change is as before, and no generation was saved',
    same(applied, await footprints(lab)),
  );

  await scan(story);
  await drift(story);
  await goBack(story, original, running);
}

/** A third machine looks at every host: open is what the matrix has, and nothing else. */
async function scan({ stage, lab }: Story): Promise<void> {
  stage.heading('nmap from another machine: all 65,535 TCP ports, and the UDP ports of all matrices');
  stage.say('Every host now answers on every port that its firewall lets through, whether a service listens or not.');
  const rows = await matrixRows();
  const everything = (['tcp', 'udp'] as const).map((protocol) => ({ protocol, from: 1, to: 65535 }));
  await lab.host('sip1').addAddress('public', lab.vip(0).v4);
  await Promise.all(lab.hosts.map((host) => host.listenOn(everything)));
  const queue = sights(lab);
  const work = async (): Promise<void> => {
    for (let sight = queue.shift(); sight !== undefined; sight = queue.shift()) {
      stage.proceed();
      report(stage, await look(lab, sight, rows));
    }
  };
  await Promise.all(Array.from({ length: SCANS_AT_ONCE }, work));
  await Promise.all(lab.hosts.map((host) => host.listenOn([])));
  await lab.host('sip1').removeAddress('public', lab.vip(0).v4);
}

/** The addresses that the scanner looks at. On the control network it has the address of the gateway img1. */
function sights(lab: Lab): Sight[] {
  const host = (name: string): DemoHost => DEMO_HOSTS.find((one) => one.name === name)!;
  const publicly = (name: string): Sight => ({
    host: host(name),
    address: lab.host(name).publicAddress,
    side: 'public address',
    classes: ['public'],
    peers: [],
  });
  const privately = { classes: ['private'], peers: [] };
  return [
    publicly('web1'),
    publicly('bill1'),
    publicly('sip1'),
    { ...publicly('sip1'), address: lab.vip(0).v4, side: 'virtual address', classes: ['vip', 'public'] },
    { ...privately, host: host('db1'), address: lab.host('db1').privateAddress, side: 'private address' },
    publicly('ocs1'),
    publicly('gcems1'),
    {
      host: host('gcems1'),
      address: lab.host('gcems1').privateAddress,
      side: 'control address, seen by img1',
      classes: ['control'],
      peers: ['img'],
    },
  ];
}

function report(stage: Stage, { sight, open, tooMuch, missing }: Seen): void {
  stage.check(
    `${sight.host.name}, ${sight.side}: open is exactly what the matrix has (${portList(open)})`,
    tooMuch.length + missing.length === 0,
    [`open without a row: ${tooMuch.slice(0, 20).join(' ') || 'none'}`, `not open: ${missing.join(' ') || 'none'}`],
  );
}

/** `tcp 22, 8442-8449; udp 69`. */
function portList(ports: Iterable<string>): string {
  const all = [...ports];
  const parts = (['tcp', 'udp'] as const).flatMap((protocol) => {
    const own = all.filter((port) => port.startsWith(protocol)).map((port) => Number(port.slice(4)));
    const ranges = mergePortRanges(own.map((port) => ({ first: port, last: port })));
    return ranges.length === 0 ? [] : [`${protocol} ${ranges.map(formatPortRange).join(', ')}`];
  });
  return parts.length === 0 ? 'nothing' : parts.join('; ');
}

/** Somebody opens a port by hand; the plan names it, and applying the saved plan takes it back. */
async function drift({ stage, lab, inventory }: Story): Promise<void> {
  stage.heading('Drift: somebody opens a port by hand, and the next plan says so');
  const web = lab.host('web1');
  for (const permanent of [[], ['--permanent']]) {
    const argv = ['firewall-cmd', ...permanent, '--zone=portfw-public', `--add-port=${BY_HAND}`];
    stage.command(argv.join(' '), 'web1');
    stage.say((await web.run(...argv)).trimEnd());
  }
  const file = join(dirname(inventory), 'web1.plan.json');
  const flags = ['--limit', 'web1', '--details', '--out', file, '--detailed-exitcode'];
  const { output } = await stage.portfw(['plan', inventory, ...flags], 2);
  stage.check(`the plan names port ${BY_HAND}`, /\b9999\b/.test(output));
  await stage.portfw(['apply', file, '--yes'], 0);
  const left = `${await web.run('firewall-cmd', '--zone=portfw-public', '--list-ports')}${await web.run('cat', '/etc/firewalld/zones/portfw-public.xml')}`;
  stage.check('the port is gone, at runtime and in the file', !left.includes('9999'));
}

/** Each host returns to the first generation that was saved of it. */
async function goBack({ stage, lab, inventory }: Story, original: Footprints, running: Footprints): Promise<void> {
  stage.heading('history and rollback: each host returns to its earlier state, verified by hash');
  await stage.portfw(['history', inventory, '--limit', 'web1'], 0);
  const generations = (await lab.host('web1').run('ls', '/var/lib/portfw/generations')).split('\n');
  stage.check(
    'web1 has two generations: one saved by each apply that changed it',
    generations.filter(Boolean).length === 2,
  );
  await stage.portfw(['rollback', inventory, '--limit', 'web1', '--to', generations[0] ?? '', '--yes'], 0);
  await stage.portfw(['rollback', inventory, '--limit', 'all:!web1', '--yes'], 0);
  const now = await footprints(lab);
  stage.check('what runs is what ran before the first apply', same(running, await runtimes(lab)));
  for (const [name, files] of original) {
    stage.check(
      `${name}: /etc/firewalld is as it was, byte for byte`,
      configuration(files) === configuration(now.get(name) ?? ''),
      [...difference(configuration(files), configuration(now.get(name) ?? ''))],
    );
  }
}

/** By host: what its firewalld does at runtime, zone by zone. The words of a line are a set. */
async function runtimes(lab: Lab): Promise<Footprints> {
  const read = async (name: string): Promise<[string, string]> => {
    const lines = (await lab.host(name).run('firewall-cmd', '--list-all-zones')).split('\n');
    return [name, lines.map((line) => line.trim().split(/ +/).sort().join(' ')).join('\n')];
  };
  return new Map(await Promise.all(DEMO_HOSTS.map(({ name }) => read(name))));
}

/** By host: one line for each file below /etc/firewalld and /var/lib/portfw. */
type Footprints = ReadonlyMap<string, string>;

/** What each line says of a file: hash, path, mode, owner, time of change. */
async function footprints(lab: Lab): Promise<Footprints> {
  const script = `
    for folder in /etc/firewalld /var/lib/portfw; do
      [ -d "$folder" ] || continue
      find "$folder" -type f | sort | while read -r file; do
        printf '%s %s\\n' "$(sha256sum <"$file" | cut -c-64)" "$(stat -c '%n %a %u:%g %y' "$file")"
      done
    done`;
  const read = async (name: string): Promise<[string, string]> => [name, await lab.host(name).sh(script)];
  return new Map(await Promise.all(DEMO_HOSTS.map(({ name }) => read(name))));
}

function same(before: Footprints, after: Footprints): boolean {
  return [...before].every(([name, files]) => files === after.get(name));
}

/** What is left when our own files are taken out. */
function others(all: Footprints): Footprints {
  const isOurs = (line: string): boolean => / \/var\/lib\/portfw\/| \/etc\/firewalld\/\w+\/portfw-/.test(line);
  return new Map(
    [...all].map(([name, files]) => [
      name,
      linesOf(files)
        .filter((line) => !isOurs(line))
        .join('\n'),
    ]),
  );
}

/** Hash, path, mode and owner of the files of firewalld's configuration. */
function configuration(files: string): string {
  return linesOf(files)
    .filter((line) => line.includes(' /etc/firewalld/'))
    .map((line) => line.split(' ').slice(0, 4).join(' '))
    .join('\n');
}

function difference(before: string, after: string): string[] {
  const [was, is] = [linesOf(before), linesOf(after)];
  return [
    ...was.filter((line) => !is.includes(line)).map((line) => `was: ${line}`),
    ...is.filter((line) => !was.includes(line)).map((line) => `is: ${line}`),
  ];
}

function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}

/** Which firewalld a host has, and which roles portfw remembers on it. */
async function remembered(
  lab: Lab,
  host: DemoHost,
): Promise<{ readonly host: DemoHost; readonly version: string; readonly roles: string }> {
  const machine = lab.host(host.name);
  const [version, state] = await Promise.all([
    machine.run('firewall-offline-cmd', '--version'),
    machine.exec(['cat', '/var/lib/portfw/state.json']),
  ]);
  if (state.exitCode !== 0) return { host, version: version.trim(), roles: 'nothing' };
  const { roles } = JSON.parse(state.stdout) as { readonly roles: readonly string[] };
  return { host, version: version.trim(), roles: [...roles].sort().join(', ') };
}

/** The machines of the lab that the inventory names besides its hosts. */
export function demoMachines(lab: Lab): { readonly controller: string; readonly gateway: string } {
  return {
    controller: addressOn(lab.networks.private, 1).v4,
    gateway: addressOn(lab.networks.private, SCANNER_MACHINE).v4,
  };
}
