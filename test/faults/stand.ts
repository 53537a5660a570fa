import { readFileSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { placeAdminFiles } from '../integration/helpers/admin-files.ts';
import { denyMethods } from '../integration/helpers/saboteur.ts';
import { AWAIT_FIREWALLD, RESTART_FIREWALLD, START_FIREWALLD } from '../lab/firewalld.ts';
import type { LabHost } from '../lab/host.ts';
import type { Lab } from '../lab/lab.ts';
import { Controller } from './controller.ts';
import { type Builds, HOLD_FOLDER } from './instrument.ts';
import { ANSWER, enable, type Kind } from './kinds.ts';
import { CUT_TABLE, loginFails, look, type State } from './state.ts';
import { CLOSED, OutsideWatch } from './watch.ts';
import type { Inventories } from './wishes.ts';

/** The three ways in which a run changes a host: its first configuration, a further one, a return to an older one. */
export const SCENARIOS = ['first', 'change', 'rollback'] as const;
export type Scenario = (typeof SCENARIOS)[number];

/** A host's configuration before a run and after one that nothing disturbed. */
export interface References {
  readonly old: State;
  /** The same after a boot: what others had set at runtime only is gone, as it is without portfw. */
  readonly oldBooted: State;
  readonly new: State;
  readonly newBooted: State;
}

/** A port that is open at runtime only, in a foreign zone. */
const THEIRS = '7999';
/** Lines about it, or about the port that a foreign hand opens during a run. */
export const RUNTIME_ONLY = /\b(?:7999|9555)\b/;
const BASELINES = '/root/faults';

/** Whatever a fault may have left, and then the configuration of a baseline, with nothing of any run. */
const RESET = `
baseline=$1 theirs=$2
rm -f ${HOLD_FOLDER}/*
[ ! -e /etc/dbus-1/system.d/zz-lab.conf ] || { rm /etc/dbus-1/system.d/zz-lab.conf; busctl call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus ReloadConfig >/dev/null; }
nft delete table inet ${CUT_TABLE} 2>/dev/null || true
for pid in $(pgrep -f '/var/lib/portfw/guard/|exec[(]compile[(]PROGRAM' || true); do kill -KILL "$pid" 2>/dev/null || true; done
units=$(systemctl list-units --all --plain --no-legend 'portfw-*' | cut -d' ' -f1)
[ -z "$units" ] || systemctl stop $units || true
[ -z "$units" ] || systemctl reset-failed $units 2>/dev/null || true
rm -f /etc/systemd/system/*portfw-* /etc/systemd/system/*.wants/*portfw-*
[ -z "$units" ] || systemctl daemon-reload
pkill -KILL -x firewalld || true
systemctl stop firewalld.service
for folder in /etc/firewalld /var/lib/portfw /etc/systemd/system; do
  while mountpoint -q $folder; do umount -l $folder; done
done
while mountpoint -q /mnt; do umount -l /mnt; done
for table in 'inet portfw_hold' 'inet firewalld' 'ip firewalld' 'ip6 firewalld' 'inet firewalld_policy_drop' 'ip filter' 'ip6 filter' 'ip mangle' 'ip6 mangle' 'ip raw' 'ip6 raw' 'ip security' 'ip6 security' 'ip6 nat'; do
  nft delete table $table 2>/dev/null || true
done
rm -rf /etc/firewalld /var/lib/portfw /run/portfw
tar -x -p -C / -f ${BASELINES}/$baseline.tar
while read -r uuid zone; do nmcli connection modify "$uuid" connection.zone "$zone"; done <${BASELINES}/$baseline.connections
systemctl reset-failed firewalld.service ssh.service 2>/dev/null || true
systemctl is-active --quiet ssh.service || systemctl start ssh.service
mkdir -p ${HOLD_FOLDER}
${START_FIREWALLD}`;

/** Ends with 0 when the host is quiet, with 9 after so many tenths of a second. */
const QUIET = `
n=0
while set -- "$1" /run/portfw/loc[k] /var/lib/portfw/guard/*; [ -e "$2" ] || { [ $# -gt 2 ] && [ -e "$3" ]; }; do
  n=$((n + 1)); [ $n -lt "$1" ] || exit 9
  sleep 0.1
done`;

/** NetworkManager tells a firewalld that has just started where the interfaces belong. */
const AWAIT_CONNECTIONS = `
while read -r uuid zone; do
  [ -n "$zone" ] || continue
  device=$(nmcli -g connection.interface-name connection show "$uuid")
  n=0
  until busctl call org.fedoraproject.FirewallD1 /org/fedoraproject/FirewallD1 org.fedoraproject.FirewallD1.zone getZoneOfInterface s "$device" | grep -q ""$zone""; do
    n=$((n + 1)); [ $n -lt 100 ] || { echo 'NetworkManager does not tell firewalld' >&2; exit 1; }
    sleep 0.1
  done
done <${BASELINES}/$baseline.connections`;

const ADD_THEIRS = `busctl call org.fedoraproject.FirewallD1 /org/fedoraproject/FirewallD1 org.fedoraproject.FirewallD1.zone addPort sssi office ${THEIRS} tcp 0 >/dev/null`;

/** A second interface that keeps its name when the host starts again; the engine gives its own in any order. */
const LINKS = '/usr/local/sbin/lab-links';
const PRIVATE_LINK = `
ip link add private0 type veth peer name private1
ip address add 198.51.100.11/24 dev private0
ip link set private0 up
ip link set private1 up`;
const PRIVATE_UNIT = `[Unit]
DefaultDependencies=no
Before=network-pre.target firewalld.service
Wants=network-pre.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -eu ${LINKS}
[Install]
WantedBy=sysinit.target
`;

/** One host of the suite: its baselines and references, and the runs against it. */
export class Stand {
  readonly host: LabHost;
  readonly lab: Lab;
  readonly builds: Builds;
  readonly inventories: Inventories;
  readonly kind: Kind;
  readonly #references = new Map<Scenario, References>();
  readonly #key: string;

  constructor(lab: Lab, host: LabHost, builds: Builds, inventories: Inventories, kind: Kind) {
    this.lab = lab;
    this.kind = kind;
    this.host = host;
    this.builds = builds;
    this.inventories = inventories;
    this.#key = readFileSync(lab.privateKeyFile, 'utf8');
  }

  /** Makes the baselines, and takes the references from runs that nothing disturbs. */
  async prepare(scenarios: readonly Scenario[] = SCENARIOS): Promise<void> {
    const { host } = this;
    await host.writeFile(LINKS, `${PRIVATE_LINK}\n${this.kind.links?.(host) ?? ''}\n`);
    await host.writeFile('/etc/systemd/system/lab-private.service', PRIVATE_UNIT);
    // As at a boot, NetworkManager comes after the links: it would take the address of one that it sees without, and so as its own.
    const manager = this.kind.host?.networkManager === true ? 'NetworkManager.service' : '';
    await host.sh(
      `systemctl daemon-reload
      [ -z "$1" ] || systemctl stop "$1"
      systemctl enable --now --quiet lab-private.service
      [ -z "$1" ] || systemctl start "$1"`,
      manager,
    );
    await host.writeFile('/tmp/clock.py', HOST_CLOCK);
    await host.sh(
      `for file in /etc/python3.*/sitecustomize.py; do cat /tmp/clock.py >>"$file"; done; ${RESTART_FIREWALLD}`,
    );
    await enable(host, 'lab-answer', ANSWER, `PROGRAM ${CLOSED.join(' ')}`);
    // It would lock out whoever connects and does not log in, as the watch does.
    if (host.name === 'young')
      await host.sh('echo "PerSourcePenalties no" >/etc/ssh/sshd_config.d/zz-watch.conf; systemctl reload ssh.service');
    await host.writeFile(
      `${BASELINES}/reset.sh`,
      `${this.kind.takeAway === undefined ? '' : `(${this.kind.takeAway}\n) 2>/dev/null || true`}\n${RESET}\n${AWAIT_CONNECTIONS}\n[ -z "$theirs" ] || ${ADD_THEIRS}\n`,
    );
    await placeAdminFiles(host);
    await this.kind.furnish?.(host, this.lab);
    const far = this.#far();
    if (this.kind.sshFromAfar === true) {
      await far!.machine.writeFile('/root/key', this.#key, '600');
      await appendFile(this.lab.knownHostsFile, host.hostKeys.map((key) => `${far!.address} ${key}\n`).join(''));
    }
    await this.#saveBaseline('first');
    await this.#refer('first', ['apply', this.inventories.first]);
    if (!scenarios.includes('change') && !scenarios.includes('rollback')) return;
    // The host is where that run has brought it.
    await this.#saveBaseline('change');
    if (scenarios.includes('change')) await this.#refer('change', ['apply', this.inventories.change]);
    if (scenarios.includes('rollback')) await this.#refer('rollback', ['rollback', this.inventories.first]);
  }

  references(scenario: Scenario): References {
    const found = this.#references.get(scenario);
    if (found === undefined) throw new Error(`No references for ${scenario}`);
    return found;
  }

  /** Brings the host back to where a scenario begins. */
  async reset(scenario: Scenario): Promise<void> {
    await this.#load(scenario === 'first' ? 'first' : 'change', true);
    await this.kind.bring?.(this.host);
  }

  /** Begins to look at the host from outside. */
  watch(): Promise<OutsideWatch> {
    return OutsideWatch.start(this.host, this.kind.sshFromAfar !== true, this.#far());
  }

  #far() {
    return this.kind.far?.(this.host, this.lab) ?? null;
  }

  /** The command's arguments of a scenario's run. */
  runOf(scenario: Scenario): readonly string[] {
    return scenario === 'rollback' ? ['rollback', this.inventories.first] : ['apply', this.inventories[scenario]];
  }

  /** What brings the host to where it ought to be after a scenario, whatever came of the run. */
  convergence(scenario: Scenario): { readonly inventory: string; readonly wanted: readonly State[] } {
    const { old, oldBooted, new: changed, newBooted } = this.references(scenario);
    return scenario === 'rollback'
      ? { inventory: this.inventories.first, wanted: [oldBooted, old] }
      : { inventory: this.inventories[scenario], wanted: [newBooted, changed] };
  }

  start(main: string, args: readonly string[], window: number, shiftable = false): Controller {
    const guard = ['--yes', '--revert-after', `${window}s`, '--limit', this.host.name];
    return new Controller(main, [...args, ...guard], shiftable);
  }

  /** Asks the next run that reaches a boundary to wait there. */
  async hold(step: string): Promise<void> {
    await this.host.run('touch', `${HOLD_FOLDER}/hold-${step.replaceAll(' ', '-')}`);
  }

  /** Waits until a run waits at a boundary; returns its process, or `null` when it ended before or time was up. */
  async held(step: string, ended: Promise<unknown>, seconds: number): Promise<number | null> {
    const file = `${HOLD_FOLDER}/held-${step.replaceAll(' ', '-')}`;
    const waiting = this.host.exec([
      '/bin/sh',
      '-c',
      'timeout "$2" sh -c \'until [ -s "$0" ]; do sleep 0.05; done\' "$1" && cat "$1"',
      'sh',
      file,
      String(seconds),
    ]);
    const first = await Promise.race([waiting, ended.then(() => null)]);
    const { exitCode, stdout } = first ?? (await this.host.exec(['cat', file]));
    return exitCode === 0 ? Number(stdout) : null;
  }

  /** Waits until nothing is armed and no lock is held, at a glance: the close look costs more. Gives up in time. */
  async awaitQuiet(deadline: number): Promise<void> {
    // One program on the host that waits costs far less than asking again and again; a host that goes down ends it.
    for (let left = deadline - performance.now(); left > 0; left = deadline - performance.now()) {
      const { exitCode } = await this.host.exec(['/bin/sh', '-c', QUIET, 'sh', String(Math.ceil(left / 100))]);
      if (exitCode === 0 || exitCode === 9) return;
      await pause(0.2);
    }
  }

  /** What the host's administrators do when firewalld was killed, stopped or hangs: they start it. */
  async startFirewalld(watch: OutsideWatch): Promise<void> {
    const from = performance.now();
    const did = await this.host.sh(`
      systemctl kill --signal=CONT firewalld.service 2>/dev/null || true
      systemctl is-active --quiet firewalld.service || {
        echo started
        pkill -KILL -x firewalld || true
        for table in 'inet firewalld' 'ip firewalld' 'ip6 firewalld'; do nft delete table $table 2>/dev/null || true; done
        systemctl reset-failed firewalld.service 2>/dev/null || true
        ${START_FIREWALLD}
      }
      ${AWAIT_FIREWALLD}`);
    // The host's own people do not hold the old rules meanwhile.
    if (did !== '') watch.excuseOpen(from, performance.now());
  }

  /** Gets the host going again after the suite itself has stumbled, whether it was paused or switched off. */
  async standUp(): Promise<void> {
    await this.host.unpause().catch(() => undefined);
    await this.host.powerOn().catch(() => undefined);
    await this.release();
  }

  async release(): Promise<void> {
    await this.host.exec(['/bin/sh', '-c', `rm -f ${HOLD_FOLDER}/hold-*`]);
  }

  /** Switches the host on. What is wrong with its boot is seen by the looks that follow; here it only has to come up. */
  async powerOn(): Promise<void> {
    await this.host.powerOn().catch(() => this.host.awaitBoot().catch(() => undefined));
  }

  /** Starts firewalld anew, with what others have at runtime and in the kernel only: a sandboxed one sees no mount made after its start. */
  async restartFirewalld(): Promise<void> {
    await this.host.sh(`${RESTART_FIREWALLD}\n${ADD_THEIRS}`);
    if (this.kind.host?.networkManager === true) await pause(3);
    await this.kind.bring?.(this.host);
  }

  /** Makes the system bus turn reloads away, root's too, until {@link allowReload}. */
  denyReload(): Promise<void> {
    return denyMethods(this.host, 'reload');
  }

  allowReload(): Promise<void> {
    return denyMethods(this.host);
  }

  async loginFails(): Promise<string | null> {
    if (this.kind.sshFromAfar === true) {
      const { machine, address } = this.#far()!;
      const options = ['BatchMode=yes', 'StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'ConnectTimeout=4'];
      const flags = options.flatMap((option) => ['-o', option]);
      const { exitCode, stderr } = await machine.exec(['ssh', '-i', '/root/key', ...flags, `root@${address}`, 'true']);
      return exitCode === 0 ? null : stderr;
    }
    return loginFails(this.host.publicAddress, this.#key);
  }

  async #load(baseline: string, withTheirs: boolean): Promise<void> {
    // From a file: its own command line must not hold the words by which it finds the processes of runs.
    await this.host.run('/bin/sh', '-eu', `${BASELINES}/reset.sh`, baseline, withTheirs ? 'theirs' : '');
  }

  async #saveBaseline(name: string): Promise<void> {
    await this.host.sh(
      `mkdir -p ${BASELINES} /var/lib/portfw; tar -c -p -C / -f ${BASELINES}/$1.tar etc/firewalld var/lib/portfw`,
      name,
    );
    await this.host.sh(
      `: >${BASELINES}/$1.connections
      systemctl is-active --quiet NetworkManager.service || exit 0
      nmcli -t -f UUID,TYPE connection show --active | sed -n 's/:802-3-ethernet$//p' | while read -r uuid; do
        zone=$(nmcli -g connection.zone connection show "$uuid")
        echo "$uuid $zone"
      done >${BASELINES}/$1.connections`,
      name,
    );
  }

  async #refer(scenario: Scenario, run: readonly string[]): Promise<void> {
    await this.#load(scenario === 'first' ? 'first' : 'change', false);
    await this.host.sh(this.kind.boundAgain ?? ':');
    const oldBooted = await look(this.host);
    await this.host.sh(ADD_THEIRS);
    await this.kind.bring?.(this.host);
    const old = await look(this.host);
    await this.#mustEnd(run, 0);
    const changed = await look(this.host);
    await this.host.sh(`${this.kind.takeAway ?? ''}\n${RESTART_FIREWALLD}`);
    if (this.kind.host?.networkManager === true) await pause(3);
    await this.host.sh(this.kind.boundAgain ?? ':');
    const newBooted = await look(this.host);
    for (const [name, { firewalld, left }] of Object.entries({ old, oldBooted, changed, newBooted })) {
      if (firewalld !== 'RUNNING' || left.length > 0)
        throw new Error(`${this.host.name}, ${scenario}, ${name}: firewalld is ${firewalld}; left: ${left.join(', ')}`);
    }
    this.#references.set(scenario, { old, oldBooted, new: changed, newBooted });
  }

  async #mustEnd(run: readonly string[], exitCode: number): Promise<void> {
    const ended = await this.start(this.builds.plain, run, 120).ended;
    if (ended.exitCode !== exitCode)
      throw new Error(
        `${run.join(' ')} on ${this.host.name} ended with ${ended.exitCode}: ${JSON.stringify(ended.outcome)}\n${ended.stderr}`,
      );
  }
}

/** The clock as programs on the host see it, while a file there says by how many seconds it is off. */
const HOST_CLOCK = `

def _shift_clock():
    import time

    real_time, real_gmtime = time.time, time.gmtime

    def shift():
        try:
            with open("${HOLD_FOLDER}/clock") as handle:
                return int(handle.read() or 0)
        except (OSError, ValueError):
            return 0

    time.time = lambda: real_time() + shift()
    time.gmtime = lambda seconds=None: real_gmtime(real_time() + shift() if seconds is None else seconds)


_shift_clock()
`;

/** Waits, in seconds. */
export function pause(seconds: number): Promise<void> {
  return sleep(seconds * 1000);
}
