"""Rolls back the changes of a run in a running firewalld without a reload: bindings, runtime, and the daemon's permanent view.

A reload would put pending foreign files into force and drop foreign runtime-only settings. So it is the last resort.

Comes after offline.py.
"""

import contextlib

STRINGS = ("services", "protocols", "icmp_blocks", "rules_str", "interfaces", "sources")
PAIRS = ("ports", "source_ports")
FLAGS = ("masquerade", "forward", "icmp_block_inversion")


def runtime_settings(dbus, zone):
    """A zone's settings as the daemon accepts them at runtime: without texts, target and priorities, which only files have.
    Missing fields are set to empty: else the daemon would not change them."""
    typed = {}
    for key in STRINGS:
        typed[key] = dbus.Array(zone.get(key, []), signature="s")
    for key in PAIRS:
        typed[key] = dbus.Array([dbus.Struct(item, signature="ss") for item in zone.get(key, [])], signature="(ss)")
    forwards = [dbus.Struct(item, signature="ssss") for item in zone.get("forward_ports", [])]
    typed["forward_ports"] = dbus.Array(forwards, signature="(ssss)")
    for key in FLAGS:
        typed[key] = dbus.Boolean(zone.get(key, False))
    return dbus.Dictionary(typed, signature="sv")


def restore_zones(daemon, saved, now, ours_only):
    """Restores the runtime of zones, except interfaces. A source that moves is removed from its current zone first."""
    changed = []
    for name, zone in saved.items():
        present = now.get(name)
        if present is None or (ours_only and not name.startswith(PREFIX)):
            continue
        wanted = dict(zone, interfaces=present.get("interfaces", []))
        if canonical(wanted) != canonical(present):
            changed.append((name, wanted))
            for source in present.get("sources", []):
                if source not in wanted.get("sources", []):
                    daemon.call(".zone", "removeSource", "ss", name, source)
    for name, wanted in changed:
        daemon.call(".zone", "setZoneSettings2", "sa{sv}", name, runtime_settings(daemon.dbus, wanted))


def restore_runtime(daemon, saved):
    """Restores foreign runtime-only settings that a reload has lost or changed: zones, entries, direct rules."""
    now = runtime_state(daemon, plain(daemon.call("", "getDefaultZone")))
    restore_zones(daemon, saved["zones"], now["zones"], False)
    restore_entries(daemon, saved["ipsets"], now["ipsets"], False)
    present = direct_state(daemon)
    for kind, method, signature in (
        ("chains", "addChain", "sss"),
        ("rules", "addRule", "sssias"),
        ("passthroughs", "addPassthrough", "sas"),
    ):
        for item in saved["directState"][kind]:
            if item not in present[kind]:
                daemon.call(".direct", method, signature, *item)


def restore_entries(daemon, saved, now, ours_only):
    for name, item in saved.items():
        present = now.get(name)
        if present is None or (ours_only and not name.startswith(PREFIX)):
            continue
        if sorted(item["entries"]) != sorted(present["entries"]):
            entries = daemon.dbus.Array(item["entries"], signature="s")
            daemon.call(".ipset", "setEntries", "sas", name, entries, timeout=60)


def restore_ours(daemon, meta, saved):
    """Restores what a run may change at runtime: interface bindings, portfw zones and portfw ipsets. Nothing foreign."""
    rebind(daemon, meta["bindings"], ours_only=True)
    if saved is None:
        return
    now = runtime_state(daemon, plain(daemon.call("", "getDefaultZone")))
    restore_zones(daemon, saved["zones"], now["zones"], True)
    restore_entries(daemon, saved["ipsets"], now["ipsets"], True)


def direct_state(daemon):
    return {
        "chains": plain(daemon.call(".direct", "getAllChains")),
        "rules": plain(daemon.call(".direct", "getAllRules")),
        "passthroughs": plain(daemon.call(".direct", "getAllPassthroughs")),
    }


def bound_now(daemon):
    active = plain(daemon.call(".zone", "getActiveZones"))
    return {name: zone for zone, item in active.items() for name in item.get("interfaces", [])}


def rebind(daemon, saved, ours_only=False):
    """Binds interfaces to their previous zones. `ours_only` skips interfaces that others moved between foreign zones."""
    now = bound_now(daemon)
    for interface, zone in saved.items():
        at = now.get(interface)
        theirs = at is not None and not at.startswith(PREFIX) and not zone.startswith(PREFIX)
        if at != zone and not (ours_only and theirs):
            bind(daemon, interface, zone)
    for interface, zone in now.items():
        if zone.startswith(PREFIX) and interface not in saved:
            bind(daemon, interface, None)


def bind_again(daemon, before):
    """Binds interfaces again that others had bound at runtime only (for example Docker's bridge), after a reload by portfw."""
    now = bound_now(daemon)
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
        # The zone was deleted since: the interface stays where the files bind it.
        if not re.match(r"(INVALID_ZONE|UNKNOWN_INTERFACE)\b", error.get_dbus_message() or ""):
            raise


def mend_policies(daemon, before, rules):
    """
    firewalld before 2.0 disables a zone's policies when the last interface leaves it, even if sources are left. Removing and
    adding a source enables them again. `before` are the previous bindings, `rules` stay in force meanwhile.
    """
    if not daemon.property("version").startswith(("0.", "1.")):
        return
    active = plain(daemon.call(".zone", "getActiveZones"))
    left = {zone for name, zone in before.items() if name not in active.get(zone, {}).get("interfaces", [])}
    lost = [zone for zone in sorted(left) if active.get(zone, {}).get("sources") and not active[zone].get("interfaces")]
    for zone in lost:
        if zone in zones_of_policies(daemon):
            source = active[zone]["sources"][0]
            with rules_held(rules):
                daemon.call(".zone", "removeSource", "ss", zone, source)
                daemon.call(".zone", "addSource", "ss", zone, source)


