"""What portfw does with firewalld on a host: one operation a run, one JSON document out.

Run by firewalld's own interpreter, because that one has the D-Bus bindings. With the argument `collect`
it reads and changes nothing. With `request` it takes a JSON document on standard input whose `operation`
is a step of an apply (`begin`, `permanent`, `keep`, `settle`), or `history`, or `rollback`. Nothing that
arrives is ever pasted into a command line.
"""

import base64
import errno
import fcntl
import hashlib
import json
import os
import re
import signal
import sys
import time

ETC = "/etc/firewalld"
LIB = "/usr/lib/firewalld"
STATE = "/var/lib/portfw"
GENERATIONS = STATE + "/generations"
LOCK = "/run/portfw/lock"
PREFIX = "portfw-"
KINDS = ("zones", "services", "ipsets")
KEPT_GENERATIONS = 30
ID = re.compile(r"^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}$")
NAME = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$")
OUR_FILE = re.compile(r"^(zones|services|ipsets)/portfw-[a-z0-9-]{1,40}\.xml$")
ZONE_FILE = re.compile(r"^zones/[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\.xml$")

BUS = "org.fedoraproject.FirewallD1"
ROOT = "/org/fedoraproject/FirewallD1"
CONFIG = ROOT + "/config"


class Stop(Exception):
    """An expected end of an operation: the document to answer with."""

    def __init__(self, **document):
        super().__init__(document.get("why", document.get("kind")))
        self.document = document


# --- D-Bus -------------------------------------------------------------------------------------------------


class Daemon:
    """firewalld over D-Bus, without introspection: a call costs about a millisecond."""

    def __init__(self):
        try:
            import dbus
        except ImportError as error:
            raise Stop(kind="stopped", reason="no D-Bus bindings for Python: %s" % error)
        self.dbus = dbus
        try:
            self.bus = dbus.SystemBus()
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

    def reload(self):
        self.call("", "reload", timeout=180)

    def error_text(self, error):
        if isinstance(error, self.dbus.DBusException):
            return error.get_dbus_message() or str(error)
        return plain_error(error)


def plain_error(error):
    """An error as a sentence's part: `/etc/firewalld: No space left on device`."""
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
    """What a method of a newer firewalld returns, or the fallback on one that lacks it."""
    try:
        return function()
    except Exception as error:  # an older daemon answers with one of several D-Bus errors
        name = getattr(error, "get_dbus_name", lambda: "")()
        if "UnknownMethod" in name or "UnknownProperty" in name or "InvalidArgs" in name or "UnknownInterface" in name:
            return fallback
        raise


# --- reading -----------------------------------------------------------------------------------------------


def read_bytes(path):
    with open(path, "rb") as handle:
        return handle.read(4 * 1024 * 1024)


def permanent_files():
    """Every regular file below /etc/firewalld, except the daemon's own `.old` copies and our unfinished writes."""
    found = []
    for folder, folders, names in os.walk(ETC):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)
            if name.endswith(".old") or name.startswith(".portfw-") or os.path.islink(path) or not os.path.isfile(path):
                continue
            found.append(describe(path))
    return found


