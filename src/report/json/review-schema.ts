import { z } from 'zod';
import { reviewedPlanSchema } from '../../plan/plan-file.ts';
import { failure } from './event-schema.ts';
import { REVIEW_FORMAT } from './review-format.ts';

// The published form of a review: the document of `--format json`. `playbooks/schemas/review.schema.json` is generated from
// this file. A run imports only its types, so that it does not load zod.

const text = z.string();
const texts = z.array(text);
const count = z.int().min(0);

const hostNames = z
  .object({
    shown: texts.describe('the first ones'),
    more: count.describe('how many are not in "shown"'),
    count: count.describe('how many there are'),
  })
  .meta({ id: 'host-names', description: 'hosts by name; "hosts" of the document has them all' });

const family = z.enum(['IPv4', 'IPv6']).nullable().describe('only where IPv4 and IPv6 differ');

const place = {
  interface: text,
  classes: texts,
  internet: z.boolean().describe('the internet reaches this interface: its class is public, a virtual address or none'),
  ports: texts.describe('22/tcp, 5060-5061/udp, all ports, all other ports'),
  family,
  partly: z.boolean().describe("only at some of the interface's addresses"),
};

const portsLine = z
  .object({
    turn: z.enum(['opened', 'widened', 'narrowed', 'closed', 'changed']),
    ...place,
    before: text.describe('who gets in now: anybody, 192.0.2.0/24, nobody'),
    after: text,
    why: texts,
  })
  .meta({ id: 'ports-line', description: 'ports at one interface for which the same people lose or get access' });

const verdictPorts = z
  .object({ ...place, from: text, changed: z.boolean().describe('opened or widened by the plan') })
  .meta({ id: 'verdict-ports', description: 'ports at one interface, and who reaches them afterwards' });

const note = z
  .object({
    code: text,
    text: text.describe('of the first host, if the hosts have different ones'),
    texts: count.describe('how many different texts the hosts have'),
    hosts: hostNames,
  })
  .meta({ id: 'note', description: 'a warning or a note, once for all hosts that have it' });

const changeCounts = { changes: count, add: count, change: count, remove: count };

const summary = z
  .object({
    action: z.enum(['apply', 'rollback']),
    generations: z.array(z.object({ id: text, savedAt: text, savedBy: text, before: text, hosts: hostNames })),
    totals: z.object({
      hosts: count,
      changing: count,
      unchanged: count,
      refused: count,
      unreachable: count,
      failed: count,
      skipped: count,
      ...changeCounts,
      closing: count.describe('ports, once for each host, interface and protocol'),
      narrowing: count,
      opening: count,
      widening: count,
      sidesClosing: count.describe('interfaces where fewer reach all ports that are not named apart'),
      sidesOpening: count,
      reloads: count.describe('hosts that reload'),
      longestHoldMs: z.number(),
      flowsCut: count,
      flowsOutlive: count.describe('flows that go on although no new one of their kind may come'),
      socketsFewer: count.describe('listening sockets that fewer can reach'),
      warnings: count,
      notes: count,
    }),
    rows: z
      .array(
        z.object({
          hosts: hostNames,
          closes: z.array(portsLine),
          opens: z.array(portsLine),
          interfaces: z.array(z.object({ interface: text, from: text, to: text })),
          reloads: count,
          flowsCut: count,
          flowsOutlive: count,
          socketsFewer: count,
          counts: z.object(changeCounts),
          also: texts,
        }),
      )
      .describe('what changes for whom: hosts with the same changes share a row'),
    without: z
      .array(
        z.object({
          kind: z.enum(['refused', 'unreachable', 'failed', 'skipped']),
          hosts: hostNames,
          code: text,
          what: text,
          solve: text,
        }),
      )
      .describe('hosts without a plan'),
    warnings: z.array(note),
    notes: z.array(note).describe('what the operator should know that is no warning'),
    verdicts: z
      .array(
        z.object({
          hosts: hostNames,
          opens: z.array(verdictPorts).describe('what the internet reaches afterwards; never shortened'),
          closes: z.array(portsLine),
          trusted: z.array(verdictPorts),
          ssh: z.array(verdictPorts),
          warnings: texts.describe("the codes of the hosts' warnings"),
        }),
      )
      .describe('what like hosts are like afterwards'),
    unjudged: hostNames.describe('hosts of which it is not known who gets in'),
  })
  .meta({ id: 'summary', description: 'what the text of a review begins with' });

const plan = reviewedPlanSchema.meta({ id: 'plan', description: 'the plan of a host, with a format of its own' });

const diff = text.exactOptional().describe("with --raw: firewalld's files that change, as a unified diff");

const host = {
  host: text.describe('the name in the inventory'),
  groups: texts.describe('its groups in the inventory'),
};

/** The document of `--format json`. */
export const publishedReview = z.object({
  kind: z.literal('review'),
  format: z.literal(REVIEW_FORMAT),
  action: z.enum(['apply', 'rollback']),
  digest: text.nullable().describe('the digest of the saved plan; null if it is not saved'),
  summary,
  hosts: z.array(
    z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('planned'), ...host, plan, diff }),
      z.object({ kind: z.literal('unchanged'), ...host, plan, diff }),
      z.object({ kind: z.literal('refused'), ...host, failure }),
      z.object({ kind: z.literal('unreachable'), ...host, failure }),
      z.object({ kind: z.literal('failed'), ...host, failure }),
      z.object({ kind: z.literal('skipped'), ...host, failure }),
    ]),
  ),
});

/** The same type with everything read-only. */
type Unchanging<T> = T extends object ? { readonly [K in keyof T]: Unchanging<T[K]> } : T;

export type PublishedReview = Unchanging<z.infer<typeof publishedReview>>;
