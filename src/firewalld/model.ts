import type { PortRange } from '../core/ports.ts';

/** A port or range with its protocol, as firewalld's zones and services hold them. */
export interface PortProtocol {
  readonly protocol: string;
  readonly range: PortRange;
}

/** Every portfw object on a host has a name that begins with this. portfw changes and deletes no other one. */
export const OUR_PREFIX = 'portfw-';

/** Whether an object of this name is ours. */
export function isOurs(name: string): boolean {
  return name.startsWith(OUR_PREFIX);
}
