"""The state that a stopped firewalld would have after a start: its files, and what it depends on.

Comes after network_manager.py. Changes nothing.
"""

CONF = ETC + "/firewalld.conf"
SERVICE = re.compile(r"<(?:service|include)\s[^>]*?(?:name|service)\s*=\s*[\"']([A-Za-z0-9_][A-Za-z0-9_.-]{0,63})[\"']")


def conf_value(text, key, fallback):
    """A setting of firewalld.conf; the last one counts, as for the daemon."""
    found = re.findall(r"(?m)^[ \t]*%s[ \t]*=[ \t]*(.*?)[ \t]*$" % key, text)
    return found[-1] if found and found[-1] else fallback


def observe_offline():
    """In the form of `observe`, with an empty runtime. Raises Stop if unknown."""
    try:
        from firewall.config import VERSION
    except ImportError as error:
        raise Stop(kind="stopped", reason="its own Python modules are missing: %s" % error)
    folder = configured_folder()
    if folder is not None:
        raise Stop(kind="stopped", reason="it is configured to read %s and not %s" % (folder, ETC))
    files = permanent_files()
    texts = {f["path"]: f["text"] for f in files}
    conf = texts.get("firewalld.conf", "")
    default_zone = conf_value(conf, "DefaultZone", "public")
    builtin = {}
    for kind, names in (("zones", [default_zone]), ("services", services_in(texts, default_zone))):
        for name in names:
            path = "%s/%s.xml" % (kind, name)
            if path not in texts and NAME.match(name) and os.path.isfile(os.path.join(LIB, path)):
                builtin[path] = read_bytes(os.path.join(LIB, path)).decode("utf-8", "replace")
    connections = nm_connections()
    permanent_hash = file_hash(files)
    # Never equal to the hash of a running firewalld: a plan for one is not valid for the other.
    runtime = value_hash({"stopped": True, "networkManager": nm_zones(connections)})
    return {
        "kind": "offline",
        "version": VERSION,
        "state": "RUNNING",
        "backend": conf_value(conf, "FirewallBackend", "nftables"),
        "defaultZone": default_zone,
        "panicMode": False,
        "zoneDrifting": conf_value(conf, "AllowZoneDrifting", "no").lower() in ("yes", "true"),
        # 0.9 refuses every ipset without the program; later versions do not need it.
        "ipsetsUsable": not VERSION.startswith("0.") or any(
            os.path.exists(folder + "/ipset") for folder in ("/usr/sbin", "/sbin", "/usr/bin", "/bin")
        ),
        "helpers": usable_helpers(),
        "hash": hashlib.sha256((permanent_hash + runtime).encode()).hexdigest(),
        "permanentHash": permanent_hash,
        "runtimeHash": runtime,
        "files": files,
        "builtin": [{"path": path, "text": text} for path, text in sorted(builtin.items())],
        "runtime": dict({folder: {} for folder in KINDS}, direct=[]),
        "networkManager": connections,
    }


def configured_folder():
    """Another configuration folder in the arguments that distributions allow to set; None if there is none."""
    for path in ("/etc/sysconfig/firewalld", "/etc/default/firewalld", "/etc/conf.d/firewalld"):
        try:
            text = read_bytes(path).decode("utf-8", "replace")
        except OSError:
            continue
        for value in re.findall(r"(?m)^[^#\n]*--system-config[= ]+[\"']?([^\s\"']+)", text):
            if os.path.realpath(value) != os.path.realpath(ETC):
                return value
    return None


def services_in(texts, default_zone):
    """The names of services that zones use, with included ones."""
    sources = [text for path, text in texts.items() if path.startswith(("zones/", "services/", "policies/"))]
    standard = os.path.join(LIB, "zones/%s.xml" % default_zone)
    if NAME.match(default_zone) and os.path.isfile(standard):
        sources.append(read_bytes(standard).decode("utf-8", "replace"))
    found = []
    for text in sources:
        for name in SERVICE.findall(text):
            if name in found:
                continue
            found.append(name)
            path = os.path.join(LIB, "services/%s.xml" % name)
            if os.path.isfile(path):
                sources.append(read_bytes(path).decode("utf-8", "replace"))
    return found


def unit_state():
    """The state of firewalld's systemd unit; empty without systemd."""
    import subprocess

    if not os.path.isdir("/run/systemd/system"):
        return ""
    try:
        done = subprocess.run(
            ["systemctl", "is-enabled", "firewalld.service"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=10,
        )
        return done.stdout.decode("utf-8", "replace").strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""
