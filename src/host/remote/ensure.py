"""Starts a firewalld that does not run, with its planned configuration; the rollback stops it again.

The files are written before the start, so that the stock configuration never filters on its own. It is enabled for the next
boot only when the run is kept: until then, a reboot brings the old state back.

Comes after steps.py.
"""

START_SECONDS = 30
HELD_BACK = UNITS + "/firewalld.service.d/portfw-installing.conf"
# In the form of `direct_state`.
NO_DIRECT_RULES = {"chains": [], "rules": [], "passthroughs": []}


def start(request):
    """Lock, check for drift, save, arm the rollback, write all files, start. A failure rolls everything back."""
    identity = request["id"]
    if not has_systemd():
        raise Stop(kind="failed", step="start", why="systemd does not run on the host", aftermath={"kind": "untouched"})
    recover()
    take_lock(request)
    progress("locked")
    try:
        if optional_daemon() is not None:
            raise Stop(kind="drifted", hash="")
        observed = observe_offline()
        if observed["hash"] != request["observedHash"]:
            raise Stop(kind="drifted", hash=observed["hash"])
        end_installation()
        unit = unit_state()
        if unit.startswith("masked"):
            raise Stop(kind="drifted", hash=observed["hash"])
        bound = bound_by(request, observed["runtime"])
        require_released(observed, request["foreign"], bound)
        save(dict(observed, stopped={"enabled": unit == "enabled"}), NO_DIRECT_RULES, request)
    except BaseException:
        release_lock()
        raise
    step = "definitions"
    try:
        staged = stage_files(request["files"], identity)
        progress("staged")
        for temporary, path in staged:
            os.rename(temporary, path)
        for path in request["deletions"]:
            unlink_quietly(our_target(path))
        for edit in request["edits"]:
            step = "the file of zone %s" % edit["zone"]
            held, text = released_file(edit, bound, request["foreign"])
            write_file(target_of(held["path"]), text, int(held["mode"], 8), owner_of(held))
        progress("defined")
        step = "checking the configuration"
        why = loads()
        if why:
            raise RuntimeError(why)
        if why is None and run(["firewall-offline-cmd", "--check-config"], 60) != 0:
            raise RuntimeError("firewall-offline-cmd --check-config reports an error")
        step = "NetworkManager's connections"
        nm_keep(request["connections"], observed["networkManager"])
        step = "starting firewalld"
        progress("starting")
        with sparing_others(noted=guard_path(identity, "rules")):
            start_firewalld()
            await_running()
    except BaseException as error:
        why = plain_error(error)
        raise Stop(kind="failed", step=step, why=why, aftermath=undo(identity, "%s: %s" % (step, why)))
    progress("behaves")
    return {"kind": "begun", "generation": identity, "reloaded": False}


def end_installation():
    """Removes what a killed install.sh left: the condition that blocks firewalld's start, and perhaps an enabled unit."""
    if os.path.exists(HELD_BACK):
        systemctl("disable", "--quiet", "firewalld.service")
        os.unlink(HELD_BACK)
        systemctl("daemon-reload")


def await_running():
    end = time.clock_gettime(time.CLOCK_MONOTONIC) + START_SECONDS
    while time.clock_gettime(time.CLOCK_MONOTONIC) < end:
        daemon = optional_daemon()
        if daemon is not None:
            try:
                if daemon.property("state") == "RUNNING":
                    return
            except daemon.dbus.DBusException:
                pass  # it has its name on the bus, but is not ready yet
        time.sleep(0.1)
    raise RuntimeError("firewalld does not start within %d s" % START_SECONDS)
