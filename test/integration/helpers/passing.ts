import { expect } from 'vitest';
import type { LabHost } from '../../lab/host.ts';
import type { Lab } from '../../lab/lab.ts';
import { addressOn } from '../../lab/network.ts';

/**
 * Two machines, one on each side, that know no way to each other but through a host between: what of their packets comes
 * out at the other end, counted there.
 */

/** Sends what opens a flow (a TCP SYN, a UDP datagram, an ICMP echo), twice, from one address to another. */
const SEND = `
import os, socket, struct, sys, time
source, target = sys.argv[1:]
# A flow of its own: one that was let through goes on for a while, whatever the rules are now.
identity = struct.unpack("!H", os.urandom(2))[0]
six = ":" in target
family = socket.AF_INET6 if six else socket.AF_INET
def total(data):
    words = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while words >> 16:
        words = (words & 0xffff) + (words >> 16)
    return ~words & 0xffff
def echo(number):
    head = (128 if six else 8, 0)
    body = (identity, number)
    return struct.pack("!BBHHH", *head, 0 if six else total(struct.pack("!BBHHH", *head, 0, *body)), *body)
for number in (1, 2):
    tcp = socket.socket(family, socket.SOCK_STREAM)
    udp = socket.socket(family, socket.SOCK_DGRAM)
    icmp = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP)
    tcp.setblocking(False)
    for one in (tcp, udp, icmp):
        one.bind((source, 0))
    tcp.connect_ex((target, 7000))
    for send in (lambda: udp.sendto(b"x", (target, 7000)), lambda: icmp.sendto(echo(number), (target, 0))):
        try:
            send()
        except OSError:
            pass
    time.sleep(0.4)
`;

/** Asks one address of a host whether it lets a flow in: "no" from the host itself (a reset, an unreachable port) is a yes. */
const KNOCK = `
import errno, json, os, socket, struct, sys, time
target, port = sys.argv[1], int(sys.argv[2])
six = ":" in target
family = socket.AF_INET6 if six else socket.AF_INET
def tcp():
    one = socket.socket(family, socket.SOCK_STREAM)
    one.settimeout(1.5)
    one.connect((target, port))
def udp():
    one = socket.socket(family, socket.SOCK_DGRAM)
    one.settimeout(1.5)
    one.connect((target, port))
    one.send(b"x")
    one.recv(10)
def icmp():
    one = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP)
    # A flow of its own; the last two words cancel each other out, so that one checksum fits all.
    identity = struct.unpack("!H", os.urandom(2))[0]
    body = struct.pack("!BBHHH", 128 if six else 8, 0, 0 if six else 0xf7ff, identity, 0xffff - identity)
    one.sendto(body, (target, 0))
    end = time.time() + 1.5
    while time.time() < end:
        one.settimeout(max(0.01, end - time.time()))
        answer, sender = one.recvfrom(2000)
        kind = answer[0] if six else answer[(answer[0] & 15) * 4]
        if sender[0] == target and kind in ((129,) if six else (0,)):
            return
        if sender[0] == target and kind in ((1,) if six else (3,)):
            raise OSError(errno.EHOSTUNREACH, "unreachable")
    raise socket.timeout()
found = {}
for name, ask in (("tcp", tcp), ("udp", udp), ("icmp", icmp)):
    try:
        ask()
        found[name] = "open"
    except socket.timeout:
        found[name] = "silence"
    except OSError as error:
        if error.errno == errno.ECONNREFUSED:
            found[name] = "open"
        else:
            found[name] = "silence" if error.errno == errno.ETIMEDOUT else "refused"
print(json.dumps(found))
`;

const PROTOCOLS = ['tcp', 'udp', 'icmp'] as const;

/** The end of a way through a host: a machine, its addresses there, and the side of the host that it is on. */
export interface End {
  readonly machine: LabHost;
  readonly side: 'public' | 'private';
  readonly v4: string;
  readonly v6: string;
}

