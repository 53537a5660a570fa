import { z } from 'zod';
import { reviewedPlanSchema } from '../../plan/plan-file.ts';
import { EVENT_FORMAT } from './event-format.ts';
import { hostFacts } from './facts-schema.ts';
import { holder, runEnd, unfinishedRun } from './run-schema.ts';

// The published form of events: one line of `--json` each. `playbooks/schemas/events.schema.json` is generated from this file.
// A run imports only its types, so that it does not load zod.

const text = z.string();
const count = z.int().min(0);
const at = z.number().describe('milliseconds since the run began');
const host = text.describe('the name in the inventory');
const hosts = z.array(text).describe('names in the inventory');
const durationMs = z.number().describe('how long the host was worked on');
const play = text.describe('the name of the play; empty without one');
const generation = text.describe('the generation that was saved before the run');

const phase = z.enum([
  'connecting',
  'gathering facts',
  'planning',
  'rehearsing',
  'installing firewalld',
  'saving the generation',
  'writing',
  'verifying',
  'probing',
  'making permanent',
  'waiting for its batch',
  'restoring',
  'reading history',
  'reading status',
  'confirming',
]);

export const failure = z
  .object({
    code: text.describe('a stable name such as firewalld-absent'),
    what: text.describe('what happened'),
    details: z.array(text),
    solve: text.describe('how to solve it'),
  })
  .meta({ id: 'failure', description: 'what went wrong' });

const aftermath = z
  .discriminatedUnion('kind', [
    z.object({ kind: z.literal('untouched') }),
    z.object({
      kind: z.literal('restored'),
      generation: text,
      by: text.describe('who did it: the controller, the host, timer, boot'),
      differs: z.array(text).exactOptional().describe('what differs at runtime from what was saved'),
    }),
    z.object({ kind: z.literal('restore-failed'), generation: text, why: text }),
    z.object({ kind: z.literal('still-changed'), generation: text }),
    z.object({ kind: z.literal('unknown'), why: text }),
  ])
  .meta({ id: 'aftermath', description: 'the state of the host after a failure' });

const otherRun = z
  .discriminatedUnion('kind', [
    z.object({ kind: z.literal('alive'), lock: holder, run: unfinishedRun.nullable() }),
    z.object({ kind: z.literal('left'), runs: z.array(unfinishedRun) }),
  ])
  .meta({ id: 'other-run', description: 'another run on the host has not ended, so the plan may not last' });

const cut = z
  .discriminatedUnion('kind', [
    z.object({ kind: z.literal('cut'), ended: count, left: count }),
    z.object({ kind: z.literal('failed'), why: text }),
  ])
  .meta({ id: 'cut', description: 'the result of --cut-revoked' });

const evidence = z.array(
  z.object({ kind: z.enum(['socket', 'process', 'unit', 'package', 'file']), text, weight: z.number() }),
);

const findings = z
  .object({
    verdict: z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('settled') }),
      z.object({ kind: z.literal('ambiguous'), unexplained: z.array(text), candidates: z.array(text) }),
      z.object({ kind: z.literal('none') }),
    ]),
    roles: z.array(
      z.object({
        role: text,
        because: z.enum(['declared', 'detected', 'remembered', 'every-host']),
        confidence: z.number(),
        evidence,
      }),
    ),
    candidates: z.array(z.object({ role: text, confidence: z.number(), evidence })),
    warnings: z.array(text),
  })
  .meta({ id: 'findings', description: 'the roles that were found, with the evidence' });

const generations = z.array(
  z.object({
    id: text,
    savedAt: text,
    savedBy: text,
    before: text.describe('what the run that saved it was about to do'),
    permanentHash: text,
    current: z.boolean(),
  }),
);

const changes = count.describe("the number of changes in the host's plan");
const unsettled = otherRun.exactOptional();
const reloads = count.describe('how often firewalld was reloaded');
const pending = z.array(unfinishedRun);

