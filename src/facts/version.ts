import type { Fault } from '../core/failure.ts';

/** The oldest supported firewalld: the first with policies and zone forwarding. */

const OLDEST_SUPPORTED = '0.9.0';

/**
 * Orders two dotted versions by their numbers (`0.9.3` < `0.10` < `1.0`); missing parts count as zero; a suffix (`-rc1`, `~beta`) is
 * ignored.
 *
 * @returns negative, zero or positive, like every comparison
 */
export function compareVersions(a: string, b: string): number {
  const left = numbers(a);
  const right = numbers(b);
  for (let i = 0; i < Math.max(left.length, right.length); i += 1) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Whether text is a version: numbers with dots, then perhaps what a distribution adds (`-1.el8`, `rc1`). */
export function isVersion(text: string): boolean {
  return /^\d{1,9}(?:\.\d{1,9}){0,5}(?:[-~+_a-z][0-9A-Za-z.~+_-]{0,40})?$/.test(text);
}

function numbers(version: string): number[] {
  const found = /^\d{1,9}(?:\.\d{1,9})*/.exec(version);
  return found === null ? [] : found[0].split('.').map(Number);
}

/** Why a host with this firewalld is refused, and what to do; `null` if it is supported. */
export function firewalldRefusal(version: string): Fault | null {
  if (!isVersion(version)) {
    return {
      what: 'The version of firewalld on this host is not known',
      solve: `Install firewalld ${OLDEST_SUPPORTED} or newer from the distribution's packages`,
    };
  }
  if (compareVersions(version, OLDEST_SUPPORTED) >= 0) return null;
  return {
    what: `firewalld ${version} is older than ${OLDEST_SUPPORTED}, the oldest that portfw supports`,
    solve: `Upgrade firewalld to ${OLDEST_SUPPORTED} or newer`,
  };
}
