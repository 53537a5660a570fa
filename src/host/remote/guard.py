"""The guard: the rollback, armed on the host before the first write, and the single decision to keep or to revert.

A run that may have to be rolled back has a record, GUARD/ID.armed. Renaming it to ID.keep or ID.revert is the decision: a rename
is atomic, so only one of two attempts wins; it survives a reboot; it needs no free space; and the name shows the decision. A
process that finds ID.revert finishes the rollback, one that finds ID.keep cleans up: both may be done twice.

Comes after arming.py.
"""

import fcntl

STRAY = re.compile(r"([0-9]{8}T[0-9]{6}Z-[0-9a-f]{6})(\.[a-z]+)?\Z")


def arm(request, observed):
    """Arms the rollback before anything is written, and checks that it is armed; else the run ends here."""
    identity = request["id"]
    try:
        os.makedirs(GUARD, mode=0o700, exist_ok=True)
        os.chmod(GUARD, 0o700)
        write_file(guard_path(identity, "py"), program_text(), 0o600)
        reserve(identity, observed["files"])
        record = {
            "id": identity,
            "holder": request["holder"],
            "what": request["what"],
            "confirm": request["confirm"],
            "window": request["window"],
            "since": stamp(),
            "armedAt": time.clock_gettime(time.CLOCK_MONOTONIC),
            "boot": boot_id(),
            "state": request.get("state"),
            # The measured reload time: a reload that takes this long is busy and does not hang.
            "reloadSeconds": request.get("reloadSeconds", 0),
            "audit": request.get("audit"),
            # Only this run may make these permanent.
            "connections": [call[1:3] for call in request.get("calls", []) if call[0] == "move-connection"],
        }
        if has_systemd():
            start_timer(identity, request["window"])
            write_boot_units(identity)
        else:
            start_sleeper(identity)
            write_cron_entry(identity)
        write_file(guard_path(identity, "armed"), json.dumps(record).encode(), 0o600)
        require_armed(identity)
    except BaseException as error:
        forget(identity)
        if isinstance(error, (OSError, RuntimeError, subprocess.SubprocessError)):
            raise Stop(kind="failed", step="arming the rollback", why=plain_error(error), aftermath={"kind": "untouched"})
        raise


def decide(identity, verdict):
    """The single decision. Returns the valid verdict, and whether it was made here; None if nothing is pending."""
    try:
        os.rename(guard_path(identity, "armed"), guard_path(identity, verdict))
        flush(GUARD)
        return verdict, True
    except FileNotFoundError:
        for other in ("keep", "revert"):
            if os.path.exists(guard_path(identity, other)):
                return other, False
        return None, False


def finish(identity, verdict, by, why):
    """Ends a decided run: nothing stays armed, and the result is remembered. Returns why it is not in the journal, or None."""
    record, _ = record_of(identity)
    unwritten = remember_end(identity, verdict, by, why, record or {})
    if verdict == "keep":
        mark = "kept"
        needed = [identity] + pending_runs()
        for old in generation_ids()[:-KEPT_GENERATIONS]:
            if old not in needed:
                remove_generation(old)
    else:
        mark = "reverted"
    folder = "%s/%s" % (GENERATIONS, identity)
    try:
        os.rename(guard_path(identity, verdict), "%s/%s" % (folder, mark))
        flush(folder)
    except OSError:
        pass  # the generation is gone: the record is removed below
    forget(identity)
    return unwritten


def forget(identity):
    """Removes everything that was set up for a run. The timer is removed near the end: if this is killed half way, it does the rest."""
    held = holder_of_lock().get("id") == identity
    if held:
        release_lock()
    free_reserves(identity)
    if held or not os.path.isdir(LOCK):
        try:
            release_hold()
        except RuntimeError as error:
            audit(plain_error(error), "the host")
    for suffix in ("armed", "keep", "revert", "proved", "rules", "reloaded"):
        unlink_quietly(guard_path(identity, suffix))
    all_clear(identity)
    if has_systemd():
        for name, _, _, target in boot_units(identity):
            unlink_quietly("%s/%s.wants/%s" % (UNITS, target, name))
            unlink_quietly("%s/%s" % (UNITS, name))
        units = [timer_name(identity) + ".timer"]
        # The service may be the very process that runs here.
        if not in_service(identity):
            units.append(timer_name(identity) + ".service")
        systemctl("stop", "--quiet", *units)
        boot = [name for name, _, _, _ in boot_units(identity)]
        if output_of(["systemctl", "list-units", "--all", "--no-legend", "--plain"] + boot, 20):
            # A boot, or a daemon-reload by others, has loaded the units: systemd must forget them too.
            systemctl("daemon-reload")
    else:
        unlink_quietly(cron_file(identity))
        for process in sleepers(identity):
            os.kill(process, signal.SIGKILL)
    unlink_quietly(guard_path(identity, "py"))
    try:
        # Without this, they could come back after a power cut, and nothing would remove them.
        flush(GUARD)
    except OSError:
        pass  # the folder does not exist, or is not writable


