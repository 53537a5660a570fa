import { contains, parseNetwork } from '../../../../src/core/addresses.ts';
import { formatPortRange, parsePortRange } from '../../../../src/core/ports.ts';
import type { RunningFirewalld } from '../../../../src/facts/facts.ts';
import { isBan } from '../../../../src/firewalld/bans.ts';
import { type IpsetConfig, readIpsetXml, writeIpsetXml } from '../../../../src/firewalld/kinds/ipset.ts';
import { emptyLayer, type Layer } from '../../../../src/firewalld/kinds/kinds.ts';
import { readServiceXml, type ServiceConfig, writeServiceXml } from '../../../../src/firewalld/kinds/service.ts';
import { readZoneXml, writeZoneXml, ZONE, type ZoneConfig } from '../../../../src/firewalld/kinds/zone.ts';
import type { PortProtocol } from '../../../../src/firewalld/model.ts';
import { formatPort } from '../../../../src/firewalld/normalise.ts';
import { normaliseRules, parseRichRule, type RichRule } from '../../../../src/firewalld/rich-rule.ts';
import { withoutInterface } from '../../../../src/firewalld/without-interface.ts';
import type { BeginRequest, PermanentRequest } from '../../../../src/host/requests.ts';
import type { RuntimeCall } from '../../../../src/plan/steps.ts';
import { NOTHING_RUNS } from './nothing.ts';

/** An error that the daemon would answer with. */
export class DaemonError extends Error {}

const BUILTIN_ZONES: Readonly<Record<string, string>> = {
  public: '<zone><short>Public</short><service name="ssh"/><service name="dhcpv6-client"/><forward/></zone>',
  trusted: '<zone target="ACCEPT"><short>Trusted</short></zone>',
  drop: '<zone target="DROP"><short>Drop</short></zone>',
};

const BUILTIN_SERVICES: Readonly<Record<string, string>> = {
  ssh: '<service><short>SSH</short><port port="22" protocol="tcp"/></service>',
  http: '<service><port port="80" protocol="tcp"/></service>',
  'dhcpv6-client': '<service><port port="546" protocol="udp"/></service>',
};

const HASH = 'a'.repeat(64);

/** A zone of ours with the bans that others have put into it: the host carries them over (src/host/remote/bans.py). */
function keptIn(zone: ZoneConfig, held: readonly RichRule[]): ZoneConfig {
  return { ...zone, richRules: normaliseRules([...zone.richRules, ...held.filter(isBan)]) };
}

/** A zone file with the bans of a zone. */
function withBans(text: string, { richRules }: ZoneConfig): string {
  const bans = richRules.filter(isBan).map(({ family, sourceAddress, action }) => {
    return `  <rule${family === null ? '' : ` family="${family}"`}><source address="${sourceAddress}"/><${action}/></rule>\n`;
  });
  return text.replace('</zone>', `${bans.join('')}</zone>`);
}

/**
 * firewalld as it was found to behave on hosts: files that the daemon does not see until it reloads, a permanent view of
 * its own in memory, a runtime that a reload makes equal to it, and the errors that stop a step.
 *
 * It is stricter than the daemon where portfw should need no leniency: what is there already may not be added again.
 */
export class Firewalld {
  readonly files: Map<string, string>;
  memory: Layer;
  runtime: Layer;
  readonly defaultZone = 'public';
  reloads = 0;
  /** NetworkManager's connections; `saved` is the zone that the profile on the disk names. */
  readonly connections: { uuid: string; interfaces: string[]; zone: string; saved: string }[] = [];

  constructor(files: Iterable<readonly [string, string]> = []) {
    this.files = new Map(files);
    this.memory = this.#parse();
    this.runtime = this.#parse();
  }

