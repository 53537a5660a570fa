/**
 * A matcher for names whose effort is bounded by the size of the expression times the length of the name, whatever they
 * are: all ways through the expression are followed at once, so that nothing like `(a+)+$` can take for ever.
 */

/** An expression over characters. */
export type Expression =
  | { readonly kind: 'character'; readonly test: (character: string) => boolean }
  | { readonly kind: 'position'; readonly test: (characters: readonly string[], at: number) => boolean }
  | { readonly kind: 'sequence'; readonly parts: readonly Expression[] }
  | { readonly kind: 'either'; readonly branches: readonly Expression[] }
  | { readonly kind: 'repeat'; readonly what: Expression; readonly least: number; readonly most: number }
  /** What follows (`behind` is `null`) or what the given number of characters before are, without moving on. */
  | {
      readonly kind: 'look';
      readonly what: Expression;
      readonly behind: number | null;
      readonly negated: boolean;
    };

/** Why an expression or its use was given up. */
export class TooComplex extends Error {}

/** The most states that one expression may become: repeats such as `{1,500}` are written out. */
const MAX_STATES = 5_000;
/** The most steps that one expression may take over all names: a few seconds. */
const MAX_STEPS = 50_000_000;

type State =
  | { readonly kind: 'character'; readonly test: (character: string) => boolean; next: number }
  | { readonly kind: 'position'; readonly test: (characters: readonly string[], at: number) => boolean; next: number }
  | {
      readonly kind: 'look';
      readonly start: number;
      readonly behind: number | null;
      readonly negated: boolean;
      next: number;
    }
  | { readonly kind: 'fork'; readonly ways: readonly number[] }
  | { readonly kind: 'accept' };

/**
 * Makes a test that says whether a name begins with what the expression describes.
 *
 * @throws TooComplex when the expression is too large; the test throws it when the names take too many steps in all
 */
export function compileExpression(expression: Expression): (name: string) => boolean {
  const states: State[] = [];
  const add = (state: State): number => {
    if (states.length >= MAX_STATES) throw new TooComplex('has repeats that are too large');
    return states.push(state) - 1;
  };
  const accept = add({ kind: 'accept' });

  /** The state where `part` begins when `next` follows it. */
  const build = (part: Expression, next: number): number => {
    switch (part.kind) {
      case 'character':
        return add({ kind: 'character', test: part.test, next });
      case 'position':
        return add({ kind: 'position', test: part.test, next });
      case 'sequence':
        return part.parts.reduceRight((after, one) => build(one, after), next);
      case 'either':
        return add({ kind: 'fork', ways: part.branches.map((branch) => build(branch, next)) });
      case 'look':
        return add({
          kind: 'look',
          start: build(part.what, accept),
          behind: part.behind,
          negated: part.negated,
          next,
        });
      case 'repeat': {
        let start = next;
        if (part.most === Number.POSITIVE_INFINITY) {
          const ways = [next];
          start = add({ kind: 'fork', ways });
          ways.push(build(part.what, start));
        } else {
          for (let count = part.least; count < part.most; count += 1) {
            start = add({ kind: 'fork', ways: [next, build(part.what, start)] });
          }
        }
        for (let count = 0; count < part.least; count += 1) start = build(part.what, start);
        return start;
      }
    }
  };
  const first = build(expression, accept);

  let steps = 0;
  /** Whether the states from `start` accept from `from` on; exactly up to `end` when that is given. */
  const run = (characters: readonly string[], start: number, from: number, end: number | null): boolean => {
    // When a state was last entered, counted in positions from 1.
    const entered = new Uint32Array(states.length);
    const enter = (list: number[], index: number, at: number): void => {
      if (entered[index] === at + 1) return;
      entered[index] = at + 1;
      list.push(index);
    };
    let current: number[] = [];
    enter(current, start, from);
    for (let at = from; at <= characters.length && current.length > 0; at += 1) {
      const following: number[] = [];
      const character = characters[at];
      // The list grows while it is walked. A state that reads a character is entered for the next position only.
      for (let walked = 0; walked < current.length; walked += 1) {
        steps += 1;
        if (steps > MAX_STEPS) throw new TooComplex('takes too long on the names of this inventory');
        const state = states[current[walked]!]!;
        switch (state.kind) {
          case 'accept':
            if (end === null || end === at) return true;
            break;
          case 'fork':
            for (const way of state.ways) enter(current, way, at);
            break;
          case 'position':
            if (state.test(characters, at)) enter(current, state.next, at);
            break;
          case 'look':
            if (looks(characters, state, at) !== state.negated) enter(current, state.next, at);
            break;
          case 'character':
            if (character !== undefined && state.test(character)) following.push(state.next);
        }
      }
      if (at === end) return false;
      current = [];
      for (const index of following) enter(current, index, at + 1);
    }
    return false;
  };
  const looks = (characters: readonly string[], state: State & { kind: 'look' }, at: number): boolean => {
    if (state.behind === null) return run(characters, state.start, at, null);
    return state.behind <= at && run(characters, state.start, at - state.behind, at);
  };
  return (name) => run([...name], first, 0, null);
}