def in_service(identity):
    try:
        return (timer_name(identity) + ".service").encode() in read_bytes("/proc/self/cgroup")
    except OSError:
        return False


def remember_end(identity, verdict, by, why, record):
    """Remembers how this run ended and who decided: the next run reports it, and the journal has it. Returns why it has not, or None."""
    outcome = {"keep": "kept", "revert": "reverted"}[verdict]
    end = {"id": identity, "outcome": outcome, "by": by, "why": why, "at": stamp()}
    end.update({key: record.get(key) for key in ("what", "holder", "since")})
    audit("%s %s by %s%s" % (identity, outcome, by, ": " + why if why else ""), record.get("holder"))
    try:
        write_file(STATE + "/last.json", json.dumps(end).encode(), 0o600)
    except OSError:
        pass  # a full disk must not prevent the end of a run
    return journal_run(identity, outcome, by, why, record)


def audit(what, holder):
    """Writes one line to /var/lib/portfw/audit.log."""
    line = " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\ud800-\udfff]", " ", "%s %s %s" % (stamp(), holder, what)).split())
    try:
        handle = os.open(STATE + "/audit.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        try:
            os.write(handle, (line + "\n").encode())
        finally:
            os.close(handle)
    except OSError:
        pass


def settle_run(identity, by, why="", attempt=1):
    """Ends a pending run: rolls it back, unless it was kept. Returns an aftermath; raises on failure."""
    verdict, _ = decide(identity, "revert")
    if verdict == "keep":
        finish(identity, "keep", by, why)
        return {"kind": "kept", "generation": identity}
    if verdict is None:
        forget(identity)
        return end_of(identity)
    free_reserves(identity)
    meta, files = load_generation(identity)
    # A boot removes foreign runtime-only settings, and the lock: after one, they are not restored.
    same_boot = holder_of_lock().get("id") == identity
    be_patient(attempt, (record_of(identity)[0] or {}).get("reloadSeconds", 0))
    try:
        proof = put_back(meta, files, with_runtime=same_boot)
    except Exception as error:
        raise_alarm(identity, error, attempt)
        raise
    if same_boot:
        give_back_noted(guard_path(identity, "rules"))
    finish(identity, "revert", by, why)
    return {"kind": "restored", "generation": identity, "by": by, "proof": proof, "differs": proof["differs"]}


def end_of(identity):
    """How a run ended that is not pending any more."""
    folder = "%s/%s" % (GENERATIONS, identity)
    if not os.path.isdir(folder):
        return {"kind": "untouched"}
    if os.path.exists(folder + "/kept"):
        return {"kind": "kept", "generation": identity}
    if os.path.exists(folder + "/reverted"):
        return {"kind": "restored", "generation": identity, "by": last_run().get("by", "the host")}
    return {"kind": "untouched"}


def last_run():
    try:
        end = json.loads(read_bytes(STATE + "/last.json").decode())
    except (OSError, ValueError):
        return {}
    return end if isinstance(end, dict) else {}


def undo(identity, why, by="the host"):
    """Rolls back at once, after a step failed here. If that fails too, or may not end in time, the timer's service continues."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        if isinstance(sys.exc_info()[1], Interrupted):
            # TERM at the deadline is followed by KILL, too soon for a slow firewalld.
            decide(identity, "revert")
            start_now(identity)
        return settle_run(identity, by, why)
    except BaseException as error:
        text = error.get_dbus_message() if hasattr(error, "get_dbus_message") else plain_error(error)
        start_now(identity)
        return {"kind": "restore-failed", "generation": identity, "why": text}


def start_now(identity):
    """Starts the timer's service now: the end of the window may be hours away. A sleeper notices the decision by itself."""
    if has_systemd():
        systemctl("start", "--no-block", timer_name(identity) + ".service")


def abandon(identity):
    """Ends a run that has not written anything yet."""
    decide(identity, "revert")
    forget(identity)
    remove_generation(identity)


def recover():
    """Ends dead runs. The caller holds the operation's lock, so no step is running."""
    for identity in pending_runs():
        record, suffix = record_of(identity)
        if suffix == "armed" and alive(identity, record):
            raise Stop(kind="locked", lock=holder_of_lock(), pending=pending_of(identity))
        try:
            settle_run(identity, "the next run", "its window was over and it had not ended")
        except Exception as error:
            why = error.get_dbus_message() if hasattr(error, "get_dbus_message") else plain_error(error)
            raise Stop(kind="failed", step="rolling back run %s" % identity, why=why, aftermath={"kind": "untouched"})
    if os.path.isdir(LOCK):
        # No record: the run ended before it armed the rollback, and so before its first write.
        release_lock()
    for identity in strays():
        forget(identity)


def strays():
    """Runs without a record that left something: killed while they armed the rollback or cleaned up."""
    found = set()
    for folder in (GUARD, ETC, UNITS, CRON):
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        ours = (STRAY.search(name) for name in names if folder == GUARD or "portfw-" in name)
        found.update(match.group(1) for match in ours if match)
    return sorted(found)


def settle_by_itself(mode, identity):
    """The entry point of the program that was saved on the host: run by the timer, by the sleeper, or at boot. Returns the exit code."""
    if not ID.match(identity):
        return 2
    if mode == "boot":
        return settle_files(identity)
    if mode == "sleep" and not sleep_until_due(identity):
        # Decided and carried out; the process that did it may have been killed before it cleaned up.
        take_operation(None)
        forget(identity)
        return 0
    by, why = ("boot", "the host was restarted") if mode == "prove" else ("timer", "it was not kept in time")
    record, suffix = record_of(identity)
    if mode != "prove" and suffix == "revert" and seconds_left(record) > 0:
        by, why = "the host", "it could not be rolled back at once"
    attempt, handle = 0, None
    while True:
        try:
            verdict, made_here = decide(identity, "revert")
            # A step that is still running at the end of the window may hang: do not wait. If this run is over, another run's step may be running.
            longest = max(60, 2 * RELOAD_FACTOR * (record or {}).get("reloadSeconds", 0))
            handle = take_operation(0 if made_here else None if verdict is None else longest)
            settle_run(identity, by, why, attempt + 1)
            if os.path.exists(guard_path(identity, "py")):
                raise RuntimeError("what was set up for the run cannot be removed")
            return 0
        except Exception as error:
            attempt += 1
            if attempt in (1, 2, 3, 10) or attempt % 100 == 0:
                audit("%s could not be rolled back, attempt %d: %s" % (identity, attempt, plain_error(error)), "the host")
            # Others may have to fix the host first.
            if handle is not None:
                os.close(handle)
                handle = None
            time.sleep(min(10, attempt))


def sleep_until_due(identity):
    """Sleeps until the window is over, or the run was decided. False if nothing is left to do."""
    began = time.clock_gettime(time.CLOCK_MONOTONIC)
    while True:
        record, suffix = record_of(identity)
        left = seconds_left(record) if suffix == "armed" else 0
        if suffix is None:
            if holder_of_lock().get("id") != identity:
                return False
            # The record is written right after this process starts; a run that does not get that far ends with its lock.
            left = began + 60 - time.clock_gettime(time.CLOCK_MONOTONIC)
        if left <= 0:
            return True
        time.sleep(min(0.5, max(0.01, left)))


def settle_files(identity):
    """Restores the files before firewalld starts. The rest is done when the daemon runs."""
    verdict, _ = decide(identity, "revert")
    if verdict == "revert":
        free_reserves(identity)
        meta, files = load_generation(identity)
        restore_files(files, meta["foreign"])
        remove_old_copies()
        nm_restore(meta.get("networkManager"))
        loaded_by_boot(identity)
    return 0


def loaded_by_boot(identity):
    """The files were restored before firewalld starts: it loads the old state, so no reload is needed later."""
    # The lock is gone after a boot; if it exists, the unit was started by hand.
    if holder_of_lock().get("id") == identity or optional_daemon() is not None:
        return
    try:
        os.unlink(guard_path(identity, "reloaded"))
    except OSError:
        pass  # it does not exist; or it stays, and there is one more reload


def take_operation(patience):
    """Takes the operation's lock; after `patience` seconds, its holder is killed. None waits for ever."""
    folder = os.path.dirname(LOCK)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    handle = os.open(folder + "/operation", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    end = None if patience is None else time.clock_gettime(time.CLOCK_MONOTONIC) + patience
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
        if end is not None and time.clock_gettime(time.CLOCK_MONOTONIC) >= end:
            for process in holders_of(handle):
                if process != os.getpid():
                    end_process(process)
        time.sleep(0.02)


def end_process(process):
    """Kills a process and its children in its session, such as an nmcli that would continue after the rollback."""
    ended = [process]
    session = relatives(process)[1]
    for name in os.listdir("/proc"):
        if name.isdigit() and session is not None and relatives(int(name)) == (process, session):
            ended.append(int(name))
    for one in ended:
        if one != os.getpid():
            try:
                os.kill(one, signal.SIGKILL)
            except OSError:
                pass  # it has ended by itself


def relatives(process):
    """The parent and the session of a process; None for both if it has ended."""
    try:
        words = read_bytes("/proc/%d/stat" % process).rsplit(b")", 1)[1].split()
        return int(words[1]), int(words[3])
    except (OSError, IndexError, ValueError):
        return None, None


