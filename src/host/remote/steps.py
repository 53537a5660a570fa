"""The requests of an apply on the host: begin, permanent, keep, settle. Each takes a request and returns an answer.

Comes after generations.py.
"""

import signal

RUNTIME_CALLS = {
    "bind-interface": (".zone", "changeZoneOfInterface", "ss"),
    "release-interface": (".zone", "removeInterface", "ss"),
    "add-service": (".zone", "addService", "ssi"),
    "remove-service": (".zone", "removeService", "ss"),
    "add-rich-rule": (".zone", "addRichRule", "ssi"),
    "remove-rich-rule": (".zone", "removeRichRule", "ss"),
    "remove-port": (".zone", "removePort", "sss"),
    "remove-source-port": (".zone", "removeSourcePort", "sss"),
    "remove-protocol": (".zone", "removeProtocol", "ss"),
    "remove-source": (".zone", "removeSource", "ss"),
    "remove-masquerade": (".zone", "removeMasquerade", "s"),
    "remove-icmp-block": (".zone", "removeIcmpBlock", "ss"),
    "remove-icmp-block-inversion": (".zone", "removeIcmpBlockInversion", "s"),
    "remove-forward-port": (".zone", "removeForwardPort", "sssss"),
    "add-entry": (".ipset", "addEntry", "ss"),
    "remove-entry": (".ipset", "removeEntry", "ss"),
}


def runtime_call(daemon, operation):
    if operation[0] == "move-connection":
        nm_move(daemon, *operation[1:])
        return
    interface, method, signature = RUNTIME_CALLS[operation[0]]
    arguments = list(operation[1:])
    for owner in arguments[:1]:
        if not owner.startswith(PREFIX):
            raise RuntimeError("refusing to change %r: portfw does not manage it" % owner)
    if signature.endswith("i"):
        arguments.append(0)
    try:
        daemon.call(interface, method, signature, *arguments)
    except daemon.dbus.DBusException as error:
        # Already done by others: the fresh connection will verify it. A zone conflict means that the zone has already lost the
        # interface that it should release: NetworkManager moved it at the reload.
        if not re.match(r"(ALREADY_ENABLED|NOT_ENABLED|ZONE_ALREADY_SET|UNKNOWN_INTERFACE|ZONE_CONFLICT)\b", error.get_dbus_message() or ""):
            raise


def begin(request):
    """Lock, check for drift, save the generation, arm the rollback, definitions, behaviour. A failure rolls everything back."""
    identity = request["id"]
    recover()
    take_lock(request)
    progress("locked")
    try:
        daemon = Daemon()
        require_answer()
        observed = observe(daemon, helpers=False)
        if observed["hash"] != request["observedHash"]:
            raise Stop(kind="drifted", hash=observed["hash"])
        require_released(observed, request["foreign"], bound_by(request, observed["runtime"]))
        save(observed, direct_state(daemon), request)
    except BaseException:
        release_lock()
        raise
    step, touched, reloaded = "definitions", False, False
    try:
        staged = stage_files(request["files"], identity)
        progress("staged")
        if staged:
            touched = True
            for temporary, path in staged:
                os.rename(temporary, path)
            progress("defined")
            step = "checking the definitions"
            require_definitions(daemon)
        if request["reload"]:
            step, touched = "reload", True
            mark_reloaded(identity)
            progress("reloading")
            # The old rules stay in force until the new ones are: a failed load may leave the host open.
            with rules_held(saved_rules(identity)):
                with sparing_others(strict=True, noted=guard_path(identity, "rules")):
                    daemon.reload(max(180, RELOAD_FACTOR * request.get("reloadSeconds", 0)))
                reloaded = True
                if daemon.property("state") != "RUNNING":
                    raise RuntimeError("firewalld is %s after the reload" % daemon.property("state"))
                bind_again(daemon, bindings(observed["runtime"]))
                ban_again(daemon, observed["runtime"]["zones"])
            progress("reloaded")
        bound = bound_now(daemon)
        for index, operation in enumerate(request["calls"]):
            step, touched = "%s %s" % (operation[0], " ".join(operation[1:])), True
            runtime_call(daemon, operation)
            if index == 0:
                progress("behaving")
        step = "policies of zones that an interface left"
        mend_policies(daemon, bound, saved_rules(identity))
    except BaseException as error:
        why = daemon.error_text(error)
        if not touched:
            abandon(identity)
            raise Stop(kind="failed", step=step, why=why, aftermath={"kind": "untouched"})
        raise Stop(kind="failed", step=step, why=why, aftermath=undo(identity, "%s: %s" % (step, why)))
    progress("behaves")
    return {"kind": "begun", "generation": identity, "reloaded": reloaded}


def save(observed, direct, request):
    """Saves the current state, and arms the rollback to it. The lock is held, and nothing was written yet."""
    try:
        save_generation(dict(observed, directState=direct), request)
    except OSError as error:
        raise Stop(kind="failed", step="saving the generation", why=plain_error(error), aftermath={"kind": "untouched"})
    progress("saved")
    try:
        arm(request, observed)
    except BaseException:
        remove_generation(request["id"])
        raise
    progress("armed")


