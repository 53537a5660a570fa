import { counted } from '../core/lists.ts';
import { type ChangeSign, changeSign } from '../plan/change-words.ts';
import type { Change, Disruption, PlanBody, PlannedGeneration, ReviewedPlan } from '../plan/plan.ts';
import type { PolicyNote } from '../policy/desired.ts';
import { type ChangeView, changeView, type Saying } from './change-view.ts';
import { cleaned } from './clean.ts';
import { type ImpactPart, impactParts } from './impact-view.ts';
import { type RawView, rawViews } from './raw-view.ts';
import { type RoleView, roleView } from './role-view.ts';
import type { Extent } from './shortened.ts';

/**
 * What all outputs say about the plans of a run, as data: sections in their order, and a count of what is left out. Every text
 * is one line and safe to show (`clean.ts`). There are no colours, no widths and no markup.
 */
export interface PlansView {
  /** Hosts with the same plan are in one group. Groups are in the order of their first host. */
  readonly groups: readonly PlanGroup[];
  readonly totals: PlanTotals;
}

/** One plan, and the hosts that have it. */
export interface PlanGroup {
  readonly hosts: readonly string[];
  readonly subject: PlanSubject;
  readonly sections: readonly PlanSection[];
}

/** What a plan brings a host to: a matrix, or a saved generation. */
export type PlanSubject =
  | { readonly kind: 'matrix'; readonly matrix: string }
  | ({ readonly kind: 'generation' } & PlannedGeneration);

/** A part of a plan. Empty sections are left out. */
export type PlanSection =
  /** Empty when the host has no role. */
  | { readonly kind: 'roles'; readonly roles: readonly RoleView[] }
  | { readonly kind: 'no-changes'; readonly because: string | null }
  /** firewalld is installed or started first. */
  | { readonly kind: 'start'; readonly steps: readonly { readonly what: string; readonly text: string }[] }
  | { readonly kind: 'zone'; readonly zone: string; readonly changes: readonly ChangeView[] }
  /** Services and ipsets that the zones refer to. */
  | { readonly kind: 'definitions'; readonly title: string; readonly changes: readonly ChangeView[] }
  | { readonly kind: 'entries'; readonly title: string; readonly changes: readonly ChangeView[] }
  /** `hosts`: those of the group with this impact, or `null` when all have the same. */
  | { readonly kind: 'impact'; readonly hosts: readonly string[] | null; readonly parts: readonly ImpactPart[] }
  | {
      readonly kind: 'disruption';
      readonly disruption: Exclude<Disruption['kind'], 'none'>;
      readonly text: string;
    }
  /** The matrix and roles that the host remembers, before and after. */
  | { readonly kind: 'remember'; readonly before: string | null; readonly after: string }
  | { readonly kind: 'notes'; readonly notes: readonly PolicyNote[] }
  | ({ readonly kind: 'counts' } & ChangeCounts)
  /** The files that change; only where they were asked for. `hosts` as those of an impact. */
  | { readonly kind: 'raw'; readonly hosts: readonly string[] | null; readonly files: readonly RawView[] };

/** The number of changes, by sign. */
export interface ChangeCounts {
  readonly changes: number;
  readonly add: number;
  readonly change: number;
  readonly remove: number;
}

/** Totals over all hosts of a run. */
export interface PlanTotals extends ChangeCounts {
  readonly hosts: number;
  /** Hosts with changes. */
  readonly changing: number;
  readonly warnings: number;
}

/** The plans of a run. Hosts whose plans differ only in their impact share a group, with one impact section each. */
export function plansView(plans: readonly ReviewedPlan[], extent: Extent): PlansView {
  const groups = new Map<string, { plan: Body; members: PlanBody[] }>();
  for (const member of plans) {
    const plan = cleaned(bodyOf(member, extent));
    const key = JSON.stringify(plan);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { plan, members: [member] });
    else group.members.push(member);
  }
  return {
    groups: [...groups.values()].map(({ plan, members }) => ({
      hosts: members.map(({ host }) => cleaned(host)),
      subject: plan.subject,
      sections: [
        ...plan.before,
        ...(plan.changes ? impactSections(members, extent) : []),
        ...plan.after,
        ...rawSections(members, extent),
      ],
    })),
    totals: totalsOf(plans),
  };
}

