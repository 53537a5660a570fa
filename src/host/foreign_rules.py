"""What others have in iptables, through a reload of firewalld: Docker's rules, fail2ban's, an administrator's.

firewalld before 2.0 empties all tables of iptables whenever it starts or reloads, even where its own rules are in nftables.
Docker notices and writes its rules again; others do not. So they are read before and what is missing is added after.

Stands after observe.py.
"""

import contextlib
import subprocess

IPTABLES = (("iptables-save", "iptables-restore"), ("ip6tables-save", "ip6tables-restore"))
# firewalld's own: those of its direct interface, which it writes again by itself, and the mark of its older backend.
DIRECT_CHAIN = re.compile(r"(^| )[A-Z]+_direct( |\Z)")
FIREWALLD_CHAIN = "INPUT_ZONES"


def rules_of_others():
    """By program: the text of all tables. Empty for one that is not there, or that holds firewalld's own rules."""
    found = {}
    for save, restore in IPTABLES:
        try:
            done = subprocess.run([save], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20)
        except (OSError, subprocess.TimeoutExpired):
            continue
        text = done.stdout.decode("utf-8", "surrogateescape")
        if done.returncode == 0 and ":%s " % FIREWALLD_CHAIN not in text:
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


def missing_rules(before, now):
    """What iptables-restore adds so that everything is there again, in the same order; empty where nothing is missing."""
    lines = []
    present = by_table(now)
    for table, (chains, rules) in by_table(before).items():
        held_chains, held_rules = present.get(table, ([], []))
        left = list(held_rules)
        wanted = [":%s - [0:0]" % name for name in chains if name not in held_chains and not DIRECT_CHAIN.search(name)]
        for rule in rules:
            if rule in left:
                left.remove(rule)
            elif not DIRECT_CHAIN.search(rule):
                wanted.append(rule)
        if wanted:
            lines += ["*" + table] + wanted + ["COMMIT"]
    return "".join(line + "\n" for line in lines)


@contextlib.contextmanager
def sparing_others(strict=False, noted=None, direct=None):
    """
    Around whatever makes firewalld start, stop or reload. Where rules cannot be added again, `strict` raises RuntimeError.
    `direct` are the rules of firewalld's direct interface as they were, for where the daemon cannot be asked any more.
    Should this process be killed meanwhile, the file `noted` is left, with what `give_back_noted` needs.
    """
    before = {"tables": rules_of_others(), "direct": direct_rules() or direct or []}
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
            # On the way back that of firewalld comes first.
            if strict:
                raise
            audit(plain_error(error), "the host")


def give_back_noted(path):
    """What others had in iptables when a process was killed that would have given it back."""
    try:
        restore_rules(json.loads(read_bytes(path).decode()))
    except FileNotFoundError:
        pass
    except (RuntimeError, ValueError, OSError, subprocess.SubprocessError) as error:
        audit(plain_error(error), "the host")


def direct_rules():
    """Rules of firewalld's direct interface, which some versions add to the chains of others. None where nobody answers."""
    try:
        daemon = Daemon()
        return plain(daemon.bus.call_blocking(BUS, ROOT, BUS + ".direct", "getAllRules", "", (), timeout=5))
    except Exception:  # no bus, no bindings, no daemon, or none that answers
        return None


def restore_rules(before):
    tables = before["tables"]
    if not any(by_table(text) for text in tables.values()):
        return
    now = rules_of_others()
    for restore, text in tables.items():
        missing = missing_rules(text, now[restore]) if restore in now else ""
        if missing == "":
            continue
        done = subprocess.run(
            [restore, "--noflush"], input=missing.encode("utf-8", "surrogateescape"),
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=20,
        )
        if done.returncode != 0:
            why = done.stderr.decode("utf-8", "replace").strip()[:300]
            raise RuntimeError("%s does not take the rules of others back: %s" % (restore, why))
    forget_direct(before["direct"], direct_rules() or [])


def forget_direct(before, now):
    """Rules of the direct interface that a reload has lost are firewalld's own: they must not stay as if they were somebody's."""
    programs = {"ipv4": "iptables", "ipv6": "ip6tables"}
    for rule in before:
        family, table, chain, _, arguments = rule
        if family in programs and rule not in now:
            run([programs[family], "-w", "-t", table, "-D", chain] + list(arguments), 20)
