import { z } from 'zod';
import { eachOurKind, type ObjectKind, type OurFolder, type Settings } from '../firewalld/kinds/kinds.ts';
import { lossSchemas } from './loss-schemas.ts';
import { type HostPlan, PLAN_FORMAT, type PlannedState, type ReviewedPlan } from './plan.ts';
import { RUNTIME_OPERATIONS, type SettingsStep, STRAY_FIELDS } from './steps.ts';

const count = z.int().min(0);
const stringOrNull = z.string().nullable();
const object = z.enum(eachOurKind((kind): ObjectKind => kind.object));
const layers = z.strictObject({ permanent: z.boolean(), runtime: z.boolean() });
const strings = z.array(z.string());
const portNumber = z.int().min(0).max(65_535);
const port = z.strictObject({
  protocol: z.string(),
  range: z.strictObject({ first: portNumber, last: portNumber }),
});

const protocol = z.enum(['tcp', 'udp']);

const stray = z.enum(STRAY_FIELDS);

const reason = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('rule'),
    matrix: z.string(),
    rule: z.string(),
    purpose: z.string(),
    source: z.string(),
    feature: stringOrNull,
  }),
  z.strictObject({
    kind: z.literal('extra-rule'),
    name: z.string(),
    owner: z.string(),
    text: z.string(),
    expires: stringOrNull,
  }),
  z.strictObject({ kind: z.literal('private-mode'), mode: z.enum(['trusted', 'peers', 'matrix']) }),
  z.strictObject({ kind: z.literal('site-ssh') }),
  z.strictObject({ kind: z.literal('zone-target'), target: z.enum(['drop', 'reject']), classes: strings }),
  z.strictObject({ kind: z.literal('needed-icmp') }),
  z.strictObject({ kind: z.literal('cluster'), group: z.string() }),
  z.strictObject({ kind: z.literal('shared-address'), address: z.string() }),
  z.strictObject({
    kind: z.literal('role-cluster'),
    cluster: z.string(),
    description: z.string(),
    site: stringOrNull,
  }),
  z.strictObject({ kind: z.literal('interface-class'), classes: strings, given: z.string() }),
  z.strictObject({ kind: z.literal('peers'), set: z.string(), from: z.string() }),
  z.strictObject({ kind: z.literal('generation'), id: z.string(), savedAt: z.string() }),
  ...lossSchemas,
]);
const reasons = z.array(reason.meta({ id: 'reason', description: 'why something is in the configuration' }));

const move = z.strictObject({ uuid: z.string(), connection: z.string(), before: z.string(), after: z.string() });

const change = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('definition'),
    action: z.enum(['create', 'edit', 'delete']),
    object,
    name: z.string(),
    inUse: z.boolean(),
    fields: z.array(
      z.strictObject({
        field: z.string(),
        before: stringOrNull,
        after: stringOrNull,
        removed: strings.exactOptional(),
        added: strings.exactOptional(),
      }),
    ),
    reasons,
  }),
  z.strictObject({
    kind: z.literal('interface'),
    action: z.enum(['bind', 'release']),
    interface: z.string(),
    zone: z.string(),
    classes: strings,
    otherZone: z.string(),
    editsZone: stringOrNull,
    networkManager: move.exactOptional(),
    closes: strings,
    opens: strings,
    layers,
    reasons,
  }),
  z.strictObject({
    kind: z.literal('zone-service'),
    action: z.enum(['add', 'remove']),
    zone: z.string(),
    service: z.string(),
    ports: z.array(port),
    layers,
    reasons,
  }),
  z.strictObject({
    kind: z.literal('rich-rule'),
    action: z.enum(['add', 'remove']),
    zone: z.string(),
    rule: z.string(),
    layers,
    reasons,
  }),
  z.strictObject({
    kind: z.literal('stray'),
    action: z.literal('add').exactOptional(),
    zone: z.string(),
    field: stray,
    value: z.string(),
    layers,
  }),
  z.strictObject({
    kind: z.literal('ipset-entries'),
    ipset: z.string(),
    add: strings,
    remove: strings,
    layers,
    reasons,
  }),
  z.strictObject({ kind: z.literal('remember'), before: stringOrNull, after: z.string() }),
  z.strictObject({ kind: z.literal('ensure-firewalld'), action: z.enum(['start', 'install']) }),
]);

const head = { name: z.string(), short: z.string(), description: z.string() };

/** A schema for settings of a type. It does not compile when the schema lacks a key that the type has, optional or not. */
function schemaFor<S>() {
  return <Z extends z.ZodType<S>>(schema: keyof S extends keyof z.infer<Z> ? Z : never): z.ZodType<S> => schema;
}

