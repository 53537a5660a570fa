import type { PlanBody } from '../../plan/plan.ts';
import type { PolicyNote } from '../../policy/desired.ts';
import { cleaned } from '../clean.ts';
import { type FailedHost, failureKey, groupOf, textWithoutOwn } from '../failure-groups.ts';
import type { HostWithoutPlan, ReviewInput } from '../review-input.ts';
import { grouped, hostNames } from './alike.ts';
import { ALL_OTHER_PORTS, ALL_PORTS, type HostPorts, hostPorts } from './port-lines.ts';
import { type PlanPorts, planNumbers, summaryRows } from './summary-rows.ts';
import type {
  GenerationLine,
  PortsLine,
  SummaryTotals,
  SummaryView,
  SummaryWarning,
  WithoutPlan,
} from './summary-types.ts';
import { numberOfPorts } from './summary-words.ts';
import { isJudged, verdicts } from './verdicts.ts';

/** What every output of a review says first. Pure. */
export function summaryView(input: ReviewInput): SummaryView {
  const plans = withPorts(input.plans);
  const unjudged = input.plans.filter(({ access }) => !isJudged(access));
  return cleaned({
    action: input.action,
    generations: generationLines(input),
    totals: totalsOf(plans, input),
    rows: summaryRows(plans),
    without: withoutPlans(input.without),
    warnings: notesOf(input, 'warning'),
    notes: notesOf(input, 'info'),
    verdicts: verdicts(plans),
    unjudged: hostNames(unjudged.map(({ host }) => host)),
  });
}

/** Plans with what is said of their ports; that of like hosts is worked out once. */
function withPorts(plans: ReviewInput['plans']): readonly PlanPorts[] {
  const known = new Map<string, HostPorts>();
  return plans.map((plan) => {
    const text = JSON.stringify(plan.access);
    // A reason may name its host.
    const ports = (text.includes(plan.host) ? undefined : known.get(text)) ?? hostPorts(plan);
    known.set(text, ports);
    return { plan, ports };
  });
}

function generationLines({ plans }: ReviewInput): readonly GenerationLine[] {
  const going = plans.flatMap((plan) =>
    plan.kind === 'rollback' ? [{ host: plan.host, generation: plan.generation }] : [],
  );
  const groups = grouped(going, ({ generation: { id, savedAt, savedBy, before } }) =>
    JSON.stringify([id, savedAt, savedBy, before]),
  );
  return groups.map((members) => {
    const { id, savedAt, savedBy, before } = members[0].generation;
    return { id, savedAt, savedBy, before, hosts: hostNames(members.map(({ host }) => host)) };
  });
}

function totalsOf(plans: readonly PlanPorts[], { without }: ReviewInput): SummaryTotals {
  const changing = plans.filter(({ plan }) => plan.changes.length > 0).length;
  const numbers = plans.map(({ plan }) => planNumbers(plan));
  const sum = (of: (one: (typeof numbers)[number]) => number): number =>
    numbers.reduce((total, one) => total + of(one), 0);
  const ended = (kind: HostWithoutPlan['kind']): number => without.filter((one) => one.kind === kind).length;
  return {
    hosts: plans.length + without.length,
    changing,
    unchanged: plans.length - changing,
    refused: ended('refused'),
    unreachable: ended('unreachable'),
    failed: ended('failed'),
    skipped: ended('skipped'),
    changes: sum(({ counts }) => counts.changes),
    add: sum(({ counts }) => counts.add),
    change: sum(({ counts }) => counts.change),
    remove: sum(({ counts }) => counts.remove),
    ...portTotals(plans),
    reloads: sum(({ reloads }) => reloads),
    longestHoldMs: numbers.reduce((most, { holdMs }) => Math.max(most, holdMs), 0),
    flowsCut: sum(({ flowsCut }) => flowsCut),
    flowsOutlive: sum(({ flowsOutlive }) => flowsOutlive),
    socketsFewer: sum(({ socketsFewer }) => socketsFewer),
    warnings: plans.reduce((total, { plan }) => total + notesOfKind(plan, 'warning').length, 0),
    notes: plans.reduce((total, { plan }) => total + notesOfKind(plan, 'info').length, 0),
  };
}

