import { aggregate, normaliseAddress, parseAddress } from '../core/addresses.ts';
import type { CodedFault } from '../core/failure.ts';
import type { IpsetConfig } from '../firewalld/kinds/ipset.ts';
import { eachOurKind } from '../firewalld/kinds/kinds.ts';
import { ACCEPT_ALL, acceptRule, NEEDED_ICMP, type RichRule } from '../firewalld/rich-rule.ts';
import { clusterText } from '../settings/clusters.ts';
import type { InterfaceClass } from '../settings/settings-types.ts';
import type { DesiredFirewalld, DesiredService, DesiredZone, PolicyNote, Reason, Reasoned } from './desired.ts';
import {
  addReason,
  clusterReason,
  ipsetConfig,
  loadable,
  ReasonedSet,
  type ServiceDraft,
  serviceConfig,
  strictestTarget,
  usedServices,
  type ZoneDraft,
  zoneConfig,
} from './drafts.ts';
import { describe, type InterfaceMap, interfacesOf, mapInterfaces } from './interfaces.ts';
import type { Opened } from './loss-ground.ts';
import { Losses } from './losses.ts';
import { extraServiceName, ipsetName, serviceName, UniqueNames, zoneName } from './names.ts';
import { openToAll } from './open-to-all.ts';
import { type Opening, openingsOf } from './openings.ts';
import type { PolicyInput } from './policy-input.ts';
import { mixedUpSides } from './sides.ts';
import type { SourceSet } from './sources.ts';
import { rpfilterNotes } from './virtual-addresses.ts';

/** The desired configuration, or why there is none. */
export type PolicyOutcome =
  | {
      readonly kind: 'desired';
      readonly desired: DesiredFirewalld;
      readonly notes: readonly PolicyNote[];
      /** Why what is not in `desired` is not there. */
      readonly losses: Losses;
    }
  | { readonly kind: 'refused'; readonly refusals: readonly CodedFault[]; readonly notes: readonly PolicyNote[] };

/**
 * Works out what a host's firewalld should hold for portfw. Pure: the same input gives the same output.
 *
 * @returns the desired configuration, or every reason why there is none
 */
export function buildDesired(input: PolicyInput): PolicyOutcome {
  const map = mapInterfaces(input.settings, input.facts.interfaces, input.bound);
  const checked = input.settings.sidesChecked;
  const sides = mixedUpSides({ map, facts: input.facts, mode: input.privateMode, checked });
  // Whether public and private are mixed up comes first: it may be the cause of all other refusals.
  const refusals: CodedFault[] = [...sides.refusals, ...map.refusals];
  const resolved = openingsOf(input);
  const conf = input.firewalld.files.find(({ path }) => path === 'firewalld.conf')?.text ?? '';
  const said: PolicyNote[] = [
    ...sides.notes,
    ...map.notes,
    ...rpfilterNotes(input.settings.vips, input.facts.interfaces, conf),
    ...resolved.notes,
    ...openToAll(resolved.openings, map),
  ];

  const draft = new Draft(input, map, said, refusals);
  draft.placePrivate();
  draft.placeIcmp();
  for (const opening of resolved.openings) draft.open(opening);
  draft.placeCluster();
  const desired = draft.finish();
  // A rule of several ports has the same to say for each.
  const notes = [...new Map(said.map((note) => [note.text, note])).values()];
  eachOurKind(({ lacks }, folder) => {
    const lack = desired[folder].size === 0 ? null : (lacks?.(input.firewalld) ?? null);
    if (lack !== null) refusals.push(lack);
  });
  if (map.interfaces.size === 0 && refusals.length === 0) {
    refusals.push({
      code: 'no-interface',
      what: 'no interface of the host is mapped to an interface class',
      solve: `write portfw_interfaces: { public: [INTERFACE], private: [INTERFACE] }; the host has ${describe(input.facts.interfaces.filter((item) => !item.loopback))}`,
    });
  }
  if (refusals.length > 0) return { kind: 'refused', refusals, notes };
  const losses = new Losses({ input, map, desired, unopened: resolved.unopened, opened: draft.opened });
  return { kind: 'desired', desired, notes, losses };
}

