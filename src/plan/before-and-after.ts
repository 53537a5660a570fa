import { type Filter, filterOf, type KernelFilter, zoneNamed } from '../firewalld/filter/dispatch.ts';
import type { FilterFacts } from '../firewalld/filter/facts.ts';
import { IpsetRanges } from '../firewalld/filter/ipset-ranges.ts';
import { eachKind, emptyLayer, type FirewalldConfig } from '../firewalld/kinds/kinds.ts';
import type { PolicyConfig } from '../firewalld/kinds/policy.ts';
import { EMPTY_ZONE, type ZoneConfig } from '../firewalld/kinds/zone.ts';
import { isOurs } from '../firewalld/model.ts';
import type { ObservedFirewalld } from '../firewalld/observed.ts';
import { confValue, dispatchOf, keepsOnReload } from '../firewalld/stock.ts';
import { OF_ENGINES } from '../policy/interfaces.ts';
import type { Kernels } from './rehearsed-kernels.ts';
import type { StepOutcome } from './steps/step-outcome.ts';

export interface FiltersInput {
  readonly firewalld: FilterFacts;
  readonly observed: ObservedFirewalld;
  /** portfw's objects after the plan. */
  readonly outcome: StepOutcome;
  /** The kernel's own rules at each moment; `null` if the host did not rehearse the plan. */
  readonly kernels: Kernels | null;
}

/**
 * The host's filters, before and after the plan, at runtime and according to the files. With a rehearsal they are the
 * kernel's own rules; what the rehearsal lacks is computed from firewalld's configuration.
 */
export interface Filters {
  readonly now: { readonly before: Filter; readonly after: Filter };
  readonly boot: { readonly before: Filter; readonly after: Filter };
  /**
   * After the plan's reload and calls, if that differs from the state after a boot: it was rehearsed, or a reload keeps
   * interfaces in their zones (`FlushAllOnReload=no`). `null` otherwise.
   */
  readonly reloaded: Filter | null;
}

/** Builds the filters of one plan once; all evaluations use them. */
export function filtersOf(input: FiltersInput): Filters {
  const { firewalld, observed, outcome, kernels } = input;
  const { permanent, runtime } = observed;
  const { atRuntime, atBoot } = circumstances(firewalld, observed);
  const inFiles: FirewalldConfig = { ...permanent, services: new Map([...runtime.services, ...permanent.services]) };
  const homes = new Map(
    [...runtime.zones.values()].flatMap((zone) => zone.interfaces.map((name) => [name, zone.name])),
  );
  // Container engines bind their interfaces whenever firewalld starts, and at boot NetworkManager's zones win.
  const managed = new Map([
    ...[...homes].filter(([name]) => OF_ENGINES.test(name)),
    ...firewalld.networkManager.flatMap(({ zone, interfaces }) =>
      zone === '' ? [] : interfaces.map((name): [string, string] => [name, zone]),
    ),
  ]);
  const wanted = withOurs(inFiles, outcome.permanent, runtime);
  const sets = new IpsetRanges();
  const filter = (config: FirewalldConfig, around: Around, kernel: KernelFilter | undefined) =>
    filterOf({ config, ...around, ...(kernel === undefined ? {} : { kernel }) }, sets);
  return {
    now: {
      before: filter(runtime, atRuntime, kernels?.now),
      after: filter(withOurs(runtime, outcome.runtime, runtime), atRuntime, kernels?.running),
    },
    boot: {
      before: filter(rebound(inFiles, managed), atBoot, kernels?.disk),
      after: filter(rebound(wanted, managed), atBoot, kernels?.boot),
    },
    reloaded:
      keepsOnReload(firewalld.files) || kernels?.reload !== undefined
        ? filter(rebound(wanted, homes), atBoot, kernels?.running)
        : null,
  };
}

/** The same host while firewalld does not run: everything gets in. */
export function unfiltered(filter: Filter): Filter {
  const { config, defaultZone } = filter;
  const open = (zone: ZoneConfig): [string, ZoneConfig] => [
    zone.name,
    {
      ...EMPTY_ZONE,
      name: zone.name,
      short: zone.short,
      description: zone.description,
      interfaces: zone.interfaces,
      target: 'ACCEPT',
    },
  ];
  const zones = [...config.zones.values(), ...(config.zones.has(defaultZone) ? [] : [zoneNamed(defaultZone, config)])];
  return filterOf({ ...filter, config: { ...config, zones: new Map(zones.map(open)) }, policies: [] }, filter.sets);
}