def require_definitions(daemon):
    """Checks that the files load. firewalld's own check misses much, and uses its memory in 0.9.3 to 0.9.5 and in 1.0."""
    why = loads()
    if why is None:
        daemon.call("", "checkPermanentConfig", timeout=60)
    elif why:
        raise RuntimeError(why)


def stage_files(files, identity):
    """Writes all contents to disk before the first rename, so that a full disk changes nothing."""
    staged = []
    try:
        for item in files:
            path = our_target(item["path"])
            os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
            # Does not end in .xml: if this process is killed here, firewalld must not read it.
            temporary = os.path.join(os.path.dirname(path), ".portfw-%s-%s.new" % (identity, item["path"].replace("/", "-")))
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            staged.append((temporary, path))
            try:
                view = memoryview(with_bans(item["path"], item["text"].encode()))
                while view:
                    view = view[os.write(handle, view):]
                os.fchmod(handle, 0o644)
                os.fsync(handle)
            finally:
                os.close(handle)
        for temporary, path in staged:
            if os.path.exists(path):
                context = security_context(path)
                if context is not None:
                    set_security_context(temporary, context)
    except BaseException:
        for temporary, _ in staged:
            if os.path.lexists(temporary):
                os.unlink(temporary)
        raise
    return staged


def permanent(request):
    """Makes the runtime permanent: through the daemon, so that its memory and the files agree."""
    identity = request["id"]
    require_armed_run(identity)
    progress("making permanent")
    daemon = Daemon()
    step = "permanence"
    try:
        meta, _ = load_generation(identity)
        moved = record_of(identity)[0].get("connections", [])
        for pair in request["connections"]:
            if pair not in moved:
                raise RuntimeError("connection %s was not moved to %r by this run" % tuple(pair))
        active = bindings({"zones": plain(daemon.call(".zone", "getActiveZones"))})
        bound = {name for name, zone in active.items() if zone.startswith(PREFIX)}
        # All files are read before the first is written.
        edits = [
            (edit, None if edit["zone"].startswith(PREFIX) else released_file(edit, bound, meta["foreign"]))
            for edit in request["releases"]
        ]
        save_memory(daemon, identity, changed_in_memory(request))
        for edit, file in edits:
            step = "permanence of %s" % edit["zone"]
            path = "zones/%s.xml" % edit["zone"]
            zone_path = daemon.call(".config", "getZoneByName", "s", edit["zone"])
            with sparing_copy(path):
                for interface in edit["interfaces"]:
                    forgiving(daemon, "NOT_ENABLED", ".config.zone", "removeInterface", "s", interface, path=zone_path)
                # The daemon writes the zone in its own style; this restores the owner's text without the one line.
                if file is not None:
                    write_file(target_of(path), file[1], int(file[0]["mode"], 8), owner_of(file[0]))
        named = [(folder, name) for folder in OUR_FOLDERS for name in sorted(request[folder])]
        for _, name in named:
            if not name.startswith(PREFIX):
                raise RuntimeError("not managed by portfw: %r" % name)
        for folder, name in named:
            step = "permanence of %s %s" % (KINDS[folder]["object"], name)
            take_settings(daemon, folder, name, request[folder][name])
            if folder == "zones":
                progress("permanent in part")
        for kind, name in request["deletions"]:
            step = "deletion of %s %s" % (kind, name)
            if not name.startswith(PREFIX):
                raise RuntimeError("not managed by portfw")
            finder, interface = KINDS[FOLDER_OF[kind]]["permanent"][:2]
            expected = "%s|%s" % (NO_OBJECT, NO_OBJECT.replace("INVALID", "BUILTIN"))
            config = forgiving(daemon, expected, ".config", finder, "s", name)
            if config is not None:
                forgiving(daemon, expected, interface, "remove", path=config)
            # A file that the daemon never read, or believes to be deleted: only the file exists.
            left = target_of("%s/%s.xml" % (FOLDER_OF[kind], name))
            if os.path.exists(left):
                os.unlink(left)
        remove_old_copies()
        step = "permanence of NetworkManager's connections"
        nm_keep(request["connections"], meta["networkManager"])
        observed = observe(daemon)
        progress("permanent")
    except BaseException as error:
        why = daemon.error_text(error)
        raise Stop(kind="failed", step=step, why=why, aftermath=undo(identity, "%s: %s" % (step, why)))
    return {"kind": "permanent", "observed": shown(observed)}


def take_settings(daemon, folder, name, wanted):
    """The daemon takes an object's settings over into its permanent view and its file. Foreign bans in a portfw zone stay."""
    finder, interface, reader, writer, _ = KINDS[folder]["permanent"]
    path = daemon.call(".config", finder, "s", name)
    if folder == "zones":
        held = plain(daemon.call(interface, reader, path=path))
        wanted = dict(wanted, richRules=wanted["richRules"] + bans_among(held.get("rules_str", [])))
    settings = KINDS[folder]["settings"](daemon.dbus, wanted)
    # A set of 100,000 entries takes the daemon longer than other calls do.
    daemon.call(interface, writer, KINDS[folder]["signature"], settings, path=path, timeout=60)


