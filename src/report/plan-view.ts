import { counted } from '../core/lists.ts';
import { type ChangeSign, changeSign } from '../plan/change-words.ts';
import type { Change, Disruption, HostPlan } from '../plan/plan.ts';
import type { PolicyNote } from '../policy/desired.ts';
import { type ChangeView, changeView, type Saying } from './change-view.ts';
import { cleaned } from './clean.ts';
import { type ImpactPart, impactParts } from './impact-view.ts';
import { type RoleView, roleView } from './role-view.ts';
import { type Extent, firstOf, type Shortened } from './shortened.ts';

/**
 * What there is to say about the plans of a run, for every output: in the order in which it is said, with what is left out
 * counted, and every text on one line and safe to show (`clean.ts`). No colours, no widths, no markup.
 */
export interface PlansView {
  /** Hosts whose plans read the same stand together, in the order in which they come first. */
  readonly groups: readonly PlanGroup[];
  readonly totals: PlanTotals;
}

/** One plan that one or more hosts have. */
export interface PlanGroup {
  readonly hosts: readonly string[];
  readonly matrix: string;
  readonly sections: readonly PlanSection[];
}

/** A part of a plan. A section that would say nothing is not there. */
export type PlanSection =
  /** Empty where the host plays no role. */
  | { readonly kind: 'roles'; readonly roles: readonly RoleView[] }
  | { readonly kind: 'no-changes'; readonly because: string | null }
  /** firewalld is installed or started first. */
  | { readonly kind: 'start'; readonly steps: readonly { readonly what: string; readonly text: string }[] }
  | { readonly kind: 'zone'; readonly zone: string; readonly changes: readonly ChangeView[] }
  /** Services and ipsets that the zones refer to. */
  | { readonly kind: 'definitions'; readonly title: string; readonly changes: readonly ChangeView[] }
  | { readonly kind: 'entries'; readonly title: string; readonly changes: readonly ChangeView[] }
  /** `hosts`: of those of the group that it is about, where the others fare differently; else `null`. */
  | { readonly kind: 'impact'; readonly hosts: readonly string[] | null; readonly parts: readonly ImpactPart[] }
  | {
      readonly kind: 'disruption';
      readonly disruption: Exclude<Disruption['kind'], 'none'>;
      readonly text: string;
    }
  /** What the host remembers of the run from then on, and what it does until now. */
  | { readonly kind: 'remember'; readonly before: string | null; readonly after: string }
  | { readonly kind: 'notes'; readonly notes: readonly PolicyNote[] }
  | ({ readonly kind: 'counts' } & ChangeCounts);

/** How many changes there are, and of which kind. */
export interface ChangeCounts {
  readonly changes: number;
  readonly add: number;
  readonly change: number;
  readonly remove: number;
}

/** Over all hosts of a run. */
export interface PlanTotals extends ChangeCounts {
  readonly hosts: number;
  /** Hosts with changes. */
  readonly changing: number;
  readonly warnings: number;
}

/** Notes of hosts that need nothing. */
export interface NotesGroup {
  readonly hosts: Shortened<string>;
  readonly notes: readonly PolicyNote[];
}

/** The plans of a run for a reviewer. What differs in their impact alone is told host by host within a group. */
export function plansView(plans: readonly HostPlan[], extent: Extent): PlansView {
  const groups = new Map<string, { plan: Body; members: HostPlan[] }>();
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
      matrix: plan.matrix,
      sections: [...plan.before, ...(plan.changes ? impactSections(members, extent) : []), ...plan.after],
    })),
    totals: totalsOf(plans),
  };
}

/** As many names as a reader looks through; the closing table has all. */
const MOST_NAMES = 20;

/** The notes of hosts that need nothing; hosts of which the same is to be said stand together. */
export function notesView(plans: readonly HostPlan[]): readonly NotesGroup[] {
  const groups = new Map<string, { notes: readonly PolicyNote[]; hosts: string[] }>();
  for (const plan of plans) {
    const notes = cleaned(plan.notes);
    const key = JSON.stringify(notes);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { notes, hosts: [plan.host] });
    else group.hosts.push(plan.host);
  }
  return [...groups.values()].map(({ notes, hosts }) => ({ notes, hosts: cleaned(firstOf(hosts, MOST_NAMES)) }));
}

