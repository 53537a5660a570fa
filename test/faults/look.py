"""Reads everything that a run may change on a host, and everything that may be left of one. Prints lines, sorted where
order means nothing. Run on the host by the fault suite, with an interpreter that has the D-Bus bindings."""

import glob
import hashlib
import json
import os
import subprocess

BUS = "org.fedoraproject.FirewallD1"
ROOT = "/org/fedoraproject/FirewallD1"


def plain(value):
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return sorted((plain(item) for item in value), key=json.dumps)
    if type(value).__name__ == "Boolean" or isinstance(value, bool):
        return bool(value)
    return int(value) if isinstance(value, int) else str(value)


def said(kind, name, settings):
    """One line a setting, so that a difference names what differs. Empty settings and absent ones are the same."""
    if not isinstance(settings, dict):
        settings = {str(index): item for index, item in enumerate(settings)}
    for key, value in sorted(plain(settings).items()):
        if value not in ([], "", {}, False):
            print("%s %s %s=%s" % (kind, name, key, json.dumps(value, sort_keys=True)))


def files():
    for folder, folders, names in os.walk("/etc/firewalld"):
        for name in sorted(names):
            path = os.path.join(folder, name)
            status = os.lstat(path)
            if os.path.islink(path):
                print("file %s -> %s" % (path, os.readlink(path)))
                continue
            with open(path, "rb") as handle:
                content = handle.read()
            about = "%s %o %d:%d" % (path, status.st_mode & 0o7777, status.st_uid, status.st_gid)
            print("file %s %s" % (about, hashlib.sha256(content).hexdigest()))
            if name.startswith("portfw-"):
                # The order in which the daemon writes a zone's elements depends on how it came to know the zone.
                print("elements %s %s" % (about, hashlib.sha256(b"\n".join(sorted(content.split(b"\n")))).hexdigest()))
    try:
        with open("/var/lib/portfw/state.json") as handle:
            remembered = json.load(handle)
            # The two names of a run are its own.
            said("remembered", "of us", {key: remembered[key] for key in remembered if key not in ("appliedAt", "generation")})
    except OSError:
        pass
    except ValueError:
        print("remembered of us is no JSON")


def daemon():
    try:
        import dbus

        bus = dbus.SystemBus()
        if not bus.name_has_owner(BUS):
            return "down"

        def call(path, interface, method, signature="", *arguments):
            return bus.call_blocking(BUS, path, interface, method, signature, arguments, timeout=2)

        state = call(ROOT, "org.freedesktop.DBus.Properties", "Get", "ss", BUS, "state")
        said("runtime", "default zone", {"is": call(ROOT, BUS, "getDefaultZone")})
        for name in call(ROOT, BUS + ".zone", "getZones"):
            said("runtime", "zone %s" % name, call(ROOT, BUS + ".zone", "getZoneSettings2", "s", name))
        for name in call(ROOT, BUS, "listServices"):
            if name.startswith("portfw-") or name == "legacy":
                said("runtime", "service %s" % name, call(ROOT, BUS, "getServiceSettings2", "s", name))
        for name in call(ROOT, BUS + ".ipset", "getIPSets"):
            said("runtime", "ipset %s" % name, call(ROOT, BUS + ".ipset", "getIPSetSettings", "s", name))
        for name, method in (("rules", "getAllRules"), ("chains", "getAllChains"), ("passed", "getAllPassthroughs")):
            said("runtime", "direct", {name: call(ROOT, BUS + ".direct", method)})
        # What the daemon holds for permanent: it writes that over a file with the next permanent edit.
        config = BUS + ".config"
        for path in call(ROOT + "/config", config, "listZones"):
            name = call(path, "org.freedesktop.DBus.Properties", "Get", "ss", config + ".zone", "name")
            said("permanent", "zone %s" % name, call(path, config + ".zone", "getSettings2"))
        for path in call(ROOT + "/config", config, "listIPSets"):
            name = call(path, "org.freedesktop.DBus.Properties", "Get", "ss", config + ".ipset", "name")
            said("permanent", "ipset %s" % name, call(path, config + ".ipset", "getSettings"))
        return str(state)
    except Exception as error:
        return "no answer: %s" % " ".join(str(error).split())


def output(*argv):
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=10).stdout.decode()


def iptables():
    """What is in iptables, but for counters, and for chains that nothing leads to: nft does not say all of what they match."""
    for program in ("iptables-save", "ip6tables-save"):
        try:
            lines = output(program).splitlines()
        except OSError:
            continue
        table, rules, heads = "", {}, []
        for line in lines:
            words = line.split()
            if line.startswith("*"):
                table = line[1:]
            elif line.startswith(":"):
                heads.append((table, words[0][1:], words[1]))
                rules.setdefault((table, words[0][1:]), [])
            elif line.startswith("-A "):
                rules.setdefault((table, words[1]), []).append(line)
        met, ahead = set(), [(table, chain) for table, chain, policy in heads if policy != "-"]
        while ahead:
            at = ahead.pop()
            if at not in met:
                met.add(at)
                for line in rules.get(at, []):
                    words = line.split()
                    ahead.extend((at[0], words[i + 1]) for i, word in enumerate(words[:-1]) if word in ("-j", "-g") and (at[0], words[i + 1]) in rules)
        for table, chain, policy in heads:
            # The engine of the containers answers for DNS in the table nat.
            if (table, chain) in met and table != "nat":
                # One that lets everything through is as good as none.
                if policy not in ("-", "ACCEPT"):
                    print("permanent %s %s chain %s %s" % (program, table, chain, policy))
                for line in rules[(table, chain)]:
                    print("permanent %s %s %s" % (program, table, line))


def connections():
    """The zones that NetworkManager's saved connections name."""
    try:
        found = output("nmcli", "-t", "-f", "UUID,TYPE", "connection", "show").splitlines()
    except OSError:
        return
    for line in found:
        uuid, kind = line.split(":")
        if kind == "802-3-ethernet":
            print("permanent connection %s zone=%s" % (uuid, output("nmcli", "-g", "connection.zone", "connection", "show", uuid).strip()))


def leftovers():
    for pattern in (
        "/run/portfw/lock",
        "/var/lib/portfw/guard/*",
        "/var/lib/portfw/.portfw-*",
        "/var/lib/portfw/*/.portfw-*",
        "/etc/firewalld/.portfw-*",
        "/etc/firewalld/*/.portfw-*",
        "/etc/firewalld/*/portfw-*.old",
        "/etc/systemd/system/*portfw-*",
        "/etc/systemd/system/*.wants/*portfw-*",
        "/run/systemd/transient/portfw-*",
        "/run/systemd/generator*/portfw-*",
        "/etc/cron.d/*portfw-*",
    ):
        for path in glob.glob(pattern):
            print("left %s" % path)
    for line in output("systemctl", "list-units", "--all", "--plain", "--no-legend", "portfw-*").splitlines():
        print("left unit %s" % " ".join(line.split()[:4]))
    for folder in glob.glob("/proc/[0-9]*"):
        if folder[6:] == str(os.getpid()):
            continue
        try:
            with open(folder + "/cmdline", "rb") as handle:
                line = handle.read()
        except OSError:
            continue
        if b"/var/lib/portfw/guard/" in line or b"exec(compile(PROGRAM" in line:
            print("left process %s %s" % (folder[6:], line[:40].replace(b"\0", b" ").decode("utf-8", "replace")))


files()
print("firewalld %s" % daemon())
for line in output("nft", "-s", "list", "ruleset").splitlines():
    print("rule %s" % line)
iptables()
connections()
leftovers()
