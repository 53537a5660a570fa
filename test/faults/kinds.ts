import { placeForeignRules, RULES_BESIDE } from '../integration/helpers/foreign-rules.ts';
import type { Variables } from '../integration/helpers/lab-inventory.ts';
import { RESTART_FIREWALLD } from '../lab/firewalld.ts';
import type { HostSpec, LabHost } from '../lab/host.ts';
import type { Lab } from '../lab/lab.ts';
import { TUNNEL } from '../lab/tunnel.ts';
import type { FarSide } from './watch.ts';

/** The further machine of the stands that need one. */
export const OUTSIDE = 'outside';

/** A kind of host that faults are injected into; all have an administrator's own configuration. */
export interface Kind {
  readonly name: string;
  /** For the document. */
  readonly about: string;
  readonly host?: Partial<HostSpec>;
  /** Whether there is a further machine on the public network. */
  readonly outside?: boolean;
  /** Links that the host makes at each boot, beside the private one; a shell script. */
  readonly links?: (host: LabHost) => string;
  /** After the administrator's files and before anything of portfw's. */
  readonly furnish?: (host: LabHost, lab: Lab) => Promise<void>;
  /** What others keep in the kernel alone, and bring again before each drill: after a boot it is gone. */
  readonly bring?: (host: LabHost) => Promise<void>;
  /** Takes all of that away again; a shell script. */
  readonly takeAway?: string;
  /** What of it a rollback brings back after a boot too: interfaces that others bind at runtime only. A shell script. */
  readonly boundAgain?: string;
  /** What the inventory says of a host beside the usual. */
  readonly wishes?: (host: LabHost, lab: Lab) => Variables;
  /** What only the machine outside can see. */
  readonly far?: (host: LabHost, lab: Lab) => FarSide;
  /** Whether SSH comes from the machine outside alone. */
  readonly sshFromAfar?: boolean;
  /** Seconds of `--revert-after` at least. */
  readonly window?: number;
}

const number = (host: LabHost): number => Number(host.publicAddress.split('.').at(-1));
/** A network of two addresses for each host: its own, and what is at the other end. */
const own = (host: LabHost): string => `192.0.2.${97 + 4 * number(host)}`;
const other = (host: LabHost): string => `192.0.2.${98 + 4 * number(host)}`;

const pairs = (host: LabHost): number => (host.name === 'young' ? 15 : 35);

const AWAY = `
for table in filter nat; do iptables -t "$table" -F; iptables -t "$table" -X; done
iptables -P FORWARD ACCEPT
nft delete table inet f2b-table 2>/dev/null || true`;

/** Takes connections on the ports of its arguments, and ends them. */
export const ANSWER = `
import select, socket, sys
doors = []
for port in sys.argv[1:]:
    door = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    door.bind(("::", int(port)))
    door.listen(50)
    doors.append(door)
while True:
    for door in select.select(doors, [], [])[0]:
        door.accept()[0].close()
`;

/**
 * After firewalld, and after it has loaded: before 2.x its own unit counts as started a second earlier, and with portfw or
 * without it a host that boots is open for as long.
 */
const LOADED =
  'n=0; until busctl get-property org.fedoraproject.FirewallD1 /org/fedoraproject/FirewallD1 org.fedoraproject.FirewallD1 state 2>/dev/null | grep -q RUNNING || [ $n -ge 100 ]; do n=$((n + 1)); sleep 0.1; done';

function unit(start: string): string {
  return `[Unit]
After=firewalld.service lab-private.service
[Service]
ExecStartPre=/bin/sh -c '${LOADED.replaceAll('$', '$$$$')}'
ExecStart=${start}
Restart=always
[Install]
WantedBy=multi-user.target
`;
}

/** Makes a program of the host's own that runs from now on, and after each boot. */
export async function enable(host: LabHost, name: string, program: string, start: string): Promise<void> {
  await host.writeFile(`/usr/local/lib/${name}.py`, program);
  await host.writeFile(
    `/etc/systemd/system/${name}.service`,
    unit(start.replace('PROGRAM', `/usr/bin/python3 /usr/local/lib/${name}.py`)),
  );
  await host.sh('systemctl daemon-reload; systemctl enable --now --quiet "$1.service"', name);
}

const RULE = { interface: 'public', protocol: 'tcp', owner: 'netops' };
/** Ports of foreign sources, in every configuration of the suite but the administrator's own. */
export const PROBE = { ...RULE, name: 'probe', port: 9100, from: ['192.0.2.0/25'], reason: 'metrics' };

