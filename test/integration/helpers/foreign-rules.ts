import type { LabHost } from '../../lab/host.ts';

/**
 * What Docker writes through iptables for its bridge and one published port, and the zone that it has firewalld make for the
 * bridge; what fail2ban writes for one banned address, with iptables and with nft.
 */
const PLACE = `
if ! firewall-cmd --permanent --get-zones | grep -qw docker; then
  firewall-cmd --quiet --permanent --new-zone=docker
  firewall-cmd --quiet --permanent --zone=docker --set-target=ACCEPT
  firewall-cmd --quiet --reload
fi
for table in filter nat; do
  iptables -t "$table" -F
  iptables -t "$table" -X
done
nft delete table inet f2b-table 2>/dev/null || true
iptables -P FORWARD DROP
for chain in DOCKER DOCKER-ISOLATION-STAGE-1 DOCKER-ISOLATION-STAGE-2 DOCKER-USER f2b-sshd; do iptables -N "$chain"; done
iptables -A FORWARD -j DOCKER-USER
iptables -A FORWARD -j DOCKER-ISOLATION-STAGE-1
iptables -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
iptables -A FORWARD -o docker0 -j DOCKER
iptables -A FORWARD -i docker0 ! -o docker0 -j ACCEPT
iptables -A FORWARD -i docker0 -o docker0 -j ACCEPT
iptables -A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
iptables -A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
iptables -A DOCKER-ISOLATION-STAGE-1 -j RETURN
iptables -A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
iptables -A DOCKER-ISOLATION-STAGE-2 -j RETURN
iptables -A DOCKER-USER -j RETURN
iptables -t nat -N DOCKER
iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
iptables -t nat -A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
iptables -t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
iptables -t nat -A DOCKER -i docker0 -j RETURN
iptables -t nat -A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
iptables -A f2b-sshd -j RETURN
iptables -I INPUT -p tcp -m multiport --dports 2222 -j f2b-sshd
iptables -I f2b-sshd 1 -s 203.0.113.66 -j REJECT --reject-with icmp-port-unreachable
nft -f - <<'NFT'
table inet f2b-table {
  set addr-set-sshd { type ipv4_addr; elements = { 203.0.113.67 }; }
  chain f2b-chain {
    type filter hook input priority -1; policy accept;
    tcp dport 22 ip saddr @addr-set-sshd reject with icmp type port-unreachable
  }
}
NFT
`;

/** Rules of others beside those of a firewalld that filters with iptables, as fail2ban, Docker and an administrator have them. */
export const RULES_BESIDE = `
iptables -N f2b-sshd
iptables -A f2b-sshd -s 192.0.2.66/32 -j REJECT --reject-with icmp-port-unreachable
iptables -A f2b-sshd -j RETURN
iptables -I INPUT 1 -p tcp -m multiport --dports 22 -j f2b-sshd
iptables -t nat -N DOCKER
iptables -t nat -A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER`;

/** What iptables has, fail2ban's table with its handles, which change as soon as something is made anew, and Docker's zone. */
const LOOK = `
iptables-save | sed -e '/^#/d' -e 's/ \\[[0-9:]*\\]$//'
nft -a list table inet f2b-table
zone=org.fedoraproject.FirewallD1.zone
echo "docker0 in $(busctl call org.fedoraproject.FirewallD1 /org/fedoraproject/FirewallD1 $zone getZoneOfInterface s docker0)"
`;

/** Writes them, in place of what iptables has. */
export async function placeForeignRules(host: LabHost): Promise<void> {
  await host.sh(PLACE);
  await host.run('firewall-cmd', '--quiet', '--zone=docker', '--change-interface=docker0');
}

/** How they stand, byte for byte. */
export function foreignRules(host: LabHost): Promise<string> {
  return host.sh(LOOK);
}
