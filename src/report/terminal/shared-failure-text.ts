import { counted } from '../../core/lists.ts';
import type { SharedFailureView } from '../shared-failures.ts';
import { firstOf, shortenedText } from '../shortened.ts';
import { columnLines } from './layout.ts';
import { moreLines } from './more-lines.ts';
import { paintOf, type Style } from './style.ts';

/** A screen: of more hosts only these are listed without `-v`. The commands to paste are for all of them. */
const MOST_HOSTS = 40;

/** The lines for a failure that several hosts have: what it is, the hosts, and how to solve it for all of them. */
export function sharedFailureLines(
  { label, tone, what, details, solve, commands, hosts }: SharedFailureView,
  style: Style,
  verbosity: number,
): readonly string[] {
  return [
    `${counted(hosts.length, 'host')}: ${paintOf(tone, style)(label)}: ${what}`,
    ...hostLines(hosts, verbosity).map((line) => `      ${line}`),
    ...[...details, ...ownDetails(hosts, verbosity)].map((line) => `      ${line}`),
    `    To solve it: ${solve}`,
    ...commands.map((line) => `      ${line}`),
  ];
}

function hostLines(hosts: SharedFailureView['hosts'], verbosity: number): readonly string[] {
  const most = verbosity > 0 ? hosts.length : MOST_HOSTS;
  const names = hosts.map(({ name }) => name);
  if (hosts.every(({ own }) => own === '')) return [shortenedText(firstOf(names, most))];
  const rows = columnLines(hosts.map(({ own }, index) => [{ text: names[index]! }, { text: own }]));
  return moreLines(firstOf(rows, most));
}

/** The details of each host with `-v`, else those of the first, which says whose they are. */
function ownDetails(hosts: SharedFailureView['hosts'], verbosity: number): readonly string[] {
  const own = hosts.filter(({ details }) => details.length > 0);
  const shown = verbosity > 0 ? own : own.slice(0, 1);
  const more = shown.length < own.length ? ' (-v shows those of the others, which differ)' : '';
  return shown.flatMap(({ name, details }) => [`of ${name}${more}:`, ...details]);
}
