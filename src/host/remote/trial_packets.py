"""Real packets in a namespace with rehearsed rules: does a connection from a source, by an interface, get in?

Comes after candidates.py.
"""

import fcntl
import itertools
import socket
import struct

TRIALS, TRIAL_SECONDS = 3, 0.7
SIOCGIFFLAGS, IFF_RUNNING = 0x8913, 0x40
# How the two ends of a link reach each other over IPv6.
INNER, OUTER = "fe80::5054:1", "fe80::5054:2"


def link_local(address):
    return address.lower().startswith("fe8") and ":" in address


def trial_packets(ways, listen):
    """
    For each way: `open` if the packet reached the socket, `refused` if the host rejected it, `silent` without an answer.
    Each way has `interface`, `source`, `destination`, `protocol`, `port`, `sourcePort`. `listen` are further ports to listen
    on, because a forward port may lead to them.
    """
    if not ways:
        return []
    ready, tell = os.pipe()
    said, answer = os.pipe()
    links = {name: "portfw-t%d" % index for index, name in enumerate(sorted({way["interface"] for way in ways}))}
    lines = ["link add %s type veth peer name %s" % link for link in links.items() if link[0] != "lo"]
    batch(lines)
    for name in links:
        quiet_link(name)
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            die_with(parent)
            libc_call("unshare", CLONE_NEWNET)
            os.write(answer, b"1")
            os.read(ready, 1)
            os.write(answer, json.dumps(knock(ways, links)).encode())
        finally:
            os._exit(0)
    os.close(answer)
    os.read(said, 1)
    batch(["link set %s netns %d" % (other, child) for name, other in links.items() if name != "lo"])
    inside(ways, links)
    wanted = {(way["protocol"], way["port"]) for way in ways} | {("tcp", port) for port in listen}
    sockets = listeners(wanted, links)
    os.write(tell, b"1")
    document = b""
    for block in iter(lambda: os.read(said, 65536), b""):
        document += block
    os.waitpid(child, 0)
    for descriptor in (ready, tell, said):
        os.close(descriptor)
    found = json.loads(document.decode() or "[]") or ["silent"] * len(ways)
    for number in arrived(sockets):
        if 0 <= number < len(found):
            found[number] = "open"
    return found


def batch(lines):
    """Runs `ip -batch`: lines for IPv4, then for IPv6 (those that begin with `-6`); a failed line does not affect the others."""
    for flag in ("-4", "-6"):
        chosen = [line[3:] for line in dict.fromkeys(lines) if line.startswith(flag)]
        if flag == "-4":
            chosen = [line for line in dict.fromkeys(lines) if not line.startswith("-")] + chosen
        if chosen:
            outcome_of(["ip", flag, "-force", "-batch", "-"], given="".join(line + "\n" for line in chosen).encode())


def quiet_link(name):
    """Resets IPv4 settings: a namespace inherits them from the host, and behind a load balancer ARP may not be answered."""
    paths = ["ipv6/conf/%s/accept_dad" % name]
    for setting in ("rp_filter", "arp_ignore", "arp_filter", "arp_announce"):
        paths += ["ipv4/conf/%s/%s" % (which, setting) for which in (name, "all")]
    for path in paths:
        try:
            with open("/proc/sys/net/" + path, "w") as handle:
                handle.write("0")
        except OSError:
            pass  # no IPv6, or read-only settings: the routes work anyway


def family_of(address):
    return "-6" if ":" in address else "-4"


def length_of(address):
    return 128 if ":" in address else 32


def inside(ways, links):
    """The host's side: its addresses, and a route to each source by the interface of its packets."""
    lines = []
    for name in links:
        lines += ["link set %s up" % name] + ([] if name == "lo" else ["-6 addr add %s/64 dev %s nodad" % (INNER, name)])
    for way in ways:
        name, source, destination = way["interface"], way["source"], way["destination"]
        # Link-local addresses belong to one link; all others answer on any link.
        home = name if link_local(destination) else "lo"
        lines.append("%s addr add %s/%d dev %s%s" % (family_of(destination), destination, 64 if home == name and name != "lo" else length_of(destination), home, " nodad" if ":" in destination else ""))
        if name == "lo" or link_local(source):
            continue
        gateway = " via %s" % OUTER if ":" in source else ""
        lines.append(route_to(source, gateway, name, links))
    batch(lines)


