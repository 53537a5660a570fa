import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { LabHost } from '../lab/host.ts';
import { TUNNEL } from '../lab/tunnel.ts';
import { notesOf, refusedWith, Stand } from './helpers/lockout-stand.ts';
import { outcomeOf } from './helpers/portfw-cli.ts';

/**
 * What the next SSH connection depends on beside the rule for it: the carrier of a tunnel, a lease, what waits in the files of
 * others, an interface that only the running firewalld knows.
 */
let stand: Stand;

beforeAll(async () => {
  stand = await Stand.start('depends');
  await stand.office.writeFile('/root/tunnel.py', TUNNEL);
  for (const host of stand.hosts) await host.writeFile('/root/tunnel.py', TUNNEL);
});

afterAll(async () => {
  await stand?.lab.stop();
});

beforeEach(() => stand.reset());

const SHUT = { portfw_playbook: 'shut.yaml', portfw_private: 'matrix' };

const number = (host: LabHost): number => Number(host.publicAddress.split('.').at(-1));

describe('a tunnel that ends on the host', { timeout: 300_000 }, () => {
  const inner = (host: LabHost, end: 1 | 2) => `198.51.100.${4 * number(host) + end}`;
  const dial = (host: LabHost) =>
    stand.office.run(
      ...['systemd-run', '--quiet', '--collect', `--unit=to-${host.name}`, 'python3', '/root/tunnel.py'],
      ...[`to-${host.name}`, `${inner(host, 2)}/30`, '1194', host.publicAddress],
    );
  const hangUp = (host: LabHost) => stand.office.run('systemctl', 'stop', `to-${host.name}`);

  it('is named where the plan shuts the port that carries it', async () => {
    await stand.everywhere(
      (host) => `
      firewall-cmd -q --permanent --zone=public --add-port=1194/udp
      firewall-cmd -q --permanent --zone=public --remove-service=ssh
      firewall-cmd -q --permanent --zone=internal --add-interface=tun0
      firewall-cmd -q --reload
      systemd-run --quiet --collect --unit=tunnel python3 /root/tunnel.py tun0 ${inner(host, 1)}/30 1194 -`,
    );
    for (const host of stand.hosts) {
      await stand.know(host, inner(host, 1));
      await dial(host);
    }
    const variables = (host: LabHost) => ({
      ...SHUT,
      ansible_host: inner(host, 1),
      ansible_ssh_common_args: stand.throughOffice(),
    });
    try {
      for (const host of stand.hosts)
        await expect.poll(() => stand.greets(stand.office, inner(host, 1)), { timeout: 20_000 }).toBe('in');
      const run = await stand.plan(variables);
      for (const host of stand.hosts) {
        const { code, text } = refusedWith(run, host.name);
        expect(`${code}: ${text}`, host.name).toMatch(
          /^lockout: .*the connection that carries tun0, the tunnel that SSH uses.* port 1194\/udp on eth\d/,
        );
      }
      const rule = { name: 'vpn', interface: 'public', protocol: 'udp', port: 1194, owner: 'VPN', reason: 'VPN' };
      const applied = await stand.apply((host) => ({ ...variables(host), portfw_extra_rules: [rule] }));
      for (const host of stand.hosts) {
        outcomeOf(applied, host.name, 'changed');
        await hangUp(host);
        await dial(host);
        await expect.poll(() => stand.greets(stand.office, inner(host, 1)), { timeout: 20_000 }).toBe('in');
      }
    } finally {
      await stand.everywhere(() => 'systemctl stop tunnel 2>/dev/null || true');
      for (const host of stand.hosts) await stand.office.exec(['systemctl', 'stop', `to-${host.name}`]);
    }
  });
});

