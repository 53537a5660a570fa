import type { Inventory } from '../../../../src/ansible/inventory.ts';
import { perOurKind } from '../../../../src/firewalld/kinds/kinds.ts';
import type { FleetEvent, HostOutcome } from '../../../../src/fleet/events.ts';
import type { HostJob, HostOperations, PlannedHost, Proved, RunContext } from '../../../../src/fleet/operations.ts';
import type { FleetContext } from '../../../../src/fleet/run.ts';
import type { BatchSize, OnFailure, Play } from '../../../../src/matrix/matrix.ts';
import { NO_ACCESS } from '../../../../src/plan/access-types.ts';
import { NO_IMPACT } from '../../../../src/plan/impact-types.ts';
import { type HostPlan, PLAN_FORMAT, type PlannedState, type RollbackPlan } from '../../../../src/plan/plan.ts';
import type { RoleCluster } from '../../../../src/settings/clusters.ts';
import type { HostSettings } from '../../../../src/settings/settings-types.ts';

/** The parts of a play that the runner looks at. */
export function playOf(options: {
  name?: string;
  file?: string;
  line?: number;
  serial?: readonly BatchSize[];
  maxFailPercentage?: number;
  onFailure?: OnFailure;
  clusters?: readonly RoleCluster[];
}): Play {
  return {
    name: options.name ?? 'play',
    hosts: 'all',
    serial: options.serial ?? [],
    maxFailPercentage: options.maxFailPercentage ?? null,
    onFailure: options.onFailure ?? 'keep-good',
    probes: [],
    features: [],
    matrix: { clusters: new Map((options.clusters ?? []).map((cluster) => [cluster.name, cluster])) },
    location: { file: options.file ?? 'playbook.yaml', line: options.line ?? 1, column: 1, secret: null },
  } as unknown as Play;
}

/** The settings that say which hosts are a cluster. */
export type Membership = Partial<
  Pick<HostSettings, 'cluster' | 'vips' | 'site' | 'playbook' | 'roles' | 'features' | 'managed'>
>;

export function jobOf(host: string, play: Play | null = playOf({}), membership: Membership = {}): HostJob {
  const none = { cluster: null, vips: [], site: null, playbook: null, roles: null, features: [], managed: true };
  return { host, play, settings: { name: host, ...none, ...membership } } as unknown as HostJob;
}

export function jobsOf(
  hosts: readonly string[],
  play: Play | null = playOf({}),
  membershipOf: (host: string) => Membership = () => ({}),
): Map<string, HostJob> {
  return new Map(hosts.map((host) => [host, jobOf(host, play, membershipOf(host))]));
}

/** An inventory of groups alone. */
export function inventoryOf(groups: Readonly<Record<string, readonly string[]>> = {}): Inventory {
  return {
    groups: new Map(Object.entries(groups).map(([name, allHosts]) => [name, { name, allHosts }])),
  } as unknown as Inventory;
}

export function contextOf(
  jobs: ReadonlyMap<string, HostJob>,
  signal = new AbortController().signal,
  inventory = inventoryOf(),
): FleetContext {
  return { jobs, signal, inventory, holder: 'op@controller', today: '2026-01-31' } as unknown as FleetContext;
}

export function names(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `host${index + 1}`);
}

export function planOf(host: string, changes = 1): HostPlan {
  return {
    kind: 'apply',
    format: PLAN_FORMAT,
    host,
    matrix: 'portaswitch',
    roles: [],
    observedHash: 'observed',
    changes: Array.from({ length: changes }, (_, index) => ({
      kind: 'stray' as const,
      zone: 'portfw-public',
      field: 'port',
      value: `${index + 1}/tcp`,
      layers: { permanent: true, runtime: true },
    })),
    steps: [],
    result: perOurKind<PlannedState>(() => []),
    disruption: { kind: 'none' },
    impact: NO_IMPACT,
    access: NO_ACCESS,
    notes: [],
    nothingBecause: changes === 0 ? 'all is as it should be' : null,
  };
}

export function rollbackPlanOf(host: string, id = 'g1'): RollbackPlan {
  const { changes, disruption, impact, access, notes, nothingBecause } = planOf(host);
  const generation = {
    id,
    savedAt: '2026-01-30T10:00:00Z',
    savedBy: 'op@desk',
    before: 'apply',
    permanentHash: 'hash',
  };
  return {
    kind: 'rollback',
    format: PLAN_FORMAT,
    host,
    observedHash: 'observed',
    generation,
    changes,
    disruption,
    impact,
    access,
    notes,
    nothingBecause,
  };
}

export const unreachable: HostOutcome = {
  kind: 'unreachable',
  failure: { code: 'no-route', what: 'no route', details: [], solve: 'plug it in' },
};

export const failed: HostOutcome = {
  kind: 'failed',
  phase: 'writing',
  failure: { code: 'disk-full', what: 'the disk is full', details: [], solve: 'make room' },
  aftermath: { kind: 'restored', generation: 'g1', by: 'the host' },
};

export const tick = (milliseconds = 1): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** What happens on one host; the default has one pending change that is applied, proved, and kept or reverted as asked. */
export interface Script {
  plan?: (host: string, context: RunContext) => Promise<HostOutcome | null>;
  /** What the plan says that the host plays; the declared roles when it is missing. */
  rolesOf?: (job: HostJob) => readonly string[];
  /** `null` for a host that is proved. */
  apply?: (host: string, context: RunContext) => Promise<HostOutcome | null>;
  /** `null` for `changed`. */
  keep?: (host: string) => Promise<HostOutcome | null>;
  /** `null` for `reverted`. */
  revert?: (host: string, because: string) => Promise<HostOutcome | null>;
  rollback?: (host: string, context: RunContext) => Promise<HostOutcome | null>;
  confirm?: (host: string) => Promise<HostOutcome>;
  discard?: (host: string) => Promise<void>;
}