def describe(path):
    status = os.stat(path)
    content = read_bytes(path)
    return {
        "path": os.path.relpath(path, ETC),
        "text": content.decode("utf-8", "replace"),
        "bytes": content,
        "mode": "%04o" % (status.st_mode & 0o7777),
        "owner": "%d:%d" % (status.st_uid, status.st_gid),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def file_hash(files):
    lines = sorted("%s %s %s %s" % (f["path"], f["sha256"], f["mode"], f["owner"]) for f in files)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def canonical(value):
    """The same document for the same meaning: firewalld's lists are sets."""
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


def runtime_state(daemon, default_zone):
    zones, services, ipsets, policies = {}, {}, {}, {}
    known = plain(daemon.call(".zone", "getZones"))
    active = plain(daemon.call(".zone", "getActiveZones"))
    for name in known:
        if name in active or name == default_zone or name.startswith(PREFIX):
            zones[name] = plain(daemon.call(".zone", "getZoneSettings2", "s", name))
    used = set()
    for zone in zones.values():
        used.update(services_of(zone))
    for name in plain(daemon.call("", "listServices")):
        if name in used or name.startswith(PREFIX):
            services[name] = plain(daemon.call("", "getServiceSettings2", "s", name))
    for name in plain(daemon.call(".ipset", "getIPSets")):
        version, short, description, kind, options, entries = plain(
            daemon.call(".ipset", "getIPSetSettings", "s", name)
        )
        ipsets[name] = {
            "version": version,
            "short": short,
            "description": description,
            "type": kind,
            "options": options,
            "entries": entries,
        }
    for name in optional(lambda: plain(daemon.call(".policy", "getActivePolicies")), {}):
        policies[name] = plain(daemon.call(".policy", "getPolicySettings", "s", name))
    direct = ["rule " + " ".join(str(part) for part in rule) for rule in plain(daemon.call(".direct", "getAllRules"))]
    direct += ["passthrough " + json.dumps(item) for item in plain(daemon.call(".direct", "getAllPassthroughs"))]
    return {"zones": zones, "services": services, "ipsets": ipsets, "policies": policies, "direct": sorted(direct)}


def runtime_hash(runtime, default_zone):
    """Over what has an effect: a definition of ours that nothing uses is inert and does not count."""
    effective = {name: zone for name, zone in runtime["zones"].items() if not inert_zone(name, zone)}
    services, sets = set(), set()
    for zone in effective.values():
        services.update(services_of(zone))
        sets.update(sets_of(zone))
    return value_hash(
        {
            "default": default_zone,
            "zones": effective,
            "services": {name: item for name, item in runtime["services"].items() if name in services},
            "ipsets": {
                name: item for name, item in runtime["ipsets"].items() if name in sets or not name.startswith(PREFIX)
            },
            "policies": runtime["policies"],
            "direct": runtime["direct"],
        }
    )


def inert_zone(name, zone):
    return name.startswith(PREFIX) and not zone.get("interfaces") and not zone.get("sources")


HELPERS = {"ftp": "tcp", "tftp": "udp"}


def usable_helpers():
    """Which conntrack helpers this kernel has: asked with nft's check mode, which changes nothing."""
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
    held = {f["path"] for f in files}
    builtin = []
    for zone in runtime["zones"]:
        path = "zones/%s.xml" % zone
        if path not in held and NAME.match(zone) and os.path.isfile(os.path.join(LIB, path)):
            builtin.append({"path": path, "text": read_bytes(os.path.join(LIB, path)).decode("utf-8", "replace")})
    permanent_hash = file_hash(files)
    effective_hash = runtime_hash(runtime, default_zone)
    drifting = optional(lambda: daemon.property("AllowZoneDrifting", ".config", CONFIG), "no")
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
        "hash": hashlib.sha256((permanent_hash + effective_hash).encode()).hexdigest(),
        "permanentHash": permanent_hash,
        "runtimeHash": effective_hash,
        "files": files,
        "builtin": builtin,
        "runtime": runtime,
    }


def shown(observed):
    """The observed state as JSON: without the raw bytes."""
    files = [{key: item for key, item in f.items() if key != "bytes"} for f in observed["files"]]
    return dict(observed, files=files)


# --- the lock ----------------------------------------------------------------------------------------------


def holder_of_lock():
    try:
        return json.loads(read_bytes(LOCK + "/holder.json").decode("utf-8", "replace"))
    except (OSError, ValueError):
        return {"holder": "unknown", "since": "unknown", "id": "unknown"}


def take_lock(request):
    os.makedirs(os.path.dirname(LOCK), mode=0o700, exist_ok=True)
    try:
        os.mkdir(LOCK, 0o700)
    except FileExistsError:
        raise Stop(kind="locked", lock=holder_of_lock())
    write_file(
        LOCK + "/holder.json",
        json.dumps({"holder": request["holder"], "since": stamp(), "id": request["id"]}).encode(),
        0o600,
    )


def require_lock(identity):
    held = holder_of_lock()
    if held.get("id") != identity:
        raise Stop(kind="failed", step="lock", why="the host's lock is not this run's any more", aftermath={"kind": "untouched"})


def release_lock():
    for name in ("holder.json",):
        try:
            os.unlink(os.path.join(LOCK, name))
        except OSError:
            pass
    try:
        os.rmdir(LOCK)
    except OSError:
        pass


def stamp():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


# --- writing files -----------------------------------------------------------------------------------------


