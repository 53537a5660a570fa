"""The guard: the rollback, armed on the host before the first write, and the one decision to keep or to revert.

A run that may have to be put back has a record, GUARD/ID.armed. The decision is its renaming, to ID.keep or to ID.revert:
that is atomic, so one of two who try wins; it outlives a reboot; it needs no free space; and the name says what was decided.
Whoever finds ID.revert finishes the rollback, whoever finds ID.keep tidies up: both may be done twice.

Stands after arming.py.
"""

import fcntl

STRAY = re.compile(r"([0-9]{8}T[0-9]{6}Z-[0-9a-f]{6})(\.[a-z]+)?\Z")


def arm(request, observed):
    """The rollback, before anything is written: it stands and is seen to stand, or the run ends here."""
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
            # What a reload was measured to take: one that takes this long is busy, and does not hang.
            "reloadSeconds": request.get("reloadSeconds", 0),
            # What this run alone may make permanent.
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
    """The one decision. Returns the verdict that stands, and whether it was made here; None where nothing is pending."""
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
    """The end of a run that was decided: nothing of ours stays armed, and what happened is remembered."""
    record, _ = record_of(identity)
    remember_end(identity, verdict, by, why, record or {})
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
        pass  # no generation of that name any more: the record goes below
    forget(identity)


def forget(identity):
    """Takes down everything that stands for a run. The timer goes last but one: killed half way, it ends what is left here."""
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
            # A boot, or somebody's daemon-reload meanwhile, has loaded the units: systemd is to forget them too.
            systemctl("daemon-reload")
    else:
        unlink_quietly(cron_file(identity))
        for process in sleepers(identity):
            os.kill(process, signal.SIGKILL)
    unlink_quietly(guard_path(identity, "py"))
    try:
        # After a power cut nothing would take it away again.
        flush(GUARD)
    except OSError:
        pass  # there is no such folder, or nothing can be written there


def in_service(identity):
    try:
        return (timer_name(identity) + ".service").encode() in read_bytes("/proc/self/cgroup")
    except OSError:
        return False


def remember_end(identity, verdict, by, why, record):
    """For the next run, which says it: what became of this one, and who decided."""
    outcome = {"keep": "kept", "revert": "reverted"}[verdict]
    end = {"id": identity, "outcome": outcome, "by": by, "why": why, "at": stamp()}
    end.update({key: record.get(key) for key in ("what", "holder", "since")})
    audit("%s %s by %s%s" % (identity, outcome, by, ": " + why if why else ""), record.get("holder"))
    try:
        write_file(STATE + "/last.json", json.dumps(end).encode(), 0o600)
    except OSError:
        pass  # a full disk must not keep a run from its end


def audit(what, holder):
    """One line a decision in /var/lib/portfw/audit.log."""
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
    """Ends a pending run: back to what it saved, unless it was kept. The answer is an aftermath; raises where it fails."""
    verdict, _ = decide(identity, "revert")
    if verdict == "keep":
        finish(identity, "keep", by, why)
        return {"kind": "kept", "generation": identity}
    if verdict is None:
        forget(identity)
        return end_of(identity)
    free_reserves(identity)
    meta, files = load_generation(identity)
    # What others had set at runtime only is gone with a boot, and so is the lock: whoever settles afterwards, it stays gone.
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
    """What became of a run that is not pending any more."""
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
    """The rollback at once, from a step that failed here. Where it fails too, or may not end, the timer's service takes over."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        if isinstance(sys.exc_info()[1], Interrupted):
            # After the deadline's TERM comes KILL, in less time than a slow firewalld needs.
            decide(identity, "revert")
            start_now(identity)
        return settle_run(identity, by, why)
    except BaseException as error:
        text = error.get_dbus_message() if hasattr(error, "get_dbus_message") else plain_error(error)
        start_now(identity)
        return {"kind": "restore-failed", "generation": identity, "why": text}


def start_now(identity):
    """What the timer would start at the end of the window, which may be hours away. A sleeper sees the decision by itself."""
    if has_systemd():
        systemctl("start", "--no-block", timer_name(identity) + ".service")


def abandon(identity):
    """The end of a run that had not written anything yet."""
    decide(identity, "revert")
    forget(identity)
    remove_generation(identity)


def recover():
    """Ends what a run left that cannot end by itself any more. The caller holds the operation, so no step is under way."""
    for identity in pending_runs():
        record, suffix = record_of(identity)
        if suffix == "armed" and alive(identity, record):
            raise Stop(kind="locked", lock=holder_of_lock(), pending=pending_of(identity))
        try:
            settle_run(identity, "the next run", "its time was over and it had not ended")
        except Exception as error:
            why = error.get_dbus_message() if hasattr(error, "get_dbus_message") else plain_error(error)
            raise Stop(kind="failed", step="rolling back run %s" % identity, why=why, aftermath={"kind": "untouched"})
    if os.path.isdir(LOCK):
        # No record: the run ended before it had armed the rollback, and so before its first write.
        release_lock()
    for identity in strays():
        forget(identity)


def strays():
    """Runs without a record of which something stands all the same: killed while they armed the rollback, or tidied up."""
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
    """The program that was saved on the host: run by the timer, by the sleeper, or at boot. Returns the exit code."""
    if not ID.match(identity):
        return 2
    if mode == "boot":
        return settle_files(identity)
    if mode == "sleep" and not sleep_until_due(identity):
        # Decided and carried out; whoever did that may have been killed before it had taken all of this down.
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
            # A step that the window overtook may hang: it is not waited for. Where this run is over, another one's may be under way.
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
            # Others may have to work on the host, so that it can be put back.
            if handle is not None:
                os.close(handle)
                handle = None
            time.sleep(min(10, attempt))


def sleep_until_due(identity):
    """Sleeps until the window is over, or the run was decided. False where nothing is left to do."""
    began = time.clock_gettime(time.CLOCK_MONOTONIC)
    while True:
        record, suffix = record_of(identity)
        left = seconds_left(record) if suffix == "armed" else 0
        if suffix is None:
            if holder_of_lock().get("id") != identity:
                return False
            # The record comes right after this process; a run that does not get that far ends with its lock.
            left = began + 60 - time.clock_gettime(time.CLOCK_MONOTONIC)
        if left <= 0:
            return True
        time.sleep(min(0.5, max(0.01, left)))


def settle_files(identity):
    """Before firewalld starts: its files as they were. What is left is done when the daemon runs."""
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
    """The files are back before firewalld starts: it loads what was, and what the run had loaded is gone with the boot."""
    # The lock is gone after a boot; where it is there, somebody has started the unit by hand.
    if holder_of_lock().get("id") == identity or optional_daemon() is not None:
        return
    try:
        os.unlink(guard_path(identity, "reloaded"))
    except OSError:
        pass  # it was not there; or it stays, and the host is reloaded once more


def take_operation(patience):
    """The operation's lock; whoever holds it for longer than our patience, in seconds, is killed. None waits for ever."""
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
    """Kills a process and what it has started in its session, such as an nmcli that would go on after the rollback."""
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
    """The parent and the session of a process; None for both where it has ended."""
    try:
        words = read_bytes("/proc/%d/stat" % process).rsplit(b")", 1)[1].split()
        return int(words[1]), int(words[3])
    except (OSError, IndexError, ValueError):
        return None, None


