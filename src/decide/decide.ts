import type { Inventory } from '../ansible/inventory.ts';
import { type CodedFault, type Failure, failureOf } from '../core/failure.ts';
import { listed } from '../core/lists.ts';
import type { HostFacts, RunningFirewalld } from '../facts/facts.ts';
import { isOurs } from '../firewalld/model.ts';
import type { ObservedFirewalld } from '../firewalld/observed.ts';
import type { Play } from '../matrix/matrix.ts';
import { filtersOf } from '../plan/before-and-after.ts';
import { draftPlan, type MadePlan, type PlanInput, withConsequences } from '../plan/build-plan.ts';
import { connectionRefusal } from '../plan/diff/connection-moves.ts';
import { trustNotes } from '../plan/diff/trust.ts';
import { forwarding } from '../plan/forwarding/forwarding-notes.ts';
import type { GuardSettings } from '../plan/guard-settings.ts';
import { DEFAULT_GUARD } from '../plan/guard-settings.ts';
import { lockout } from '../plan/lockout/lockout.ts';
import type { LockoutVerdict } from '../plan/lockout/lockout-types.ts';
import { type Dialled, sshPorts, type Way } from '../plan/lockout/proof-ways.ts';
import { type Trials, trialsOf } from '../plan/lockout/trials.ts';
import { waysOf } from '../plan/lockout/ways.ts';
import { askedFirst } from '../plan/notes/asked-first.ts';
import { banNotes } from '../plan/notes/ban-notes.ts';
import { patternFirst, patternNotes } from '../plan/notes/patterns.ts';
import { rehearsalNotes, rehearsalRefusals } from '../plan/notes/rehearsal-refusals.ts';
import { heldInFolder, reloadHazard } from '../plan/notes/reload-hazard.ts';
import type { HostPlan } from '../plan/plan.ts';
import { rawFiles } from '../plan/raw-files.ts';
import type { Rehearsal, TrialWay } from '../plan/rehearsal.ts';
import { type Kernels, readKernels } from '../plan/rehearsed-kernels.ts';
import { reloadOf } from '../plan/steps.ts';
import { buildDesired, type PolicyOutcome } from '../policy/build-desired.ts';
import type { DesiredFirewalld, PolicyNote } from '../policy/desired.ts';
import { detectRoles } from '../roles/detect.ts';
import type { RoleFindings } from '../roles/findings.ts';
import { hostPeers } from '../settings/addresses-of-hosts.ts';
import type { HostSettings } from '../settings/settings-types.ts';
import { runNotes } from './run-notes.ts';
import { type UsableFirewalld, usableFirewalld } from './usable-firewalld.ts';

/** The result of the pure stages for one host's facts. */
export type Decision =
  | { readonly kind: 'refused'; readonly failure: Failure }
  | { readonly kind: 'planned'; readonly plan: HostPlan };

/** The same, or a plan that the host must rehearse first. */
export type FirstDecision =
  | Decision
  | {
      readonly kind: 'to-rehearse';
      readonly made: MadePlan;
      /** The connections to try with packets, and sshd's ports. */
      readonly packets: { readonly ways: readonly TrialWay[]; readonly listen: readonly number[] };
      /** Decides with the host's rehearsal. */
      readonly decide: (rehearsal: Rehearsal) => Decision;
    };

/** The host that is decided about. */
export interface DecidedHost {
  readonly host: string;
  readonly settings: HostSettings;
}

/** What decisions depend on, besides the host. */
export interface DecideContext {
  readonly inventory: Inventory;
  readonly settings: ReadonlyMap<string, HostSettings>;
  /** The day of the run, `YYYY-MM-DD` in UTC, for exceptions that expire. */
  readonly today: string;
  /** How long hosts wait for a decision, and who decides; {@link DEFAULT_GUARD} by default. */
  readonly guard?: GuardSettings;
  /** Hosts that `--accept-lockout` names: there, a plan that fails the lockout proof is not refused. */
  readonly acceptLockout?: ReadonlySet<string>;
  /** Hosts that `--accept-forwarding-stop` names: there, a plan that ends what others forward is not refused. */
  readonly acceptForwardingStop?: ReadonlySet<string>;
  /** Whether plans hold the files that change. */
  readonly raw?: boolean;
}

