import { normaliseAddress } from '../core/addresses.ts';
import { parsePortRange, subtractPortRanges } from '../core/ports.ts';
import { isOurs, OUR_PREFIX, type PortProtocol } from '../firewalld/model.ts';
import { formatPort } from '../firewalld/normalise.ts';
import { ACCEPT_ALL, acceptRule, NEEDED_ICMP, type RichRule } from '../firewalld/rich-rule.ts';
import { INTERFACE_CLASSES, type InterfaceClass } from '../settings/settings-types.ts';
import type { Reason } from './desired.ts';
import type { InterfaceMap } from './interfaces.ts';
import { IpsetLosses } from './ipset-losses.ts';
import { type LossGround, matrixBefore } from './loss-ground.ts';
import type { Loss } from './loss-types.ts';
import { extraServiceName, ipsetName, isServiceOf, serviceName, zoneName } from './names.ts';
import type { Opening, Unopened } from './openings.ts';

/** The lists that portfw's services have. */
const OWN_FIELDS: ReadonlySet<string> = new Set(['ports', 'helpers']);

/** Whose ports a service holds, as its name says. */
type Owner =
  | { readonly kind: 'role'; readonly name: string; readonly side: InterfaceClass }
  | { readonly kind: 'extra'; readonly name: string };

const OF_UNKNOWN_ROLE = new RegExp(`^${OUR_PREFIX}(.+?)-(${INTERFACE_CLASSES.join('|')})(?:-|$)`);

/**
 * Says why something that a host has is not desired: from the matrix, the roles now and those of the last kept run, features,
 * extra rules, what narrows the sources, and the interfaces. Each answer has at least one reason. Pure.
 */
export class Losses {
  readonly #ground: LossGround;
  readonly #ipsets: IpsetLosses;

  constructor(ground: LossGround) {
    this.#ground = ground;
    this.#ipsets = new IpsetLosses(ground, (role) => this.ofRole(role));
  }