/** `12 changes: 5 to add, 2 to change, 5 to remove`. */
export function countsText({ changes, add, change, remove }: ChangeCounts): string {
  return `${counted(changes, 'change')}: ${add} to add, ${change} to change, ${remove} to remove`;
}

/** What is said of a plan before and after its impact, which is told for each host of a group. */
interface Body {
  readonly matrix: string;
  readonly changes: boolean;
  readonly before: readonly PlanSection[];
  readonly after: readonly PlanSection[];
}

function bodyOf(plan: HostPlan, extent: Extent): Body {
  const { changes, matrix, nothingBecause } = plan;
  const roles: PlanSection = { kind: 'roles', roles: plan.roles.map(roleView) };
  const end = [...disruptionSection(plan.disruption), ...rememberSections(changes), ...noteSection(plan.notes)];
  if (changes.length === 0)
    return { matrix, changes: false, before: [roles, { kind: 'no-changes', because: nothingBecause }], after: end };
  const saying: Saying = { extent, given: new Set() };
  return {
    matrix,
    changes: true,
    before: [roles, ...startSection(changes), ...zoneSections(changes, saying), ...definitionSections(changes, saying)],
    after: [...end, { kind: 'counts', ...countsOf(changes) }],
  };
}

function impactSections(plans: readonly HostPlan[], extent: Extent): readonly PlanSection[] {
  const told = new Map<string, { parts: readonly ImpactPart[]; hosts: string[] }>();
  for (const { host, impact } of plans) {
    const parts = cleaned(impactParts(impact, extent));
    const key = JSON.stringify(parts);
    const same = told.get(key);
    if (same === undefined) told.set(key, { parts, hosts: [host] });
    else same.hosts.push(host);
  }
  return [...told.values()].flatMap(({ parts, hosts }): readonly PlanSection[] =>
    parts.length === 0 ? [] : [{ kind: 'impact', hosts: told.size === 1 ? null : cleaned(hosts), parts }],
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

/** Interfaces first: they decide what everything below applies to. */
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

/** Services, ipsets, and ipset entries: what the zones above refer to. */
function definitionSections(changes: readonly Change[], saying: Saying): readonly PlanSection[] {
  const explained = new Set(
    changes.flatMap((change) => (change.kind === 'zone-service' && change.action === 'add' ? [change.service] : [])),
  );
  const definitions: ChangeView[] = [];
  const entries: ChangeView[] = [];
  for (const change of changes) {
    if (change.kind === 'definition' && change.object !== 'zone')
      definitions.push(changeView(change, saying, change.object === 'service' && explained.has(change.name)));
    else if (change.kind === 'ipset-entries') entries.push(changeView(change, saying));
  }
  return [
    ...(definitions.length === 0 ? [] : [{ kind: 'definitions', title: 'definitions', changes: definitions } as const]),
    ...(entries.length === 0 ? [] : [{ kind: 'entries', title: 'ipset entries', changes: entries } as const]),
  ];
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

/** A client whose first packet is dropped tries again after a second. */
function holdText(holdMs: number): string {
  return ` (no new connections for about ${holdMs} ms; established ones go on)`;
}

function countsOf(changes: readonly Change[]): ChangeCounts {
  const count = (sign: ChangeSign): number => changes.filter((change) => changeSign(change) === sign).length;
  return { changes: changes.length, add: count('+'), change: count('~'), remove: count('-') };
}

function totalsOf(plans: readonly HostPlan[]): PlanTotals {
  return {
    hosts: plans.length,
    changing: plans.filter(({ changes }) => changes.length > 0).length,
    warnings: plans.reduce((sum, { notes }) => sum + notes.filter(({ severity }) => severity === 'warning').length, 0),
    ...countsOf(plans.flatMap(({ changes }) => changes)),
  };
}
