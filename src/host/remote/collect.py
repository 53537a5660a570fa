"""The end of the program that only reads: one JSON document about firewalld. Stands after offline.py."""


def with_offline(answer):
    """What it would be if it were started, where that can be said: it may be asked for."""
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
    # Read last: a run that has changed what was just read is still there, or has ended for good.
    sys.stdout.write(json.dumps(dict(answer, unfinished=unfinished())))


collect()
