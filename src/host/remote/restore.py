"""Restores a saved configuration: files, the daemon, bindings, foreign runtime-only settings; with a proof.

Without a reload if the run made none. If one is needed, the saved rules stay in force meanwhile (kernel_rules.py).

Comes after daemon.py.
"""


def restore_files(files, foreign):
    """Restores the saved bytes of portfw files and of foreign files that a run edited; changes no other file."""
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
    """Rolls back the changes of a run, with a proof. Raises only if the host is not in the saved state."""
    if meta.get("stopped"):
        return stop_again(meta, files)
    # Copies that a killed step had not renamed yet.
    remove_old_copies()
    foreign = meta["foreign"]
    # Others may have edited their files since: only the interfaces that the run moved are restored there.
    files = for_rollback(files, permanent_files(), foreign, exact=False)
    runtime = saved_runtime(meta["id"])
    proof = proof_of_standing(meta, files, runtime)
    if proof is None:
        proof = restore_in_place(meta, files, runtime, with_runtime)
    if proof is not None:
        release_hold()
        restore_state(meta["state"])
        return proof
    return restore_generation(meta, files, foreign, runtime if with_runtime else None, saved_rules(meta["id"]), meta["id"])


def stop_again(meta, files):
    """Stops firewalld again: its files are restored and its rules removed. The package stays installed."""
    # A hanging one is killed.
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
    return {"scopeHash": scope, "permanentHash": file_hash(present), "runtimeHash": meta["runtimeHash"], "differs": []}


def running_daemon():
    """The daemon if it answers and is RUNNING; else None. A hanging one is killed."""
    daemon = answering_daemon()
    try:
        return daemon if daemon is not None and daemon.property("state") == "RUNNING" else None
    except daemon.dbus.DBusException:
        return None


def proof_of_standing(meta, files, runtime):
    """The proof if the host is still in the saved state; else None."""
    daemon = running_daemon()
    if daemon is None:
        return None
    try:
        observed = observe(daemon, helpers=False)
    except (daemon.dbus.DBusException, Stop):
        return None
    same = scope_hash(observed["files"], meta["foreign"]) == scope_hash(files, meta["foreign"])
    if not same or observed["runtimeHash"] != meta["runtimeHash"] or os.path.exists(memory_path(meta["id"])):
        return None
    # The runtime's hash ignores unused definitions: one that a reload loaded must be removed again.
    if runtime is None or differing(runtime, observed["runtime"], OUR_FOLDERS):
        return None
    rules = saved_rules(meta["id"])
    if rules is not None and filters_otherwise(rules):
        return None
    return proof_of(observed, meta, difference(meta, observed, runtime, rules))


def restore_in_place(meta, files, runtime, with_runtime):
    """
    Rolls back the changes of a run without a reload. Returns the proof, or None if that is not enough: the run made a reload, or
    the daemon is not healthy. After a boot, which has loaded the files, only interfaces are left to restore.
    """
    daemon = running_daemon()
    if daemon is None:
        return None
    foreign = meta["foreign"]
    try:
        # firewalld asks NetworkManager at a reload, and NetworkManager reports changes to it.
        if nm_try_restore(meta.get("networkManager")) is not None:
            return None
        restore_ours(daemon, meta, runtime if with_runtime else None)
        if os.path.exists(guard_path(meta["id"], "reloaded")):
            return None
        restore_memory(daemon, meta["id"])
        restore_files(files, foreign)
        remove_old_copies()
        observed = observe(daemon, helpers=False)
    except (daemon.dbus.DBusException, Stop):
        return None
    if scope_hash(observed["files"], foreign) != scope_hash(files, foreign) or runtime is None:
        return None
    if observed["runtimeHash"] == meta["runtimeHash"]:
        rules = saved_rules(meta["id"]) if with_runtime else None
        if rules is not None and filters_otherwise(rules):
            return None
        return proof_of(observed, meta, difference(meta, observed, runtime, rules))
    # Others have changed the runtime since: that is no reason to reload, if all portfw objects are in the saved state.
    ours = [name for kind in OUR_FOLDERS for name in differing(runtime, observed["runtime"], (kind,))]
    if any(name.split(" ")[1].startswith(PREFIX) for name in ours) or moved_by_us(meta, observed):
        return None
    return proof_of(observed, meta, difference(meta, observed, runtime, None))


