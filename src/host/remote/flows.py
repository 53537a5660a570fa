"""Ends established flows that were revoked. Comes after steps.py.

The kernel's connection table is read and changed over netlink, as conntrack(8) does, which few hosts have: one pass over it,
and exactly the flows of the given kinds. Sockets are closed too, because a program that sends first would put its deleted
flow back into the table.
"""

FLOW_KINDS_A_CALL = 40
FLOW_PROTOCOLS = {"tcp": 6, "udp": 17}

NFNETLINK = 12
CT_NEW, CT_GET, CT_DELETE = 0x100, 0x101, 0x102
CTA_TUPLE_ORIG, CTA_PROTOINFO, CTA_ID, CTA_ZONE = 1, 4, 12, 18
CT_TCP_ESTABLISHED = 3


def cut_flows(request):
    """`flows` are kinds: protocol, opener, address and port as the first packet had them."""
    global ipaddress, socket, struct
    import ipaddress  # takes 20 ms, and no other operation needs it
    import socket
    import struct

    kinds = {flow_kind(flow) for flow in request["flows"]}
    try:
        counts = forget_flows(kinds)
        tracked = True
    except OSError:
        counts = {"tcp": 0, "udp": 0}
        tracked = False
    killed = each_socket(["-K"], kinds)
    left = each_socket([], kinds)
    ended = max(counts["tcp"], killed) + counts["udp"]
    audit("ended %d flows of %d kinds that nothing lets in any more" % (ended, len(kinds)), request["holder"])
    return {"kind": "flows-cut", "ended": ended, "left": left, "tracked": tracked}


def flow_kind(flow):
    """A kind as (family, protocol, opener, address, port), with packed addresses."""
    opener, address = ipaddress.ip_address(flow["opener"]), ipaddress.ip_address(flow["address"])
    family = socket.AF_INET if opener.version == 4 else socket.AF_INET6
    return family, flow["protocol"], opener.packed, address.packed, flow["port"]


def forget_flows(kinds):
    """Deletes the flows of these kinds from the kernel's table. Returns how many of each protocol were established."""
    counts = {"tcp": 0, "udp": 0}
    wanted = {(kind[0], FLOW_PROTOCOLS[kind[1]]) + kind[2:] for kind in kinds}
    names = {number: name for name, number in FLOW_PROTOCOLS.items()}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NFNETLINK) as netlink:
        netlink.settimeout(30)
        netlink.bind((0, 0))
        for family in sorted({kind[0] for kind in kinds}):
            found = []
            for kind, body in ask_netlink(netlink, CT_GET, 0x301, family, b""):
                if kind != CT_NEW:
                    continue
                parts = netlink_attributes(body[4:])
                number, opener, address, port = flow_original(parts.get(CTA_TUPLE_ORIG, b""))
                if (family, number, opener, address, port) in wanted:
                    found.append((names[number], parts))
            for name, parts in found:
                if is_established_flow(name, parts) and delete_flow(netlink, family, parts):
                    counts[name] += 1
    return counts


def is_established_flow(name, parts):
    if name != "tcp":
        return True
    state = netlink_attributes(netlink_attributes(parts.get(CTA_PROTOINFO, b"")).get(1, b"")).get(1, b"\0")
    return state[0] == CT_TCP_ESTABLISHED


def delete_flow(netlink, family, parts):
    """False if the flow has ended by itself."""
    body = b"".join(
        netlink_attribute(number | (0x8000 if number == CTA_TUPLE_ORIG else 0), parts[number])
        for number in (CTA_TUPLE_ORIG, CTA_ZONE, CTA_ID)
        if number in parts
    )
    try:
        for _ in ask_netlink(netlink, CT_DELETE, 0x5, family, body):
            pass
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
        return False
    return True


def ask_netlink(netlink, kind, flags, family, body):
    """The messages that answer one request; raises OSError for a kernel error."""
    payload = struct.pack("=BBH", family, 0, 0) + body
    netlink.send(struct.pack("=IHHII", 16 + len(payload), kind, flags, 1, 0) + payload)
    while True:
        data = netlink.recv(1 << 18)
        while len(data) >= 16:
            length, answer = struct.unpack_from("=IH", data)
            if length < 16:
                return
            if answer == 2:
                code = struct.unpack_from("=i", data, 16)[0]
                if code:
                    raise OSError(-code, os.strerror(-code))
                return
            if answer == 3:
                return
            yield answer, data[16:length]
            data = data[(length + 3) & ~3 :]


def netlink_attributes(data):
    found = {}
    while len(data) >= 4:
        length, number = struct.unpack_from("=HH", data)
        if length < 4:
            break
        found[number & 0x3FFF] = data[4:length]
        data = data[(length + 3) & ~3 :]
    return found


def netlink_attribute(number, value):
    return struct.pack("=HH", 4 + len(value), number) + value + b"\0" * (-len(value) % 4)


def flow_original(data):
    """Protocol, opener, address and port of a flow's first packet."""
    halves = netlink_attributes(data)
    addresses, ports = netlink_attributes(halves.get(1, b"")), netlink_attributes(halves.get(2, b""))
    number = ports.get(1, b"\0")[0]
    port = struct.unpack("!H", ports[3])[0] if len(ports.get(3, b"")) == 2 else 0
    return number, addresses.get(1, addresses.get(3)), addresses.get(2, addresses.get(4)), port


def socket_end(packed):
    """An address for ss: a colon outside brackets begins a port."""
    address = ipaddress.ip_address(packed)
    return "[%s]" % address if address.version == 6 else str(address)


def each_socket(options, kinds):
    """Counts the established connections of these kinds; `-K` closes them if the kernel can."""
    count = 0
    tcp = sorted(kind for kind in kinds if kind[1] == "tcp")
    for start in range(0, len(tcp), FLOW_KINDS_A_CALL):
        terms = []
        for _, _, opener, address, port in tcp[start : start + FLOW_KINDS_A_CALL]:
            ends = ["src", socket_end(address), "and", "dst", socket_end(opener)]
            terms += (["or"] if terms else []) + ["(", "sport", "=", ":%d" % port, "and"] + ends + [")"]
        argv = ["ss"] + options + ["-tn", "state", "established"] + terms
        try:
            answer = subprocess.run(
                argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        rows = answer.stdout.decode("utf-8", "replace").splitlines()
        count += len([row for row in rows if re.match(r"^(ESTAB\s+)?\d", row)])
    return count
