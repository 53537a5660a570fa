/** How much a summary says. */
export interface Extent {
  /** `full`: a line for each change of access; otherwise lines for a row at most, without its hosts where they are three. */
  readonly row: 'full' | 'three' | 'two' | 'one';
  readonly rows: number;
  /**
   * `five`: a line for each of five; `brief`: what opens to the internet, and one line for the rest; `opens`: hosts share a
   * verdict if the internet reaches the same on them. What opens to the internet takes as many lines as it needs.
   */
  readonly verdict: 'full' | 'five' | 'brief' | 'opens';
  readonly verdicts: number;
  /** Warnings, and failures: at most so many, each in one line if it is few. */
  readonly others: number;
  readonly ports: number;
}

/** No limit. */
export const MANY = Number.MAX_SAFE_INTEGER;
/** The first that fits a screen is taken. */
export const EXTENTS: readonly [Extent, ...Extent[]] = [
  { row: 'full', rows: MANY, verdict: 'full', verdicts: MANY, others: MANY, ports: 12 },
  { row: 'full', rows: MANY, verdict: 'full', verdicts: MANY, others: 5, ports: 6 },
  { row: 'three', rows: MANY, verdict: 'five', verdicts: MANY, others: 5, ports: 6 },
  { row: 'two', rows: MANY, verdict: 'five', verdicts: MANY, others: 4, ports: 6 },
  { row: 'three', rows: MANY, verdict: 'brief', verdicts: 8, others: 4, ports: 6 },
  { row: 'two', rows: 8, verdict: 'brief', verdicts: 8, others: 4, ports: 6 },
  { row: 'one', rows: 8, verdict: 'brief', verdicts: 8, others: 3, ports: 6 },
  { row: 'one', rows: 6, verdict: 'opens', verdicts: MANY, others: 3, ports: 6 },
];
