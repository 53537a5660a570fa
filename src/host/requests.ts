import type { Protocol } from '../core/ports.ts';
import {
  eachOurKind,
  type ObjectKind,
  type OurFolder,
  ourFolderOf,
  perOurKind,
  type Settings,
} from '../firewalld/kinds/kinds.ts';
import { isOurs } from '../firewalld/model.ts';
import type { MadePlan } from '../plan/build-plan.ts';
import type { GuardSettings } from '../plan/guard-settings.ts';
import type { HostPlan, PlanBody } from '../plan/plan.ts';
import type { RehearsedName, TrialWay } from '../plan/rehearsal.ts';
import { type RuntimeCall, reloadOf, startsFirewalld, stepsOfKind } from '../plan/steps.ts';

/** The line of the controller's journal with which a run began: its number, its digest, and that of the journal's first line. */
export interface JournalPlace {
  readonly id: string;
  readonly seq: number;
  readonly digest: string;
}

/** Where a run comes from, for the host's journal. */
export interface RequestAudit {
  /** The controller's run; `null` if it keeps no journal. */
  readonly run: string | null;
  /** The SHA-256 of the host's plan; `null` without one. */
  readonly plan: string | null;
  /** The SHA-256 of the saved plan that it was read from; `null` if the run made it itself. */
  readonly file: string | null;
  /** Whose keys have signed the saved plan. */
  readonly signers: readonly string[];
  readonly journal: JournalPlace | null;
}

const NO_AUDIT: RequestAudit = { run: null, plan: null, file: null, signers: [], journal: null };

/** The fields of every request that begins a run. */
interface RunHead {
  readonly id: string;
  readonly holder: string;
  readonly what: string;
  /** How long the host waits, in seconds, before it rolls back. */
  readonly window: number;
  readonly confirm: GuardSettings['confirm'];
  readonly audit: RequestAudit;
}

/** A portfw file; its path is relative to /etc/firewalld. */
interface WireFile {
  readonly path: string;
  readonly text: string;
}

/** Interfaces that leave a zone's file. The host computes the new text from its own file. */
interface WireRelease {
  readonly zone: string;
  readonly interfaces: readonly string[];
}

/** Moves 1 and 2 of an apply: definitions as files with at most one reload, then behaviour at runtime. */
export interface BeginRequest extends RunHead {
  readonly operation: 'begin';
  readonly observedHash: string;
  readonly files: readonly WireFile[];
  readonly reload: boolean;
  /** The reload time in whole seconds, measured in the rehearsal; 0 for less than one, and without a reload. */
  readonly reloadSeconds: number;
  readonly calls: readonly RuntimeCall[];
  /** Foreign zone files that later lose an interface line: they are saved and restored too. */
  readonly foreign: readonly string[];
  /** What the host remembers when the run is kept; `null` changes nothing. */
  readonly state: RunState | null;
}

/** What a host remembers of the last kept run. */
export interface RunState {
  readonly format: 1;
  readonly matrix: string;
  readonly roles: readonly string[];
  readonly generation: string;
  readonly appliedAt: string;
}

/** Settings that the daemon takes over, by kind and name. */
type WireSettings = {
  readonly [F in OurFolder]: Readonly<Record<string, Settings<F>>>;
};

/** Move 3: the runtime becomes permanent. */
export interface PermanentRequest extends WireSettings {
  readonly operation: 'permanent';
  readonly id: string;
  readonly releases: readonly WireRelease[];
  readonly deletions: readonly (readonly [ObjectKind, string])[];
  /** The zones of NetworkManager's connections, by UUID; empty for none. */
  readonly connections: readonly (readonly [uuid: string, zone: string])[];
}

/** The whole apply on a host whose firewalld does not run: its files, then its start. */
export interface StartRequest extends RunHead {
  readonly operation: 'start';
  readonly observedHash: string;
  readonly files: readonly WireFile[];
  /** portfw files to delete. */
  readonly deletions: readonly string[];
  /** Foreign zone files that lose interfaces to portfw zones. */
  readonly edits: readonly WireRelease[];
  /** The paths of those files: they are saved and restored too. */
  readonly foreign: readonly string[];
  readonly connections: readonly (readonly [uuid: string, zone: string])[];
  readonly state: RunState | null;
}

