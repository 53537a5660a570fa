import type { IpsetConfig } from '../firewalld/kinds/ipset.ts';
import type { ServiceConfig } from '../firewalld/kinds/service.ts';
import { EMPTY_ZONE, type OurZoneConfig } from '../firewalld/kinds/zone.ts';
import type { PortProtocol } from '../firewalld/model.ts';
import { normalisePorts, normaliseStrings } from '../firewalld/normalise.ts';
import type { RichRule } from '../firewalld/rich-rule.ts';
import type { ClusterBond } from '../settings/clusters.ts';
import type { InterfaceClass, PrivateMode, ZoneTarget } from '../settings/settings-types.ts';
import { type DesiredZone, type Reason, type Reasoned, sameReason } from './desired.ts';
import type { Opening } from './openings.ts';

/** Adds a reason, unless it is there already. */
export function addReason(held: Reason[], reason: Reason): void {
  if (!held.some((other) => sameReason(other, reason))) held.push(reason);
}

/** Collects values with their reasons; the same value for several reasons is one value. */
export class ReasonedSet<T> {
  readonly #items = new Map<string, { value: T; reasons: Reason[] }>();

  add(key: string, value: T, reasons: readonly Reason[]): void {
    const item = this.#items.get(key) ?? { value, reasons: [] };
    for (const reason of reasons) addReason(item.reasons, reason);
    this.#items.set(key, item);
  }

  entries(): [string, Reasoned<T>][] {
    return [...this.#items].sort(([a], [b]) => (a < b ? -1 : 1));
  }
}

/** A portfw zone while openings are put into it. */
export interface ZoneDraft {
  readonly classes: ReadonlySet<InterfaceClass>;
  readonly interfaces: ReasonedSet<string>;
  readonly services: ReasonedSet<string>;
  /** By their text. */
  readonly richRules: ReasonedSet<RichRule>;
  trusted: boolean;
  /** What becomes of that which nothing in the zone accepts; the strictest that its classes ask for. */
  readonly target: ZoneTarget;
  /** The classes that ask for it. */
  readonly targetOf: readonly InterfaceClass[];
}

/** From the mildest to the strictest: `default` answers pings, `reject` says no, `drop` says nothing. */
const STRICTNESS: readonly ZoneTarget[] = ['default', 'reject', 'drop'];

/** The target of a zone of several classes: the strictest of theirs, so that no class opens what another one forbids. */
export function strictestTarget(
  classes: ReadonlySet<InterfaceClass>,
  targets: Readonly<Partial<Record<InterfaceClass, ZoneTarget>>>,
): Pick<ZoneDraft, 'target' | 'targetOf'> {
  const of = (name: InterfaceClass) => targets[name] ?? 'default';
  const target = STRICTNESS.findLast((item) => [...classes].some((name) => of(name) === item)) ?? 'default';
  return { target, targetOf: [...classes].filter((name) => of(name) === target).sort() };
}

const TARGETS: Readonly<Record<ZoneTarget, OurZoneConfig['target']>> = {
  default: 'default',
  drop: 'DROP',
  reject: '%%REJECT%%',
};

/** A portfw service while ports are put into it. */
export interface ServiceDraft {
  readonly role: Opening['owner'];
  readonly where: string;
  readonly ports: Reasoned<PortProtocol>[];
  readonly helpers: string[];
  readonly reasons: Reason[];
}

/** firewalld ignores an entry for all addresses silently. It takes the two halves. */
export function loadable(entry: string): string[] {
  if (entry === '0.0.0.0/0') return ['0.0.0.0/1', '128.0.0.0/1'];
  return entry === '::/0' ? ['::/1', '8000::/1'] : [entry];
}

/** The services that a zone opens, to everybody or by a rule. */
export function usedServices(zone: ZoneDraft): string[] {
  const inRules = zone.richRules.entries().map(([, { value }]) => value.service);
  return [...zone.services.entries().map(([name]) => name), ...inRules.filter((name) => name !== null)];
}

/** The service as firewalld is to have it; texts are trimmed, since firewalld's files do not keep what surrounds them. */
export function serviceConfig(name: string, item: ServiceDraft): ServiceConfig {
  const owner = item.role;
  return {
    name,
    short: owner.kind === 'role' ? `${owner.title.trim()} (${item.where})` : `extra rule ${owner.name}`,
    description:
      owner.kind === 'role'
        ? `Role ${owner.name} on the ${item.where} side, as the port matrix has it. Managed by portfw.`
        : `${owner.title.trim()}. Managed by portfw.`,
    ports: normalisePorts(item.ports.map(({ value }) => value)),
    protocols: [],
    sourcePorts: [],
    helpers: normaliseStrings(item.helpers),
    modules: [],
    includes: [],
    destination: { ipv4: null, ipv6: null },
  };
}

/** The ipset as firewalld is to have it. */
export function ipsetConfig(name: string, family: 'ipv4' | 'ipv6', entries: readonly string[]): IpsetConfig {
  return {
    name,
    short: name,
    description: 'Addresses from the inventory. Managed by portfw.',
    type: 'hash:net',
    family,
    options: family === 'ipv6' ? { family: 'inet6' } : {},
    entries: normaliseStrings(entries),
  };
}

/** The zone as firewalld is to have it, and why. */
export function zoneConfig(name: string, zone: ZoneDraft, mode: PrivateMode): DesiredZone {
  const interfaces = zone.interfaces.entries().map(([, item]) => item);
  const services = zone.services.entries().map(([, item]) => item);
  const richRules = zone.richRules.entries().map(([, item]) => item);
  const classes = [...zone.classes].sort();
  const config: OurZoneConfig = {
    name,
    short: `portfw ${classes.join(', ')}`,
    description: zone.trusted
      ? 'The private side, trusted as a whole. Managed by portfw: changes by hand are taken back.'
      : `What the port matrix opens on the ${classes.join(' and ')} side. Managed by portfw: changes by hand are taken back.`,
    ...EMPTY_ZONE,
    target: TARGETS[zone.target],
    interfaces: interfaces.map((item) => item.value),
    services: services.map((item) => item.value),
    richRules: richRules.map((item) => item.value),
  };
  const reasons: Reason[] = zone.trusted ? [{ kind: 'private-mode', mode }] : [];
  if (zone.target !== 'default') reasons.push({ kind: 'zone-target', target: zone.target, classes: zone.targetOf });
  return { config, reasons, interfaces, services, richRules };
}

/** Why the members of a cluster are not filtered from each other. */
export function clusterReason(bond: ClusterBond): Reason {
  switch (bond.kind) {
    case 'group':
      return { kind: 'cluster', group: bond.group };
    case 'address':
      return { kind: 'shared-address', address: bond.address };
    case 'roles':
      return { kind: 'role-cluster', cluster: bond.cluster, description: bond.description, site: bond.site };
  }
}