def moved_by_us(meta, observed):
    """Interfaces that moved into or out of a portfw zone."""
    now = bindings(observed["runtime"])
    names = [name for name, zone in list(now.items()) + list(meta["bindings"].items()) if zone.startswith(PREFIX)]
    return [name for name in names if now.get(name) != meta["bindings"].get(name)]


def differing(saved, now, kinds):
    """The objects that differ at runtime from the saved ones, as `zone office`."""
    found = []
    for kind in kinds:
        one, other = saved.get(kind, {}), now.get(kind, {})
        for name in sorted(set(one) | set(other)):
            if canonical(one.get(name)) != canonical(other.get(name)):
                found.append("%s %s" % (KINDS[kind]["object"], name))
    return found


def difference(meta, observed, runtime, rules):
    """The differences from the saved state, as a few lines to show."""
    lines = []
    if observed["runtimeHash"] != meta["runtimeHash"] and runtime is not None:
        lines += ["%s at runtime" % name for name in differing(runtime, observed["runtime"], KINDS)]
        if runtime["direct"] != observed["runtime"]["direct"]:
            lines.append("the rules of the direct interface at runtime")
    if rules is not None:
        lines += ["the kernel's rules: " + line for line in rules_that_differ(rules, kernel_rules())]
    return [line[:300] for line in lines[:12]]


def proof_of(observed, meta, differs):
    return {
        "scopeHash": scope_hash(observed["files"], meta["foreign"]),
        "permanentHash": observed["permanentHash"],
        "runtimeHash": observed["runtimeHash"],
        "differs": differs,
    }


def restore_generation(meta, files, foreign, runtime, rules, run_id):
    """
    Restores the saved configuration, permanent and runtime, with a proof; `rules` stay in force meanwhile. Raises only if the host
    is not in the saved state: then they stay in force for the next attempt.
    """
    daemon = running_daemon()
    if daemon is None:
        filter_as_before(rules)
    # If NetworkManager hangs, firewalld is still restored.
    trouble = nm_try_restore(meta.get("networkManager"))
    # Runtime bindings would survive a reload if FlushAllOnReload is off: undo them first.
    if daemon is not None:
        release_our_bindings(daemon, meta["bindings"])
        forget_ours(daemon, files)
    waiting = [] if runtime is None else waiting_targets(files, foreign, runtime)
    restore_files(with_targets(files, waiting), foreign)
    remove_old_copies()
    require_loading()
    try:
        # From here on the runtime may be that of the files: only a reload can undo that.
        mark_reloaded(run_id)
    except OSError:
        pass  # a full disk must not prevent the rollback
    with rules_held(rules):
        daemon = load_permanent(daemon, None if runtime is None else runtime["directState"]["rules"])
        loaded = bound_now(daemon)
        rebind(daemon, meta["bindings"])
        mend_policies(daemon, loaded, rules)
        hold_rules(rules)
        if runtime is not None:
            restore_runtime(daemon, runtime)
            let_targets_wait(daemon, waiting)
            restore_files(files, foreign)
            remove_old_copies()
        observed = observe(daemon, helpers=False)
        if observed["state"] != "RUNNING":
            raise RuntimeError("firewalld is %s after its configuration was restored" % observed["state"])
        if scope_hash(observed["files"], foreign) != scope_hash(files, foreign):
            raise RuntimeError("the restored files are not the saved ones")
    restore_state(meta["state"])
    if trouble is not None:
        raise trouble
    # For a generation of another run, `rules` are those from the beginning of the rollback.
    own = rules if meta["id"] == run_id else None
    return proof_of(observed, dict(meta, foreign=foreign), difference(meta, observed, runtime, own))


def filter_as_before(rules):
    """Restores the saved rules first: a firewalld that died during a load may have left a table that drops everything."""
    if rules is None or hold_text(rules) is None or optional_daemon() is not None:
        return
    # Checked at each attempt: rules that others have added to iptables meanwhile must not be removed each time.
    if not filters_otherwise(rules) and DROP_TABLE not in table_names():
        return
    try:
        restore_rules_of(rules)
    except RuntimeError as error:
        audit("the previous rules could not be restored at once: %s" % error, "the host")


def waiting_targets(files, foreign, runtime):
    """Zones in scope whose file has another target than the runtime: no call can set it at runtime, and a reload would load it."""
    found = []
    for item in files:
        name = item["path"][len("zones/"):-len(".xml")]
        if not item["path"].startswith("zones/") or not in_scope(item["path"], foreign) or name not in runtime["zones"]:
            continue
        target = target_in(base64.b64decode(item["content"]))
        ran = runtime["zones"][name].get("target", "default")
        if target is not None and target != ran:
            found.append((item["path"], name, ran, target))
    return found


