"""Back to a saved configuration: files, the daemon, bindings, what others had set at runtime; and the proof of it.

Without a reload where none was made. Where one is needed, the saved rules are kept in force meanwhile (kernel_rules.py).

Stands after daemon.py.
"""


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
    foreign = meta["foreign"]
    # Others may have edited their files since: theirs come back with the interfaces that we took, and as they are now otherwise.
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
    return {"scopeHash": scope, "permanentHash": file_hash(present), "runtimeHash": meta["runtimeHash"], "differs": []}


def running_daemon():
    """The daemon, where it answers and is RUNNING; else None. One that hangs is killed."""
    daemon = answering_daemon()
    try:
        return daemon if daemon is not None and daemon.property("state") == "RUNNING" else None
    except daemon.dbus.DBusException:
        return None


def proof_of_standing(meta, files, runtime):
    """The proof of a host on which nothing was changed."""
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
    # The runtime's hash passes over definitions that nothing uses: one that a reload brought is to go again.
    if runtime is None or differing(runtime, observed["runtime"], OUR_FOLDERS):
        return None
    rules = saved_rules(meta["id"])
    if rules is not None and filters_otherwise(rules):
        return None
    return proof_of(observed, meta, difference(meta, observed, runtime, rules))


def restore_in_place(meta, files, runtime, with_runtime):
    """
    Takes back what a run changed, without a reload; the proof of it, or None where that does not suffice: after a reload of
    its own, or of a daemon that is not in order. After a boot, which has loaded the files, interfaces are all that is left.
    """
    daemon = running_daemon()
    if daemon is None:
        return None
    foreign = meta["foreign"]
    try:
        # firewalld asks NetworkManager at a reload, and NetworkManager tells it of what changes.
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
    # Somebody else has changed the runtime since: that is no reason to reload, if all that is ours is as it was.
    ours = [name for kind in OUR_FOLDERS for name in differing(runtime, observed["runtime"], (kind,))]
    if any(name.split(" ")[1].startswith(PREFIX) for name in ours) or moved_by_us(meta, observed):
        return None
    return proof_of(observed, meta, difference(meta, observed, runtime, None))


def moved_by_us(meta, observed):
    """Interfaces that are in a zone of ours and were not, or the other way round."""
    now = bindings(observed["runtime"])
    names = [name for name, zone in list(now.items()) + list(meta["bindings"].items()) if zone.startswith(PREFIX)]
    return [name for name in names if now.get(name) != meta["bindings"].get(name)]


def differing(saved, now, kinds):
    """`zone office`, of what runs otherwise than it was saved."""
    found = []
    for kind in kinds:
        one, other = saved.get(kind, {}), now.get(kind, {})
        for name in sorted(set(one) | set(other)):
            if canonical(one.get(name)) != canonical(other.get(name)):
                found.append("%s %s" % (KINDS[kind]["object"], name))
    return found


def difference(meta, observed, runtime, rules):
    """What is not as it was when the generation was saved, for whoever asks: a few lines."""
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
    The saved configuration, permanent and runtime, with its proof; `rules` stay in force meanwhile. Raises only where the host
    is not as saved: then they stay in force, for whoever tries again.
    """
    daemon = running_daemon()
    if daemon is None:
        filter_as_before(rules)
    # Should NetworkManager hang, firewalld goes back all the same.
    trouble = nm_try_restore(meta.get("networkManager"))
    # Bindings made at runtime would survive a reload where FlushAllOnReload is off: undo them first.
    if daemon is not None:
        release_our_bindings(daemon, meta["bindings"])
        forget_ours(daemon, files)
    waiting = [] if runtime is None else waiting_targets(files, foreign, runtime)
    restore_files(with_targets(files, waiting), foreign)
    remove_old_copies()
    require_loading()
    try:
        # From here on what runs may be what the files say: nothing less than a reload takes that back.
        mark_reloaded(run_id)
    except OSError:
        pass  # a disk that takes nothing any more must not keep a host from going back
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
    # Of a generation that is not this run's, the rules are those that the rollback began with.
    own = rules if meta["id"] == run_id else None
    return proof_of(observed, dict(meta, foreign=foreign), difference(meta, observed, runtime, own))


def filter_as_before(rules):
    """A firewalld that died in the middle of a load may have left a table that drops everything: the saved rules come first."""
    if rules is None or hold_text(rules) is None or optional_daemon() is not None:
        return
    # At each attempt: what others have added to iptables since the first one must not go again and again.
    if not filters_otherwise(rules) and DROP_TABLE not in table_names():
        return
    try:
        restore_rules_of(rules)
    except RuntimeError as error:
        audit("the rules of before could not be put in force at once: %s" % error, "the host")


def waiting_targets(files, foreign, runtime):
    """Zones in scope whose file waits with another target than ran: no call sets one at runtime, and a reload would take it."""
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
    """The files as the reload is to read them: with the targets that ran."""
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
    """The daemon's permanent view says what the file says."""
    for path, name, _, target in waiting:
        with sparing_copy(path):
            daemon.call(".config.zone", "setTarget", "s", target, path=daemon.call(".config", "getZoneByName", "s", name))


def require_loading():
    """firewalld is made to read its files only where it can: a load that fails may leave the host open, or shut."""
    why = loads()
    if why:
        raise RuntimeError("firewalld cannot load its files: %s" % why)


def mark_reloaded(identity):
    """A run whose rollback needs a reload: it has made one itself, or is about to."""
    path = guard_path(identity, "reloaded")
    if not os.path.exists(path):
        write_file(path, b"", 0o600)


def fall_back(identity, attempt):
    """
    A rollback failed. Where firewalld does not filter as it did before the run, the saved rules are put in force in its place,
    and stay so until it can be brought back. Returns whether the rules of before are in force; None where a firewalld that is
    in order gets another chance first: it may have been a disk that took nothing for a moment.
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
    # It stays beside what is in force: somebody may reload or start firewalld meanwhile. A narrow one covers the restoring alone.
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
        # From 2.3 on the table is the daemon's own while it lives; its rules outlive it.
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
        pass  # a daemon that has failed is restarted below


def forget_ours(daemon, files):
    """
    Takes what is to go out of the daemon's permanent view, zones before what they use. Of files that go without its knowledge it
    learns five seconds later: it then takes services that went out of zones that it still knows, and writes the files of these again.
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
        pass  # the files go all the same


def load_permanent(daemon, direct=None):
    """Makes the daemon read its files: by a reload, or by a restart where it is down, hangs or has failed."""
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
            pass  # it has its name on the bus, and reads its files
        time.sleep(0.1)
    raise RuntimeError("firewalld does not come up with the restored configuration")
