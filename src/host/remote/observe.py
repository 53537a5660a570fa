"""Reads a host's firewalld: its files, and the daemon over D-Bus. Changes nothing.

Run by firewalld's own interpreter, because that one has the D-Bus bindings. The first part of both programs: collect.py ends
the read-only one, request.py the one that carries out requests.
"""

import hashlib
import json
import os
import re
import sys

ETC = "/etc/firewalld"
LIB = "/usr/lib/firewalld"
PREFIX = "portfw-"
NAME = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\Z")

BUS = "org.fedoraproject.FirewallD1"
ROOT = "/org/fedoraproject/FirewallD1"
CONFIG = ROOT + "/config"


class Stop(Exception):
    """An expected end of an operation, with the document to answer."""

    def __init__(self, **document):
        super().__init__(document.get("why", document.get("kind")))
        self.document = document


class Daemon:
    """firewalld over D-Bus, without introspection: a call costs about a millisecond."""

    def __init__(self):
        try:
            import dbus
        except ImportError as error:
            raise Stop(kind="stopped", reason="no D-Bus bindings for Python: %s" % error)
        self.dbus = dbus
        try:
            # A private connection: firewalld's modules use the shared one, which in a rehearsal must not reach the host's bus.
            self.bus = dbus.SystemBus(private=True)
            running = self.bus.name_has_owner(BUS)
        except dbus.DBusException as error:
            raise Stop(kind="stopped", reason="the system bus does not answer: %s" % error.get_dbus_message())
        if not running:
            raise Stop(kind="stopped", reason="the service is not running")

    def call(self, interface, method, signature="", *arguments, **options):
        path = options.get("path", CONFIG if interface.startswith(".config") else ROOT)
        return self.bus.call_blocking(
            BUS, path, BUS + interface, method, signature, arguments, timeout=options.get("timeout", 20)
        )

    def property(self, name, interface="", path=ROOT):
        return plain(
            self.bus.call_blocking(
                BUS, path, "org.freedesktop.DBus.Properties", "Get", "ss", (BUS + interface, name), timeout=20
            )
        )

    def process(self):
        """The daemon's process id."""
        return int(self.bus.call_blocking("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetConnectionUnixProcessID", "s", (BUS,), timeout=10))

    def other_folder(self):
        """The daemon's configuration folder, if it was started with another one; None for the usual one."""
        words = os.fsdecode(read_bytes("/proc/%d/cmdline" % self.process())).split("\0")
        for word, following in zip(words, words[1:] + [""]):
            option, equals, value = word.partition("=")
            for name, usual in (("--system-config", ETC), ("--default-config", LIB)):
                # An option may be shortened.
                if len(option) > 3 and name.startswith(option):
                    value = value if equals else following
                    if os.path.realpath(value) != os.path.realpath(usual):
                        return value
        return None

    def denies(self):
        """Whether its lockdown prevents changes: tested by removing an entry that does not exist."""
        if not optional(lambda: bool(self.call(".policies", "queryLockdown")), False):
            return False
        try:
            self.call(".policies", "removeLockdownWhitelistUser", "s", "portfw-nobody")
        except self.dbus.DBusException as error:
            return (error.get_dbus_message() or "").startswith("ACCESS_DENIED")
        return False

    def ping(self, seconds):
        """Returns when the daemon answers; raises DBusException if it does not in time."""
        self.bus.call_blocking(BUS, ROOT, "org.freedesktop.DBus.Peer", "Ping", "", (), timeout=seconds)

    def reload(self, seconds=180):
        self.call("", "reload", timeout=seconds)

    def error_text(self, error):
        if isinstance(error, self.dbus.DBusException):
            return error.get_dbus_message() or str(error)
        return plain_error(error)


def plain_error(error):
    """An error as text: `/etc/firewalld: No space left on device`."""
    if isinstance(error, OSError) and error.strerror:
        return "%s: %s" % (error.filename, error.strerror) if error.filename else error.strerror
    return str(error) or type(error).__name__


