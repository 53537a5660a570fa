import { durationText } from '../../core/duration.ts';
import type { Failure } from '../../core/failure.ts';
import { counted } from '../../core/lists.ts';
import { terminalLine } from '../../core/terminal-text.ts';
import { otherRunText, pendingText } from '../../decide/other-runs.ts';
import { byText, endText } from '../../decide/run-notes.ts';
import type { HostFacts } from '../../facts/facts.ts';
import type { Aftermath, HostOutcome } from '../../fleet/events.ts';
import { unsettledBy } from '../../fleet/unsettled.ts';
import { oneLine } from '../clean.ts';
import { CUT_FLAG } from '../impact-view.ts';
import type { Style } from './style.ts';

/** The one word (or two) for how a host ended. */
export function outcomeLabel(outcome: HostOutcome): string {
  if (unsettledBy(outcome) !== null) return 'unsettled';
  switch (outcome.kind) {
    case 'facts':
      return 'ok';
    case 'roles':
      return outcome.findings.verdict.kind === 'settled'
        ? 'settled'
        : outcome.findings.verdict.kind === 'none'
          ? 'no role'
          : 'ambiguous';
    case 'planned':
      return 'pending';
    case 'history':
      return 'ok';
    case 'status':
      return outcome.pending.length + (outcome.lock === null ? 0 : 1) === 0 ? 'quiet' : 'pending';
    case 'awaiting':
      return 'to confirm';
    case 'confirmed':
      return 'confirmed';
    case 'nothing-pending':
      return 'nothing';
    case 'rolled-back':
      return outcome.changed ? 'rolled back' : 'unchanged';
    case 'reverted':
      return 'put back';
    case 'unchanged':
    case 'changed':
    case 'refused':
    case 'unreachable':
    case 'failed':
    case 'skipped':
      return outcome.kind;
  }
}

/** How loud an outcome is: bad ones are red, changes yellow, good ones green. */
export function outcomePaint(outcome: HostOutcome, style: Style): (text: string) => string {
  if (unsettledBy(outcome) !== null) return style.yellow;
  switch (outcome.kind) {
    case 'failed':
    case 'refused':
    case 'unreachable':
      return style.red;
    case 'changed':
    case 'planned':
    case 'awaiting':
    case 'reverted':
    case 'skipped':
      return style.yellow;
    case 'roles':
      return outcome.findings.verdict.kind === 'settled' ? style.green : style.yellow;
    case 'status':
      return outcome.pending.length + (outcome.lock === null ? 0 : 1) === 0 ? style.green : style.yellow;
    case 'facts':
    case 'unchanged':
    case 'history':
    case 'confirmed':
    case 'nothing-pending':
    case 'rolled-back':
      return style.green;
  }
}

/** Whether the host needs somebody's attention: it failed, was refused or could not be reached. */
export function failureOf(outcome: HostOutcome): Failure | null {
  return 'failure' in outcome ? outcome.failure : null;
}

/** The number of changes that were planned or made; `null` where there is no plan. */
export function changesOf(outcome: HostOutcome): number | null {
  return 'plan' in outcome ? outcome.plan.changes.length : null;
}

/** One line on how a host ended, without its name. */
export function outcomeNote(outcome: HostOutcome): string {
  const other = unsettledBy(outcome);
  // Before all else: what the plan says is true for as long as that run lets it be.
  if (other !== null) return oneLine(otherRunText(other));
  switch (outcome.kind) {
    case 'facts':
      return `${oneLine(outcome.facts.os.prettyName)}, ${firewalldText(outcome.facts)}`;
    case 'roles':
      return rolesNote(outcome);
    case 'unchanged':
      return oneLine(outcome.plan.nothingBecause ?? 'nothing to do');
    case 'planned':
      return `${counted(outcome.plan.changes.length, 'change')} to make`;
    case 'changed': {
      const reloads = outcome.reloads === 0 ? 'no reload' : counted(outcome.reloads, 'reload');
      return `${reloads}; the state before is generation ${oneLine(outcome.generation)}${revokedText(outcome)}`;
    }
    case 'history':
      return counted(outcome.generations.length, 'generation');
    case 'status':
      if (outcome.pending.length > 0) return pendingText(outcome.pending[0]!);
      if (outcome.lock !== null) return `${oneLine(outcome.lock.holder)} holds the lock`;
      return outcome.last === null ? 'no run yet' : endText(outcome.last);
    case 'awaiting':
      return `proved; the host puts itself back in ${durationText(outcome.pending.secondsLeft)} unless you say \`portfw confirm\``;
    case 'confirmed': {
      const but = outcome.drifted ? '; firewalld was changed by others since it was proved' : '';
      return `kept${but}; the state before is generation ${oneLine(outcome.generation)}`;
    }
    case 'nothing-pending':
      return outcome.last === null
        ? 'no run waits for confirmation'
        : `no run waits for confirmation; ${endText(outcome.last)}`;
    case 'rolled-back': {
      const did = outcome.changed ? 'is back on' : 'already was on';
      return `${did} generation ${oneLine(outcome.generation)}, proved by hash ${oneLine(outcome.hash).slice(0, 12)}`;
    }
    case 'reverted':
      return `because ${oneLine(outcome.because)}; it is back on generation ${oneLine(outcome.generation)}`;
    case 'refused':
    case 'unreachable':
      return oneLine(outcome.failure.what);
    case 'failed':
      return `${outcome.phase}: ${oneLine(outcome.failure.what)}; ${aftermathText(outcome.aftermath)}`;
    case 'skipped':
      return oneLine(outcome.because);
  }
}

