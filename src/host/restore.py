"""Back to a saved configuration: files, the daemon, bindings, what others had set at runtime; and the proof of it.

Stands after generations.py.
"""

import signal

# A daemon that has not answered for so long hangs, and one that has been started is up.
ANSWER_SECONDS, UP_SECONDS = 6, 10


def be_patient(attempt):
    """One that reads its files for a minute must not be killed again and again while it does: each attempt waits longer."""
    global ANSWER_SECONDS, UP_SECONDS
    factor = 2 ** min(max(attempt - 1, 0), 5)
    ANSWER_SECONDS, UP_SECONDS = 6 * factor, 10 * factor


def restore_files(files, foreign):
    """Brings our files, and those of others that a run edited, back to the saved bytes; touches no other file."""
    saved = {f["path"]: f for f in files if in_scope(f["path"], foreign)}
    present = {f["path"]: f for f in permanent_files() if in_scope(f["path"], foreign)}
    changed = False
    for path, item in saved.items():
        now = present.get(path)
        if now is None or any(now[key] != item[key] for key in ("sha256", "mode", "owner")):
            os.makedirs(os.path.dirname(target_of(path)), exist_ok=True)
            content = base64.b64decode(item["content"])
            write_file(target_of(path), content, int(item["mode"], 8), owner_of(item), item["context"])
            changed = True
    for path in present:
        if path not in saved:
            os.unlink(target_of(path))
            changed = True
    return changed


def restore_state(text):
    path = STATE + "/state.json"
    if text is None:
        if os.path.exists(path):
            os.unlink(path)
    elif read_state() != text:
        write_file(path, text.encode(), 0o600)


def put_back(meta, files, with_runtime=True):
    """What a run changed, back to what it had saved, with the proof. Raises only where the host is not as saved."""
    if meta.get("stopped"):
        return stop_again(meta, files)
    # Copies that a step had not renamed yet when it was killed.
    remove_old_copies()
    proof = proof_of_standing(meta, files)
    if proof is not None:
        restore_state(meta["state"])
        return proof
    runtime = saved_runtime(meta["id"]) if with_runtime else None
    return restore_generation(meta, files, meta["foreign"], runtime)


def stop_again(meta, files):
    """Back to a host on which firewalld does not run: its files as they were, no rule of its own left. The package stays."""
    # One that hangs is killed.
    answering_daemon()
    with sparing_others():
        stop_firewalld()
        remove_tables()
    if not meta["stopped"]["enabled"]:
        run(["systemctl", "disable", "--quiet", "firewalld.service"])
    trouble = nm_try_restore(meta.get("networkManager"))
    restore_files(files, meta["foreign"])
    remove_old_copies()
    restore_state(meta["state"])
    if optional_daemon() is not None:
        raise RuntimeError("firewalld does not stop")
    if trouble is not None:
        raise trouble
    present = permanent_files()
    scope = scope_hash(present, meta["foreign"])
    if scope != scope_hash(files, meta["foreign"]):
        raise RuntimeError("the restored files are not the saved ones")
    return {"scopeHash": scope, "permanentHash": file_hash(present), "runtimeHash": meta["runtimeHash"]}


def proof_of_standing(meta, files):
    """The proof of a host on which nothing was changed: a reload of it would only lose what others set at runtime."""
    daemon = answering_daemon()
    if daemon is None or daemon.property("state") != "RUNNING":
        return None
    try:
        observed = observe(daemon, helpers=False)
    except (daemon.dbus.DBusException, Stop):
        return None
    proof = proof_of(observed, meta["foreign"])
    if proof["scopeHash"] != meta["scopeHash"] or proof["runtimeHash"] != meta["runtimeHash"]:
        return None
    # The runtime's hash passes over definitions that nothing uses: one that a reload brought is to go again.
    saved = saved_runtime(meta["id"])
    loaded = ("zones", "services", "ipsets")
    same = saved is not None and all(value_hash(saved[key]) == value_hash(observed["runtime"][key]) for key in loaded)
    return proof if same else None


def proof_of(observed, foreign):
    return {
        "scopeHash": scope_hash(observed["files"], foreign),
        "permanentHash": observed["permanentHash"],
        "runtimeHash": observed["runtimeHash"],
    }


def restore_generation(meta, files, foreign, runtime=None):
    """The saved configuration, permanent and runtime, with its proof. Raises only where the host is not as saved."""
    daemon = answering_daemon()
    # firewalld asks NetworkManager at the reload. Should that one hang, firewalld goes back all the same.
    trouble = nm_try_restore(meta.get("networkManager"))
    # Bindings made at runtime would survive a reload where FlushAllOnReload is off: undo them first.
    if daemon is not None:
        release_our_bindings(daemon, meta["bindings"])
    restore_files(files, foreign)
    remove_old_copies()
    daemon = load_permanent(daemon, None if runtime is None else runtime["directState"]["rules"])
    rebind(daemon, meta["bindings"])
    if runtime is not None:
        restore_runtime(daemon, runtime)
    restore_state(meta["state"])
    if trouble is not None:
        raise trouble
    observed = observe(daemon, helpers=False)
    proof = proof_of(observed, foreign)
    if observed["state"] != "RUNNING":
        raise RuntimeError("firewalld is %s after its configuration was restored" % observed["state"])
    if proof["scopeHash"] != scope_hash(files, foreign):
        raise RuntimeError("the restored files are not the saved ones")
    return proof


