import type { Reason } from '../policy/desired.ts';

/** A line below a change. It begins with `label`. */
export interface ReasonView {
  readonly kind: 'because' | 'source';
  readonly label: string;
  readonly text: string;
}

/** One reason, without the word "because" and without the source of a rule. */
function reasonText(reason: Reason): string {
  switch (reason.kind) {
    case 'rule': {
      const feature = reason.feature === null ? '' : ` (feature ${reason.feature} is on)`;
      return `${reason.matrix} ${reason.rule} — ${reason.purpose}${feature}`;
    }
    case 'extra-rule': {
      const until = reason.expires === null ? '' : `, until ${reason.expires}`;
      return `extra rule "${reason.name}" — ${reason.text} (owner: ${reason.owner}${until})`;
    }
    case 'private-mode':
      return PRIVATE_MODES[reason.mode];
    case 'site-ssh':
      return 'SSH access from the site is always kept';
    case 'zone-target':
      return `portfw_zone_target is ${reason.target} for ${reason.classes.join(' and ')}`;
    case 'needed-icmp':
      return 'path MTU discovery and IPv6 need this ICMP type, which the target of the zone would reject';
    case 'cluster':
      return `members of cluster "${reason.group}" are never filtered from each other`;
    case 'shared-address':
      return `hosts that share the virtual address ${reason.address} are never filtered from each other`;
    case 'role-cluster': {
      const site = reason.site === null ? '' : ` of "${reason.site}"`;
      return `members of the ${reason.description}${site} (cluster "${reason.cluster}") are never filtered from each other`;
    }
    case 'interface-class':
      return `${reason.classes.join(' and ')} is ${reason.given}`;
    case 'peers':
      return `peer set "${reason.set}" is ${reason.from}`;
    case 'generation':
      return `generation ${reason.id}, saved ${reason.savedAt}, has it so`;
  }
}

const PRIVATE_MODES: Readonly<Record<'trusted' | 'peers' | 'matrix', string>> = {
  trusted: 'private mode "trusted": nothing is filtered between the servers of the site',
  peers: 'private mode "peers": only traffic from the site\'s own hosts is not filtered',
  matrix: 'private mode "matrix": only what the matrix lists is open',
};

/** A list of more matrix rows than this is not repeated in the same plan. */
const FEW_ROWS = 2;

/**
 * The reasons, without duplicates. Consecutive rules with the same source share one line for it.
 *
 * @param given the lists of matrix rows already shown in this plan; a new list is added
 */
export function reasonViews(reasons: readonly Reason[], given: Set<string>): readonly ReasonView[] {
  const rows = reasons.filter((reason) => reason.kind === 'rule');
  const key = rows.map((row) => `${row.matrix} ${row.rule}`).join(' ');
  const again = rows.length > FEW_ROWS && given.has(key);
  given.add(key);
  const views = new Map<string, ReasonView>();
  const add = (view: ReasonView): void => {
    const line = `${view.label} ${view.text}`;
    if (!views.has(line)) views.set(line, view);
  };
  if (again) add(because(`of the same ${rows.length} matrix rows as above`));
  // Rows first, so that rows with the same source are next to each other.
  const ordered = [...rows, ...reasons.filter((reason) => reason.kind !== 'rule')];
  ordered.forEach((reason, index) => {
    if (again && reason.kind === 'rule') return;
    add(because(reasonText(reason)));
    if (reason.kind !== 'rule') return;
    const next = ordered[index + 1];
    if (next?.kind !== 'rule' || next.source !== reason.source)
      add({ kind: 'source', label: 'source:', text: reason.source });
  });
  return [...views.values()];
}

/** A line with one reason. */
export function because(text: string): ReasonView {
  return { kind: 'because', label: 'because', text };
}