/** What became of established flows that nothing lets in any more. */
function revokedText({ plan, cut }: Extract<HostOutcome, { kind: 'changed' }>): string {
  const count = plan.impact.flows.outlive.reduce((sum, flow) => sum + flow.count, 0);
  if (count === 0) return '';
  const revoked = counted(count, 'flow');
  if (cut === undefined)
    return `; ${revoked} without permission ${count === 1 ? 'lives' : 'live'} on (${CUT_FLAG} ends such flows)`;
  if (cut.kind === 'failed') return `; ${revoked} without permission could not be ended: ${oneLine(cut.why)}`;
  const left = cut.left === 0 ? '' : `, ${counted(cut.left, 'connection')} of theirs could not be closed`;
  return `; ${counted(cut.ended, 'flow')} without permission ended${left}`;
}

function rolesNote({ findings }: Extract<HostOutcome, { kind: 'roles' }>): string {
  const { verdict } = findings;
  switch (verdict.kind) {
    case 'settled':
      return findings.roles.map((role) => terminalLine(role.role)).join(', ');
    case 'ambiguous':
      return `${verdict.unexplained.map((one) => oneLine(one)).join(', ')} fits ${verdict.candidates.map((one) => oneLine(one)).join(', ')}`;
    case 'none':
      return 'no evidence of any role, and none is declared';
  }
}

/** `firewalld 1.3.3 running`, or what stands in the way. */
export function firewalldText(facts: HostFacts): string {
  const { firewalld } = facts;
  switch (firewalld.kind) {
    case 'absent':
      return 'no firewalld';
    case 'stopped':
      return `firewalld ${oneLine(firewalld.version)} ${facts.root ? 'stopped' : 'unknown (not root)'}`;
    case 'running':
      return `firewalld ${oneLine(firewalld.version)} ${oneLine(firewalld.state).toLowerCase()}`;
  }
}

function differsText(differs: readonly string[] = []): string {
  return differs.length === 0 ? '' : `; other than before: ${differs.map((line) => oneLine(line)).join(', ')}`;
}

/** How the host stands after a failure. */
export function aftermathText(aftermath: Aftermath): string {
  switch (aftermath.kind) {
    case 'untouched':
      return 'nothing was changed on the host';
    case 'restored': {
      const itself = aftermath.by === 'timer' || aftermath.by === 'boot' ? `, put back by ${byText(aftermath.by)}` : '';
      return `the host is back on generation ${oneLine(aftermath.generation)}, proved by its hash${itself}${differsText(aftermath.differs)}`;
    }
    case 'restore-failed':
      return `RESTORING GENERATION ${oneLine(aftermath.generation)} FAILED SO FAR (${oneLine(aftermath.why)}): the host goes on trying, look at it now`;
    case 'still-changed':
      return `THE HOST KEEPS THE NEW CONFIGURATION; the state before is generation ${oneLine(aftermath.generation)}`;
    case 'unknown':
      return `how the host stands is UNKNOWN (${oneLine(aftermath.why)}): look at the host now`;
  }
}

/**
 * A failure as several lines: what happened, its details, how to solve it. The stack of an internal error is left out
 * below verbosity 2.
 */
export function failureLines(failure: Failure, verbosity: number): readonly string[] {
  const details = failure.code === 'internal-error' && verbosity < 2 ? [] : failure.details;
  return [
    oneLine(failure.what),
    ...details.map((line) => `  ${oneLine(line)}`),
    `To solve it: ${oneLine(failure.solve)}`,
  ];
}