/** Which roles the host plays, by declaration, detection and memory. */
export function rolesOf(job: DecidedHost, play: Play, facts: HostFacts): RoleFindings {
  const { remembered } = facts;
  return detectRoles({
    matrix: play.matrix,
    facts,
    declared: job.settings.roles,
    // Remembered under another matrix too: a role that this matrix has stays, another one gives a warning.
    remembered: remembered?.roles ?? null,
  });
}

/**
 * Facts → roles → desired → plan. Pure: the inventory and the day are in `context`.
 *
 * @param dialled the host's end of the connection as seen from here; `null` if there is none
 */
export function decide(
  job: DecidedHost,
  play: Play,
  facts: HostFacts,
  context: DecideContext,
  dialled: Dialled | null,
): FirstDecision {
  if (!facts.root)
    return refused(
      'not-root',
      'the account has no root rights on the host, and only root may read and change firewalld',
      'add --become to this command, or write ansible_become: true into the inventory (the account needs sudo rights); or log in as root',
    );
  const usable = usableFirewalld(facts, job.settings.ensureFirewalld);
  if (usable.kind === 'refused') return refusedBy([ofThisMachine(usable.refusal, job.settings)]);
  const findings = rolesOf(job, play, facts);
  if (findings.verdict.kind === 'ambiguous') {
    const { unexplained, candidates } = findings.verdict;
    return refused(
      'roles-ambiguous',
      `${unexplained.join(', ')} fits ${candidates.join(', ')}, but the evidence does not decide`,
      `declare the roles of this host: portfw_roles: [${candidates[0] ?? ''}] (or the others)`,
    );
  }
  if (findings.verdict.kind === 'none') {
    const roles = [...play.matrix.roles.values()].filter((role) => !role.everyHost && !role.appliance);
    return refused(
      'no-roles',
      'no role was found on the host and none is declared',
      `declare the roles of this host: portfw_roles: [ROLE, …] (of ${listed(roles.map(({ name }) => name))}); portfw_roles: [] means only the roles of every host`,
    );
  }
  return planOf({ job, play, facts, usable, findings, context }, dialled);
}

/**
 * The refusal for a missing firewalld, which on the machine that portfw runs on often means that nobody wants one there:
 * an inventory may have it with `ansible_connection: local` for other tasks.
 */
function ofThisMachine(refusal: CodedFault, settings: HostSettings): CodedFault {
  const meant = settings.connection.kind !== 'local' || settings.locate(['portfw_managed']) !== null;
  if (meant || refusal.code !== 'firewalld-absent') return refusal;
  const leave = 'to leave this machine (ansible_connection: local) alone, write portfw_managed: false for it';
  return { ...refusal, solve: `${leave}; else ${refusal.solve}` };
}

/** What a plan is made from, once firewalld and the roles are known. */
interface Ground {
  readonly job: DecidedHost;
  readonly play: Play;
  readonly facts: HostFacts;
  readonly usable: UsableFirewalld;
  readonly findings: RoleFindings;
  readonly context: DecideContext;
}

