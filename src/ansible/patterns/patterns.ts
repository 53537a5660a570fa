import type { Fault } from '../../core/failure.ts';
import { fileItself, InputError, Problem, type SourceLocation } from '../../core/problem.ts';
import { shown } from '../../core/shown.ts';
import { closest } from '../../core/suggest.ts';
import { readTextFile } from '../../documents/read-file.ts';
import { isSingleHostName } from '../graph/host-names.ts';
import type { Inventory } from '../inventory.ts';
import { translatePythonRegex } from '../python-regex.ts';
import { globRegex } from './glob.ts';
import { inTime, TookTooLong } from './in-time.ts';

/** The hosts of a pattern, and its problems. */
export interface PatternMatch {
  /** Host names, each once, in Ansible's order. */
  readonly hosts: readonly string[];
  readonly problems: readonly Problem[];
}

/** A single pattern, such as `&web*`, and where it is written. */
interface Part {
  readonly text: string;
  readonly location: SourceLocation | null;
}

const SUBSCRIPT = /^(.+)\[(?:(-?[0-9]+)|([0-9]+)([:-])([0-9]*))\]$/s;
/** Runs of anything but blanks, colons and brackets, or of complete bracketed expressions. */
const COLON_SEPARATED = /(?:[^\s:[\]]|\[[^\]]*\])+/g;
/** What Ansible takes to be this machine when the inventory does not have it. */
const LOCALHOST: readonly string[] = ['localhost', '127.0.0.1', '::1'];
/** The longest single pattern, in characters: more than any name has. */
const MAX_LENGTH = 1_000;
/** How long a regular expression may take over all names. */
const REGEX_TIME_LIMIT_MS = 2_000;
/** At most this many problems of one pattern are reported. */
const MAX_PROBLEMS = 50;
const LOOK = 'Check the name with "portfw inventory FILE"';

/**
 * Finds the hosts of an Ansible host pattern: names, groups, globs, `~regex`, `group[0]`, `group[0:2]`, `group[-1]`,
 * joined by `,` or `:`, with `&` for "and in" and `!` for "and not in".
 *
 * Stricter than Ansible, which only warns: a part that matches no group and no host is a problem (in an exclusion it
 * would let through the host that was meant to be left out), and so is a pattern that leaves no host at all.
 *
 * @param pattern one, or several of which each is split by itself, as in a play's list of them
 * @param location where the pattern is written; `null` for a command-line flag
 */
export function matchHosts(
  inventory: Inventory,
  pattern: string | readonly string[],
  location: SourceLocation | null = null,
): PatternMatch {
  const problems: Problem[] = [];
  const patterns = typeof pattern === 'string' ? [pattern] : pattern;
  const parts = patterns.flatMap((one) => splitPattern(one, location, problems));
  return match(inventory, parts, patterns.join(', '), location, problems);
}

/**
 * Like `matchHosts`, for `--limit`: a part `@FILE` means the patterns in a file, one per line.
 *
 * @throws InputError when such a file cannot be read
 */
export function matchLimit(inventory: Inventory, limit: string): PatternMatch {
  const problems: Problem[] = [];
  const parts = splitPattern(limit, null, problems).flatMap((part) => {
    if (!part.text.startsWith('@')) return [part];
    const file = part.text.slice(1);
    if (file === '') {
      problems.push(badPattern({ what: '"@" names no file', solve: 'Write the file behind it: "@FILE"' }, null));
      return [];
    }
    const lines = linesOf(file);
    // To Ansible such a file means every host, as if there were no limit.
    if (lines.length === 0) {
      const wrong = { what: 'the file names no host', solve: 'Write one host, group or pattern a line' };
      problems.push(badPattern(wrong, fileItself(file)));
    }
    return lines;
  });
  return match(inventory, parts, limit, null, problems);
}

/** Throws when a pattern has problems; otherwise gives its hosts. */
export function requireHosts(found: PatternMatch): readonly string[] {
  if (found.problems.length > 0) throw new InputError(found.problems);
  return found.hosts;
}

/** The patterns of a file: a whole line is one, and may not hold several. */
function linesOf(file: string): Part[] {
  return readTextFile(file)
    .split('\n')
    .flatMap((line, index) => {
      let column = 1;
      // For Ansible a carriage return by itself also ends a line; places count line feeds.
      return line.split('\r').map((text): Part => {
        const begin = column + text.length - text.trimStart().length;
        const location = { file, line: index + 1, column: begin, secret: null };
        column += text.length + 1;
        return { text: text.trim(), location };
      });
    })
    .filter((part) => part.text !== '');
}

