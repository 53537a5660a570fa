"""The daemon's process: whether it answers, hangs or is busy; kill, stop and start.

Comes after in_place.py.
"""

import signal

# A daemon that does not answer for so long hangs, unless it is busy; a started one must be up after so long.
ANSWER_SECONDS, UP_SECONDS, BUSY_SECONDS = 6, 10, 120
# A reload counts as hanging after this multiple of its measured time.
RELOAD_FACTOR = 3


def be_patient(attempt, reload_seconds=0):
    """Raises the time limits: a daemon that reads its files for a minute must not be killed at every attempt."""
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
    """The daemon, or None if it does not run. A hanging one is killed: its rules stay until the next one starts."""
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
        # It may be a long reload: a minute with a hundred interfaces. A daemon killed during a reload leaves half a table.
        busy_for = time.clock_gettime(time.CLOCK_MONOTONIC) - began
        if optional_daemon() is None or work_of(process) == worked or busy_for > BUSY_SECONDS:
            break
    kill_daemon()
    return None


def work_of(process):
    """The CPU time of a process and its ended children."""
    try:
        words = read_bytes("/proc/%d/stat" % process).rsplit(b")", 1)[1].split()
        return [int(word) for word in words[11:15]]
    except (OSError, IndexError, ValueError):
        return None


def kill_daemon():
    """Kills firewalld at once. Unlike after a stop, its rules stay in force."""
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
    """The daemon if its service is just being started, as during a boot; else None."""
    for _ in range(200):
        if service_state("firewalld.service") != "activating":
            return optional_daemon()
        time.sleep(0.1)
        daemon = optional_daemon()
        if daemon is not None:
            return daemon
    return None


def service_state(unit):
    """The state of a systemd unit (active, activating, failed, ...); empty without systemd."""
    shown_state = output_of(["systemctl", "show", "--property=ActiveState", unit], 20)
    return "" if shown_state is None else shown_state.strip().split("=")[-1]


def is_stopped(process):
    """Whether a process is stopped by a signal: it will not answer."""
    try:
        return read_bytes("/proc/%d/stat" % process).rsplit(b")", 1)[1].split()[0] in (b"T", b"t")
    except (OSError, IndexError):
        return False


def why_not_running():
    """Why firewalld is not running properly: it may have died since the last check. None if it is."""
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
    """Refuses to begin with a hanging daemon: before the rollback is armed, nothing would end such a run."""
    why = why_not_running()
    if why is not None:
        raise Stop(kind="failed", step="looking again", why=why, aftermath={"kind": "untouched"})


def remove_tables():
    """Removes the rules that a failed or killed daemon left: a new one adds its own after them, and what was open would stay
    open. firewalld 0.9 also leaves a table that drops everything if it fails to load."""
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
