import { terminalLine } from '../../core/terminal-text.ts';
import type { PortProtocol } from '../../firewalld/model.ts';
import { formatPort } from '../../firewalld/normalise.ts';
import type { Change, ConnectionMove, FieldChange, Layers } from '../../plan/plan.ts';
import type { Reason } from '../../policy/desired.ts';

/** `+` something comes, `-` something goes, `~` something changes or moves. */
export type ChangeSign = '+' | '-' | '~';

/** Long enough for every rich rule and list of entries; the cut only bounds what a hostile host can print. */
const LONG = 4000;

/** Text from a host or a file on one line. */
export function oneLine(text: string): string {
  return terminalLine(text, LONG);
}

/** Whether a change adds, removes or alters. */
export function changeSign(change: Change): ChangeSign {
  switch (change.kind) {
    case 'definition':
      return change.action === 'create' ? '+' : change.action === 'delete' ? '-' : '~';
    case 'interface':
      if (change.action === 'release') return '-';
      // Where firewalld has it right already, what changes is NetworkManager's connection.
      if (!change.layers.permanent && !change.layers.runtime && change.networkManager !== undefined) return '~';
      return change.otherZone === '' || change.otherZone === change.zone ? '+' : '~';
    case 'zone-service':
    case 'rich-rule':
      return change.action === 'add' ? '+' : '-';
    case 'stray':
      return '-';
    case 'ipset-entries':
    case 'remember':
      return '~';
    case 'ensure-firewalld':
      return '+';
  }
}

/** One reason, as it stands after "because"; the source of a rule is left out: see `becauseLines`. */
function reasonText(reason: Reason): string {
  switch (reason.kind) {
    case 'rule': {
      const feature = reason.feature === null ? '' : ` (feature ${reason.feature} is on)`;
      return oneLine(`${reason.matrix} ${reason.rule} — ${reason.purpose}${feature}`);
    }
    case 'extra-rule': {
      const until = reason.expires === null ? '' : `, until ${reason.expires}`;
      return oneLine(`extra rule "${reason.name}" — ${reason.text} (owner: ${reason.owner}${until})`);
    }
    case 'private-mode':
      return PRIVATE_MODES[reason.mode];
    case 'site-ssh':
      return 'the site keeps its way in over SSH';
    case 'zone-target':
      return oneLine(`portfw_zone_target is ${reason.target} for ${reason.classes.join(' and ')}`);
    case 'needed-icmp':
      return 'path MTU discovery and IPv6 need this ICMP, which the target of the zone would refuse';
    case 'cluster':
      return oneLine(`members of cluster "${reason.group}" are never filtered from each other`);
    case 'shared-address':
      return oneLine(`hosts that share the virtual address ${reason.address} are never filtered from each other`);
    case 'role-cluster': {
      const site = reason.site === null ? '' : ` of "${reason.site}"`;
      return oneLine(
        `members of the ${reason.description}${site} (cluster "${reason.cluster}") are never filtered from each other`,
      );
    }
    case 'interface-class':
      return oneLine(`${reason.classes.join(' and ')} is ${reason.given}`);
    case 'peers':
      return oneLine(`peer set "${reason.set}" is ${reason.from}`);
  }
}

const PRIVATE_MODES: Readonly<Record<'trusted' | 'peers' | 'matrix', string>> = {
  trusted: 'private mode "trusted": nothing is filtered between the servers of the site',
  peers: 'private mode "peers": only the site\'s own hosts come in unfiltered',
  matrix: 'private mode "matrix": only what the matrix lists is open',
};

/** From this many matrix rows on, a list that was printed before is not printed again. */
const FEW_ROWS = 2;

/**
 * The reasons as lines that begin with "because", each once. Rules that the vendor prints in the same place are followed
 * by one line that names it.
 *
 * @param given the lists of matrix rows that the same text has printed already; a list that is new is added to it
 */
export function becauseLines(reasons: readonly Reason[], given: Set<string>): readonly string[] {
  const rows = reasons.filter((reason) => reason.kind === 'rule');
  const key = rows.map((row) => `${row.matrix} ${row.rule}`).join(' ');
  const again = rows.length > FEW_ROWS && given.has(key);
  given.add(key);
  const lines = new Set<string>();
  if (again) lines.add(`because of the same ${rows.length} matrix rows as above`);
  // Rows of one place stay together, whatever else is a reason too.
  const ordered = [...rows, ...reasons.filter((reason) => reason.kind !== 'rule')];
  ordered.forEach((reason, index) => {
    if (again && reason.kind === 'rule') return;
    lines.add(`because ${reasonText(reason)}`);
    if (reason.kind !== 'rule') return;
    const next = ordered[index + 1];
    if (next?.kind !== 'rule' || next.source !== reason.source) lines.add(oneLine(`source: ${reason.source}`));
  });
  return [...lines];
}

/** `8442/tcp, 5060-5061/udp`: ports of firewalld's objects as firewall-cmd prints them. */
export function portsText(ports: readonly PortProtocol[]): string {
  return ports.map((port) => oneLine(formatPort(port))).join(', ');
}

/** Says which layer a change is needed in when it is not both. */
export function layersText(layers: Layers): string {
  if (layers.permanent && layers.runtime) return '';
  if (layers.permanent) return ' (permanent only)';
  return layers.runtime ? ' (runtime only)' : '';
}

/** What becomes of the zone that a connection of NetworkManager's names. */
export function connectionText({ connection, before, after }: ConnectionMove): string {
  const zone = (name: string) => (name === '' ? 'none' : name);
  return oneLine(`NetworkManager connection "${connection}": zone ${zone(before)} → ${zone(after)}`);
}

/** As many entries as fit a few lines; -v shows as many as a line may have. */
const MOST_ENTRIES = 50;

function entriesText(entries: string, verbosity: number): string {
  const all = entries.split(' ');
  if (verbosity > 0 || all.length <= MOST_ENTRIES + 1) return entries;
  return `${all.slice(0, MOST_ENTRIES).join(' ')} and ${all.length - MOST_ENTRIES} more`;
}

/** `ports: 80/tcp → 80/tcp 443/tcp`; what was or will not be there is left out. */
export function fieldText({ field, before, after }: FieldChange, verbosity: number): string {
  // A new set brings all its entries along.
  if (field === 'entries' && after !== null) return oneLine(`${field}: ${entriesText(after, verbosity)}`);
  if (before === null) return oneLine(`${field}: ${after ?? ''}`);
  if (after === null) return oneLine(`${field}: ${before} → nothing`);
  return oneLine(`${field}: ${before} → ${after}`);
}