function badPattern(wrong: Fault, location: SourceLocation | null): Problem {
  return new Problem({ severity: 'error', code: 'bad-pattern', ...wrong, location });
}

function match(
  inventory: Inventory,
  parts: readonly Part[],
  whole: string,
  location: SourceLocation | null,
  problems: Problem[],
): PatternMatch {
  // An unset variable in a script must not turn one host into all of them.
  if (parts.length === 0 && problems.length === 0) {
    const wrong = {
      what: `the pattern ${shown(whole)} names no host`,
      solve: 'Name hosts or groups; "all" is every host',
    };
    problems.push(badPattern(wrong, location));
  }
  let hosts: string[] = [];
  for (const part of ordered(parts)) {
    // A file that is no list of patterns has something wrong in every line.
    if (problems.length >= MAX_PROBLEMS) break;
    const matched = matchPart(inventory, part.text, parts.length > 1);
    if ('what' in matched) problems.push(badPattern(matched, part.location));
    const found = new Set('what' in matched ? [] : matched);
    if (part.text.startsWith('!')) hosts = hosts.filter((host) => !found.has(host));
    else if (part.text.startsWith('&')) hosts = hosts.filter((host) => found.has(host));
    else hosts = [...new Set([...hosts, ...found])];
  }
  if (hosts.length === 0 && problems.length === 0) {
    problems.push(
      new Problem({
        severity: 'error',
        code: 'no-hosts',
        what: `the pattern ${shown(whole)} leaves no host`,
        solve: 'Check the groups that it names with "portfw inventory FILE"',
        location,
      }),
    );
  }
  return { hosts, problems };
}

/** Unions first, then intersections, then exclusions; with neither names nor groups, everything is meant. */
function ordered(parts: readonly Part[]): Part[] {
  const union = parts.filter((part) => !/^[&!]/.test(part.text));
  return [
    ...(union.length === 0 && parts.length > 0 ? [{ text: 'all', location: null }] : union),
    ...parts.filter((part) => part.text.startsWith('&')),
    ...parts.filter((part) => part.text.startsWith('!')),
  ];
}

/**
 * Splits at commas; without any at colons and blanks, unless the whole is one name whose colons are its own (an IPv6
 * address, a range). Ansible drops a bracket that has no partner; here it is a problem.
 */
function splitPattern(pattern: string, location: SourceLocation | null, problems: Problem[]): Part[] {
  if (!pattern.includes(',') && !isSingleHostName(pattern)) {
    const stray = /[[\]]/.exec(pattern.replaceAll(COLON_SEPARATED, ''));
    if (stray !== null) {
      const wrong = {
        what: `the pattern ${shown(pattern)} has a "${stray[0]}" without its partner`,
        solve: 'Close the bracket, as in "web[0:2]" or "~we[bc]"',
      };
      problems.push(badPattern(wrong, location));
      return [];
    }
  }
  const parts = pattern.includes(',')
    ? pattern.split(',')
    : isSingleHostName(pattern)
      ? [pattern]
      : (pattern.match(COLON_SEPARATED) ?? []);
  return parts.map((part) => ({ text: part.trim(), location })).filter((part) => part.text !== '');
}

/**
 * The hosts of a single pattern, or what is wrong with it.
 *
 * @param several whether it is one of several that separators made out of a longer text
 */