/** `12 changes: 5 to add, 2 to change, 5 to remove`. */
export function countsText({ changes, add, change, remove }: ChangeCounts): string {
  return `${counted(changes, 'change')}: ${add} to add, ${change} to change, ${remove} to remove`;
}

/** The sections of a plan before and after its impact. */
interface Body {
  readonly subject: PlanSubject;
  readonly changes: boolean;
  readonly before: readonly PlanSection[];
  readonly after: readonly PlanSection[];
}

function bodyOf(plan: ReviewedPlan, extent: Extent): Body {
  const { changes, nothingBecause } = plan;
  const subject = subjectOf(plan);
  const roles: readonly PlanSection[] =
    plan.kind === 'apply' ? [{ kind: 'roles', roles: plan.roles.map(roleView) }] : [];
  const end = [...disruptionSection(plan.disruption), ...rememberSections(changes), ...noteSection(plan.notes)];
  if (changes.length === 0)
    return { subject, changes: false, before: [...roles, { kind: 'no-changes', because: nothingBecause }], after: end };
  const saying: Saying = { extent, given: new Set() };
  return {
    subject,
    changes: true,
    before: [
      ...roles,
      ...startSection(changes),
      ...zoneSections(changes, saying),
      ...definitionSections(changes, saying),
    ],
    after: [...end, { kind: 'counts', ...countsOf(changes) }],
  };
}

function subjectOf(plan: ReviewedPlan): PlanSubject {
  return plan.kind === 'apply' ? { kind: 'matrix', matrix: plan.matrix } : { kind: 'generation', ...plan.generation };
}

function impactSections(plans: readonly PlanBody[], extent: Extent): readonly PlanSection[] {
  const partsOf = ({ impact }: PlanBody) => cleaned(impactParts(impact, extent));
  return perHosts(plans, partsOf, (hosts, parts) => ({ kind: 'impact', hosts, parts }));
}

function rawSections(plans: readonly PlanBody[], extent: Extent): readonly PlanSection[] {
  return perHosts(
    plans,
    ({ raw = [] }) => rawViews(raw, extent),
    (hosts, files) => ({ kind: 'raw', hosts, files }),
  );
}

/** A section for each different list that hosts have; none for empty ones. @param make gets `null` where all have the same */
function perHosts<T>(
  plans: readonly PlanBody[],
  partsOf: (plan: PlanBody) => readonly T[],
  make: (hosts: readonly string[] | null, parts: readonly T[]) => PlanSection,
): readonly PlanSection[] {
  const told = new Map<string, { parts: readonly T[]; hosts: string[] }>();
  for (const plan of plans) {
    const parts = partsOf(plan);
    const key = JSON.stringify(parts);
    const same = told.get(key);
    if (same === undefined) told.set(key, { parts, hosts: [plan.host] });
    else same.hosts.push(plan.host);
  }
  return [...told.values()].flatMap(({ parts, hosts }) =>
    parts.length === 0 ? [] : [make(told.size === 1 ? null : cleaned(hosts), parts)],
  );
}

function startSection(changes: readonly Change[]): readonly PlanSection[] {
  const steps = changes.flatMap((change) => {
    if (change.kind !== 'ensure-firewalld') return [];
    const start = { what: 'firewalld', text: 'will be started with the configuration below, and enabled at boot' };
    const install = { what: 'package firewalld', text: 'will be installed; it does not start yet' };
    return change.action === 'install' ? [install, start] : [start];
  });
  return steps.length === 0 ? [] : [{ kind: 'start', steps }];
}

type ZoneChange = Extract<Change, { zone: string }> | Extract<Change, { kind: 'definition' }>;

/** The order of changes in a zone. Interfaces come before the rules that apply to them. */
const ZONE_ORDER: readonly Change['kind'][] = ['definition', 'interface', 'zone-service', 'rich-rule', 'stray'];

