"""Work in separate network and mount namespaces: invisible outside, and gone when the process ends.

Comes after flows.py.
"""

import ctypes
import resource
import select
import signal
import traceback

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
PR_SET_PDEATHSIG = 1
MOST_MEMORY = 3 * 1024 * 1024 * 1024
MOST_ANSWER = 256 * 1024 * 1024


def libc_call(name, *arguments):
    """Calls a function of the C library that returns -1 on failure. Raises OSError."""
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments) == -1:
        number = ctypes.get_errno()
        raise OSError(number, "%s: %s" % (name, os.strerror(number)))


def mount_on(source, target, kind, flags, options=""):
    libc_call("mount", source.encode(), os.fsencode(target), kind and kind.encode(), ctypes.c_ulong(flags), options.encode())


def enter_namespaces():
    """Moves this process into an empty network namespace and a private mount namespace. Raises OSError if not permitted."""
    try:
        libc_call("unshare", CLONE_NEWNET | CLONE_NEWNS)
    except OSError as error:
        raise OSError(error.errno, "a network namespace cannot be created: %s" % error.strerror)
    mount_on("none", "/", "", MS_REC | MS_PRIVATE)


def own_folder(path, size):
    """Mounts an empty folder in memory that only this mount namespace sees."""
    mount_on("portfw", path, "tmpfs", 0, "size=%d,mode=0700" % size)


def die_with(parent):
    """Makes this process end when its parent ends, also if the parent has ended before the call."""
    libc_call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


class Apart:
    """A child process that carries out `work` and answers with a JSON document; it dies with its parent."""

    def __init__(self, work, seconds):
        self.answer = b""
        self.end = time.clock_gettime(time.CLOCK_MONOTONIC) + seconds
        parent = os.getpid()
        self.pipe, writing = os.pipe()
        self.process = os.fork()
        if self.process != 0:
            os.close(writing)
            return
        try:
            die_with(parent)
            for number in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            os.setpgid(0, 0)
            resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
            with open("/proc/self/oom_score_adj", "w") as handle:
                handle.write("1000")
            try:
                document = work()
            except Exception as error:
                document = {"broken": plain_error(error), "trace": traceback.format_exc()[-4000:]}
            with os.fdopen(writing, "wb") as handle:
                handle.write(json.dumps(document).encode())
        finally:
            os._exit(0)

    def left(self):
        return self.end - time.clock_gettime(time.CLOCK_MONOTONIC)

    def read(self):
        """Reads more of its answer. True if that is complete, or will never be."""
        data = os.read(self.pipe, 1 << 20)
        self.answer += data
        return data == b"" or len(self.answer) > MOST_ANSWER

    def kill(self):
        try:
            os.killpg(self.process, signal.SIGKILL)
        except OSError:
            pass  # it has ended, or has no group of its own yet
        try:
            os.kill(self.process, signal.SIGKILL)
        except OSError:
            pass
        os.close(self.pipe)
        os.waitpid(self.process, 0)

    def document(self):
        """Its answer; None if it did not finish."""
        try:
            return json.loads(self.answer.decode())
        except ValueError:
            return None


def all_apart(works, seconds, most):
    """Runs several works, at most `most` at once. Returns their documents in order; None for one that did not end in time."""
    waiting, running, found = list(enumerate(works)), {}, [None] * len(works)
    try:
        while waiting or running:
            while waiting and len(running) < most:
                index, work = waiting.pop(0)
                running[index] = Apart(work, seconds)
            pipes = {one.pipe: index for index, one in running.items()}
            ready = select.select(list(pipes), [], [], max(0.0, min(one.left() for one in running.values())))[0]
            over = [index for pipe, index in pipes.items() if pipe in ready and running[index].read()]
            over += [index for index, one in running.items() if index not in over and one.left() <= 0]
            for index in over:
                one = running.pop(index)
                one.kill()
                found[index] = one.document()
    finally:
        for one in running.values():
            one.kill()
    return found
