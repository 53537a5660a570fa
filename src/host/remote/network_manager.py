"""NetworkManager's connections: which of them manage interfaces, the zones that they name, and their change.

A connection's zone wins over firewalld's own files: NetworkManager hands it to firewalld whenever it activates the
connection and whenever firewalld starts, and firewalld asks for it at every reload. A connection without a zone means the
default zone, not the one that firewalld's files bind the interface to.

It is asked over D-Bus, and told by its own program, nmcli, which keeps the rest of a profile as it is. Where it does not
run, its files say the same. Stands after generations.py in the program that changes a host, after observe.py in the one that
only reads.
"""

NM_BUS = "org.freedesktop.NetworkManager"
NM_ROOT = "/org/freedesktop/NetworkManager"
NM_UUID = re.compile(r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\Z")
# firewalld's own rule for the name of a zone, or none. The older profiles are read by a shell.
NM_ZONE = re.compile(r"((?!-)[\w-]{1,17}(/[\w-]{1,17})?)?\Z")
# Where its profiles are: what is in memory only, what is on disk, and what the older format of Enterprise Linux has.
NM_KEYFILES = ("/run/NetworkManager/system-connections", "/etc/NetworkManager/system-connections")
NM_IFCFG = "/etc/sysconfig/network-scripts"
# Profiles that come with the system. NetworkManager never writes here: what changes goes into a copy in one of the folders above.
NM_VENDOR = "/usr/lib/NetworkManager/system-connections"
# Parts of a profile that may hold secrets, which nobody can compare.
NM_SECRET = {"802-11-wireless-security", "802-1x", "adsl", "cdma", "gsm", "macsec", "pppoe", "vpn", "wireguard"}
# Made by NetworkManager itself for an interface that others set up ("connected (externally)"): it does not tell firewalld
# of those, so that the interface is bound as if NetworkManager were not there.
NM_GENERATED = 0x2 | 0x4 | 0x8
NM_ACTIVATING, NM_ACTIVATED = 1, 2
NM_SECONDS = 5


class NetworkManager:
    """NetworkManager over D-Bus, for reading."""

    def __init__(self, bus, dbus):
        self.bus = bus
        self.dbus = dbus

    def properties(self, path, interface):
        return plain(
            self.bus.call_blocking(
                NM_BUS, path, "org.freedesktop.DBus.Properties", "GetAll", "s", (NM_BUS + interface,), timeout=NM_SECONDS
            )
        )

    def profile(self, path):
        """A connection's profile, by sections. Secrets are never among what this call returns."""
        return plain(
            self.bus.call_blocking(
                NM_BUS, path, NM_BUS + ".Settings.Connection", "GetSettings", "", (), timeout=NM_SECONDS
            )
        )

    def settings(self, path):
        return self.profile(path).get("connection", {})

    def file(self, path):
        """Where a connection's profile is; nothing before 1.12."""
        return self.properties(path, ".Settings.Connection").get("Filename", "")

    def found(self, uuid):
        """The path of a saved or active connection, or None where there is none."""
        try:
            return self.bus.call_blocking(
                NM_BUS, NM_ROOT + "/Settings", NM_BUS + ".Settings", "GetConnectionByUuid", "s", (uuid,), timeout=NM_SECONDS
            )
        except self.dbus.DBusException as error:
            if gone(error):
                return None
            raise

    def zone(self, uuid):
        """The zone that a saved or active connection names, or None where there is no such connection."""
        try:
            path = self.found(uuid)
            return None if path is None else self.settings(path).get("zone", "")
        except self.dbus.DBusException as error:
            if gone(error):
                return None
            raise

    def managed(self, path):
        """An active connection that is NetworkManager's own, or None."""
        active = self.properties(path, ".Connection.Active")
        # A VPN's connection lists the interface that it runs over, which belongs to another one.
        if active.get("Vpn") or active.get("State") not in (NM_ACTIVATING, NM_ACTIVATED):
            return None
        profile = self.properties(active["Connection"], ".Settings.Connection")
        # Before 1.12 there are no flags, and nothing but "unsaved" tells one that it made by itself.
        generated = profile["Flags"] & NM_GENERATED if "Flags" in profile else profile.get("Unsaved")
        if generated:
            return None
        settings = self.settings(active["Connection"])
        interfaces = set()
        for device in active.get("Devices", []):
            names = self.properties(device, ".Device")
            interfaces.add(names.get("IpInterface") or names.get("Interface", ""))
        return {
            "uuid": settings.get("uuid", ""),
            "connection": settings.get("id", ""),
            "zone": settings.get("zone", ""),
            "interfaces": sorted(name for name in interfaces if name),
            "unsaved": bool(profile.get("Unsaved")),
            "file": profile.get("Filename", ""),
        }


def gone(error):
    """Whether a D-Bus error says that something has ceased to exist since it was listed."""
    name = error.get_dbus_name() or ""
    return any(word in name for word in ("UnknownObject", "UnknownMethod", "InvalidConnection", "UnknownInterface"))


def network_manager():
    """NetworkManager, or None where it does not run or nobody can be asked."""
    try:
        import dbus
    except ImportError:
        return None
    try:
        bus = dbus.SystemBus(private=True)
        return NetworkManager(bus, dbus) if bus.name_has_owner(NM_BUS) else None
    except dbus.DBusException:  # no bus: early in a boot there is none
        return None


def nm_connections():
    """The active connections that NetworkManager manages interfaces with, in a fixed order; none where it does not run."""
    manager = network_manager()
    if manager is None:
        return []
    found = []
    try:
        for path in manager.properties(NM_ROOT, "").get("ActiveConnections", []):
            try:
                item = manager.managed(path)
            except manager.dbus.DBusException as error:
                if not gone(error):
                    raise
                continue
            if item is not None and NM_UUID.match(item["uuid"]):
                found.append(item)
    except manager.dbus.DBusException as error:
        raise Stop(kind="stopped", reason="NetworkManager, which it depends on, does not answer: %s" % error.get_dbus_message())
    return sorted(found, key=lambda item: item["uuid"])


def nm_zones(connections):
    """Zone by connection: of those that name one."""
    return {item["uuid"]: item["zone"] for item in connections if item["zone"]}


def nm_set_zone(uuid, zone, temporary):
    """
    Sets the zone of a connection, which an active one takes at once and without an interruption. A temporary zone is gone
    with a reboot: NetworkManager keeps it below /run and its file as it was. Raises RuntimeError.
    """
    if not NM_UUID.match(uuid) or not NM_ZONE.match(zone):
        raise RuntimeError("not a connection and a zone: %r, %r" % (uuid, zone))
    nmcli("modify", *(["--temporary"] if temporary else []), "uuid", uuid, "connection.zone", zone)


def nmcli(*arguments):
    """Tells NetworkManager something of a connection. Raises RuntimeError."""
    import subprocess  # 20 ms that most operations need not spend

    try:
        done = subprocess.run(
            ["nmcli", "connection"] + list(arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30,
            env=dict(os.environ, LC_ALL="C"),
        )
    except OSError as error:
        raise RuntimeError("nmcli cannot be run: %s" % plain_error(error))
    except subprocess.TimeoutExpired:
        raise RuntimeError("NetworkManager does not answer")
    if done.returncode != 0:
        raise RuntimeError(done.stdout.decode("utf-8", "replace").strip()[:500] or "nmcli ended with %d" % done.returncode)


def nm_move(daemon, uuid, zone, *interfaces):
    """
    Moves an active connection, and with it its interfaces, into a zone until the next boot, and waits until firewalld
    has followed: what is done to the interface afterwards must not be overtaken.
    """
    manager = network_manager()
    before = manager.zone(uuid) if manager is not None else None
    if before is None:
        raise RuntimeError("NetworkManager no longer has connection %s" % uuid)
    require_our_move(uuid, before, zone)
    nm_set_zone(uuid, zone, True)
    await_zone(daemon, zone or plain(daemon.call("", "getDefaultZone")), interfaces)


def await_zone(daemon, zone, interfaces, seconds=2):
    """NetworkManager tells firewalld in its own time, some milliseconds later. What does not come is seen by the proof."""
    end = time.clock_gettime(time.CLOCK_MONOTONIC) + seconds
    for interface in interfaces:
        while plain(daemon.call(".zone", "getZoneOfInterface", "s", interface)) != zone:
            if time.clock_gettime(time.CLOCK_MONOTONIC) > end:
                return
            time.sleep(0.01)


def require_our_move(uuid, before, zone):
    """A connection moves into a portfw zone or out of one, and from where it can be put back to."""
    if not (zone.startswith(PREFIX) or before.startswith(PREFIX)) or not NM_ZONE.match(before):
        raise RuntimeError("refusing to change the zone of connection %s from %r to %r" % (uuid, before, zone))


def nm_keep(pairs, saved):
    """Zones become part of the saved profiles: of connections that were there, with these zones, when the run began."""
    before = nm_zones_of(saved)
    for uuid, zone in pairs:
        if uuid not in before:
            raise RuntimeError("connection %s did not exist when the run began" % uuid)
        require_our_move(uuid, before[uuid], zone)
        nm_set_zone(uuid, zone, False)


def nm_zones_of(connections):
    return {item["uuid"]: item["zone"] for item in connections}


def nm_restore(saved):
    """
    The zones of connections as a generation has them (`None`: it was saved by a portfw that did not look): those that are
    ours, or were. The zones that others chose stay as they are now. May be done twice. Raises where one cannot be set.
    """
    if saved is None:
        return
    manager = network_manager()
    wanted = nm_zones_of(saved)
    if manager is None:
        nm_restore_files(wanted)
        return
    for item in nm_connections():
        wanted.setdefault(item["uuid"], "")
    for uuid, zone in sorted(wanted.items()):
        now = manager.zone(uuid)
        if now is None or now == zone or not (now.startswith(PREFIX) or zone.startswith(PREFIX)):
            continue
        nm_set_zone(uuid, zone, False)
        if manager.zone(uuid) != zone:
            raise RuntimeError("NetworkManager does not accept zone %r for connection %s" % (zone, uuid))
    for item in saved:
        if os.path.dirname(item.get("file", "")) == NM_VENDOR:
            nm_uncover(manager, item["uuid"])


def nm_uncover(manager, uuid):
    """
    A profile of the system's own is in use again, when NetworkManager's copy of it, which covers it since its zone was changed,
    says nothing else any more. Where it does, because somebody has changed more of it since, the copy stays.
    """
    path = manager.found(uuid)
    copy = manager.file(path) if path is not None else ""
    if os.path.dirname(copy) not in NM_KEYFILES or os.path.islink(copy):
        return
    before = manager.profile(path)
    if NM_SECRET & set(before):
        return
    status, content = os.stat(copy), read_bytes(copy)
    os.unlink(copy)
    # Reads this file alone again: it is gone, and what it covered is found.
    nmcli("load", copy)
    path = manager.found(uuid)
    if path is not None and os.path.dirname(manager.file(path)) == NM_VENDOR and lasting(manager.profile(path)) == lasting(before):
        return
    write_file(copy, content, status.st_mode & 0o7777, (status.st_uid, status.st_gid))
    nmcli("load", copy)


def lasting(profile):
    """A profile without the time of its last use."""
    connection = {key: value for key, value in profile.get("connection", {}).items() if key != "timestamp"}
    return dict(profile, connection=connection)


def nm_try_restore(saved):
    """What keeps NetworkManager from going back, as an error to raise when the rest is done; None where it has."""
    import dbus

    try:
        nm_restore(saved)
    except (RuntimeError, OSError, Stop, dbus.DBusException) as error:
        return RuntimeError("NetworkManager's connections: %s" % (getattr(error, "get_dbus_message", lambda: None)() or error))
    return None


def nm_restore_files(wanted):
    """The same while NetworkManager does not run: it would read these files when it starts."""
    for folder in NM_KEYFILES + (NM_IFCFG,):
        if not os.path.isdir(folder):
            continue
        for name in sorted(os.listdir(folder)):
            path = os.path.join(folder, name)
            if os.path.islink(path) or not os.path.isfile(path):
                continue
            if folder == NM_IFCFG and not re.match(r"ifcfg-[^~.]+\Z", name):
                continue
            held = read_bytes(path)
            text = held.decode("utf-8", "surrogateescape")
            new = with_zones(text, wanted, ("", "UUID", "ZONE") if folder == NM_IFCFG else ("connection", "uuid", "zone"))
            if new != text:
                status = os.stat(path)
                owner = (status.st_uid, status.st_gid)
                write_file(path, new.encode("utf-8", "surrogateescape"), status.st_mode & 0o7777, owner)


def with_zones(text, wanted, keys):
    """A profile's text with the zone that its connection should have, if that or the present one is ours."""
    section, uuid_key, zone_key = keys
    lines, here, uuid, zone, at, header = text.splitlines(True), "", "", "", None, None
    for index, line in enumerate(lines):
        word = line.strip()
        if word.startswith("[") and word.endswith("]") and section:
            here = word[1:-1]
            header = index if here == section and header is None else header
        elif here == section and "=" in word and not word.startswith("#"):
            key, value = (part.strip() for part in word.split("=", 1))
            value = value.strip("\"'") if not section else value
            if key == uuid_key:
                uuid = value
            elif key == zone_key:
                zone, at = value, index
    new = wanted.get(uuid, "" if zone.startswith(PREFIX) else zone)
    if not uuid or new == zone or not NM_ZONE.match(new) or not (zone.startswith(PREFIX) or new.startswith(PREFIX)):
        return text
    if at is not None:
        del lines[at]
    if new:
        place = at if at is not None else header + 1 if header is not None else len(lines)
        if place == len(lines) and lines and not lines[-1].endswith("\n"):
            lines[-1] += "\n"
        lines.insert(place, "%s=%s\n" % (zone_key, new))
    return "".join(lines)
