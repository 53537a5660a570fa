"""The end of the program that carries out requests.

A request is a JSON document on standard input whose `operation` names what to do; the answer, another one, goes to
standard output. Nothing looks at a request before door.py has let it in.
"""

OPERATIONS = {
    "begin": begin,
    "start": start,
    "permanent": permanent,
    "hold": hold,
    "keep": keep,
    "confirm": confirm,
    "settle": settle,
    "rollback": rollback,
    "cut-flows": cut_flows,
}
# These only look, and wait for nobody.
QUESTIONS = {"history": history, "status": status, "rehearse": rehearse, "rehearse-rollback": rehearse_rollback}


class Interrupted(Exception):
    """The deadline of the run: what was begun is undone."""


def interrupt(_number, _frame):
    raise Interrupted("stopped at the deadline of the run")


def carry_out(request):
    """One operation at a time: it waits for one that a lost connection left running, whose end decides its answer."""
    name = request["operation"]
    if name in QUESTIONS:
        return QUESTIONS[name](request)
    handle = take_operation(None)
    try:
        return OPERATIONS[name](request)
    finally:
        os.close(handle)


def main():
    try:
        request = admitted(sys.stdin.buffer.read(MOST_BYTES + 1))
        os.umask(0o022)
        # A line that goes down must not stop half of a change.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, interrupt)
        answer = carry_out(request)
    except Stop as stop:
        answer = stop.document
    try:
        sys.stdout.write(json.dumps(answer))
        sys.stdout.flush()
    except BrokenPipeError:
        pass  # nobody listens any more; `settle` will tell


# Saved on the host, the program is given a mode and a run; sent with a request, it has nothing but its own name.
if len(sys.argv) == 3:
    os.umask(0o022)
    sys.exit(settle_by_itself(sys.argv[1], sys.argv[2]))
main()
