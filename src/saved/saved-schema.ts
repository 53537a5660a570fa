import { z } from 'zod';
import { lostSteps, reviewedPlanSchema } from '../plan/plan-file.ts';
import { digestOf, SAVED_FORMAT, type SavedContents, type SavedPlan } from './saved-plan.ts';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const strings = z.array(z.string());
const stringOrNull = z.string().nullable();
const name = z.string().min(1);

const identity = z.strictObject({ type: name, fingerprint: z.string().regex(/^SHA256:[A-Za-z0-9+/]{43}$/) }).nullable();

const host = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('plan'),
    host: name,
    groups: strings,
    identity,
    firewalld: stringOrNull,
    seen: strings,
    plan: reviewedPlanSchema,
  }),
  z.strictObject({
    kind: z.literal('without'),
    host: name,
    groups: strings,
    without: z.strictObject({
      kind: z.enum(['refused', 'unreachable', 'failed', 'skipped']),
      code: z.string(),
      what: z.string(),
      details: strings,
      solve: z.string(),
    }),
  }),
]);

/** A saved plan as a document. Its JSON Schema ships as `playbooks/schemas/plan.schema.json`. */
export const savedSchema = z.strictObject({
  format: z.literal(SAVED_FORMAT),
  kind: z.enum(['apply', 'rollback']),
  portfw: z.string(),
  today: z.string().regex(/^\d{4}-\d{2}-\d{2}$/),
  options: z.strictObject({
    inventory: strings,
    playbook: stringOrNull,
    limit: stringOrNull,
    acceptLockout: strings,
    acceptForwardingStop: strings,
  }),
  inputs: z.array(z.strictObject({ path: name, sha256 })),
  hosts: z.array(host),
  digest: sha256,
});

/** A saved plan, or everything that is wrong with the text. */
export type SavedReading =
  | { readonly kind: 'saved'; readonly saved: SavedPlan }
  | {
      readonly kind: 'unreadable';
      readonly code: 'not-a-saved-plan' | 'other-format' | 'edited-plan' | 'bad-plan';
      readonly problems: readonly string[];
    };

/**
 * Reads a saved plan. The text may come from anybody: every part is checked, a key that is not known is a problem, and so is
 * a digest that is not that of the contents.
 */
export function readSaved(text: string): SavedReading {
  const unreadable = (code: Extract<SavedReading, { kind: 'unreadable' }>['code'], problems: readonly string[]) =>
    ({ kind: 'unreadable', code, problems }) as const;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return unreadable('not-a-saved-plan', [`it is not JSON: ${(error as Error).message}`]);
  }
  if (compact(text) !== JSON.stringify(value))
    return unreadable('edited-plan', ['it has a key twice, or is written in another way than portfw writes JSON']);
  if (typeof value !== 'object' || value === null || !('format' in value) || !('hosts' in value))
    return unreadable('not-a-saved-plan', ['it has no format and no hosts: it is not a saved plan']);
  if (value.format !== SAVED_FORMAT)
    return unreadable('other-format', [
      `its format is ${JSON.stringify(value.format)}, and this portfw reads format ${SAVED_FORMAT}`,
    ]);
  const { digest, ...contents } = value as Record<string, unknown>;
  let edited: boolean;
  try {
    edited = digest !== digestOf(contents as unknown as SavedContents);
  } catch {
    return unreadable('not-a-saved-plan', ['its values are nested too deep']);
  }
  const changed = edited ? ['digest: it is not the digest of the contents: somebody has edited the file'] : [];
  const read = savedSchema.safeParse(value);
  if (!read.success) {
    const problems = read.error.issues.map(({ path, message }) => `${path.map(String).join('.')}: ${message}`);
    return unreadable(edited ? 'edited-plan' : 'bad-plan', [...changed, ...problems]);
  }
  if (edited) return unreadable('edited-plan', changed);
  const problems = contradictions(read.data);
  return problems.length > 0 ? unreadable('bad-plan', problems) : { kind: 'saved', saved: read.data };
}

/** What cannot be together in a saved plan. */
function contradictions({ kind, hosts }: SavedPlan): readonly string[] {
  const known = new Set<string>();
  return hosts.flatMap((one, index) => {
    const problems: string[] = [];
    if (known.has(one.host)) problems.push('the host is in the file twice');
    known.add(one.host);
    if (one.kind === 'plan') {
      const { plan } = one;
      if (plan.host !== one.host) problems.push('the plan is for another host');
      if (plan.kind !== kind) problems.push(`the plan is of the kind ${plan.kind}, the file of the kind ${kind}`);
      if (plan.kind === 'apply')
        for (const step of lostSteps(plan)) problems.push(`step ${step} names a change that is not there`);
    }
    return problems.map((problem) => `hosts.${index}: ${problem}`);
  });
}

/**
 * A JSON text without the blanks between its parts. It is what the parsed value gives, unless a key stands twice: then readers
 * of the text may see another plan than the one that is read.
 */
function compact(text: string): string {
  return text.replace(/("(?:[^"\\]|\\.)*")|\s+/g, '$1');
}
