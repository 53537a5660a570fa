import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { LabHost } from '../lab/host.ts';
import type { Variables } from './helpers/lab-inventory.ts';
import { notesOf, refusedWith, Stand } from './helpers/lockout-stand.ts';
import { outcomeOf } from './helpers/portfw-cli.ts';

/**
 * Plans that would keep the next SSH connection out, by doors that the configuration alone does not show; and plans beside
 * them that let it in. Planned for real on hosts of every line of firewalld; where a plan is not refused, it is applied.
 */
let stand: Stand;

beforeAll(async () => {
  stand = await Stand.start('lockouts');
});

afterAll(async () => {
  await stand?.lab.stop();
});

beforeEach(() => stand.reset());

const SHUT = { portfw_playbook: 'shut.yaml', portfw_private: 'matrix' };

type Variation = (host: LabHost) => Variables;

/** The plan is refused on every host, for a reason that says all of this; and nothing was written. */
async function refused(variables: Variation, ...says: readonly RegExp[]): Promise<void> {
  const files = () => stand.everywhere(() => 'cd /etc/firewalld; find . -type f -exec sha256sum {} + | sort');
  const before = await files();
  const run = await stand.plan(variables);
  for (const host of stand.hosts) {
    const { code, text } = refusedWith(run, host.name);
    expect(`${code}: ${text}`, host.name).toMatch(/^lockout: /);
    for (const one of says) expect(text, host.name).toMatch(one);
  }
  expect(await files()).toEqual(before);
}

/** The plan is carried out on every host, and stays: a new connection of the run's own got in. */
async function carriedOut(variables: Variation, ...flags: readonly string[]): Promise<void> {
  const run = await stand.apply(variables, ...flags);
  for (const host of stand.hosts) outcomeOf(run, host.name, 'changed');
}

/** The last part of an address of a host, for further addresses of its own. */
const number = (host: LabHost): number => Number(host.publicAddress.split('.').at(-1));

describe('SSH on another port than its own', { timeout: 300_000 }, () => {
  it('a forward port of the zone that the interface leaves', async () => {
    await stand.everywhere(
      () => `
      firewall-cmd -q --permanent --zone=public --add-forward-port=port=2222:proto=tcp:toport=22
      firewall-cmd -q --permanent --zone=public --remove-service=ssh
      firewall-cmd -q --reload`,
    );
    for (const host of stand.hosts) {
      await stand.know(host, host.publicAddress, 2222);
      expect(await stand.greets(stand.office, host.publicAddress, 2222)).toBe('in');
    }
    await refused(() => ({ ansible_port: 2222 }), /port 2222\/tcp on eth\d/);
    // From behind a jump host nothing but the inventory says what was dialled.
    await refused(
      () => ({ ansible_port: 2222, ansible_ssh_common_args: stand.throughOffice() }),
      /port 2222\/tcp on eth\d/,
    );
  });

  it('a program on 443 that hands connections on: sshd sees the host itself', async () => {
    await stand.everywhere(
      () => `
      firewall-cmd -q --permanent --zone=public --add-port=443/tcp
      firewall-cmd -q --permanent --zone=public --remove-service=ssh
      firewall-cmd -q --reload`,
    );
    for (const host of stand.hosts) {
      await host.writeFile('/root/share.py', SHARE);
      await host.run('systemd-run', '--quiet', '--collect', '--unit=share', 'python3', '/root/share.py');
      await stand.know(host, host.publicAddress, 443);
    }
    try {
      await refused(() => ({ ansible_port: 443 }), /port 443\/tcp on eth\d/);
      await carriedOut(() => ({
        ansible_port: 443,
        portfw_extra_rules: [extra('public', 'tcp', 443)],
      }));
      for (const host of stand.hosts) expect(await stand.greets(stand.office, host.publicAddress, 443)).toBe('in');
    } finally {
      await stand.everywhere(() => 'systemctl stop share');
    }
  });

  it('another port of sshd', async () => {
    await stand.everywhere(
      () => `
      printf 'Port 22\\nPort 2022\\n' >/etc/ssh/sshd_config.d/ports.conf
      systemctl restart ssh
      firewall-cmd -q --permanent --zone=public --add-port=2022/tcp
      firewall-cmd -q --reload`,
    );
    try {
      for (const host of stand.hosts) await stand.know(host, host.publicAddress, 2022);
      await refused(() => ({ ansible_port: 2022 }), /port 2022\/tcp on eth\d/);
    } finally {
      await stand.everywhere(() => 'rm /etc/ssh/sshd_config.d/ports.conf; systemctl restart ssh');
    }
  });

  it('no false alarm: sshd on 443, and a policy with the service https lets it in whatever the zone', async () => {
    await stand.everywhere(
      () => `
      printf 'Port 22\\nPort 443\\n' >/etc/ssh/sshd_config.d/ports.conf
      systemctl restart ssh
      firewall-cmd -q --permanent --new-policy=ops
      firewall-cmd -q --permanent --policy=ops --add-ingress-zone=ANY
      firewall-cmd -q --permanent --policy=ops --add-egress-zone=HOST
      firewall-cmd -q --permanent --policy=ops --add-service=https
      firewall-cmd -q --reload`,
    );
    try {
      for (const host of stand.hosts) await stand.know(host, host.publicAddress, 443);
      await carriedOut(() => ({ ansible_port: 443 }));
      for (const host of stand.hosts) expect(await stand.greets(stand.office, host.publicAddress, 443)).toBe('in');
    } finally {
      await stand.everywhere(() => 'rm /etc/ssh/sshd_config.d/ports.conf; systemctl restart ssh');
    }
  });
});

