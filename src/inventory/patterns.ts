import { InputError, type Problem, type SourceLocation } from '../core/problem.ts';
import { shown } from '../core/shown.ts';
import { closest } from '../core/suggest.ts';
import { readTextFile } from '../core/yaml-file.ts';
import { isSingleHostName } from './host-names.ts';
import type { Inventory } from './inventory.ts';

/** The hosts that a pattern stands for, and what is wrong with it. */
export interface PatternMatch {
  /** Host names, each once, in Ansible's order. */
  readonly hosts: readonly string[];
  readonly problems: readonly Problem[];
}

const SUBSCRIPT = /^(.+)\[(?:(-?\d{1,9})|(\d{1,9})([:-])(\d{0,9}))\]$/;
/** Runs of anything but blanks, colons and brackets, or of complete bracketed expressions. */
const COLON_SEPARATED = /(?:[^\s:[\]]|\[[^\]]*\])+/g;

/**
 * Finds the hosts of an Ansible host pattern: names, groups, globs, `~regex`, `group[0]`, `group[0:2]`, `group[-1]`,
 * joined by `,` or `:`, with `&` for "and in" and `!` for "and not in".
 *
 * Stricter than Ansible, which only warns: a part that matches no group and no host is a problem (in an exclusion it
 * would let through the host that was meant to be left out), and so is a pattern that leaves no host at all.
 *
 * @param location where the pattern is written; `null` for a command-line flag
 */
export function matchHosts(
  inventory: Inventory,
  pattern: string,
  location: SourceLocation | null = null,
): PatternMatch {
  return match(inventory, splitPattern(pattern), pattern, location);
}

/**
 * Like `matchHosts`, for `--limit`: a part `@FILE` stands for the patterns in a file, one a line.
 *
 * @throws InputError when such a file cannot be read
 */
export function matchLimit(inventory: Inventory, limit: string): PatternMatch {
  const parts = splitPattern(limit).flatMap((part) => {
    if (!part.startsWith('@')) return [part];
    return readTextFile(part.slice(1))
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '');
  });
  return match(inventory, parts, limit, null);
}

function match(
  inventory: Inventory,
  parts: readonly string[],
  whole: string,
  location: SourceLocation | null,
): PatternMatch {
  const problems: Problem[] = [];
  let hosts: string[] = [];
  for (const part of ordered(parts)) {
    const found = new Set(matchPart(inventory, part, location, problems));
    if (part.startsWith('!')) hosts = hosts.filter((host) => !found.has(host));
    else if (part.startsWith('&')) hosts = hosts.filter((host) => found.has(host));
    else hosts = [...new Set([...hosts, ...found])];
  }
  if (hosts.length === 0 && problems.length === 0) {
    problems.push({
      severity: 'error',
      code: 'no-hosts',
      message: `the pattern ${shown(whole)} leaves no host`,
      hint: 'Check the groups that it names with "portfw inventory FILE"',
      location,
    });
  }
  return { hosts, problems };
}

/** Unions first, then intersections, then exclusions; with neither names nor groups, everything is meant. */
function ordered(parts: readonly string[]): string[] {
  const union = parts.filter((part) => !/^[&!]/.test(part));
  return [
    ...(union.length === 0 ? ['all'] : union),
    ...parts.filter((part) => part.startsWith('&')),
    ...parts.filter((part) => part.startsWith('!')),
  ];
}

function splitPattern(pattern: string): string[] {
  const parts = pattern.includes(',')
    ? pattern.split(',')
    : isSingleHostName(pattern)
      ? [pattern]
      : (pattern.match(COLON_SEPARATED) ?? []);
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}

function matchPart(
  inventory: Inventory,
  part: string,
  location: SourceLocation | null,
  problems: Problem[],
): readonly string[] {
  if (inventory.hosts.has(part)) return [part];
  const expression = part.replace(/^[&!]/, '');
  const error = (message: string, hint: string): readonly string[] => {
    problems.push({ severity: 'error', code: 'bad-pattern', message, hint, location });
    return [];
  };
  const subscript = expression.startsWith('~') ? null : SUBSCRIPT.exec(expression);
  const base = subscript?.[1] ?? expression;
  const test = compile(base);
  if (test === null)
    return error(
      `the pattern ${shown(base)} is not valid`,
      'Write a name, a glob such as "sip*", or a regular expression after "~"',
    );

  const groups = [...inventory.groups.values()].filter((group) => test(group.name));
  const hosts = groups.flatMap((group) => group.allHosts);
  if (groups.length === 0 || base.startsWith('~') || /[.?*[]/.test(base)) {
    hosts.push(...[...inventory.hosts.keys()].filter(test));
  }
  if (groups.length === 0 && hosts.length === 0) {
    const near = closest(base, [...inventory.groups.keys(), ...inventory.hosts.keys()]);
    return error(
      `no group and no host matches ${shown(base)}`,
      near === null ? 'Check the name with "portfw inventory FILE"' : `Did you mean "${near}"?`,
    );
  }
  if (subscript === null) return hosts;
  const unique = [...new Set(hosts)];
  const chosen = pick(unique, subscript);
  if (typeof chosen !== 'string') return chosen;
  return error(`${shown(expression)} ${chosen}`, `Positions count from 0; ${shown(base)} has ${unique.length}`);
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

/** A test for names, or `null` when the glob or regular expression is broken. */
function compile(pattern: string): ((name: string) => boolean) | null {
  try {
    if (pattern.startsWith('~')) {
      if (pattern === '~') return null;
      const regex = new RegExp(`^(?:${pattern.slice(1)})`, 'u');
      return (name) => regex.test(name);
    }
    if (!/[*?[]/.test(pattern)) return (name) => name === pattern;
    const regex = new RegExp(`^${globSource(pattern)}$`, 'su');
    return (name) => regex.test(name);
  } catch {
    return null;
  }
}

/** A shell glob as the source of a regular expression: `*`, `?`, `[abc]`, `[!abc]`. */
function globSource(glob: string): string {
  let source = '';
  for (let i = 0; i < glob.length; i += 1) {
    const character = glob[i]!;
    if (character === '*') {
      source += source.endsWith('.*') ? '' : '.*';
      continue;
    }
    if (character === '?') {
      source += '.';
      continue;
    }
    // A bracket that closes at once holds the bracket itself, as in the shell.
    const close = character === '[' ? glob.indexOf(']', i + (glob[i + 1] === '!' ? 3 : 2)) : -1;
    if (close === -1) {
      source += character.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&');
      continue;
    }
    const negated = glob[i + 1] === '!';
    const members = glob.slice(i + (negated ? 2 : 1), close).replaceAll(/[\\^[\]&~]/g, '\\$&');
    source += `[${negated ? '^' : ''}${members}]`;
    i = close;
  }
  return source;
}

/** Throws when a pattern has problems; otherwise gives its hosts. */
export function requireHosts(found: PatternMatch): readonly string[] {
  if (found.problems.length > 0) throw new InputError(found.problems);
  return found.hosts;
}
