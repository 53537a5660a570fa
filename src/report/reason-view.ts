import type { Reason } from '../policy/desired.ts';
import { lossText } from './loss-text.ts';

/** A line below a change. It begins with `label`. */
export interface ReasonView {
  readonly kind: 'because';
  readonly label: string;
  readonly text: string;
}

/** One reason, without the word "because". @param whole whether the source of a row is named, too */
export function reasonText(reason: Reason, whole = true): string {
  switch (reason.kind) {
    case 'rule': {
      const more = [
        ...(whole ? [reason.source] : []),
        ...(reason.feature === null ? [] : [`feature ${reason.feature} is on`]),
      ];
      return `${rowName(reason)} ${reason.purpose}${more.length === 0 ? '' : ` (${more.join('; ')})`}`;
    }
    case 'extra-rule': {
      const until = reason.expires === null ? '' : `, until ${reason.expires}`;
      return `extra rule "${reason.name}": ${reason.text} (owner: ${reason.owner}${until})`;
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
    default:
      return lossText(reason);
  }
}

type Row = Extract<Reason, { kind: 'rule' }>;

/** `web-admin: 8442/tcp`. */
function rowName({ rule }: Row): string {
  const [role, , protocol, port] = rule.split('/');
  return port === undefined ? rule : `${role}: ${port}/${protocol}`;
}

const PRIVATE_MODES: Readonly<Record<'trusted' | 'peers' | 'matrix', string>> = {
  trusted: 'private mode "trusted": nothing is filtered between the servers of the site',
  peers: 'private mode "peers": only traffic from the site\'s own hosts is not filtered',
  matrix: 'private mode "matrix": only what the matrix lists is open',
};

/** More matrix rows than this are not named again in the same plan. */
const FEW_ROWS = 2;
/** A text up to this length is as short as a reference to it. */
const SHORT_TEXT = 60;

/**
 * The reasons, one a line, without duplicates. Rows come first; those of one source name it once.
 *
 * @param given what was said in this plan already: it is not repeated in full. What is said now is added
 */
export function reasonViews(reasons: readonly Reason[], given: Set<string>): readonly ReasonView[] {
  const rows = new Map<string, Row>();
  const others = new Map<string, Reason>();
  for (const reason of reasons) {
    if (reason.kind === 'rule') rows.set(JSON.stringify(reason), reason);
    else others.set(JSON.stringify(reason), reason);
  }
  const again = [...rows].filter(([key]) => given.has(key)).map(([, row]) => row);
  const sources = new Set<string>();
  const texts = [
    ...[...rows].flatMap(([key, row]) => {
      if (given.has(key)) return [];
      const text = reasonText(row, !sources.has(row.source));
      sources.add(row.source);
      return [text];
    }),
    ...(again.length > FEW_ROWS
      ? [`of the same ${again.length} matrix rows as above`]
      : again.map((row) => `${rowName(row)}, as above`)),
    ...[...others].map(([key, reason]) => (given.has(key) ? shortText(reason) : reasonText(reason))),
  ];
  for (const key of [...rows.keys(), ...others.keys()]) given.add(key);
  return [...new Set(texts)].map(because);
}

/** A reason that was given in full before: a long one without its explanation. */
function shortText(reason: Reason): string {
  const text = reasonText(reason);
  const [head] = text.split(/: | \(|; /);
  return text.length <= SHORT_TEXT || head === text ? text : `${head}, as above`;
}

/** A line with one reason. */
export function because(text: string): ReasonView {
  return { kind: 'because', label: 'because', text };
}