/** A host between two ends. */
export interface Between {
  readonly host: LabHost;
  readonly outside: End;
  readonly inside: End;
}

/** Gives a host an address on either side that leads to the other through it; `number` is its own from 100 to 199. */
export async function leadThrough(
  lab: Lab,
  host: LabHost,
  machines: { readonly outside: LabHost; readonly inside: LabHost },
  number: number,
): Promise<Between> {
  const end = async (side: 'public' | 'private', machine: LabHost): Promise<End> => {
    const { v4, v6 } = addressOn(lab.networks[side], number);
    if (v6 === null) throw new Error('this engine gives no IPv6, and half of what is to be shown needs it');
    for (const address of [v4, v6]) await machine.addAddress(side, address);
    // An IPv6 address cannot be used until the kernel has asked whether somebody else has it.
    await machine.sh('while ip -6 address show tentative | grep -q .; do sleep 0.1; done');
    return { machine, side, v4, v6 };
  };
  const outside = await end('public', machines.outside);
  const inside = await end('private', machines.inside);
  for (const [from, to] of [
    [outside, inside],
    [inside, outside],
  ] as const) {
    const via = host.addresses[from.side]!;
    await from.machine.run('ip', 'route', 'replace', `${to.v4}/32`, 'via', via.v4, 'src', from.v4);
    await from.machine.run('ip', '-6', 'route', 'replace', `${to.v6}/128`, 'via', via.v6!, 'src', from.v6);
    await from.machine.writeFile('/root/send.py', SEND);
    await from.machine.writeFile('/root/knock.py', KNOCK);
  }
  return { host, outside, inside };
}

/** What of the packets from one end comes out at the other: `ipv4 tcp`, `ipv6 icmp`, … */
export async function seen(from: End, to: End): Promise<string[]> {
  const table = `seen_${from.v4.split('.').at(-1)}`;
  const names = ['ipv4', 'ipv6'].flatMap((family) => PROTOCOLS.map((protocol) => [family, protocol] as const));
  await to.machine.sh(
    `nft delete table inet ${table} 2>/dev/null || true; nft -f - <<'NFT'
table inet ${table} {
${names.map(([family, protocol]) => `  counter ${family}_${protocol} { }`).join('\n')}
  chain arrivals {
    type filter hook prerouting priority -400; policy accept;
${names
  .map(([family, protocol]) => {
    const source = family === 'ipv4' ? `ip saddr ${from.v4}` : `ip6 saddr ${from.v6}`;
    const kind = protocol === 'icmp' && family === 'ipv6' ? 'ipv6-icmp' : protocol;
    return `    ${source} meta l4proto ${kind} counter name ${family}_${protocol}`;
  })
  .join('\n')}
  }
}
NFT`,
  );
  await from.machine.run('python3', '/root/send.py', from.v4, to.v4);
  await from.machine.run('python3', '/root/send.py', from.v6, to.v6);
  const counters = await to.machine.run('nft', 'list', 'counters', 'table', 'inet', table);
  await to.machine.run('nft', 'delete', 'table', 'inet', table);
  const found = names.filter(([family, protocol]) => {
    const count = new RegExp(`counter ${family}_${protocol} \\{\\s*packets (\\d+)`).exec(counters)?.[1];
    expect(count, counters).toBeDefined();
    return Number(count) > 0;
  });
  return found.map((parts) => parts.join(' '));
}

/** How a host answers an end at its own address on that side, by family and protocol. */
export async function answers(between: Between, end: End, port = 7000): Promise<Record<string, string>> {
  const { v4, v6 } = between.host.addresses[end.side]!;
  const found: Record<string, string> = {};
  for (const [family, address] of [
    ['ipv4', v4],
    ['ipv6', v6!],
  ] as const) {
    const text = await end.machine.run('python3', '/root/knock.py', address, String(port));
    for (const [protocol, answer] of Object.entries(JSON.parse(text) as Record<string, string>))
      found[`${family} ${protocol}`] = answer;
  }
  return found;
}