  #parse(): Layer {
    const layer = emptyLayer();
    for (const [name, text] of Object.entries(BUILTIN_ZONES)) layer.zones.set(name, readZoneXml(name, text));
    for (const [name, text] of Object.entries(BUILTIN_SERVICES)) layer.services.set(name, readServiceXml(name, text));
    for (const [path, text] of this.files) {
      const [folder, file] = path.split('/');
      const name = file!.replace(/\.xml$/, '');
      if (folder === 'zones') layer.zones.set(name, readZoneXml(name, text));
      if (folder === 'services') layer.services.set(name, readServiceXml(name, text));
      if (folder === 'ipsets') layer.ipsets.set(name, readIpsetXml(name, text));
    }
    return layer;
  }

  /** Everything that a reload stumbles over, on one version or another. */
  #check(layer: Layer): void {
    const holders = new Map<string, string>();
    for (const zone of layer.zones.values()) {
      for (const name of zone.interfaces) {
        const other = holders.get(name);
        if (other !== undefined) throw new DaemonError(`INVALID_INTERFACE: ${name} in ${other} and ${zone.name}`);
        holders.set(name, zone.name);
      }
      for (const name of zone.services) {
        if (!layer.services.has(name)) throw new DaemonError(`INVALID_SERVICE: ${name} in ${zone.name}`);
      }
      for (const rule of zone.richRules) this.#checkRule(layer, rule);
      for (const source of zone.sources) {
        if (source.startsWith('ipset:') && !layer.ipsets.has(source.slice(6))) throw new DaemonError(`open: ${source}`);
      }
    }
    for (const ipset of layer.ipsets.values()) {
      for (const [index, entry] of ipset.entries.entries()) {
        if (entry.endsWith('/0')) throw new DaemonError(`INVALID_ENTRY: ${entry}`);
        if (ipset.entries.slice(index + 1).some((other) => overlap(entry, other)))
          throw new DaemonError(`INVALID_ENTRY: ${entry} overlaps`);
      }
    }
  }

  #checkRule(layer: Layer, { text, service, sourceIpset }: RichRule): void {
    if (service !== null && !layer.services.has(service)) throw new DaemonError(`INVALID_SERVICE: ${text}`);
    if (sourceIpset !== null && !layer.ipsets.has(sourceIpset)) throw new DaemonError(`open: ${text}`);
  }

  reload(): void {
    const layer = this.#parse();
    this.#check(layer);
    this.memory = layer;
    this.runtime = this.#parse();
    this.reloads += 1;
    for (const connection of this.connections) this.#follow(connection);
  }

  /** A boot: what was temporary in NetworkManager is gone. */
  boot(): void {
    for (const connection of this.connections) connection.zone = connection.saved;
    this.reload();
  }

  /** A connection takes over its interfaces. */
  manage(uuid: string, zone: string, ...interfaces: string[]): void {
    const connection = { uuid, interfaces, zone, saved: zone };
    this.connections.push(connection);
    this.#follow(connection);
  }

  /** NetworkManager hands its interfaces to the zone that their connection names; an unknown one changes nothing. */
  #follow({ zone, interfaces }: { zone: string; interfaces: readonly string[] }): void {
    const wanted = zone === '' ? this.defaultZone : zone;
    if (this.runtime.zones.has(wanted)) for (const name of interfaces) this.#bind(wanted, name);
  }

  #bind(zone: string, name: string): void {
    for (const other of this.runtime.zones.values())
      this.runtime.zones.set(other.name, { ...other, interfaces: other.interfaces.filter((item) => item !== name) });
    const held = this.runtime.zones.get(zone)!;
    this.runtime.zones.set(zone, { ...held, interfaces: [...held.interfaces, name].sort() });
  }

  /** Where the daemon has an interface now. */
  zoneOf(name: string): string {
    return [...this.runtime.zones.values()].find((zone) => zone.interfaces.includes(name))?.name ?? this.defaultZone;
  }

  /** Carries out the first request; `look` is called after the reload and after each call. */
  begin(request: BeginRequest, look: (after: string) => void = () => {}): void {
    for (const { path, text } of request.files) {
      if (!/^(zones|services|ipsets)\/portfw-[a-z0-9-]{1,64}\.xml$/.test(path))
        throw new DaemonError(`not ours: ${path}`);
      const name = /^zones\/(.*)\.xml$/.exec(path)?.[1];
      const held = name === undefined ? undefined : this.files.get(path);
      this.files.set(path, held === undefined ? text : withBans(text, readZoneXml(name!, held)));
    }
    if (request.reload) {
      const before = [...this.runtime.zones.values()].filter(({ name }) => !name.startsWith('portfw-'));
      const banned = [...this.runtime.zones.values()].filter(({ name }) => name.startsWith('portfw-'));
      this.reload();
      for (const { name, richRules } of banned) {
        const zone = this.runtime.zones.get(name);
        if (zone !== undefined) this.runtime.zones.set(name, keptIn(zone, richRules));
      }
      const bound = new Set([...this.runtime.zones.values()].flatMap((zone) => zone.interfaces));
      for (const { name: zone, interfaces } of before)
        for (const name of interfaces) if (!bound.has(name) && this.runtime.zones.has(zone)) this.#bind(zone, name);
      look('reload');
    }
    for (const call of request.calls) {
      this.call(call);
      look(call.join(' '));
    }
  }

  call([operation, owner = '', ...rest]: RuntimeCall): void {
    if (operation === 'move-connection') {
      this.#moveConnection(owner, rest);
      return;
    }
    if (!owner.startsWith('portfw-')) throw new DaemonError(`not ours: ${owner}`);
    const [first = ''] = rest;
    if (operation === 'add-entry' || operation === 'remove-entry') {
      this.#entry(operation, owner, first);
      return;
    }
    const zone = this.runtime.zones.get(owner);
    if (zone === undefined) throw new DaemonError(`INVALID_ZONE: ${owner}`);
    const change = (changes: Partial<ZoneConfig>) => this.runtime.zones.set(owner, { ...zone, ...changes });
    const port = () => readPort(first, rest[1] ?? '');
    switch (operation) {
      case 'bind-interface':
        this.#bind(owner, first);
        break;
      case 'release-interface':
        // NetworkManager has taken it elsewhere at the reload: the daemon says ZONE_CONFLICT, which portfw passes over.
        if (this.connections.some(({ interfaces }) => interfaces.includes(first)) && this.zoneOf(first) !== owner)
          break;
        change({ interfaces: without(zone.interfaces, first) });
        break;
      case 'add-service':
        if (!this.runtime.services.has(first)) throw new DaemonError(`INVALID_SERVICE: ${first}`);
        change({ services: added(zone.services, first) });
        break;
      case 'remove-service':
        change({ services: without(zone.services, first) });
        break;
      case 'add-rich-rule':
        this.#checkRule(this.runtime, parseRichRule(first));
        change({ richRules: added(texts(zone), first).map(parseRichRule) });
        break;
      case 'remove-rich-rule':
        change({ richRules: without(texts(zone), first).map(parseRichRule) });
        break;
      case 'remove-port':
        change({ ports: withoutPort(zone.ports, port()) });
        break;
      case 'remove-source-port':
        change({ sourcePorts: withoutPort(zone.sourcePorts, port()) });
        break;
      case 'remove-protocol':
        change({ protocols: without(zone.protocols, first) });
        break;
      case 'remove-source':
        change({ sources: without(zone.sources, first) });
        break;
      case 'remove-icmp-block':
        change({ icmpBlocks: without(zone.icmpBlocks, first) });
        break;
      case 'remove-forward-port':
        change({ forwardPorts: without(zone.forwardPorts, rest.join(':')) });
        break;
      case 'remove-masquerade':
        change({ masquerade: false });
        break;
      case 'remove-icmp-block-inversion':
        change({ icmpBlockInversion: false });
        break;
      default:
        throw new DaemonError(`no such operation: ${operation}`);
    }
  }

  #moveConnection(uuid: string, [zone = '', ...interfaces]: readonly string[]): void {
    const connection = this.connections.find((item) => item.uuid === uuid);
    if (connection === undefined) throw new DaemonError(`no such connection: ${uuid}`);
    if (interfaces.some((name) => !connection.interfaces.includes(name))) throw new DaemonError(`not of ${uuid}`);
    if (![zone, connection.zone].some((name) => name.startsWith('portfw-'))) throw new DaemonError(`not ours: ${zone}`);
    if (zone !== '' && !this.runtime.zones.has(zone)) throw new DaemonError(`INVALID_ZONE: ${zone}`);
    connection.zone = zone;
    this.#follow(connection);
  }

  #entry(operation: string, name: string, entry: string): void {
    const ipset = this.runtime.ipsets.get(name);
    if (ipset === undefined) throw new DaemonError(`INVALID_IPSET: ${name}`);
    if (operation === 'add-entry' && ipset.entries.some((other) => overlap(other, entry)))
      throw new DaemonError(`INVALID_ENTRY: ${entry} overlaps`);
    const entries = operation === 'add-entry' ? added(ipset.entries, entry) : without(ipset.entries, entry);
    this.runtime.ipsets.set(name, { ...ipset, entries });
  }

  /** Carries out the second request, through the daemon's memory, which it writes to the files. */
  permanent(request: PermanentRequest): void {
    for (const { zone, interfaces } of request.releases) {
      const held = this.memory.zones.get(zone);
      const own = this.files.get(`zones/${zone}.xml`);
      if (held === undefined || own === undefined) throw new DaemonError(`INVALID_ZONE: ${zone}`);
      const text = interfaces.reduce<string | null>((left, name) => left && withoutInterface(left, name), own);
      const rest = { ...held, interfaces: held.interfaces.filter((name) => !interfaces.includes(name)) };
      this.memory.zones.set(zone, rest);
      this.files.set(`zones/${zone}.xml`, text ?? writeZoneXml(rest));
    }
    for (const name of Object.keys(request.zones).sort()) {
      const zone = ZONE.ofSettings(request.zones[name]!);
      if (!this.memory.zones.has(name)) throw new DaemonError(`INVALID_ZONE: ${name}`);
      const kept = keptIn(zone, this.memory.zones.get(name)!.richRules);
      this.memory.zones.set(name, kept);
      this.#check(this.memory);
      this.files.set(`zones/${name}.xml`, withBans(writeZoneXml(zone), kept));
    }
    for (const [name, service] of Object.entries(request.services)) {
      if (!this.memory.services.has(name)) throw new DaemonError(`INVALID_SERVICE: ${name}`);
      this.memory.services.set(name, service);
      this.files.set(`services/${name}.xml`, writeServiceXml(service));
    }
    for (const [name, ipset] of Object.entries(request.ipsets)) {
      if (!this.memory.ipsets.has(name)) throw new DaemonError(`INVALID_IPSET: ${name}`);
      this.setPermanentIpset(ipset);
    }
    for (const [kind, name] of request.deletions) {
      this.memory[`${kind}s`].delete(name);
      if (!this.files.delete(`${kind}s/${name}.xml`)) throw new DaemonError(`no file of ${kind} ${name}`);
    }
    for (const [uuid, zone] of request.connections) {
      const connection = this.connections.find((item) => item.uuid === uuid)!;
      connection.zone = zone;
      connection.saved = zone;
    }
  }

  setPermanentIpset(ipset: IpsetConfig): void {
    this.memory.ipsets.set(ipset.name, ipset);
    this.files.set(`ipsets/${ipset.name}.xml`, writeIpsetXml(ipset));
  }

  /** What the collector would say of this host. */
  facts(): RunningFirewalld {
    const shownZones = [...this.runtime.zones.values()].filter(
      (zone) =>
        zone.name === this.defaultZone ||
        zone.name.startsWith('portfw-') ||
        zone.interfaces.length + zone.sources.length > 0,
    );
    const used = new Set(
      shownZones.flatMap((zone) => [...zone.services, ...zone.richRules.map(({ service }) => service)]),
    );
    const services = [...this.runtime.services.values()].filter(
      ({ name }) => used.has(name) || name.startsWith('portfw-'),
    );
    return {
      kind: 'running',
      version: '1.3.3',
      state: 'RUNNING',
      backend: 'nftables',
      defaultZone: this.defaultZone,
      panicMode: false,
      zoneDrifting: false,
      ipsetsUsable: true,
      helpers: ['ftp', 'tftp'],
      hash: HASH,
      permanentHash: HASH,
      runtimeHash: HASH,
      files: [...this.files].map(([path, text]) => ({ path, text, mode: '0644', owner: '0:0', sha256: HASH })),
      builtin: shownZones
        .filter(({ name }) => !this.files.has(`zones/${name}.xml`) && BUILTIN_ZONES[name] !== undefined)
        .map(({ name }) => ({ path: `zones/${name}.xml`, text: BUILTIN_ZONES[name]! })),
      runtime: {
        ...NOTHING_RUNS,
        zones: Object.fromEntries(shownZones.map((zone) => [zone.name, zoneSettings(zone)])),
        services: Object.fromEntries(services.map((service) => [service.name, serviceSettings(service)])),
        ipsets: Object.fromEntries([...this.runtime.ipsets].map(([name, ipset]) => [name, { ...ipset }])),
      },
      networkManager: this.connections.map(({ uuid, interfaces, zone, saved }) => ({
        uuid,
        connection: `Wired ${interfaces.join(' ')}`,
        zone,
        interfaces: [...interfaces],
        unsaved: zone !== saved,
      })),
    };
  }

  /** Whether a new flow from a client to a TCP port on an interface is let in now; rules that refuse are not modelled. */
  letsIn(client: string, interfaceName: string, port: number): boolean {
    const inSet = (name: string) =>
      this.runtime.ipsets.get(name)?.entries.some((entry) => overlap(entry, client)) === true;
    const bound = [...this.runtime.zones.values()].find((zone) =>
      zone.sources.some((source) => (source.startsWith('ipset:') ? inSet(source.slice(6)) : overlap(source, client))),
    );
    const zone = bound ?? this.runtime.zones.get(this.zoneOf(interfaceName))!;
    const opens = (ports: readonly PortProtocol[]) =>
      ports.some(({ protocol, range }) => protocol === 'tcp' && range.first <= port && port <= range.last);
    const service = (name: string) => opens(this.runtime.services.get(name)?.ports ?? []);
    if (zone.target === 'ACCEPT' || opens(zone.ports) || zone.services.some(service)) return true;
    return zone.richRules.some((rule) => {
      if (rule.action !== 'accept' || rule.destination !== null) return false;
      if (rule.icmpType !== null || rule.protocol !== null) return false;
      if (rule.sourceIpset !== null && !inSet(rule.sourceIpset)) return false;
      if (rule.service !== null) return service(rule.service);
      return rule.port === null || Number(rule.port.port) === port;
    });
  }
}

