import type { UnitFacts } from './facts.ts';
import type { Rows } from './network.ts';
import { shortName } from './unreadable.ts';

/** Services that write their own firewall rules while active. */
const WRITERS = ['docker', 'ebtables', 'fail2ban', 'ip6tables', 'iptables', 'nftables', 'podman', 'ufw'] as const;

/** `systemctl list-units --plain --no-legend`: name, load state, active state. Units that are not found are left out. */
export function parseUnits(lines: readonly string[]): Rows<UnitFacts> {
  const rows: UnitFacts[] = [];
  let unread = 0;
  for (const line of lines) {
    // Some versions mark failed units with a bullet even in plain output.
    const row = /^(?:[^\w\s]+\s+)?([\w:.@\\-]{1,255})\s+([a-z-]+)\s+([a-z-]+)\s/.exec(`${line.trimStart()} `);
    if (row === null) unread += 1;
    else if (row[2] !== 'not-found') rows.push({ name: row[1]!, active: row[3]! });
  }
  return { rows: rows.sort((a, b) => (a.name < b.name ? -1 : 1)), unread };
}

/** Which of the services that write firewall rules are active; podman counts with its socket too. */
export function activeWriters(units: readonly UnitFacts[]): readonly string[] {
  const active = new Set(units.filter((unit) => unit.active === 'active').map((unit) => unit.name));
  return WRITERS.filter((name) => active.has(`${name}.service`) || (name === 'podman' && active.has('podman.socket')));
}

/** Process names as `/proc/PID/comm` has them, sorted, each once. */
export function parseProcesses(lines: readonly string[]): readonly string[] {
  return [...new Set(lines.filter((line) => line !== '').map((line) => shortName(line, 64)))].sort();
}

/** Names of installed packages: `name installed`; rpm and dpkg print other lines for the rest. */
export function parsePackages(lines: readonly string[]): readonly string[] {
  const found = lines.flatMap((line) => /^([A-Za-z0-9][A-Za-z0-9.+_-]{0,127}) installed$/.exec(line)?.[1] ?? []);
  return [...new Set(found)].sort();
}

/** The requested files that exist, one a line. */
export function parseFiles(lines: readonly string[]): readonly string[] {
  return [...new Set(lines.filter((line) => line.startsWith('/')).map((line) => shortName(line, 4096)))].sort();
}
