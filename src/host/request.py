"""The end of the program that carries out requests.

A request is a JSON document on standard input whose `operation` names what to do; the answer, another one, goes to
standard output. Nothing that arrives is ever pasted into a command line.
"""

import fcntl

OPERATIONS = {
    "begin": begin,
    "permanent": permanent,
    "keep": keep,
    "settle": settle,
    "history": history,
    "rollback": rollback,
}


class Interrupted(Exception):
    """The deadline of the run: what was begun is undone."""


def interrupt(_number, _frame):
    raise Interrupted("stopped at the deadline of the run")


def one_at_a_time():
    """Waits for an operation that a lost connection left running; the answer of `settle` depends on its end."""
    os.makedirs(os.path.dirname(LOCK), mode=0o700, exist_ok=True)
    handle = os.open(os.path.dirname(LOCK) + "/operation", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX)
    return handle


def main():
    try:
        request = json.loads(sys.stdin.buffer.read().decode())
        os.umask(0o022)
        # A line that goes down must not stop half of a change.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, interrupt)
        handle = one_at_a_time()
        answer = OPERATIONS[request["operation"]](request)
        os.close(handle)
    except Stop as stop:
        answer = stop.document
    try:
        sys.stdout.write(json.dumps(answer))
        sys.stdout.flush()
    except BrokenPipeError:
        pass  # nobody listens any more; `settle` will tell


main()
