"""The end of the program that only reads: one JSON document about firewalld. Stands after observe.py."""


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
    sys.stdout.write(json.dumps(answer))


collect()
