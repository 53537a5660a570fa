import { safeText } from './shown.ts';

/** The number of single-character edits and swaps of neighbours that turn `a` into `b`, or `limit + 1` when there are more. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const current = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min(previous[j]! + 1, current[j - 1]! + 1, previous[j - 1]! + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, beforePrevious[j - 2]! + 1);
      }
      current.push(best);
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[b.length]!;
}

function normalised(name: string): string {
  return name.toLowerCase().replaceAll(/[\s_.-]/g, '');
}

/**
 * The known name that an unknown one was most likely meant to be, or `null` when none is close.
 * Letter case and the choice of separator (`_`, `-`, `.`) do not count; up to two fifths of the letters, and at most three, may differ.
 */
export function closest(name: string, known: Iterable<string>): string | null {
  const wanted = normalised(name.slice(0, 100));
  let best: string | null = null;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    const other = normalised(candidate);
    const allowed = Math.min(3, Math.max(1, Math.floor(Math.max(wanted.length, other.length) * 0.4)));
    const distance = editDistance(wanted, other, allowed);
    if (distance <= allowed && distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/**
 * A hint for an unknown name: `Did you mean "x"?` when one is close, else the list of what is known (at most ten names).
 * `what` names the things in the plural, e.g. `keys`.
 */
export function suggestion(name: string, known: Iterable<string>, what: string): string {
  const all = [...known];
  const near = closest(name, all);
  if (near !== null) return `Did you mean "${safeText(near)}"?`;
  if (all.length === 0) return `There are no ${what} to choose from`;
  const listed = all.slice(0, 10).map(safeText).join(', ');
  return `Known ${what}: ${listed}${all.length > 10 ? ', …' : ''}`;
}
