"""The steps of an apply on the host: begin, permanent, keep, settle. Each takes a request and returns an answer.

Stands after generations.py.
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
    interface, method, signature = RUNTIME_CALLS[operation[0]]
    arguments = list(operation[1:])
    for owner in arguments[:1]:
        if not owner.startswith(PREFIX):
            raise RuntimeError("refusing to change %r: not ours" % owner)
    if signature.endswith("i"):
        arguments.append(0)
    try:
        daemon.call(interface, method, signature, *arguments)
    except daemon.dbus.DBusException as error:
        # Somebody was quicker: it is as it should be, and the look from the fresh connection will prove it.
        if not re.match(r"(ALREADY_ENABLED|NOT_ENABLED|ZONE_ALREADY_SET|UNKNOWN_INTERFACE)\b", error.get_dbus_message() or ""):
            raise


def begin(request):
    """Lock, check for drift, save the generation, definitions, behaviour. A failure puts the generation back."""
    if not ID.match(request["id"]):
        raise Stop(kind="failed", step="begin", why="not a run's identity", aftermath={"kind": "untouched"})
    take_lock(request)
    try:
        daemon = Daemon()
        observed = observe(daemon, helpers=False)
        if observed["hash"] != request["observedHash"]:
            raise Stop(kind="drifted", hash=observed["hash"])
        if request["reload"]:
            require_loadable(daemon)
        try:
            meta = save_generation(observed, request)
        except OSError as error:
            raise Stop(kind="failed", step="saving the generation", why=plain_error(error), aftermath={"kind": "untouched"})
    except BaseException:
        release_lock()
        raise
    step, touched, reloaded = "definitions", False, False
    try:
        # The way back is armed here, between the saved generation and the first write.
        staged = stage_files(request["files"])
        if staged:
            touched = True
            for temporary, path in staged:
                os.rename(temporary, path)
            step = "checking the definitions"
            daemon.call("", "checkPermanentConfig", timeout=60)
        if request["reload"]:
            step, touched = "reload", True
            daemon.reload()
            reloaded = True
            if daemon.property("state") != "RUNNING":
                raise RuntimeError("firewalld is %s after the reload" % daemon.property("state"))
        for operation in request["calls"]:
            step, touched = "%s %s" % (operation[0], " ".join(operation[1:])), True
            runtime_call(daemon, operation)
    except BaseException as error:
        why = daemon.error_text(error)
        if not touched:
            remove_generation(request["id"])
            release_lock()
            raise Stop(kind="failed", step=step, why=why, aftermath={"kind": "untouched"})
        aftermath = undo(meta)
        raise Stop(kind="failed", step=step, why=why, aftermath=aftermath)
    return {"kind": "begun", "generation": request["id"], "reloaded": reloaded}


def require_loadable(daemon):
    """A file of somebody else that firewalld cannot read would make our reload fail, and the way back with it."""
    try:
        daemon.call("", "checkPermanentConfig", timeout=60)
    except daemon.dbus.DBusException as error:
        raise Stop(
            kind="failed",
            step="checking what is there",
            why=daemon.error_text(error),
            aftermath={"kind": "untouched"},
        )


def undo(meta):
    """Back to the generation that this very run saved; the lock goes only when that is proved."""
    identity = meta["id"]
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        loaded, files = load_generation(identity)
        proof = restore_generation(loaded, files, loaded["foreign"])
    except BaseException as error:
        text = error.get_dbus_message() if hasattr(error, "get_dbus_message") else plain_error(error)
        return {"kind": "restore-failed", "generation": identity, "why": text}
    audit("restored generation %s" % identity)
    release_lock()
    return {"kind": "restored", "generation": identity, "proof": proof}


def stage_files(files):
    """All contents are on the disk before the first rename, so that a full disk changes nothing."""
    staged = []
    try:
        for item in files:
            path = target_of(item["path"])
            os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
            # No name that ends in .xml: should we be killed here, firewalld must not read it.
            temporary = os.path.join(os.path.dirname(path), ".portfw-stage-" + item["path"].replace("/", "-") + ".new")
            if os.path.lexists(temporary):
                os.unlink(temporary)
            staged.append((temporary, path))
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                view = memoryview(item["text"].encode())
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
    """What runs now becomes what is loaded at boot: through the daemon, so that its memory and the files agree."""
    require_lock(request["id"])
    daemon = Daemon()
    meta, files = load_generation(request["id"])
    saved = {item["path"]: item["sha256"] for item in files}
    step = "permanence"
    try:
        for edit in request["releases"]:
            step = "permanence of %s" % edit["zone"]
            path = "zones/%s.xml" % edit["zone"]
            held = describe(target_of(path))
            zone_path = daemon.call(".config", "getZoneByName", "s", edit["zone"])
            old = target_of(path) + ".old"
            kept = describe(old) if os.path.exists(old) else None
            try:
                for interface in edit["interfaces"]:
                    forgiving(daemon, "NOT_ENABLED", ".config.zone", "removeInterface", "s", interface, path=zone_path)
                # The daemon writes the zone in its own style; the owner's text stays, less the one line, unless it was just edited.
                if edit["text"] is not None and held["sha256"] == saved.get(path):
                    write_file(target_of(path), edit["text"].encode(), int(held["mode"], 8), owner_of(held))
            finally:
                # The copy beside it is the owner's too.
                if kept is not None:
                    write_file(old, kept["bytes"], int(kept["mode"], 8), owner_of(kept))
                elif os.path.exists(old):
                    os.unlink(old)
        for name in sorted(request["zones"]):
            step = "permanence of zone %s" % name
            zone_path = daemon.call(".config", "getZoneByName", "s", name)
            daemon.call(
                ".config.zone", "update2", "a{sv}", zone_settings(daemon.dbus, request["zones"][name]), path=zone_path
            )
        for name in sorted(request["ipsets"]):
            step = "permanence of ipset %s" % name
            set_path = daemon.call(".config", "getIPSetByName", "s", name)
            entries = daemon.dbus.Array(request["ipsets"][name], signature="s")
            daemon.call(".config.ipset", "setEntries", "as", entries, path=set_path)
        for kind, name in request["deletions"]:
            step = "deletion of %s %s" % (kind, name)
            if not name.startswith(PREFIX):
                raise RuntimeError("not ours")
            getter, interface = {
                "zone": ("getZoneByName", ".config.zone"),
                "service": ("getServiceByName", ".config.service"),
                "ipset": ("getIPSetByName", ".config.ipset"),
            }[kind]
            expected = "(INVALID|BUILTIN)_(ZONE|SERVICE|IPSET)"
            config = forgiving(daemon, expected, ".config", getter, "s", name)
            if config is not None:
                forgiving(daemon, expected, interface, "remove", path=config)
            # A file that the daemon never read, or takes for gone since it removed one of that name: only the file is there.
            left = target_of("%ss/%s.xml" % (kind, name))
            if os.path.exists(left):
                os.unlink(left)
        remove_old_copies()
    except BaseException as error:
        raise Stop(kind="failed", step=step, why=daemon.error_text(error), aftermath=undo(meta))
    return {"kind": "permanent", "observed": shown(observe(daemon))}


def forgiving(daemon, expected, *arguments, **options):
    """A call's result, or None when the daemon answers with an error that says there was nothing to do."""
    try:
        return daemon.call(*arguments, **options)
    except daemon.dbus.DBusException as error:
        if re.match("(%s)\\b" % expected, error.get_dbus_message() or ""):
            return None
        raise


