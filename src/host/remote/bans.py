"""Bans: rich rules that others (for example fail2ban) added to a portfw zone and that only refuse sources.

They belong to the host. Requests do not contain them; they are kept when a portfw zone is written or loaded again. The definition
of a ban must be the same in src/firewalld/bans.ts. Comes after in_place.py.
"""

BAN = re.compile(
    r'rule( priority="-?[0-9]{1,5}")?( family="ipv[46]")? source address="(?![^"]*/0")[0-9A-Fa-f.:/]{2,90}"'
    r'( (service name="(?!portfw-)[^"]+"|port port="[^"]+" protocol="[a-z]+"|protocol value="[^"]+"))?'
    r'( log( (prefix|level)="[^"]*")*( limit value="[^"]*")?)? (drop|reject( type="[a-z0-9-]+")?)\Z'
)
# The elements of a rule in the order of the rich language, with their attributes.
BAN_WORDS = (
    ("source", ("address",)),
    ("service", ("name",)),
    ("port", ("port", "protocol")),
    ("protocol", ("value",)),
    ("log", ("prefix", "level")),
    ("drop", ()),
    ("reject", ("type",)),
)


def bans_among(rules):
    """The bans among rich rules in firewalld's own spelling."""
    return [rule for rule in rules if BAN.match(rule)]


def spelled(element, name, known):
    words = ['%s="%s"' % (key, element.get(key)) for key in known if key in element.attrib]
    return " ".join([name] + words) if set(element.attrib) <= set(known) else "?"


def rule_text(rule):
    """A rule of a zone file in the rich language, limited to the elements of bans."""
    words = [spelled(rule, "rule", ("priority", "family"))]
    for name, known in BAN_WORDS:
        for element in rule.findall(name):
            words.append(spelled(element, name, known))
            words += [spelled(limit, "limit", ("value",)) for limit in element]
    return " ".join(words) if {item.tag for item in rule} <= {name for name, _ in BAN_WORDS} else "?"


def with_bans(path, content):
    """The new content of a portfw zone file, with the bans of the current file."""
    if not path.startswith("zones/") or not os.path.isfile(target_of(path)):
        return content
    present = read_whole(target_of(path))
    if b"<rule" not in present:
        return content
    from xml.etree import ElementTree  # takes 10 ms, and few operations need it

    try:
        rules = ElementTree.fromstring(readable(present, "zone")).findall("rule")
    except (ValueError, ElementTree.ParseError):
        return content
    held = []
    for rule in rules:
        if BAN.match(rule_text(rule)):
            rule.tail = "\n"
            held.append(b"  " + ElementTree.tostring(rule))
    at = content.rfind(b"</zone>")
    return content[:at] + b"".join(held) + content[at:]


def bans_at_runtime(zones):
    """The runtime bans of each portfw zone."""
    found = {name: bans_among(zone.get("rules_str", [])) for name, zone in zones.items() if name.startswith(PREFIX)}
    return {name: rules for name, rules in found.items() if rules}


def ban_again(daemon, zones):
    """Restores runtime-only bans that a portfw reload has lost. The bans of a deleted zone are not restored."""
    for name, rules in sorted(bans_at_runtime(zones).items()):
        for rule in rules:
            forgiving(daemon, "ALREADY_ENABLED|INVALID_ZONE", ".zone", "addRichRule", "ssi", name, rule, 0)


def bans_lost(daemon):
    """Runtime bans that are not in the daemon's permanent view: the plan's reload loses them, and `ban_again` restores them."""
    running = {name: plain(daemon.call(".zone", "getZoneSettings2", "s", name)) for name in ours_among(daemon)}
    lost = {}
    for name, rules in bans_at_runtime(running).items():
        path = forgiving(daemon, "INVALID_ZONE", ".config", "getZoneByName", "s", name)
        held = {} if path is None else plain(daemon.call(".config.zone", "getSettings2", path=path))
        lost[name] = [rule for rule in rules if rule not in held.get("rules_str", [])]
    return lost


def ours_among(daemon):
    return [str(name) for name in daemon.call(".zone", "getZones") if name.startswith(PREFIX)]
