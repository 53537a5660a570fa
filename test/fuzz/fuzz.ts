import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { InputError, type Problem } from '../../src/core/problem.ts';
import { type Mutation, mutate, mutation } from './mutate.ts';
import { fuzzTargets, type Reading, type Target } from './targets.ts';

/** What a fuzz run found about one target. */
export interface FuzzResult {
  readonly target: string;
  readonly runs: number;
  readonly seconds: number;
  /** The slowest input, in milliseconds of processor time. */
  readonly slowest: number;
  /** How many inputs had nothing wrong. */
  readonly accepted: number;
  /** The first failure, made as small as possible: what went wrong, the bytes, and how to run it again. */
  readonly finding: string | null;
}

/** The longest that one input may take, in milliseconds of processor time: others may keep the machine busy. */
const LONGEST = 2_000;

/** Controls, marks that turn the direction of text, and characters without width. */
const INVISIBLE = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/;

/**
 * Runs mutated files through the parsers.
 *
 * @param seed the same seed makes the same inputs
 * @param amount how many inputs for each target, and for how many seconds at most
 * @param only the names of the targets; none means all
 */
export function fuzz(
  seed: number,
  amount: { readonly runs: number; readonly seconds: number },
  only: readonly string[] = [],
): readonly FuzzResult[] {
  const folder = mkdtempSync(join(tmpdir(), 'portfw-fuzz-'));
  try {
    return fuzzTargets(folder)
      .filter((target) => only.length === 0 || only.includes(target.name))
      .map((target) => fuzzTarget(target, seed, amount));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function fuzzTarget(
  target: Target,
  seed: number,
  { runs, seconds }: { readonly runs: number; readonly seconds: number },
): FuzzResult {
  let slowest = 0;
  let accepted = 0;
  let made = 0;
  const start = performance.now();
  const input = fc.tuple(fc.nat(target.corpus.length - 1), fc.array(mutation, { minLength: 1, maxLength: 6 }));
  const property = fc.property(input, ([index, mutations]: [number, Mutation[]]) => {
    const bytes = mutate(target.corpus[index]!, mutations, target.corpus);
    const before = process.cpuUsage();
    const outcome = readOnce(target, bytes);
    const used = process.cpuUsage(before);
    const took = (used.user + used.system) / 1000;
    slowest = Math.max(slowest, took);
    made += 1;
    if (outcome.problems.length === 0) accepted += 1;
    if (took > LONGEST) throw new Error(`it took ${Math.round(took)} ms of processor time`);
    checkProblems(outcome);
    // Some inputs are read twice: the second answer has to be the first.
    if (made % 8 === 0) {
      const again = readOnce(target, bytes);
      const same = (one: Outcome): string => JSON.stringify([one.problems, one.result]);
      if (same(again) !== same(outcome)) throw new Error('the same bytes were read in two ways');
    }
  });
  const details = fc.check(property, {
    seed,
    numRuns: runs,
    interruptAfterTimeLimit: seconds * 1000,
    endOnFailure: false,
  });
  return {
    target: target.name,
    runs: made,
    seconds: (performance.now() - start) / 1000,
    slowest,
    accepted,
    finding: details.failed ? describe(target, details, seed) : null,
  };
}

interface Outcome extends Reading {
  readonly text: string;
}

function readOnce(target: Target, bytes: Buffer): Outcome {
  const text = bytes.toString('utf8');
  try {
    return { ...target.read(bytes), text };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { problems: error.problems, result: 'refused', file: null, text };
  }
}

/** Each problem can be shown: one line of visible text, with a hint, at a place that exists. */
function checkProblems(outcome: Outcome): void {
  const files = new Map<string, readonly string[]>();
  const linesOf = (file: string): readonly string[] => {
    // As bytes: where a file is no UTF-8, columns count these.
    const lines = files.get(file) ?? readFileSync(file).toString('latin1').split('\n');
    files.set(file, lines);
    return lines;
  };
  for (const problem of outcome.problems) {
    for (const text of [problem.what, problem.solve]) {
      if (text.trim() === '') throw new Error(`a problem without words: ${JSON.stringify(problem)}`);
      if (INVISIBLE.test(text)) throw new Error(`a problem with invisible characters: ${JSON.stringify(problem)}`);
      if (text.length > 1_000) throw new Error(`a problem of ${text.length} characters: ${text.slice(0, 200)}`);
    }
    checkPlace(problem, linesOf);
  }
}

function checkPlace(problem: Problem, linesOf: (file: string) => readonly string[]): void {
  const at = problem.location;
  if (at === null) return;
  const wrong = (): Error => new Error(`a place outside the file: ${JSON.stringify(problem)}`);
  if (!Number.isInteger(at.line) || !Number.isInteger(at.column) || at.line < 1 || at.column < 1) throw wrong();
  if (at.line === 1 && at.column === 1) return;
  const line = linesOf(at.file)[at.line - 1];
  if (line === undefined || at.column > line.length + 1) throw wrong();
}

function describe(target: Target, details: fc.RunDetails<[[number, Mutation[]]]>, seed: number): string {
  const [index, mutations] = details.counterexample![0];
  const bytes = mutate(target.corpus[index]!, mutations, target.corpus);
  const error = details.errorInstance;
  return [
    error instanceof Error ? (error.stack ?? error.message).split('\n').slice(0, 8).join('\n') : String(error),
    `seed ${seed}, path ${details.counterexamplePath}, mutations ${JSON.stringify(mutations)}`,
    `${bytes.length} bytes: ${JSON.stringify(bytes.toString('utf8').slice(0, 500))}`,
  ].join('\n');
}
