import type { LabHost } from './host.ts';

/** Ports of one protocol, both ends included. */
export interface PortRange {
  readonly protocol: 'tcp' | 'udp';
  readonly from: number;
  readonly to: number;
}

/** Where the responder itself listens, on the loopback interface only. */
const RESPONDER_PORT = 7;
const TABLE = 'lab_responder';

/**
 * Starts (or changes) the responder of a host.
 *
 * Tens of thousands of sockets would bury the host's real ones, and a redirect would rewrite the packets before the
 * firewall has seen them. So nftables only assigns the packets to one socket (tproxy), unchanged and before any
 * filtering: what firewalld refuses is still refused, what it accepts gets an answer from the port that was asked.
 * Ports that a real daemon listens on are left to it.
 */
export async function respondOn(host: LabHost, ranges: readonly PortRange[]): Promise<void> {
  const listening = await listeningPorts(host);
  const rules = (['tcp', 'udp'] as const).flatMap((protocol) => {
    const pieces = ranges
      .filter((range) => range.protocol === protocol)
      .flatMap(({ from, to }) => without(from, to, listening[protocol]));
    if (pieces.length === 0) return [];
    const set = pieces.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(', ');
    return [
      `add set inet ${TABLE} ${protocol}_ports { type inet_service; flags interval; auto-merge; elements = { ${set} }; }`,
      `add rule inet ${TABLE} prerouting iifname != "lo" fib daddr type local ${protocol} dport @${protocol}_ports ` +
        `meta nfproto ipv4 tproxy ip to 127.0.0.1:${RESPONDER_PORT}`,
      `add rule inet ${TABLE} prerouting iifname != "lo" fib daddr type local ${protocol} dport @${protocol}_ports ` +
        `meta nfproto ipv6 tproxy ip6 to [::1]:${RESPONDER_PORT}`,
    ];
  });
  const ruleset = [
    `add table inet ${TABLE}`,
    `delete table inet ${TABLE}`,
    ...(rules.length === 0
      ? []
      : [
          `add table inet ${TABLE}`,
          `add chain inet ${TABLE} prerouting { type filter hook prerouting priority mangle; policy accept; }`,
          ...rules,
        ]),
  ].join('\n');
  await host.writeFile('/run/lab-responder.nft', `${ruleset}\n`, '600');
  await host.sh(
    'systemctl is-active --quiet lab-responder.service ||\n' +
      'systemd-run --quiet --collect --unit=lab-responder --service-type=exec /opt/lab/responder.py "$1"\n' +
      'nft -f /run/lab-responder.nft',
    String(RESPONDER_PORT),
  );
}

/** The ports that daemons on the host listen on, by protocol. */
async function listeningPorts(host: LabHost): Promise<Readonly<Record<'tcp' | 'udp', ReadonlySet<number>>>> {
  const ports = { tcp: new Set<number>(), udp: new Set<number>() };
  for (const line of (await host.run('ss', '-H', '-l', '-n', '-t', '-u')).split('\n')) {
    const [protocol, , , , local] = line.trim().split(/\s+/);
    // What listens on the loopback interface alone cannot be asked from outside.
    if (local === undefined || /^(127\.|\[::1\])/.test(local)) continue;
    if (protocol !== 'tcp' && protocol !== 'udp') continue;
    ports[protocol].add(Number(local.slice(local.lastIndexOf(':') + 1)));
  }
  return ports;
}

/** The pieces of a range that remain when some ports are taken out. */
function without(from: number, to: number, taken: ReadonlySet<number>): [number, number][] {
  const pieces: [number, number][] = [];
  let start = from;
  for (const port of [...taken].filter((port) => port >= from && port <= to).sort((a, b) => a - b)) {
    if (port > start) pieces.push([start, port - 1]);
    start = port + 1;
  }
  if (start <= to) pieces.push([start, to]);
  return pieces;
}
