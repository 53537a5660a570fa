import type { Loss } from '../policy/loss-types.ts';

/** Why something goes, without the word "because". */
export function lossText(loss: Loss): string {
  switch (loss.kind) {
    case 'role-gone': {
      const more = loss.remembered ? ' any more' : '';
      const declared = loss.declared ? ': portfw_roles does not name it' : '';
      return `role "${loss.role}" is not played${more}${declared}`;
    }
    case 'role-not-in-matrix':
      return `matrix ${loss.matrix} has no role "${loss.role}"${beforeText(loss.before)}`;
    case 'row-gone': {
      const what = loss.ports.length === 0 ? '' : ` for ${loss.ports.join(', ')}`;
      return `matrix ${loss.matrix} has no row${what} of role "${loss.role}" on the ${loss.side} side${beforeText(loss.before)}`;
    }
    case 'feature-off':
      return `feature ${loss.feature} is off${portsText(loss.ports)}`;
    case 'expired':
      return `extra rule "${loss.name}" expired on ${loss.expires} (owner: ${loss.owner})`;
    case 'extra-rule-gone':
      return `the inventory has no extra rule "${loss.name}"`;
    case 'extra-rule-changed':
      return `extra rule "${loss.name}" does not list ${loss.ports.length === 0 ? 'it' : loss.ports.join(', ')}`;
    case 'narrowed':
      return `narrowed by ${loss.by} (${loss.to})`;
    case 'not-narrowed':
      return `nothing here is limited to ${loss.by}`;
    case 'replaced':
      return `service ${loss.service} opens it now, to ${loss.to ?? 'anybody'}`;
    case 'no-peers':
      return `no address is known of ${loss.of}`;
    case 'peers-gone':
      return `what is removed is not in ${loss.of}`;
    case 'peer-set-gone':
      return `matrix ${loss.matrix} has no such peer set${beforeText(loss.before)}`;
    case 'side-moved':
      return `${loss.what} is on the ${loss.side} side${loss.by === null ? '' : ` (${loss.by})`}`;
    case 'side-gone':
      return `no interface of the host is ${loss.sides.join(' and ')}`;
    case 'sides-joined':
      return `no interface of the host is ${loss.sides.join(' and ')} and nothing else`;
    case 'vip-gone':
      return `portfw_vips does not list ${loss.address}`;
    case 'rpc-moved':
      return loss.ports.length === 0
        ? `the host's portmapper does not know ${loss.program} over ${loss.protocol}`
        : `the host's portmapper has ${loss.program} on ${loss.ports.map((port) => `${port}/${loss.protocol}`).join(', ')}`;
    case 'helper-missing':
      return `the kernel has no conntrack helper ${loss.helper}`;
    case 'no-cluster':
      return 'the host is in no cluster whose members are not filtered';
    case 'target-default':
      return `portfw_zone_target is default for ${loss.sides.join(' and ')}`;
    case 'interface-unmapped':
      return loss.there
        ? `portfw_interfaces does not select ${loss.interface}`
        : `the host has no interface ${loss.interface}, and portfw_interfaces does not name it`;
    case 'other-zone':
      return `it belongs to zone ${loss.zones.join(', ')}`;
    case 'by-hand':
      return 'it was added by hand: portfw writes no such thing';
    case 'unknown':
      return `it is not in matrix ${loss.matrix} or in the inventory; what added it is not known`;
  }
}

function beforeText(matrix: string | null): string {
  return matrix === null ? '' : `; the last run used matrix ${matrix}`;
}

function portsText(ports: readonly string[]): string {
  return ports.length === 0 ? '' : ` (${ports.join(', ')})`;
}
