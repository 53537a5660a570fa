"""Keeps foreign iptables rules (Docker, fail2ban, an administrator) through a reload of firewalld.

firewalld before 2.0 empties all iptables tables whenever it starts or reloads, even if its own rules are in nftables. If its own
rules are in iptables too, they are recognised by what that version writes. Docker writes its rules again; other programs do not.
So the rules are read before, and missing ones are added afterwards.

Comes after observe.py.
"""

import contextlib
import subprocess

PROGRAMS = {"ipv4": "iptables-restore", "ipv6": "ip6tables-restore"}
IPTABLES = (("iptables-save", "iptables-restore"), ("ip6tables-save", "ip6tables-restore"))
# firewalld's own chains: those of its direct interface, which it writes again itself, and those of its iptables backend, whose
# names depend on the version: a zone or a policy has a chain with several parts.
DIRECT_CHAIN = re.compile(r"(^| )[A-Z]+_direct( |\Z)")
FIREWALLD_CHAIN = re.compile(r"(?m)^:INPUT_(ZONES|POLICIES|POLICIES_pre) ")
DISPATCH = re.compile(r"^(INPUT|FORWARD|OUTPUT|PREROUTING|POSTROUTING)_((IN_|OUT_)?ZONES(_SOURCE)?|POLICIES(_pre|_post)?|direct)\Z")
ZONE_CHAIN = re.compile(r"^((?:IN|OUT|FWD|FWDI|FWDO|PRE|POST)_.+)_(pre|log|deny|allow|post)\Z")
# What it writes into the built-in chains.
FRAME = re.compile(
    r"^-A [A-Z]+ (-m conntrack --ctstate (RELATED,ESTABLISHED(,DNAT)? -j ACCEPT|INVALID -j (DROP|LOG .*))|-[io] lo -j ACCEPT"
    r"|-j REJECT --reject-with (icmp-host-prohibited|icmp6-adm-prohibited)|(-p ipv6-icmp )?-m (icmp6|rpfilter) .*-j (ACCEPT|DROP)"
    r"|.*--log-prefix \"(FINAL_REJECT|STATE_INVALID_DROP|rpfilter_DROP): \".*)\Z"
)


def holds_firewalld(text):
    """Whether firewalld filters with iptables instead of nftables."""
    return FIREWALLD_CHAIN.search(text) is not None


def own_chains(chains):
    """The chains of a table that firewalld made for its zones, policies and direct interface."""
    parts = {}
    for name in chains:
        match = ZONE_CHAIN.match(name)
        if match:
            parts.setdefault(match.group(1), set()).add(match.group(2))
    zones = {name for name, found in parts.items() if {"log", "deny", "allow"} <= found}
    own = {name for name in chains if DISPATCH.match(name) or name in zones or name == "RFC3964_IPv4"}
    return own | {name for name in chains if ZONE_CHAIN.match(name) and ZONE_CHAIN.match(name).group(1) in zones}


def touches(rule, chains):
    """Whether a rule is in one of these chains, or jumps to one."""
    words = rule.split(" ")
    return words[1] in chains or any(words[at + 1] in chains for at, word in enumerate(words[:-1]) if word in ("-j", "-g"))


def rules_of_others():
    """The text of all tables, by restore program; without missing programs."""
    found = {}
    for save, restore in IPTABLES:
        try:
            done = subprocess.run([save], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20)
        except (OSError, subprocess.TimeoutExpired):
            continue
        text = done.stdout.decode("utf-8", "surrogateescape")
        if done.returncode == 0:
            found[restore] = text
    return found


def by_table(text):
    """Chains and rules by table, in their order."""
    tables, chains, rules = {}, [], []
    for line in text.splitlines():
        if line.startswith("*"):
            chains, rules = tables.setdefault(line[1:], ([], []))
        elif line.startswith(":"):
            chains.append(line[1:].split(" ")[0])
        elif line.startswith("-A "):
            rules.append(line)
    return tables