function zoneSettings(zone: ZoneConfig): Record<string, unknown> {
  const pairs = (ports: readonly PortProtocol[]) =>
    ports.map(({ protocol, range }) => [formatPortRange(range), protocol]);
  return {
    short: zone.short,
    description: zone.description,
    target: zone.target,
    interfaces: zone.interfaces,
    sources: zone.sources,
    services: zone.services,
    ports: pairs(zone.ports),
    protocols: zone.protocols,
    source_ports: pairs(zone.sourcePorts),
    icmp_blocks: zone.icmpBlocks,
    icmp_block_inversion: zone.icmpBlockInversion,
    masquerade: zone.masquerade,
    forward: zone.forward,
    forward_ports: zone.forwardPorts.map((forward) => forward.split(':')),
    rules_str: texts(zone),
  };
}

function texts({ richRules }: ZoneConfig): string[] {
  return richRules.map(({ text }) => text);
}

function serviceSettings(service: ServiceConfig): Record<string, unknown> {
  return {
    ...service,
    ports: service.ports.map(({ protocol, range }) => [formatPortRange(range), protocol]),
    source_ports: [],
  };
}

function readPort(text: string, protocol: string): PortProtocol {
  const range = parsePortRange(text);
  if (typeof range === 'string') throw new DaemonError(`INVALID_PORT: ${text}`);
  return { protocol, range };
}

function added(list: readonly string[], item: string): string[] {
  if (list.includes(item)) throw new DaemonError(`ALREADY_ENABLED: ${item}`);
  return [...list, item].sort();
}

function without(list: readonly string[], item: string): string[] {
  if (!list.includes(item)) throw new DaemonError(`NOT_ENABLED: ${item}`);
  return list.filter((other) => other !== item);
}

function withoutPort(ports: readonly PortProtocol[], port: PortProtocol): PortProtocol[] {
  const rest = ports.filter((other) => formatPort(other) !== formatPort(port));
  if (rest.length === ports.length) throw new DaemonError(`NOT_ENABLED: ${formatPort(port)}`);
  return rest;
}

function overlap(a: string, b: string): boolean {
  const left = parseNetwork(a);
  const right = parseNetwork(b);
  return left !== null && right !== null && (contains(left, right) || contains(right, left));
}