def plain(value):
    """D-Bus values as JSON knows them."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if type(value).__name__ == "Boolean":
        return bool(value)
    if isinstance(value, int):
        return int(value)
    return str(value)


def optional(function, fallback):
    """The result of a method of newer firewalld versions, or the fallback if it does not exist."""
    try:
        return function()
    except Exception as error:  # an older daemon answers with one of several D-Bus errors
        name = getattr(error, "get_dbus_name", lambda: "")()
        if "UnknownMethod" in name or "UnknownProperty" in name or "InvalidArgs" in name or "UnknownInterface" in name:
            return fallback
        raise


def run(argv, seconds=60):
    """The exit code of a program that may be missing, fail or hang: callers check the result themselves."""
    import subprocess  # 20 ms that most operations need not spend

    nothing = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    try:
        return subprocess.run(argv, timeout=seconds, **nothing).returncode
    except (OSError, subprocess.TimeoutExpired):
        return -1


# The longest file that is read whole, here and by the controller (facts/firewalld-facts.ts): no request may contain a longer one. An
# ipset of 100,000 IPv6 addresses has 6 MiB.
MOST_FILE_BYTES = 8 * 1024 * 1024


def read_bytes(path):
    with open(path, "rb") as handle:
        # One byte more shows that the file is longer.
        return handle.read(MOST_FILE_BYTES + 1)


def readable(content, element):
    """The content of a file for firewalld's parser, as XML in UTF-8 without declarations. Raises ValueError if it is not XML."""
    from xml.parsers import expat

    if len(content) > MOST_FILE_BYTES:
        raise ValueError("it is larger than %d MiB, which portfw does not read" % (MOST_FILE_BYTES >> 20))
    declared = re.match(rb"<\?xml[^>]*?\sencoding\s*=\s*[\"']([^\"']*)", content)
    retelling = Retelling(content)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = retelling.begin
    parser.EntityDeclHandler = retelling.declare
    plain_text = None
    odd = b"<!DOCTYPE" in content or b"\0" in content or content.startswith(b"\xef\xbb\xbf")
    if not odd and (declared is None or declared.group(1).lower() == b"utf-8"):
        try:
            plain_text = content.decode()
        except UnicodeDecodeError:
            pass
    if plain_text is None:
        parser.EndElementHandler = retelling.end
        parser.CharacterDataHandler = retelling.say
    try:
        # Up to the first element in pieces: an exception in a handler does not stop the parser within a piece, and an old expat
        # expands all entities. A plain file can be sent unchanged if its element is the right one.
        piece = 4096 if plain_text is not None else 2 if content[:2] in (b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<") else 1
        at = 0
        while retelling.root is None and at < len(content):
            if at > 65536 * piece:
                raise ValueError("its element does not begin within %d KiB" % (at >> 10))
            parser.Parse(content[at : at + piece], False)
            at += piece
        if plain_text is None or retelling.root is None:
            parser.Parse(content[at:], True)
    except expat.ExpatError as error:
        if plain_text is None or retelling.root is None:
            raise ValueError("it is not XML: %s" % error)
    if retelling.root != element:
        raise ValueError("its element is <%s>, not <%s>" % (retelling.root, element))
    return plain_text if plain_text is not None else "".join(retelling.parts)


class Retelling:
    """Writes a document again, as expat reads it. Entities that could expand without limit, or include other files, are refused."""

    def __init__(self, content):
        self.parts, self.root = [], None
        self.uses = content.count(b"&")

    def begin(self, name, attributes):
        self.root = self.root or name
        said = "".join(' %s="%s"' % (key, escaped(value)) for key, value in attributes.items())
        self.parts.append("<%s%s>" % (name, said))

    def end(self, name):
        self.parts.append("</%s>" % name)

    def say(self, text):
        self.parts.append(escaped(text))

    def declare(self, name, is_parameter, value, _base, _system, _public, _notation):
        if is_parameter or value is None or "&" in value:
            raise ValueError("it declares the entity %s, which is not plain text" % ascii(name))
        if len(value) * self.uses > MOST_FILE_BYTES:
            raise ValueError("the entity %s could make it larger than %d MiB" % (ascii(name), MOST_FILE_BYTES >> 20))


def escaped(text):
    return re.sub("[&<>\"\r\n\t]", lambda match: "&#%d;" % ord(match.group()), text)


def file_hash(files):
    lines = sorted("%s %s %s %s" % (f["path"], f["sha256"], f["mode"], f["owner"]) for f in files)
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def canonical(value):
    """A canonical form: firewalld's lists are sets."""
    if isinstance(value, dict):
        return {key: canonical(item) for key, item in value.items() if item not in ([], {}, "", False, None)}
    if isinstance(value, list):
        return sorted((canonical(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
    return value


def value_hash(value):
    return hashlib.sha256(json.dumps(canonical(value), sort_keys=True).encode()).hexdigest()


def services_of(zone):
    rules = " ".join(zone.get("rules_str", []))
    return set(zone.get("services", [])) | set(re.findall(r'service name="([^"]+)"', rules))


def sets_of(zone):
    rules = " ".join(zone.get("rules_str", []) + zone.get("sources", []))
    return set(re.findall(r'ipset="([^"]+)"', rules)) | set(re.findall(r"ipset:([^ ]+)", rules))


def usable(daemon, names, settings):
    """
    Settings by name. 0.9 lists a zone that it could not read completely, but has no settings for it; and a firewalld that failed
    to load its files may list zones that it does not know.
    """
    found = {}
    for name in names:
        try:
            found[name] = settings(name)
        except daemon.dbus.DBusException as error:
            if not re.match(r"INVALID_(POLICY|ZONE)\b", error.get_dbus_message() or ""):
                raise
    return found


def runtime_state(daemon, default_zone):
    """What runs, by kind: all objects, without unused zones and services, and without policies that are not in force."""
    ask = lambda *arguments: plain(daemon.call(*arguments))
    known = ask(".zone", "getZones")
    active = ask(".zone", "getActiveZones")
    asked = [name for name in known if name in active or name == default_zone or name.startswith(PREFIX)]
    zones = usable(daemon, asked, lambda name: settings_at_runtime(ask, "zones", name))
    used = set()
    for zone in zones.values():
        used.update(services_of(zone))
    listed = ask("", "listServices")
    wanted = [name for name in listed if name in used or name.startswith(PREFIX)]
    services = {}
    for name in wanted:
        services[name] = settings_at_runtime(ask, "services", name)
        # Included services are open too.
        wanted += [item for item in services[name].get("includes", []) if item in listed and item not in wanted]
    in_force = optional(lambda: ask(".policy", "getActivePolicies"), {})
    state = {"zones": zones, "services": services}
    state["policies"] = {name: settings_at_runtime(ask, "policies", name) for name in in_force}
    for folder in KINDS:
        if folder not in state:
            names = ask(*KINDS[folder]["runtime"][:2])
            state[folder] = {name: settings_at_runtime(ask, folder, name) for name in names}
    direct = ["rule " + " ".join(str(part) for part in rule) for rule in ask(".direct", "getAllRules")]
    direct += ["passthrough " + json.dumps(item) for item in ask(".direct", "getAllPassthroughs")]
    return dict(state, direct=sorted(direct))


def runtime_hash(runtime, default_zone, connection_zones):
    """A hash of everything that has an effect: unused portfw definitions are inert and not included."""
    effective = {name: zone for name, zone in runtime["zones"].items() if not inert_zone(name, zone)}
    services, sets = set(), set()
    for zone in effective.values():
        services.update(services_of(zone))
        sets.update(sets_of(zone))
    return value_hash(
        dict(
            runtime,
            default=default_zone,
            zones=effective,
            services={name: item for name, item in runtime["services"].items() if name in services},
            ipsets={name: item for name, item in runtime["ipsets"].items() if name in sets or not name.startswith(PREFIX)},
            networkManager=connection_zones,
        )
    )


def inert_zone(name, zone):
    return name.startswith(PREFIX) and not zone.get("interfaces") and not zone.get("sources")


HELPERS = {"ftp": "tcp", "tftp": "udp"}


def usable_helpers():
    """The conntrack helpers of this kernel: tested with nft's check mode, which changes nothing."""
    if accepts_helpers(HELPERS):
        return sorted(HELPERS)
    return [name for name in sorted(HELPERS) if accepts_helpers([name])]


def accepts_helpers(names):
    objects = " ".join('ct helper %s { type "%s" protocol %s; };' % (name, name, HELPERS[name]) for name in names)
    return run(["nft", "-c", "table inet portfw_probe { %s }" % objects], 5) == 0


def observe(daemon, helpers=True):
    default_zone = plain(daemon.call("", "getDefaultZone"))
    runtime = runtime_state(daemon, default_zone)
    files = permanent_files()
    ask_about_rules(files, runtime["zones"])
    held = {f["path"] for f in files}
    builtin = []
    for zone in runtime["zones"]:
        path = "zones/%s.xml" % zone
        if path not in held and NAME.match(zone) and os.path.isfile(os.path.join(LIB, path)):
            builtin.append({"path": path, "text": read_bytes(os.path.join(LIB, path)).decode("utf-8", "replace")})
    permanent_hash = file_hash(files)
    connections = nm_connections()
    effective_hash = runtime_hash(runtime, default_zone, nm_zones(connections))
    drifting = optional(lambda: daemon.property("AllowZoneDrifting", ".config", CONFIG), "no")
    obstacles = {"otherFolder": daemon.other_folder(), "denies": daemon.denies()}
    # A plan for a firewalld that could be changed is not valid for one that cannot.
    obstacle = json.dumps(obstacles, sort_keys=True) if any(obstacles.values()) else ""
    return {
        "kind": "running",
        "version": daemon.property("version"),
        "state": daemon.property("state"),
        "backend": optional(lambda: daemon.property("FirewallBackend", ".config", CONFIG), "iptables"),
        "defaultZone": default_zone,
        "panicMode": plain(daemon.call("", "queryPanicMode")),
        "zoneDrifting": drifting in ("yes", "true"),
        "ipsetsUsable": daemon.property("IPSet"),
        "helpers": usable_helpers() if helpers else [],
        "hash": hashlib.sha256((permanent_hash + effective_hash + obstacle).encode()).hexdigest(),
        "permanentHash": permanent_hash,
        "runtimeHash": effective_hash,
        **obstacles,
        "files": files,
        "builtin": builtin,
        "runtime": runtime,
        "networkManager": connections,
    }


def shown(observed):
    """The observed state for JSON, without the raw bytes."""
    files = [
        dict({key: item for key, item in f.items() if key != "bytes"}, path=printable(f["path"])) for f in observed["files"]
    ]
    return dict(observed, files=files)


def printable(path):
    """A file's name as one line: control characters and invalid bytes are escaped."""
    return re.sub("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\ud800-\\udfff]", by_number, path)


def by_number(match):
    code = ord(match.group())
    return "\\x%02x" % (code & 0xFF) if code < 0x100 or code >= 0xDC80 else "\\u%04x" % code