/** Takes connections on 443 and hands them to sshd on the loopback. */
const SHARE = `
import socket, threading
door = socket.socket()
door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
door.bind(("0.0.0.0", 443))
door.listen(50)
def carry(one, other):
    try:
        for data in iter(lambda: one.recv(65536), b""):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        pass
while True:
    one, _ = door.accept()
    other = socket.create_connection(("127.0.0.1", 22))
    for ends in ((one, other), (other, one)):
        threading.Thread(target=carry, args=ends, daemon=True).start()
`;

function extra(side: string, protocol: 'tcp' | 'udp', port: number): Variables {
  return { name: `opened-${port}`, interface: side, protocol, port, owner: 'Operations', reason: 'administration' };
}

describe('SSH comes to another address than the interface’s own', { timeout: 300_000 }, () => {
  it.each([
    ['of the loopback interface, as a host that speaks BGP has it', 'lo'],
    ['that floats', 'eth'],
  ])('one %s', async (_what, on) => {
    const address = (host: LabHost) => stand.lab.spareAddress('public', 100 + number(host)).v4;
    const link = (host: LabHost) => (on === 'lo' ? 'lo' : host.interfaces.public!);
    for (const host of stand.hosts) {
      await host.run('ip', 'address', 'add', `${address(host)}/32`, 'dev', link(host));
      await stand.know(host, address(host));
    }
    const vips = (host: LabHost) => (on === 'lo' ? {} : { portfw_vips: [address(host)] });
    try {
      await refused((host) => ({ ansible_host: address(host), ...vips(host), ...SHUT }), /on eth\d/);
      await carriedOut((host) => ({ ansible_host: address(host), ...vips(host) }));
      for (const host of stand.hosts) expect(await stand.greets(stand.office, address(host))).toBe('in');
    } finally {
      for (const host of stand.hosts) await host.run('ip', 'address', 'del', `${address(host)}/32`, 'dev', link(host));
    }
  });

  it('the private one, over the public interface', async () => {
    for (const host of stand.hosts)
      await stand.office.run('ip', 'route', 'replace', host.privateAddress, 'via', host.publicAddress);
    const variables = (host: LabHost) => ({
      ansible_host: host.privateAddress,
      ansible_ssh_common_args: stand.throughOffice(),
    });
    await refused((host) => ({ ...variables(host), portfw_playbook: 'shut.yaml' }), /port 22\/tcp on eth\d/);
    await carriedOut(variables);
  });

  it('a link-local one', async () => {
    const found = await stand.everywhere(
      ({ interfaces }) =>
        `ip -6 -o address show dev ${interfaces.public} scope link | sed -n 's/.* inet6 \\([^/]*\\).*/\\1/p'`,
    );
    const links = new Map(
      stand.hosts.map(({ name }, index) => [name, `${found[index]!.trim()}%${stand.office.interfaces.public}`]),
    );
    const variables = (host: LabHost) => ({
      ansible_ssh_common_args: stand.through(
        stand.office.publicAddress,
        `-W [${links.get(host.name)!.replace('%', '%%')}]:22`,
      ),
    });
    await refused((host) => ({ ...variables(host), ...SHUT }), /fe80:\S+ to fe80:\S+ port 22\/tcp on eth\d/);
    await carriedOut(variables);
    for (const host of stand.hosts) expect(await stand.greets(stand.office, links.get(host.name)!)).toBe('in');
  });

  it('an IPv6 one, and the sources that are let in are IPv4', async () => {
    const variables = (host: LabHost) => ({ ansible_host: host.addresses.public!.v6! });
    await refused(
      (host) => ({
        ...variables(host),
        portfw_allow_from: { 'server/tcp/22': ['198.18.0.0/15'] },
        portfw_private: 'matrix',
      }),
      /2001:db8:\S+ port 22\/tcp/,
    );
    await carriedOut(variables);
  });
});

