import ipaddr from 'ipaddr.js';
import { type AddressFamily, addressFamily } from '../core/addresses.ts';

export interface HostAddress {
  readonly address: string;
  readonly family: AddressFamily;
}

/**
 * An address that a host printed, normalised (dotted decimal, RFC 5952), or `null` for anything else. A zone (`%eth0`) is
 * dropped; an IPv4-mapped IPv6 address becomes the IPv4 address.
 */
export function readHostAddress(text: string): HostAddress | null {
  const bare = text.replace(/%[^%]*$/, '');
  const family = addressFamily(bare);
  if (family !== 'ipv6') return family === null ? null : { address: bare, family };
  const parsed = ipaddr.IPv6.parse(bare);
  if (parsed.isIPv4MappedAddress()) return { address: parsed.toIPv4Address().toString(), family: 'ipv4' };
  return { address: parsed.toRFC5952String(), family };
}

/** Whether only the host itself can reach a socket with this local address. */
export function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}

/** A port number written in decimal, 1 to 65535, or `null`. */
export function readPort(text: string): number | null {
  if (!/^[1-9]\d{0,4}$/.test(text)) return null;
  const port = Number(text);
  return port <= 65535 ? port : null;
}
