/**
 * Runs `work` for every item, at most `limit` at once, in order of the list. After `signal` is aborted nothing new
 * begins; work in progress is awaited. `work` must not reject.
 *
 * @returns the items that were never begun
 */
export async function runLimited<T>(
  items: readonly T[],
  limit: number,
  signal: AbortSignal,
  work: (item: T) => Promise<void>,
): Promise<readonly T[]> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length && !signal.aborted) {
      const item = items[next]!;
      next += 1;
      await work(item);
    }
  };
  await Promise.all(Array.from({ length: Math.min(Math.max(1, limit), items.length) }, worker));
  return items.slice(next);
}

/** A gate for each name. */
export class Gates {
  readonly #limit: number;
  readonly #gates = new Map<string, Gate>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  of(name: string): Gate {
    const gate = this.#gates.get(name) ?? new Gate(this.#limit);
    this.#gates.set(name, gate);
    return gate;
  }
}

/** Runs at most `limit` pieces of work at once; the others wait in their order. */
export class Gate {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(limit: number) {
    this.#free = limit;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      // A place is passed on directly, without being free in between.
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}