def write_file(path, content, mode, owner=None, context=None):
    """Replaces a file in one step: written beside it, flushed to disk, renamed."""
    folder = os.path.dirname(path)
    temporary = os.path.join(folder, ".portfw-%s-%s" % (os.getpid(), base64.b16encode(os.urandom(6)).decode().lower()))
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(handle, view):]
            os.fchmod(handle, mode)
            if owner is not None:
                os.fchown(handle, owner[0], owner[1])
            os.fsync(handle)
        finally:
            os.close(handle)
        if context is None and os.path.exists(path):
            context = security_context(path)
        if context is not None:
            set_security_context(temporary, context)
        os.rename(temporary, path)
    except BaseException:
        if os.path.lexists(temporary):
            os.unlink(temporary)
        raise
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def security_context(path):
    try:
        return base64.b64encode(os.getxattr(path, "security.selinux")).decode()
    except (OSError, AttributeError):
        return None


def set_security_context(path, context):
    try:
        os.setxattr(path, "security.selinux", base64.b64decode(context))
    except OSError as error:
        if error.errno not in (errno.ENOTSUP, errno.ENODATA):
            raise


def target_of(path):
    """The absolute path of one of our files or of a zone file, after a check that it is nothing else."""
    if not (OUR_FILE.match(path) or ZONE_FILE.match(path)):
        raise Stop(kind="failed", step="write", why="not a path that portfw may write: %r" % path, aftermath={"kind": "untouched"})
    return os.path.join(ETC, path)


def in_scope(path, foreign):
    return bool(OUR_FILE.match(path)) or path in foreign


def remove_old_copies(foreign):
    """The daemon leaves a `.old` file beside each that it rewrites; those of our own files are litter."""
    for kind in KINDS:
        folder = os.path.join(ETC, kind)
        if not os.path.isdir(folder):
            continue
        for name in os.listdir(folder):
            path = "%s/%s" % (kind, name[: -len(".old")])
            if name.endswith(".old") and in_scope(path, foreign):
                os.unlink(os.path.join(folder, name))


# --- generations -------------------------------------------------------------------------------------------


def save_generation(observed, request):
    os.makedirs(GENERATIONS, mode=0o700, exist_ok=True)
    os.chmod(STATE, 0o700)
    folder = os.path.join(GENERATIONS, request["id"])
    os.mkdir(folder, 0o700)
    try:
        files = []
        for item in observed["files"]:
            path = os.path.join(ETC, item["path"])
            files.append(
                {
                    "path": item["path"],
                    "content": base64.b64encode(item["bytes"]).decode(),
                    "mode": item["mode"],
                    "owner": item["owner"],
                    "sha256": item["sha256"],
                    "context": security_context(path),
                }
            )
        foreign = request.get("foreign", [])
        meta = {
            "format": 1,
            "id": request["id"],
            "savedAt": stamp(),
            "savedBy": request["holder"],
            "before": request["what"],
            "foreign": foreign,
            "permanentHash": observed["permanentHash"],
            "runtimeHash": observed["runtimeHash"],
            "scopeHash": scope_hash(observed["files"], foreign),
            "bindings": bindings(observed["runtime"]),
            "state": read_state(),
        }
        write_file(os.path.join(folder, "files.json"), json.dumps(files).encode(), 0o600)
        write_file(os.path.join(folder, "meta.json"), json.dumps(meta).encode(), 0o600)
    except BaseException:
        remove_generation(request["id"])
        raise
    return meta


def remove_generation(identity):
    folder = os.path.join(GENERATIONS, identity)
    for name in ("meta.json", "files.json"):
        try:
            os.unlink(os.path.join(folder, name))
        except OSError:
            pass
    try:
        os.rmdir(folder)
    except OSError:
        pass


def generation_ids():
    try:
        return sorted(name for name in os.listdir(GENERATIONS) if ID.match(name))
    except OSError:
        return []


def load_generation(identity):
    if not ID.match(identity):
        raise Stop(kind="failed", step="load", why="not the name of a generation", aftermath={"kind": "untouched"})
    folder = os.path.join(GENERATIONS, identity)
    try:
        meta = json.loads(read_bytes(folder + "/meta.json").decode())
        with open(folder + "/files.json", "rb") as handle:
            files = json.loads(handle.read().decode())
    except (OSError, ValueError) as error:
        raise Stop(kind="no-generation", why="generation %s cannot be read: %s" % (identity, error), known=generation_ids())
    return meta, files


def scope_hash(files, foreign):
    return file_hash([f for f in files if in_scope(f["path"], foreign)])


def bindings(runtime):
    return {name: zone for zone, item in runtime["zones"].items() for name in item.get("interfaces", [])}


def read_state():
    try:
        return read_bytes(STATE + "/state.json").decode()
    except (OSError, UnicodeDecodeError):
        return None


