"""Alarm for a failed rollback: the previous rules are kept in force, and the host reports it until the rollback succeeds.

Comes after restore.py.
"""

METRICS = "/run/portfw/portfw.prom"
METRIC = """# HELP portfw_rollback_held A rollback waits until firewalld can be restored.
# TYPE portfw_rollback_held gauge
portfw_rollback_held{run="%(id)s"} 1
# HELP portfw_rollback_rules_in_force Whether the kernel has the previous rules meanwhile.
# TYPE portfw_rollback_rules_in_force gauge
portfw_rollback_rules_in_force{run="%(id)s"} %(inForce)d
"""


def raise_alarm(identity, error, attempt):
    """Restores the previous rules, and reports it in the run's record, the journal, the audit log and the metrics."""
    why = error.get_dbus_message() if hasattr(error, "get_dbus_message") else plain_error(error)
    try:
        in_force = fall_back(identity, attempt)
        if in_force is None:
            return
    except Exception as failed:
        in_force = False
        why = "%s; and the kernel's rules could not be restored: %s" % (why, plain_error(failed))
    known = held_run(identity)
    if known is not None and known["why"] == why and known["inForce"] == in_force:
        return
    mark = {"why": why[:2000], "inForce": in_force, "since": known["since"] if known else stamp()}
    write_public(held_path(identity), json.dumps(mark), 0o600)
    rules = "the previous rules are in force" if in_force else "the previous rules could NOT be restored"
    line = "rollback of run %s waits for firewalld: %s; %s; the host tries again" % (identity, rules, " ".join(why.split()))
    audit(line, "the host")
    tell_journal(line)
    write_public(METRICS, METRIC % {"id": identity, "inForce": in_force}, 0o644)


def all_clear(identity):
    """Ends the alarm of `raise_alarm`."""
    if os.path.exists(held_path(identity)):
        unlink_quietly(held_path(identity))
        unlink_quietly(METRICS)
        tell_journal("rollback of run %s: the host no longer waits for firewalld" % identity, "notice")


def tell_journal(line, level="crit"):
    if run(["logger", "-p", "daemon." + level, "-t", "portfw", "--", line], 5) != 0:
        given = re.sub(r"[\x00-\x1f]", " ", line).encode("utf-8", "replace")
        output_of(["systemd-cat", "-p", level, "-t", "portfw"], 5, given)


def write_public(path, text, mode):
    """Writes below /run, because the disk may be full or read-only. Metrics are readable for everybody; other files have mode 0600."""
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.chmod(os.path.dirname(path), 0o755)
        write_file(path, text.encode(), mode)
    except OSError as error:
        audit(plain_error(error), "the host")