type PortTotals = Pick<
  SummaryTotals,
  'closing' | 'narrowing' | 'opening' | 'widening' | 'sidesClosing' | 'sidesOpening'
>;

function portTotals(plans: readonly PlanPorts[]): PortTotals {
  const totals = { closing: 0, narrowing: 0, opening: 0, widening: 0, sidesClosing: 0, sidesOpening: 0 };
  for (const { ports } of plans) {
    const lines = [...ports.closes, ...ports.opens].map(({ value }) => value);
    const single = lines.filter(({ ports: [first] }) => !isWhole(first));
    const count = (from: readonly PortsLine[], turns: readonly PortsLine['turn'][]): Set<string> =>
      new Set(
        from.flatMap((line) =>
          turns.includes(line.turn) ? line.ports.map((port) => `${line.interface} ${port}`) : [],
        ),
      );
    // A port that closes for one family and is narrowed for the other is still reached by some.
    const narrowed = count(single, ['narrowed', 'changed']);
    const widened = count(single, ['widened', 'changed']);
    totals.narrowing += numberOfPorts(narrowed);
    totals.widening += numberOfPorts(widened);
    totals.closing += numberOfPorts([...count(single, ['closed'])].filter((port) => !narrowed.has(port)));
    totals.opening += numberOfPorts([...count(single, ['opened'])].filter((port) => !widened.has(port)));
    const whole = lines.filter(({ ports: [first] }) => isWhole(first));
    totals.sidesClosing += count(whole, ['closed', 'narrowed', 'changed']).size;
    totals.sidesOpening += count(whole, ['opened', 'widened', 'changed']).size;
  }
  return totals;
}

function isWhole(ports: string | undefined): boolean {
  return ports === ALL_PORTS || ports === ALL_OTHER_PORTS;
}

const KINDS: readonly HostWithoutPlan['kind'][] = ['refused', 'unreachable', 'failed', 'skipped'];

function withoutPlans(without: readonly HostWithoutPlan[]): readonly WithoutPlan[] {
  const failed = without.map(({ host, kind, failure }): FailedHost & { readonly kind: HostWithoutPlan['kind'] } => ({
    kind,
    host,
    durationMs: 0,
    outcome: {
      kind,
      label: kind,
      tone: 'bad',
      changes: null,
      note: failure.what,
      failure: { ...failure, shared: failure.shared ?? null },
    },
  }));
  return KINDS.flatMap((kind) =>
    grouped(
      failed.filter((one) => one.kind === kind),
      failureKey,
    ).map((members): WithoutPlan => {
      const { hosts, code, note, solve } = groupOf(members);
      return { kind, hosts: hostNames(hosts), code, what: note, solve };
    }),
  );
}

/** Warnings of one code that are said apart; if they are more, one example stands for all. */
const MOST_TEXTS = 3;

function notesOf({ plans }: ReviewInput, severity: PolicyNote['severity']): readonly SummaryWarning[] {
  const all = plans.flatMap((plan) =>
    notesOfKind(plan, severity).map(({ code, text }) => ({
      host: plan.host,
      code,
      text,
      same: textWithoutOwn(text, plan.host),
    })),
  );
  const groups = grouped(all, ({ code }) => code).flatMap((members) => {
    const alike = grouped(members, ({ same }) => same);
    return alike.length > MOST_TEXTS ? [members] : alike;
  });
  return groups
    .map((members): SummaryWarning => {
      const [{ code, text }] = members;
      const texts = new Set(members.map((one) => one.text)).size;
      return { code, text, texts, hosts: hostNames([...new Set(members.map(({ host }) => host))]) };
    })
    .sort((a, b) => b.hosts.count - a.hosts.count);
}

function notesOfKind({ notes }: PlanBody, severity: PolicyNote['severity']): readonly PolicyNote[] {
  return notes.filter((note) => note.severity === severity);
}
