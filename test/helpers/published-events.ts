import { type PublishedEvent, type PublishedOutcome, publishedEvent } from '../../src/report/json/event-schema.ts';

/** Of an apply; who tests a rollback reads its plan in the event. */
type Plan = Extract<Extract<PublishedEvent, { kind: 'host-planned' }>['plan'], { kind: 'apply' }>;
type WithPlan<T> = T extends { readonly changes: number } ? T & { readonly plan: Plan } : T;

/** How a host ended, together with its plan, which stands in an event of its own. */
export type SeenOutcome = WithPlan<PublishedOutcome>;

/** One line of `--json`. Throws when it is not of the published form. */
export function readEvent(line: string): PublishedEvent {
  return publishedEvent.parse(JSON.parse(line));
}

/** How each host ended, by name; for a reverted host, the later outcome counts. */
export function outcomesIn(events: readonly PublishedEvent[]): ReadonlyMap<string, SeenOutcome> {
  const plans = new Map<string, Plan>();
  const outcomes = new Map<string, SeenOutcome>();
  for (const event of events) {
    if (event.kind === 'host-planned' && event.plan.kind === 'apply') plans.set(event.host, event.plan);
    if (event.kind !== 'host-finished' && event.kind !== 'host-reverted') continue;
    const { host, outcome } = event;
    const plan = 'changes' in outcome ? plans.get(host) : undefined;
    outcomes.set(host, (plan === undefined ? outcome : { ...outcome, plan }) as SeenOutcome);
  }
  return outcomes;
}
