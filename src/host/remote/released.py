"""A foreign zone file without the interfaces that move to a portfw zone: every other byte stays the same.

The host removes the elements itself; a request only names interfaces. Comes after generations.py.
"""


def without_interface(content, name):
    """The bytes without the elements that bind an interface; a line with nothing else is removed. None if nothing binds it."""
    element = r"<interface\s+name\s*=\s*(?:\"{0}\"|'{0}')\s*(?:/>|>\s*</interface\s*>)".format(re.escape(name))
    pattern = r"<!--[\s\S]*?-->|(?:\A|(?<=\n))[ \t]*{0}[ \t]*\r?\n|{0}".format(element)
    codec = codec_of(content)
    held = content.decode(codec)
    kept = re.sub(pattern, lambda match: match.group() if match.group().startswith("<!--") else "", held, flags=re.ASCII)
    return None if kept == held else kept.encode(codec)


def codec_of(content):
    """UTF-16 in its byte order; in every other encoding that expat knows, the characters of an element are single bytes."""
    if content.startswith((b"\xff\xfe", b"<\0")):
        return "utf-16-le"
    return "utf-16-be" if content.startswith((b"\xfe\xff", b"\0<")) else "latin-1"


def zone_meaning(content):
    """The contents of a zone file except its interfaces, and the interfaces. Raises ValueError."""
    from xml.etree import ElementTree  # 10 ms that few operations need spend

    try:
        root = ElementTree.fromstring(readable(content, "zone"))
    except ElementTree.ParseError as error:
        raise ValueError("it cannot be read: %s" % error)
    bound = [element for element in root if element.tag == "interface"]
    for element in bound:
        root.remove(element)
    rest = [(item.tag, sorted(item.attrib.items()), (item.text or "").strip()) for item in root.iter()]
    return rest, sorted(element.get("name", "") for element in bound)


def released(content, interfaces):
    """A zone file's bytes without these interfaces. Raises ValueError if anything else would change, or they would stay."""
    rest, bound = zone_meaning(content)
    new = content
    for name in interfaces:
        if name in bound:
            new = without_interface(new, name) or new
    if zone_meaning(new) != (rest, [name for name in bound if name not in interfaces]):
        raise ValueError("interfaces cannot be removed from it without other changes")
    return new


def rebound(saved, present, leave, come, exact=True):
    """
    A foreign zone file after a rollback: the saved bytes if only these interfaces have changed since, else the current bytes with
    the interfaces removed and added, so that the owner's other edits and comments stay. Raises ValueError.
    Without `exact`, also the saved bytes if the daemon has written the same content in its own style, after a killed run.
    """
    rest, bound = zone_meaning(present)
    wanted = sorted([name for name in bound if name not in leave] + come)
    new = released(present, leave)
    if released(saved, come) == new:
        return saved
    old_rest, old_bound = zone_meaning(saved)
    if not exact and b"<!--" not in present and sorted(rest) == sorted(old_rest) and wanted == old_bound:
        return saved
    at = new.rfind(b"</zone>")
    new = new[:at] + "".join('  <interface name="%s"/>\n' % name for name in come).encode() + new[at:]
    if zone_meaning(new) != (rest, wanted):
        raise ValueError("an interface cannot be added to it")
    return new


ZONE_TAG = re.compile(rb"<zone(?:\s[^<>]*)?>")
TARGET_ATTRIBUTE = re.compile(rb"\starget\s*=\s*(?:\"[^\"]*\"|'[^']*')")


def target_in(content):
    """The target of a zone file; None if it cannot be read."""
    from xml.etree import ElementTree  # 10 ms that few operations need spend

    try:
        return ElementTree.fromstring(content).get("target", "default")
    except ElementTree.ParseError:
        return None


def with_target(content, target):
    """The same file with another target. firewalld does not read the name `default`: it means no target attribute."""
    tag = ZONE_TAG.search(content)
    if tag is None:
        return content
    inner = TARGET_ATTRIBUTE.sub(b"", tag.group())
    named = b"" if target == "default" else b' target="' + target.encode() + b'"'
    return content[: tag.start()] + b"<zone" + named + inner[len(b"<zone"):] + content[tag.end():]


