import { parseNetwork } from '../core/addresses.ts';
import { formatPortRange, type PortRange, type Protocol } from '../core/ports.ts';
import type { PolicyNote } from './desired.ts';
import { type InterfaceMap, interfacesOf } from './interfaces.ts';
import type { Opening } from './openings.ts';
import { isPublicSide } from './sources.ts';

/** A service that should not be open to the whole internet: it is for administration, in clear text, or a database. */
export interface DoubtfulService {
  readonly name: string;
  readonly protocols: readonly Protocol[];
  readonly ports: readonly PortRange[];
}

const service = (name: string, protocols: readonly Protocol[], first: number, last = first): DoubtfulService => ({
  name,
  protocols,
  ports: [{ first, last }],
});

/** The services of the vendors' tables that cause a warning when they are open to anybody. */
export const DOUBTFUL_SERVICES: readonly DoubtfulService[] = [
  service('FTP', ['tcp'], 20, 21),
  service('SSH', ['tcp'], 22),
  service('Telnet', ['tcp'], 23),
  service('TFTP', ['udp'], 69),
  service('the portmapper', ['tcp', 'udp'], 111),
  service('SNMP', ['tcp', 'udp'], 161, 162),
  service('Oracle Enterprise Manager', ['tcp'], 1158),
  service('MySQL', ['tcp'], 3306, 3307),
  // One port for each display; the print has the first.
  service('VNC', ['tcp'], 5900, 5909),
  service('the monitoring web interface', ['tcp'], 8700),
  service('the Oracle database', ['tcp'], 9521),
];

/** The doubtful services that a range of ports holds, in whole or in part. */
export function doubtfulServices(protocol: string, range: PortRange): readonly DoubtfulService[] {
  return DOUBTFUL_SERVICES.filter(
    ({ protocols, ports }) =>
      protocols.some((one) => one === protocol) &&
      ports.some(({ first, last }) => first <= range.last && range.first <= last),
  );
}

/** Whether sources are every address of a family. */
export function isEveryone(addresses: readonly string[]): boolean {
  return addresses.some((text) => parseNetwork(text)?.prefix === 0);
}

/**
 * Doubts about a host's plan: each administrative, clear-text or database service that strangers can reach, once, with
 * the line of the inventory that narrows it. An interface that serves several classes is public when one of them is.
 */
export function openToAll(openings: readonly Opening[], map: InterfaceMap): PolicyNote[] {
  const doubts = new Map<DoubtfulService, Opening[]>();
  for (const opening of openings) {
    const { sources, narrowing, protocol, range } = opening;
    const everyone = sources.kind === 'any' || isEveryone(sources.addresses);
    if (!everyone || narrowing.said || !reachedByStrangers(opening, map)) continue;
    for (const one of doubtfulServices(protocol, range)) doubts.set(one, [...(doubts.get(one) ?? []), opening]);
  }
  return [...doubts].map(([{ name }, found]) => {
    const each = (text: (opening: Opening) => string): string => [...new Set(found.map(text))].join(', ');
    const ports = each(({ protocol, range }) => `${protocol}/${formatPortRange(range)}`);
    const rules = each(({ reason, owner }) => (reason.kind === 'rule' ? reason.rule : `extra rule ${owner.name}`));
    const lines = each(({ narrowing }) => narrowing.line);
    const anyone = each(({ narrowing }) => narrowing.anyone);
    return {
      severity: 'warning',
      code: 'open-to-all',
      text: `${name} (${ports}) is open to anybody on the public side, by ${rules}; narrow it with ${lines}, or say with ${anyone} that this is meant`,
    };
  });
}

function reachedByStrangers(opening: Opening, map: InterfaceMap): boolean {
  if (opening.interface === 'vip') return [...map.vips.values()].some((names) => names.length > 0);
  return interfacesOf(map, opening.interface).some((name) =>
    [...(map.interfaces.get(name)?.classes ?? [])].some(isPublicSide),
  );
}
