import type { LabHost } from '../lab/host.ts';

const PRELUDE = `
import glob, os, signal, subprocess, time

def wait(*patterns):
    """Until a file of one of these patterns is there."""
    while not any(glob.glob(pattern) for pattern in patterns):
        time.sleep(0.002)

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

/** Makes the system bus turn these methods of firewalld away, root's calls too, as a hardened host may; none: all pass. */
export async function denyMethods(host: LabHost, ...methods: readonly string[]): Promise<void> {
  const denied = methods.map(
    (method) => `<deny send_destination="org.fedoraproject.FirewallD1" send_member="${method}"/>`,
  );
  const file = '/etc/dbus-1/system.d/zz-lab.conf';
  if (denied.length === 0) await host.run('rm', '-f', file);
  else await host.writeFile(file, `<busconfig><policy context="mandatory">${denied.join('')}</policy></busconfig>\n`);
  await host.run('busctl', 'call', 'org.freedesktop.DBus', '/org/freedesktop/DBus', 'org.freedesktop.DBus', 'ReloadConfig');
}