/** Host operations that follow a script, and the counts a test asks for. */
export class ScriptedOperations implements HostOperations {
  readonly #script: Script;
  readonly begun: string[] = [];
  readonly applied: string[] = [];
  readonly discarded: string[] = [];
  /** `HOST to GENERATION` of each rollback that was planned. */
  readonly planned: string[] = [];
  /** `keep HOST`, `revert HOST: WHY`, `rollback HOST to GENERATION`, in order. */
  readonly decided: string[] = [];
  active = 0;
  mostActive = 0;

  constructor(script: Script = {}) {
    this.#script = script;
  }

  async #busy<T>(work: () => Promise<T>): Promise<T> {
    this.active += 1;
    this.mostActive = Math.max(this.mostActive, this.active);
    try {
      return await work();
    } finally {
      this.active -= 1;
    }
  }

  async plan(job: HostJob, context: RunContext): Promise<PlannedHost> {
    return this.#busy(async () => {
      const { host } = job;
      this.begun.push(host);
      context.phase(host, 'connecting');
      await tick();
      const outcome = (await this.#script.plan?.(host, context)) ?? null;
      if (outcome !== null) return { kind: 'finished', outcome };
      const roles = this.#script.rolesOf?.(job) ?? job.settings.roles ?? [];
      const plan: HostPlan = {
        ...planOf(host),
        roles: roles.map((role) => ({ role, because: 'declared', confidence: 1, evidence: [] })),
      };
      return {
        kind: 'pending',
        plan,
        roles,
        apply: () =>
          this.#busy(async () => {
            this.applied.push(host);
            context.phase(host, 'writing');
            await tick();
            return (await this.#script.apply?.(host, context)) ?? this.#proved(host, plan);
          }),
        discard: async () => {
          this.discarded.push(host);
          await this.#script.discard?.(host);
        },
      };
    });
  }

  #proved(host: string, plan: HostPlan): Proved {
    return {
      kind: 'proved',
      keep: () =>
        this.#busy(async () => {
          this.decided.push(`keep ${host}`);
          await tick();
          const outcome = await this.#script.keep?.(host);
          return outcome ?? { kind: 'changed', plan, generation: `before-${host}`, reloads: 0 };
        }),
      revert: (because) =>
        this.#busy(async () => {
          this.decided.push(`revert ${host}: ${because}`);
          await tick();
          const outcome = await this.#script.revert?.(host, because);
          return outcome ?? { kind: 'reverted', because, generation: `before-${host}` };
        }),
    };
  }

  async facts(job: HostJob, context: RunContext): Promise<HostOutcome> {
    return this.#busy(async () => {
      this.begun.push(job.host);
      context.phase(job.host, 'gathering facts');
      await tick();
      return (await this.#script.plan?.(job.host, context)) ?? { kind: 'history', generations: [], pending: [] };
    });
  }

  detect(job: HostJob, context: RunContext): Promise<HostOutcome> {
    return this.facts(job, context);
  }

  history(job: HostJob, context: RunContext): Promise<HostOutcome> {
    return this.facts(job, context);
  }

  status(job: HostJob, context: RunContext): Promise<HostOutcome> {
    return this.facts(job, context);
  }

  async confirm(job: HostJob, context: RunContext, verdict: 'keep' | 'revert', id?: string): Promise<HostOutcome> {
    await this.facts(job, context);
    this.decided.push(`confirm ${job.host}: ${verdict} ${id ?? 'whichever'}`);
    const none: HostOutcome = { kind: 'nothing-pending', last: null };
    return (await this.#script.confirm?.(job.host)) ?? none;
  }

  async planRollback(job: HostJob, context: RunContext, generation: string | null): Promise<PlannedHost> {
    this.planned.push(`${job.host} to ${generation}`);
    const planned = await this.plan(job, context);
    if (planned.kind === 'finished') return planned;
    const plan = rollbackPlanOf(job.host, generation ?? 'newest');
    const { apply } = planned;
    return {
      ...planned,
      plan,
      apply: async () => {
        const applied = await apply();
        if (applied.kind !== 'proved') return applied;
        const keep = async (): Promise<HostOutcome> => {
          const kept = await applied.keep();
          const { id } = plan.generation;
          const rolledBack = { kind: 'rolled-back', generation: id, hash: 'hash', changed: true } as const;
          return kept.kind === 'changed' ? { ...rolledBack, saved: kept.generation } : kept;
        };
        return { ...applied, keep };
      },
    };
  }

  async rollback(job: HostJob, context: RunContext, generation: string): Promise<HostOutcome> {
    await this.facts(job, context);
    this.decided.push(`rollback ${job.host} to ${generation}`);
    const outcome = (await this.#script.rollback?.(job.host, context)) ?? null;
    if (outcome !== null) return outcome;
    return { kind: 'rolled-back', generation, hash: 'hash', changed: true };
  }
}

/** Collects events; `of` picks one kind. */
export class EventLog {
  readonly events: FleetEvent[] = [];
  readonly emit = (event: FleetEvent): void => {
    this.events.push(event);
  };

  of<K extends FleetEvent['kind']>(kind: K): Extract<FleetEvent, { kind: K }>[] {
    return this.events.filter((event) => event.kind === kind) as Extract<FleetEvent, { kind: K }>[];
  }
}