def zone_settings(dbus, zone):
    strings = lambda items: dbus.Array(items, signature="s")
    pairs = lambda items: dbus.Array([dbus.Struct(item, signature="ss") for item in items], signature="(ss)")
    return dbus.Dictionary(
        {
            "short": zone["short"],
            "description": zone["description"],
            "target": zone["target"],
            "interfaces": strings(zone["interfaces"]),
            "services": strings(zone["services"]),
            "rules_str": strings(zone["richRules"]),
            "sources": strings([]),
            "ports": pairs([]),
            "source_ports": pairs([]),
            "protocols": strings([]),
            "icmp_blocks": strings([]),
            "icmp_block_inversion": dbus.Boolean(False),
            "masquerade": dbus.Boolean(False),
            "forward": dbus.Boolean(zone["forward"]),
            "forward_ports": dbus.Array([], signature="(ssss)"),
        },
        signature="sv",
    )


def keep(request):
    """The run is good: remember it, tidy up, let go of the lock."""
    require_lock(request["id"])
    if request["state"] is not None:
        try:
            os.makedirs(STATE, mode=0o700, exist_ok=True)
            write_file(STATE + "/state.json", json.dumps(request["state"], sort_keys=True).encode(), 0o600)
        except OSError as error:
            aftermath = undo(load_generation(request["id"])[0])
            raise Stop(kind="failed", step="remembering the roles", why=plain_error(error), aftermath=aftermath)
    try:
        write_file("%s/%s/kept" % (GENERATIONS, request["id"]), b"", 0o600)
    except OSError:
        pass  # `settle` then compares files
    audit(request["what"] + " kept")
    for old in generation_ids()[:-KEPT_GENERATIONS]:
        remove_generation(old)
    release_lock()
    return {"kind": "kept"}


def settle(request):
    """Ends a run whose outcome its controller does not know: back to the saved generation, unless it was kept."""
    identity = request["id"]
    ours = holder_of_lock().get("id") == identity
    if ID.match(identity) and os.path.exists("%s/%s/kept" % (GENERATIONS, identity)):
        if ours:
            release_lock()
        return {"kind": "settled", "aftermath": {"kind": "kept", "generation": identity}}
    if ours:
        if identity in generation_ids():
            return {"kind": "settled", "aftermath": undo(load_generation(identity)[0])}
        release_lock()
        return {"kind": "settled", "aftermath": {"kind": "untouched"}}
    if identity not in generation_ids():
        return {"kind": "settled", "aftermath": {"kind": "untouched"}}
    meta, files = load_generation(identity)
    if scope_hash(permanent_files(), meta["foreign"]) == scope_hash(files, meta["foreign"]):
        return {"kind": "settled", "aftermath": {"kind": "restored", "generation": identity}}
    return {"kind": "settled", "aftermath": {"kind": "kept", "generation": identity}}


def audit(what):
    """One line a decision in /var/lib/portfw/audit.log."""
    try:
        handle = os.open(STATE + "/audit.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(handle, ("%s %s %s\n" % (stamp(), holder_of_lock().get("holder"), what)).replace("\r", " ").encode())
        finally:
            os.close(handle)
    except OSError:
        pass  # a full disk must not undo a good run