def zones_of_policies(daemon):
    found = set()
    for item in optional(lambda: plain(daemon.call(".policy", "getActivePolicies")), {}).values():
        found.update(item.get("ingress_zones", []) + item.get("egress_zones", []))
    return found


def bindings_after(saved, present):
    """The bindings after a rollback: interfaces of portfw zones, then or now, as saved; others stay in their current zones."""
    wanted = {name: zone for name, zone in present.items() if not zone.startswith(PREFIX)}
    for name, zone in saved.items():
        if zone.startswith(PREFIX) or present.get(name, "").startswith(PREFIX):
            wanted[name] = zone
    return wanted


@contextlib.contextmanager
def sparing_copy(path):
    """Around a call that makes the daemon write a foreign file: it would overwrite the owner's `.old` copy."""
    old = target_of(path) + ".old"
    # The owner's copy is moved aside meanwhile; a rename needs no space on a full disk.
    aside = os.path.join(os.path.dirname(old), ASIDE + os.path.basename(old))
    if os.path.exists(old):
        os.rename(old, aside)
    try:
        yield
    finally:
        if os.path.exists(aside):
            os.rename(aside, old)
        elif os.path.exists(old):
            os.unlink(old)


def memory_path(identity):
    return "%s/%s/memory.json" % (GENERATIONS, identity)


def with_types(value):
    """A D-Bus value as JSON with its signature, so that it can be sent back unchanged."""
    if isinstance(value, dict):
        if getattr(value, "signature", None) == "sv":
            return {"a{sv}": {str(key): with_types(item) for key, item in value.items()}}
        return {"a{%s}" % value.signature: plain(value)}
    if type(value).__name__ == "Struct":
        return {"()": [with_types(item) for item in value]}
    if isinstance(value, list):
        return {"a%s" % value.signature: plain(value)}
    if type(value).__name__ == "Boolean":
        return {"b": bool(value)}
    return {"i": int(value)} if isinstance(value, int) else {"s": str(value)}


def without_types(dbus, typed):
    (signature, value), = typed.items()
    if signature == "a{sv}":
        return dbus.Dictionary({key: without_types(dbus, item) for key, item in value.items()}, signature="sv")
    if signature.startswith("a{"):
        return dbus.Dictionary(value, signature=signature[2:-1])
    if signature == "()":
        return dbus.Struct([without_types(dbus, item) for item in value])
    if signature.startswith("a"):
        items = [dbus.Struct(item) for item in value] if signature[1:2] == "(" else value
        return dbus.Array(items, signature=signature[1:])
    return {"b": dbus.Boolean, "i": dbus.Int32, "s": dbus.String}[signature](value)


def memory_of(daemon, kind, name):
    """The daemon's permanent view of an object, with its D-Bus path; None if it does not exist."""
    finder, interface, reader, _, _ = KINDS[FOLDER_OF[kind]]["permanent"]
    try:
        path = daemon.call(".config", finder, "s", name)
    except daemon.dbus.DBusException as error:
        if re.match(NO_OBJECT + r"\b", error.get_dbus_message() or ""):
            return None
        raise
    return {"settings": with_types(daemon.call(interface, reader, path=path)), "path": str(path)}


def save_memory(daemon, identity, objects):
    """Saves the daemon's permanent view of what a run is about to change: it may differ from the files, and must be restorable."""
    view = [[kind, name, memory_of(daemon, kind, name)] for kind, name in sorted(objects)]
    write_file(memory_path(identity), json.dumps(view).encode(), 0o600)


def restore_memory(daemon, identity):
    """Restores the daemon's permanent view from before `permanent`; for foreign zones, only the interfaces that left."""
    try:
        view = json.loads(read_whole(memory_path(identity)).decode())
    except FileNotFoundError:
        return
    for kind, name, saved in view:
        _, interface, _, writer, maker = KINDS[FOLDER_OF[kind]]["permanent"]
        now = memory_of(daemon, kind, name)
        if not name.startswith(PREFIX):
            if saved is not None and now is not None:
                with sparing_copy("zones/%s.xml" % name):
                    for held_name in missing_interfaces(saved, now):
                        daemon.call(interface, "addInterface", "s", held_name, path=now["path"])
        elif saved is None:
            if now is not None:
                daemon.call(interface, "remove", path=now["path"])
        elif now is None or canonical(now["settings"]) != canonical(saved["settings"]):
            settings = without_types(daemon.dbus, with_empty(saved["settings"], (now or saved)["settings"]))
            signature = KINDS[FOLDER_OF[kind]]["signature"]
            if now is None:
                daemon.call(".config", maker, "s" + signature, name, settings, timeout=60)
            else:
                daemon.call(interface, writer, signature, settings, path=now["path"], timeout=60)


def missing_interfaces(saved, now):
    def listed(view):
        return view["settings"].get("a{sv}", {}).get("interfaces", {}).get("as", [])

    return [name for name in listed(saved) if name not in listed(now)]


def with_empty(saved, now):
    """The saved settings, with everything that is set now but was not set then as empty."""
    if "a{sv}" not in saved:
        return saved
    full = {}
    for key, typed in now["a{sv}"].items():
        (signature, _), = typed.items()
        full[key] = {signature: {"b": False, "i": 0, "s": ""}.get(signature, {} if signature.startswith("a{") else [])}
    full.update(saved["a{sv}"])
    return {"a{sv}": full}


def read_whole(path):
    with open(path, "rb") as handle:
        return handle.read()
