import { durationText } from '../core/duration.ts';
import type { Failure, SharedFault } from '../core/failure.ts';
import { counted } from '../core/lists.ts';
import { otherRunText, pendingText } from '../decide/other-runs.ts';
import { byText, endText } from '../decide/run-notes.ts';
import type { HostFacts } from '../facts/facts.ts';
import type { Aftermath, HostOutcome } from '../fleet/events.ts';
import { unsettledBy } from '../fleet/unsettled.ts';
import { cleaned } from './clean.ts';
import { CUT_FLAG } from './impact-view.ts';

/** `bad`: needs action. `notable`: something changed or is pending. */
export type Tone = 'good' | 'notable' | 'bad';

/** How one host ended, for all outputs. Every text is one line and safe to show (`clean.ts`). */
export interface OutcomeView {
  readonly kind: HostOutcome['kind'];
  /** One or two words. */
  readonly label: string;
  readonly tone: Tone;
  /** Changes that were planned or made; `null` where there is no plan. */
  readonly changes: number | null;
  /** One line, without the host's name. */
  readonly note: string;
  readonly failure: FailureView | null;
}

/** What went wrong and how to solve it. */
export interface FailureView {
  readonly code: string;
  readonly what: string;
  readonly details: readonly string[];
  readonly solve: string;
  /** The same for all hosts that fail alike; `null` where the failure is this host's alone. */
  readonly shared: SharedFault | null;
}

/** How one host ended. */
export function outcomeView(outcome: HostOutcome): OutcomeView {
  const failure = failureOf(outcome);
  return cleaned({
    kind: outcome.kind,
    ...labelOf(outcome),
    changes: changesOf(outcome),
    note: noteOf(outcome),
    failure:
      failure === null
        ? null
        : {
            code: failure.code,
            what: failure.what,
            details: failure.details,
            solve: failure.solve,
            shared: failure.shared ?? null,
          },
  });
}

/** The failure of a host that failed, was refused or could not be reached. */
export function failureOf(outcome: HostOutcome): Failure | null {
  return 'failure' in outcome ? outcome.failure : null;
}

/** The number of changes that were planned or made; `null` where there is no plan. */
export function changesOf(outcome: HostOutcome): number | null {
  return 'plan' in outcome ? outcome.plan.changes.length : null;
}

type Label = Pick<OutcomeView, 'label' | 'tone'>;

const good = (label: string): Label => ({ label, tone: 'good' });
const notable = (label: string): Label => ({ label, tone: 'notable' });

function labelOf(outcome: HostOutcome): Label {
  if (unsettledBy(outcome) !== null) return notable('unsettled');
  switch (outcome.kind) {
    case 'roles':
      return ROLE_LABELS[outcome.findings.verdict.kind];
    case 'status':
      return outcome.pending.length === 0 && outcome.lock === null ? good('idle') : notable('pending');
    case 'facts':
    case 'history':
      return good('ok');
    case 'unchanged':
    case 'confirmed':
      return good(outcome.kind);
    case 'nothing-pending':
      return good('nothing pending');
    case 'rolled-back':
      return good(outcome.changed ? 'rolled back' : 'unchanged');
    case 'planned':
      return notable('pending');
    case 'awaiting':
      return notable('to confirm');
    case 'reverted':
      return notable('reverted');
    case 'changed':
    case 'skipped':
      return notable(outcome.kind);
    case 'refused':
    case 'unreachable':
    case 'failed':
      return { label: outcome.kind, tone: 'bad' };
  }
}

const ROLE_LABELS = { settled: good('settled'), ambiguous: notable('ambiguous'), none: notable('no role') } as const;

