"""Validation: a whole request is checked against the schema of its operation before any other code uses it.

A rule takes a value and raises Wrong if it is not valid. The code behind it relies only on these rules. Comes after steps.py.
"""

MOST_BYTES = 64 * 1024 * 1024
MOST_ITEMS = 500000
MOST_OBJECTS = 5000
MOST_SECONDS = 24 * 3600


class Wrong(Exception):
    """What was expected, and where."""

    def __init__(self, expected):
        super().__init__(expected)
        self.place = ""

    def at(self, place):
        self.place = place + self.place
        return self


def text(expression, expected):
    matches = re.compile("(?:%s)\\Z" % expression).match

    def rule(value):
        if not isinstance(value, str) or matches(value) is None:
            raise Wrong(expected)

    return rule


def one_of(*values):
    def rule(value):
        # True is 1 to Python.
        if not any(value == item and type(value) is type(item) for item in values):
            raise Wrong("one of %s" % json.dumps(values))

    return rule


def number(least, most):
    def rule(value):
        if type(value) is not int or not least <= value <= most:
            raise Wrong("a whole number from %d to %d" % (least, most))

    return rule


def either(*rules):
    """Accepts what at least one of these rules accepts; the first one gives the error."""

    def rule(value):
        for other in rules[1:]:
            try:
                return other(value)
            except Wrong:
                pass
        rules[0](value)

    return rule


def maybe(inner):
    return either(inner, one_of(None))


def list_of(inner, most=MOST_OBJECTS):
    def rule(value):
        if not isinstance(value, list) or len(value) > most:
            raise Wrong("a list of at most %d" % most)
        index = 0
        try:
            for index, item in enumerate(value):
                inner(item)
        except Wrong as wrong:
            raise wrong.at("[%d]" % index)

    return rule


def row(*rules):
    def rule(value):
        if not isinstance(value, list) or len(value) != len(rules):
            raise Wrong("a list of %d" % len(rules))
        for index, inner in enumerate(rules):
            try:
                inner(value[index])
            except Wrong as wrong:
                raise wrong.at("[%d]" % index)

    return rule


def record(**fields):
    """Exactly these fields."""

    def rule(value):
        if not isinstance(value, dict):
            raise Wrong("an object")
        for name in sorted(set(value) ^ set(fields)):
            raise Wrong("no such field" if name in value else "it to be there").at("." + shown_name(name))
        for name, inner in fields.items():
            try:
                inner(value[name])
            except Wrong as wrong:
                raise wrong.at("." + name)

    return rule


def map_of(key, inner):
    def rule(value):
        if not isinstance(value, dict) or len(value) > MOST_OBJECTS:
            raise Wrong("an object of at most %d" % MOST_OBJECTS)
        for name, item in value.items():
            try:
                key(name)
                inner(item)
            except Wrong as wrong:
                raise wrong.at("." + shown_name(name))

    return rule


def shown_name(name):
    return ascii(name[:40])[1:-1]