def optional_daemon():
    try:
        return Daemon()
    except Stop:
        return None


def answering_daemon():
    """The daemon, or None where it is not there. One that hangs is killed: its rules stay until another takes its place."""
    daemon = optional_daemon() or starting_daemon()
    if daemon is None:
        return None
    process = daemon.process()
    if not is_stopped(process):
        try:
            daemon.ping(ANSWER_SECONDS)
            return daemon
        except daemon.dbus.DBusException:
            pass
    try:
        os.kill(process, signal.SIGKILL)
    except OSError:
        pass
    for _ in range(100):
        if optional_daemon() is None:
            return None
        time.sleep(0.05)
    raise RuntimeError("firewalld does not answer and cannot be killed")


def starting_daemon():
    """The daemon whose service is being started at this moment, as it is during a boot; None where it is not."""
    for _ in range(200):
        if service_state("firewalld.service") != "activating":
            return optional_daemon()
        time.sleep(0.1)
        daemon = optional_daemon()
        if daemon is not None:
            return daemon
    return None


def service_state(unit):
    """What systemd says of a unit (active, activating, failed, ...); an empty text without systemd."""
    import subprocess  # 20 ms that most operations need not spend

    try:
        done = subprocess.run(
            ["systemctl", "show", "--property=ActiveState", unit],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=20,
        )
        return done.stdout.decode("utf-8", "replace").strip().split("=")[-1]
    except (OSError, subprocess.SubprocessError):
        return ""


def is_stopped(process):
    """Whether somebody has stopped a process: waiting for its answer would be in vain."""
    try:
        return read_bytes("/proc/%d/stat" % process).rsplit(b")", 1)[1].split()[0] in (b"T", b"t")
    except (OSError, IndexError):
        return False


def why_nobody_stands():
    """Why no daemon stands for the configuration: it may have died since anybody looked. None where one does."""
    daemon = optional_daemon()
    if daemon is None:
        return "firewalld does not run any more"
    try:
        if is_stopped(daemon.process()):
            return "firewalld hangs: somebody has stopped its process"
        state = daemon.property("state")
    except daemon.dbus.DBusException as error:
        return "firewalld does not answer: %s" % daemon.error_text(error)
    return None if state == "RUNNING" else "firewalld is %s" % state


def require_answer():
    """Before the way back is armed nobody would end a run that waits for a daemon which hangs: it does not begin."""
    why = why_nobody_stands()
    if why is not None:
        raise Stop(kind="failed", step="looking again", why=why, aftermath={"kind": "untouched"})


def load_permanent(daemon, direct=None):
    """Makes the daemon read its files: by a reload, or by a restart where it is down, hangs or has failed."""
    with sparing_others(direct=direct):
        return read_files_again(daemon)


def read_files_again(daemon):
    if daemon is not None:
        try:
            daemon.reload()
            if daemon.property("state") == "RUNNING":
                return daemon
        except daemon.dbus.DBusException:
            refuse_to_restart(daemon)
    stop_firewalld()
    remove_tables()
    start_firewalld()
    end = time.clock_gettime(time.CLOCK_MONOTONIC) + UP_SECONDS
    while time.clock_gettime(time.CLOCK_MONOTONIC) < end:
        daemon = optional_daemon()
        try:
            if daemon is not None and daemon.property("state") == "RUNNING":
                return daemon
        except daemon.dbus.DBusException:
            pass  # it has its name on the bus, and reads its files
        time.sleep(0.1)
    raise RuntimeError("firewalld does not come up with the restored configuration")


def remove_tables():
    """A daemon that failed or was killed leaves its rules behind, and one that is started adds its own after them: what was
    open would stay open. firewalld 0.9 also leaves a table that drops everything when it fails to load."""
    for table in ("inet firewalld", "ip firewalld", "ip6 firewalld", "inet firewalld_policy_drop"):
        run(["nft", "delete", "table"] + table.split())


def stop_firewalld():
    if os.path.isdir("/run/systemd/system"):
        run(["systemctl", "stop", "firewalld.service"])
    else:
        daemon = optional_daemon()
        if daemon is not None:
            os.kill(daemon.process(), signal.SIGTERM)
            for _ in range(100):
                if optional_daemon() is None:
                    break
                time.sleep(0.05)


def start_firewalld():
    if os.path.isdir("/run/systemd/system"):
        run(["systemctl", "reset-failed", "firewalld.service"])
        run(["systemctl", "start", "firewalld.service"])
    else:
        run(["/usr/sbin/firewalld"])


