"""The kernel's rules: saved before the first write, kept in force while firewalld loads, and restored if it cannot load.

- `kernel_rules` reads what is in force: firewalld's tables of nftables, all of iptables, and ipsets.
- `rules_held` keeps the saved filter in force in a separate table while firewalld reloads or starts. A packet must then pass both,
  so nothing is open that was closed before, whatever firewalld does meanwhile.
- `restore_rules_of` restores the saved rules in one transaction.

Comes after foreign_rules.py.
"""

import gzip
import tempfile

TABLES = ("inet firewalld", "ip firewalld", "ip6 firewalld")
# firewalld 0.9 drops everything with it while it loads, and does not remove it if the load fails.
DROP_TABLE = "inet firewalld_policy_drop"
HOLD_TABLES = ("inet portfw_hold", "ip portfw_hold", "ip6 portfw_hold")
MOST_RULES_BYTES = 64 * 1024 * 1024
RULES_SECONDS = 30
# A filter chain, by its hook. Other chains (nat, mangle, raw) let no packet in.
FILTER_HOOK = re.compile(r"^type filter hook (input|forward|output) ")
JUMP = re.compile(r"\b(?:jump|goto) ([^\s;}]+)")
SET_NAME = re.compile(r"@([^\s,;}]+)")


def output_of(argv, seconds=RULES_SECONDS, given=None):
    """The output of a program; None if it is missing, fails, takes too long or prints too much."""
    with tempfile.TemporaryFile(dir="/run") as printed:
        try:
            done = subprocess.run(
                argv, input=given, stdin=subprocess.DEVNULL if given is None else None,
                stdout=printed, stderr=subprocess.DEVNULL, timeout=seconds,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        if done.returncode != 0 or printed.tell() > MOST_RULES_BYTES:
            return None
        printed.seek(0)
        return printed.read().decode("utf-8", "surrogateescape")


def nft(text, seconds=RULES_SECONDS):
    """Runs nft statements as one transaction. On RuntimeError nothing was changed."""
    try:
        done = subprocess.run(
            ["nft", "-f", "-"], input=text.encode("utf-8", "surrogateescape"),
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=seconds,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise RuntimeError("nft: %s" % plain_error(error))
    if done.returncode != 0:
        raise RuntimeError("nft: %s" % " ".join(done.stderr.decode("utf-8", "replace").split())[:300])


def table_names():
    """The tables of nftables, as `inet firewalld`."""
    listed = output_of(["nft", "list", "tables"]) or ""
    return [line[len("table "):].strip() for line in listed.splitlines() if line.startswith("table ")]


def has_ipsets():
    """Whether the kernel has ipsets: listing them would otherwise make it load its module."""
    return os.path.isdir("/sys/module/ip_set")


def kernel_rules():
    """The rules in force: nftables tables by name, iptables by restore program, and ipsets."""
    present = table_names()
    tables = {name: output_of(["nft", "list", "table"] + name.split()) for name in TABLES if name in present}
    iptables = {}
    for save, restore in IPTABLES:
        text = output_of([save])
        if text is not None and any(by_table(text)):
            iptables[restore] = text
    return {
        # Newer versions of nft print the owner of a table, which is not part of the grammar.
        "tables": {name: re.sub(r" # .*", "", text, count=1) for name, text in tables.items() if text},
        "iptables": iptables,
        "ipset": (output_of(["ipset", "save"]) or "") if has_ipsets() else "",
        "ssh": os.environ.get("SSH_CONNECTION", ""),
    }


def rules_path(identity):
    return "%s/%s/rules.json.gz" % (GENERATIONS, identity)


def save_rules(identity, rules):
    content = json.dumps(rules).encode("utf-8", "surrogateescape")
    write_file(rules_path(identity), gzip.compress(content, 6), 0o600)


def saved_rules(identity):
    """The saved rules of a generation; None for an older format, or if firewalld did not run then."""
    try:
        with gzip.open(rules_path(identity), "rb") as handle:
            rules = json.loads(handle.read(4 * MOST_RULES_BYTES).decode("utf-8", "surrogateescape"))
    except (OSError, ValueError, EOFError):
        return None
    return rules if isinstance(rules, dict) else None


def blocks_of(table):
    """The chains, sets and other objects of a table's text, each with its lines: `chain filter_INPUT`, [...]."""
    blocks, lines = {}, None
    for line in table.splitlines()[1:]:
        words = line.strip()
        if re.match(r"^\t[^\t].* \{$", line):
            lines = blocks.setdefault(words[:-2], [])
        elif line == "\t}":
            lines = None
        elif lines is not None and words:
            lines.append(words)
    return blocks


def filter_blocks(table):
    """The filter of a table: the chains that are reachable from a hook, and the sets that they name."""
    blocks = blocks_of(table)
    met = []
    todo = [name for name, lines in blocks.items() if lines and FILTER_HOOK.match(lines[0])]
    while todo:
        name = todo.pop(0)
        if name in met or name not in blocks:
            continue
        met.append(name)
        for line in blocks[name]:
            todo += ["chain " + found for found in JUMP.findall(line)]
            for found in SET_NAME.findall(line):
                todo += [kind + found for kind in ("set ", "map ")]
    return {name: lines for name, lines in blocks.items() if name in met}


def hold_text(rules):
    """The saved filter as separate tables, in nft statements; None if firewalld filtered nothing."""
    blocks = filter_blocks(rules["tables"].get("inet firewalld", ""))
    if blocks:
        lines = ["table %s {" % HOLD_TABLES[0]]
        for name, body in blocks.items():
            lines.append("%s {" % name)
            # Helpers and flow tables belong to firewalld's own table, which assigns them.
            lines += [line for line in body if not re.search(r"\bct helper set |\bflow (add|offload) ", line)] + ["}"]
        return "\n".join(lines + ["}"])
    if not any(holds_firewalld(text) for text in rules["iptables"].values()):
        return None
    translated = [translated_filter(restore, text) for restore, text in rules["iptables"].items()]
    return bare_hold(rules) if None in translated else "\n".join(translated)


def translated_filter(restore, text):
    """The iptables filter in nft statements; None if iptables cannot translate it."""
    family = "ip6" if restore.startswith("ip6") else "ip"
    with tempfile.NamedTemporaryFile(dir="/run") as file:
        file.write(text.encode("utf-8", "surrogateescape"))
        file.flush()
        said = output_of([restore + "-translate", "-f", file.name])
    if said is None or "\n# -t filter " in said:
        return None
    lines = ["add table %s portfw_hold" % family]
    for line in said.splitlines():
        if re.match(r"add (chain|rule) %s filter " % family, line):
            lines.append(line.replace(" filter ", " portfw_hold ", 1))
    # It translates only the last one of RELATED,ESTABLISHED,DNAT.
    for chain in ("INPUT", "FORWARD", "OUTPUT"):
        lines.append("insert rule %s portfw_hold %s ct state { established, related } accept" % (family, chain))
    return "\n".join(lines)


def bare_hold(rules):
    """
    For iptables rules that cannot be translated: accepts established flows, the loopback, and SSH from the controller of the
    run. Other new flows wait until firewalld has loaded.
    """
    import ipaddress  # 20 ms that few operations need spend

    peer = rules.get("ssh", "").split()
    try:
        address = ipaddress.ip_address(peer[0].split("%")[0])
        address = getattr(address, "ipv4_mapped", None) or address
        ssh = "%s saddr %s tcp dport %d accept" % ("ip" if address.version == 4 else "ip6", address, int(peer[3]))
    except (ValueError, IndexError):
        ssh = "tcp dport 22 accept"
    return """table %s {
chain input {
type filter hook input priority 0; policy drop;
ct state { established, related } accept
iifname "lo" accept
meta l4proto { icmp, ipv6-icmp } accept
%s
}
chain forward {
type filter hook forward priority 0; policy drop;
ct state { established, related } accept
}
}""" % (HOLD_TABLES[0], ssh)


def holds_less(rules):
    """
    Whether the hold table is narrower than the saved filter: fine for the seconds of a load, but not until somebody corrects a
    file, because open ports are not reachable meanwhile.
    """
    return hold_text(rules) == bare_hold(rules)


def hold_rules(rules):
    """Keeps the saved filter in force beside firewalld's rules. False if there is nothing to hold, or it is not possible."""
    text = None if rules is None else hold_text(rules)
    if text is None:
        return False
    try:
        nft("\n".join(without_hold() + [text]) + "\n")
        return True
    except RuntimeError as error:
        audit("the old rules could not be kept in force meanwhile: %s" % error, "the host")
        return False


def without_hold():
    present = table_names()
    return ["delete table " + name for name in HOLD_TABLES if name in present]


def release_hold():
    statements = without_hold()
    if statements:
        nft("\n".join(statements) + "\n")


@contextlib.contextmanager
def rules_held(rules):
    """
    Around a reload or a start: the saved filter stays in force beside firewalld's. If the block fails, or this process is
    killed, it stays until the rollback has restored the old rules.
    """
    hold_rules(rules)
    yield
    release_hold()


def restore_rules_of(rules):
    """
    Replaces the rules in force by the saved ones: nftables in one transaction, so that there is no moment without rules. A
    daemon that owns its table (from 2.3 on) must be killed first. Raises RuntimeError.
    """
    if rules.get("ipset"):
        # Sets that iptables names; one that is in use cannot be replaced, but its entries are added again.
        output_of(["ipset", "-exist", "restore"], given=rules["ipset"].encode("utf-8", "surrogateescape"))
    present = table_names()
    lines = []
    for name in TABLES:
        if name in rules["tables"]:
            lines += ["add table " + name] if name not in present else []
            lines += ["delete table " + name, rules["tables"][name]]
        elif name in present:
            lines.append("delete table " + name)
    lines += ["delete table " + DROP_TABLE] if DROP_TABLE in present else []
    lines += without_hold()
    for restore, text in rules["iptables"].items():
        if holds_firewalld(text) and output_of([restore], given=text.encode("utf-8", "surrogateescape")) is None:
            raise RuntimeError("%s does not accept the saved rules" % restore)
    if lines:
        nft("\n".join(lines) + "\n")


def meaning_of(rules):
    """
    Normalised rules: without counters, handles and unreachable chains (firewalld removes those of an unused zone only at its next
    reload); sorted wherever the order has no effect.
    """
    lines = []
    for name, table in sorted(rules["tables"].items()):
        blocks = blocks_of(table)
        met, todo = set(), [key for key, held_lines in blocks.items() if held_lines and " hook " in held_lines[0]]
        while todo:
            key = todo.pop()
            if key in met or key not in blocks:
                continue
            met.add(key)
            for line in blocks[key]:
                todo += ["chain " + found for found in JUMP.findall(line)]
                todo += [kind + found for kind in ("set ", "map ") for found in SET_NAME.findall(line)]
        for key in sorted(met):
            body = blocks[key] if key.startswith("chain ") else set_meaning(blocks[key])
            body = unordered([plain_rule(line) for line in body]) if key.startswith("chain ") else body
            lines += ["%s %s: %s" % (name, key, line) for line in body]
    for program, text in sorted(rules["iptables"].items()):
        for table, (chains, held_rules) in sorted(by_table(text).items()):
            met, todo = set(), [name for name in chains if name.isupper() and "_" not in name]
            while todo:
                chain = todo.pop()
                if chain in met:
                    continue
                met.add(chain)
                for rule in held_rules:
                    if rule.startswith("-A %s " % chain):
                        todo += re.findall(r" (?:-j|-g) (\S+)", rule)
            kept = [rule for rule in held_rules if rule.split(" ")[1] in met]
            lines += ["%s %s: %s" % (program, table, rule) for rule in kept]
    return lines


def own_rules(rules):
    """
    firewalld's own rules. Foreign iptables rules change all the time (for example fail2ban's bans): that is no reason to reload,
    nor to kill a healthy firewalld.
    """
    own = {}
    for program, text in rules["iptables"].items():
        if not holds_firewalld(text):
            continue
        lines = []
        for table, (chains, held_rules) in by_table(text).items():
            mine = own_chains(chains)
            lines += ["*" + table] + [":%s - [0:0]" % name for name in chains]
            lines += [rule for rule in held_rules if touches(rule, mine) or FRAME.match(rule)]
        own[program] = "\n".join(lines)
    return dict(rules, iptables=own)


def filters_otherwise(rules):
    """Whether firewalld's own rules in force differ from these."""
    return bool(rules_that_differ(own_rules(rules), own_rules(kernel_rules())))


def plain_rule(line):
    line = re.sub(r"counter packets \d+ bytes \d+", "counter", line)
    return re.sub(r" expires \w+", "", line)


def set_meaning(lines):
    """A set's lines, with sorted elements."""
    text = " ".join(lines)
    head, _, elements = text.partition("elements = {")
    found = re.sub(r" (expires|timeout) \w+|counter packets \d+ bytes \d+", "", elements.rstrip("} ")).split(",")
    return [head.strip()] + sorted(item.strip() for item in found if item.strip())


def unordered(lines):
    """Sorts neighbouring rules whose order has no effect: those with the same verdict, and those for different interfaces."""
    def kind(line):
        named = re.match(r'([io]ifname) "([^"*]+)" ', line)
        if named and re.search(r"\b(jump|goto|return|accept|drop|reject)\b", line):
            return ("named", named.group(1), "")
        verdict = re.search(r"\b(accept|drop)\Z", line) or re.search(r"\breject\b.*\Z", line)
        return ("verdict", verdict.group(), "") if verdict else ("", "", line)

    def key(line):
        named = re.match(r'[io]ifname "([^"*]+)" ', line)
        return named.group(1) if named and kind(line)[0] == "named" else line

    ordered, row, last = [], [], None
    for line in lines:
        if row and (kind(line) != last or last[0] == ""):
            ordered += sorted(row, key=key)
            row = []
        last = kind(line)
        row.append(line)
    return ordered + sorted(row, key=key)


def rules_that_differ(before, now):
    """The differing rules, as lines with - and +; empty if nothing differs."""
    old, new = meaning_of(before), meaning_of(now)
    if old == new:
        return []
    shown_lines = ["- " + line for line in old if line not in new] + ["+ " + line for line in new if line not in old]
    return shown_lines or ["the same rules in another order"]