RUN = text(ID.pattern, "the id of a run")
# Not longer than its readers accept (facts/state.ts, answers.ts), where a character may count as two.
LINE = text(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{1,512}", "one line of text")
# Read by people; the audit log removes control characters.
NOTE = text(r"[\s\S]{0,8192}", "a text")
DESCRIPTION = text(r"[^\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]{0,65536}", "a text")
HASH = text(r"[0-9a-f]{64}", "a SHA-256")
FLAG = one_of(True, False)
WINDOW = number(1, MOST_SECONDS)
OUR_NAME = text(r"portfw-[A-Za-z0-9_.-]{1,64}", "the name of an object of portfw")
OUR_ZONE = text(r"portfw-[A-Za-z0-9_-]{1,10}", "the name of a zone of portfw")
# A foreign zone: firewalld accepts the letters of all languages.
ZONE = text(r"\w[\w-]{0,16}", "the name of a zone")
NAMED = text(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,63}", "a name")
INTERFACE = text(r"(?!-)[A-Za-z0-9_.:@+=,~#-]{1,16}", "the name of an interface")
UUID = text(NM_UUID.pattern, "the UUID of a connection")
PORT_NUMBER = "([1-5]?[0-9]{1,4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
PORT = text("%s(-%s)?" % (PORT_NUMBER, PORT_NUMBER), "a port or a range")
TRANSPORT = one_of("tcp", "udp", "sctp", "dccp")
NETWORK_FORM = "[0-9A-Fa-f.:]{2,45}(?:/[0-9]{1,3})?"
NETWORK = text(NETWORK_FORM, "an address or a network")
# What others may have added to a portfw ipset or zone, in any language.
HELD = text(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{1,1024}", "one line of text")
# Not ACCEPT, which makes a host a router.
TARGET = one_of("default", "DROP", "%%REJECT%%")
# Accepting rules, as portfw writes them: nothing that refuses, logs, marks, translates or forwards. firewalld accepts more, and some
# of it is not safe: a foreign service may load kernel modules, and a rule that refuses by MAC address kills firewalld 0.9.3.
RICH_RULE = text(
    r'rule( priority="-?[0-9]{1,5}")?( family="ipv[46]")?'
    r'( source (ipset="[A-Za-z0-9_.-]{1,31}"|address="[0-9A-Fa-f.:/]{2,90}"))?( destination address="[0-9A-Fa-f.:/]{2,90}")?'
    r'( service name="portfw-[A-Za-z0-9_.-]{1,64}"'
    r'| (protocol value|icmp-type name)="[A-Za-z0-9_][A-Za-z0-9_.+-]{0,63}"'
    r'| port port="%s(-%s)?" protocol="(tcp|udp|sctp|dccp)")? accept' % (PORT_NUMBER, PORT_NUMBER),
    "a rich rule that accepts",
)

# The arguments of each call on the daemon. What is removed may be a foreign entry in a portfw object: it goes to D-Bus unchanged.
CALLS = {
    "move-connection": [UUID, either(OUR_ZONE, one_of(""))],
    "bind-interface": [OUR_ZONE, INTERFACE],
    "release-interface": [OUR_NAME, HELD],
    "add-service": [OUR_ZONE, OUR_NAME],
    "remove-service": [OUR_NAME, HELD],
    "add-rich-rule": [OUR_ZONE, RICH_RULE],
    "remove-rich-rule": [OUR_NAME, HELD],
    "remove-port": [OUR_NAME, PORT, TRANSPORT],
    "remove-source-port": [OUR_NAME, PORT, TRANSPORT],
    "remove-protocol": [OUR_NAME, HELD],
    "remove-source": [OUR_NAME, HELD],
    "remove-masquerade": [OUR_NAME],
    "remove-icmp-block": [OUR_NAME, HELD],
    "remove-icmp-block-inversion": [OUR_NAME],
    "remove-forward-port": [OUR_NAME, PORT, TRANSPORT, either(PORT, one_of("")), either(NETWORK, one_of(""))],
    "add-entry": [OUR_NAME, NETWORK],
    "remove-entry": [OUR_NAME, HELD],
}


def call_rule(value):
    if not isinstance(value, list) or not value or not isinstance(value[0], str) or value[0] not in CALLS:
        raise Wrong("a known call")
    rules = CALLS[value[0]]
    if value[0] == "move-connection" and len(value) <= 64:
        # The interfaces of the connection.
        rules = rules + [INTERFACE] * (len(value) - 1 - len(rules))
    row(*rules)(value[1:])


XML_HEAD = '<?xml version="1.0" encoding="utf-8"?>\n'
XML_PART = re.compile(r'<(/?)([a-z-]+)((?: [a-z-]+="[^"<>&]*(?:&#[0-9]{1,7};[^"<>&]*)*")*)(/?)>|((?:[^<>&]|&#[0-9]{1,7};)+)')
# A file may have 100,000 of these: they are skipped in one step.
XML_ENTRIES = re.compile("(?:[ \n]*<entry>%s</entry>)+" % NETWORK_FORM)
XML_ATTRIBUTE = re.compile(r' ([a-z-]+)="([^"]*)"')
# The elements of portfw files, by path: the attributes of each (optional ones with "?"), and its text at "". firewalld knows more,
# such as kernel modules to load; portfw writes none of it.
ELEMENTS = {
    "services": {
        "/service": {},
        "/service/short": {"": DESCRIPTION},
        "/service/description": {"": DESCRIPTION},
        "/service/port": {"port": PORT, "protocol": TRANSPORT},
        "/service/helper": {"name": one_of(*sorted(HELPERS))},
    },
    "ipsets": {
        "/ipset": {"type": one_of("hash:net")},
        "/ipset/short": {"": DESCRIPTION},
        "/ipset/description": {"": DESCRIPTION},
        "/ipset/option": {"name": one_of("family"), "value": one_of("inet", "inet6")},
        "/ipset/entry": {"": NETWORK},
    },
    "zones": {
        "/zone": {"target?": TARGET, "ingress-priority?": text("-?[0-9]{1,5}", "a priority")},
        "/zone/short": {"": DESCRIPTION},
        "/zone/description": {"": DESCRIPTION},
        "/zone/interface": {"name": INTERFACE},
        "/zone/service": {"name": OUR_NAME},
        "/zone/rule": {"family?": one_of("ipv4", "ipv6"), "priority?": text("-?[0-9]{1,5}", "a priority")},
        "/zone/rule/source": {"ipset?": NAMED, "address?": NETWORK},
        "/zone/rule/destination": {"address": NETWORK},
        "/zone/rule/service": {"name": OUR_NAME},
        "/zone/rule/port": {"port": PORT, "protocol": TRANSPORT},
        "/zone/rule/protocol": {"value": NAMED},
        "/zone/rule/icmp-type": {"name": NAMED},
        "/zone/rule/accept": {},
    },
}


def xml_text(written):
    return re.sub("&#([0-9]+);", lambda match: chr(min(int(match.group(1)), 0xFFFF)), written)


def xml_rule(folder, document):
    """A portfw file: only elements that portfw writes, one root, no declarations, comments or named references."""
    known = ELEMENTS[folder]
    if not document.startswith(XML_HEAD):
        raise Wrong("the first line of a file of portfw")
    at, way, roots, open_text = len(XML_HEAD), "", 0, None
    while at < len(document):
        many = XML_ENTRIES.match(document, at) if way == "/ipset" else None
        if many is not None:
            at = many.end()
            continue
        part = XML_PART.match(document, at)
        if part is None:
            raise Wrong("XML as portfw writes it").at("@%d" % at)
        ends, name, attributes, empty, words = part.groups()
        try:
            if words is not None:
                if "" in known.get(way, {}):
                    open_text += xml_text(words)
                elif words.strip(" \n"):
                    raise Wrong("no text")
            elif ends:
                if attributes or empty or not way.endswith("/" + name):
                    raise Wrong("the end of another element")
                if "" in known[way]:
                    known[way][""](open_text)
                way = way[: -len(name) - 1]
            else:
                roots += way == ""
                inner = "%s/%s" % (way, name)
                if inner not in known or roots > 1:
                    raise Wrong("an element that portfw writes")
                xml_attributes(known[inner], XML_ATTRIBUTE.findall(attributes))
                if not empty:
                    way, open_text = inner, ""
        except Wrong as wrong:
            raise wrong.at("@%d" % at)
        at = part.end()
    if way or roots != 1:
        raise Wrong("a whole file")


def xml_attributes(rules, found):
    held = {name: xml_text(value) for name, value in found}
    if len(held) != len(found) or [name for name in rules if name and name[-1] != "?" and name not in held]:
        raise Wrong("each attribute once")
    for name, value in held.items():
        rule = rules.get(name) or rules.get(name + "?")
        if rule is None:
            raise Wrong("an attribute that portfw writes").at("." + name)
        rule(value)


def file_rule(value):
    record(path=text(OUR_FILE.pattern, "the path of a file of portfw"), text=XML_FILE)(value)
    try:
        if len(value["text"].encode()) > MOST_FILE_BYTES:
            raise Wrong("at most %d bytes" % MOST_FILE_BYTES)
        xml_rule(value["path"].split("/")[0], value["text"])
    except Wrong as wrong:
        raise wrong.at(".text")


def two_addresses(fields, first, second):
    """A record with two addresses of one family."""

    def rule(value):
        record(**fields)(value)
        import ipaddress  # takes 20 ms, and few operations need it

        try:
            if ipaddress.ip_address(value[first]).version == ipaddress.ip_address(value[second]).version:
                return
        except ValueError:
            pass
        raise Wrong("two addresses of one family")

    return rule


XML_FILE = text(r"[^\ud800-\udfff]{1,%d}" % MOST_BYTES, "a text")
# A value that cannot be read back would make the host's state unreadable (facts/state.ts).
REMEMBERED = text(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", "a name")
MOMENT = text(r"[0-9TZ:.+-]{1,64}", "a time")
STATE_TEXT = record(format=one_of(1), matrix=REMEMBERED, roles=list_of(REMEMBERED, 1000), generation=RUN, appliedAt=MOMENT)
NOTHING = list_of(one_of(), 0)
ZONE_RULE = record(
    name=OUR_ZONE,
    short=DESCRIPTION,
    description=DESCRIPTION,
    target=TARGET,
    interfaces=list_of(INTERFACE),
    services=list_of(OUR_NAME),
    richRules=list_of(RICH_RULE, MOST_ITEMS),
    forward=one_of(False),
    masquerade=one_of(False),
    icmpBlockInversion=one_of(False),
    **{name: NOTHING for name in ("sources", "ports", "protocols", "sourcePorts", "icmpBlocks", "forwardPorts")}
)
ONE_PORT = number(1, 65535)
SERVICE_RULE = record(
    name=OUR_NAME,
    short=DESCRIPTION,
    description=DESCRIPTION,
    ports=list_of(record(protocol=TRANSPORT, range=record(first=ONE_PORT, last=ONE_PORT))),
    helpers=list_of(one_of(*sorted(HELPERS))),
    destination=record(ipv4=one_of(None), ipv6=one_of(None)),
    **{name: NOTHING for name in ("protocols", "sourcePorts", "modules", "includes")}
)
IPSET_OPTION = ELEMENTS["ipsets"]["/ipset/option"]
IPSET_RULE = record(
    name=OUR_NAME,
    short=DESCRIPTION,
    description=DESCRIPTION,
    type=ELEMENTS["ipsets"]["/ipset"]["type"],
    family=one_of("ipv4", "ipv6"),
    options=map_of(IPSET_OPTION["name"], IPSET_OPTION["value"]),
    entries=list_of(NETWORK, MOST_ITEMS),
)
FLOW = two_addresses({"protocol": one_of("tcp", "udp"), "opener": LINE, "address": LINE, "port": ONE_PORT}, "opener", "address")
ADDRESS = text("[0-9A-Fa-f.:]{2,45}", "an address")
WAY = two_addresses(
    {
        "interface": INTERFACE,
        "source": ADDRESS,
        "destination": ADDRESS,
        "protocol": one_of("tcp", "udp"),
        "port": ONE_PORT,
        "sourcePort": maybe(ONE_PORT),
    },
    "source",
    "destination",
)
CONNECTIONS = list_of(row(UUID, either(OUR_ZONE, one_of(""))))
RELEASES = list_of(record(zone=ZONE, interfaces=list_of(INTERFACE)))
FILES = list_of(file_rule)
FOREIGN = list_of(text(ZONE_FILE.pattern, "the path of a zone's file"))
# What the journal says of the run's origin: the controller's run and its line there, the plan, and who signed it.
AUDIT = record(
    run=maybe(RUN),
    plan=maybe(HASH),
    file=maybe(HASH),
    signers=list_of(LINE, 32),
    journal=maybe(record(id=HASH, seq=number(1, 10**12), digest=HASH)),
)
BEGINNING = {"id": RUN, "holder": LINE, "what": LINE, "window": WINDOW, "audit": AUDIT}
CHANGE = dict(
    BEGINNING, confirm=one_of("auto", "manual"), observedHash=HASH, files=FILES, foreign=FOREIGN, state=maybe(STATE_TEXT)
)
OF_A_RUN = {"id": RUN}
# The names of our objects, and their settings, by kind.
ADMITTED = {"zones": (OUR_ZONE, ZONE_RULE), "services": (OUR_NAME, SERVICE_RULE), "ipsets": (OUR_NAME, IPSET_RULE)}

SCHEMA = {
    "begin": dict(CHANGE, reload=FLAG, reloadSeconds=number(0, 3600), calls=list_of(call_rule, MOST_ITEMS)),
    "start": dict(
        CHANGE, deletions=list_of(text(OUR_FILE.pattern, "the path of a file of portfw")), edits=RELEASES, connections=CONNECTIONS
    ),
    "permanent": {
        "id": RUN,
        **{folder: map_of(*ADMITTED[folder]) for folder in OUR_FOLDERS},
        "releases": RELEASES,
        "deletions": list_of(row(one_of(*OUR_OBJECTS), OUR_NAME)),
        "connections": CONNECTIONS,
    },
    "hold": OF_A_RUN,
    "keep": OF_A_RUN,
    "confirm": {"id": maybe(RUN), "holder": LINE},
    "settle": {"id": RUN, "why": NOTE},
    "rollback": dict(
        BEGINNING,
        generation=RUN,
        observedHash=maybe(HASH),
        permanentHash=HASH,
        confirm=one_of("auto"),
        reloadSeconds=number(0, 3600),
    ),
    "cut-flows": {"holder": LINE, "flows": list_of(FLOW, 10000)},
    "rehearse": {
        "starts": FLAG,
        "reload": FLAG,
        "files": FILES,
        "ours": FILES,
        "edits": RELEASES,
        "calls": list_of(call_rule, MOST_ITEMS),
        "connections": CONNECTIONS,
        "ways": list_of(WAY, 64),
        "listen": list_of(ONE_PORT, 64),
    },
    "look-rollback": {"generation": maybe(RUN)},
    "rehearse-rollback": {"generation": maybe(RUN), "ways": list_of(WAY, 64), "listen": list_of(ONE_PORT, 64)},
    "history": {},
    "journal": {},
    "status": {},
}


def short_number(digits):
    """A short whole number; NaN, infinity and very long numbers are refused."""
    if len(digits) > 15 or not digits.lstrip("-").isdigit():
        raise ValueError("not a number")
    return int(digits)


def admitted(data):
    """The request in some bytes, if it is valid for its operation. Raises Stop."""
    try:
        if len(data) > MOST_BYTES:
            raise Wrong("at most %d bytes" % MOST_BYTES)
        try:
            request = json.loads(data.decode(), parse_constant=short_number, parse_float=short_number, parse_int=short_number)
        except (ValueError, RecursionError):
            raise Wrong("a JSON document")
        operation = request.get("operation") if isinstance(request, dict) else None
        if not isinstance(operation, str) or operation not in SCHEMA:
            raise Wrong("a known operation")
        record(operation=one_of(operation), **SCHEMA[operation])(request)
        return request
    except Wrong as wrong:
        raise Stop(kind="refused", why="the request%s: expected %s" % (wrong.place, wrong))
