"""The end of the program that carries out requests.

A request is a JSON document on standard input whose `operation` names what to do; the answer is one on standard output. No code
uses a request before door.py has checked it.
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
# Read-only operations; they take no lock.
QUESTIONS = {
    "history": history,
    "journal": journal,
    "status": status,
    "rehearse": rehearse,
    "look-rollback": look_rollback,
    "rehearse-rollback": rehearse_rollback,
}


class Interrupted(Exception):
    """The deadline of the run: it is undone."""


def interrupt(_number, _frame):
    raise Interrupted("stopped at the deadline of the run")


def carry_out(request):
    """Runs one operation at a time. It waits for an operation that a lost connection left running."""
    name = request["operation"]
    if name in QUESTIONS:
        return QUESTIONS[name](request)
    # Set by portfw-run, which hands on nothing else of the account's environment.
    if os.environ.get("PORTFW_PLAN_ONLY"):
        raise Stop(kind="plan-only")
    handle = take_operation(None)
    try:
        return OPERATIONS[name](request)
    finally:
        os.close(handle)


def main():
    try:
        request = admitted(sys.stdin.buffer.read(MOST_BYTES + 1))
        os.umask(0o022)
        # A lost connection must not stop a change half way.
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
        pass  # the connection is lost; `settle` will report the result


# The program saved on the host has a mode and a run as arguments; sent with a request, it has none.
if len(sys.argv) == 3:
    os.umask(0o022)
    sys.exit(settle_by_itself(sys.argv[1], sys.argv[2]))
main()
