import { listed } from '../core/lists.ts';
import type { PortRange } from '../core/ports.ts';
import type { HostFacts } from '../facts/facts.ts';
import type { Matrix, MatrixRole, MatrixRule } from '../matrix/matrix.ts';
import { type HostPeers, meansAnyone } from '../settings/addresses-of-hosts.ts';
import type { HostSettings, InterfaceClass, PrivateMode } from '../settings/settings-types.ts';
import type { PolicyNote, PolicyRefusal, Reason } from './desired.ts';
import { slug } from './names.ts';
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

/** What the matrix and the inventory's extra rules open on a host that plays these roles. */
export function openingsOf(input: OpeningsInput): {
  readonly openings: readonly Opening[];
  readonly notes: readonly PolicyNote[];
  readonly refusals: readonly PolicyRefusal[];
} {
  const openings: Opening[] = [];
  const notes: PolicyNote[] = [];
  const refusals: PolicyRefusal[] = [];
  for (const name of [...input.roles].sort()) {
    const role = input.matrix.roles.get(name);
    if (role === undefined || role.appliance) continue;
    for (const rule of role.rules) {
      if (rule.feature !== null && !input.features.has(rule.feature)) continue;
      openRule(input, role, rule, openings, notes);
    }
  }
  for (const rule of input.settings.extraRules) {
    if (rule.expires !== null && rule.expires < input.today) {
      notes.push({
        severity: 'warning',
        code: 'extra-rule-expired',
        text: `extra rule ${rule.name} (owner ${rule.owner}) expired on ${rule.expires} and is not applied`,
      });
      continue;
    }
    const said = rule.from !== null && meansAnyone(rule.from);
    const addresses = rule.from === null || said ? null : input.peers.addressesOf(rule.from);
    if (addresses !== null && addresses.length === 0) {
      notes.push({
        severity: 'warning',
        code: 'no-peers',
        text: `extra rule ${rule.name} opens nothing: ${listed(rule.from!)} have no known address`,
      });
      continue;
    }
    const reason: Reason = {
      kind: 'extra-rule',
      name: rule.name,
      owner: rule.owner,
      text: rule.reason,
      expires: rule.expires,
    };
    for (const range of rule.ports) {
      openings.push({
        owner: { kind: 'extra', name: rule.name, title: rule.reason },
        interface: rule.interface,
        protocol: rule.protocol,
        range,
        helper: null,
        sources:
          addresses === null
            ? { kind: 'any' }
            : {
                kind: 'set',
                label: 'from',
                stem: `extra-${slug(rule.name)}`,
                identity: `extra ${rule.name}`,
                addresses,
                reason,
              },
        narrowing: {
          line: `from: [NETWORKS] in the extra rule ${rule.name}`,
          anyone: `from: [any] in the extra rule ${rule.name}`,
          said,
        },
        reason,
      });
    }
  }
  return { openings, notes, refusals };
}

function openRule(
  input: OpeningsInput,
  role: MatrixRole,
  written: MatrixRule,
  openings: Opening[],
  notes: PolicyNote[],
): void {
  const { rule, interface: side } = standingRule(written, role, input.matrix, input.settings, input.privateMode);
  const sources = sourcesOf(rule, input.matrix, input.settings, input.peers);
  if (sources.kind === 'set' && sources.addresses.length === 0) {
    notes.push(opensNothing(rule, input));
    return;
  }
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
  if (rule.port.kind === 'range') {
    openings.push({ ...opening, range: rule.port.range });
    return;
  }
  const ports = rpcPorts(rule.port.program, rule.protocol, input.facts.rpc);
  if (ports.length === 0) {
    notes.push({
      severity: 'warning',
      code: 'rpc-unregistered',
      text: `${rule.id} opens nothing: the host's portmapper does not know ${rule.port.program} over ${rule.protocol}`,
    });
  }
  for (const port of ports) openings.push({ ...opening, range: { first: port, last: port } });
}

/** What is said of a rule that nobody may use: of whom no address is known, and where to name them. */
function opensNothing(rule: MatrixRule, { matrix, settings, peers }: OpeningsInput): PolicyNote {
  const note = (why: string): PolicyNote => ({
    severity: 'warning',
    code: 'no-peers',
    text: `${rule.id} opens nothing: ${why}`,
  });
  const set = matrix.peers.get(rule.from);
  const narrowed = allowSelector(rule, settings.allowFrom) !== null;
  if (set === undefined || (narrowed && peers.peerSet(set).addresses.length > 0))
    return note('portfw_allow_from leaves nobody whose address is known');
  const declare =
    set.roles.length > 1 ? `give the hosts that play ${set.roles.join(', ')} their portfw_roles, or ` : '';
  return note(`no address is known for "${set.name}"; ${declare}name its machines in portfw_peers`);
}
