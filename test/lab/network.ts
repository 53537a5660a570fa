import { createHash } from 'node:crypto';
import type { Docker } from './engine.ts';
import { session } from './owner.ts';
import type { Say } from './say.ts';

/** Marks every container and network of a lab; its value is the process that owns it. */
export const OWNER_LABEL = 'portfw.lab.owner';

/** Names the lab that a network belongs to. */
export const LAB_LABEL = 'portfw.lab.id';

export type Side = 'public' | 'private';
export const SIDES: readonly Side[] = ['public', 'private'];

/** One of the two Docker networks of a lab. */
export interface LabNetwork {
  readonly side: Side;
  readonly id: string;
  readonly name: string;
  /** In CIDR notation. */
  readonly subnet: string;
  /** In CIDR notation; `null` where the engine gives no IPv6. */
  readonly subnet6: string | null;
}

/** An address on one network; `v6` is `null` where the engine gives no IPv6. */
export interface Address {
  readonly v4: string;
  readonly v6: string | null;
}

/**
 * Makes the public (198.18.N.0/24) and the private network (198.19.N.0/24) of a lab, with IPv6 (2001:db8:18:N::/64 and
 * 2001:db8:19:N::/64) where the engine can. N depends on the lab's name and moves on until it is free.
 */
export async function createNetworks(
  docker: Docker,
  say: Say,
  lab: string,
): Promise<{ readonly id: string; readonly networks: Readonly<Record<Side, LabNetwork>> }> {
  const first = createHash('sha256').update(`${lab} ${process.pid}`).digest()[0] ?? 0;
  let ipv6 = true;
  for (let step = 0; step < 256; step++) {
    const number = (first + step) % 256;
    const id = `${lab}-${number}`;
    const made: LabNetwork[] = [];
    try {
      for (const side of SIDES) made.push(await createNetwork(docker, id, side, number, ipv6));
      const [outside, inside] = made as [LabNetwork, LabNetwork];
      return { id, networks: { public: outside, private: inside } };
    } catch (error) {
      for (const network of made) await docker.getNetwork(network.id).remove();
      const message = String(error);
      if (/overlap|already exists|in use/i.test(message)) continue;
      if (ipv6) {
        say(`this engine gives no IPv6 networks (${message}); going on with IPv4 alone`);
        ipv6 = false;
        step--;
        continue;
      }
      throw error;
    }
  }
  throw new Error('All 256 subnets for labs are taken. Remove old networks: docker network prune.');
}

async function createNetwork(
  docker: Docker,
  lab: string,
  side: Side,
  number: number,
  ipv6: boolean,
): Promise<LabNetwork> {
  const block = side === 'public' ? 18 : 19;
  const subnet = `198.${block}.${number}.0/24`;
  const subnet6 = `2001:db8:${block}:${number.toString(16)}::/64`;
  // Docker routes by the network whose name comes first. A host's way out is on the public side, as in life.
  const name = `portfw-${lab}-${side === 'public' ? 'a-public' : 'b-private'}`;
  const network = await docker.createNetwork({
    Name: name,
    CheckDuplicate: true,
    EnableIPv6: ipv6,
    IPAM: { Driver: 'default', Config: [{ Subnet: subnet }, ...(ipv6 ? [{ Subnet: subnet6 }] : [])] },
    Labels: { [OWNER_LABEL]: session(), [LAB_LABEL]: lab },
  });
  return { side, id: network.id, name, subnet, subnet6: ipv6 ? subnet6 : null };
}

/** The address of a machine on a network, by its number (2 to 254; Docker itself holds 1). */
export function addressOn(network: LabNetwork, machine: number): Address {
  return {
    v4: network.subnet.replace('0/24', String(machine)),
    v6: network.subnet6 === null ? null : network.subnet6.replace('::/64', `::${machine.toString(16)}`),
  };
}
