"""The runs on the host that have not ended, and the holder of the lock. Changes nothing.

Comes after observe.py, also in the read-only program: such a run may still change the state that a plan is made from.
"""

import time

STATE = "/var/lib/portfw"
GUARD = STATE + "/guard"
LOCK = "/run/portfw/lock"
ID = re.compile(r"^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}\Z")
# A host needs at most so long to end a run; before that, a run whose window is over does not count as dead.
GRACE_SECONDS = 15
# The suffix of a record's file, and the decision that it means.
DECISIONS = {"armed": "open", "keep": "keep", "revert": "revert"}
LONGEST_SECONDS = 1000000000


def guard_path(identity, suffix):
    """The path of a run's file. All names of files, units and cron entries come from the id, so it is checked here."""
    if not ID.match(identity):
        raise RuntimeError("not the id of a run: %r" % identity)
    return "%s/%s.%s" % (GUARD, identity, suffix)


def held_path(identity):
    """Below /run, because the disk may be full or read-only."""
    return "%s/%s.held" % (os.path.dirname(LOCK), os.path.basename(guard_path(identity, "held"))[:-5])


def holder_of_lock():
    unknown = {"holder": "unknown", "since": "unknown", "id": "unknown"}
    try:
        holder = json.loads(read_bytes(LOCK + "/holder.json").decode("utf-8", "replace"))
    except (OSError, ValueError):
        return unknown
    return holder if isinstance(holder, dict) else unknown


def current_step():
    try:
        return read_bytes(LOCK + "/step").decode("utf-8", "replace")
    except OSError:
        return ""


def record_of(identity):
    for suffix in DECISIONS:
        try:
            record = json.loads(read_bytes(guard_path(identity, suffix)).decode())
        except (OSError, ValueError):
            continue
        if is_record(record):
            return record, suffix
    return None, None


def is_record(record):
    keys = ("holder", "what", "since", "confirm", "state")
    numbers = ("window", "armedAt")
    return (
        isinstance(record, dict)
        and all(key in record for key in keys)
        and all(isinstance(record.get(key), (int, float)) and 0 <= record[key] < LONGEST_SECONDS for key in numbers)
    )


def boot_id():
    try:
        return read_bytes("/proc/sys/kernel/random/boot_id").decode().strip()
    except OSError:
        return ""


def pending_runs():
    """The runs that have a record, decided or not."""
    try:
        names = os.listdir(GUARD)
    except OSError:
        return []
    found = {name.rsplit(".", 1)[0] for name in names if name.rsplit(".", 1)[-1] in DECISIONS}
    return sorted(identity for identity in found if ID.match(identity))


def seconds_left(record):
    # Monotonic time starts again at a boot, and no process of a run survives one.
    if record.get("boot", boot_id()) != boot_id():
        return -GRACE_SECONDS
    return record["armedAt"] + record["window"] - time.clock_gettime(time.CLOCK_MONOTONIC)


def alive(identity, record):
    """Whether a run still has time, or is just being ended. After a boot the lock is gone, and so is every run."""
    return holder_of_lock().get("id") == identity and seconds_left(record) > -GRACE_SECONDS


def pending_of(identity):
    record, suffix = record_of(identity)
    if record is None:
        return None
    return {
        "id": identity,
        "holder": str(record["holder"]),
        "what": str(record["what"]),
        "since": str(record["since"]),
        "confirm": "manual" if record["confirm"] == "manual" else "auto",
        "proved": os.path.exists(guard_path(identity, "proved")),
        "decision": DECISIONS[suffix],
        "secondsLeft": max(0, int(seconds_left(record) + 0.999)),
        "step": current_step(),
        "alive": alive(identity, record),
        "held": held_run(identity),
    }


def held_run(identity):
    """Why a failed rollback waits, since when, and whether the previous rules are in force; None if none waits."""
    try:
        mark = json.loads(read_bytes(held_path(identity)).decode())
    except (OSError, ValueError):
        return None
    if not isinstance(mark, dict):
        return None
    return {"why": str(mark.get("why", "")), "since": str(mark.get("since", "")), "inForce": mark.get("inForce") is True}


def unfinished():
    """The runs that have not ended, also with a damaged record, and whether a step is running."""
    seen = [pending_of(identity) or damaged(identity) for identity in pending_runs()]
    return {"runs": [run for run in seen if run is not None], "busy": busy()}


def damaged(identity):
    """A run with an unreadable record; None if it has ended in the meantime."""
    if not any(os.path.exists(guard_path(identity, suffix)) for suffix in DECISIONS):
        return None
    unknown = {"holder": "unknown", "what": "unknown", "since": "unknown", "confirm": "auto", "proved": False}
    return dict(unknown, id=identity, decision="open", secondsLeft=0, step=current_step(), alive=False)


def busy():
    """Whether a process holds the operation's lock. Does not try to take it: a waiting process could kill its holder."""
    try:
        handle = os.open(os.path.dirname(LOCK) + "/operation", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            return bool(holders_of(handle))
        finally:
            os.close(handle)
    except OSError:
        return False


def holders_of(handle):
    """The processes that hold the flock on an open file, as the kernel lists them."""
    status = os.fstat(handle)
    wanted = "%02x:%02x:%d" % (os.major(status.st_dev), os.minor(status.st_dev), status.st_ino)
    found = []
    for line in read_bytes("/proc/locks").decode().splitlines():
        words = line.split()
        # The line of a waiting process has an arrow as its second word.
        if len(words) >= 6 and words[1] == "FLOCK" and words[5] == wanted and int(words[4]) > 0:
            found.append(int(words[4]))
    return found