def changed_in_memory(request):
    """The objects whose permanent settings are about to change."""
    named = [("zone", edit["zone"]) for edit in request["releases"]] + [tuple(pair) for pair in request["deletions"]]
    for folder in OUR_FOLDERS:
        named += [(KINDS[folder]["object"], name) for name in request[folder]]
    return set(named)


def forgiving(daemon, expected, *arguments, **options):
    """A call's result, or None if the daemon's error means that there was nothing to do."""
    try:
        return daemon.call(*arguments, **options)
    except daemon.dbus.DBusException as error:
        if re.match("(%s)\\b" % expected, error.get_dbus_message() or ""):
            return None
        raise


def require_armed_run(identity):
    """Refuses to continue a run whose rollback is not armed any more: the host has ended it."""
    _, suffix = record_of(identity)
    if suffix != "armed":
        raise Stop(kind="settled", aftermath=settle({"id": identity})["aftermath"])


def hold(request):
    """The run is verified and permanent, and waits for confirmation; the rollback stays armed."""
    require_armed_run(request["id"])
    mark = {"hash": observe(Daemon(), helpers=False)["hash"]}
    write_file(guard_path(request["id"], "proved"), json.dumps(mark).encode(), 0o600)
    progress("waiting for a confirmation")
    return {"kind": "held", "pending": pending_of(request["id"])}


def confirm(request):
    """Confirms a waiting run; without an id, the pending one."""
    waiting = [identity for identity in pending_runs() if record_of(identity)[1] == "armed"]
    if request["id"] is not None:
        waiting = [identity for identity in waiting if identity == request["id"]]
    back = [identity for identity in pending_runs() if record_of(identity)[1] == "revert" and request["id"] in (None, identity)]
    if back and not waiting:
        raise Stop(kind="settled", aftermath=undo(back[0], "it was being rolled back"))
    if not waiting:
        return {"kind": "nothing-pending", "last": shown_end()}
    identity = waiting[0]
    if not os.path.exists(guard_path(identity, "proved")):
        raise Stop(kind="locked", lock=holder_of_lock(), pending=pending_of(identity))
    proved = json.loads(read_bytes(guard_path(identity, "proved")).decode())["hash"]
    drifted = observe(Daemon(), helpers=False)["hash"] != proved
    answer = keep({"id": identity}, "confirmed by " + request["holder"])
    return dict(answer, generation=identity, drifted=drifted)


def keep(request, decided=""):
    """Keeps a run: remember it, decide, clean up, release the lock. `decided` says who decided, for the journal."""
    identity = request["id"]
    require_armed_run(identity)
    why = why_not_running()
    if why is not None:
        raise Stop(kind="failed", step="the last check", why=why, aftermath=undo(identity, why))
    state = record_of(identity)[0]["state"]
    step = "writing it to the disk"
    try:
        flush_scope(load_generation(identity)[0]["foreign"])
        step = "remembering the roles"
        if state is not None:
            os.makedirs(STATE, mode=0o700, exist_ok=True)
            write_file(STATE + "/state.json", json.dumps(state, sort_keys=True).encode(), 0o600)
    except OSError as error:
        why = plain_error(error)
        raise Stop(kind="failed", step=step, why=why, aftermath=undo(identity, why))
    try:
        enable_if_started(identity)
    except RuntimeError as error:
        raise Stop(kind="failed", step="enabling firewalld", why=str(error), aftermath=undo(identity, str(error)))
    progress("deciding")
    verdict, made_here = decide(identity, "keep")
    if not made_here:
        raise Stop(kind="settled", aftermath=settle({"id": identity})["aftermath"])
    progress("decided")
    return {"kind": "kept", "unwritten": finish(identity, "keep", "the controller", decided)}


def enable_if_started(identity):
    """A firewalld that this run has started must also start at the next boot."""
    if not load_generation(identity)[0].get("stopped"):
        return
    if systemctl("enable", "--quiet", "firewalld.service") != 0:
        raise RuntimeError("systemctl enable firewalld fails")


def settle(request):
    """Ends a run that the controller gives up, or whose outcome it does not know; answers with the state of the host."""
    identity = request["id"]
    why = request.get("why", "the controller gave up")
    if identity in pending_runs():
        return {"kind": "settled", "aftermath": undo(identity, why, "the controller")}
    if holder_of_lock().get("id") == identity:
        # It ended before it armed the rollback, and so before its first write.
        forget(identity)
    return {"kind": "settled", "aftermath": end_of(identity)}


def status(_request):
    """The pending runs, the holder of the lock, and how the last run ended. Changes nothing."""
    lock = dict(holder_of_lock(), step=current_step()) if os.path.isdir(LOCK) else None
    return {"kind": "status", "lock": lock, "pending": unfinished()["runs"], "last": shown_end()}


def shown_end():
    end = last_run()
    keys = ("id", "outcome", "by", "why", "at", "what", "holder")
    return {key: str(end.get(key, "")) for key in keys} if end else None
