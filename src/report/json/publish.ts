import type { Failure } from '../../core/failure.ts';
import type { FleetEvent, HostOutcome, RunSummary } from '../../fleet/events.ts';
import type { ReviewedPlan } from '../../plan/plan.ts';
import { changesOf, failureOf } from '../outcome-view.ts';
import { asPublished } from './alike.ts';
import { EVENT_FORMAT } from './event-format.ts';
import type { PublishedEvent, PublishedOutcome, PublishedSummary } from './event-schema.ts';

type Internal<K extends FleetEvent['kind']> = Extract<FleetEvent, { kind: K }>;
type Published<K extends PublishedEvent['kind']> = Extract<PublishedEvent, { kind: K }>;
type InternalOutcome<K extends HostOutcome['kind']> = Extract<HostOutcome, { kind: K }>;
type OutcomeOf<K extends PublishedOutcome['kind']> = Extract<PublishedOutcome, { kind: K }>;

/** Kinds whose published form is the same as the internal one. */
type SameEvent = 'host-phase' | 'host-note' | 'batches-split' | 'batch-started' | 'batch-finished' | 'interrupted';
type SameOutcome =
  | 'facts'
  | 'roles'
  | 'confirmed'
  | 'nothing-pending'
  | 'status'
  | 'rolled-back'
  | 'reverted'
  | 'skipped';

/** Kinds that have a plan. It is published in its own event; the outcome has only the number of changes. */
type PlannedOutcome = 'unchanged' | 'planned' | 'changed' | 'awaiting';
type FailedOutcome = 'refused' | 'unreachable' | 'failed';
type Ended = 'host-finished' | 'host-reverted';

type Without<T, K extends string> = T extends unknown ? Omit<T, K> : never;
type PlannedWithoutPlan = Without<Published<'host-planned'>, 'plan'>;
type Summary = Published<'run-finished'>['summary'];

/**
 * Turns the internal events of a run into published ones. A host's plan is published once, as `host-planned`. For commands
 * that emit no such event, it is added before the host's `host-finished`.
 */
export class Publisher {
  readonly #planned = new Set<string>();

  publish(event: FleetEvent): readonly PublishedEvent[] {
    switch (event.kind) {
      case 'run-started': {
        const published = asPublished<Internal<'run-started'>, Without<Published<'run-started'>, 'format'>>(event);
        const { kind, ...rest } = published;
        return [{ kind, format: EVENT_FORMAT, ...rest }];
      }
      case 'host-phase':
      case 'host-note':
      case 'batches-split':
      case 'batch-started':
      case 'batch-finished':
      case 'interrupted':
        return [asPublished<Internal<SameEvent>, Published<SameEvent>>(event)];
      case 'host-planned': {
        const { plan, ...rest } = event;
        return this.#planOnce(asPublished<Without<typeof event, 'plan'>, PlannedWithoutPlan>(rest), plan);
      }
      case 'host-finished':
      case 'host-reverted': {
        const { outcome, ...rest } = event;
        const { host, at } = event;
        const planned = 'plan' in outcome ? this.#planOnce({ kind: 'host-planned', host, at }, outcome.plan) : [];
        const published = asPublished<Without<typeof event, 'outcome'>, Without<Published<Ended>, 'outcome'>>(rest);
        return [...planned, { ...published, outcome: publishedOutcome(outcome) }];
      }
      case 'run-finished': {
        const { summary, ...rest } = event;
        const published = asPublished<Without<typeof event, 'summary'>, Without<Published<'run-finished'>, 'summary'>>(
          rest,
        );
        return [{ ...published, summary: publishedSummary(summary) }];
      }
    }
  }

  #planOnce(event: PlannedWithoutPlan, plan: ReviewedPlan): readonly PublishedEvent[] {
    if (this.#planned.has(event.host)) return [];
    this.#planned.add(event.host);
    return [{ ...event, plan: asPublished<ReviewedPlan, Published<'host-planned'>['plan']>(plan) }];
  }
}

function publishedOutcome(outcome: HostOutcome): PublishedOutcome {
  switch (outcome.kind) {
    case 'facts':
    case 'roles':
    case 'confirmed':
    case 'nothing-pending':
    case 'status':
    case 'rolled-back':
    case 'reverted':
    case 'skipped':
      return asPublished<InternalOutcome<SameOutcome>, OutcomeOf<SameOutcome>>(outcome);
    case 'history': {
      // The journal is material for a check, which has an output of its own.
      const { journal: _, ...rest } = outcome;
      return asPublished<typeof rest, OutcomeOf<'history'>>(rest);
    }
    case 'unchanged':
    case 'planned':
    case 'changed':
    case 'awaiting': {
      const { plan, ...rest } = outcome;
      type Given = Without<InternalOutcome<PlannedOutcome>, 'plan'>;
      const published = asPublished<Given, Without<OutcomeOf<PlannedOutcome>, 'changes'>>(rest);
      return { ...published, changes: plan.changes.length };
    }
    case 'refused':
    case 'unreachable':
    case 'failed': {
      const { failure, ...rest } = outcome;
      type Given = Without<InternalOutcome<FailedOutcome>, 'failure'>;
      const published = asPublished<Given, Without<OutcomeOf<FailedOutcome>, 'failure'>>(rest);
      return { ...published, failure: publishedFailure(failure) };
    }
  }
}

/** Field by field, so that no other field of a failure is ever published. */
export function publishedFailure({ code, what, details, solve }: Failure): OutcomeOf<'failed'>['failure'] {
  return { code, what, details, solve };
}

function publishedSummary(summary: RunSummary): Summary {
  const { outcomes, ...rest } = summary;
  const counts: Record<string, number> = {};
  for (const { kind } of outcomes.values()) counts[kind] = (counts[kind] ?? 0) + 1;
  return {
    ...asPublished<Omit<RunSummary, 'outcomes'>, Omit<Summary, 'counts' | 'outcomes'>>(rest),
    counts,
    outcomes: Object.fromEntries([...outcomes].map(([host, outcome]) => [host, summarised(outcome)])),
  };
}

/** The short form of an outcome for the summary. Facts and plans were published before. */
function summarised(outcome: HostOutcome): PublishedSummary {
  const published = publishedOutcome(outcome);
  const changes = changesOf(outcome);
  const failure = failureOf(outcome);
  return {
    kind: outcome.kind,
    ...(changes === null ? {} : { changes }),
    ...(failure === null ? {} : { code: failure.code, what: failure.what }),
    ...('aftermath' in published ? { aftermath: published.aftermath } : {}),
    ...('because' in published ? { because: published.because } : {}),
    ...('unsettled' in published && published.unsettled !== undefined ? { unsettled: published.unsettled } : {}),
    ...('generation' in published ? { generation: published.generation } : {}),
    ...('cut' in published && published.cut !== undefined ? { cut: published.cut } : {}),
  };
}