const outcome = z
  .discriminatedUnion('kind', [
    z.object({ kind: z.literal('facts'), facts: hostFacts }),
    z.object({ kind: z.literal('roles'), facts: hostFacts, findings }),
    z.object({ kind: z.literal('unchanged'), changes, unsettled }),
    z.object({ kind: z.literal('planned'), changes, unsettled }),
    z.object({ kind: z.literal('changed'), changes, generation, reloads, cut: cut.exactOptional() }),
    z.object({ kind: z.literal('awaiting'), changes, generation, reloads, pending: unfinishedRun }),
    z.object({ kind: z.literal('confirmed'), generation, drifted: z.boolean() }),
    z.object({ kind: z.literal('nothing-pending'), last: runEnd.nullable() }),
    z.object({ kind: z.literal('status'), lock: holder.nullable(), pending, last: runEnd.nullable() }),
    z.object({ kind: z.literal('history'), generations, pending }),
    z.object({
      kind: z.literal('rolled-back'),
      generation: text.describe('the generation that is in force now'),
      hash: text,
      changed: z.boolean(),
      saved: text.exactOptional().describe('the generation that was saved before'),
    }),
    z.object({ kind: z.literal('reverted'), because: text, generation: text }),
    z.object({ kind: z.literal('refused'), failure }),
    z.object({ kind: z.literal('unreachable'), failure }),
    z.object({ kind: z.literal('failed'), phase, failure, aftermath }),
    z.object({ kind: z.literal('skipped'), because: text }),
  ])
  .meta({ id: 'outcome', description: 'how a host ended' });

const summarised = z.object({
  kind: text.describe("the kind of the host's outcome"),
  changes: changes.exactOptional(),
  code: text.exactOptional().describe('the code of the failure'),
  what: text.exactOptional().describe('what happened'),
  aftermath: aftermath.exactOptional(),
  because: text.exactOptional(),
  unsettled,
  generation: text.exactOptional(),
  cut: cut.exactOptional(),
});

const plan = reviewedPlanSchema.meta({ id: 'plan', description: 'the plan of a host, with a format of its own' });

const leftOut = z
  .object({
    host,
    why: z
      .enum(['connection', 'local-among-remote'])
      .describe('portfw does not speak its connection, or it is the machine that portfw runs on'),
    connection: text.describe('its ansible_connection'),
  })
  .meta({ id: 'left-out', description: 'a host that is not managed because of its connection' });

/** One line of `--json`. */
export const publishedEvent = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('run-started'),
    format: z.literal(EVENT_FORMAT).describe('the format of all lines of this run'),
    command: text,
    hosts,
    leftOut: z.array(leftOut).exactOptional().describe('hosts that the run does nothing on; absent without any'),
    at,
  }),
  z.object({ kind: z.literal('host-phase'), host, phase, at }),
  z.object({ kind: z.literal('host-note'), host, severity: z.enum(['info', 'warning']), text, at }),
  z.object({ kind: z.literal('host-planned'), host, plan, at }),
  z.object({
    kind: z.literal('batches-split'),
    play,
    batches: count,
    serial: count.describe('how many batches "serial" by itself would make'),
    clusters: z.array(z.object({ what: text, hosts })),
    at,
  }),
  z.object({ kind: z.literal('batch-started'), play, batch: count, batches: count, hosts, at }),
  z.object({ kind: z.literal('host-finished'), host, outcome, durationMs, at }),
  z.object({ kind: z.literal('host-reverted'), host, outcome, durationMs, at }),
  z.object({
    kind: z.literal('batch-finished'),
    play,
    batch: count,
    failed: count.describe('hosts of the batch that failed'),
    stop: text.nullable().describe('why no further batch of the playbook begins'),
    at,
  }),
  z.object({ kind: z.literal('interrupted'), at }),
  z.object({
    kind: z.literal('run-finished'),
    summary: z.object({
      command: text,
      durationMs: z.number(),
      interrupted: z.boolean(),
      counts: z.record(text, count).describe('hosts by kind of outcome'),
      outcomes: z.record(text, summarised).describe('by host'),
    }),
    at,
  }),
]);

/** The same type with everything read-only. */
type Unchanging<T> = T extends object ? { readonly [K in keyof T]: Unchanging<T[K]> } : T;

export type PublishedEvent = Unchanging<z.infer<typeof publishedEvent>>;
export type PublishedOutcome = Unchanging<z.infer<typeof outcome>>;
export type PublishedSummary = Unchanging<z.infer<typeof summarised>>;