describe('a lease of DHCPv6 whose answers the plan shuts out', { timeout: 300_000 }, () => {
  const leased = (host: LabHost) => stand.lab.spareAddress('public', 120 + number(host)).v6!;
  const lease = () =>
    stand.everywhere(
      (host) =>
        `ip -6 address replace ${leased(host)}/64 dev ${host.interfaces.public} nodad valid_lft 3600 preferred_lft 1800`,
    );

  it('is a refusal where it is the address that we came to or that administration comes to', async () => {
    await lease();
    for (const host of stand.hosts) await stand.know(host, leased(host));
    const run = await stand.plan((host) => ({ ansible_host: leased(host) }));
    for (const host of stand.hosts) {
      const { code, text } = refusedWith(run, host.name);
      expect(`${code}: ${text}`, host.name).toMatch(
        /^lockout: .*renew the address 2001:db8:\S+,.* port 546\/udp on eth\d/,
      );
    }
  });

  it('is a warning where it is another one', async () => {
    await lease();
    const run = await stand.plan(() => ({}));
    for (const host of stand.hosts)
      expect(notesOf(run, host.name)).toContainEqual(expect.stringMatching(/^lease: .*port 546\/udp on eth\d/));
  });
});

describe('what waits in the files of others', { timeout: 300_000 }, () => {
  const zone = (host: LabHost, target = ' target="DROP"') =>
    `<?xml version="1.0"?><zone${target}><source address="${host.publicAddress.replace(/\d+$/, '0/24')}"/></zone>`;

  it.each<[string, (host: LabHost) => string, RegExp]>([
    [
      'a zone behind a link',
      (host) => `
      mkdir -p /srv/fw; echo '${zone(host)}' >/srv/fw/quarantine.xml
      ln -s /srv/fw/quarantine.xml /etc/firewalld/zones/quarantine.xml`,
      /quarantine/,
    ],
    [
      'a zone in a folder',
      (host) => `
      mkdir /etc/firewalld/zones/quarantine; echo '${zone(host)}' >/etc/firewalld/zones/quarantine/a.xml`,
      /quarantine/,
    ],
    [
      'a direct rule',
      (host) => `
      echo '<direct><rule ipv="ipv4" table="filter" chain="INPUT" priority="0">-s ${host.publicAddress.replace(/\d+$/, '0/24')} -p tcp --dport 22 -j DROP</rule></direct>' >/etc/firewalld/direct.xml`,
      /the kernel's rules|direct/,
    ],
    [
      'a zone that takes a part of a network from the one that lets us in',
      (host) => `
      firewall-cmd -q --permanent --zone=public --remove-service=ssh
      firewall-cmd -q --permanent --new-zone=ops
      firewall-cmd -q --permanent --zone=ops --add-source=${host.publicAddress.replace(/\d+$/, '0/24')}
      firewall-cmd -q --permanent --zone=ops --add-service=ssh
      firewall-cmd -q --reload
      firewall-cmd -q --permanent --new-zone=aaa
      firewall-cmd -q --permanent --zone=aaa --add-source=${host.publicAddress.replace(/\d+$/, '0/28')}
      firewall-cmd -q --permanent --zone=aaa --set-target=DROP`,
      /aaa/,
    ],
  ])('%s is seen before it shuts SSH', async (_what, prepare, says) => {
    await stand.everywhere(prepare);
    const run = await stand.plan(() => ({ portfw_private: 'matrix' }));
    for (const host of stand.hosts) {
      const { code, text } = refusedWith(run, host.name);
      expect(code, `${host.name}: ${text}`).toBe('lockout');
      expect(text, host.name).toMatch(says);
    }
  });

  it.each<[string, string, readonly string[]]>([
    ['a zone of somebody else, in a run without a reload', '--zone=ops --set-target=DROP', []],
    // Refused: the rollback of such a run reloads, and that would put into force what waits.
    ['a zone of somebody else, in a run with a reload', '--zone=ops --set-target=DROP', ['web-admin']],
    [
      'a zone of ours, in a run with a reload',
      `--zone=portfw-private '--remove-rich-rule=rule priority="32767" accept'`,
      ['web-admin'],
    ],
  ])('does not shut SSH with a rollback: %s', async (_what, pending, roles) => {
    const at = (host: LabHost) => ({ ansible_host: host.privateAddress, portfw_private: 'trusted' });
    if (pending.includes('ops'))
      await stand.everywhere(
        (host) => `
        echo '<?xml version="1.0"?><zone target="ACCEPT"><source address="${host.privateAddress.replace(/\d+$/, '0/24')}"/></zone>' >/etc/firewalld/zones/ops.xml
        firewall-cmd -q --reload`,
      );
    const first = await stand.apply(at);
    for (const host of stand.hosts) outcomeOf(first, host.name, 'changed');
    await stand.everywhere(
      () => `firewall-cmd -q --permanent ${pending}; firewall-cmd -q --zone=portfw-public --add-port=9999/tcp`,
    );
    const changed = (host: LabHost) => ({ ...at(host), portfw_roles: roles });
    const run = await stand.apply(changed, '--confirm', 'manual', '--revert-after', '20s');
    for (const host of stand.hosts)
      if (roles.length > 0) expect(refusedWith(run, host.name).code, host.name).toBe('lockout');
      else outcomeOf(run, host.name, 'awaiting');
    if (roles.length === 0) {
      // The host puts itself back meanwhile.
      await new Promise((resolve) => setTimeout(resolve, 26_000));
      const still = await stand.apply(changed, '--revert-after', '40s');
      for (const host of stand.hosts) expect(still.outcomes.get(host.name)?.kind, host.name).not.toBe('unreachable');
    }
  });
});