describe('the inventory shuts SSH out', { timeout: 300_000 }, () => {
  it('by the sources that it lets in; and of a jump host it is the jump host that counts', async () => {
    await refused(() => ({ portfw_allow_from: { 'server/tcp/22': ['203.0.113.0/24'] } }), /port 22\/tcp/);
    const office = [`${stand.office.publicAddress}/32`];
    const here = [stand.lab.spareAddress('public', 1).v4];
    const jump = { ansible_ssh_common_args: stand.throughOffice() };
    await refused(
      () => ({ ...jump, portfw_allow_from: { 'server/tcp/22': here } }),
      new RegExp(`${stand.office.publicAddress} to `),
    );
    await carriedOut(() => ({ ...jump, portfw_allow_from: { 'server/tcp/22': [...office, ...here] } }));
  });

  it('by its sides, the wrong way round', async () => {
    await refused(
      (host) => ({
        ...SHUT,
        portfw_interfaces: { public: host.privateAddress, private: host.publicAddress },
        portfw_addresses: {},
      }),
      /port 22\/tcp on eth\d/,
    );
  });

  it('by an interface that it gives up, to a default zone that drops', async () => {
    await carriedOut(() => ({}));
    await stand.everywhere(() => 'firewall-cmd -q --set-default-zone=drop');
    await refused((host) => ({ portfw_interfaces: { private: host.privateAddress } }), /zone drop/);
  });
});

describe('who administers the hosts comes another way than we do', { timeout: 300_000 }, () => {
  it('is asked about by the interface that the route back leads by', async () => {
    const office = '192.0.2.5';
    await stand.office.sh(`ip address replace ${office}/32 dev lo`);
    for (const host of stand.hosts) {
      await host.run('ip', 'route', 'replace', '192.0.2.0/24', 'via', stand.office.publicAddress);
      await stand.office.run('ip', 'route', 'replace', host.publicAddress, 'dev', 'eth0', 'src', office);
    }
    const variables = (host: LabHost) => ({
      ansible_host: host.privateAddress,
      portfw_management: ['192.0.2.0/24', '198.51.100.0/24'],
    });
    try {
      await refused(
        (host) => ({ ...variables(host), portfw_playbook: 'shut.yaml' }),
        /192\.0\.2\.0\/24 to 198\.18\.\S+ port 22\/tcp on eth\d/,
      );
      const run = await stand.plan(variables);
      for (const host of stand.hosts) {
        const notes = notesOf(run, host.name);
        expect(notes, host.name).toContainEqual(
          expect.stringMatching(new RegExp(`^management-proved: .*192\\.0\\.2\\.0/24 by ${host.interfaces.public}`)),
        );
      }
      await carriedOut(variables);
      for (const host of stand.hosts) expect(await stand.greets(stand.office, host.publicAddress)).toBe('in');
    } finally {
      for (const host of stand.hosts) {
        await stand.office.run('ip', 'route', 'del', host.publicAddress);
        await host.run('ip', 'route', 'del', '192.0.2.0/24');
      }
    }
  });
});
