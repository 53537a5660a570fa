import { createHash } from 'node:crypto';
import { OUR_PREFIX } from '../firewalld/model.ts';
import type { InterfaceClass } from '../settings/settings-types.ts';

/** firewalld's limit for zone names, which become parts of chain names. */
export const MAX_ZONE_NAME = 17;
/** The kernel's limit for set names is 31 characters. */
const MAX_IPSET_NAME = 31;
const MAX_SERVICE_NAME = 48;

const SHORT_CLASS: Readonly<Record<InterfaceClass, string>> = {
  public: 'pub',
  private: 'priv',
  vip: 'vip',
  control: 'ctl',
};
const CLASS_ORDER: readonly InterfaceClass[] = ['public', 'private', 'control', 'vip'];

/** `portfw-public`; an interface that serves several classes gets one zone for them all: `portfw-pub-ctl`. */
export function zoneName(classes: ReadonlySet<InterfaceClass>): string {
  const ordered = CLASS_ORDER.filter((name) => classes.has(name));
  const long = OUR_PREFIX + ordered.join('-');
  if (ordered.length === 1) return long;
  const short = OUR_PREFIX + ordered.map((name) => SHORT_CLASS[name]).join('-');
  return short.length <= MAX_ZONE_NAME ? short : `${OUR_PREFIX}mix-${digest(short, 4)}`;
}

/** Names of one kind of object on one host, each given to one thing only. */
export class UniqueNames {
  readonly #held = new Map<string, string>();

  /**
   * The name, or one with a digest at its end when something else has it already: names are shortened and lose what
   * firewalld does not take, and two things with the same name would also share their sources.
   *
   * @param identity the full identity of the named thing
   */
  take(name: string, identity: string): string {
    const holder = this.#held.get(name);
    if (holder === undefined) this.#held.set(name, identity);
    if (holder === undefined || holder === identity) return name;
    return `${name.slice(0, MAX_IPSET_NAME - 2 - 7)}-${digest(identity, 6)}`;
  }
}

/** `portfw-web-admin-public`, with what tells several services of one role and class apart at the end. */
export function serviceName(role: string, interfaceClass: string, suffix: string | null): string {
  return bounded(`${OUR_PREFIX}${role}-${interfaceClass}${suffix === null ? '' : `-${suffix}`}`, MAX_SERVICE_NAME);
}

/** The name of an ipset; the one for IPv6 ends in `-6`. */
export function ipsetName(stem: string, family: 'ipv4' | 'ipv6'): string {
  const tail = family === 'ipv6' ? '-6' : '';
  return bounded(`${OUR_PREFIX}${stem}`, MAX_IPSET_NAME - 2) + tail;
}

/** `portfw-extra-ssh-22`: the service of one of the inventory's extra rules. */
export function extraServiceName(name: string): string {
  return bounded(`${OUR_PREFIX}extra-${slug(name)}`, MAX_SERVICE_NAME);
}

/** Whether a name is that of a service of a role and class, with whatever suffix. */
export function isServiceOf(name: string, role: string, interfaceClass: string): boolean {
  const whole = `${OUR_PREFIX}${role}-${interfaceClass}`;
  const cut = whole.slice(0, MAX_SERVICE_NAME - 7);
  return name === serviceName(role, interfaceClass, null) || name.startsWith(`${cut}-`);
}

/** Lower-case letters, digits and hyphens only. */
export function slug(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');
}

function bounded(name: string, limit: number): string {
  return name.length <= limit ? name : `${name.slice(0, limit - 7)}-${digest(name, 6)}`;
}

function digest(text: string, length: number): string {
  return createHash('sha256').update(text).digest('hex').slice(0, length);
}
