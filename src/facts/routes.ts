import { readHostAddress, readPort } from './addresses.ts';
import type { CarrierFacts, DefaultRoute, RouteTable } from './facts.ts';
import { shortName, Unreadable } from './unreadable.ts';

/**
 * `ip -o route show table all default`, each line after the name of its family. Routes without a target
 * (`unreachable`, `blackhole`) are ignored; a route over several interfaces counts for each. Sorted.
 */
export function parseDefaultRoutes(lines: readonly string[]): readonly DefaultRoute[] {
  const found = new Map<string, DefaultRoute>();
  for (const line of lines) {
    const [, family, rest = ''] = /^(ipv4|ipv6) default\b(.*)$/.exec(line) ?? [];
    if (family !== 'ipv4' && family !== 'ipv6') continue;
    const table = shortName(/\stable (\S+)/.exec(rest)?.[1] ?? 'main', 64);
    for (const [, name = ''] of rest.matchAll(/\sdev (\S+)/g)) {
      const route: DefaultRoute = { family, interface: shortName(name, 64), table };
      found.set(`${family} ${table} ${route.interface}`, route);
    }
  }
  return [...found].sort(([a], [b]) => compareText(a, b)).map(([, route]) => route);
}

/**
 * The main table of both families (`ip -o route show`, each line after the name of its family), `policies` if other rules
 * than the usual ones choose a table, `cut` if there were more. Routes without a target are ignored.
 */
export function parseRouteTable(lines: readonly string[]): RouteTable {
  const routes = new Map<string, RouteTable['routes'][number]>();
  for (const line of lines) {
    const [, family, target = '', rest = ''] = /^(ipv4|ipv6) (?:unicast )?(\S+)(.*)$/.exec(line) ?? [];
    const destination = family === undefined ? null : networkOf(target, family === 'ipv4' ? 32 : 128);
    if (destination === null) continue;
    for (const [, name = ''] of rest.matchAll(/\sdev (\S+)/g)) {
      const route = { destination, interface: shortName(name, 64) };
      routes.set(`${destination} ${route.interface}`, route);
    }
  }
  return { routes: [...routes.values()], policies: lines.includes('policies'), cut: lines.includes('cut') };
}

/** `default`, `192.0.2.0/24`, `192.0.2.7` as a network; `null` for anything else, such as `unreachable`. */
function networkOf(text: string, full: number): string | null {
  if (text === 'default') return full === 32 ? '0.0.0.0/0' : '::/0';
  const [address = '', prefix = String(full)] = text.split('/');
  const parsed = readHostAddress(address);
  if (parsed === null || !/^\d{1,3}$/.test(prefix) || Number(prefix) > full) return null;
  return (parsed.family === 'ipv4') === (full === 32) ? `${parsed.address}/${prefix}` : null;
}

/** `tun0 udp 1194`: the ports of tunnels that end on the host. Throws `Unreadable`. */
export function parseCarriers(lines: readonly string[]): readonly CarrierFacts[] {
  const found = new Map<string, CarrierFacts>();
  for (const line of lines) {
    const [, name = '', protocol, text = ''] = /^(\S{1,64}) (tcp|udp) (\d{1,5})$/.exec(line) ?? [];
    const port = readPort(text);
    if ((protocol !== 'tcp' && protocol !== 'udp') || port === null)
      throw new Unreadable('carriers', 'a line is not the port of a tunnel');
    if (port > 0) found.set(line, { interface: shortName(name, 64), protocol, port });
  }
  return [...found.values()];
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
