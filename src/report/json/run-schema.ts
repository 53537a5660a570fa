import { z } from 'zod';

const text = z.string();

/** Who holds a host's lock. */
export const holder = z
  .object({ holder: text, since: text, id: text })
  .meta({ id: 'lock', description: "who holds the host's lock" });

/** A run on a host that has not ended. */
export const unfinishedRun = z
  .object({
    id: text,
    holder: text,
    what: text,
    since: text,
    confirm: z.enum(['auto', 'manual']),
    proved: z.boolean().describe('it is verified and only waits for confirmation'),
    decision: z.enum(['open', 'keep', 'revert']),
    secondsLeft: z.number().describe('until the host rolls back by itself'),
    step: text.describe('the step that it reached last'),
    alive: z.boolean().describe('false when only the next run can end it'),
    held: z
      .object({ why: text, since: text, inForce: z.boolean() })
      .exactOptional()
      .describe('a rollback that failed, and is tried again'),
  })
  .meta({ id: 'unfinished-run', description: 'a run on the host that has not ended' });

/** How the last run on a host ended. */
export const runEnd = z
  .object({
    id: text,
    outcome: z.enum(['kept', 'reverted']),
    by: text.describe('who decided'),
    why: text,
    at: text,
    what: text,
    holder: text,
  })
  .meta({ id: 'run-end', description: 'how the last run on the host ended' });
