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
 * Packets that a daemon's own socket waits for are left to it, whenever it began to listen.
 */
export async function respondOn(host: LabHost, ranges: readonly PortRange[]): Promise<void> {
  const rules = (['tcp', 'udp'] as const).flatMap((protocol) => {
    const pieces = ranges.filter((range) => range.protocol === protocol);
    if (pieces.length === 0) return [];
    const set = pieces.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`)).join(', ');
    const match = `iifname != "lo" fib daddr type local ${protocol} dport @${protocol}_ports`;
    return [
      `add set inet ${TABLE} ${protocol}_ports { type inet_service; flags interval; auto-merge; elements = { ${set} }; }`,
      `add rule inet ${TABLE} prerouting ${match} meta nfproto ipv4 tproxy ip to 127.0.0.1:${RESPONDER_PORT}`,
      `add rule inet ${TABLE} prerouting ${match} meta nfproto ipv6 tproxy ip6 to [::1]:${RESPONDER_PORT}`,
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
          `add rule inet ${TABLE} prerouting socket transparent 0 accept`,
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
