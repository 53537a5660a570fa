"""The files below /etc/firewalld, as firewalld finds them: through links, and in the folders of its zones.

Comes after kinds.py. Changes nothing.
"""

import stat

# What firewalld reads there, with the expected element; zones may also be in folders.
READ_IN = dict({folder: KINDS[folder]["object"] for folder in KINDS}, helpers="helper", icmptypes="icmptype")
READ_FILES = {"direct.xml": "direct", "lockdown-whitelist.xml": "whitelist"}
# The settings that a plan needs: other contents of a link's target are not reported.
SETTINGS = re.compile(r"(?m)^[ \t]*(?:DefaultZone|FirewallBackend|FlushAllOnReload|AllowZoneDrifting|ReloadPolicy)[ \t]*=.*$")
MOST_FILES = 20000
# All texts together; the answer must stay below the controller's limit.
MOST_TEXT = 24 * 1024 * 1024
KIND_OF = {
    stat.S_IFIFO: "a FIFO, and firewalld would wait for it without end",
    stat.S_IFDIR: "a folder",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def in_etc(path):
    """A path below /etc/firewalld for this process's system calls, independent of its locale."""
    return os.path.join(ETC, os.fsdecode(path.encode("utf-8", "surrogateescape")))


def named(path):
    """The name of a path below /etc/firewalld, the same in every locale."""
    return os.fsencode(os.path.relpath(path, ETC)).decode("utf-8", "surrogateescape")


def expected_in(path):
    """The element that firewalld expects in a file; empty for its settings, None for a file that it never reads."""
    folder, _, name = path.partition("/")
    if path == "firewalld.conf":
        return ""
    if folder in READ_IN and name.endswith(".xml") and ("/" not in name or folder == "zones"):
        return READ_IN[folder]
    return READ_FILES.get(path)


def permanent_files():
    """
    Every file below /etc/firewalld, except the daemon's `.old` copies and portfw's unfinished writes: regular files, and
    anything else at a path where firewalld would read a file.
    """
    found = []
    visit("", (), found)
    mounted = mount_points()
    budget = MOST_TEXT
    for item in found:
        if item["path"] in mounted:
            item["mounted"] = True
        budget -= len(item["bytes"]) if item["text"] else 0
        if budget < 0 and item["text"]:
            item["text"], item["unreadable"] = "", "the files together are larger than %d MiB" % (MOST_TEXT >> 20)
    return found


def visit(path, above, found):
    """Adds the contents of a folder; `above` are its parent folders."""
    place = in_etc(path) if path else ETC
    try:
        status = os.stat(place)
        names = sorted(os.fsencode(name).decode("utf-8", "surrogateescape") for name in os.listdir(place))
    except OSError:
        return  # removed meanwhile
    here = (status.st_dev, status.st_ino)
    if here in above:
        why = "it is a link to a folder that contains it: firewalld would read the same files again and again"
        found.append(dict(described(path, b"", status), unreadable=why))
        return
    if path.startswith("zones/") and not re.match(r"[\w-]{1,17}\Z", path.rpartition("/")[2]):
        # firewalld before 1.0 fails because of its name.
        found.append(dict(described(path, b"", status), folder=True))
    for name in names:
        inner = "%s/%s" % (path, name) if path else name
        try:
            status = os.lstat(in_etc(inner))
            followed = os.stat(in_etc(inner)) if stat.S_ISLNK(status.st_mode) else status
        except OSError:
            followed = None
        is_folder = followed is not None and stat.S_ISDIR(followed.st_mode)
        if is_folder and expected_in(inner) is None:
            if followed is status or is_entered(inner):
                visit(inner, above + (here,), found)
        elif expected_in(inner) is not None or (stat.S_ISREG(status.st_mode) and not is_litter(name)):
            item = describe(in_etc(inner))
            if item is not None:
                found.append(item)
        if len(found) > MOST_FILES:
            why = "there are more than %d files in it" % MOST_FILES
            raise Stop(kind="failed", step="reading " + ETC, why=why, reason="%s: %s" % (ETC, why), aftermath={"kind": "untouched"})


def is_litter(name):
    return name.endswith(".old") or name.startswith(".portfw-")


def is_entered(path):
    """Whether firewalld reads a folder, and so also a link to one."""
    return path in READ_IN or path.startswith("zones/")


def described(path, content, status):
    return {
        "path": path,
        "text": "",
        "bytes": content,
        "mode": "%04o" % (status.st_mode & 0o7777),
        "owner": "%d:%d" % (status.st_uid, status.st_gid),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def describe(place):
    """One file; None if it is gone. Never waits for something that is not a regular file, and reads only what firewalld reads."""
    path = named(place)
    expected = expected_in(path)
    try:
        status = os.lstat(place)
        link = os.fsencode(os.readlink(place)).decode("utf-8", "surrogateescape") if stat.S_ISLNK(status.st_mode) else None
    except OSError:
        return None
    item, text, why = None, "", None
    try:
        status = os.stat(place)
        content = regular_bytes(place, status)
        item = described(path, content, status)
        if expected == "":
            text = content.decode("utf-8", "surrogateescape")
            text = text if link is None else "\n".join(SETTINGS.findall(text))
        elif expected is not None:
            text = readable(content, expected)
            why = beyond_this_version(path, text)
    except OSError as error:
        why = "it is a link to %s, which does not exist" % link if link is not None and error.errno == 2 else error.strerror
    except ValueError as error:
        why = str(error)
    if item is None or (why and link is not None):
        # If a link leads to something that is not a firewalld file, not even its hash is reported.
        item = described(path, b"", status)
    item["text"] = "" if why else text
    if link is not None:
        item["link"] = link
    if why and expected is not None:
        item["unreadable"] = why
    return item


def regular_bytes(place, status):
    """The bytes of a regular file, at most one more than the limit. Raises ValueError for anything else."""
    kind = stat.S_IFMT(status.st_mode)
    if kind != stat.S_IFREG:
        raise ValueError("it is %s" % KIND_OF.get(kind, "not a regular file"))
    # Some kernel files are regular files, and reading them blocks.
    handle = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as opened:
        return opened.read(MOST_FILE_BYTES + 1) or b""


def mount_points():
    """The mount points below /etc/firewalld."""
    try:
        lines = read_bytes("/proc/self/mountinfo").decode("utf-8", "surrogateescape").split("\n")
    except OSError:
        return set()
    points = [line.split(" ")[4] for line in lines if line.count(" ") > 4]
    plain_names = [re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), point) for point in points]
    return {point[len(ETC) + 1 :] for point in plain_names if point.startswith(ETC + "/")}


