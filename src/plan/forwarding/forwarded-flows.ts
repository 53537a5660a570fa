import { oneAddress } from '../../core/address-ranges.ts';
import { addressFamily } from '../../core/addresses.ts';
import type { Protocol } from '../../core/ports.ts';
import type { HostFacts } from '../../facts/facts.ts';
import { interfacesTowards } from '../routes.ts';

/** A kind of established flows that the host forwards. */
export interface ForwardedFlow {
  readonly from: string;
  readonly to: string;
  readonly family: 'ipv4' | 'ipv6';
  readonly protocol: Protocol;
  readonly opener: string;
  readonly address: string;
  readonly port: number;
}

/** At most so many kinds of flows are evaluated: each is compared with all rules. */
const MOST_FLOWS = 200;

/** The flows that the host forwards, with the interfaces by which its routes lead to their ends. */
export function forwardedFlows(
  facts: Pick<HostFacts, 'interfaces' | 'flows'> & Partial<Pick<HostFacts, 'routeTable'>>,
): readonly ForwardedFlow[] {
  const own = new Set(facts.interfaces.flatMap(({ addresses }) => addresses.map(({ address }) => address)));
  const towards = (address: string, family: ForwardedFlow['family']) => {
    const [way] = interfacesTowards(facts, oneAddress(address, family), family);
    return way?.interfaces.length === 1 ? way.interfaces[0] : undefined;
  };
  const found = (facts.flows?.kinds ?? []).flatMap((kind): ForwardedFlow[] => {
    const { protocol, opener } = kind;
    const { address, port } = kind.forwardedTo ?? kind;
    const family = addressFamily(address);
    if (family === null || own.has(opener) || own.has(address)) return [];
    const [from, to] = [towards(opener, family), towards(address, family)];
    if (from === undefined || to === undefined || from === to) return [];
    return [{ from, to, family, protocol, opener, address, port }];
  });
  return found.slice(0, MOST_FLOWS);
}
