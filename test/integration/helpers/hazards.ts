const HEAD = '<?xml version="1.0" encoding="utf-8"?>\n';

/** Configurations that administrators leave behind, by what is odd about them: files below /etc/firewalld. Some load, some do not. */
export const HAZARDS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'a backup folder beside a zone, for the same interface': {
    'zones/edge.xml': zone('<interface name="dummy7"/><service name="ssh"/>'),
    'zones/backup/edge.xml': zone('<interface name="dummy7"/><service name="ssh"/>'),
  },
  'a folder of zones whose name has dots': { 'zones/250610.backup/edge.xml': zone('<service name="ssh"/>') },
  'a zone file whose name has dots, in a folder': { 'zones/archive/edge.3.xml': zone('<service name="ssh"/>') },
  'a source in two zones': {
    'zones/mon.xml': zone('<source address="203.0.113.0/24"/>'),
    'zones/office.xml': zone('<source address="203.0.113.0/24"/>'),
  },
  'overlapping entries': { ...office('<source ipset="office"/>'), ...ipset('203.0.113.0/24', '203.0.113.7') },
  'an entry twice': { ...office('<source ipset="office"/>'), ...ipset('203.0.113.7', '203.0.113.7/32') },
  'an entry with bits of the host': { ...office('<source ipset="office"/>'), ...ipset('203.0.113.7/24') },
  'an entry of the other family': { ...office('<source ipset="office"/>'), ...ipset('2001:db8::/32') },
  'an entry for everything': { ...office('<source ipset="office"/>'), ...ipset('0.0.0.0/0') },
  'a service that is not there': office('<source address="203.0.113.0/24"/><service name="no-longer-there"/>'),
  'an ICMP type that is not there': office('<source address="203.0.113.0/24"/><icmp-block name="no-such-type"/>'),
  'a helper that is not there': {
    'services/odd.xml': `${HEAD}<service><port port="2121" protocol="tcp"/><helper name="nosuch"/></service>`,
    ...office('<source address="203.0.113.0/24"/><service name="odd"/>'),
  },
  'a policy for a set without a file': policy(
    '<ingress-zone name="ANY"/><egress-zone name="HOST"/><rule family="ipv4"><source ipset="gone"/><drop/></rule>',
  ),
  'a policy for a zone that is gone': policy(
    '<ingress-zone name="gonezone"/><egress-zone name="HOST"/><rule family="ipv4"><source address="192.0.2.1"/><drop/></rule>',
  ),
  'a direct rule for a set that is gone': direct(
    '<rule ipv="ipv4" table="filter" chain="INPUT" priority="0">-p tcp -m set --match-set gone src -j REJECT</rule>',
  ),
  'a direct rule in a chain that is gone': direct(
    '<rule ipv="ipv4" table="filter" chain="f2b-gone" priority="0">-s 192.0.2.1 -j DROP</rule>',
  ),
  'a direct rule to a chain that is gone': direct(
    '<rule ipv="ipv4" table="filter" chain="INPUT" priority="0">-j f2b-gone</rule>',
  ),
  'a passthrough that cannot be': direct('<passthrough ipv="ipv4">-t filter -A NOPE -j ACCEPT</passthrough>'),
  'a port inside a range': office(
    '<source address="203.0.113.0/24"/><port port="1000-2000" protocol="tcp"/><port port="1500" protocol="tcp"/>',
  ),
  'an include that is not there': {
    'services/odd.xml': `${HEAD}<service><include service="nosuch"/></service>`,
    ...office('<source address="203.0.113.0/24"/><service name="odd"/>'),
  },
  'a forward port to the other family': office(
    '<source address="203.0.113.0/24"/><forward-port port="80" protocol="tcp" to-port="8080" to-addr="2001:db8::1"/>',
  ),
  'a MAC address in small letters': office('<source mac="aa:bb:cc:dd:ee:0f"/>'),
  SCTP: office('<source address="203.0.113.0/24"/><port port="38412" protocol="sctp"/>'),
  'a rule that logs': office(
    '<rule family="ipv4"><source address="192.0.2.0/24"/><log prefix="x" level="info"><limit value="3/m"/></log><drop/></rule>',
  ),
  'a zone name that is too long': { 'zones/averyveryverylongzonename.xml': zone('<source address="203.0.113.0/24"/>') },
  'XML without an end': { 'zones/office.xml': `${HEAD}<zone><short>x</short>` },
};

function zone(body: string): string {
  return `${HEAD}<zone><short>x</short>${body}</zone>\n`;
}

function office(body: string): Record<string, string> {
  return { 'zones/office.xml': zone(`${body}<service name="ssh"/>`) };
}

function ipset(...entries: readonly string[]): Record<string, string> {
  const lines = entries.map((entry) => `<entry>${entry}</entry>`).join('');
  return { 'ipsets/office.xml': `${HEAD}<ipset type="hash:net">${lines}</ipset>\n` };
}

function policy(body: string): Record<string, string> {
  return { 'policies/blk.xml': `${HEAD}<policy target="CONTINUE" priority="-5">${body}</policy>\n` };
}

function direct(body: string): Record<string, string> {
  return { 'direct.xml': `${HEAD}<direct>${body}</direct>\n` };
}
