"""The rehearsal: the host's own firewalld loads candidates in separate namespaces, and the kernel there shows the result.

Comes after trial_packets.py. Changes nothing on the host.
"""

import zlib

# The time limit of a load. Four loads, two at once, end within the request's own limit.
MOST_SECONDS_A_LOAD = 200
MOST_MEMORY_OF_FILES = 1024 * 1024 * 1024
MOST_WHY = 4000
# At most so many files are left out, one at a time, to find the one that prevents a candidate from loading.
MOST_SUSPECTS = 24
RULE_PROGRAMS = (("iptables-save", "save4"), ("ip6tables-save", "save6"))


def packed(text):
    """A long text, compressed for the answer."""
    return base64.b64encode(zlib.compress(text)).decode()


def outcome_of(argv, seconds=60, given=None):
    """The exit code, output and errors of a program; the code is None if it could not run."""
    try:
        done = subprocess.run(argv, input=b"" if given is None else given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=seconds)
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, b"", plain_error(error).encode()
    return done.returncode, done.stdout, done.stderr


def rules_in_force():
    """The kernel's rules in this network namespace. Raises RuntimeError if they cannot be read."""
    code, rules, trouble = outcome_of(["nft", "-j", "list", "ruleset"])
    if code != 0:
        raise RuntimeError("nft does not list the rules: %s" % trouble.decode("utf-8", "replace").strip()[:300])
    found = {"nft": packed(rules)}
    for program, key in RULE_PROGRAMS:
        code, text, _ = outcome_of([program])
        found[key] = packed(text) if code == 0 and re.search(rb"(?m)^(-A|:\S+ DROP)", text) else ""
    sets = sets_in_force()
    return dict(found, ipsets=packed(sets) if sets else "")


def sets_in_force():
    code, text, _ = outcome_of(["ipset", "save"]) if has_ipsets() else (None, b"", b"")
    return text if code == 0 else b""


class Surroundings:
    """What a load depends on besides the files: foreign chains, sets and tables, read before the namespaces are entered."""

    def __init__(self):
        self.iptables = rules_of_others()
        self.direct = []
        self.ipsets = sets_in_force()
        self.tables = []
        code, names, _ = outcome_of(["nft", "list", "tables"])
        for family, name in re.findall(r"(?m)^table (\w+) (\S+)$", names.decode("utf-8", "replace") if code == 0 else ""):
            if name.startswith(("firewalld", "portfw_")):
                continue
            self.tables.append((family, name, outcome_of(["nft", "list", "table", family, name])[1]))

    def rebuild(self):
        """Rebuilds them in this namespace. Returns the names of the tables for which that failed."""
        if self.ipsets:
            outcome_of(["ipset", "restore", "-exist"], given=self.ipsets)
        for program, text in self.iptables.items():
            outcome_of([program], given=text.encode("utf-8", "surrogateescape"))
        lost = []
        for family, name, text in self.tables:
            held = outcome_of(["nft", "list", "table", family, name])[0] == 0
            if not held and outcome_of(["nft", "-f", "-"], given=text)[0] != 0:
                lost.append("%s %s" % (family, name))
        return lost

    def give_back(self, direct):
        """Restores what firewalld before 2.0 empties at its start, as after a reload on the host."""
        now = rules_of_others()
        for program, text in self.iptables.items():
            missing = missing_rules(text, now[program]) if program in now else ""
            if missing:
                outcome_of([program, "--noflush"], given=missing.encode("utf-8", "surrogateescape"))
        forget_direct(self.direct, direct)


class Rehearsal:
    """One candidate: how its files are made, the calls after it is loaded, and the connections to try."""

    def __init__(self, name, make, calls=(), bindings=None, ways=(), from_outside=None):
        self.name, self.make, self.calls, self.bindings, self.ways = name, make, calls, bindings or {}, ways
        # Bindings that are in no firewalld file, and that others set again after every load.
        self.from_outside = from_outside or {}


