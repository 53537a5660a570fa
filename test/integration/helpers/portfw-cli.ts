import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { PublishedEvent } from '../../../src/report/json/event-schema.ts';
import { outcomesIn, readEvent, type SeenOutcome } from '../../helpers/published-events.ts';
import { STATE_HOME } from '../../set-up/state-home.ts';

const ROOT = join(import.meta.dirname, '../../..');
const MAIN = join(ROOT, 'dist/cli/main.js');
/** Longer than any run of a lab takes. */
const DEADLINE_MS = 150_000;
const OUTPUT_LIMIT = 64 * 1024 * 1024;

/** How a run of the command ended. */
export interface CliResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A run with `--json`, read back. */
export interface JsonRun extends CliResult {
  readonly events: readonly PublishedEvent[];
  /** How each host ended, by name. */
  readonly outcomes: ReadonlyMap<string, SeenOutcome>;
}

/**
 * Runs the built command as a user would: a process of its own, without a terminal, with no SSH configuration, agent or
 * password of whoever runs the tests. Throws only when it does not end by itself.
 */
export function portfw(...args: readonly string[]): Promise<CliResult> {
  if (!existsSync(MAIN)) throw new Error('dist/cli/main.js is missing: run `npm run build` first');
  const { PATH = '' } = process.env;
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [MAIN, ...args],
      {
        cwd: ROOT,
        env: { PATH, HOME: '/nonexistent', USER: 'tester', XDG_STATE_HOME: STATE_HOME },
        timeout: DEADLINE_MS,
        maxBuffer: OUTPUT_LIMIT,
      },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : error.code;
        if (typeof code === 'number') resolve({ exitCode: code, stdout, stderr });
        else reject(new Error(`portfw ${args.join(' ')} did not end by itself: ${String(error)}\n${stdout}${stderr}`));
      },
    );
  });
}

/** Runs a command over hosts with `--json` and reads its events. Throws when a line is no JSON. */
export async function portfwJson(...args: readonly string[]): Promise<JsonRun> {
  const result = await portfw(...args, '--json');
  const events = result.stdout
    .split('\n')
    .filter((line) => line !== '')
    .map(readEvent);
  return { ...result, events, outcomes: outcomesIn(events) };
}

/** The outcome of one host, which must be of that kind; throws with all that is known otherwise. */
export function outcomeOf<K extends SeenOutcome['kind']>(
  run: JsonRun,
  host: string,
  kind: K,
): Extract<SeenOutcome, { kind: K }> {
  const outcome = run.outcomes.get(host);
  if (outcome?.kind === kind) return outcome as Extract<SeenOutcome, { kind: K }>;
  throw new Error(
    `${host} should have ended as "${kind}" (exit code ${run.exitCode}): ${JSON.stringify(outcome, null, 2)}\n${run.stderr}`,
  );
}