STRINGS = ("services", "protocols", "icmp_blocks", "rules_str", "interfaces", "sources")
PAIRS = ("ports", "source_ports")
FLAGS = ("masquerade", "forward", "icmp_block_inversion")


def runtime_settings(dbus, zone):
    """A zone's settings as the daemon takes them at runtime: without texts, target and priorities, which only files have."""
    typed = {}
    for key, value in zone.items():
        if key in STRINGS:
            typed[key] = dbus.Array(value, signature="s")
        elif key in PAIRS:
            typed[key] = dbus.Array([dbus.Struct(item, signature="ss") for item in value], signature="(ss)")
        elif key == "forward_ports":
            typed[key] = dbus.Array([dbus.Struct(item, signature="ssss") for item in value], signature="(ssss)")
        elif key in FLAGS:
            typed[key] = dbus.Boolean(value)
    return dbus.Dictionary(typed, signature="sv")


def restore_runtime(daemon, saved):
    """What others had set at runtime only, and the reload of the way back took away: zones, entries, direct rules."""
    now = runtime_state(daemon, plain(daemon.call("", "getDefaultZone")))
    for name, zone in saved["zones"].items():
        present = now["zones"].get(name)
        if present is None:
            continue
        # Interfaces were put where they belong already.
        wanted = dict(zone, interfaces=present.get("interfaces", []))
        if canonical(wanted) != canonical(present):
            daemon.call(".zone", "setZoneSettings2", "sa{sv}", name, runtime_settings(daemon.dbus, wanted))
    for name, item in saved["ipsets"].items():
        present = now["ipsets"].get(name)
        if present is not None and sorted(item["entries"]) != sorted(present["entries"]):
            daemon.call(".ipset", "setEntries", "sas", name, daemon.dbus.Array(item["entries"], signature="s"))
    present = direct_state(daemon)
    for kind, method, signature in (
        ("chains", "addChain", "sss"),
        ("rules", "addRule", "sssias"),
        ("passthroughs", "addPassthrough", "sas"),
    ):
        for item in saved["directState"][kind]:
            if item not in present[kind]:
                daemon.call(".direct", method, signature, *item)


def direct_state(daemon):
    return {
        "chains": plain(daemon.call(".direct", "getAllChains")),
        "rules": plain(daemon.call(".direct", "getAllRules")),
        "passthroughs": plain(daemon.call(".direct", "getAllPassthroughs")),
    }


def refuse_to_restart(daemon):
    """A running daemon that cannot read somebody's file goes on as it is; restarted, it would lose all but the stock configuration."""
    try:
        daemon.call("", "checkPermanentConfig", timeout=60)
    except daemon.dbus.DBusException as error:
        message = error.get_dbus_message() or ""
        if re.match(r"[A-Z_]+: ", message) and daemon.property("state") == "RUNNING":
            raise RuntimeError("firewalld cannot read its files: " + message)


def release_our_bindings(daemon, saved):
    try:
        active = plain(daemon.call(".zone", "getActiveZones"))
        for zone, item in active.items():
            for interface in item.get("interfaces", []):
                if zone.startswith(PREFIX) and saved.get(interface) != zone:
                    bind(daemon, interface, saved.get(interface))
    except daemon.dbus.DBusException:
        pass  # a daemon that has failed is restarted below


def rebind(daemon, saved):
    now = {}
    for zone, item in plain(daemon.call(".zone", "getActiveZones")).items():
        for interface in item.get("interfaces", []):
            now[interface] = zone
    for interface, zone in saved.items():
        if now.get(interface) != zone:
            bind(daemon, interface, zone)
    for interface, zone in now.items():
        if zone.startswith(PREFIX) and interface not in saved:
            bind(daemon, interface, None)


def bind_again(daemon, before):
    """Interfaces that somebody had bound at runtime only, such as Docker its bridge, and that a reload of ours left without a zone."""
    now = {name for item in plain(daemon.call(".zone", "getActiveZones")).values() for name in item.get("interfaces", [])}
    for interface, zone in before.items():
        if interface not in now and not zone.startswith(PREFIX):
            bind(daemon, interface, zone)


def bind(daemon, interface, zone):
    try:
        if zone is None:
            daemon.call(".zone", "removeInterface", "ss", "", interface)
        else:
            daemon.call(".zone", "changeZoneOfInterface", "ss", zone, interface)
    except daemon.dbus.DBusException as error:
        # The zone's owner has deleted it since: the interface stays where the files have it.
        if not re.match(r"(INVALID_ZONE|UNKNOWN_INTERFACE)\b", error.get_dbus_message() or ""):
            raise


def bindings_after(saved, present):
    """Where interfaces go in a rollback: those of our zones, then or now, as saved; those of others stay where they are."""
    wanted = {name: zone for name, zone in present.items() if not zone.startswith(PREFIX)}
    for name, zone in saved.items():
        if zone.startswith(PREFIX) or present.get(name, "").startswith(PREFIX):
            wanted[name] = zone
    return wanted
