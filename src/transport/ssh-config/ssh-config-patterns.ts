import { matchesPattern } from '../ssh2/known-hosts.ts';

/**
 * OpenSSH's pattern lists: `web*,!web9`. One negated match anywhere in the list excludes the name; a list of negations
 * only matches nothing. Source: ssh_config(5), PATTERNS.
 */
export function matchesPatternList(list: string, name: string): boolean {
  return matchesPatterns(list.split(','), name);
}

/** As {@link matchesPatternList}, for the words of a Host line. */
export function matchesPatterns(patterns: readonly string[], name: string): boolean {
  let matched = false;
  for (const pattern of patterns) {
    const negated = pattern.startsWith('!');
    const text = negated ? pattern.slice(1) : pattern;
    if (!(text === '' ? name === '' : matchesPattern(text, name))) continue;
    if (negated) return false;
    matched = true;
  }
  return matched;
}