# Elements and attributes that every firewalld from 0.9.3 on accepts in zones, policies and services.
EVERYWHERE = frozenset(
    "accept audit description destination drop egress-zone forward forward-port helper icmp-block icmp-block-inversion icmp-type"
    " include ingress-zone interface limit log mark masquerade module policy port protocol reject rule service short source"
    " source-port zone".split()
)
EVERYWHERE_SAID = frozenset(
    "address enabled encoding family immutable invert ipset ipv4 ipv6 level mac name port prefix priority protocol service set"
    " target to-addr to-port type value version".split()
)
WORDS = re.compile(r"<([A-Za-z][\w.-]*)((?:\s+[\w.:-]+\s*=\s*(?:\"[^\"]*\"|'[^']*'))*)")
SAID = re.compile(r"([\w.:-]+)\s*=\s*(?:\"[^\"]*\"|'[^']*')")


def beyond_this_version(path, text):
    """Why the host's own firewalld cannot read a file, or not all of it. Only checked for words that not every version knows."""
    if path.split("/")[0] not in ("zones", "policies", "services"):
        return None
    for element, said in set(WORDS.findall(re.sub(r"<!--[\s\S]*?-->", "", text))):
        names = set(SAID.findall(said))
        if element not in EVERYWHERE or names - EVERYWHERE_SAID or (element == "destination" and "ipset" in names):
            return trouble_of_reader(path)
    return None


def ask_about_rules(files, zones):
    """A rule in a zone's file that is not at runtime waits for a reload, or this firewalld ignores it: firewalld's reader decides."""
    for item in files:
        name, text = item["path"][len("zones/") : -len(".xml")], item["text"]
        bound = name in zones or "<source" in text or "<interface" in text
        if item["path"] != "zones/%s.xml" % name or "/" in name or not bound:
            continue
        if text.count("<rule") > len(zones.get(name, {}).get("rules_str", [])):
            why = trouble_of_reader(item["path"])
            if why is not None:
                item["text"], item["unreadable"] = "", why


def trouble_of_reader(path):
    """The error of firewalld's own reader for a file; None if it reads all of it."""
    kind = READ_IN[path.split("/")[0]]
    try:
        module = __import__("firewall.core.io." + kind, fromlist=["reader"])
        read, log = getattr(module, kind + "_reader"), module.log
    except (ImportError, AttributeError):
        return None
    warned, place = [], in_etc(path)
    held, log.warning = log.warning, lambda text, *given: warned.append(text % given if given else text)
    try:
        # The name is checked elsewhere.
        if kind == "zone":
            read(os.path.basename(place), os.path.dirname(place), no_check_name=True)
        else:
            read(os.path.basename(place), os.path.dirname(place))
    except Exception as error:
        return "%s" % error
    finally:
        log.warning = held
    ignored = [text for text in warned if text.startswith("Invalid")]
    return "it ignores part of it: %s" % ignored[0] if ignored else None