export type Request =
  | BeginRequest
  | StartRequest
  | PermanentRequest
  /** The run is verified; `hold` leaves the decision to a person, `keep` decides. */
  | { readonly operation: 'hold' | 'keep'; readonly id: string }
  /** A person confirms the waiting run; `null` for the pending one. */
  | { readonly operation: 'confirm'; readonly id: string | null; readonly holder: string }
  /** Rolls back a run that is not kept, and reports the state of the host. */
  | { readonly operation: 'settle'; readonly id: string; readonly why: string }
  | { readonly operation: 'history' | 'journal' | 'status' }
  | RehearseRequest
  | LookRollbackRequest
  | RehearseRollbackRequest
  | CutFlowsRequest
  | RollbackRequest;

/** Asks the host to rehearse a plan. Nothing is changed. */
export interface RehearseRequest {
  readonly operation: 'rehearse';
  /** Whether firewalld does not run: then only its start is rehearsed. */
  readonly starts: boolean;
  readonly reload: boolean;
  /** The definitions of the first move. */
  readonly files: readonly WireFile[];
  /** All portfw files once the plan is permanent. */
  readonly ours: readonly WireFile[];
  readonly edits: readonly WireRelease[];
  readonly calls: readonly RuntimeCall[];
  /** The zones of NetworkManager's connections once the plan is permanent. */
  readonly connections: readonly (readonly [uuid: string, zone: string])[];
  /** Connections to try with real packets. */
  readonly ways: readonly TrialWay[];
  /** Further ports to listen on. */
  readonly listen: readonly number[];
}

/** The same for a rollback: the current files, and the files after the rollback. */
export interface RehearseRollbackRequest extends Pick<RehearseRequest, 'ways' | 'listen'> {
  readonly operation: 'rehearse-rollback';
  readonly generation: string | null;
}

/** Asks what a rollback would restore. Nothing is changed. */
export interface LookRollbackRequest {
  readonly operation: 'look-rollback';
  readonly generation: string | null;
}

/** Ends the established flows of these kinds: after a run is kept, and only revoked flows. */
export interface CutFlowsRequest {
  readonly operation: 'cut-flows';
  readonly holder: string;
  readonly flows: readonly {
    readonly protocol: Protocol;
    readonly opener: string;
    readonly address: string;
    readonly port: number;
  }[];
}

export interface RollbackRequest {
  readonly operation: 'rollback';
  readonly id: string;
  readonly holder: string;
  readonly what: string;
  readonly generation: string;
  /** The state that the plan was made from; the host refuses if it has another one. `null` does not ask for one. */
  readonly observedHash: string | null;
  /** The hash of the planned generation; the host refuses if that id holds another one. */
  readonly permanentHash: string;
  readonly window: number;
  readonly confirm: 'auto';
  readonly audit: RequestAudit;
  /** The reload time as measured in the rehearsal; 0 without a measurement. */
  readonly reloadSeconds: number;
}

/** The input of the requests of one apply: the plan, and who applies it. */
export interface ApplyInput {
  readonly id: string;
  readonly holder: string;
  readonly plan: HostPlan;
  readonly guard: GuardSettings;
  /** The time of the run, ISO 8601 in UTC; the host remembers it. */
  readonly at: string;
  readonly audit?: RequestAudit;
}

/** The first request of an apply: the plan's steps up to permanence, wrapped for the wire. Nothing is decided here. */
export function firstRequest(input: ApplyInput): BeginRequest | StartRequest {
  return startsFirewalld(input.plan.steps) ? startRequest(input) : beginRequest(input);
}

function headOf({ id, holder, guard, audit = NO_AUDIT }: ApplyInput, what: string): RunHead {
  return { id, holder, what, window: guard.windowSeconds, confirm: guard.confirm, audit };
}

/** The request for a rehearsal of a plan, with at most 64 `ways`. */
export function rehearseRequest(
  { plan, outcome }: MadePlan,
  trials: { readonly ways: readonly TrialWay[]; readonly listen: readonly number[] },
): RehearseRequest {
  const ours = eachOurKind((kind, folder) =>
    [...outcome.permanent[folder].values()]
      .filter(({ name }) => isOurs(name))
      .map((item): WireFile => ({ path: `${folder}/${item.name}.xml`, text: kind.writeXml(item) })),
  );
  const starts = startsFirewalld(plan.steps);
  return {
    operation: 'rehearse',
    starts,
    reload: !starts && reloadOf(plan.steps) !== null,
    files: filesOf(plan),
    ours: ours.flat(),
    edits: releasesOf(plan),
    calls: stepsOfKind(plan.steps, 'call').map(({ call }) => call),
    connections: connectionsOf(plan),
    ...trials,
  };
}

