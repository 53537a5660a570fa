import type { RunningFirewalld } from '../facts/facts.ts';
import type { Filter, KernelFilter } from '../firewalld/filter/dispatch.ts';
import type { FilterFacts } from '../firewalld/filter/facts.ts';
import { observedPolicies, type PolicyConfig } from '../firewalld/kinds/policy.ts';
import { type FirewalldConfig, isOurs, type ZoneConfig } from '../firewalld/model.ts';
import type { ObservedFirewalld } from '../firewalld/observed.ts';
import { parseRichRule } from '../firewalld/rich-rule.ts';
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

/** Builds the filters that the proof evaluates. */
export function filtersOf(input: FiltersInput): Filters {
  const { firewalld, observed, outcome } = input;
  const { permanent, runtime } = observed;
  const conf = firewalld.files.find(({ path }) => path === 'firewalld.conf')?.text ?? '';
  const drifts = confValue(conf, 'AllowZoneDrifting')?.toLowerCase();
  const { files: held, version } = firewalld;
  const policies = observedPolicies({ files: held, version, runtime: { ...EMPTY_RUNTIME, ...firewalld.runtime } });
  const atRuntime = {
    // A policy comes into force when something is bound to its zones. It is not known whether the daemon has read its
    // file, so only what it refuses counts.
    policies: [
      ...policies.runtime.values(),
      ...[...policies.permanent.values()].filter(({ name }) => !policies.runtime.has(name)).map(refusing),
    ],
    defaultZone: firewalld.defaultZone,
    dispatch: dispatchOf(firewalld.version, firewalld.zoneDrifting),
  };
  const files = new Set(firewalld.files.map(({ path }) => path));
  const atBoot = {
    policies: [...policies.permanent.values()].map((policy) =>
      files.has(`policies/${policy.name}.xml`) ? policy : refusing(policy),
    ),
    defaultZone: confValue(conf, 'DefaultZone') ?? firewalld.defaultZone,
    dispatch: dispatchOf(
      firewalld.version,
      drifts === undefined ? firewalld.zoneDrifting : ['yes', 'true'].includes(drifts),
    ),
  };
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
  const keeps = keepsOnReload(firewalld.files);
  const { kernels } = input;
  const known = (kernel: KernelFilter | undefined) => (kernel === undefined ? {} : { kernel });
  const reloaded = { config: rebound(wanted, homes), ...atBoot, ...known(kernels?.running) };
  return {
    now: {
      before: { config: runtime, ...atRuntime, ...known(kernels?.now) },
      after: { config: withOurs(runtime, outcome.runtime, runtime), ...atRuntime, ...known(kernels?.running) },
    },
    boot: {
      before: { config: rebound(inFiles, managed), ...atBoot, ...known(kernels?.disk) },
      after: { config: rebound(wanted, managed), ...atBoot, ...known(kernels?.boot) },
    },
    reloaded: keeps || kernels?.reload !== undefined ? reloaded : null,
  };
}

const EMPTY_RUNTIME: RunningFirewalld['runtime'] = { zones: {}, services: {}, ipsets: {}, policies: {}, direct: [] };

/** Only the refusing part of a policy. */
function refusing(policy: PolicyConfig): PolicyConfig {
  return {
    ...policy,
    target: policy.target === 'ACCEPT' ? 'CONTINUE' : policy.target,
    services: [],
    ports: [],
    protocols: [],
    masquerade: false,
    richRules: policy.richRules.filter((text) => parseRichRule(text).action !== 'accept'),
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
    // portfw writes no priority, and keeps one that somebody set on its zone.
    const priority = layer.zones.get(zone.name)?.ingressPriority ?? runtime.zones.get(zone.name)?.ingressPriority;
    return priority === undefined ? zone : { ...zone, ingressPriority: priority };
  });
  const other = <T>(items: ReadonlyMap<string, T>) => [...items].filter(([name]) => !isOurs(name));
  const own = <T>(items: ReadonlyMap<string, T>) => [...items].filter(([name]) => isOurs(name));
  return {
    zones: new Map([...others, ...prioritised].map((zone) => [zone.name, zone])),
    services: new Map([...other(runtime.services), ...other(layer.services), ...own(outcome.services)]),
    ipsets: new Map([...other(layer.ipsets), ...own(outcome.ipsets)]),
  };
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
