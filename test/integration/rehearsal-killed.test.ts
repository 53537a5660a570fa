import { afterAll, beforeAll, expect, it } from 'vitest';
import type { LabHost } from '../lab/host.ts';
import { rulesInForce } from './helpers/host-state.ts';
import { notesOf, Stand } from './helpers/lockout-stand.ts';

/** A rehearsal changes nothing on the host, and leaves nothing on it when its process is killed at any moment. */
let stand: Stand;

beforeAll(async () => {
  stand = await Stand.start('killed');
  for (const host of stand.hosts) await host.writeFile('/root/kill.py', KILL);
});

afterAll(async () => {
  await stand?.lab.stop();
});

/** Kills the process that has children in network namespaces of their own, after a while; says whether it was still there. */
const KILL = `
import os, re, signal, sys, time
def namespaces():
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            found[int(pid)] = os.readlink("/proc/%s/ns/net" % pid)
        except OSError:
            continue
    return found
known = set(namespaces().values())
end = time.time() + 40
while time.time() < end:
    for pid, space in namespaces().items():
        if space in known:
            continue
        try:
            parent = int(re.search(r"(?m)^PPid:\\s+(\\d+)", open("/proc/%d/status" % pid).read()).group(1))
        except OSError:
            continue
        time.sleep(float(sys.argv[1]))
        try:
            os.kill(parent, signal.SIGKILL)
            print("killed")
        except ProcessLookupError:
            print("over")
        sys.exit()
    time.sleep(0.005)
print("never")
`;

/** What a rehearsal could leave: namespaces, processes in them, links, mounts, files, modules; and the rules. */
async function traces(host: LabHost): Promise<Record<string, readonly string[]>> {
  const lines = (script: string) => host.sh(script).then((text) => text.trim().split('\n'));
  return {
    namespaces: await lines('readlink /proc/[0-9]*/ns/net /proc/[0-9]*/ns/mnt 2>/dev/null | sort -u'),
    links: await lines("ip -o link show | sed 's/^[0-9]*: //' | cut -d: -f1"),
    mounts: await lines('cut -d" " -f3- /proc/1/mountinfo'),
    files: await lines(
      'find /etc/firewalld /run /tmp /var/lib -xdev -name "*portfw*" -o -path "*portfw*" | sort; cd /etc/firewalld; find . -type f -exec sha256sum {} + | sort',
    ),
    modules: await lines('cut -d" " -f1 /proc/modules | sort'),
    rules: rulesInForce(await lines('nft list ruleset')),
    python: await lines(`ps -e -o comm=,args= | grep '^python' | grep -v firewalld || true`),
  };
}

/** Something that brings a helper, whose module firewalld would load. */
const variables = () => ({
  portfw_extra_rules: [
    { name: 'tftp', interface: 'public', protocol: 'udp', port: 69, owner: 'Operations', reason: 'boot files' },
  ],
});

it('a rehearsal leaves nothing on the host, and loads no module', { timeout: 100_000 }, async () => {
  const before = await Promise.all(stand.hosts.map(traces));
  const run = await stand.plan(variables);
  for (const host of stand.hosts)
    expect(notesOf(run, host.name).filter((note) => note.startsWith('not-rehearsed'))).toEqual([]);
  expect(await Promise.all(stand.hosts.map(traces))).toEqual(before);
});

it('nor does one that is killed, at 21 moments', { timeout: 500_000 }, async () => {
  const before = await Promise.all(stand.hosts.map(traces));
  const said: string[] = [];
  for (let round = 0; round < 7; round += 1) {
    const killed = Promise.all(
      stand.hosts.map((host) => host.run('python3', '/root/kill.py', (Math.random() * 1.2).toFixed(3))),
    );
    await new Promise((resolve) => setTimeout(resolve, 300));
    await stand.plan(variables);
    said.push(...(await killed).map((text) => text.trim()));
    await expect.poll(() => Promise.all(stand.hosts.map(traces)), { timeout: 5000 }).toEqual(before);
  }
  expect(said).not.toContain('never');
  expect(said.filter((text) => text === 'killed').length, said.join()).toBeGreaterThan(5);
});