def restore_files(files, foreign):
    """Brings our files, and those of others that a run edited, back to the saved bytes; touches no other file."""
    saved = {f["path"]: f for f in files if in_scope(f["path"], foreign)}
    present = {f["path"]: f for f in permanent_files() if in_scope(f["path"], foreign)}
    changed = False
    for path, item in saved.items():
        now = present.get(path)
        if now is None or any(now[key] != item[key] for key in ("sha256", "mode", "owner")):
            uid, gid = (int(part) for part in item["owner"].split(":"))
            os.makedirs(os.path.dirname(target_of(path)), exist_ok=True)
            write_file(target_of(path), base64.b64decode(item["content"]), int(item["mode"], 8), (uid, gid), item["context"])
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


def restore_generation(meta, files, foreign):
    """The saved configuration, permanent and runtime, with its proof. Raises only where the host is not as saved."""
    daemon = optional_daemon()
    # Bindings made at runtime would survive a reload where FlushAllOnReload is off: undo them first.
    if daemon is not None:
        release_our_bindings(daemon, meta["bindings"])
    restore_files(files, foreign)
    remove_old_copies(foreign)
    daemon = load_permanent(daemon)
    rebind(daemon, meta["bindings"])
    restore_state(meta["state"])
    observed = observe(daemon, helpers=False)
    proof = {
        "scopeHash": scope_hash(observed["files"], foreign),
        "permanentHash": observed["permanentHash"],
        "runtimeHash": observed["runtimeHash"],
    }
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


def load_permanent(daemon):
    """Makes the daemon read its files: by a reload, or by a restart where it is down or has failed."""
    if daemon is not None:
        try:
            daemon.reload()
            if daemon.property("state") == "RUNNING":
                return daemon
        except daemon.dbus.DBusException:
            pass
    # firewalld 0.9 leaves a table that drops everything behind when it fails to load; a restart does not take it away.
    run(["systemctl", "stop", "firewalld.service"])
    run(["nft", "delete", "table", "inet", "firewalld_policy_drop"])
    run(["systemctl", "start", "firewalld.service"])
    for _ in range(100):
        daemon = optional_daemon()
        if daemon is not None and daemon.property("state") == "RUNNING":
            return daemon
        time.sleep(0.1)
    raise RuntimeError("firewalld does not come up with the restored configuration")


def run(argv, seconds=60):
    """The exit code of a program that may be missing, fail or hang: the callers look at what came of it."""
    import subprocess  # 20 ms that most operations need not spend

    nothing = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    try:
        return subprocess.run(argv, timeout=seconds, **nothing).returncode
    except (OSError, subprocess.TimeoutExpired):
        return -1


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


def bind(daemon, interface, zone):
    if zone is None:
        daemon.call(".zone", "removeInterface", "ss", "", interface)
    else:
        daemon.call(".zone", "changeZoneOfInterface", "ss", zone, interface)


# --- the steps of an apply ---------------------------------------------------------------------------------

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
        if not re.match(r"(ALREADY_ENABLED|NOT_ENABLED|ZONE_ALREADY_SET)\b", error.get_dbus_message() or ""):
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
            temporary = os.path.join(os.path.dirname(path), ".portfw-stage-" + os.path.basename(path))
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
    meta, _ = load_generation(request["id"])
    step = "permanence"
    try:
        for edit in request["releases"]:
            step = "permanence of %s" % edit["zone"]
            path = "zones/%s.xml" % edit["zone"]
            held = describe(target_of(path))
            zone_path = daemon.call(".config", "getZoneByName", "s", edit["zone"])
            old = target_of(path) + ".old"
            kept = read_bytes(old) if os.path.exists(old) else None
            for interface in edit["interfaces"]:
                daemon.call(".config.zone", "removeInterface", "s", interface, path=zone_path)
            # The daemon writes the zone in its own style; the owner's text stays, less the one line.
            uid, gid = (int(part) for part in held["owner"].split(":"))
            if edit["text"] is not None:
                write_file(target_of(path), edit["text"].encode(), int(held["mode"], 8), (uid, gid))
            if kept is None and os.path.exists(old):
                os.unlink(old)
            elif kept is not None:
                write_file(old, kept, 0o644)
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
            daemon.call(interface, "remove", path=daemon.call(".config", getter, "s", name))
        remove_old_copies([])
    except BaseException as error:
        raise Stop(kind="failed", step=step, why=daemon.error_text(error), aftermath=undo(meta))
    return {"kind": "permanent", "observed": shown(observe(daemon))}


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
        os.makedirs(STATE, mode=0o700, exist_ok=True)
        write_file(STATE + "/state.json", json.dumps(request["state"], sort_keys=True).encode(), 0o600)
    audit(request["what"] + " kept")
    for old in generation_ids()[:-KEPT_GENERATIONS]:
        remove_generation(old)
    release_lock()
    return {"kind": "kept"}


