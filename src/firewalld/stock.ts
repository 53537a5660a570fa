import { compareVersions } from '../facts/version.ts';
import type { ServiceConfig } from './kinds/service.ts';
import { EMPTY_ZONE, type ZoneConfig } from './kinds/zone.ts';

/**
 * The zones that every firewalld is installed with, as far as they let SSH in. The facts hold a built-in zone only while it is
 * in use, and a plan or a boot can bring another one into use.
 */
const STOCK: Readonly<Record<string, Partial<ZoneConfig>>> = {
  block: { target: '%%REJECT%%' },
  dmz: { services: ['ssh'] },
  drop: { target: 'DROP' },
  external: { services: ['ssh'] },
  home: { services: ['ssh'] },
  internal: { services: ['ssh'] },
  public: { services: ['ssh'] },
  trusted: { target: 'ACCEPT' },
  work: { services: ['ssh'] },
};

/** The default zone after an installation. */
export const STOCK_DEFAULT_ZONE = 'public';

/** A built-in zone as it comes; `undefined` when firewalld has none of that name. */
export function stockZone(name: string): ZoneConfig | undefined {
  const found = Object.hasOwn(STOCK, name) ? STOCK[name] : undefined;
  return found === undefined ? undefined : { ...EMPTY_ZONE, ...found, name, short: '', description: '' };
}

/** The built-in service `ssh`: port 22, unless a file below /etc/firewalld says otherwise. */
export const STOCK_SSH: ServiceConfig = {
  name: 'ssh',
  short: 'SSH',
  description: '',
  ports: [{ protocol: 'tcp', range: { first: 22, last: 22 } }],
  protocols: [],
  sourcePorts: [],
  helpers: [],
  modules: [],
  includes: [],
  destination: { ipv4: null, ipv6: null },
};

/**
 * The order in which a version of firewalld evaluates zones and policies:
 *
 * - `drifting`: 0.x with AllowZoneDrifting: a zone bound to the source that does not decide leaves it to the interface's zone
 * - `0`: 0.x without: only one zone is evaluated; policies are before and after all zones
 * - `1`: only one zone; policies are before and after a zone's rules, but before its target
 * - `2`: as 1, zones with a lower ingress priority are evaluated first, and a policy only for its own ingress zones
 */
export type Dispatch = 'drifting' | '0' | '1' | '2';

/** How a version of firewalld asks. */
export function dispatchOf(version: string, zoneDrifting: boolean): Dispatch {
  if (compareVersions(version, '2.0') >= 0) return '2';
  if (compareVersions(version, '1.0') >= 0) return '1';
  return zoneDrifting ? 'drifting' : '0';
}

/** A value of firewalld.conf, the last one if it is there twice, as the daemon reads it; `null` when it is not set. */
export function confValue(text: string, key: string): string | null {
  let found: string | null = null;
  for (const line of text.split('\n')) {
    const match = /^\s*([A-Za-z0-9_]+)\s*=\s*(.*?)\s*$/.exec(line);
    if (match !== null && match[1] === key) found = match[2]!;
  }
  return found === '' ? null : found;
}

/** Whether a reload keeps what is bound and listed at runtime (`FlushAllOnReload=no`): interfaces, and entries of ipsets. */
export function keepsOnReload(files: readonly { readonly path: string; readonly text: string }[]): boolean {
  const conf = files.find(({ path }) => path === 'firewalld.conf')?.text ?? '';
  return ['no', 'false'].includes(confValue(conf, 'FlushAllOnReload')?.toLowerCase() ?? '');
}