def route_to(address, gateway, name, links):
    """A route by one link, in addition to those by others: sockets that are bound to a link use its route."""
    metric = 1 + sorted(links).index(name) if name in links else 1 + sorted(links.values()).index(name)
    return "%s route replace %s/%d%s dev %s metric %d" % (family_of(address), address, length_of(address), gateway, name, metric)


def outside(ways, links):
    lines = ["link set lo up"]
    for other in links.values():
        lines += ["link set %s up" % other, "-6 addr add %s/64 dev %s nodad" % (OUTER, other)]
    for way in ways:
        other, source, destination = links[way["interface"]], way["source"], way["destination"]
        home = other if link_local(source) else "lo"
        lines.append("%s addr add %s/%d dev %s%s" % (family_of(source), source, 64 if home == other else length_of(source), home, " nodad" if ":" in source else ""))
        if link_local(destination):
            continue
        gateway = " via %s" % INNER if ":" in destination else ""
        lines.append(route_to(destination, gateway, other, links))
    batch(lines)


def listeners(wanted, links):
    """A listening socket for each interface, protocol and port, of both families."""
    found = []
    for name, (protocol, port), family in itertools.product(links, sorted(wanted), (socket.AF_INET, socket.AF_INET6)):
        try:
            one = socket.socket(family, socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            # Bound to its interface, so that its answers leave by it, whatever the routes are.
            one.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name.encode() + b"\0")
            one.setblocking(False)
            one.bind(("", port))
            if protocol == "tcp":
                one.listen(64)
            found.append(one)
        except OSError:
            continue  # no IPv6 on the host
    return found


def arrived(sockets):
    """The numbers in the datagrams that reached a socket."""
    for one in sockets:
        if one.type & socket.SOCK_DGRAM:
            try:
                while True:
                    yield int(one.recv(64))
            except (OSError, ValueError):
                continue


def await_links(names, seconds=5):
    """Waits until the links carry packets: the kernel may take a second or more, and drops packets before that."""
    until = time.clock_gettime(time.CLOCK_MONOTONIC) + seconds
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for name in names:
            request = struct.pack("16sH14x", name.encode(), 0)
            while time.clock_gettime(time.CLOCK_MONOTONIC) < until:
                if struct.unpack("16sH14x", fcntl.ioctl(asking, SIOCGIFFLAGS, request))[1] & IFF_RUNNING:
                    break
                time.sleep(0.01)


def knock(ways, links):
    """From outside: new connections, or datagrams, until each way has answered; a busy machine may lose one."""
    for name in ("all", "default"):
        quiet_link(name)
    outside(ways, links)
    await_links([other for name, other in links.items() if name != "lo"])
    time.sleep(0.02)
    found = ["silent"] * len(ways)
    for _ in range(TRIALS):
        # No packet from outside comes in by the loopback.
        silent = [number for number, way in enumerate(ways) if found[number] == "silent" and way["interface"] != "lo"]
        if silent:
            knock_once(ways, links, silent, found)
    return found


def knock_once(ways, links, numbers, found):
    """One new connection, or one datagram, for each of these ways."""
    waiting = {}
    for number in numbers:
        way = ways[number]
        family = socket.AF_INET6 if ":" in way["source"] else socket.AF_INET
        one = socket.socket(family, socket.SOCK_STREAM if way["protocol"] == "tcp" else socket.SOCK_DGRAM)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, links[way["interface"]].encode() + b"\0")
        one.setblocking(False)
        scope = socket.if_nametoindex(links[way["interface"]])
        end = lambda address, port: (address, port) if family == socket.AF_INET else (address, port, 0, scope if link_local(address) else 0)
        try:
            one.bind(end(way["source"], way["sourcePort"] or 0))
            one.connect(end(way["destination"], way["port"]))
            if way["protocol"] == "udp":
                one.send(b"%d" % number)
                continue
            found[number] = "open"
        except BlockingIOError:
            waiting[one] = number
        except OSError:
            found[number] = "refused"
    until = time.clock_gettime(time.CLOCK_MONOTONIC) + TRIAL_SECONDS
    while waiting and time.clock_gettime(time.CLOCK_MONOTONIC) < until:
        for one in select.select([], list(waiting), [], 0.05)[1]:
            found[waiting.pop(one)] = "refused" if one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) else "open"
    if not waiting:
        time.sleep(0.05)  # datagrams are not answered
