import type { LabHost } from '../../lab/host.ts';

const PRELUDE = `
import glob, os, signal, subprocess, time

def wait(*patterns):
    """Until a file of one of these patterns is there."""
    while not any(glob.glob(pattern) for pattern in patterns):
        time.sleep(0.002)

def reached(step):
    """Until the run on the host has come so far."""
    while True:
        try:
            if open(LOCK + "/step").read() == step:
                return
        except OSError:
            pass
        time.sleep(0.001)

def pids(*words):
    """Processes whose command line holds every one of these words, newest first."""
    found = []
    for folder in glob.glob("/proc/[0-9]*"):
        try:
            line = open(folder + "/cmdline", "rb").read().decode("utf-8", "replace").replace("\\0", " ")
        except OSError:
            continue
        if all(word in line for word in words) and int(folder[6:]) != os.getpid():
            found.append(int(folder[6:]))
    return sorted(found, reverse=True)

def run(*argv):
    return subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode

LOCK = "/run/portfw/lock"
WRITTEN = "/etc/firewalld/services/portfw-*.xml"
open("/tmp/saboteur.ready", "w").close()
`;

/**
 * Starts a Python program on a host that lies in wait, as a unit of its own, and returns once it runs. `wait(PATTERN…)`
 * blocks until a file is there; LOCK and WRITTEN are the run's lock and the first definitions that it writes.
 */
export async function sabotage(host: LabHost, program: string): Promise<void> {
  await callOff(host);
  await host.writeFile('/tmp/saboteur.py', `${PRELUDE}\n${program}\n`);
  await host.sh(`
    systemd-run --quiet --collect --unit=saboteur /usr/bin/python3 /tmp/saboteur.py
    until [ -e /tmp/saboteur.ready ]; do sleep 0.02; done`);
}

/** Ends what {@link sabotage} started. */
export async function callOff(host: LabHost): Promise<void> {
  await host.sh('systemctl stop saboteur.service 2>/dev/null || true; rm -f /tmp/saboteur.ready');
}

/**
 * Makes the system bus turn methods of firewalld away, root's calls too, as on a hardened host. Each is its interface and
 * name below firewalld's own (`reload`, `zone.addService`); without any, all pass again.
 */
export async function denyMethods(host: LabHost, ...methods: readonly string[]): Promise<void> {
  const denied = methods.map((method) => {
    const path = `org.fedoraproject.FirewallD1.${method}`.split('.');
    const member = path.pop();
    return `<deny send_interface="${path.join('.')}" send_member="${member}"/>`;
  });
  const file = '/etc/dbus-1/system.d/zz-lab.conf';
  if (denied.length === 0) await host.run('rm', '-f', file);
  else await host.writeFile(file, `<busconfig><policy context="mandatory">${denied.join('')}</policy></busconfig>\n`);
  const bus = ['org.freedesktop.DBus', '/org/freedesktop/DBus', 'org.freedesktop.DBus'];
  await host.run('busctl', 'call', ...bus, 'ReloadConfig');
}

/** Takes the service portfw-web-admin-public out of its zone again and again. */
export const TAKES_SERVICE_OUT = `
import dbus
wait(WRITTEN)
zone = dbus.Interface(dbus.SystemBus().get_object("org.fedoraproject.FirewallD1", "/org/fedoraproject/FirewallD1",
    introspect=False), "org.fedoraproject.FirewallD1.zone")
while True:
    try:
        zone.removeService("portfw-public", "portfw-web-admin-public", signature="ss")
    except dbus.DBusException:
        time.sleep(0.01)`;

/** Lets nobody log in from the moment the run has the lock until two seconds after its first step. */
export const STOPS_LOGINS_FOR_A_WHILE = `
wait(LOCK)
run("systemctl", "stop", "ssh.service")
while pids("python3", "exec(compile(PROGRAM"):
    time.sleep(0.01)
time.sleep(2)
run("systemctl", "start", "ssh.service")`;

/** Stops the run on the host right after it took the lock, until /tmp/saboteur.go is there. */
export const HOLDS_THE_RUN = `
wait(LOCK)
held = pids("python3", "exec(compile(PROGRAM")

def let_go(*_):
    for pid in held:
        os.kill(pid, signal.SIGCONT)
    os._exit(0)

signal.signal(signal.SIGTERM, let_go)
for pid in held:
    os.kill(pid, signal.SIGSTOP)
open("/tmp/saboteur.held", "w").close()
wait("/tmp/saboteur.go")
os.unlink("/tmp/saboteur.go")
os.unlink("/tmp/saboteur.held")
let_go()`;