  /** Why a zone does not open a service, or no zone does. @param ports those of the service on the host */
  ofService(name: string, ports: readonly PortProtocol[], zone: string | null = null): readonly Reason[] {
    if (!isOurs(name)) return [{ kind: 'by-hand' }];
    const others = zone === null ? [] : this.#zonesWith(name, null);
    const owner = this.#ownerOf(name);
    if (zone !== null && others.length > 0 && !others.includes(zone)) return [this.#elsewhere(owner, others)];
    if (owner === null) return [this.#unknown()];
    if (owner.kind === 'role' && !this.#ground.input.roles.includes(owner.name)) return [this.ofRole(owner.name)];
    if (owner.kind === 'extra' && !this.#ground.input.settings.extraRules.some((rule) => rule.name === owner.name))
      return [{ kind: 'extra-rule-gone', name: owner.name }];
    const found = ports.flatMap((port) => this.#pieces(owner, port).map((piece) => this.#ofPort(owner, name, piece)));
    return found.length === 0 ? [this.#unknown()] : merged(found);
  }

  /**
   * Why a service that stays loses some of what it has.
   *
   * @param removed what goes, by field
   */
  ofServiceFields(name: string, removed: ReadonlyMap<string, readonly string[]>): readonly Reason[] {
    const { desired, opened } = this.#ground;
    const stays = desired.services.get(name)?.value.ports ?? [];
    const ports = (removed.get('ports') ?? []).flatMap(portOf).flatMap(({ protocol, range }) => {
      const own = stays.filter((port) => port.protocol === protocol).map((port) => port.range);
      return subtractPortRanges([range], own).map((rest) => ({ protocol, range: rest }));
    });
    const reasons: Reason[] = ports.length === 0 ? [] : [...this.ofService(name, ports)];
    for (const helper of removed.get('helpers') ?? []) {
      const missing = opened.some(({ opening, service }) => service === name && opening.helper === helper);
      const owner = this.#ownerOf(name);
      if (missing) reasons.push({ kind: 'helper-missing', helper });
      // Else it goes with the port that needed it.
      else if (ports.length === 0)
        reasons.push(owner === null ? this.#unknown() : this.#rowGone(owner, [`helper ${helper}`]));
    }
    const others = [...removed].filter(([field, values]) => values.length > 0 && !OWN_FIELDS.has(field));
    return others.length === 0 ? reasons : [...reasons, { kind: 'by-hand' }];
  }

  /** Why a zone does not have a rich rule. @param ports those of the rule's service on the host */
  ofRule(zone: string, rule: RichRule, ports: readonly PortProtocol[]): readonly Reason[] {
    const { input, map, desired } = this.#ground;
    const mode = input.privateMode;
    const trusted = desired.zones.get(zone)?.reasons.some(({ kind }) => kind === 'private-mode') === true;
    const { service, sourceIpset, destination } = rule;
    if (rule.text === ACCEPT_ALL.text && zone === zoneName(new Set(['private'])) && mode !== 'trusted')
      return [{ kind: 'private-mode', mode }];
    if (NEEDED_ICMP.some(({ text }) => text === rule.text))
      return [trusted ? { kind: 'private-mode', mode } : { kind: 'target-default', sides: sidesOf(map, zone) }];
    if (!isWrittenByUs(rule)) return [{ kind: 'by-hand' }];
    // The private side is trusted as a whole, or all of the site's servers may connect and not for SSH alone.
    if (
      service === null &&
      (trusted || (sourceIpset === ipsetName('site', rule.family!) && desired.ipsets.has(sourceIpset)))
    )
      return [{ kind: 'private-mode', mode }];
    const others = this.#zonesWith(null, rule.text);
    if (others.length > 0 && !others.includes(zone)) return [{ kind: 'other-zone', zones: others }];
    if (service !== null && !desired.services.has(service)) return this.ofService(service, ports);
    const vips = input.settings.vips.map((vip) => normaliseAddress(vip) ?? vip);
    if (destination !== null && !vips.includes(destination)) return [{ kind: 'vip-gone', address: destination }];
    if (service !== null) return this.ofService(service, ports, zone);
    return sourceIpset === null || desired.ipsets.has(sourceIpset) ? [this.#unknown()] : this.ofIpset(sourceIpset);
  }

  /** Why an ipset is not needed. */
  ofIpset(name: string): readonly Reason[] {
    return this.#ipsets.ofIpset(name) ?? [this.#unknown()];
  }

  /** Why an ipset that stays does not have these entries. */
  ofEntries(name: string, entries: readonly string[]): readonly Reason[] {
    return this.#ipsets.ofEntries(name, entries) ?? [this.#unknown()];
  }

  /** Why an interface leaves a zone. */
  ofInterface(name: string, zone: string): readonly Reason[] {
    const { map, input } = this.#ground;
    const classes = map.interfaces.get(name)?.classes;
    if (classes !== undefined && zoneName(classes) !== zone)
      return [{ kind: 'other-zone', zones: [zoneName(classes)] }];
    return [
      {
        kind: 'interface-unmapped',
        interface: name,
        there: input.facts.interfaces.some((item) => item.name === name),
      },
    ];
  }

  /** Why a zone is not needed. */
  ofZone(name: string): readonly Reason[] {
    const sides = subsets(INTERFACE_CLASSES).find((classes) => zoneName(new Set(classes)) === name);
    if (sides === undefined) return [this.#unknown()];
    const joined = [...this.#ground.map.interfaces.values()].some(({ classes }) =>
      sides.every((side) => classes.has(side)),
    );
    return [{ kind: joined ? 'sides-joined' : 'side-gone', sides }];
  }

  /** Why a zone that stays does not have a target of its own any more. */
  ofTarget(zone: string): readonly Reason[] {
    return [{ kind: 'target-default', sides: sidesOf(this.#ground.map, zone) }];
  }

  /** Why a role that the host does not play opens nothing. */
  ofRole(role: string): Loss {
    const { matrix, facts, settings } = this.#ground.input;
    if (!matrix.roles.has(role))
      return { kind: 'role-not-in-matrix', role, matrix: matrix.name, before: this.#before() };
    const remembered = facts.remembered?.roles.includes(role) === true;
    return { kind: 'role-gone', role, remembered, declared: settings.roles !== null };
  }

  /** Of a service that other zones have. */
  #elsewhere(owner: Owner | null, zones: readonly string[]): Loss {
    const rule = this.#ground.input.settings.extraRules.find(
      ({ name }) => owner?.kind === 'extra' && owner.name === name,
    );
    return rule === undefined
      ? { kind: 'other-zone', zones }
      : { kind: 'side-moved', what: `extra rule "${rule.name}"`, side: rule.interface, by: null };
  }

  #unknown(): Loss {
    return { kind: 'unknown', matrix: this.#ground.input.matrix.name };
  }

  /** The matrix of the last kept run, where it was another one. */
  #before(): string | null {
    return matrixBefore(this.#ground.input);
  }

  /** The portfw zones that are to have a service, or a rule. */
  #zonesWith(service: string | null, rule: string | null): string[] {
    return [...this.#ground.desired.zones.values()]
      .filter(({ services, richRules }) =>
        rule === null
          ? services.some(({ value }) => value === service) || richRules.some(({ value }) => value.service === service)
          : richRules.some(({ value }) => value.text === rule),
      )
      .map(({ config }) => config.name);
  }

  #ownerOf(name: string): Owner | null {
    const { matrix, facts, settings } = this.#ground.input;
    const given = settings.extraRules.find((rule) => extraServiceName(rule.name) === name);
    if (given !== undefined) return { kind: 'extra', name: given.name };
    const roles = [...matrix.roles.keys(), ...(facts.remembered?.roles ?? [])];
    // The longest first: "web-public" is a role as good as "web".
    for (const role of [...new Set(roles)].sort((a, b) => b.length - a.length)) {
      const side = INTERFACE_CLASSES.find((item) => isServiceOf(name, role, item));
      if (side !== undefined) return { kind: 'role', name: role, side };
    }
    const extra = `${OUR_PREFIX}extra-`;
    if (name.startsWith(extra)) return { kind: 'extra', name: name.slice(extra.length) };
    const [, role, side] = OF_UNKNOWN_ROLE.exec(name) ?? [];
    return role === undefined ? null : { kind: 'role', name: role, side: side as InterfaceClass };
  }

  /** A range, cut where only a part of it is open or closed for one reason. */
  #pieces(owner: Owner, port: PortProtocol): PortProtocol[] {
    const { opened, unopened } = this.#ground;
    const ranges = [...opened.map(({ opening }) => opening), ...unopened]
      .filter((item) => isOwn(item, owner, port))
      .flatMap(({ range }) => (range === null ? [] : [range]));
    const { first, last } = port.range;
    const starts = [first, ...ranges.flatMap((range) => [range.first, range.last + 1])];
    const cuts = [...new Set(starts)].filter((start) => start >= first && start <= last).sort((a, b) => a - b);
    return cuts.map((start, index) => ({
      protocol: port.protocol,
      range: { first: start, last: (cuts[index + 1] ?? last + 1) - 1 },
    }));
  }

  #ofPort(owner: Owner, service: string, port: PortProtocol): Loss {
    const { opened, unopened, desired, input } = this.#ground;
    const own = opened.filter(({ opening }) => isOwn(opening, owner, port));
    const closed = unopened.filter((item) => isOwn(item, owner, port));
    const isHere = ({ interface: side }: { readonly interface: InterfaceClass }) =>
      owner.kind === 'extra' || side === owner.side;
    const exactly = closed.find((item) => item.service === service && item.range !== null);
    if (exactly !== undefined) return withPort(exactly.loss, port);
    const found = nearest(
      own.filter(({ opening }) => isHere(opening)),
      service,
    );
    if (found !== undefined) {
      const { sources } = found.opening;
      if (found.service === null) return { kind: 'side-gone', sides: [found.opening.interface] };
      if (!desired.services.has(found.service)) return { kind: 'no-peers', of: setOf(found.opening) };
      if (sources.kind === 'any') return { kind: 'replaced', service: found.service, to: null };
      if (sources.narrowed !== null) return { kind: 'narrowed', by: sources.narrowed.by, to: sources.narrowed.to };
      if (isNear(found.service, service)) return { kind: 'replaced', service: found.service, to: setOf(found.opening) };
    }
    const near = nearest(
      closed.filter((item) => isHere(item) && item.range !== null),
      service,
    );
    if (near !== undefined && (found === undefined || isNear(near.service, service))) return withPort(near.loss, port);
    const elsewhere = own[0]?.opening ?? closed.find(({ range }) => range !== null);
    if (found === undefined && elsewhere !== undefined) {
      const what = owner.kind === 'role' ? `role "${owner.name}"` : `extra rule "${owner.name}"`;
      const chosen = owner.kind === 'role' && input.settings.roleInterfaces[owner.name] === elsewhere.interface;
      return { kind: 'side-moved', what, side: elsewhere.interface, by: chosen ? 'portfw_role_interfaces' : null };
    }
    // Which port an RPC program had is not known: it is this one where nothing else explains it.
    const program = unopened.find((item) => ofOwner(item, owner, port.protocol) && isHere(item) && item.range === null);
    if (program !== undefined && found === undefined) return program.loss;
    return this.#rowGone(owner, [`${formatPort(port)}${found === undefined ? '' : fromText(owner, service)}`]);
  }

  #rowGone(owner: Owner, ports: readonly string[]): Loss {
    const { matrix } = this.#ground.input;
    return owner.kind === 'extra'
      ? { kind: 'extra-rule-changed', name: owner.name, ports }
      : { kind: 'row-gone', matrix: matrix.name, before: this.#before(), role: owner.name, side: owner.side, ports };
  }
}

/** The interface classes of a portfw zone, sorted. */
function sidesOf(map: InterfaceMap, zone: string): string[] {
  const found = [...map.interfaces.values()].find(({ classes }) => zoneName(classes) === zone);
  return [...(found?.classes ?? [])].sort();
}

function setOf({ sources }: Opening): string {
  if (sources.kind === 'any') return 'anybody';
  const { narrowed, reason } = sources;
  if (narrowed !== null) return `${narrowed.by} (${narrowed.to})`;
  return reason.kind === 'peers' ? `peer set "${reason.set}"` : 'those who may connect';
}

/** `8442/tcp` as a port. */
function portOf(text: string): PortProtocol[] {
  const [ports = '', protocol = ''] = text.split('/');
  const range = parsePortRange(ports);
  return typeof range === 'string' ? [] : [{ protocol, range }];
}

/** Whether portfw writes rules of this form: for a service or an ipset of its own. */
function isWrittenByUs(rule: RichRule): boolean {
  const { family, sourceIpset, destination, service, port } = rule;
  const names = [service, sourceIpset].filter((name) => name !== null);
  if (family === null || names.length === 0 || !names.every(isOurs)) return false;
  return acceptRule({ family, sourceIpset, destination, service, port }).text === rule.text;
}

function ofOwner({ owner, protocol }: Pick<Opening | Unopened, 'owner' | 'protocol'>, of: Owner, own: string): boolean {
  return owner.kind === of.kind && owner.name === of.name && protocol === own;
}

/** Whether an opening is of an owner, and concerns a port. */
function isOwn(item: Opening | Unopened, owner: Owner, { protocol, range }: PortProtocol): boolean {
  if (!ofOwner(item, owner, protocol) || item.range === null) return false;
  return item.range.first <= range.last && range.first <= item.range.last;
}

/** Whether services of one role and class have the same sources, of which one may be narrowed: `…-peers`, `…-peers-allowed`. */
function isNear(one: string, other: string): boolean {
  return one.startsWith(other) || other.startsWith(one);
}

/** Of what is open or closed for a port: the same service, else one whose sources are the same but for what narrows them. */
function nearest<T extends { readonly service: string | null }>(items: readonly T[], service: string): T | undefined {
  return (
    items.find((item) => item.service === service) ??
    items.find((item) => item.service !== null && isNear(item.service, service)) ??
    items[0]
  );
}

/** The sources of a service of a role, as its name says them. */
function fromText(owner: Owner, service: string): string {
  const whole = owner.kind === 'role' ? serviceName(owner.name, owner.side, null) : service;
  const rest = service.slice(whole.length + 1);
  return rest === '' ? '' : ` from ${rest}`;
}

function withPort(loss: Loss, port: PortProtocol): Loss {
  return loss.kind === 'feature-off' ? { ...loss, ports: [formatPort(port)] } : loss;
}

/** The same reasons for several ports are one reason. */
function merged(losses: readonly Loss[]): Loss[] {
  const found = new Map<string, Loss>();
  for (const loss of losses) {
    const key = JSON.stringify('ports' in loss && loss.kind !== 'rpc-moved' ? { ...loss, ports: [] } : loss);
    const same = found.get(key);
    const both = same !== undefined && 'ports' in same && 'ports' in loss && loss.kind !== 'rpc-moved';
    found.set(key, both ? { ...loss, ports: [...new Set([...same.ports, ...loss.ports])] } : loss);
  }
  return [...found.values()];
}

/** Every choice of at least one item. */
function subsets<T>(items: readonly T[]): T[][] {
  return Array.from({ length: 2 ** items.length - 1 }, (_, bits) =>
    items.filter((_item, index) => (((bits + 1) >> index) & 1) === 1),
  );
}
