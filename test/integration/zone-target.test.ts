import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LabHost } from '../lab/host.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import { type Variables, writeInventory } from './helpers/lab-inventory.ts';
import { answers, type Between, leadThrough } from './helpers/passing.ts';
import { outcomeOf, portfwJson } from './helpers/portfw-cli.ts';

/** `portfw_zone_target` on all three versions: what strangers hear, and the ICMP that nobody can do without. */
const HOSTS = { old9: 'bullseye', mid1: 'bookworm', new2: 'trixie' } as const;
const NAMES = Object.keys(HOSTS) as (keyof typeof HOSTS)[];

/** A port that an extra rule opens, and one that nothing opens. */
const OPEN = 7001;
const SHUT = 7002;

/** Sends 300 kB to whoever comes, on every address. */
const SERVE = `
import socket
server = socket.socket(socket.AF_INET6)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("::", ${OPEN}))
server.listen(5)
while True:
    peer = server.accept()[0]
    try:
        peer.sendall(b"x" * 300000)
    except OSError:
        pass
    peer.close()
`;

/** Fetches what a port sends, and says how much it was. */
const FETCH = `
import socket, sys
peer = socket.create_connection((sys.argv[1], ${OPEN}), 5)
count = 0
while True:
    data = peer.recv(65536)
    if not data:
        break
    count += len(data)
print(count)
`;

/** A question for listeners to multicast, as a switch asks it: without an answer it cuts the solicited-node addresses off. */
const ASK = `
import socket, struct, sys
one = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex(sys.argv[1]))
one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 1)
one.sendto(struct.pack("!BBHHH16s", 130, 0, 0, 1000, 0, b""), ("ff02::1", 0))
`;

let lab: Lab;
let outside: LabHost;
const ways: Between[] = [];

beforeAll(async () => {
  lab = await startLab({
    name: 'target',
    hosts: [
      ...NAMES.map((name) => ({ name, suite: HOSTS[name] })),
      { name: 'outside', suite: 'bookworm', networks: ['public'], firewalld: 'stopped', forwarding: true },
      { name: 'inside', suite: 'bookworm', networks: ['private'], firewalld: 'stopped' },
    ],
  });
  outside = lab.host('outside');
  const machines = { outside, inside: lab.host('inside') };
  for (const [index, name] of NAMES.entries()) ways.push(await leadThrough(lab, lab.host(name), machines, 150 + index));
  await outside.writeFile('/root/fetch.py', FETCH);
  await outside.writeFile('/root/ask.py', ASK);
  for (const { host } of ways) {
    await host.writeFile('/root/serve.py', SERVE);
    await host.run('systemd-run', '--quiet', 'python3', '/root/serve.py');
  }
  await behindNarrowLink();
});

afterAll(async () => {
  await lab?.stop();
});

/** A machine behind the one outside, by a link that carries 1,300 bytes a packet: hosts have to be told. */
async function behindNarrowLink(): Promise<void> {
  const { v4, v6 } = far();
  await outside.sh(`
    ip netns add far
    ip link add near type veth peer name eth0 netns far
    ip link set near up
    ip link set near mtu 1300
    ip -n far link set lo up
    ip -n far link set eth0 up
    ip -n far address add ${v4}/32 dev eth0
    ip -n far address add ${v6}/128 dev eth0 nodad
    mount -o remount,rw /proc/sys
    echo 0 >/proc/sys/net/ipv6/conf/near/disable_ipv6
    ip -6 address add fe80::1/64 dev near nodad
    ip route add ${v4}/32 dev near
    ip -6 route add ${v6}/128 dev near
    ip -n far -6 route add default via fe80::1 dev eth0
    ip address add 169.254.77.1/32 dev near
    ip -n far route add default via 169.254.77.1 dev eth0 onlink
  `);
  for (const { host } of ways) {
    await host.run('ip', 'route', 'add', `${v4}/32`, 'via', outside.publicAddress);
    await host.run('ip', '-6', 'route', 'add', `${v6}/128`, 'via', outside.addresses.public!.v6!);
  }
}

function far(): { v4: string; v6: string } {
  const { v4, v6 } = lab.spareAddress('public', 199);
  return { v4, v6: v6! };
}

async function applied(name: string, variables: Variables) {
  const inventory = await writeInventory(lab, name, {
    hosts: Object.fromEntries(
      NAMES.map((host) => [
        host,
        {
          portfw_playbook: 'portaswitch',
          portfw_roles: [],
          portfw_extra_rules: [
            {
              name: 'serve',
              interface: 'public',
              protocol: 'tcp',
              port: OPEN,
              owner: 'tests',
              reason: 'to be fetched',
            },
          ],
          ...variables,
        },
      ]),
    ),
  });
  const run = await portfwJson('apply', inventory, '--yes');
  expect(run.exitCode, run.stdout + run.stderr).toBe(0);
  const again = await portfwJson('plan', inventory);
  for (const host of NAMES) outcomeOf(again, host, 'unchanged');
}