it('no false alarm: an interface of Docker’s, which is in its zone at runtime only, and a default zone that drops', {
  timeout: 200_000,
}, async () => {
  const inside = (host: LabHost, end: 1 | 2) => `198.51.100.${4 * number(host) + end}`;
  await stand.everywhere(
    (host) => `
    ip link add docker0 type bridge
    ip address add ${inside(host, 1)}/30 dev docker0
    ip link set docker0 up
    setsid unshare -n sleep 3600 >/dev/null 2>&1 </dev/null & echo $! >/run/box.pid
    ip link add box0 type veth peer name box1
    sleep 0.3
    ip link set box1 netns $(cat /run/box.pid)
    ip link set box0 master docker0 up
    nsenter -t $(cat /run/box.pid) -n sh -c 'ip address add ${inside(host, 2)}/30 dev box1; ip link set box1 up'
    firewall-cmd -q --permanent --get-zones | grep -qw docker || firewall-cmd -q --permanent --new-zone=docker
    firewall-cmd -q --permanent --zone=docker --set-target=ACCEPT
    firewall-cmd -q --permanent --zone=public --add-interface=${host.interfaces.public}
    firewall-cmd -q --reload
    firewall-cmd -q --set-default-zone=drop
    firewall-cmd -q --zone=docker --change-interface=docker0`,
  );
  for (const host of stand.hosts) {
    await stand.know(host, inside(host, 1));
    await host.writeFile('/root/relay.py', RELAY);
    const enter = 'exec nsenter -t "$(cat /run/box.pid)" -n python3 /root/relay.py "$1"';
    await host.writeFile('/root/relay.sh', `#!/bin/sh\n${enter}\n`, '755');
    // What is dialled from here on the private side stays as it is.
    await host.run('firewall-cmd', '-q', '--permanent', '--zone=trusted', `--add-interface=${host.interfaces.private}`);
    await host.run('firewall-cmd', '-q', '--zone=trusted', `--change-interface=${host.interfaces.private}`);
  }
  try {
    const box = `nsenter -t $(cat /run/box.pid) -n python3`;
    // What the private side's zone forwards is another question.
    const run = await stand.apply(
      (host) => ({
        ansible_host: inside(host, 1),
        ansible_ssh_common_args: stand
          .through(host.privateAddress, '')
          .replace(/"$/, ` /root/relay.sh ${inside(host, 1)}"`),
      }),
      ...stand.hosts.flatMap(({ name }) => ['--accept-forwarding-stop', name]),
    );
    for (const host of stand.hosts) {
      outcomeOf(run, host.name, 'changed');
      expect(await host.sh(`${box} /root/greet.py ${inside(host, 1)} 22`)).toBe('in\n');
      expect((await host.run('firewall-cmd', '--get-zone-of-interface=docker0')).trim()).toBe('docker');
    }
  } finally {
    await stand.everywhere(() => 'kill $(cat /run/box.pid); ip link del docker0 || true');
  }
});

/** Carries a connection from its standard streams to port 22 of an address. */
const RELAY = `
import os, select, socket, sys
other = socket.create_connection((sys.argv[1], 22))
while True:
    ready = select.select([0, other], [], [])[0]
    if 0 in ready:
        data = os.read(0, 65536)
        if not data:
            break
        other.sendall(data)
    if other in ready:
        data = other.recv(65536)
        if not data:
            break
        os.write(1, data)
`;
