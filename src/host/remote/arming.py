"""What the rollback needs: the saved program, the timer, the units for the next boot, and free space on the disks.

Comes after restore.py.
"""

import subprocess

UNITS = "/etc/systemd/system"
CRON = "/etc/cron.d"
LARGEST_RESERVE = 4 * 1024 * 1024


def program_text():
    """The text of this program, as firewalld.sh passed it."""
    return globals()["PROGRAM"]


def rollback_command(identity, mode):
    """The command that runs the saved program, with firewalld's own interpreter."""
    first = read_bytes("/usr/sbin/firewalld").split(b"\n")[0].decode()
    return first[2:].split() + [guard_path(identity, "py"), mode, identity]


def has_systemd():
    return os.path.isdir("/run/systemd/system")


def systemctl(*arguments):
    return run(["systemctl"] + list(arguments), 20)


def timer_name(identity):
    return "portfw-revert-" + identity


def if_there(identity, command):
    """A rollback command that exits with 0 if its program is gone: else systemd would restart it for ever."""
    # The shell's text is fixed; systemd does not expand "$0" and "$@" inside a word.
    return ["/bin/sh", "-c", '[ ! -e "$0" ] || exec "$@"', guard_path(identity, "py")] + command


def start_timer(identity, window):
    command = ["systemd-run", "--quiet", "--collect", "--unit=" + timer_name(identity), "--on-active=%d" % window]
    command += ["--description=portfw: rolls the firewall back unless run %s is kept" % identity]
    # By default systemd may delay a timer by a minute. A failed rollback is retried without limit.
    command += ["--timer-property=AccuracySec=100ms"]
    # A rollback that hangs is restarted after an hour.
    for setting in ("Restart=on-failure", "RestartSec=2", "StartLimitIntervalSec=0", "RuntimeMaxSec=3600"):
        command.append("--property=" + setting)
    done = subprocess.run(
        command + if_there(identity, rollback_command(identity, "timer")),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=20,
    )
    if done.returncode != 0:
        raise RuntimeError("systemd-run: %s" % (done.stdout.decode("utf-8", "replace").strip() or done.returncode))


def start_sleeper(identity):
    """Without systemd: a process in its own session that sleeps until the window is over."""
    subprocess.Popen(
        rollback_command(identity, "sleep"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
    )


def sleepers(identity):
    """The processes that wait to roll back a run."""
    wanted = [part.encode() for part in rollback_command(identity, "sleep")[-3:]]
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                words = read_bytes("/proc/%s/cmdline" % name).rstrip(b"\0").split(b"\0")
            except OSError:
                continue
            if words[-3:] == wanted:
                found.append(int(name))
    return found


BOOT_UNIT = """[Unit]
Description=portfw: rolls back the files of the unfinished run %(id)s before firewalld reads them
DefaultDependencies=no
RequiresMountsFor=%(state)s %(etc)s /usr
After=local-fs.target
Before=firewalld.service NetworkManager.service network-pre.target shutdown.target
Conflicts=shutdown.target
ConditionPathExists=%(program)s

[Service]
Type=oneshot
TimeoutStartSec=60
ExecStart=%(command)s
"""

PROOF_UNIT = """[Unit]
Description=portfw: ends the unfinished run %(id)s after a boot
After=firewalld.service NetworkManager.service dbus.service
StartLimitIntervalSec=0
ConditionPathExists=%(program)s

[Service]
Type=simple
ExecStart=%(command)s
Restart=on-failure
RestartSec=2
RuntimeMaxSec=3600
"""


def boot_units(identity):
    """Name, template, mode of the program, and the target that wants the unit at boot (and only at boot)."""
    return (
        ("portfw-settle-%s.service" % identity, BOOT_UNIT, "boot", "sysinit.target"),
        ("portfw-prove-%s.service" % identity, PROOF_UNIT, "prove", "multi-user.target"),
    )


def write_boot_units(identity):
    for name, model, mode, target in boot_units(identity):
        command = " ".join(rollback_command(identity, mode))
        program = guard_path(identity, "py")
        text = model % {"id": identity, "state": STATE, "etc": ETC, "program": program, "command": command}
        write_file("%s/%s" % (UNITS, name), text.encode(), 0o644)
        wants = "%s/%s.wants" % (UNITS, target)
        os.makedirs(wants, mode=0o755, exist_ok=True)
        os.symlink("../" + name, "%s/%s" % (wants, name))
        flush(wants)


def cron_file(identity):
    # cron ignores files with a dot in the name.
    return "%s/portfw-settle-%s" % (CRON, identity)


def write_cron_entry(identity):
    if os.path.isdir(CRON):
        line = "@reboot root %s\n" % " ".join(rollback_command(identity, "prove"))
        write_file(cron_file(identity), line.encode(), 0o600)


def require_armed(identity):
    if not has_systemd():
        if not sleepers(identity):
            raise RuntimeError("the rollback process does not run")
        return
    if systemctl("is-active", "--quiet", timer_name(identity) + ".timer") != 0:
        raise RuntimeError("the rollback timer is not active")
    for name, _, _, target in boot_units(identity):
        if not os.path.exists("%s/%s.wants/%s" % (UNITS, target, name)):
            raise RuntimeError("the unit %s is missing" % name)


def reserve(identity, files):
    """Reserves space for the rollback on both file systems: the disk may be full when it is needed."""
    size = sum(len(item["bytes"]) + 4096 for item in files)
    for path in reserves(identity):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            rest = min(size + 65536, LARGEST_RESERVE)
            while rest > 0:
                # Random bytes, so that no file system compresses them.
                rest -= os.write(handle, os.urandom(min(rest, 65536)))
        finally:
            os.close(handle)


def reserves(identity):
    return ("%s/.portfw-reserve-%s" % (ETC, identity), guard_path(identity, "reserve"))


def free_reserves(identity):
    for path in reserves(identity):
        unlink_quietly(path)


def unlink_quietly(path):
    try:
        os.unlink(path)
    except OSError:
        pass
