import { PortWatch, type Sight } from '../integration/helpers/port-watch.ts';
import type { LabHost } from '../lab/host.ts';

/** TCP ports that are closed to the watch before, during and after every run of the suite, with a program listening. */
export const CLOSED = [3306, 7999, 8099, 9100] as const;
const SSH = 22;
/** Looks that were late, or a machine too busy to answer, prove nothing: a port counts as shut from its second miss on. */
const SECOND_MS = 1000;

/** Connects to ports that only another machine of the lab can reach: one line a look, by the clock that all of them share. */
const FAR = `
import socket, sys, threading, time
def look(address, port, lines):
    at = time.monotonic()
    one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    one.settimeout(0.45)
    try:
        one.connect((address, port))
        # A refusal that comes at the very moment can look like a success: only a connection has another end.
        one.getpeername()
        found = 1
    except OSError:
        found = 0
    one.close()
    lines.append("%.3f %d %d" % (at, port, found))
out = open(sys.argv[1], "w")
targets = [target.rsplit(":", 1) for target in sys.argv[2:]]
while True:
    began, lines = time.monotonic(), []
    threads = [threading.Thread(target=look, args=(address, int(port), lines)) for address, port in targets]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    out.write("".join(line + "\\n" for line in lines))
    out.flush()
    time.sleep(max(0, 0.5 - (time.monotonic() - began)))
`;

/** Ports behind a host, or inside of its tunnel, as another machine sees them. */
export interface FarSide {
  readonly machine: LabHost;
  readonly address: string;
  /** Must answer but for as long as SSH may be silent. */
  readonly ways: readonly number[];
  /** Must never answer. */
  readonly closed: readonly number[];
}

/** What was seen from outside during one drill. */
export interface Seen {
  /** How often each port was looked at. */
  readonly looks: number;
  /** The longest that a way in was shut, in seconds, outside of the times that the fault itself accounts for. */
  readonly shut: number;
  readonly problems: readonly string[];
}

type Span = readonly [from: number, to: number];

/**
 * Looks at a host from outside, twice a second, from before the run until after the next one: no port may ever be open that is
 * closed in the old configuration and in the new one, and SSH may not be shut for longer than the window.
 */
export class OutsideWatch {
  readonly #near: readonly { readonly name: string; readonly ports: PortWatch }[];
  readonly #far: FarSide | null;
  readonly #unit: string;
  readonly #open: Span[] = [];
  readonly #shut: Span[] = [];
  readonly #marks: { readonly name: string; readonly at: number }[] = [];

  private constructor(host: LabHost, sshFromHere: boolean, far: FarSide | null) {
    const { v4, v6 } = host.addresses.public!;
    const ports = [...(sshFromHere ? [SSH] : []), ...CLOSED];
    this.#near = [
      { name: 'IPv4', ports: new PortWatch(v4, ports) },
      ...(v6 === null ? [] : [{ name: 'IPv6', ports: new PortWatch(v6, [...CLOSED]) }]),
    ];
    this.#far = far;
    this.#unit = `watch-${host.name}`;
  }

  /** @param sshFromHere whether SSH is open to this machine, and not only to the far one */
  static async start(host: LabHost, sshFromHere: boolean, far: FarSide | null): Promise<OutsideWatch> {
    const watch = new OutsideWatch(host, sshFromHere, far);
    if (far !== null) {
      await far.machine.writeFile('/root/watch.py', FAR);
      const targets = [...far.ways, ...far.closed].map((port) => `${far.address}:${port}`);
      await far.machine.run(
        ...['systemd-run', '--quiet', '--collect', `--unit=${watch.#unit}`, '/usr/bin/python3', '/root/watch.py'],
        ...[`/run/${watch.#unit}`, ...targets],
      );
    }
    return watch;
  }

  /** The drill has come so far: what is seen from now on is said to have been after it. */
  mark(name: string): void {
    this.#marks.push({ name, at: performance.now() });
  }

  #when(at: number): string {
    const mark = this.#marks.filter((one) => one.at <= at).at(-1);
    return mark === undefined ? 'before the run' : `${((at - mark.at) / 1000).toFixed(1)} s after ${mark.name}`;
  }

  /** Somebody other than portfw laid the host open in that time. */
  excuseOpen(from: number, to: number): void {
    this.#open.push([from, to]);
  }

  /** Something other than the firewall kept everybody out in that time. */
  excuseShut(from: number, to: number): void {
    this.#shut.push([from, to]);
  }

  /** Ends the watch. @param seconds how long a way in may be shut */
  async end(seconds: number): Promise<Seen> {
    for (const { ports } of this.#near) ports.stop();
    const seen = [
      ...this.#near.map(({ name, ports }) => ({
        name,
        closed: CLOSED.map((port) => ({ port, sights: ports.sights(port) })),
        ways: name === 'IPv4' ? [{ port: SSH, sights: ports.sights(SSH) }] : [],
      })),
      ...(await this.#fromAfar()),
    ];
    const problems: string[] = [];
    let longest = 0;
    let looks = Number.POSITIVE_INFINITY;
    for (const { name, closed, ways } of seen) {
      for (const { port, sights } of closed) {
        looks = Math.min(looks, sights.length);
        const open = sights.filter((sight) => sight.open && !within(sight.at, this.#open));
        if (open.length > 0) {
          const when = open.slice(0, 3).map(({ at }) => this.#when(at));
          problems.push(`port ${port} was open from outside (${name}) in ${open.length} looks: ${when.join(', ')}`);
        }
      }
      for (const { port, sights } of ways) {
        const shut = longestShut(sights, this.#shut);
        longest = Math.max(longest, shut);
        if (shut > seconds) problems.push(`port ${port} was shut (${name}) for ${shut.toFixed(1)} s`);
      }
    }
    if (looks < 3) problems.push(`the watch from outside looked ${looks} times only`);
    return { looks, shut: longest, problems };
  }

  async #fromAfar() {
    if (this.#far === null) return [];
    const { machine, ways, closed } = this.#far;
    await machine.exec(['systemctl', 'stop', `${this.#unit}.service`]);
    const text = await machine.run('cat', `/run/${this.#unit}`);
    // performance.now() and Python's monotonic() are the same clock from different beginnings.
    const offset = performance.now() - Number(process.hrtime.bigint()) / 1e6;
    const sights = new Map<number, Sight[]>([...ways, ...closed].map((port) => [port, []]));
    for (const line of text.split('\n')) {
      const [at, port, open] = line.split(' ').map(Number);
      if (open !== undefined) sights.get(port!)?.push({ at: at! * 1000 + offset, open: open === 1 });
    }
    const of = (port: number) => ({ port, sights: sights.get(port)! });
    return [{ name: 'from the machine outside', closed: closed.map(of), ways: ways.map(of) }];
  }
}

function within(at: number, spans: readonly Span[]): boolean {
  return spans.some(([from, to]) => at >= from - SECOND_MS && at <= to + SECOND_MS);
}

function longestShut(sights: readonly Sight[], excused: readonly Span[]): number {
  let longest = 0;
  let since: number | null = null;
  for (const { at, open } of sights) {
    since = open || within(at, excused) ? null : (since ?? at);
    if (since !== null) longest = Math.max(longest, at - since);
  }
  return longest / 1000;
}