export const KINDS = {
  plain: {
    name: 'plain',
    about:
      'zones, an ipset, a service, direct rules, an interface in one of their zones, a port that is open at runtime only',
  },
  iptables: {
    name: 'iptables backend',
    about: "the same with `FirewallBackend=iptables`, and chains of fail2ban and of Docker among firewalld's",
    furnish: async (host) =>
      void (await host.sh(`
        sed -i 's/^FirewallBackend=.*/FirewallBackend=iptables/' /etc/firewalld/firewalld.conf
        ${RESTART_FIREWALLD}`)),
    bring: async (host) => void (await host.sh(`iptables -n -L f2b-sshd >/dev/null 2>&1 || {${RULES_BESIDE}\n}`)),
    takeAway: AWAY,
  },
  others: {
    name: 'Docker and fail2ban',
    about: "the chains that Docker writes for its bridge, and its zone; fail2ban's actions, by iptables and by nft",
    // Docker's and fail2ban's scripts begin by emptying what iptables has: a foreign direct rule would be gone.
    furnish: async (host) => {
      await host.sh('rm /etc/firewalld/direct.xml; firewall-cmd --quiet --reload');
      // Docker's zone has a file, which is there from now on.
      await placeForeignRules(host);
      await host.sh(AWAY);
    },
    bring: placeForeignRules,
    takeAway: AWAY,
    boundAgain: 'firewall-cmd --quiet --zone=docker --change-interface=docker0',
  },
  vpn: {
    name: 'VPN',
    about:
      'SSH comes in by a tunnel that ends on the host, and by nothing else; what carries it is a port of the public side',
    outside: true,
    furnish: async (host, lab) => {
      await host.sh(`
        sed -i 's,<service name="ssh"/>,<port port="1194" protocol="udp"/>,' /etc/firewalld/zones/edge.xml
        firewall-cmd --quiet --permanent --zone=internal --add-interface=tun0
        firewall-cmd --quiet --reload`);
      await enable(host, 'lab-tunnel', TUNNEL, `PROGRAM tun0 ${own(host)}/30 1194 -`);
      const outside = lab.host(OUTSIDE);
      await outside.writeFile('/root/tunnel.py', TUNNEL);
      await outside.run(
        ...['systemd-run', '--quiet', '--collect', `--unit=to-${host.name}`, 'python3', '/root/tunnel.py'],
        ...[`to-${host.name}`, `${other(host)}/30`, '1194', host.publicAddress],
      );
    },
    wishes: (host, lab) => {
      const { privateKeyFile: key, knownHostsFile: known } = lab;
      const proxy = `ssh -F none -i ${key} -o BatchMode=yes -o IdentitiesOnly=yes -o UserKnownHostsFile=${known} -W [%h]:%p root@${lab.host(OUTSIDE).publicAddress}`;
      return {
        ansible_host: own(host),
        ansible_ssh_common_args: `-o UserKnownHostsFile=${known} -o ProxyCommand="${proxy}"`,
        portfw_playbook: 'tunnel.yaml',
        portfw_extra_rules: [{ ...RULE, protocol: 'udp', name: 'vpn', port: 1194, reason: 'what carries the VPN' }],
      };
    },
    far: (host, lab) => ({ machine: lab.host(OUTSIDE), address: own(host), ways: [22], closed: [3306, 8099] }),
    sshFromAfar: true,
  },
  gateway: {
    name: 'gateway',
    about: "packets of a machine outside go through the host to one behind it, by a policy and a zone of others'",
    outside: true,
    host: { forwarding: true },
    links: (host) => `
      ip netns add behind
      ip link add behind0 type veth peer name inside0
      ip link set inside0 netns behind
      ip address add ${own(host)}/30 dev behind0
      ip link set behind0 up
      ip -n behind address add ${other(host)}/30 dev inside0
      ip -n behind link set inside0 up
      ip -n behind link set lo up
      ip -n behind route add default via ${own(host)}`,
    furnish: async (host, lab) => {
      await host.sh(`
        firewall-cmd --quiet --permanent --zone=internal --add-interface=behind0
        firewall-cmd --quiet --permanent --new-policy=in
        firewall-cmd --quiet --permanent --policy=in --add-ingress-zone=ANY
        firewall-cmd --quiet --permanent --policy=in --add-egress-zone=internal
        firewall-cmd --quiet --permanent --policy=in --add-port=7000/tcp
        firewall-cmd --quiet --reload`);
      await enable(host, 'lab-behind', ANSWER, '/usr/bin/nsenter --net=/run/netns/behind PROGRAM 7000 7001');
      await lab.host(OUTSIDE).run('ip', 'route', 'replace', `${other(host)}/32`, 'via', host.publicAddress);
    },
    far: (host, lab) => ({ machine: lab.host(OUTSIDE), address: other(host), ways: [7000], closed: [7001] }),
  },
  many: {
    name: '70 interfaces',
    about:
      '70 more links, in a zone of the administrator; 30 beside firewalld 2.3.1, which with 70 takes 18 s for a load, and on a busy machine does not come up within the time that its own unit gives it',
    links: (host) => `for n in $(seq ${pairs(host)}); do ip link add many$n type veth peer name peer$n; done`,
    furnish: async (host) =>
      void (await host.sh(`
        links=$(for n in $(seq ${pairs(host)}); do printf '<interface name="many%s"/><interface name="peer%s"/>' $n $n; done)
        echo "<?xml version='1.0'?><zone><short>Many</short>$links</zone>" >/etc/firewalld/zones/many.xml
        ${RESTART_FIREWALLD}`)),
    window: 25,
  },
  networkManager: {
    name: 'NetworkManager',
    about: 'NetworkManager manages both interfaces; the connection of the public one names its zone',
    host: { networkManager: true },
    furnish: async (host) =>
      void (await host.sh(
        `uuid=$(nmcli -t -f UUID,DEVICE connection show --active | sed -n "s/:$1\\$//p")
        nmcli connection modify "$uuid" connection.zone edge`,
        host.interfaces.public!,
      )),
  },
} satisfies Record<string, Kind>;
