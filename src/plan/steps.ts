import type { ObjectKind, ObjectNames, OurFolder, Settings } from '../firewalld/kinds/kinds.ts';

/** What zones of ours never hold: it is taken out where somebody has put it there by hand. */
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

/** The operations on a running daemon, by the names that the host's program knows (steps.py). */
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

/** The daemon takes an object's settings over into its memory and its file. */
export type SettingsStep = {
  [F in OurFolder]: { readonly kind: 'settings'; readonly object: ObjectNames[F]; readonly settings: Settings<F> };
}[OurFolder];

/**
 * One thing that is done on the host. Steps are carried out in the order in which the plan lists them; the host's program
 * takes them in three moves, each over a connection of its own: definitions, behaviour, permanence.
 *
 * Without a running firewalld there is one move: files, deletions, edits and connections, and then the start.
 */
export type Step = {
  /** The changes that the step is for, by their position in the plan's `changes`; never empty. */
  readonly serves: readonly number[];
} & (
  | {
      /** Definitions: a file of ours, whole. `path` is relative to /etc/firewalld. */
      readonly kind: 'file';
      readonly path: string;
      readonly text: string;
    }
  /** Definitions: firewalld reads its files again. Once a plan at most. */
  | { readonly kind: 'reload'; readonly because: string }
  /** Behaviour: a call on the running daemon. */
  | { readonly kind: 'call'; readonly call: RuntimeCall }
  /** Permanence: these interfaces leave a zone's file; every other byte of somebody else's file stays. */
  | { readonly kind: 'edit-zone'; readonly zone: string; readonly interfaces: readonly string[] }
  /** Permanence: see {@link SettingsStep}. */
  | SettingsStep
  /** Permanence: an object of ours goes. */
  | { readonly kind: 'delete'; readonly object: ObjectKind; readonly name: string }
  /** Permanence: the saved profile of NetworkManager's connection names this zone; empty for none. */
  | { readonly kind: 'connection'; readonly uuid: string; readonly zone: string }
  /** The host remembers which roles it was last set up for. */
  | { readonly kind: 'remember'; readonly matrix: string; readonly roles: readonly string[] }
  /** firewalld is started with what the steps before have written, and enabled once the run is kept. */
  | { readonly kind: 'start-firewalld'; readonly install: boolean }
);

/** The steps of one kind, in their order. */
export function stepsOfKind<K extends Step['kind']>(
  steps: readonly Step[],
  kind: K,
): readonly Extract<Step, { kind: K }>[] {
  return steps.filter((step): step is Extract<Step, { kind: K }> => step.kind === kind);
}

/** Why the steps reload firewalld, or `null` when they do not. */
export function reloadOf(steps: readonly Step[]): string | null {
  return stepsOfKind(steps, 'reload')[0]?.because ?? null;
}

/** Whether the steps start a firewalld that does not run. */
export function startsFirewalld(steps: readonly Step[]): boolean {
  return steps.some(({ kind }) => kind === 'start-firewalld');
}