/** The settings of each kind that portfw writes, as the JSON of a plan holds them. */
const SETTINGS_SCHEMAS: { readonly [F in OurFolder]: z.ZodType<Settings<F>> } = {
  /** Of ours: without the target ACCEPT, which forwards as well. */
  zones: schemaFor<Settings<'zones'>>()(
    z.strictObject({
      ...head,
      target: z.enum(['default', 'DROP', '%%REJECT%%']),
      interfaces: strings,
      sources: strings,
      services: strings,
      ports: z.array(port),
      protocols: strings,
      sourcePorts: z.array(port),
      icmpBlocks: strings,
      icmpBlockInversion: z.boolean(),
      masquerade: z.boolean(),
      forward: z.boolean(),
      forwardPorts: strings,
      richRules: strings,
      ingressPriority: z.int().exactOptional(),
    }),
  ),
  services: schemaFor<Settings<'services'>>()(
    z.strictObject({
      ...head,
      ports: z.array(port),
      protocols: strings,
      sourcePorts: z.array(port),
      helpers: strings,
      modules: strings,
      includes: strings,
      destination: z.strictObject({ ipv4: stringOrNull, ipv6: stringOrNull }),
    }),
  ),
  ipsets: schemaFor<Settings<'ipsets'>>()(
    z.strictObject({
      ...head,
      type: z.string(),
      family: z.enum(['ipv4', 'ipv6']),
      options: z.record(z.string(), z.string()),
      entries: strings,
    }),
  ),
};

const operation = z.enum(RUNTIME_OPERATIONS);

const serves = z.array(count).min(1);
/** One form for each kind; the objects' own schemas hold them to their types. */
const settings = z.union(
  eachOurKind(({ object: kind }, folder) =>
    z.strictObject({
      kind: z.literal('settings'),
      object: z.literal(kind),
      settings: SETTINGS_SCHEMAS[folder],
      serves,
    }),
  ),
) as unknown as z.ZodType<Mutable<SettingsStep & { serves: number[] }>>;
const step = z.union([
  z.strictObject({ kind: z.literal('file'), path: z.string(), text: z.string(), serves }),
  z.strictObject({ kind: z.literal('reload'), because: z.string(), serves }),
  z.strictObject({ kind: z.literal('call'), call: z.tuple([operation], z.string()), serves }),
  z.strictObject({ kind: z.literal('edit-zone'), zone: z.string(), interfaces: strings, serves }),
  settings,
  z.strictObject({ kind: z.literal('delete'), object, name: z.string(), serves }),
  z.strictObject({ kind: z.literal('connection'), uuid: z.string(), zone: z.string(), serves }),
  z.strictObject({ kind: z.literal('remember'), matrix: z.string(), roles: strings, serves }),
  z.strictObject({ kind: z.literal('start-firewalld'), install: z.boolean(), serves }),
]);

const disruption = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('none') }),
  z.strictObject({ kind: z.literal('firewalld-starts') }),
  z.strictObject({ kind: z.literal('reload'), because: z.string(), holdMs: count }),
  z.strictObject({
    kind: z.literal('interface-moves'),
    interfaces: strings,
    reload: z.boolean(),
    holdMs: count,
  }),
]);

const comers = z.strictObject({
  who: z.enum(['anybody', 'anybody-but', 'these', 'nobody']),
  sources: strings,
  more: count,
});
const socketImpact = z.strictObject({
  protocol,
  address: z.string(),
  ports: strings,
  processes: strings,
  interface: z.string(),
  destinations: strings,
  zoneBefore: z.string(),
  zoneAfter: z.string(),
  before: comers,
  after: comers,
});
const flowImpact = z.strictObject({
  protocol,
  opener: z.string(),
  address: z.string(),
  port: portNumber,
  count,
  lost: z.enum(['permission', 'forward-port', 'masquerade']),
});
const impact = z.strictObject({
  closed: z.array(socketImpact),
  opened: z.array(socketImpact),
  unheard: z.array(z.strictObject({ interface: z.string(), zone: z.string(), ports: strings })),
  flows: z.strictObject({
    source: z.enum(['conntrack', 'sockets']).nullable(),
    cut: z.array(flowImpact),
    outlive: z.array(flowImpact),
    unseen: count.nullable(),
  }),
});

const turn = z.enum(['same', 'opened', 'widened', 'narrowed', 'closed', 'changed']);
const family = z.enum(['ipv4', 'ipv6']);
const access = z.strictObject({
  sides: z.array(
    z.strictObject({
      interface: z.string(),
      classes: strings,
      zoneBefore: z.string(),
      zoneAfter: z.string(),
      whole: z.array(z.strictObject({ family, before: comers, after: comers, turn })),
      rows: z.array(
        z.strictObject({
          protocol,
          ports: z.string(),
          family,
          destinations: strings,
          before: comers,
          after: comers,
          turn,
          by: strings,
          why: z.array(count),
        }),
      ),
    }),
  ),
  ssh: z.array(portNumber),
  reasons,
});