function planOf(ground: Ground, dialled: Dialled | null): FirstDecision {
  const { job, play, facts, usable, findings, context } = ground;
  const { firewalld, observed, ensure } = usable;
  if (observed.broken.length > 0) {
    const [first] = observed.broken;
    return refused(
      'broken-xml',
      `portfw cannot use ${first!.path}: ${first!.why}`,
      'repair it or remove it: portfw cannot know how firewalld would read it at the next reload',
      observed.broken.slice(1).map((item) => `${item.path}: ${item.why}`),
    );
  }
  const outcome = buildDesired({
    matrix: play.matrix,
    roles: findings.roles.map((item) => item.role),
    settings: job.settings,
    facts,
    firewalld,
    privateMode: job.settings.private ?? play.private ?? 'trusted',
    features: new Set([...play.features, ...job.settings.features]),
    peers: hostPeers(job.settings, context.inventory, context.settings),
    today: context.today,
    bound: boundInterfaces(observed),
  });
  if (outcome.kind === 'refused') return refusedBy(outcome.refusals);
  const { desired } = outcome;
  const input = inputOf(ground, outcome);
  const made = draftPlan(input);
  const against = [
    // First: without the deleted objects, the proof could fail for that very reason.
    stillUsed(observed, firewalld.files, made.plan),
    heldInFolder(observed, desired),
    patternFirst(observed, desired, firewalld.version),
    connectionRefusal(firewalld.networkManager, made.plan.changes, desired),
  ].filter((item) => item !== null);
  if (against.length > 0) return refusedBy(against);
  const peers = hostPeers(job.settings, context.inventory, context.settings);
  const { ways, doubts } = waysOf(
    facts,
    job.settings.management.map((given) => ({ given, addresses: peers.addressesOf([given]) })),
    dialled,
  );
  const trials = trialsOf(ways);
  const conclude = (rehearsal: Rehearsal | null): Decision =>
    concluded({ job, facts, usable, context, input, made, ways, doubts, trials, rehearsal });
  // Without changes there is nothing to rehearse, and a firewalld that is not installed cannot rehearse.
  if (!changesFirewalld(made.plan) || ensure === 'install') return conclude(null);
  return {
    kind: 'to-rehearse',
    made,
    packets: { ways: trials.ways, listen: sshPorts(facts) },
    decide: conclude,
  };
}

function inputOf(ground: Ground, { desired, notes, losses }: Extract<PolicyOutcome, { kind: 'desired' }>): PlanInput {
  const { job, play, facts, usable, findings } = ground;
  const { firewalld, observed, ensure } = usable;
  const warnings = findings.warnings.map((text): PolicyNote => ({ severity: 'warning', code: 'roles', text }));
  return {
    host: job.host,
    matrix: play.matrix.name,
    roles: findings.roles,
    facts: firewalld,
    observed,
    desired,
    losses,
    remembered: facts.remembered,
    live: facts,
    ...(ensure === null ? {} : { ensure }),
    notes: [
      ...(ensure === null ? [] : startNotes(facts, observed, desired, firewalld.defaultZone)),
      ...warnings,
      ...notes,
      ...runNotes(facts),
      ...writerNotes(facts),
      ...entranceNotes(job, facts),
      ...askedFirst(desired, observed.runtime, firewalld.runtime.direct),
      ...trustNotes(desired, observed.runtime),
      ...patternNotes(observed, desired),
    ],
  };
}

interface Draft {
  readonly job: DecidedHost;
  readonly facts: HostFacts;
  readonly usable: UsableFirewalld;
  readonly context: DecideContext;
  readonly input: PlanInput;
  readonly made: MadePlan;
  readonly ways: readonly Way[];
  readonly doubts: readonly string[];
  readonly trials: Trials;
  /** `null` if the host did not rehearse. */
  readonly rehearsal: Rehearsal | null;
}

