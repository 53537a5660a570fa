import { listed } from '../core/lists.ts';
import type { PortRange } from '../core/ports.ts';
import type { HostFacts } from '../facts/facts.ts';
import type { Matrix, MatrixRole, MatrixRule } from '../matrix/matrix.ts';
import { type HostPeers, meansAnyone } from '../settings/addresses-of-hosts.ts';
import type { HostSettings, InterfaceClass, PrivateMode } from '../settings/settings-types.ts';
import type { PolicyNote, Reason } from './desired.ts';
import type { Loss } from './loss-types.ts';
import { extraServiceName, serviceName, slug } from './names.ts';
import { rpcPorts } from './rpc-ports.ts';
import { allowSelector, type Narrowing, narrowingOf, type SourceSet, sourcesOf, standingRule } from './sources.ts';

/** Something that is to be open on a host: one rule, resolved for it. */
export interface Opening {
  /** The role, or the extra rule's name with `extra` as its kind. */
  readonly owner: { readonly kind: 'role' | 'extra'; readonly name: string; readonly title: string };
  readonly interface: InterfaceClass;
  readonly protocol: string;
  readonly range: PortRange;
  readonly helper: 'ftp' | 'tftp' | null;
  readonly sources: SourceSet;
  readonly narrowing: Narrowing;
  readonly reason: Reason;
}

/** A row or an extra rule that opens nothing on the host, and why. */
export interface Unopened {
  readonly owner: Pick<Opening['owner'], 'kind' | 'name'>;
  readonly interface: InterfaceClass;
  /** The service that it would be in. */
  readonly service: string;
  readonly protocol: string;
  /** `null` for an RPC program, whose port is not known. */
  readonly range: PortRange | null;
  readonly loss: Loss;
}

interface OpeningsInput {
  readonly matrix: Matrix;
  readonly roles: readonly string[];
  readonly settings: HostSettings;
  readonly features: ReadonlySet<string>;
  readonly privateMode: PrivateMode;
  readonly facts: HostFacts;
  readonly peers: HostPeers;
  /** `YYYY-MM-DD`: the last day of an exception still counts. */
  readonly today: string;
}

/** What is open on a host, what is not, and what is to be said of rules that open nothing. */
export interface Openings {
  readonly openings: readonly Opening[];
  readonly unopened: readonly Unopened[];
  readonly notes: readonly PolicyNote[];
}

/** What the matrix and the inventory's extra rules open on a host that plays these roles. */
export function openingsOf(input: OpeningsInput): Openings {
  const roles = [...input.roles].sort().flatMap((name) => input.matrix.roles.get(name) ?? []);
  const found = [
    ...roles.flatMap((role) => (role.appliance ? [] : role.rules.map((rule) => openedByRule(input, role, rule)))),
    ...input.settings.extraRules.map((rule) => openedByExtraRule(rule, input)),
  ];
  return {
    openings: found.flatMap(({ openings }) => openings),
    unopened: found.flatMap(({ unopened }) => unopened),
    notes: found.flatMap(({ notes }) => notes),
  };
}

function openedByExtraRule(rule: HostSettings['extraRules'][number], { today, peers }: OpeningsInput): Openings {
  const { name, owner, from, expires } = rule;
  const nothing = (code: string, text: string, loss: Loss): Openings => ({
    openings: [],
    unopened: rule.ports.map((range) => ({
      owner: { kind: 'extra', name },
      interface: rule.interface,
      service: extraServiceName(name),
      protocol: rule.protocol,
      range,
      loss,
    })),
    notes: [{ severity: 'warning', code, text }],
  });
  if (expires !== null && expires < today)
    return nothing(
      'extra-rule-expired',
      `extra rule ${name} (owner ${owner}) expired on ${expires} and is not applied`,
      { kind: 'expired', name, owner, expires },
    );
  const said = from !== null && meansAnyone(from);
  const addresses = from === null || said ? null : peers.addressesOf(from);
  if (addresses !== null && addresses.length === 0)
    return nothing('no-peers', `extra rule ${name} opens nothing: ${listed(from!)} have no known address`, {
      kind: 'no-peers',
      of: listed(from!),
    });
  const reason: Reason = { kind: 'extra-rule', name, owner, text: rule.reason, expires };
  const sources: SourceSet =
    addresses === null
      ? { kind: 'any' }
      : {
          kind: 'set',
          label: 'from',
          stem: `extra-${slug(name)}`,
          identity: `extra ${name}`,
          addresses,
          narrowed: { by: `extra rule "${name}"`, to: listed(from!), wide: null },
          reason,
        };
  const openings = rule.ports.map(
    (range): Opening => ({
      owner: { kind: 'extra', name, title: rule.reason },
      interface: rule.interface,
      protocol: rule.protocol,
      range,
      helper: null,
      sources,
      narrowing: {
        line: `from: [NETWORKS] in the extra rule ${name}`,
        anyone: `from: [any] in the extra rule ${name}`,
        said,
      },
      reason,
    }),
  );
  return { openings, unopened: [], notes: [] };
}

