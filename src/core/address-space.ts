import { contains, type Network, parseNetwork } from './addresses.ts';

const networks = (texts: readonly string[]): readonly Network[] => texts.flatMap((text) => parseNetwork(text) ?? []);

/** Address space that is not routed on the internet. */
const PRIVATE_SPACE = networks([
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
  '169.254.0.0/16',
  '127.0.0.0/8',
  'fc00::/7',
  'fe80::/10',
  '::1/128',
]);
/** Made for documentation and for measurements: neither kind. */
const EXAMPLE_SPACE = networks([
  '192.0.2.0/24',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '198.18.0.0/15',
  '2001:db8::/32',
  '3fff::/20',
]);

/**
 * Which kind of address space a network lies in: `private` (RFC 1918, carrier-grade NAT, unique local, link-local), `example`
 * (made for documentation or measurements, which says nothing about a side), or `global`: everything else.
 */
export function addressSpace(network: Network): 'private' | 'example' | 'global' {
  if (PRIVATE_SPACE.some((one) => contains(one, network))) return 'private';
  return EXAMPLE_SPACE.some((one) => contains(one, network)) ? 'example' : 'global';
}