def own_firewall():
    """firewalld's own code in this process, without loading kernel modules. Returns it and the modules that it requests."""
    from firewall.core import modules
    from firewall.core.fw import Firewall

    wanted = []
    modules.modules.load_module = lambda _self, name: wanted.append(name) or (0, "")
    modules.modules.unload_module = lambda _self, _name: (0, "")
    return Firewall(), wanted


def load(rehearsal, surroundings, listen):
    """Carries out one rehearsal, in a separate process. Returns its part of the answer."""
    enter_namespaces()
    run(["ip", "link", "set", "lo", "up"])
    # /run exists on every host: nothing must be created on the host.
    own_folder("/run", MOST_MEMORY_OF_FILES)
    said = os.open("/run/said", os.O_RDWR | os.O_CREAT, 0o600)
    for stream in (1, 2):
        os.dup2(said, stream)
    candidate = "/run/candidate"
    copy_configuration(candidate)
    try:
        rehearsal.make(candidate)
    except ValueError as error:
        return {"name": rehearsal.name, "loads": False, "why": str(error), "said": []}
    mount_on(candidate, os.path.realpath(ETC), None, MS_BIND)
    lost = surroundings.rebuild()
    firewall, modules = own_firewall()
    began = time.clock_gettime(time.CLOCK_MONOTONIC)
    try:
        firewall.start()
        why = None if firewall.get_state() == "RUNNING" else "firewalld is %s" % firewall.get_state()
    except SystemExit:
        why = "firewalld exits"
    except Exception as error:
        why = " ".join(str(error).split()) or type(error).__name__
    seconds = time.clock_gettime(time.CLOCK_MONOTONIC) - began
    answer = {"name": rehearsal.name, "loads": why is None, "milliseconds": int(1000 * seconds), "modules": sorted(set(modules)), "lost": lost}
    if why is not None:
        return dict(answer, why=why[:MOST_WHY], said=complaints(said))
    surroundings.give_back(plain(firewall.direct.get_all_rules()))
    if rehearsal.bindings or rehearsal.from_outside or rehearsal.calls:
        answer["failed"] = carry_on(firewall, rehearsal)
    answer.update(said=complaints(said), rules=rules_in_force())
    answer["packets"] = trial_packets(rehearsal.ways, listen)
    return answer


def complaints(said):
    """The errors and warnings that firewalld wrote."""
    os.lseek(said, 0, os.SEEK_SET)
    text = os.read(said, 65536).decode("utf-8", "replace")
    return [line[:500] for line in text.splitlines() if re.match(r"(ERROR|WARNING|FATAL)", line)][:20]


IN_PROCESS = {
    "bind-interface": lambda fw, zone, name: fw.zone.change_zone_of_interface(zone, name),
    "release-interface": lambda fw, zone, name: fw.zone.remove_interface(zone, name),
    "add-service": lambda fw, zone, name: fw.zone.add_service(zone, name),
    "remove-service": lambda fw, zone, name: fw.zone.remove_service(zone, name),
    "add-rich-rule": lambda fw, zone, rule: fw.zone.add_rule(zone, rich_rule(rule)),
    "remove-rich-rule": lambda fw, zone, rule: fw.zone.remove_rule(zone, rich_rule(rule)),
    "remove-port": lambda fw, zone, port, protocol: fw.zone.remove_port(zone, port, protocol),
    "remove-source-port": lambda fw, zone, port, protocol: fw.zone.remove_source_port(zone, port, protocol),
    "remove-protocol": lambda fw, zone, protocol: fw.zone.remove_protocol(zone, protocol),
    "remove-source": lambda fw, zone, source: fw.zone.remove_source(zone, source),
    "remove-masquerade": lambda fw, zone: fw.zone.remove_masquerade(zone),
    "remove-icmp-block": lambda fw, zone, name: fw.zone.remove_icmp_block(zone, name),
    "remove-icmp-block-inversion": lambda fw, zone: fw.zone.remove_icmp_block_inversion(zone),
    "remove-forward-port": lambda fw, zone, *forward: fw.zone.remove_forward_port(zone, *forward),
    "add-entry": lambda fw, name, entry: fw.ipset.add_entry(name, entry),
    "remove-entry": lambda fw, name, entry: fw.ipset.remove_entry(name, entry),
}