/** The plan with its consequences, or why it must not be carried out. */
function concluded(draft: Draft): Decision {
  const { job, facts, usable, context, input, made, ways, doubts, trials, rehearsal } = draft;
  const { firewalld, observed, ensure } = usable;
  const { kernels, notes: beside } = readKernels(rehearsal, facts);
  const filters = filtersOf({ firewalld, observed, outcome: made.outcome, kernels });
  const plan = withConsequences(made, input, rehearsal, filters);
  const reload = reloadOf(plan.steps) !== null;
  const starts = ensure !== null;
  const changes = changesFirewalld(plan);
  const proof = lockout({
    facts,
    firewalld,
    filters,
    outcome: made.outcome,
    reload,
    starts,
    changes,
    ways,
    trials,
    rehearsal,
    kernels,
  });
  const accepted = context.acceptLockout?.has(job.host) === true;
  const through = forwarding({ host: job.host, facts, firewalld, filters, starts });
  const acceptedStop = context.acceptForwardingStop?.has(job.host) === true;
  const window = (context.guard ?? DEFAULT_GUARD).windowSeconds;
  const against = [
    ...(rehearsal === null ? [] : rehearsalRefusals(rehearsal, window, reload || starts)),
    ...(accepted ? [] : proof.refusals),
    ...(acceptedStop ? [] : through.refusals),
    // A start reads the same files as a reload. After a rehearsal, the host's own result counts.
    (reload || starts) && rehearsal?.kind !== 'rehearsed' ? reloadHazard(observed, firewalld.version) : null,
  ].filter((item) => item !== null);
  if (against.length > 0) return refusedBy(against);
  const notes = [
    ...plan.notes,
    ...doubts.map((text): PolicyNote => ({ severity: 'warning', code: 'management-unknown', text })),
    ...(rehearsal === null ? [] : rehearsalNotes(rehearsal)),
    ...beside,
    ...through.notes,
    ...(changes ? banNotes({ facts, firewalld, filters }) : []),
    ...(acceptedStop
      ? through.refusals.map(({ code, what }): PolicyNote => ({ severity: 'warning', code, text: what }))
      : []),
    ...proof.notes,
    ...(accepted ? acceptedNotes(proof) : []),
    ...(changes ? provedNotes(proof, kernels) : []),
  ];
  const raw =
    context.raw === true
      ? {
          raw: rawFiles({
            steps: plan.steps,
            files: firewalld.files,
            before: observed.permanent,
            after: made.outcome.permanent,
          }),
        }
      : {};
  return { kind: 'planned', plan: { ...plan, notes, ...raw } };
}

/** Whether a plan does more than remember roles: otherwise it cannot lock anyone out. */
function changesFirewalld({ changes }: HostPlan): boolean {
  return changes.some(({ kind }) => kind !== 'remember');
}

/** The interface by which each entry of `portfw_management` was proved to get in. */
function provedNotes({ proved: all }: LockoutVerdict, kernels: Kernels | null): PolicyNote[] {
  const proved = all.filter(({ kind }) => kind === 'management');
  const texts = proved.map(
    ({ given, places }) => `${given} by ${[...new Set(places.map((place) => place.interface))].join(' or ')}`,
  );
  if (texts.length === 0) return [];
  const how =
    kernels?.running !== undefined || kernels?.boot !== undefined
      ? "against the kernel's rules of the rehearsal"
      : 'from the configuration';
  return [
    {
      severity: 'info',
      code: 'management-proved',
      text: `portfw_management: access was proved ${how}: ${[...new Set(texts)].join(', ')}`,
    },
  ];
}

/** The interfaces in the files of portfw zones, whether they exist now or not. */
export function boundInterfaces({ permanent }: ObservedFirewalld): ReadonlyMap<string, string> {
  const ours = [...permanent.zones.values()].filter(({ name }) => isOurs(name));
  return new Map(ours.flatMap((zone) => zone.interfaces.map((name) => [name, zone.name] as const)));
}

/** Interfaces without a class are filtered too, once firewalld runs. */
function startNotes(
  facts: HostFacts,
  observed: ObservedFirewalld,
  desired: DesiredFirewalld,
  defaultZone: string,
): PolicyNote[] {
  const homes = [...observed.permanent.zones.values(), ...[...desired.zones.values()].map(({ config }) => config)];
  const bound = new Set(homes.flatMap((zone) => zone.interfaces));
  const rest = facts.interfaces.filter((item) => !item.loopback && !bound.has(item.name)).map(({ name }) => name);
  if (rest.length === 0) return [];
  const open = observed.permanent.zones.get(defaultZone)?.services ?? [];
  const text = `${rest.join(', ')} will be in firewalld's default zone ${defaultZone}, which opens ${open.length === 0 ? 'no service' : open.join(', ')}`;
  return [{ severity: 'warning', code: 'default-zone', text }];
}