class Draft {
  readonly #input: PolicyInput;
  readonly #map: InterfaceMap;
  readonly #notes: PolicyNote[];
  readonly #refusals: CodedFault[];
  readonly #zones = new Map<string, ZoneDraft>();
  readonly #zoneOf = new Map<string, ZoneDraft>();
  readonly #services = new Map<string, ServiceDraft>();
  readonly #ipsets = new Map<string, { family: 'ipv4' | 'ipv6'; entries: readonly string[]; reasons: Reason[] }>();
  readonly #missing = new Map<string, string[]>();
  readonly #serviceNames = new UniqueNames();
  readonly #ipsetStems = new UniqueNames();
  readonly #ipsetNames = new UniqueNames();
  /** What is to be open, and as which service. */
  readonly opened: Opened[] = [];

  constructor(input: PolicyInput, map: InterfaceMap, notes: PolicyNote[], refusals: CodedFault[]) {
    this.#input = input;
    this.#map = map;
    this.#notes = notes;
    this.#refusals = refusals;
    for (const [name, { classes, given }] of map.interfaces) {
      const zone = this.#zone(classes);
      zone.interfaces.add(name, name, [{ kind: 'interface-class', classes: [...classes].sort(), given }]);
      this.#zoneOf.set(name, zone);
    }
  }

  #zone(classes: ReadonlySet<InterfaceClass>): ZoneDraft {
    const name = zoneName(classes);
    const held = this.#zones.get(name);
    if (held !== undefined) return held;
    const zone: ZoneDraft = {
      classes,
      ...strictestTarget(classes, this.#input.settings.zoneTargets),
      interfaces: new ReasonedSet<string>(),
      services: new ReasonedSet<string>(),
      richRules: new ReasonedSet<RichRule>(),
      trusted: false,
    };
    this.#zones.set(name, zone);
    return zone;
  }