def rich_rule(text):
    from firewall.core.rich import Rich_Rule

    return Rich_Rule(rule_str=text)


def carry_on(firewall, rehearsal):
    """Applies runtime-only bindings and a plan's calls with firewalld's own functions. Returns the failures."""
    failed = []

    def attempt(what, function, *arguments):
        try:
            function(firewall, *arguments)
        except Exception as error:
            if not re.match(r"(ALREADY_ENABLED|NOT_ENABLED|ZONE_ALREADY_SET|UNKNOWN_INTERFACE|ZONE_CONFLICT)\b", str(error)):
                failed.append(("%s: %s" % (what, error))[:500])

    told = {
        name: zone or firewall.get_default_zone()
        for name, zone in rehearsal.from_outside.items()
        if not (OF_ENGINES.match(name) and (firewall.zone.get_zone_of_interface(name) or "").startswith(PREFIX))
    }
    for interface, zone in dict(told, **rehearsal.bindings).items():
        if zone in firewall.zone.get_zones() and firewall.zone.get_zone_of_interface(interface) != zone:
            attempt("binding %s to zone %s" % (interface, zone), IN_PROCESS["bind-interface"], zone, interface)
    for operation in rehearsal.calls:
        if operation[0] == "move-connection":
            for interface in operation[3:]:
                zone = operation[2] or firewall.get_default_zone()
                attempt("binding %s to zone %s" % (interface, zone), IN_PROCESS["bind-interface"], zone, interface)
        else:
            attempt(" ".join(operation), IN_PROCESS[operation[0]], *operation[1:])
    return failed[:20]


def rehearse(request):
    """Rehearses the current files, the plan's definitions, the state after its calls, and the state after the next boot."""
    return rehearsed(lambda surroundings: rehearsals_of(request, surroundings), request)


def rehearsed(candidates, request):
    """Loads candidates, and reports the result of each."""
    try:
        import firewall.core.fw  # once, before the children
    except ImportError as error:
        raise Stop(kind="unrehearsed", why="firewalld's own Python modules are missing: %s" % error)
    try:
        surroundings, now = Surroundings(), rules_in_force()
    except RuntimeError as error:
        raise Stop(kind="unrehearsed", why=str(error))
    plans = candidates(surroundings)
    works = [lambda one=one: load(one, surroundings, request["listen"]) for one in plans]
    states = all_apart(works, MOST_SECONDS_A_LOAD, max(1, min(2, os.cpu_count() or 1)))
    found = []
    for plan, state in zip(plans, states):
        if state is None:
            why = "it does not end within %d s" % MOST_SECONDS_A_LOAD
            state = {"name": plan.name, "loads": False, "slow": True, "why": why, "said": []}
        elif "broken" in state and plan.name == "running":
            # The runtime could not be written as files: the other states are still valid.
            state = {"name": plan.name, "loads": False, "why": state["broken"][:MOST_WHY], "said": []}
        elif "broken" in state:
            raise Stop(kind="unrehearsed", why=state["broken"], trace=state["trace"])
        found.append(state)
    answer = {"kind": "rehearsed", "now": now, "states": found}
    for plan, state in zip(plans, found):
        # The first state that does not load is the cause for all later ones. The running state is not made of files.
        if not state["loads"] and plan.name != "running":
            if not state.get("slow"):
                state["files"], state["together"] = suspects(plan, surroundings)
            break
    return answer


def loads(seconds=MOST_SECONDS_A_LOAD):
    """
    Empty if firewalld loads its current files, else its error. None if it cannot be tried: a host may not allow namespaces.
    """
    try:
        import firewall.core.fw

        surroundings = Surroundings()
    except ImportError:
        return None
    [state] = all_apart([lambda: load(Rehearsal("disk", lambda folder: None), surroundings, [])], seconds, 1)
    if state is None:
        return "it does not load within %d s" % seconds
    return None if "broken" in state else state.get("why", "")


