import type { InterfaceFacts } from '../../facts/facts.ts';

/** An interface with the addresses at which it is reached. */
export interface Side {
  readonly name: string;
  readonly addresses: readonly string[];
  readonly linkLocal: readonly string[];
}

function sideOf({ name, addresses }: InterfaceFacts): Side {
  const all = addresses.map(({ address }) => address);
  const linkLocal = all.filter((address) => /^fe[89ab][0-9a-f]:|^169\.254\./.test(address));
  return { name, addresses: all.filter((address) => !linkLocal.includes(address)), linkLocal };
}

/** The interfaces that are up, without loopback, in the order of the facts. */
export function sidesOf(interfaces: readonly InterfaceFacts[]): Side[] {
  return interfaces.filter((item) => item.up && !item.loopback).map(sideOf);
}
