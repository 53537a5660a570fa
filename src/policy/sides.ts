import { addressSpace } from '../core/address-space.ts';
import { type AddressFamily, parseAddress } from '../core/addresses.ts';
import type { CodedFault } from '../core/failure.ts';
import type { DefaultRoute, HostFacts, InterfaceFacts } from '../facts/facts.ts';
import type { PrivateMode } from '../settings/settings-types.ts';
import type { PolicyNote } from './desired.ts';
import { type InterfaceMap, interfacesOf } from './interfaces.ts';

/** What the comparison of a host's two sides needs to know. */
export interface SidesInput {
  readonly map: Pick<InterfaceMap, 'interfaces'>;
  readonly facts: Pick<HostFacts, 'interfaces' | 'defaultRoutes'>;
  readonly mode: PrivateMode;
  /** `portfw_sides_checked`: somebody has looked, and it is right. */
  readonly checked: boolean;
}

const FAMILIES = ['ipv4', 'ipv6'] as const;
const NAMES: Readonly<Record<AddressFamily, string>> = { ipv4: 'IPv4', ipv6: 'IPv6' };
const QUESTION = 'are public and private mixed up?';

/**
 * Whether the inventory calls the internet's side private: what it says, held against default routes and addresses.
 *
 * Certain is a private interface that the internet reaches by a default route and an address of its own, or one with such an
 * address where the public interface has none. That is a refusal where the side is trusted as a whole, and a warning where
 * it is not. A default route or an address alone may be meant (a host behind a NAT gateway of its site): a warning.
 */
export function mixedUpSides(input: SidesInput): {
  readonly refusals: readonly CodedFault[];
  readonly notes: readonly PolicyNote[];
} {
  const publics = named(input, interfacesOf(input.map, 'public'));
  const refusals: CodedFault[] = [];
  const notes: PolicyNote[] = [];
  const note = (severity: PolicyNote['severity'], text: string) =>
    notes.push({ severity, code: 'sides-mixed-up', text });
  const trusted = input.mode === 'trusted';
  for (const item of named(input, interfacesOf(input.map, 'private'))) {
    // An interface that is public too is refused elsewhere: it cannot be trusted.
    if (publics.some(({ name }) => name === item.name)) continue;
    const routes = (input.facts.defaultRoutes ?? []).filter((route) => route.interface === item.name);
    const certain = FAMILIES.flatMap((family) => contradiction(item, family, routes, publics) ?? [])[0];
    const subject = `${item.name}, which is private${trusted ? ' and trusted as a whole' : ''}, `;
    if (certain !== undefined && input.checked) {
      note('info', `${subject}${certain}; the inventory says that this is right (portfw_sides_checked)`);
    } else if (certain !== undefined && trusted) {
      refusals.push({
        code: 'sides-mixed-up',
        what: `${QUESTION} ${subject}${certain}: everybody there could reach every port`,
        solve:
          'if they are, correct portfw_interfaces; if not, write portfw_private: peers (or matrix), or portfw_sides_checked: true if everything that arrives there may be trusted',
      });
    } else if (certain !== undefined) {
      note('warning', `${QUESTION} ${subject}${certain}`);
    } else if (trusted && !input.checked) {
      const doubt = doubtful(item, routes, publics);
      if (doubt !== null)
        note('warning', `${QUESTION} ${subject}${doubt}; if it is right, set portfw_sides_checked: true`);
    }
  }
  return { refusals, notes };
}

function named({ facts }: SidesInput, names: readonly string[]): InterfaceFacts[] {
  return facts.interfaces.filter((item) => names.includes(item.name));
}

type Space = ReturnType<typeof addressSpace>;

/** The addresses of a family by their space, without those that no router passes on. */
function addressesOf(items: readonly InterfaceFacts[], family: AddressFamily): { address: string; space: Space }[] {
  return items.flatMap((item) =>
    item.addresses.flatMap(({ address, family: own }) => {
      const network = parseAddress(address);
      const isLocal = /^(?:fe[89ab]|169\.254\.)/.test(address);
      return own !== family || network === null || isLocal ? [] : [{ address, space: addressSpace(network) }];
    }),
  );
}

function contradiction(
  item: InterfaceFacts,
  family: AddressFamily,
  routes: readonly DefaultRoute[],
  publics: readonly InterfaceFacts[],
): string | null {
  const own = addressesOf([item], family);
  const outside = addressesOf(publics, family);
  const onlyPrivate = outside.length > 0 && outside.every(({ space }) => space === 'private');
  const others = `while ${publics.map(({ name }) => name).join(', ')}, which is public, has private addresses only`;
  const ofFamily = routes.filter((route) => route.family === family);
  const reachable = own.find(({ space }) => space === 'global');
  // An address for documentation means nothing alone. Next to a public side that has only private addresses it counts.
  const shown = reachable ?? own.find(({ space }) => space === 'example');
  if (ofFamily.length > 0 && reachable !== undefined)
    return `has the ${NAMES[family]} default route and the address ${reachable.address}, which the internet can reach`;
  if (onlyPrivate && shown !== undefined && ofFamily.some(isMain))
    return `has the ${NAMES[family]} default route and the address ${shown.address}, ${others}`;
  if (onlyPrivate && reachable !== undefined)
    return `has the address ${reachable.address}, which the internet can reach, ${others}`;
  return null;
}

/** Where no interface is public, a private one must have the default route: that is no reason for doubt. */
function doubtful(
  item: InterfaceFacts,
  routes: readonly DefaultRoute[],
  publics: readonly InterfaceFacts[],
): string | null {
  const families = FAMILIES.filter((family) => routes.some((route) => route.family === family && isMain(route)));
  if (families.length > 0 && publics.length > 0)
    return `has the default route (${families.map((family) => NAMES[family]).join(' and ')})`;
  const reachable = FAMILIES.flatMap((family) => addressesOf([item], family)).find(({ space }) => space === 'global');
  return reachable === undefined ? null : `has the address ${reachable.address}, which the internet could reach`;
}

/** Other tables hold routes for some flows only, such as the answers to what came in there. */
function isMain({ table }: DefaultRoute): boolean {
  return table === 'main' || table === '254';
}
