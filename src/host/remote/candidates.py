"""Candidates: copies of firewalld's configuration: the current one, the planned one, and the running one.

Comes after namespaces.py.
"""


def configuration(path="", above=()):
    """
    What firewalld reads below its folder, also through links: relative path and absolute place of folders and regular files. A file
    with two paths is listed twice, as firewalld reads it twice; a link to a folder that contains it is not followed.
    """
    folder = os.path.join(ETC, path)
    status = os.stat(folder)
    here = (status.st_dev, status.st_ino)
    if here in above:
        return
    yield path, folder
    for name in sorted(os.listdir(folder)):
        place, inner = os.path.join(folder, name), os.path.join(path, name)
        if os.path.isdir(place):
            if not os.path.islink(place) or is_entered(inner):
                yield from configuration(inner, above + (here,))
        elif os.path.isfile(place) and expected_in(inner) is not None and not name.startswith(".portfw-"):
            yield inner, place


def copy_configuration(target):
    """Copies it with regular files and folders instead of links. Other files, such as backups, are not copied: they would fill the memory."""
    for path, place in configuration():
        copied = os.path.join(target, path)
        if os.path.isdir(place):
            os.makedirs(copied, mode=0o755, exist_ok=True)
            continue
        with open(place, "rb") as source, open(copied, "wb") as copy:
            for block in iter(lambda: source.read(1 << 20), b""):
                copy.write(block)


def put_file(folder, path, content):
    os.makedirs(os.path.dirname(os.path.join(folder, path)), mode=0o755, exist_ok=True)
    with open(os.path.join(folder, path), "wb") as handle:
        handle.write(content)


def put_files(folder, files):
    for item in files:
        put_file(folder, item["path"], with_bans(item["path"], item["text"].encode()))


def with_ours(folder, files, edits):
    """The configuration once a run is permanent: only these portfw files, and foreign zones without the released interfaces."""
    for kind in OUR_FOLDERS:
        place = os.path.join(folder, kind)
        for name in os.listdir(place) if os.path.isdir(place) else []:
            if OUR_FILE.match("%s/%s" % (kind, name)):
                os.unlink(os.path.join(place, name))
    put_files(folder, files)
    for edit in edits:
        path = os.path.join(folder, "zones/%s.xml" % edit["zone"])
        if not edit["zone"].startswith(PREFIX) and os.path.isfile(path):
            put_file(folder, "zones/%s.xml" % edit["zone"], released(read_bytes(path), edit["interfaces"]))


class Running:
    """The daemon's runtime, read over D-Bus before the namespaces are entered, and written as files that load to the same state."""

    def __init__(self, daemon):
        from firewall.dbus_utils import dbus_to_python

        ask = lambda *arguments: dbus_to_python(daemon.call(*arguments))
        self.default = ask("", "getDefaultZone")
        self.objects = {}
        for folder in KINDS:
            if folder != "services":
                listing = lambda: ask(*KINDS[folder]["runtime"][:2])
                names = optional(listing, []) if folder == "policies" else listing()
                self.objects[folder] = usable(daemon, names, lambda name: settings_at_runtime(ask, folder, name))
        used = set()
        for item in list(self.objects["zones"].values()) + list(self.objects["policies"].values()):
            rules = " ".join(item.get("rules_str", []) + item.get("rich_rules", []))
            used.update(item.get("services", []), re.findall(r'service name="([^"]+)"', rules))
        listed, wanted = set(ask("", "listServices")), sorted(used)
        services = self.objects["services"] = {}
        for name in wanted:
            if name in listed and name not in services:
                services[name] = settings_at_runtime(ask, "services", name)
                wanted += services[name].get("includes", [])
        self.direct = tuple(ask(".direct", method) for method in ("getAllChains", "getAllRules", "getAllPassthroughs"))

    def write(self, folder):
        """Replaces the objects and direct rules of a copied configuration. Unused services stay unchanged."""
        from firewall.core.io import direct

        for kind in KINDS:
            place = os.path.join(folder, kind)
            for name in os.listdir(place) if kind != "services" and os.path.isdir(place) else []:
                path = os.path.join(place, name)
                if os.path.isfile(path):
                    os.unlink(path)
                elif not os.path.islink(path):
                    os.rename(path, os.path.join(folder, "%s-%s.aside" % (kind, name)))
            os.makedirs(place, mode=0o755, exist_ok=True)
        for kind, items in self.objects.items():
            name_of_kind = KINDS[kind]["object"]
            module = __import__("firewall.core.io." + name_of_kind, fromlist=["writer"])
            model, write = getattr(module, KINDS[kind]["model"]), getattr(module, name_of_kind + "_writer")
            for name, settings in items.items():
                made = model()
                made.name, made.filename = name, name + ".xml"
                for key, value in settings.items():
                    # Settings have the names of the objects' fields in every version; only a zone's default target differs.
                    if (key, value) != ("target", "default"):
                        setattr(made, key, value)
                write(made, os.path.join(folder, kind))
        chains, rules, passthroughs = self.direct
        file = direct.Direct(os.path.join(folder, "direct.xml"))
        for add, items in ((file.add_chain, chains), (file.add_rule, rules), (file.add_passthrough, passthroughs)):
            for item in items:
                add(*item)
        file.write()
        path = os.path.join(folder, "firewalld.conf")
        text = read_bytes(path).decode("utf-8", "surrogateescape") if os.path.isfile(path) else ""
        kept = [line for line in text.splitlines() if not re.match(r"\s*DefaultZone\s*=", line)]
        put_file(folder, "firewalld.conf", "\n".join(kept + ["DefaultZone=%s" % self.default, ""]).encode("utf-8", "surrogateescape"))