def settle(request):
    """Ends a run whose outcome its controller does not know: back to the saved generation, unless it was kept."""
    identity = request["id"]
    if holder_of_lock().get("id") == identity:
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


# --- history and rollback ----------------------------------------------------------------------------------


def history(_request):
    files = permanent_files()
    generations = []
    for identity in generation_ids():
        try:
            meta, saved = load_generation(identity)
        except Stop:
            continue
        foreign = foreign_since(identity)
        generations.append(
            {
                "id": meta["id"],
                "savedAt": meta["savedAt"],
                "savedBy": meta["savedBy"],
                "before": meta["before"],
                "permanentHash": meta["permanentHash"],
                "current": scope_hash(files, foreign) == scope_hash(saved, foreign),
            }
        )
    return {"kind": "history", "generations": generations}


def foreign_since(identity):
    """Zone files of others that runs have edited since a generation was saved."""
    found = set()
    for other in generation_ids():
        if other >= identity:
            try:
                found.update(path for path in load_generation(other)[0]["foreign"] if ZONE_FILE.match(path))
            except Stop:
                continue
    return sorted(found)


def rollback(request):
    """Back to an older generation; the present state is saved as a generation first."""
    known = generation_ids()
    wanted = request["generation"]
    files = permanent_files()
    if wanted is None:
        for identity in reversed(known):
            _, saved = load_generation(identity)
            foreign = foreign_since(identity)
            if scope_hash(files, foreign) != scope_hash(saved, foreign):
                wanted = identity
                break
    if wanted is None or wanted not in known:
        raise Stop(kind="no-generation", why="there is no such generation", known=known)
    meta, saved = load_generation(wanted)
    foreign = foreign_since(wanted)
    if scope_hash(files, foreign) == scope_hash(saved, foreign):
        return {"kind": "same", "generation": wanted, "hash": file_hash(files)}
    take_lock(request)
    try:
        daemon = Daemon()
        own = save_generation(observe(daemon, helpers=False), dict(request, foreign=foreign))
    except OSError as error:
        release_lock()
        raise Stop(kind="failed", step="saving the generation", why=plain_error(error), aftermath={"kind": "untouched"})
    except BaseException:
        release_lock()
        raise
    try:
        proof = restore_generation(meta, saved, foreign)
    except BaseException as error:
        raise Stop(kind="failed", step="rollback", why=daemon.error_text(error), aftermath=undo(own))
    return {
        "kind": "rolled-back",
        "generation": wanted,
        "hash": proof["permanentHash"],
        # Files that are not ours may have been changed by their owners since: they are left as they are.
        "whole": proof["permanentHash"] == meta["permanentHash"],
    }


OPERATIONS = {
    "begin": begin,
    "permanent": permanent,
    "keep": keep,
    "settle": settle,
    "history": history,
    "rollback": rollback,
}


class Interrupted(Exception):
    """The deadline of the run: what was begun is undone."""


def interrupt(_number, _frame):
    raise Interrupted("stopped at the deadline of the run")


def one_at_a_time():
    """Waits for an operation that a lost connection left running; the answer of `settle` depends on its end."""
    os.makedirs(os.path.dirname(LOCK), mode=0o700, exist_ok=True)
    handle = os.open(os.path.dirname(LOCK) + "/operation", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX)
    return handle


def main():
    try:
        if sys.argv[1] == "collect":
            answer = shown(observe(Daemon()))
        else:
            request = json.loads(sys.stdin.buffer.read().decode())
            os.umask(0o022)
            # A line that goes down must not stop half of a change.
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.signal(signal.SIGPIPE, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, interrupt)
            handle = one_at_a_time()
            answer = OPERATIONS[request["operation"]](request)
            os.close(handle)
    except Stop as stop:
        answer = stop.document
    try:
        sys.stdout.write(json.dumps(answer))
        sys.stdout.flush()
    except BrokenPipeError:
        pass  # nobody listens any more; `settle` will tell


main()