const role = z.strictObject({
  role: z.string(),
  because: z.enum(['declared', 'detected', 'remembered', 'every-host']),
  confidence: z.number().min(0).max(1),
  evidence: z.array(
    z.strictObject({
      kind: z.enum(['socket', 'process', 'unit', 'package', 'file']),
      text: z.string(),
      weight: z.number(),
    }),
  ),
});

const result = z.strictObject(
  Object.fromEntries(eachOurKind((_, folder) => [folder, z.array(SETTINGS_SCHEMAS[folder])])),
) as unknown as z.ZodType<Mutable<PlannedState>>;

const raw = z
  .array(z.strictObject({ path: z.string(), before: stringOrNull, after: stringOrNull }))
  .exactOptional()
  .describe('with --raw: the files below /etc/firewalld that change');

const notes = z.array(z.strictObject({ severity: z.enum(['info', 'warning']), code: z.string(), text: z.string() }));

export const planSchema = z.strictObject({
  kind: z.literal('apply'),
  format: z.literal(PLAN_FORMAT),
  host: z.string(),
  matrix: z.string(),
  roles: z.array(role),
  observedHash: z.string(),
  changes: z.array(change),
  steps: z.array(step),
  result,
  disruption,
  impact,
  access,
  notes,
  nothingBecause: stringOrNull,
  raw,
});

/** The plan of a rollback. */
export const rollbackPlanSchema = z.strictObject({
  kind: z.literal('rollback'),
  format: z.literal(PLAN_FORMAT),
  host: z.string(),
  observedHash: z.string(),
  generation: z.strictObject({
    id: z.string(),
    savedAt: z.string(),
    savedBy: z.string(),
    before: z.string(),
    permanentHash: z.string(),
  }),
  changes: z.array(change),
  disruption,
  impact,
  access,
  notes,
  nothingBecause: stringOrNull,
  raw,
});

/** Any plan that people review. */
export const reviewedPlanSchema = z.discriminatedUnion('kind', [planSchema, rollbackPlanSchema]);

/** A plan that was read, or why the text holds none: each problem with its place in the document. */
export type PlanReading =
  | { readonly kind: 'plan'; readonly plan: ReviewedPlan }
  | { readonly kind: 'unreadable'; readonly problems: readonly string[] };

/** A type without `readonly`, as the schema has it. */
type Mutable<T> = T extends object ? { -readonly [K in keyof T]: Mutable<T[K]> } : T;

/** Does not compile when a plan may hold what the schema does not know. */
function documentOf(plan: Mutable<ReviewedPlan>): z.infer<typeof reviewedPlanSchema> {
  return plan;
}

/** The steps of a plan that name a change which is not there, by their positions. */
export function lostSteps({ changes, steps }: Pick<HostPlan, 'changes' | 'steps'>): readonly number[] {
  return [...steps.keys()].filter((index) => steps[index]!.serves.some((position) => position >= changes.length));
}

/** A plan as JSON, which {@link readPlan} reads back equal. */
export function writePlan(plan: ReviewedPlan): string {
  return `${JSON.stringify(documentOf(plan as Mutable<ReviewedPlan>))}\n`;
}

/**
 * Reads a plan of either kind from JSON. The text may come from anybody: every part is checked, a key that is not known is a problem, and so
 * is a step that names no change of the plan.
 */
export function readPlan(text: string): PlanReading {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { kind: 'unreadable', problems: [`it is not JSON: ${(error as Error).message}`] };
  }
  const format = typeof value === 'object' && value !== null && 'format' in value ? value.format : undefined;
  if (format !== PLAN_FORMAT)
    return {
      kind: 'unreadable',
      problems: [
        typeof format === 'number'
          ? `its format is ${format}, and this portfw reads format ${PLAN_FORMAT}: make the plan again`
          : 'it has no format: it is not a plan of portfw',
      ],
    };
  const read = reviewedPlanSchema.safeParse(value);
  if (!read.success)
    return {
      kind: 'unreadable',
      problems: read.error.issues.map(({ path, message }) => `${path.map(String).join('.')}: ${message}`),
    };
  const { data: plan } = read;
  const lost = plan.kind === 'rollback' ? [] : lostSteps(plan);
  const problems = lost.map((index) => `steps.${index}: it names a change that is not there`);
  return problems.length > 0 ? { kind: 'unreadable', problems } : { kind: 'plan', plan };
}
