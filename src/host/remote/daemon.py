"""The daemon's process: whether it answers, hangs or is busy; its end, and its start.

Stands after in_place.py.
"""

import signal

# A daemon that has not answered for so long hangs, unless it is busy; and one that has been started is up.
ANSWER_SECONDS, UP_SECONDS, BUSY_SECONDS = 6, 10, 120
# Of what a reload was measured to take, before it is taken for hanging.
RELOAD_FACTOR = 3


def be_patient(attempt, reload_seconds=0):
    """One that reads its files for a minute must not be killed again and again while it does: each attempt waits longer."""
    global ANSWER_SECONDS, UP_SECONDS, BUSY_SECONDS
    factor = 2 ** min(max(attempt - 1, 0), 5)
    least = RELOAD_FACTOR * reload_seconds
    ANSWER_SECONDS, UP_SECONDS, BUSY_SECONDS = (max(seconds * factor, least) for seconds in (6, 10, 120))


def optional_daemon():
    try:
        return Daemon()
    except Stop:
        return None


def answering_daemon():
    """The daemon, or None where it is not there. One that hangs is killed: its rules stay until another takes its place."""
    daemon = optional_daemon() or starting_daemon()
    if daemon is None:
        return None
    try:
        process = daemon.process()
    except daemon.dbus.DBusException:
        return optional_daemon()  # it has ended since
    began = time.clock_gettime(time.CLOCK_MONOTONIC)
    while not is_stopped(process):
        worked = work_of(process)
        try:
            daemon.ping(ANSWER_SECONDS)
            return daemon
        except daemon.dbus.DBusException:
            pass
        # A long reload: with a hundred interfaces it takes a minute. One that is killed meanwhile leaves half a table.
        busy_for = time.clock_gettime(time.CLOCK_MONOTONIC) - began
        if optional_daemon() is None or work_of(process) == worked or busy_for > BUSY_SECONDS:
            break
    kill_daemon()
    return None


def work_of(process):
    """The time that a process has spent on a processor, with that of its children that have ended."""
    try:
        words = read_bytes("/proc/%d/stat" % process).rsplit(b")", 1)[1].split()
        return [int(word) for word in words[11:15]]
    except (OSError, IndexError, ValueError):
        return None


def kill_daemon():
    """Ends a firewalld that is in the way, at once. Unlike one that is stopped, it leaves its rules in force."""
    if has_systemd():
        run(["systemctl", "kill", "--signal=KILL", "firewalld.service"], 20)
    for _ in range(100):
        daemon = optional_daemon()
        if daemon is None:
            return
        try:
            os.kill(daemon.process(), signal.SIGKILL)
        except (OSError, daemon.dbus.DBusException):
            pass  # it has ended by itself
        time.sleep(0.05)
    raise RuntimeError("firewalld does not answer and cannot be killed")


def starting_daemon():
    """The daemon whose service is being started at this moment, as it is during a boot; None where it is not."""
    for _ in range(200):
        if service_state("firewalld.service") != "activating":
            return optional_daemon()
        time.sleep(0.1)
        daemon = optional_daemon()
        if daemon is not None:
            return daemon
    return None


def service_state(unit):
    """What systemd says of a unit (active, activating, failed, ...); an empty text without systemd."""
    shown_state = output_of(["systemctl", "show", "--property=ActiveState", unit], 20)
    return "" if shown_state is None else shown_state.strip().split("=")[-1]


def is_stopped(process):
    """Whether somebody has stopped a process: waiting for its answer would be in vain."""
    try:
        return read_bytes("/proc/%d/stat" % process).rsplit(b")", 1)[1].split()[0] in (b"T", b"t")
    except (OSError, IndexError):
        return False


def why_nobody_stands():
    """Why no daemon stands for the configuration: it may have died since anybody looked. None where one does."""
    daemon = optional_daemon()
    if daemon is None:
        return "firewalld no longer runs"
    try:
        if is_stopped(daemon.process()):
            return "firewalld hangs: its process is stopped"
        state = daemon.property("state")
    except daemon.dbus.DBusException as error:
        return "firewalld does not answer: %s" % daemon.error_text(error)
    return None if state == "RUNNING" else "firewalld is %s" % state


def require_answer():
    """Before the rollback is armed nobody would end a run that waits for a daemon which hangs: it does not begin."""
    why = why_nobody_stands()
    if why is not None:
        raise Stop(kind="failed", step="looking again", why=why, aftermath={"kind": "untouched"})


def remove_tables():
    """A daemon that failed or was killed leaves its rules behind, and one that is started adds its own after them: what was
    open would stay open. firewalld 0.9 also leaves a table that drops everything when it fails to load."""
    for table in TABLES + (DROP_TABLE,):
        run(["nft", "delete", "table"] + table.split())


def stop_firewalld():
    if has_systemd():
        run(["systemctl", "stop", "firewalld.service"])
    else:
        daemon = optional_daemon()
        if daemon is not None:
            os.kill(daemon.process(), signal.SIGTERM)
            for _ in range(100):
                if optional_daemon() is None:
                    break
                time.sleep(0.05)


def start_firewalld():
    if has_systemd():
        run(["systemctl", "reset-failed", "firewalld.service"])
        run(["systemctl", "start", "firewalld.service"], max(60, UP_SECONDS))
    else:
        run(["/usr/sbin/firewalld"])
