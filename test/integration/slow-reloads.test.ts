import { afterAll, beforeAll, expect, it } from 'vitest';
import type { LabHost } from '../lab/host.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import { writeInventory } from './helpers/lab-inventory.ts';
import { PortWatch } from './helpers/port-watch.ts';
import { outcomeOf, portfwJson } from './helpers/portfw-cli.ts';

/**
 * Hosts whose reload takes seconds: firewalld 0.9 with an ipset of some thousand entries, 2.x with many interfaces. INTERFACES
 * and ENTRIES make them larger.
 */
const INTERFACES = process.env['INTERFACES'] ?? '30';
const ENTRIES = process.env['ENTRIES'] ?? '3000';
/** Somebody listens there, and no zone opens it. */
const CLOSED = 7771;

let lab: Lab;
let inventory: string;

const MANY_INTERFACES = `
for number in $(seq "$1"); do ip link add tun$number type bridge; ip link set tun$number up; done
{
  echo '<?xml version="1.0"?><zone>'
  for number in $(seq "$1"); do echo "<interface name=\\"tun$number\\"/>"; done
  echo '<service name="ssh"/></zone>'
} >/etc/firewalld/zones/tunnels.xml`;

const MANY_ENTRIES = `
mkdir -p /etc/firewalld/ipsets
{
  echo '<?xml version="1.0"?><ipset type="hash:net"><option name="maxelem" value="200000"/>'
  for number in $(seq "$1"); do echo "<entry>11.$((number / 128)).$((number % 128 * 2)).0/24</entry>"; done
  echo '</ipset>'
} >/etc/firewalld/ipsets/bans.xml
echo '<?xml version="1.0"?><zone target="DROP"><source ipset="bans"/></zone>' >/etc/firewalld/zones/drop.xml`;

beforeAll(async () => {
  lab = await startLab({
    name: 'slow-reloads',
    hosts: [
      { name: 'old', suite: 'bullseye' },
      { name: 'young', suite: 'trixie' },
    ],
  });
  await lab.host('old').sh(MANY_ENTRIES, ENTRIES);
  await lab.host('young').sh(MANY_INTERFACES, INTERFACES);
  inventory = await writeInventory(lab, 'inventory', {
    hosts: { old: wishes, young: wishes },
  });
  for (const host of lab.hosts) await host.sh(`setsid python3 -m http.server ${CLOSED} >/dev/null 2>&1 &`);
}, 300_000);

const wishes = { portfw_playbook: 'portaswitch', portfw_roles: [] };

afterAll(() => lab?.stop());

function each<T>(work: (host: LabHost) => Promise<T>): Promise<T[]> {
  return Promise.all(lab.hosts.map(work));
}

/** Reloads over D-Bus, which waits until firewalld is done; the seconds that it took. */
async function reloadSeconds(host: LabHost): Promise<number> {
  const began = performance.now();
  const name = 'org.fedoraproject.FirewallD1';
  await host.run('busctl', '--timeout=900', 'call', name, '/org/fedoraproject/FirewallD1', name, 'reload');
  return (performance.now() - began) / 1000;
}

it('are foreseen, waited for, and done with the firewalld that began them', { timeout: 900_000 }, async () => {
  const taken = await each(reloadSeconds);
  const daemons = await each((host) => host.sh('pidof -x firewalld'));
  const watches = lab.hosts.map((host) => new PortWatch(host.publicAddress, [CLOSED]));
  try {
    const short = await portfwJson('apply', inventory, '--yes', '--revert-after', '5s');
    const applied = await portfwJson('apply', inventory, '--yes', '--revert-after', '600s');
    const back = await portfwJson('rollback', inventory, '--yes', '--revert-after', '600s');
    for (const [index, { name }] of lab.hosts.entries()) {
      const { failure } = outcomeOf(short, name, 'refused');
      expect(failure.code, failure.what).toBe('window-too-short');
      expect(failure.solve).toMatch(/--revert-after \d+s/);
      const { plan, reloads } = outcomeOf(applied, name, 'changed');
      expect(reloads).toBe(1);
      // The time that is announced is of the kind that a reload takes, and no guess of milliseconds.
      const { disruption } = plan;
      const announced = 'holdMs' in disruption ? disruption.holdMs / 1000 : 0;
      expect(announced, `${name}: a reload takes ${taken[index]} s`).toBeGreaterThan(taken[index]! / 4);
      outcomeOf(back, name, 'rolled-back');
    }
    expect(await each((host) => host.sh('pidof -x firewalld'))).toEqual(daemons);
    for (const watch of watches) {
      expect(watch.looks).toBeGreaterThan(10);
      expect(watch.everOpen).toEqual([]);
    }
  } finally {
    for (const watch of watches) watch.stop();
  }
});
