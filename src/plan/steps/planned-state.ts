import type { DesiredFirewalld, Reasoned } from '../../policy/desired.ts';
import type { PlannedState } from '../plan.ts';

/** The desired configuration without its reasons, as a plan holds it. */
export function plannedState({ zones, services, ipsets }: DesiredFirewalld): PlannedState {
  const sorted = <T extends { readonly name: string }>(items: Iterable<T>) =>
    [...items].sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    zones: sorted([...zones.values()].map(({ config }) => config)),
    services: sorted([...services.values()].map(({ value }) => value)),
    ipsets: sorted([...ipsets.values()].map(({ value }) => value)),
  };
}

/** The configuration that a plan ends with, to be compared with a host. Reasons are not part of it. */
export function stateAsDesired({ zones, services, ipsets }: PlannedState): DesiredFirewalld {
  const bare = <T>(value: T): Reasoned<T> => ({ value, reasons: [] });
  return {
    zones: new Map(
      zones.map((config) => [
        config.name,
        {
          config,
          reasons: [],
          interfaces: config.interfaces.map(bare),
          services: config.services.map(bare),
          richRules: config.richRules.map(bare),
        },
      ]),
    ),
    services: new Map(services.map((value) => [value.name, bare(value)])),
    ipsets: new Map(ipsets.map((value) => [value.name, bare(value)])),
  };
}
