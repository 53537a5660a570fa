"""The kinds of objects of firewalld that portfw knows. The controller's list is in src/firewalld/kinds/kinds.ts; a test compares the two.

Stands after observe.py. Changes nothing.
"""


def zone_settings(dbus, zone):
    """A portfw zone as `update2` takes it. Fields that portfw zones never have are sent empty, so that they are removed."""
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


def service_settings(dbus, service):
    """A portfw service as `update2` takes it. Fields that portfw services never have are sent empty, so that they are removed."""
    strings = lambda items: dbus.Array(items, signature="s")
    ports = [(port_range(port["range"]), port["protocol"]) for port in service["ports"]]
    pairs = lambda items: dbus.Array([dbus.Struct(item, signature="ss") for item in items], signature="(ss)")
    return dbus.Dictionary(
        {
            "short": service["short"],
            "description": service["description"],
            "ports": pairs(ports),
            "helpers": strings(service["helpers"]),
            "modules": strings([]),
            "protocols": strings([]),
            "source_ports": pairs([]),
            "includes": strings([]),
            "destination": dbus.Dictionary({}, signature="ss"),
        },
        signature="sv",
    )


def port_range(ports):
    first, last = ports["first"], ports["last"]
    return str(first) if first == last else "%d-%d" % (first, last)


def ipset_settings(dbus, ipset):
    """A portfw ipset as `update` takes it."""
    return dbus.Struct(
        (
            "",
            ipset["short"],
            ipset["description"],
            ipset["type"],
            dbus.Dictionary(ipset["options"], signature="ss"),
            dbus.Array(ipset["entries"], signature="s"),
        ),
        signature=None,
    )


# By folder below /etc/firewalld, in the order in which objects are changed: what refers to others comes first.
# - object: what one is called in requests; also the element of its file, and firewalld's own module for such files
# - model: the class in that module
# - runtime: the daemon's interface for what runs, the call that lists all objects, and the one that reads the settings of one;
#   fields: the names of these settings, where the daemon answers with a tuple
# Of a kind that portfw writes, the daemon's permanent view:
# - permanent: the call that finds an object, its interface, and the calls that read, write and make one
# - signature: of its settings on D-Bus
# - settings: makes them of those in a request
KINDS = {
    "zones": {
        "object": "zone",
        "model": "Zone",
        "runtime": (".zone", "getZones", "getZoneSettings2"),
        "permanent": ("getZoneByName", ".config.zone", "getSettings2", "update2", "addZone2"),
        "signature": "a{sv}",
        "settings": zone_settings,
    },
    "services": {
        "object": "service",
        "model": "Service",
        "runtime": ("", "listServices", "getServiceSettings2"),
        "permanent": ("getServiceByName", ".config.service", "getSettings2", "update2", "addService2"),
        "signature": "a{sv}",
        "settings": service_settings,
    },
    "ipsets": {
        "object": "ipset",
        "model": "IPSet",
        "runtime": (".ipset", "getIPSets", "getIPSetSettings"),
        "fields": ("version", "short", "description", "type", "options", "entries"),
        "permanent": ("getIPSetByName", ".config.ipset", "getSettings", "update", "addIPSet"),
        "signature": "(ssssa{ss}as)",
        "settings": ipset_settings,
    },
    "policies": {
        "object": "policy",
        "model": "Policy",
        "runtime": (".policy", "getPolicies", "getPolicySettings"),
    },
}
OUR_FOLDERS = [folder for folder in KINDS if "settings" in KINDS[folder]]
OUR_OBJECTS = [KINDS[folder]["object"] for folder in OUR_FOLDERS]
FOLDER_OF = {KINDS[folder]["object"]: folder for folder in KINDS}
# What the daemon answers when it has no object of a name in its permanent view.
NO_OBJECT = "INVALID_(%s)" % "|".join(name.upper() for name in OUR_OBJECTS)


def settings_at_runtime(ask, folder, name):
    """An object's settings by firewalld's own names; `ask` calls the daemon."""
    interface, _, getter = KINDS[folder]["runtime"]
    found = ask(interface, getter, "s", name)
    fields = KINDS[folder].get("fields")
    return found if fields is None else dict(zip(fields, found))