def bound_in(content):
    """The interfaces of a zone file; none if it cannot be read (then firewalld cannot read it either)."""
    try:
        return zone_meaning(content)[1]
    except ValueError:
        return []


def for_rollback(saved, files, foreign, exact=True):
    """
    The files as a rollback restores them. Others may have edited their files since: there, only interfaces that move between
    portfw zones and foreign zones are restored.
    """
    present = {item["path"]: item for item in files}
    theirs = [path for path in foreign if not OUR_FILE.match(path)]
    wanted, old, homes, taken = [], {}, set(), set()
    for item in saved:
        content = base64.b64decode(item["content"]) if item["path"].startswith("zones/") else b""
        if item["path"] in theirs:
            old[item["path"]] = content
        else:
            wanted.append(item)
        if OUR_FILE.match(item["path"]):
            homes.update(bound_in(content))
    for path, item in present.items():
        if ZONE_FILE.match(path) and not OUR_FILE.match(path):
            taken.update(bound_in(item["bytes"]))
    for path in theirs:
        if path not in present:
            continue
        item = present[path]
        content = item["bytes"]
        if path in old:
            bound, before = bound_in(content), bound_in(old[path])
            leave = [name for name in bound if name not in before and name in homes]
            come = [name for name in before if name not in taken and name not in homes]
            try:
                content = rebound(old[path], content, leave, come, exact)
            except ValueError:
                pass  # it does not change
        kept = {"path": path, "mode": item["mode"], "owner": item["owner"], "context": None}
        kept.update(content=base64.b64encode(content).decode(), sha256=hashlib.sha256(content).hexdigest())
        wanted.append(kept)
    return wanted


def bound_by(request, runtime):
    """The interfaces that a run binds to portfw zones, or that are bound to them already."""
    found = {name for name, zone in bindings(runtime).items() if zone.startswith(PREFIX)}
    for call in request.get("calls", []):
        if call[0] == "bind-interface":
            found.add(call[2])
        elif call[0] == "move-connection" and call[2]:
            found.update(call[3:])
    for item in request["files"]:
        if item["path"].startswith("zones/"):
            found.update(zone_meaning(item["text"].encode())[1])
    return found


def require_released(observed, paths, bound):
    """Checks before any write that every foreign file of a run loses an interface to a portfw zone, and can be written."""
    present = {item["path"]: item["bytes"] for item in observed["files"]}
    for path in paths:
        try:
            names = [name for name in zone_meaning(present.get(path, b""))[1] if name in bound]
            if not names and not OUR_FILE.match(path):
                raise ValueError("it binds no interface that moves to a zone of portfw")
            released(present[path], names)
            place = os.path.realpath(target_of(path))
            if not (os.access(place, os.W_OK) and os.access(os.path.dirname(place), os.W_OK)):
                raise ValueError("it cannot be written: it is mounted read-only, or protected by an attribute")
        except ValueError as error:
            raise Stop(kind="failed", step="the file %s" % path, why=str(error), aftermath={"kind": "untouched"})


def released_file(edit, bound, foreign):
    """A foreign zone's file, described, and its bytes without the interfaces that move to a portfw zone. Raises RuntimeError."""
    path = "zones/%s.xml" % edit["zone"]
    if path not in foreign:
        raise RuntimeError("the run did not announce that it edits %s" % path)
    for name in edit["interfaces"]:
        if name not in bound:
            raise RuntimeError("%s does not move to a zone of portfw" % name)
    held = describe(target_of(path))
    if held is None or held.get("unreadable"):
        raise RuntimeError("%s: %s" % (path, held["unreadable"] if held else "it is gone"))
    try:
        return held, released(held["bytes"], edit["interfaces"])
    except ValueError as error:
        raise RuntimeError("%s: %s" % (path, error))