def with_targets(files, waiting):
    """The files for the reload, with the runtime targets."""
    ran = {path: target for path, _, target, _ in waiting}
    changed = []
    for item in files:
        if item["path"] in ran:
            content = with_target(base64.b64decode(item["content"]), ran[item["path"]])
            encoded = base64.b64encode(content).decode()
            item = dict(item, content=encoded, sha256=hashlib.sha256(content).hexdigest())
        changed.append(item)
    return changed


def let_targets_wait(daemon, waiting):
    """Sets the targets of the files in the daemon's permanent view again."""
    for path, name, _, target in waiting:
        with sparing_copy(path):
            daemon.call(".config.zone", "setTarget", "s", target, path=daemon.call(".config", "getZoneByName", "s", name))


def require_loading():
    """Checks that firewalld can load its files before it must: a failed load may leave the host open, or closed."""
    why = loads()
    if why:
        raise RuntimeError("firewalld cannot load its files: %s" % why)


def mark_reloaded(identity):
    """Marks a run whose rollback needs a reload: it has made one itself, or is about to."""
    path = guard_path(identity, "reloaded")
    if not os.path.exists(path):
        write_file(path, b"", 0o600)


def fall_back(identity, attempt):
    """
    After a failed rollback: if firewalld does not filter as before the run, the saved rules are put into force instead, and stay
    until firewalld can be restored. Returns whether the previous rules are in force; None if a healthy firewalld gets a second
    attempt first, because the cause may have been temporary, such as a full disk.
    """
    rules = saved_rules(identity)
    if rules is None or hold_text(rules) is None:
        return False
    narrow = holds_less(rules)
    daemon = running_daemon()
    as_before = not filters_otherwise(rules) and DROP_TABLE not in table_names()
    if as_before and narrow:
        release_hold()
        return True
    # The hold table stays, because others may reload or start firewalld meanwhile. A narrow one is used only while restoring.
    hold_rules(rules)
    if as_before:
        return True
    if daemon is not None and attempt == 1:
        return None
    if daemon is None and optional_daemon() is not None:
        kill_daemon()
    try:
        restore_rules_of(rules)
    except RuntimeError:
        # From 2.3 on the daemon owns the table while it runs; the rules stay after it is killed.
        kill_daemon()
        restore_rules_of(rules)
    if not narrow:
        hold_rules(rules)
    return True


def release_our_bindings(daemon, saved):
    try:
        for interface, zone in bound_now(daemon).items():
            if zone.startswith(PREFIX) and saved.get(interface) != zone:
                bind(daemon, interface, saved.get(interface))
    except daemon.dbus.DBusException:
        pass  # a failed daemon is restarted below


def forget_ours(daemon, files):
    """
    Removes objects from the daemon's permanent view before their files, zones first. Otherwise it would notice missing files five
    seconds later, remove the missing services from zones that it still knows, and write those zone files again.
    """
    saved = {item["path"] for item in files}
    try:
        for path in sorted((item["path"] for item in permanent_files()), reverse=True):
            folder, name = path.split("/")[0], os.path.basename(path)[:-len(".xml")]
            if path in saved or not OUR_FILE.match(path):
                continue
            now = memory_of(daemon, KINDS[folder]["object"], name)
            if now is not None:
                daemon.call(KINDS[folder]["permanent"][1], "remove", path=now["path"])
    except daemon.dbus.DBusException:
        pass  # the files are removed anyway


def load_permanent(daemon, direct=None):
    """Makes the daemon read its files: by a reload, or by a restart if it is down, hangs or has failed."""
    with sparing_others(direct=direct):
        return read_files_again(daemon)


def read_files_again(daemon):
    if daemon is not None:
        try:
            daemon.reload(max(180, BUSY_SECONDS))
            if daemon.property("state") == "RUNNING":
                return daemon
        except daemon.dbus.DBusException:
            pass
    kill_daemon()
    remove_tables()
    start_firewalld()
    end = time.clock_gettime(time.CLOCK_MONOTONIC) + UP_SECONDS
    while time.clock_gettime(time.CLOCK_MONOTONIC) < end:
        daemon = optional_daemon()
        try:
            if daemon is not None and daemon.property("state") == "RUNNING":
                return daemon
        except daemon.dbus.DBusException:
            pass  # it has its name on the bus, and still reads its files
        time.sleep(0.1)
    raise RuntimeError("firewalld does not start with the restored configuration")
