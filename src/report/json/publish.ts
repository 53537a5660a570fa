import type { Failure } from '../../core/failure.ts';
import type { FleetEvent, HostOutcome, RunSummary } from '../../fleet/events.ts';
import type { HostPlan } from '../../plan/plan.ts';
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
  | 'history'
  | 'rolled-back'
  | 'reverted'
  | 'skipped';

/** Kinds that have a plan. It is published in its own event; the outcome has only the number of changes. */
type PlannedOutcome = 'unchanged' | 'planned' | 'changed' | 'awaiting';

type Without<T, K extends string> = T extends unknown ? Omit<T, K> : never;

/**
 * Turns the internal events of a run into published ones. A host's plan is published once, as `host-planned`. For commands
 * that emit no such event, it is added before the host's `host-finished`.
 */
export class Publisher {
  readonly #planned = new Set<string>();

  publish(event: FleetEvent): readonly PublishedEvent[] {
    switch (event.kind) {
      case 'run-started': {
        const { kind, ...rest } = event;
        type Rest = Omit<Published<'run-started'>, 'kind' | 'format'>;
        return [{ kind, format: EVENT_FORMAT, ...asPublished<Omit<typeof event, 'kind'>, Rest>(rest) }];
      }
      case 'host-phase':
      case 'host-note':
      case 'batches-split':
      case 'batch-started':
      case 'batch-finished':
      case 'interrupted':
        return [asPublished<Internal<SameEvent>, Published<SameEvent>>(event)];
      case 'host-planned':
        return this.#plan(event.host, event.plan, event.at);
      case 'host-finished':
      case 'host-put-back': {
        const { kind, outcome, ...rest } = event;
        const planned = 'plan' in outcome ? this.#plan(event.host, outcome.plan, event.at) : [];
        type Rest = Omit<Published<'host-finished'>, 'kind' | 'outcome'>;
        const where = asPublished<Omit<typeof event, 'kind' | 'outcome'>, Rest>(rest);
        return [...planned, { kind, outcome: publishedOutcome(outcome), ...where }];
      }
      case 'run-finished':
        return [{ kind: event.kind, summary: publishedSummary(event.summary), at: event.at }];
    }
  }

  #plan(host: string, plan: HostPlan, at: number): readonly PublishedEvent[] {
    if (this.#planned.has(host)) return [];
    this.#planned.add(host);
    return [{ kind: 'host-planned', host, plan: asPublished<HostPlan, Published<'host-planned'>['plan']>(plan), at }];
  }
}

function publishedOutcome(outcome: HostOutcome): PublishedOutcome {
  switch (outcome.kind) {
    case 'facts':
    case 'roles':
    case 'confirmed':
    case 'nothing-pending':
    case 'status':
    case 'history':
    case 'rolled-back':
    case 'reverted':
    case 'skipped':
      return asPublished<InternalOutcome<SameOutcome>, OutcomeOf<SameOutcome>>(outcome);
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
      return { kind: outcome.kind, failure: publishedFailure(outcome.failure) };
    case 'failed': {
      const { kind, phase, failure, aftermath } = outcome;
      return { kind, phase, failure: publishedFailure(failure), aftermath: publishedAftermath(aftermath) };
    }
  }
}

/** Field by field, so that no other field of a failure is ever published. */
function publishedFailure({ code, what, details, solve }: Failure): OutcomeOf<'failed'>['failure'] {
  return { code, what, details, solve };
}

type Aftermath = InternalOutcome<'failed'>['aftermath'];

function publishedAftermath(aftermath: Aftermath): OutcomeOf<'failed'>['aftermath'] {
  return asPublished<Aftermath, OutcomeOf<'failed'>['aftermath']>(aftermath);
}

function publishedSummary(summary: RunSummary): Published<'run-finished'>['summary'] {
  const { command, durationMs, interrupted } = summary;
  const counts: Record<string, number> = {};
  for (const { kind } of summary.outcomes.values()) counts[kind] = (counts[kind] ?? 0) + 1;
  const outcomes = [...summary.outcomes].map(([host, outcome]) => [host, summarised(outcome)] as const);
  return { command, durationMs, interrupted, counts, outcomes: Object.fromEntries(outcomes) };
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