function noteOf(outcome: HostOutcome): string {
  const other = unsettledBy(outcome);
  // First, because that run may still change the host, and then the plan is out of date.
  if (other !== null) return otherRunText(other);
  switch (outcome.kind) {
    case 'facts':
      return `${outcome.facts.os.prettyName}, ${firewalldText(outcome.facts)}`;
    case 'roles':
      return rolesNote(outcome);
    case 'unchanged':
      return outcome.plan.nothingBecause ?? 'nothing to do';
    case 'planned':
      return `${counted(outcome.plan.changes.length, 'change')} to make`;
    case 'changed': {
      const reloads = outcome.reloads === 0 ? 'no reload' : counted(outcome.reloads, 'reload');
      return `${reloads}; ${savedText(outcome.generation)}${revokedText(outcome)}`;
    }
    case 'history':
      return counted(outcome.generations.length, 'generation');
    case 'status':
      return statusNote(outcome);
    case 'awaiting':
      return `applied and verified; the host rolls back in ${durationText(outcome.pending.secondsLeft)} unless you run \`portfw confirm\``;
    case 'confirmed': {
      const but = outcome.drifted ? '; something else changed firewalld after the verification' : '';
      return `${savedText(outcome.generation)}${but}`;
    }
    case 'nothing-pending':
      return `no run is waiting for confirmation${outcome.last === null ? '' : `; ${endText(outcome.last)}`}`;
    case 'rolled-back': {
      const did = outcome.changed ? 'now on' : 'already on';
      return `${did} generation ${outcome.generation}, verified by hash ${outcome.hash.slice(0, 12)}`;
    }
    case 'reverted':
      return `rolled back to generation ${outcome.generation} because ${outcome.because}`;
    case 'refused':
    case 'unreachable':
      return outcome.failure.what;
    case 'failed':
      return `${outcome.phase}: ${outcome.failure.what}; ${aftermathText(outcome.aftermath)}`;
    case 'skipped':
      return outcome.because;
  }
}

function rolesNote({ findings }: Extract<HostOutcome, { kind: 'roles' }>): string {
  const { verdict } = findings;
  switch (verdict.kind) {
    case 'settled':
      return findings.roles.map(({ role }) => role).join(', ');
    case 'ambiguous':
      return `${verdict.unexplained.join(', ')} fits ${verdict.candidates.join(', ')}`;
    case 'none':
      return 'no evidence of any role, and none is declared';
  }
}

/** `firewalld 1.3.3 running`. */
function firewalldText({ firewalld, root }: HostFacts): string {
  switch (firewalld.kind) {
    case 'absent':
      return 'no firewalld';
    case 'stopped':
      return `firewalld ${firewalld.version} ${root ? 'stopped' : 'unknown (not root)'}`;
    case 'running':
      return `firewalld ${firewalld.version} ${firewalld.state.toLowerCase()}`;
  }
}

function statusNote({ pending, lock, last }: Extract<HostOutcome, { kind: 'status' }>): string {
  if (pending.length > 0) return pendingText(pending[0]!);
  if (lock !== null) return `${lock.holder} holds the lock`;
  return last === null ? 'no run yet' : endText(last);
}

function savedText(generation: string): string {
  return `previous state saved as generation ${generation}`;
}

/** The result for established flows that nothing allows any more. */
function revokedText({ plan, cut }: Extract<HostOutcome, { kind: 'changed' }>): string {
  const count = plan.impact.flows.outlive.reduce((sum, flow) => sum + flow.count, 0);
  if (count === 0) return '';
  const revoked = `${counted(count, 'flow')} that nothing allows any more`;
  if (cut === undefined) return `; ${revoked} ${count === 1 ? 'continues' : 'continue'} (${CUT_FLAG} ends such flows)`;
  if (cut.kind === 'failed') return `; ${revoked} could not be ended: ${cut.why}`;
  const left = cut.left === 0 ? '' : `, ${counted(cut.left, 'connection')} could not be closed`;
  return `; ended ${counted(cut.ended, 'flow')} that nothing allows any more${left}`;
}

/** The state of the host after a failure. */
function aftermathText(aftermath: Aftermath): string {
  switch (aftermath.kind) {
    case 'untouched':
      return 'nothing was changed on the host';
    case 'restored': {
      const { by, differs = [], generation } = aftermath;
      const itself = by === 'timer' || by === 'boot' ? `, by ${byText(by)}` : '';
      const other = differs.length === 0 ? '' : `; not as before: ${differs.join(', ')}`;
      return `rolled back to generation ${generation}, verified by its hash${itself}${other}`;
    }
    case 'restore-failed':
      return `ROLLBACK TO GENERATION ${aftermath.generation} HAS FAILED SO FAR (${aftermath.why}): the host keeps trying, check it now`;
    case 'still-changed':
      return `THE HOST STILL HAS THE NEW CONFIGURATION; ${savedText(aftermath.generation)}`;
    case 'unknown':
      return `the state of the host is UNKNOWN (${aftermath.why}): check it now`;
  }
}