function openedByRule(input: OpeningsInput, role: MatrixRole, written: MatrixRule): Openings {
  const { rule, interface: side } = standingRule(written, role, input.matrix, input.settings, input.privateMode);
  const sources = sourcesOf(rule, input.matrix, input.settings, input.peers);
  const lost = (loss: Loss): Unopened => ({
    owner: { kind: 'role', name: role.name },
    interface: side,
    service: serviceName(role.name, side, sources.kind === 'any' ? null : sources.label),
    protocol: rule.protocol,
    range: rule.port.kind === 'range' ? rule.port.range : null,
    loss,
  });
  if (rule.feature !== null && !input.features.has(rule.feature))
    return { openings: [], unopened: [lost({ kind: 'feature-off', feature: rule.feature, ports: [] })], notes: [] };
  if (sources.kind === 'set' && sources.addresses.length === 0)
    return { openings: [], unopened: [lost(nobody(sources))], notes: [opensNothing(rule, input)] };
  const opening = {
    owner: { kind: 'role', name: role.name, title: role.title },
    interface: side,
    protocol: rule.protocol,
    helper: rule.helper,
    sources,
    narrowing: narrowingOf(rule, input.settings.allowFrom),
    reason: {
      kind: 'rule',
      matrix: rule.matrix,
      rule: rule.id,
      purpose: rule.purpose,
      source: rule.source,
      feature: rule.feature,
    },
  } as const;
  if (rule.port.kind === 'range')
    return { openings: [{ ...opening, range: rule.port.range }], unopened: [], notes: [] };
  const { program } = rule.port;
  const ports = rpcPorts(program, rule.protocol, input.facts.rpc);
  const text = `${rule.id} opens nothing: the host's portmapper does not know ${program} over ${rule.protocol}`;
  return {
    openings: ports.map((port) => ({ ...opening, range: { first: port, last: port } })),
    unopened: [lost({ kind: 'rpc-moved', program, protocol: rule.protocol, ports: ports.map(String) })],
    notes: ports.length > 0 ? [] : [{ severity: 'warning', code: 'rpc-unregistered', text }],
  };
}

/** Why nobody may connect: the inventory knows no address of the set, or what narrows it leaves none. */
function nobody({ narrowed, reason }: Extract<SourceSet, { kind: 'set' }>): Loss {
  const set = reason.kind === 'peers' ? `peer set "${reason.set}"` : '';
  if (narrowed === null) return { kind: 'no-peers', of: set };
  const by = `${narrowed.by} (${narrowed.to})`;
  return { kind: 'no-peers', of: narrowed.wide === null ? by : `those who are in ${set} and in ${by}` };
}

/** The note about a rule that opens nothing: whose addresses are not known, and where to set them. */
function opensNothing(rule: MatrixRule, { matrix, settings, peers }: OpeningsInput): PolicyNote {
  const note = (why: string): PolicyNote => ({
    severity: 'warning',
    code: 'no-peers',
    text: `${rule.id} opens nothing: ${why}`,
  });
  const set = matrix.peers.get(rule.from);
  const narrowed = allowSelector(rule, settings.allowFrom) !== null;
  if (set === undefined || (narrowed && peers.peerSet(set).addresses.length > 0))
    return note('portfw_allow_from leaves no source with a known address');
  const declare =
    set.roles.length > 1 ? `give the hosts that play ${set.roles.join(', ')} their portfw_roles, or ` : '';
  return note(`no address is known for "${set.name}"; ${declare}name its machines in portfw_peers`);
}