  /** The private side as a whole: trusted, open to the site's servers, or nothing beyond the matrix. */
  placePrivate(): void {
    const mode = this.#input.privateMode;
    for (const zone of this.#zones.values()) {
      if (!zone.classes.has('private')) continue;
      if (mode === 'trusted') {
        if (zone.classes.size === 1) {
          zone.trusted = true;
          zone.richRules.add(ACCEPT_ALL.text, ACCEPT_ALL, [{ kind: 'private-mode', mode }]);
        } else {
          this.#refusals.push({
            code: 'trusted-and-shared',
            what: `the private interface ${zone.interfaces
              .entries()
              .map(([name]) => name)
              .join(
                ', ',
              )} is also ${[...zone.classes].filter((name) => name !== 'private').join(' and ')}, and trusting it would open everything`,
            solve: 'write portfw_private: peers (or matrix) for this host, or map the classes to different interfaces',
          });
        }
        continue;
      }
      const site = this.#input.peers.site();
      if (site.addresses.length === 0) {
        this.#notes.push({
          severity: 'info',
          code: 'no-peers',
          text: "no address of the site's other servers is known: the private side opens only what the matrix says",
        });
        continue;
      }
      const reason: Reason = { kind: 'private-mode', mode };
      const members: Reason = { kind: 'peers', set: 'site', from: site.from };
      for (const [family, ipset] of this.#ipsetsFor({ stem: 'site', identity: 'site', addresses: site.addresses }, [
        members,
      ])) {
        const port = mode === 'peers' ? null : { port: '22', protocol: 'tcp' };
        const rule = acceptRule({ family, sourceIpset: ipset, destination: null, service: null, port });
        zone.richRules.add(rule.text, rule, [mode === 'peers' ? reason : { kind: 'site-ssh' }, members]);
      }
    }
  }

  /** Where the target refuses ICMP too, the ICMP that every host needs stays open. A trusted zone lets it in anyway. */
  placeIcmp(): void {
    for (const zone of this.#zones.values()) {
      if (zone.trusted || zone.target === 'default') continue;
      for (const rule of NEEDED_ICMP) zone.richRules.add(rule.text, rule, [{ kind: 'needed-icmp' }]);
    }
  }

  /** There is no firewall between the nodes of a cluster, on whichever interface they meet. */
  placeCluster(): void {
    const { matrix, roles, features, peers } = this.#input;
    const addresses: string[] = [];
    const reasons: Reason[] = [];
    for (const cluster of peers.clusters({ roles, features, clusters: matrix.clusters.values() })) {
      if (cluster.addresses.length === 0) {
        this.#notes.push({
          severity: 'warning',
          code: 'no-peers',
          text: `no address of the other members of ${clusterText(cluster.bond)} is known`,
        });
        continue;
      }
      addresses.push(...cluster.addresses);
      reasons.push(clusterReason(cluster.bond));
    }
    const filtered = [...this.#zones.values()].filter((zone) => !zone.trusted);
    if (addresses.length === 0 || filtered.length === 0) return;
    const members = { stem: 'cluster', identity: 'cluster', addresses };
    for (const [family, ipset] of this.#ipsetsFor(members, reasons)) {
      const rule = acceptRule({ family, sourceIpset: ipset, destination: null, service: null, port: null });
      for (const zone of filtered) zone.richRules.add(rule.text, rule, reasons);
    }
  }

  open(opening: Opening): void {
    if (opening.interface === 'vip') {
      this.#openVirtual(opening);
      return;
    }
    const zones = new Set(interfacesOf(this.#map, opening.interface).map((name) => this.#zoneOf.get(name)!));
    if (zones.size === 0) {
      this.opened.push({ opening, service: null });
      this.#unmapped(opening);
      return;
    }
    const service = this.#service(opening);
    for (const zone of zones) {
      if (opening.sources.kind === 'any') zone.services.add(service, service, [opening.reason]);
      else {
        if (zone.trusted) this.#notNarrowed(opening);
        this.#richRules(zone, opening, opening.sources, service, null);
      }
    }
  }

  /** Warns that a rule is narrowed in vain: a trusted zone lets everybody in. */
  #notNarrowed(opening: Opening): void {
    const rule = opening.reason.kind === 'rule' ? opening.reason.rule : `extra rule ${opening.owner.name}`;
    this.#notes.push({
      severity: 'warning',
      code: 'not-narrowed',
      text: `${rule} limits who may connect, but the private side is trusted as a whole, so anybody there may connect; write portfw_private: peers (or matrix) to make the limit effective`,
    });
  }

  /** A virtual address floats: its rules match the destination, and are on every node that may hold it. */
  #openVirtual(opening: Opening): void {
    if (this.#input.settings.vips.length === 0) {
      this.#unmapped(opening);
      return;
    }
    const service = this.#service(opening);
    for (const vip of this.#input.settings.vips) {
      const address = normaliseAddress(vip) ?? vip;
      const family = parseAddress(vip)?.family ?? 'ipv4';
      const names = this.#map.vips.get(vip) ?? [];
      if (names.length === 0) this.#unmapped(opening);
      for (const zone of new Set(names.map((name) => this.#zoneOf.get(name)!))) {
        if (opening.sources.kind === 'any') {
          const rule = acceptRule({ family, sourceIpset: null, destination: address, service, port: null });
          zone.richRules.add(rule.text, rule, [opening.reason]);
        } else this.#richRules(zone, opening, opening.sources, service, { family, address });
      }
    }
  }

  #richRules(
    zone: ZoneDraft,
    opening: Opening,
    sources: Extract<SourceSet, { kind: 'set' }>,
    service: string,
    destination: { readonly family: 'ipv4' | 'ipv6'; readonly address: string } | null,
  ): void {
    for (const [family, ipset] of this.#ipsetsFor(sources, [sources.reason], destination?.family ?? null)) {
      const rule = acceptRule({
        family,
        sourceIpset: ipset,
        destination: destination?.address ?? null,
        service,
        port: null,
      });
      zone.richRules.add(rule.text, rule, [opening.reason, sources.reason]);
    }
  }

  /** One ipset for each family that has addresses, or for one family only. */
  #ipsetsFor(
    sources: Pick<Extract<SourceSet, { kind: 'set' }>, 'stem' | 'identity' | 'addresses'>,
    reasons: readonly Reason[],
    only: 'ipv4' | 'ipv6' | null = null,
  ): ['ipv4' | 'ipv6', string][] {
    const byFamily = aggregate(sources.addresses);
    const stem = this.#ipsetStems.take(sources.stem, sources.identity);
    const found: ['ipv4' | 'ipv6', string][] = [];
    for (const family of ['ipv4', 'ipv6'] as const) {
      if (byFamily[family].length === 0 || (only !== null && only !== family)) continue;
      // The IPv6 set of "x" and the IPv4 set of "x-6" have the same name to begin with.
      const name = this.#ipsetNames.take(ipsetName(stem, family), `${family} ${sources.identity}`);
      const held = this.#ipsets.get(name) ?? { family, entries: byFamily[family].flatMap(loadable), reasons: [] };
      for (const reason of reasons) addReason(held.reasons, reason);
      this.#ipsets.set(name, held);
      found.push([family, name]);
    }
    return found;
  }

  #service(opening: Opening): string {
    const suffix = opening.sources.kind === 'any' ? null : opening.sources.label;
    const { owner } = opening;
    const wanted =
      owner.kind === 'role' ? serviceName(owner.name, opening.interface, suffix) : extraServiceName(owner.name);
    const sources = opening.sources.kind === 'any' ? null : opening.sources.identity;
    const name = this.#serviceNames.take(wanted, JSON.stringify([owner.kind, owner.name, opening.interface, sources]));
    const service = this.#services.get(name) ?? {
      role: owner,
      where: opening.interface,
      ports: [],
      helpers: [],
      reasons: [],
    };
    service.ports.push({ value: { protocol: opening.protocol, range: opening.range }, reasons: [opening.reason] });
    if (opening.helper !== null) {
      if (this.#input.firewalld.helpers.includes(opening.helper)) service.helpers.push(opening.helper);
      else {
        this.#notes.push({
          severity: 'warning',
          code: 'helper-missing',
          text: `the kernel has no conntrack helper ${opening.helper}: data connections that ${name} negotiates will not pass`,
        });
      }
    }
    addReason(service.reasons, opening.reason);
    this.#services.set(name, service);
    this.opened.push({ opening, service: name });
    return name;
  }

  #unmapped(opening: Opening): void {
    const rule = opening.reason.kind === 'rule' ? opening.reason.rule : opening.owner.name;
    const role = opening.owner.kind === 'role' ? this.#input.matrix.roles.get(opening.owner.name) : undefined;
    if (role?.everyHost === true && this.#map.interfaces.size > 0) {
      this.#notes.push({
        severity: 'info',
        code: 'no-such-side',
        text: `${rule} is not applied: the host has no ${opening.interface} interface`,
      });
      return;
    }
    this.#missing.set(opening.interface, [...(this.#missing.get(opening.interface) ?? []), rule]);
  }

  finish(): DesiredFirewalld {
    for (const [interfaceClass, rules] of this.#missing) {
      const some = [...new Set(rules)];
      const shown = some.length > 3 ? `${some.slice(0, 3).join(', ')} and ${some.length - 3} more` : some.join(', ');
      this.#refusals.push(
        interfaceClass === 'vip'
          ? {
              code: 'no-vip',
              what: `${shown} ${some.length === 1 ? 'needs' : 'need'} a virtual address, and ${this.#input.settings.vips.length === 0 ? 'the inventory names none for this host' : 'no mapped interface is on its network'}`,
              solve:
                'list the addresses that may float to it (portfw_vips: [ADDRESS]); if no mapped interface is on their network, map one too (portfw_interfaces: { vip: INTERFACE })',
            }
          : {
              code: 'class-not-mapped',
              what: `${shown} ${some.length === 1 ? 'needs' : 'need'} a ${interfaceClass} interface, and none is mapped`,
              solve: `add ${interfaceClass}: [INTERFACE] to portfw_interfaces; the host has ${describe(this.#input.facts.interfaces.filter((item) => !item.loopback))}`,
            },
      );
    }
    const used = new Set([...this.#zones.values()].flatMap(usedServices));
    const services = new Map<string, DesiredService>();
    for (const [name, item] of [...this.#services].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (!used.has(name)) {
        this.#notes.push({
          severity: 'warning',
          code: 'no-peers',
          text: `${name} opens nothing: none of those who may connect has an address of the virtual address's family`,
        });
        continue;
      }
      services.set(name, { value: serviceConfig(name, item), reasons: item.reasons, ports: item.ports });
    }
    const ipsets = new Map<string, Reasoned<IpsetConfig>>();
    for (const [name, item] of [...this.#ipsets].sort(([a], [b]) => (a < b ? -1 : 1))) {
      ipsets.set(name, { value: ipsetConfig(name, item.family, item.entries), reasons: item.reasons });
    }
    const zones = new Map<string, DesiredZone>();
    for (const [name, zone] of [...this.#zones].sort(([a], [b]) => (a < b ? -1 : 1))) {
      zones.set(name, zoneConfig(name, zone, this.#input.privateMode));
    }
    return { zones, services, ipsets };
  }
}