def missing_rules(before, now, direct=()):
    """
    The input for iptables-restore that adds all missing foreign rules, in the same order; empty if nothing is missing.
    `direct` are the chains of firewalld's direct interface: a reload removes them with their rules.
    """
    lines = []
    present = by_table(now)
    backend = holds_firewalld(before)
    for table, (chains, rules) in by_table(before).items():
        own = set(direct) | (own_chains(chains) if backend else {name for name in chains if DIRECT_CHAIN.search(name)})
        held_chains, held_rules = present.get(table, ([], []))
        left = list(held_rules)
        wanted = [":%s - [0:0]" % name for name in chains if name not in held_chains and name not in own]
        # Rules that were before firewalld's own rules of a chain are inserted there again.
        firewalld = [touches(rule, own) or (backend and FRAME.match(rule) is not None) for rule in rules]
        met = {rule.split(" ")[1] for rule, its in zip(rules, firewalld) if its}
        ahead = []
        for rule, its in zip(rules, firewalld):
            chain = rule.split(" ")[1]
            if its:
                met.discard(chain)
            elif rule in left:
                left.remove(rule)
            elif chain in met:
                ahead.append("-I" + rule[2:])
            else:
                wanted.append(rule)
        wanted += reversed(ahead)
        if wanted:
            lines += ["*" + table] + wanted + ["COMMIT"]
    return "".join(line + "\n" for line in lines)


@contextlib.contextmanager
def sparing_others(strict=False, noted=None, direct=None):
    """
    Around a start, stop or reload of firewalld. If rules cannot be added again, `strict` raises RuntimeError.
    `direct` are the previous rules of firewalld's direct interface, in case the daemon cannot be asked any more.
    If this process is killed meanwhile, the file `noted` is left, with what `give_back_noted` needs.
    """
    before = {"tables": rules_of_others(), "direct": direct_rules() or direct or [], "chains": direct_chains()}
    if noted is not None and any(by_table(text) for text in before["tables"].values()):
        write_file(noted, json.dumps(before).encode(), 0o600)
    try:
        yield
    finally:
        try:
            restore_rules(before)
            if noted is not None and os.path.exists(noted):
                os.unlink(noted)
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            # During a rollback, restoring firewalld is more important.
            if strict:
                raise
            audit(plain_error(error), "the host")


def give_back_noted(path):
    """Restores foreign iptables rules if the process that should have done it was killed."""
    try:
        restore_rules(json.loads(read_bytes(path).decode()))
    except FileNotFoundError:
        pass
    except (RuntimeError, ValueError, OSError, subprocess.SubprocessError) as error:
        audit(plain_error(error), "the host")


def direct_rules(method="getAllRules"):
    """Rules of firewalld's direct interface, which some versions add to foreign chains. None without an answer."""
    try:
        daemon = Daemon()
        return plain(daemon.bus.call_blocking(BUS, ROOT, BUS + ".direct", method, "", (), timeout=5))
    except Exception:  # no bus, no bindings, no daemon, or none that answers
        return None


def direct_chains():
    return direct_rules("getAllChains") or []


def restore_rules(before):
    tables = before["tables"]
    if not any(by_table(text) for text in tables.values()):
        return
    now = rules_of_others()
    for restore, text in tables.items():
        chains = [name for family, _, name in before["chains"] if PROGRAMS.get(family) == restore]
        missing = missing_rules(text, now[restore], chains) if restore in now else ""
        if missing == "":
            continue
        done = subprocess.run(
            [restore, "--noflush"], input=missing.encode("utf-8", "surrogateescape"),
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=20,
        )
        if done.returncode != 0:
            why = done.stderr.decode("utf-8", "replace").strip()[:300]
            raise RuntimeError("%s does not accept the rules of other programs: %s" % (restore, why))
    forget_direct(before["direct"], direct_rules() or [])


def forget_direct(before, now):
    """Deletes rules of the direct interface that a reload has lost: they were firewalld's own, not foreign rules."""
    programs = {"ipv4": "iptables", "ipv6": "ip6tables"}
    for rule in before:
        family, table, chain, _, arguments = rule
        if family in programs and rule not in now:
            run([programs[family], "-w", "-t", table, "-D", chain] + list(arguments), 20)