function matchPart(inventory: Inventory, part: string, several: boolean): readonly string[] | Fault {
  if (inventory.hosts.has(part)) return [part];
  const expression = part.replace(/^[&!]/, '');
  if (expression === '' || expression === '~')
    return { what: `there is nothing after ${shown(part)}`, solve: 'Write a host, a group or a pattern after it' };
  if (expression.length > MAX_LENGTH)
    return {
      what: `the pattern ${shown(part)} has more than ${MAX_LENGTH} characters`,
      solve: 'Write several patterns',
    };
  const subscript = expression.startsWith('~') ? null : SUBSCRIPT.exec(expression);
  const base = subscript?.[1] ?? expression;
  const test = compile(base, several);
  if (typeof test !== 'function') return test;

  let found: Found;
  try {
    found = base.startsWith('~')
      ? inTime(() => find(inventory, base, test), REGEX_TIME_LIMIT_MS)
      : find(inventory, base, test);
  } catch (error) {
    if (!(error instanceof TookTooLong)) throw error;
    return {
      what: `the pattern ${shown(base)} takes too long on the names of this inventory`,
      solve: 'Write a simpler one',
    };
  }
  const { anyGroup, hosts } = found;
  if (!anyGroup && hosts.length === 0) {
    // "all:!localhost" in a play is no mistake, even if the inventory has no such host.
    return part.startsWith('!') && LOCALHOST.includes(base) ? [] : unmatched(inventory, base);
  }
  if (subscript === null) return hosts;
  // Ansible counts a host twice that is found both by group and by name.
  const chosen = pick(hosts, subscript);
  if (typeof chosen !== 'string') return chosen;
  const { size } = new Set(hosts);
  return {
    what: `${shown(expression)} ${chosen}`,
    solve: size === 0 ? `${shown(base)} has no hosts` : `Positions count from 0; ${shown(base)} has ${size}`,
  };
}

interface Found {
  readonly anyGroup: boolean;
  readonly hosts: readonly string[];
}

/** The hosts of the groups that fit, and the hosts that fit themselves. */
function find(inventory: Inventory, base: string, test: (name: string) => boolean): Found {
  const groups = [...inventory.groups.values()].filter((group) => test(group.name));
  const hosts = groups.flatMap((group) => group.allHosts);
  if (groups.length === 0 || /^~|[.?*[]/.test(base)) hosts.push(...inventory.asWritten.filter(test));
  return { anyGroup: groups.length > 0, hosts };
}

/** What is said of a pattern that matches nothing. */
function unmatched(inventory: Inventory, base: string): Fault {
  const what = `no group and no host matches ${shown(base)}`;
  if (LOCALHOST.includes(base))
    return { what, solve: 'This machine has to be in the inventory too, with ansible_connection: local' };
  if (base.startsWith('@')) return { what, solve: 'A file of patterns can only be given to --limit' };
  const names = [...inventory.groups.keys(), ...inventory.hosts.keys()];
  if (base.startsWith('#')) return { what, solve: 'A file of patterns has no comments: remove the line' };
  if (names.includes(base.replace(/:\d+$/, ''))) return { what, solve: 'Remove the port: a pattern has only names' };
  const near = closest(base, names);
  if (near !== null) return { what, solve: `Did you mean ${shown(near)}?` };
  if (/[\s,:]/.test(base)) return { what, solve: 'In a file, write one host, group or pattern a line' };
  return { what, solve: LOOK };
}

/** The hosts that a subscript chooses, or what is wrong with it. */
function pick(hosts: readonly string[], subscript: RegExpExecArray): readonly string[] | string {
  const [, , index, from, separator, to] = subscript;
  if (index !== undefined) {
    const host = hosts.at(Number(index));
    return host === undefined ? 'is beyond the last host' : [host];
  }
  if (separator === '-') return 'has a hyphen where a colon belongs';
  const first = Number(from);
  const last = to === undefined || to === '' ? hosts.length - 1 : Number(to);
  if (first >= hosts.length) return 'is beyond the last host';
  if (last < first) return 'ends before it begins';
  return hosts.slice(first, last + 1);
}

/** A test for names, or what is wrong with the regular expression. */
function compile(pattern: string, several: boolean): ((name: string) => boolean) | Fault {
  if (!pattern.startsWith('~')) {
    const glob = /[*?[]/.test(pattern) ? globRegex(pattern) : null;
    return (name) => (glob === null ? name === pattern : glob.test(name));
  }
  const translated = translatePythonRegex(pattern.slice(1));
  // In JavaScript a reference to an unmatched group matches; in Python it does not. The pattern would choose other
  // hosts than with Ansible.
  const wrong =
    typeof translated === 'string'
      ? translated
      : translated.refersBack
        ? 'refers back to a group, which is not supported'
        : null;
  if (typeof translated === 'string' || wrong !== null) {
    return {
      what: `the regular expression ${shown(pattern.slice(1))} ${wrong}`,
      solve: several
        ? 'Correct it; a comma, colon or blank ends a pattern, within a regular expression too'
        : 'Correct it, or use a glob such as "sip*"',
    };
  }
  const regex = new RegExp(`^(?:${translated.source})`, 'v');
  return (name) => regex.test(name);
}
