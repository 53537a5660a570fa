import type { Turn } from '../../plan/access-types.ts';
import type { HostNames } from '../summary/summary-types.ts';
import { type Html, html } from './escape.ts';
import type { AccessLine, GridCell } from './grid-view.ts';

/** One word for each turn; cells, filters and lists use the same. */
export const TURN_WORDS: Readonly<Record<Turn, string>> = {
  same: 'open',
  opened: 'opening',
  widened: 'widened',
  narrowed: 'narrowed',
  closed: 'closing',
  changed: 'changed',
};

/** The word of a cell. An open port says whether the internet reaches it, or only some. */
export function cellWord({ turn, internet }: GridCell): string {
  if (turn !== 'same') return TURN_WORDS[turn];
  return internet ? 'open to the internet' : 'open to some';
}

/** The class of a cell, for its colour and sign. */
export function cellClass({ turn, internet }: GridCell): string {
  return turn === 'same' ? (internet ? 'internet' : 'some') : turn;
}

/** `eth0 (public), IPv6, 203.0.113.10`. */
export function whereText({ interface: name, classes, family, addresses }: AccessLine): string {
  const side = classes.length === 0 ? name : `${name} (${classes.join(', ')})`;
  return [side, ...(family === null ? [] : [family]), ...addresses].join(', ');
}

/** Names of hosts, each on its own for readers of any direction of writing. */
export function namesHtml(names: readonly string[], more = 0): Html {
  const shown = names.map((name, index) => html`${index === 0 ? '' : ', '}<bdi>${name}</bdi>`);
  return html`${shown}${more === 0 ? '' : ` and ${more} more`}`;
}

/** The hosts of a part of the summary. @param most names */
export function hostNamesHtml({ shown, count }: HostNames, most: number): Html {
  const few = count <= most + 1 ? shown : shown.slice(0, most);
  return namesHtml(few, count - few.length);
}

/** `80, 443, 8442-8449/tcp; 5060/udp`, from labels in the order of the grid. */
export function portsText(labels: readonly string[]): string {
  const kinds = new Map<string, string[]>();
  for (const label of labels) {
    const [ports = '', protocol = ''] = label.split('/');
    kinds.set(protocol, [...(kinds.get(protocol) ?? []), ports]);
  }
  return [...kinds]
    .map(([protocol, ports]) => `${ports.join(', ')}${protocol === '' ? '' : `/${protocol}`}`)
    .join('; ');
}