/** How many characters an expression takes, or `null` when that varies. */
export function fixedWidth(expression: Expression): number | null {
  switch (expression.kind) {
    case 'character':
      return 1;
    case 'position':
    case 'look':
      return 0;
    case 'sequence': {
      const widths = expression.parts.map(fixedWidth);
      return widths.includes(null) ? null : widths.reduce<number>((sum, width) => sum + width!, 0);
    }
    case 'either': {
      const widths = new Set(expression.branches.map(fixedWidth));
      return widths.size === 1 ? [...widths][0]! : null;
    }
    case 'repeat': {
      const width = fixedWidth(expression.what);
      return width === null || expression.least !== expression.most ? null : width * expression.least;
    }
  }
}

/** Matches where the name ends. */
export const AT_END: Expression = { kind: 'position', test: (characters, at) => at === characters.length };

/** A shell glob as a whole name: `*`, `?`, `[abc]`, `[a-f]`, `[!abc]`; a bracket that is not closed stands for itself. */
export function globExpression(glob: string): Expression {
  const characters = [...glob];
  const parts: Expression[] = [];
  for (let i = 0; i < characters.length; i += 1) {
    const character = characters[i]!;
    if (character === '*') {
      if (characters[i - 1] !== '*')
        parts.push({
          kind: 'repeat',
          what: { kind: 'character', test: () => true },
          least: 0,
          most: Number.POSITIVE_INFINITY,
        });
      continue;
    }
    if (character === '?') {
      parts.push({ kind: 'character', test: () => true });
      continue;
    }
    const negated = characters[i + 1] === '!';
    const from = i + (negated ? 2 : 1);
    // A bracket that closes at once holds the bracket itself, as in the shell.
    const close = character === '[' ? characters.indexOf(']', from + 1) : -1;
    if (close === -1) {
      parts.push({ kind: 'character', test: (one) => one === character });
      continue;
    }
    const isMember = globMembers(characters.slice(from, close));
    parts.push({ kind: 'character', test: (one) => isMember(one) !== negated });
    i = close;
  }
  return { kind: 'sequence', parts: [...parts, AT_END] };
}

function globMembers(members: readonly string[]): (character: string) => boolean {
  const ranges: (readonly [number, number])[] = [];
  for (let i = 0; i < members.length; i += 1) {
    const low = members[i]!.codePointAt(0)!;
    const high = members[i + 1] === '-' ? members[i + 2]?.codePointAt(0) : undefined;
    ranges.push([low, high ?? low]);
    if (high !== undefined) i += 2;
  }
  return (character) => {
    const code = character.codePointAt(0)!;
    return ranges.some(([low, high]) => low <= code && code <= high);
  };
}
