"""The end of the read-only program: one JSON document about firewalld. Comes after offline.py."""


def with_offline(answer):
    """Adds the state that it would have after a start, if known: the user may want it started."""
    try:
        return dict(answer, offline=shown(observe_offline()), unit=unit_state())
    except (Stop, OSError):
        return answer


def collect():
    try:
        answer = shown(observe(Daemon()))
    except Stop as stop:
        answer = stop.document
        if answer.get("kind") == "stopped":
            answer = with_offline(answer)
    # Read last: a run that changed what was just read is still listed, or has ended for good.
    sys.stdout.write(json.dumps(dict(answer, unfinished=unfinished())))


collect()
