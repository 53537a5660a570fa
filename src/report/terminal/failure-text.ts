import { durationText } from '../../core/duration.ts';
import { type FailedHost, type FailureGroup, failureKey, groupOf, type OwnValue } from '../failure-groups.ts';
import { firstOf, shortenedText } from '../shortened.ts';
import { MOST_NAMES } from './event-text.ts';
import { columnLines } from './layout.ts';
import { moreLines } from './more-lines.ts';
import { paintOf, type Style } from './style.ts';

const MOST_OWN = 10;
/** A screen: of more hosts only these are listed without `-v`. The commands to paste are for all of them. */
const MOST_MEMBERS = 40;

/**
 * A failure, once for all of its hosts: what happened, details, how to solve it, and what each host has of its own.
 *
 * @param as a host whose failure was shown before and is the same; then only what differs is shown
 */
export function failureText(
  group: FailureGroup,
  style: Style,
  verbosity: number,
  as: string | null,
): readonly string[] {
  const { hosts, label, tone, durationMs, note, code, details, solve, commands, own, members } = group;
  const earlier = as === null ? '' : `, as ${as}`;
  const who =
    hosts.length === 1
      ? `${hosts[0]}: ${paintOf(tone, style)(label)} (${durationText(durationMs / 1000, 1)})`
      : `${hosts.length} hosts (${shortenedText(firstOf(hosts, MOST_NAMES))}): ${paintOf(tone, style)(label)}`;
  const head = `${who}${earlier}: ${note}`;
  const pasted = commands.map((line) => `      ${line}`);
  const listed = memberLines(members, verbosity).map((line) => `      ${line}`);
  if (as !== null) return [head, ...listed, ...pasted, ...ownLines(own)];
  // The stack of an internal error is shown with -vv only.
  const shown = code === 'internal-error' && verbosity < 2 ? [] : [...details, ...memberDetails(members, verbosity)];
  const more = shown.map((line) => `      ${line}`);
  return [head, ...listed, ...more, `    To solve it: ${solve}`, ...pasted, ...ownLines(own)];
}

/** A line a host, where hosts have something of their own. */
function memberLines(members: FailureGroup['members'], verbosity: number): readonly string[] {
  if (members.every(({ own }) => own === '')) return [];
  const rows = columnLines(members.map(({ host, own }) => [{ text: host }, { text: own }]));
  return moreLines(firstOf(rows, verbosity > 0 ? rows.length : MOST_MEMBERS));
}

/** The details of each host with `-v`, else those of the first, which says whose they are. */
function memberDetails(members: FailureGroup['members'], verbosity: number): readonly string[] {
  const own = members.filter(({ details }) => details.length > 0);
  const shown = verbosity > 0 ? own : own.slice(0, 1);
  const more = shown.length < own.length ? ' (-v shows those of the others, which differ)' : '';
  return shown.flatMap(({ host, details }) => [`of ${host}${more}:`, ...details]);
}

/** `instead of 192.0.2.1: web2 192.0.2.2, web3 192.0.2.3`; of several values a line a host, `on web2: 192.0.2.2, SHA256:…`. */
function ownLines(own: readonly OwnValue[]): readonly string[] {
  const [only] = own;
  if (only === undefined) return [];
  if (own.length === 1) {
    const each = only.others.filter(({ value }) => value !== only.value).map(({ host, value }) => `${host} ${value}`);
    return [`      instead of ${only.value}: ${shortenedText(firstOf(each, MOST_OWN))}`];
  }
  const hosts = only.others.map(
    ({ host }, index) => `${host}: ${own.map(({ others }) => others[index]?.value).join(', ')}`,
  );
  const { shown, more } = firstOf(hosts, MOST_OWN);
  const first = `      instead of ${own.map(({ value }) => value).join(', ')}`;
  return [first, ...shown.map((line) => `        on ${line}`), ...(more === 0 ? [] : [`        and on ${more} more`])];
}

/** What was said of failures in this run, so that none is said twice. */
export class FailuresSaid {
  readonly #first = new Map<string, FailedHost>();
  readonly #style: Style;
  readonly #verbosity: number;

  constructor(style: Style, verbosity: number) {
    this.#style = style;
    this.#verbosity = verbosity;
  }

  /** The lines for hosts that failed at about the same time. */
  together(failed: readonly FailedHost[]): readonly string[] {
    const groups = new Map<string, FailedHost[]>();
    for (const one of failed) {
      const key = failureKey(one);
      groups.set(key, [...(groups.get(key) ?? []), one]);
    }
    return [...groups].flatMap(([key, members]) => {
      const first = this.#first.get(key);
      if (first === undefined) {
        this.#first.set(key, members[0]!);
        return failureText(groupOf(members), this.#style, this.#verbosity, null);
      }
      if (first.outcome.failure?.shared != null) return this.#again(members, first);
      const { hosts, ...texts } = groupOf([first, ...members]);
      return failureText({ ...texts, hosts: hosts.slice(1) }, this.#style, this.#verbosity, first.host);
    });
  }

  /** A failure that was made to be shared, on more hosts: what they have of their own, and the commands for them. */
  #again(members: readonly FailedHost[], first: FailedHost): readonly string[] {
    const as = members.length > 1 ? first.host : null;
    return failureText(groupOf(members), this.#style, this.#verbosity, as);
  }

  /** The lines for one host. Where another host failed alike, and needs nothing else to solve it, one line is enough. */
  alone(failed: FailedHost): readonly string[] {
    const key = failureKey(failed);
    const first = this.#first.get(key);
    const group = groupOf([failed]);
    if (first !== undefined) {
      const { own, details, solve } = groupOf([first, failed]);
      const alike = own.every(({ value }) => ![solve, ...details].some((text) => text.includes(value)));
      return failureText({ ...group, own: [] }, this.#style, this.#verbosity, alike ? first.host : null);
    }
    this.#first.set(key, failed);
    return failureText(group, this.#style, this.#verbosity, null);
  }
}