def daemon_to_rehearse():
    try:
        return Daemon()
    except Stop as error:
        raise Stop(kind="unrehearsed", why="firewalld: %s" % error.document.get("reason", "it does not answer"))


def rehearsals_of(request, surroundings):
    """The candidates, in the order of time."""
    boot = Rehearsal("boot", lambda folder: with_ours(folder, request["ours"], request["edits"]), ways=request["ways"])
    if request["starts"]:
        boot.from_outside = bound_by_others({}, request["connections"])
        return [boot]
    daemon = daemon_to_rehearse()
    try:
        bound = bindings({"zones": plain(daemon.call(".zone", "getActiveZones"))})
        surroundings.direct = plain(daemon.call(".direct", "getAllRules"))
        running = None if request["reload"] else Running(daemon)
        boot.from_outside, as_now = bound_by_others(bound, request["connections"]), bound_by_others(bound)
        banned = bans_lost(daemon) if request["reload"] else {}
    except (Stop, ImportError, daemon.dbus.DBusException) as error:
        raise Stop(kind="unrehearsed", why=plain_error(error))
    found = [Rehearsal("disk", lambda folder: None, ways=request["ways"], from_outside=as_now)]
    calls = request["calls"]
    if request["reload"]:
        make = lambda folder: put_files(folder, request["files"])
        # Runtime-only bindings are kept, as in steps.py; and NetworkManager binds its interfaces again.
        found.append(Rehearsal("reload", make, (), bound, request["ways"]))
        bans = [["add-rich-rule", name, rule] for name, rules in banned.items() for rule in rules]
        found.append(Rehearsal("running", make, calls + bans, bound, request["ways"]))
    else:
        found.append(Rehearsal("running", running.write, calls, bound, request["ways"]))
    return found + [boot]


# Interfaces of container engines and hypervisors, which bind them whenever they or firewalld start.
OF_ENGINES = re.compile(r"(docker\d+|br-[0-9a-f]{12}|virbr\d+|podman\d+|lxdbr\d+)\Z")


def bound_by_others(bound, moves=()):
    """
    Bindings that others set again after a load: container engines, and then NetworkManager, which wins. `moves` are new zones of
    its connections. An empty zone is the default zone, whatever firewalld's files contain.
    """
    told = {name: zone for name, zone in bound.items() if OF_ENGINES.match(name)}
    zones = dict(moves)
    for item in nm_connections():
        told.update((name, zones.get(item["uuid"], item["zone"])) for name in item["interfaces"])
    return told


def suspects(plan, surroundings):
    """
    The foreign files without which a candidate would load, and whether all of them must be removed. Either removing any single one
    is enough; or they are added back one by one, and those that still prevent the load are returned.
    """
    paths = [path for path, place in configuration() if path.endswith(".xml") and os.path.isfile(place) and not OUR_FILE.match(path)]
    # Zones last: they refer to the other files.
    paths = sorted(paths, key=lambda path: (path.startswith("zones/"), path))[:MOST_SUSPECTS]

    def without(gone):
        def make(folder):
            plan.make(folder)
            for path in gone:
                if os.path.isfile(os.path.join(folder, path)):
                    os.unlink(os.path.join(folder, path))
                    # An empty folder of zones may prevent the load too.
                    if path.count("/") > 1 and not os.listdir(os.path.dirname(os.path.join(folder, path))):
                        os.rmdir(os.path.dirname(os.path.join(folder, path)))

        return lambda: load(Rehearsal(plan.name, make), surroundings, [])

    def loading(sets):
        states = all_apart([without(gone) for gone in sets], 20, max(1, min(2, os.cpu_count() or 1)))
        return [state is not None and bool(state.get("loads")) for state in states]

    single = [path for path, loaded in zip(paths, loading([[path] for path in paths])) if loaded]
    if single or not loading([paths])[0]:
        return single, False
    gone = list(paths)
    for path in paths:
        if loading([[other for other in gone if other != path]])[0]:
            gone.remove(path)
    return gone, True
