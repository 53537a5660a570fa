import type { RequestAudit } from '../host/requests.ts';
import type { JournalEntry, JournaledHost } from '../journal/controller-line.ts';
import { planDigest } from '../journal/plan-digest.ts';
import type { ReviewedPlan } from '../plan/plan.ts';
import type { FleetEvent, HostOutcome, RunSummary } from './events.ts';
import type { RunContext } from './operations.ts';

/** What a request tells a host's journal about the run: where it comes from. */
export function auditOf({ plannedBy, journal }: RunContext, plan: ReviewedPlan | null): RequestAudit {
  return {
    run: journal?.run ?? null,
    plan: plan === null ? null : planDigest(plan),
    file: plannedBy?.digest ?? null,
    signers: plannedBy?.signers ?? [],
    journal: journal?.at ?? null,
  };
}

/**
 * Turns the events of a run that changes hosts into the lines of the controller's journal: one for each host that was or
 * should have been changed, and one at the end. A host with nothing to do is only counted in the last one.
 */
export class RunJournal {
  readonly #add: (entry: JournalEntry) => void;
  /** The plans of hosts that have not ended, for those whose outcome has none. */
  readonly #plans = new Map<string, ReviewedPlan>();

  /** @param add writes an entry; it must not throw */
  constructor(add: (entry: JournalEntry) => void) {
    this.#add = add;
  }

  event(event: FleetEvent): void {
    switch (event.kind) {
      case 'host-planned':
        this.#plans.set(event.host, event.plan);
        return;
      case 'host-finished':
      case 'host-reverted': {
        const { host, outcome } = event;
        const plan = 'plan' in outcome ? outcome.plan : (this.#plans.get(host) ?? null);
        if (TOLD[outcome.kind]) this.#add(hostEntry(host, outcome, plan));
        return;
      }
      case 'run-finished':
        this.#add(endOf(event.summary));
        return;
      default:
    }
  }
}

/** Whether a host with this outcome has a line of its own. */
const TOLD: Readonly<Record<HostOutcome['kind'], boolean>> = {
  facts: false,
  roles: false,
  unchanged: false,
  planned: false,
  changed: true,
  awaiting: true,
  confirmed: true,
  'nothing-pending': false,
  status: false,
  history: false,
  'rolled-back': true,
  reverted: true,
  refused: true,
  unreachable: true,
  failed: true,
  skipped: false,
};

function hostEntry(host: string, outcome: HostOutcome, plan: ReviewedPlan | null): JournaledHost {
  const aftermath = outcome.kind === 'failed' ? outcome.aftermath : null;
  const saved = aftermath !== null && 'generation' in aftermath ? aftermath.generation : null;
  const applied = plan?.kind === 'apply' ? plan : null;
  return {
    event: 'host',
    host,
    matrix: applied?.matrix ?? null,
    roles: applied?.roles.map(({ role }) => role) ?? [],
    generation: 'generation' in outcome ? outcome.generation : saved,
    plan: plan === null ? null : planDigest(plan),
    changes: counted((plan?.changes ?? []).map(({ kind }) => kind)),
    outcome: {
      kind: outcome.kind === 'rolled-back' && !outcome.changed ? 'unchanged' : outcome.kind,
      code: 'failure' in outcome ? outcome.failure.code : null,
      aftermath: aftermath?.kind ?? null,
    },
  };
}

function endOf({ outcomes, interrupted }: RunSummary): JournalEntry {
  return { event: 'ended', outcomes: counted([...outcomes.values()].map(({ kind }) => kind)), interrupted };
}

function counted(kinds: readonly string[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const kind of kinds) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}
