import { normaliseAddress } from '../core/addresses.ts';
import { parsePortRange } from '../core/ports.ts';
import { isOurs, OUR_PREFIX, type PortProtocol } from '../firewalld/model.ts';
import { formatPort } from '../firewalld/normalise.ts';
import { ACCEPT_ALL, acceptRule, NEEDED_ICMP, type RichRule } from '../firewalld/rich-rule.ts';
import { INTERFACE_CLASSES, type InterfaceClass } from '../settings/settings-types.ts';
import type { Reason } from './desired.ts';
import type { InterfaceMap } from './interfaces.ts';
import { IpsetLosses } from './ipset-losses.ts';
import { type LossGround, matrixBefore } from './loss-ground.ts';
import type { Loss } from './loss-types.ts';
import { extraServiceName, isServiceOf, zoneName } from './names.ts';
import type { Opening, Unopened } from './openings.ts';

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
    if (zone !== null && others.length > 0 && !others.includes(zone)) return [{ kind: 'other-zone', zones: others }];
    const owner = this.#ownerOf(name);
    if (owner === null) return [this.#unknown()];
    if (owner.kind === 'role' && !this.#ground.input.roles.includes(owner.name)) return [this.ofRole(owner.name)];
    if (owner.kind === 'extra' && !this.#ground.input.settings.extraRules.some((rule) => rule.name === owner.name))
      return [{ kind: 'extra-rule-gone', name: owner.name }];
    const found = ports.map((port) => this.#ofPort(owner, name, port));
    return found.length === 0 ? [this.#unknown()] : merged(found);
  }

  /** Why a service does not have some of its values any more. */
  ofServiceField(name: string, field: string, values: readonly string[]): readonly Reason[] {
    if (field === 'ports') return this.ofService(name, values.flatMap(portOf));
    if (field !== 'helpers') return [{ kind: 'by-hand' }];
    const owner = this.#ownerOf(name);
    const missing = this.#ground.opened.filter(
      ({ opening, service }) => service === name && values.includes(opening.helper ?? ''),
    );
    if (missing.length > 0)
      return merged(missing.map(({ opening }) => ({ kind: 'helper-missing', helper: opening.helper! })));
    return owner === null ? [this.#unknown()] : [this.#rowGone(owner, [])];
  }

  /** Why a zone does not have a rich rule. @param ports those of the rule's service on the host */
  ofRule(zone: string, rule: RichRule, ports: readonly PortProtocol[]): readonly Reason[] {
    const { input, map, desired } = this.#ground;
    const held = desired.zones.get(zone);
    if (rule.text === ACCEPT_ALL.text && zone === zoneName(new Set(['private'])) && input.privateMode !== 'trusted')
      return [{ kind: 'private-mode', mode: input.privateMode }];
    if (NEEDED_ICMP.some(({ text }) => text === rule.text)) {
      const sides = sidesOf(map, zone);
      const trusted = held?.reasons.some(({ kind }) => kind === 'private-mode') === true;
      return [trusted ? { kind: 'private-mode', mode: 'trusted' } : { kind: 'target-default', sides }];
    }
    if (!isWrittenByUs(rule)) return [{ kind: 'by-hand' }];
    const others = this.#zonesWith(null, rule.text);
    if (others.length > 0 && !others.includes(zone)) return [{ kind: 'other-zone', zones: others }];
    const { service, sourceIpset, destination } = rule;
    if (service !== null && !desired.services.has(service)) return this.ofService(service, ports);
    const vips = input.settings.vips.map((vip) => normaliseAddress(vip) ?? vip);
    if (destination !== null && !vips.includes(destination)) return [{ kind: 'vip-gone', address: destination }];
    if (sourceIpset !== null && !desired.ipsets.has(sourceIpset) && service === null) return this.ofIpset(sourceIpset);
    if (service !== null) return this.ofService(service, ports, zone);
    return [this.#unknown()];
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
    return [sides === undefined ? this.#unknown() : { kind: 'side-gone', sides }];
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

  #ofPort(owner: Owner, service: string, port: PortProtocol): Loss {
    const { opened, unopened, desired, input } = this.#ground;
    const isOwn = (item: Opening | Unopened) =>
      item.owner.kind === owner.kind && item.owner.name === owner.name && item.protocol === port.protocol;
    const own = opened.filter(({ opening }) => isOwn(opening) && overlap(opening, port));
    const closed = unopened.filter((item) => isOwn(item) && overlap(item, port));
    const closedHere = closed.find((item) => item.service === service && item.range !== null);
    if (closedHere !== undefined) return withPort(closedHere.loss, port);
    const isHere = ({ interface: side }: { readonly interface: InterfaceClass }) =>
      owner.kind === 'extra' || side === owner.side;
    const here = own.filter(({ opening }) => isHere(opening));
    const found = here.find((item) => item.service === service) ?? here[0];
    if (found !== undefined) {
      const { sources, interface: side } = found.opening;
      if (found.service === null) return { kind: 'side-gone', sides: [side] };
      if (!desired.services.has(found.service)) return { kind: 'no-peers', of: setOf(found.opening) };
      if (sources.kind === 'set' && sources.narrowed !== null)
        return { kind: 'narrowed', by: sources.narrowed.by, to: sources.narrowed.to };
      return { kind: 'replaced', service: found.service, to: sources.kind === 'any' ? null : setOf(found.opening) };
    }
    const closedOnSide = closed.find((item) => isHere(item) && item.range !== null);
    if (closedOnSide !== undefined) return withPort(closedOnSide.loss, port);
    const elsewhere = own[0]?.opening ?? closed.find(({ range }) => range !== null);
    if (elsewhere !== undefined) {
      const what = owner.kind === 'role' ? `role "${owner.name}"` : `extra rule "${owner.name}"`;
      const chosen = owner.kind === 'role' && input.settings.roleInterfaces[owner.name] === elsewhere.interface;
      return { kind: 'side-moved', what, side: elsewhere.interface, by: chosen ? 'portfw_role_interfaces' : null };
    }
    // Which port an RPC program had is not known: it is this one where nothing else explains it.
    const program = unopened.find((item) => isOwn(item) && isHere(item) && item.range === null);
    return program === undefined ? this.#rowGone(owner, [formatPort(port)]) : withPort(program.loss, port);
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

function overlap({ range }: Pick<Opening | Unopened, 'range'>, port: PortProtocol): boolean {
  return range === null || (range.first <= port.range.last && port.range.first <= range.last);
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