type Around = Pick<Filter, 'policies' | 'defaultZone' | 'dispatch'>;

/** What else decides besides zones and their definitions, now and after a boot. */
function circumstances(
  { files, version, defaultZone, zoneDrifting }: FilterFacts,
  { permanent, runtime }: ObservedFirewalld,
): { readonly atRuntime: Around; readonly atBoot: Around } {
  const conf = files.find(({ path }) => path === 'firewalld.conf')?.text ?? '';
  const drifts = confValue(conf, 'AllowZoneDrifting')?.toLowerCase();
  // Built-in policies have no file: they are known only from the runtime.
  const builtIn = [...runtime.policies.values()].filter(({ name }) => !permanent.policies.has(name));
  const waiting = [...permanent.policies.values()].filter(({ name }) => !runtime.policies.has(name));
  return {
    atRuntime: {
      // A policy that is not in force yet comes into force when something is bound to its zones; whether the daemon has
      // read its file is not known, so only what it refuses counts.
      policies: [...runtime.policies.values(), ...waiting.map(refusing)],
      defaultZone,
      dispatch: dispatchOf(version, zoneDrifting),
    },
    atBoot: {
      policies: [...permanent.policies.values(), ...builtIn.map(refusing)],
      defaultZone: confValue(conf, 'DefaultZone') ?? defaultZone,
      dispatch: dispatchOf(version, drifts === undefined ? zoneDrifting : ['yes', 'true'].includes(drifts)),
    },
  };
}

/** Only the refusing part of a policy. */
function refusing(policy: PolicyConfig): PolicyConfig {
  return {
    ...policy,
    target: policy.target === 'ACCEPT' ? 'CONTINUE' : policy.target,
    services: [],
    ports: [],
    protocols: [],
    masquerade: false,
    richRules: policy.richRules.filter(({ action }) => action !== 'accept'),
  };
}

/** One layer of the host, with portfw's part as the steps leave it. Built-in definitions are known only from the runtime. */
function withOurs(layer: FirewalldConfig, outcome: FirewalldConfig, runtime: FirewalldConfig): FirewalldConfig {
  const ours = [...outcome.zones.values()].filter(({ name }) => isOurs(name));
  const homes = new Set(ours.flatMap((zone) => zone.interfaces));
  const others = [...layer.zones.values()]
    .filter((zone) => !isOurs(zone.name))
    .map((zone) => ({ ...zone, interfaces: zone.interfaces.filter((name) => !homes.has(name)) }));
  const prioritised = ours.map((zone): ZoneConfig => {
    // portfw writes no priority, and keeps one that was set by hand on its zone.
    const priority = layer.zones.get(zone.name)?.ingressPriority ?? runtime.zones.get(zone.name)?.ingressPriority;
    return priority === undefined ? zone : { ...zone, ingressPriority: priority };
  });
  const merged = emptyLayer();
  eachKind((_, folder) => {
    const add = (from: FirewalldConfig, ours: boolean) => {
      for (const [name, item] of from[folder]) if (isOurs(name) === ours) merged[folder].set(name, item);
    };
    if (folder === 'services') add(runtime, false);
    add(layer, false);
    add(outcome, true);
  });
  return { ...merged, zones: new Map([...others, ...prioritised].map((zone) => [zone.name, zone])) };
}

/** A configuration with interfaces bound as others bind them, except those in portfw zones. */
function rebound(config: FirewalldConfig, homes: ReadonlyMap<string, string>): FirewalldConfig {
  const ours = new Set(
    [...config.zones.values()].filter(({ name }) => isOurs(name)).flatMap((zone) => zone.interfaces),
  );
  const moved = [...homes].filter(([name, zone]) => !ours.has(name) && config.zones.has(zone));
  if (moved.length === 0) return config;
  const names = new Set(moved.map(([name]) => name));
  const zones = [...config.zones.values()].map((zone): [string, ZoneConfig] => [
    zone.name,
    {
      ...zone,
      interfaces: [
        ...zone.interfaces.filter((name) => !names.has(name)),
        ...moved.filter(([, home]) => home === zone.name).map(([name]) => name),
      ].sort(),
    },
  ]);
  return { ...config, zones: new Map(zones) };
}
