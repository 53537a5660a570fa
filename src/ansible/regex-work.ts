/**
 * What it costs V8 to compile a regular expression. For each place in it, V8 looks at all ways to match the next four characters.
 * Of `a?a?a?…` with 120 parts there are so many that it takes half a minute, and nothing can end that: no time limit, and not the
 * end of the thread.
 */
export interface Ways {
  readonly whole: Counts;
  /** The same from each place inside, together. */
  readonly parts: Counts;
}

interface Counts {
  /** The number of ways through it that match 0, 1, 2 and 3 characters. */
  readonly through: readonly number[];
  /** The number of ways in it to come to 1, 2, 3 and 4 characters. */
  readonly upTo: readonly number[];
}

/** The most ways that are allowed: they take about half a second. */
export const MOST_WORK = 500_000;

const LOOKED_AHEAD = 4;
const WRITTEN_OUT = 3;
const EMPTY: Counts = { through: [1, 0, 0, 0], upTo: [0, 0, 0, 0] };
const CHARACTER: Counts = { through: [0, 1, 0, 0], upTo: [1, 0, 0, 0] };

/** What matches one character. */
export const ONE: Ways = { whole: CHARACTER, parts: CHARACTER };

/** What matches no character. */
export const NOTHING: Ways = { whole: EMPTY, parts: EMPTY };

/** The ways of parts that follow each other. */
export function inOrder(items: readonly Ways[]): Ways {
  return items.reduceRight<Ways>(
    (rest, item) => ({
      whole: then(item.whole, rest.whole),
      parts: sum(then(item.parts, rest.whole), rest.parts),
    }),
    NOTHING,
  );
}

/** The ways of alternatives. */
export function either(items: readonly Ways[]): Ways {
  return {
    whole: items.map(({ whole }) => whole).reduce(sum),
    parts: items.map(({ parts }) => parts).reduce(sum),
  };
}

/** The ways of a part that is repeated. V8 writes up to three times of it out, but none that may match nothing; the rest is a loop. */
export function repeated(item: Ways, least: number, most: number): Ways {
  const optional = either([NOTHING, item]);
  if (least > WRITTEN_OUT || item.whole.through[0]! > 0) return optional;
  const more = most - least;
  return inOrder([...Array<Ways>(least).fill(item), ...Array<Ways>(more > WRITTEN_OUT ? 1 : more).fill(optional)]);
}

/** All ways of an expression together. */
export function workOf({ parts: { through, upTo } }: Ways): number {
  return [...through, ...upTo].reduce((total, count) => total + count, 0);
}

function sum(one: Counts, other: Counts): Counts {
  const add = (counts: readonly number[], more: readonly number[]) =>
    counts.map((count, index) => count + more[index]!);
  return { through: add(one.through, other.through), upTo: add(one.upTo, other.upTo) };
}

function then(first: Counts, next: Counts): Counts {
  const through = [0, 0, 0, 0];
  const upTo = [...first.upTo];
  for (const [before, ways] of first.through.entries()) {
    for (let more = 0; before + more < LOOKED_AHEAD; more += 1) {
      through[before + more]! += ways * next.through[more]!;
      upTo[before + more]! += ways * next.upTo[more]!;
    }
  }
  return { through, upTo };
}
