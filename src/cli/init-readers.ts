import { expandHostNames, MAX_HOSTS } from '../ansible/graph/host-names.ts';
import { parseAddress, parseSource } from '../core/addresses.ts';
import { InputError } from '../core/problem.ts';
import { shown } from '../core/shown.ts';
import { closest, suggestion } from '../core/suggest.ts';
import type { Playbook } from '../matrix/matrix.ts';
import { ANSIBLE_SCHEMAS, looksNumeric, PORTFW_SCHEMAS } from '../settings/schema.ts';
import type { InitHost, InitVip } from './init-text.ts';

/** What answers may refer to, and are checked against. */
export interface InitWorld {
  /** Hosts and groups of the inventory that is there; `null` for a new one. */
  readonly existing: InitNames | null;
  readonly playbooks: readonly string[];
  /** @throws InputError when there is no such playbook */
  loadPlaybook(reference: string): Playbook;
}

/** The names of an inventory. */
export interface InitNames {
  readonly hosts: ReadonlySet<string>;
  readonly groups: ReadonlySet<string>;
}

// Each reader gives a value, or a sentence that says what is wrong: at a question, it is asked again.

/** The name of a shipped playbook, or a path. */
export function readPlaybook(text: string, world: InitWorld): { playbook: string; loaded: Playbook } | string {
  if (text === '') return 'A playbook is needed';
  if (!text.includes('/') && !/\.ya?ml$/.test(text) && !world.playbooks.includes(text)) {
    const near = closest(text, world.playbooks);
    return `there is no shipped playbook ${shown(text)}; ${near === null ? `there are ${world.playbooks.join(', ')}` : `did you mean "${near}"?`}`;
  }
  const playbook = /\.ya?ml$/.test(text) && !text.includes('/') ? `./${text}` : text;
  try {
    return { playbook, loaded: world.loadPlaybook(playbook) };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const [first] = error.problems;
    const place = first?.location ?? null;
    return `${place === null ? '' : `${place.file}:${place.line}: `}${first?.what ?? 'the playbook cannot be read'}`;
  }
}

/** `[GROUP/]NAME[=ADDRESS]`, with commas between several. */
export function readHosts(text: string): { hosts: readonly InitHost[] } | string {
  const hosts: InitHost[] = [];
  const names = new Set<string>();
  const groups = new Set<string>();
  // A blank within a name is a mistake, and no second host.
  for (const part of text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')) {
    const host = readHost(part);
    if (typeof host === 'string') return host;
    for (const name of namesOf(host)) {
      if (names.has(name)) return `the host ${shown(name)} is named twice`;
      names.add(name);
    }
    if (host.group !== null) groups.add(host.group);
    hosts.push(host);
  }
  const both = [...groups].find((group) => names.has(group));
  if (both !== undefined) return `${shown(both)} is the name of a group and of a host: rename one of them`;
  return hosts.length === 0 ? 'A host is needed' : { hosts };
}

/** The names of a host, which may be a range. */
export function namesOf({ name }: Pick<InitHost, 'name'>): readonly string[] {
  const expanded = expandHostNames(name, MAX_HOSTS);
  return 'names' in expanded ? expanded.names : [name];
}

function readHost(text: string): InitHost | string {
  const [, group, name = '', address] = /^(?:([^/=]+)\/)?([^/=]+)(?:=(.+))?$/.exec(text) ?? [];
  if (name === '' || !/^[\w][\w.:[\]-]*$/.test(name))
    return `${shown(text)} is no host: write NAME, NAME=ADDRESS or GROUP/NAME=ADDRESS`;
  if (group !== undefined && (!/^[A-Za-z_]\w*$/.test(group) || group === 'all' || group === 'ungrouped'))
    return `${shown(group)} is no name of a group: use letters, digits and underscores, and not "all" or "ungrouped"`;
  if (address !== undefined && name.includes('['))
    return 'a range of hosts cannot have one address: name them one by one, or leave the address out';
  if (address !== undefined && (!/^[\w:][\w.:-]*$/.test(address) || !isHostAddress(address)))
    return `${shown(address)} is neither an address nor a name`;
  const expanded = expandHostNames(name, MAX_HOSTS);
  if (!('names' in expanded)) return expanded.what;
  if (address === undefined && expanded.names.some((one) => !isHostAddress(one)))
    return `${shown(name)} is neither an address nor a name: write NAME=ADDRESS`;
  return { group: group ?? null, name, address: address ?? null, roles: [] };
}

function isHostAddress(text: string): boolean {
  return ANSIBLE_SCHEMAS.ansible_host.safeParse(text).success;
}

/** The parts of a list: between commas or blanks. */
function parts(text: string): readonly string[] {
  return text.split(/[\s,]+/).filter((part) => part !== '');
}

/** Interfaces, addresses or networks. */
export function readEntries(text: string): { entries: readonly string[] } | string {
  const entries = [...new Set(parts(text))];
  const parsed = PORTFW_SCHEMAS.portfw_interfaces.safeParse({ public: entries });
  return parsed.success ? { entries } : (parsed.error.issues[0]?.message.split('\n')[0] ?? 'this is not possible');
}

/** Addresses, networks, or names of the inventory. */
export function readSources(text: string, names: InitNames): { sources: readonly string[] } | string {
  const sources = [...new Set(parts(text))];
  for (const source of sources) {
    if (!PORTFW_SCHEMAS.portfw_management.safeParse(source).success) {
      const network = parseSource(source);
      return looksNumeric(source) && typeof network === 'string'
        ? network
        : `${shown(source)} is neither an address, nor a network, nor a name`;
    }
    const isName = !looksNumeric(source) && parseAddress(source) === null;
    if (!isName || names.hosts.has(source) || names.groups.has(source)) continue;
    return `no group and no host is named ${shown(source)}; ${suggestion(source, [...names.groups, ...names.hosts], 'names')}`;
  }
  return { sources };
}

/** The account to log in as. */
export function readUser(text: string): { user: string } | string {
  return ANSIBLE_SCHEMAS.ansible_user.safeParse(text).success ? { user: text } : `${shown(text)} is no user name`;
}

/** Yes or no. */
export function readYes(text: string): { yes: boolean } | string {
  if (/^y(?:es)?$/i.test(text)) return { yes: true };
  return /^no?$/i.test(text) ? { yes: false } : 'Write yes or no';
}

/** `GROUP=ADDRESS` or `HOST=ADDRESS`, with commas between several. */
export function readVips(text: string, { groups, hosts }: InitNames): { vips: readonly InitVip[] } | string {
  const vips: InitVip[] = [];
  for (const part of parts(text)) {
    const [, name = '', address = ''] = /^([^=]+)=(.+)$/.exec(part) ?? [];
    if (parseAddress(address) === null) return `${shown(part)} is no virtual address: write GROUP=ADDRESS`;
    if (groups.has(name)) vips.push({ on: 'group', name, address });
    else if (hosts.has(name)) vips.push({ on: 'host', name, address });
    else return `there is no group ${shown(name)}, and no host; ${suggestion(name, [...groups, ...hosts], 'names')}`;
  }
  return { vips };
}