function zoneSections(changes: readonly Change[], saying: Saying): readonly PlanSection[] {
  const byZone = new Map<string, ZoneChange[]>();
  const add = (zone: string, change: ZoneChange): void => {
    const list = byZone.get(zone);
    if (list === undefined) byZone.set(zone, [change]);
    else list.push(change);
  };
  for (const change of changes) {
    if ('zone' in change) add(change.zone, change);
    else if (change.kind === 'definition' && change.object === 'zone') add(change.name, change);
  }
  return [...byZone.keys()].sort().map((zone) => {
    const inZone = byZone.get(zone)!;
    const ordered = ZONE_ORDER.flatMap((kind) => inZone.filter((change) => change.kind === kind));
    return { kind: 'zone', zone, changes: ordered.map((change) => changeView(change, saying)) };
  });
}

/** Services, ipsets and ipset entries, which the zones refer to. */
function definitionSections(changes: readonly Change[], saying: Saying): readonly PlanSection[] {
  // A service that a zone gets or loses has the same reasons as what becomes of its definition.
  const explained = new Set(
    changes.flatMap((change) => (change.kind === 'zone-service' ? [`${change.action} ${change.service}`] : [])),
  );
  const definitions: ChangeView[] = [];
  const entries: ChangeView[] = [];
  for (const change of changes) {
    if (change.kind === 'definition' && change.object !== 'zone')
      definitions.push(changeView(change, saying, change.object === 'service' && explained.has(explanation(change))));
    else if (change.kind === 'ipset-entries') entries.push(changeView(change, saying));
  }
  return [
    ...(definitions.length === 0 ? [] : [{ kind: 'definitions', title: 'definitions', changes: definitions } as const]),
    ...(entries.length === 0 ? [] : [{ kind: 'entries', title: 'ipset entries', changes: entries } as const]),
  ];
}

/** The change of a zone that says why a definition is made or deleted. The edit of one has reasons of its own. */
function explanation({ action, name }: Extract<Change, { kind: 'definition' }>): string {
  return action === 'edit' ? '' : `${action === 'create' ? 'add' : 'remove'} ${name}`;
}

function rememberSections(changes: readonly Change[]): readonly PlanSection[] {
  return changes.flatMap((change) =>
    change.kind === 'remember' ? [{ kind: 'remember', before: change.before, after: change.after }] : [],
  );
}

function noteSection(notes: readonly PolicyNote[]): readonly PlanSection[] {
  return notes.length === 0 ? [] : [{ kind: 'notes', notes }];
}

function disruptionSection(disruption: Disruption): readonly PlanSection[] {
  const section = (text: string): readonly PlanSection[] =>
    disruption.kind === 'none' ? [] : [{ kind: 'disruption', disruption: disruption.kind, text }];
  switch (disruption.kind) {
    case 'none':
      return [];
    case 'firewalld-starts':
      return section('nothing is filtered now; once firewalld runs, only what its zones allow gets in');
    case 'reload':
      return section(`one reload${holdText(disruption.holdMs)}: ${disruption.because}`);
    case 'interface-moves': {
      const { interfaces, reload, holdMs } = disruption;
      const moves = interfaces.length === 1 ? 'moves' : 'move';
      return section(
        `${interfaces.join(', ')} ${moves} to another zone${reload ? `, and one reload${holdText(holdMs)}` : ''}`,
      );
    }
  }
}

/** During a reload the first packets of new connections are dropped; clients try again after a second. */
function holdText(holdMs: number): string {
  return ` (no new connections for about ${holdMs} ms; established ones continue)`;
}

function countsOf(changes: readonly Change[]): ChangeCounts {
  const count = (sign: ChangeSign): number => changes.filter((change) => changeSign(change) === sign).length;
  return { changes: changes.length, add: count('+'), change: count('~'), remove: count('-') };
}

function totalsOf(plans: readonly PlanBody[]): PlanTotals {
  return {
    hosts: plans.length,
    changing: plans.filter(({ changes }) => changes.length > 0).length,
    warnings: plans.reduce((sum, { notes }) => sum + notes.filter(({ severity }) => severity === 'warning').length, 0),
    ...countsOf(plans.flatMap(({ changes }) => changes)),
  };
}
