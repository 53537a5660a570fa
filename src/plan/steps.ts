import type { ObjectKind, ObjectNames, OurFolder, Settings } from '../firewalld/kinds/kinds.ts';

/** Fields that portfw zones never have; where somebody set one by hand, it is removed. */
export const STRAY_FIELDS = [
  'port',
  'source-port',
  'protocol',
  'source',
  'masquerade',
  'icmp-block',
  'icmp-block-inversion',
  'forward-port',
] as const;

export type StrayField = (typeof STRAY_FIELDS)[number];

/** The operations on a running daemon, by their names in the host's program (steps.py). */
export const RUNTIME_OPERATIONS = [
  'move-connection',
  'bind-interface',
  'release-interface',
  'add-service',
  'remove-service',
  'add-rich-rule',
  'remove-rich-rule',
  ...STRAY_FIELDS.map((field) => `remove-${field}` as const),
  'add-entry',
  'remove-entry',
] as const;

export type RuntimeOperation = (typeof RUNTIME_OPERATIONS)[number];

/** One call on the running daemon: the operation and its arguments; the first is the zone, ipset or connection. */
export type RuntimeCall = readonly [operation: RuntimeOperation, ...args: string[]];

/** The daemon stores an object's settings in its memory and its file. */
export type SettingsStep = {
  [F in OurFolder]: { readonly kind: 'settings'; readonly object: ObjectNames[F]; readonly settings: Settings<F> };
}[OurFolder];

/**
 * One action on the host. Steps are carried out in the order of the plan; the host's program groups them in three moves:
 * definitions, behaviour, permanence.
 *
 * Without a running firewalld there is one move: files, deletions, edits, connections, then the start.
 */
export type Step = {
  /** The changes of the step, as indexes into the plan's `changes`; never empty. */
  readonly serves: readonly number[];
} & (
  | {
      /** Definitions: a portfw file, whole. `path` is relative to /etc/firewalld. */
      readonly kind: 'file';
      readonly path: string;
      readonly text: string;
    }
  /** Definitions: firewalld reads its files again. At most once in a plan. */
  | { readonly kind: 'reload'; readonly because: string }
  /** Behaviour: a call on the running daemon. */
  | { readonly kind: 'call'; readonly call: RuntimeCall }
  /** Permanence: these interfaces are removed from a zone's file; every other byte of a foreign file stays. */
  | { readonly kind: 'edit-zone'; readonly zone: string; readonly interfaces: readonly string[] }
  /** Permanence: see {@link SettingsStep}. */
  | SettingsStep
  /** Permanence: a portfw object is deleted. */
  | { readonly kind: 'delete'; readonly object: ObjectKind; readonly name: string }
  /** Permanence: the saved profile of a NetworkManager connection gets this zone; empty for none. */
  | { readonly kind: 'connection'; readonly uuid: string; readonly zone: string }
  /** The host remembers the roles that were applied. */
  | { readonly kind: 'remember'; readonly matrix: string; readonly roles: readonly string[] }
  /** firewalld is started with the files from the steps before, and enabled once the run is kept. */
  | { readonly kind: 'start-firewalld'; readonly install: boolean }
);

/** The steps of one kind, in their order. */
export function stepsOfKind<K extends Step['kind']>(
  steps: readonly Step[],
  kind: K,
): readonly Extract<Step, { kind: K }>[] {
  return steps.filter((step): step is Extract<Step, { kind: K }> => step.kind === kind);
}

/** Why the steps reload firewalld; `null` if they do not. */
export function reloadOf(steps: readonly Step[]): string | null {
  return stepsOfKind(steps, 'reload')[0]?.because ?? null;
}

/** Whether the steps start a firewalld that does not run. */
export function startsFirewalld(steps: readonly Step[]): boolean {
  return steps.some(({ kind }) => kind === 'start-firewalld');
}