/** How strangers on the public side are answered at a port that nothing opens. */
async function strangers(): Promise<Record<string, Record<string, string>>> {
  const found: Record<string, Record<string, string>> = {};
  for (const way of ways) found[way.host.name] = await answers(way, way.outside, SHUT);
  return found;
}

function everywhere(answer: string, icmp: string): Record<string, Record<string, string>> {
  const one = Object.fromEntries(
    ['ipv4', 'ipv6'].flatMap((family) => [
      [`${family} tcp`, answer],
      [`${family} udp`, answer],
      [`${family} icmp`, icmp],
    ]),
  );
  return Object.fromEntries(NAMES.map((name) => [name, one]));
}

/** The ICMP that must get in whatever the target is. */
async function neededIcmp(): Promise<void> {
  const { v4, v6 } = far();
  for (const { host } of ways) {
    const own = host.addresses.public!;
    const eth = host.interfaces.public!;
    // Neighbours are found anew, both ways.
    await host.run('ip', '-6', 'neighbour', 'flush', 'all');
    await outside.run('ip', '-6', 'neighbour', 'flush', 'all');
    expect(await outside.run('python3', '/root/fetch.py', own.v6!), `${host.name} over IPv6`).toBe('300000\n');
    // The path is narrower than the host's own link: it has to hear of it.
    await host.sh(`
      mount -o remount,rw /proc/sys
      for family in ipv4 ipv6; do echo 1 >/proc/sys/net/$family/route/flush; done
    `);
    for (const address of [own.v4, own.v6!]) {
      const fetch = ['ip', 'netns', 'exec', 'far', 'timeout', '20', 'python3', '/root/fetch.py', address];
      expect(await outside.run(...fetch), `${host.name} at ${address} by a narrow path`).toBe('300000\n');
    }
    for (const target of [v4, v6])
      expect(await host.run('ip', 'route', 'get', target), `${host.name} to ${target}`).toContain('mtu 1300');
    // After firewalld has let it in, as the last of all.
    await host.sh(
      `nft -f - <<'NFT'
table inet heard {
  counter listeners { }
  chain input { type filter hook input priority 300; policy accept; icmpv6 type 130 counter name listeners; }
}
NFT`,
    );
    await outside.run('python3', '/root/ask.py', outside.interfaces.public!);
    await host.sh(
      `for i in 1 2 3 4 5 6 7 8 9 10; do nft list counters table inet heard | grep -q 'packets [1-9]' && break; sleep 0.1; done`,
    );
    const heard = await host.run('nft', 'list', 'counters', 'table', 'inet', 'heard');
    await host.run('nft', 'delete', 'table', 'inet', 'heard');
    expect(heard, `${host.name}: ${eth}`).toMatch(/packets [1-9]/);
  }
}

describe('portfw_zone_target', { timeout: 400_000 }, () => {
  it('default: no, and pings are answered', async () => {
    await applied('default', { portfw_private: 'matrix' });
    expect(await strangers()).toEqual(everywhere('refused', 'open'));
    await neededIcmp();
  });

  it('drop: silence, with the ICMP that is needed', async () => {
    await applied('drop', { portfw_private: 'matrix', portfw_zone_target: 'drop' });
    expect(await strangers()).toEqual(everywhere('silence', 'silence'));
    for (const way of ways) expect((await answers(way, way.inside, SHUT))['ipv4 tcp']).toBe('silence');
    await neededIcmp();
  });

  it('drop, where the policy of firewalld for IPv6 is gone as well', async () => {
    const empty =
      '<policy target="CONTINUE" priority="-15000"><ingress-zone name="ANY"/><egress-zone name="HOST"/></policy>\n';
    await Promise.all(
      ways.map(async ({ host }) => {
        await host.writeFile('/etc/firewalld/policies/allow-host-ipv6.xml', empty);
        await host.run('firewall-cmd', '--quiet', '--reload');
      }),
    );
    await neededIcmp();
    await Promise.all(
      ways.map(async ({ host }) => {
        await host.run('rm', '/etc/firewalld/policies/allow-host-ipv6.xml');
        await host.run('firewall-cmd', '--quiet', '--reload');
      }),
    );
  });

  it('reject for one class: no, to pings too, and the other class as before', async () => {
    await applied('reject', { portfw_private: 'matrix', portfw_zone_target: { public: 'reject' } });
    expect(await strangers()).toEqual(everywhere('refused', 'refused'));
    for (const way of ways)
      expect(await answers(way, way.inside, SHUT)).toMatchObject({ 'ipv4 tcp': 'refused', 'ipv4 icmp': 'open' });
    await neededIcmp();
  });
});