/** The states in the host's answer to a request (`rehearsals_of` in `rehearsal.py`). */
export function rehearsedNames({ starts, reload }: Pick<RehearseRequest, 'starts' | 'reload'>): RehearsedName[] {
  if (starts) return ['boot'];
  return reload ? ['disk', 'reload', 'running', 'boot'] : ['disk', 'running', 'boot'];
}

/** The first request on a running firewalld. */
export function beginRequest(input: ApplyInput): BeginRequest {
  const { steps, matrix, observedHash } = input.plan;
  return {
    operation: 'begin',
    ...headOf(input, `apply ${matrix}`),
    observedHash,
    files: filesOf(input.plan),
    reload: reloadOf(steps) !== null,
    reloadSeconds: reloadSeconds(input.plan),
    calls: stepsOfKind(steps, 'call').map(({ call }) => call),
    foreign: foreignOf(input.plan),
    state: runState(input),
  };
}

/** The reload time in the plan, in whole seconds. */
export function reloadSeconds({ disruption }: PlanBody): number {
  return 'holdMs' in disruption && disruption.holdMs >= 1000 ? Math.ceil(disruption.holdMs / 1000) : 0;
}

/** The first request if firewalld does not run. */
export function startRequest(input: ApplyInput): StartRequest {
  const { steps, matrix, observedHash } = input.plan;
  return {
    operation: 'start',
    ...headOf(input, `apply ${matrix}, which starts firewalld`),
    observedHash,
    files: filesOf(input.plan),
    deletions: stepsOfKind(steps, 'delete').map(({ object, name }) => `${ourFolderOf(object)}/${name}.xml`),
    edits: releasesOf(input.plan),
    foreign: foreignOf(input.plan),
    connections: connectionsOf(input.plan),
    state: runState(input),
  };
}

/**
 * The second request of an apply, sent over a new connection once the behaviour is verified. If firewalld was started,
 * everything is permanent already: the host then only reads its state.
 */
export function permanentRequest({ id, plan }: ApplyInput): PermanentRequest {
  const settings = perOurKind<{ [F in OurFolder]: Record<string, Settings<F>> }>(() => ({}));
  const nothing = { ...settings, releases: [], deletions: [], connections: [] };
  if (startsFirewalld(plan.steps)) return { operation: 'permanent', id, ...nothing };
  for (const step of stepsOfKind(plan.steps, 'settings'))
    Object.assign(settings[ourFolderOf(step.object)], { [step.settings.name]: step.settings });
  return {
    operation: 'permanent',
    id,
    ...settings,
    releases: releasesOf(plan),
    deletions: stepsOfKind(plan.steps, 'delete').map(({ object, name }) => [object, name] as const),
    connections: connectionsOf(plan),
  };
}

function filesOf({ steps }: HostPlan): WireFile[] {
  return stepsOfKind(steps, 'file').map(({ path, text }) => ({ path, text }));
}

function releasesOf({ steps }: HostPlan): WireRelease[] {
  return stepsOfKind(steps, 'edit-zone').map(({ zone, interfaces }) => ({ zone, interfaces }));
}

function foreignOf({ steps }: HostPlan): string[] {
  const zones = stepsOfKind(steps, 'edit-zone').map(({ zone }) => zone);
  return zones
    .filter((zone) => !isOurs(zone))
    .map((zone) => `zones/${zone}.xml`)
    .sort();
}

function connectionsOf({ steps }: HostPlan): (readonly [string, string])[] {
  return stepsOfKind(steps, 'connection').map(({ uuid, zone }) => [uuid, zone]);
}

/** What the host remembers when the run is kept. */
function runState({ plan, id, at }: ApplyInput): RunState | null {
  const [step] = stepsOfKind(plan.steps, 'remember');
  if (step === undefined) return null;
  return { format: 1, matrix: step.matrix, roles: step.roles, generation: id, appliedAt: at };
}
