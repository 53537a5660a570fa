import { type AddressRanges, EVERY_ADDRESS, oneAddress, subtract } from '../../core/address-ranges.ts';
import { addressFamily } from '../../core/addresses.ts';
import type { Filter } from '../../firewalld/filter/dispatch.ts';
import { passage } from '../../firewalld/filter/passage.ts';
import type { Approach } from '../../firewalld/filter/rules.ts';
import type { ForwardPort, Probe, Way } from './forwarding-openings.ts';

type Family = 'ipv4' | 'ipv6';

/** A flow from any address, or from one, through a host. */
export interface Through extends Way {
  readonly family: Family;
  readonly probe: Probe;
  readonly opener?: string;
}

/** The sources of a flow through the host that the kernel's rules accept; `null` if the rules are not known. */
function passed(filter: Filter, { from, to, family, probe, opener }: Through): AddressRanges | null {
  const { kernel } = filter;
  if (kernel === undefined) return null;
  const sources = opener === undefined ? EVERY_ADDRESS[family] : oneAddress(opener, family);
  return kernel.rules.passage(
    {
      direction: 'forward',
      interface: from,
      outInterface: to,
      family,
      protocol: probe.protocol,
      port: probe.port,
      sourcePort: null,
      sources,
      destination: probe.destination,
      state: 'new',
      local: kernel.addresses,
      route: kernel.route,
    },
    false,
  ).accepted;
}

/** Whether a probe is about packets of a family. */
export function isAbout({ family, destination }: Probe, asked: Family): boolean {
  const own = family ?? (destination === '' ? null : addressFamily(destination));
  return own === null || own === asked;
}

/** `passes`: it passed before and does still. `never`: it did not pass before. */
export type Fate = 'passes' | 'stops' | 'never';

/** What happens to a flow, by the kernel's rules; `null` if they are not known on both sides. */
export function fateOf(through: Through, before: Filter, after: Filter): Fate | null {
  const now = passed(before, through);
  if (now?.length === 0) return 'never';
  const then = passed(after, through);
  if (now === null || then === null) return null;
  return subtract(now, then).length > 0 ? 'stops' : 'passes';
}

/** Which new rule refuses a flow, as the end of a sentence. */
export function refusalOf({ from, to, family, probe, opener }: Through, after: Filter): string {
  const [refusal] = passage(
    after,
    {
      family,
      sources: opener === undefined ? EVERY_ADDRESS[family] : oneAddress(opener, family),
      interface: from,
      outInterface: to,
      destination: probe.destination,
      protocol: probe.protocol === 'udp' ? 'udp' : 'tcp',
      port: probe.port ?? 1,
    },
    false,
  ).refused;
  if (refusal === undefined) return 'no rule lets it through';
  return refusal.kind === 'rule' ? `${refusal.owner}: ${refusal.what}` : `${refusal.kind} ${refusal.owner} refuses it`;
}

/** What happens to a forward port at an address of the host; as {@link fateOf}. */
export function fateOfPort(
  { port, protocol }: ForwardPort,
  at: { readonly interface: string; readonly address: string; readonly family: Family },
  before: Filter,
  after: Filter,
): Fate | null {
  const led = (filter: Filter): AddressRanges | null => {
    if (filter.kernel === undefined || (protocol !== 'tcp' && protocol !== 'udp')) return null;
    const { family, address: destination } = at;
    const sources = EVERY_ADDRESS[family];
    const approach: Approach = {
      family,
      sources,
      interface: at.interface,
      destination,
      protocol,
      port: Number.parseInt(port, 10),
    };
    const found = passage(filter, approach, false).diverted.filter(({ local }) => !local);
    return found[0]?.accepted ?? [];
  };
  const now = led(before);
  if (now?.length === 0) return 'never';
  const then = led(after);
  if (now === null || then === null) return null;
  return subtract(now, then).length > 0 ? 'stops' : 'passes';
}