/** The refusals that `--accept-lockout` turns into warnings. */
function acceptedNotes(proof: LockoutVerdict): PolicyNote[] {
  return proof.refusals.map(({ what }) => ({
    severity: 'warning',
    code: 'lockout-accepted',
    text: `${what}; accepted with --accept-lockout: only the automatic rollback restores access`,
  }));
}

function refused(
  code: string,
  what: string,
  solve: string,
  details: readonly string[] = [],
): Extract<Decision, { kind: 'refused' }> {
  return { kind: 'refused', failure: { code, what, solve, details } };
}

function refusedBy([first, ...others]: readonly CodedFault[]): Extract<Decision, { kind: 'refused' }> {
  return { kind: 'refused', failure: failureOf(first!, others) };
}

function writerNotes(facts: HostFacts): PolicyNote[] {
  if (facts.writers.units.length === 0) return [];
  return [
    {
      severity: 'info',
      code: 'other-writers',
      text: `${facts.writers.units.join(', ')} also ${facts.writers.units.length === 1 ? 'manages' : 'manage'} firewall rules here; portfw does not change them`,
    },
  ];
}

/** A warning if the address of this session is not known, so that nothing can be proved about it in advance. */
function entranceNotes(job: DecidedHost, facts: HostFacts): PolicyNote[] {
  if (job.settings.connection.kind !== 'ssh' || facts.controllerPath !== null) return [];
  const text =
    'the host does not report which of its addresses this session uses: whether SSH access stays open cannot be proved in advance';
  return [{ severity: 'warning', code: 'entrance-unknown', text }];
}

/** A portfw service or ipset that a foreign zone uses cannot be deleted: the next reload would fail. */
function stillUsed(observed: ObservedFirewalld, files: RunningFirewalld['files'], plan: HostPlan): CodedFault | null {
  const deleted = new Set(
    plan.changes.flatMap((change) => (change.kind === 'definition' && change.action === 'delete' ? [change.name] : [])),
  );
  if (deleted.size === 0) return null;
  for (const { path, text } of files) {
    // Zones are read below; policies, services with includes and direct rules are searched as text.
    if (path.startsWith('zones/') || isOurs(path.slice(path.lastIndexOf('/') + 1))) continue;
    const name = [...deleted].find((item) => mentions(text, item));
    if (name !== undefined) return usedBy(`/etc/firewalld/${path}`, name);
  }
  for (const config of [observed.permanent, observed.runtime]) {
    for (const zone of config.zones.values()) {
      if (isOurs(zone.name)) continue;
      const rules = zone.richRules;
      const used = [
        ...zone.services,
        ...rules.map((rule) => rule.service),
        ...rules.map((rule) => rule.sourceIpset),
        ...zone.sources.map((source) => source.replace(/^ipset:/, '')),
      ];
      const name = used.find((item) => item !== null && deleted.has(item));
      if (name !== undefined && name !== null) return usedBy(`zone ${zone.name}`, name);
    }
  }
  return null;
}

/** Whether a text contains an object's name as a separate word. The name is untrusted: it is that of a file on the host. */
function mentions(text: string, name: string): boolean {
  return text.split(name).some((part, index, parts) => {
    const next = parts[index + 1];
    return next !== undefined && !/[A-Za-z0-9_.-]$/.test(part) && !/^[A-Za-z0-9_.-]/.test(next);
  });
}

function usedBy(what: string, name: string): CodedFault {
  return {
    code: 'still-used',
    what: `${what} (not managed by portfw) uses ${name}, which the plan deletes`,
    solve: `remove ${name} from it first`,
  };
}
