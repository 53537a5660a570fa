import { parseAddress } from '../core/addresses.ts';
import { hasUnshowable, shown } from '../core/shown.ts';
import { closest, suggestion } from '../core/suggest.ts';
import type { Playbook } from '../matrix/matrix.ts';
import { PORTFW_SCHEMAS } from '../settings/schema.ts';
import type { InitAnswers, InitHost } from './init-text.ts';
import { UsageError } from './usage-error.ts';
import type { VaultFlags } from './vault-flags.ts';

/** The flags of `portfw init`. */
export interface InitFlags extends VaultFlags {
  readonly from?: readonly string[];
  readonly playbook?: string;
  readonly public?: readonly string[];
  readonly private?: readonly string[];
  readonly user?: string;
  readonly become?: boolean;
  readonly host?: readonly string[];
  readonly role?: readonly string[];
  readonly vip?: readonly string[];
  readonly management?: readonly string[];
  readonly force?: boolean;
  readonly yes?: boolean;
}

/** What answers may refer to, and are checked against. */
export interface InitWorld {
  /** Hosts and groups of the inventory that is there; `null` for a new one. */
  readonly existing: { readonly hosts: ReadonlySet<string>; readonly groups: ReadonlySet<string> } | null;
  readonly playbooks: readonly string[];
  /** @throws InputError when there is no such playbook */
  loadPlaybook(reference: string): Playbook;
}

/** Asks one question; an empty answer takes what is shown as the default. `null` when the user gives up. */
export type Ask = (question: string, fallback: string) => Promise<string | null>;

/** The user ended the questions: nothing was written. */
export class GaveUp extends Error {}

/**
 * The answers from the flags and, for those that are missing, from questions.
 *
 * @param ask `null` without a terminal: defaults are used, and what has no default is an error that names its flag
 * @throws UsageError for an answer of a flag that cannot be; GaveUp
 */
export async function initAnswers(flags: InitFlags, world: InitWorld, ask: Ask | null): Promise<InitAnswers> {
  const put = putting(ask);
  const { playbook, loaded } = await put(
    flags.playbook,
    '--playbook',
    `Which system is it (${world.playbooks.join(', ')}, or the path of a playbook)?`,
    world.playbooks.includes('portaswitch') ? 'portaswitch' : null,
    (text) => readPlaybook(text, world),
  );
  const hosts = world.existing === null ? await newHosts(flags, put) : [];
  const open = await put(
    joined(flags.public),
    '--public',
    'Public interfaces or networks (a list with commas; empty: the only interface of each host)?',
    '',
    readEntries,
  );
  const closed = await put(
    joined(flags.private),
    '--private',
    'Private interfaces or networks, between the servers?',
    '',
    readEntries,
  );
  const account = await accountOf(flags, world.existing === null, put);
  const groups = world.existing?.groups ?? new Set(hosts.flatMap((host) => host.group ?? []));
  const { vips } = await put(
    joined(flags.vip),
    '--vip',
    'Virtual addresses, as GROUP=ADDRESS (empty: none)?',
    '',
    (text) => readVips(text, groups),
  );
  const management = await put(
    joined(flags.management),
    '--management',
    'From which networks must SSH always work (empty: not set)?',
    '',
    readSources,
  );
  const known = world.existing?.hosts ?? new Set(hosts.map((host) => host.name));
  const roles = readRoles(flags.role ?? [], loaded, known);
  const withRoles =
    world.existing === null
      ? hosts.map((host) => ({ ...host, roles: roles.get(host.name) ?? [] }))
      : [...roles].map(([name, own]) => ({ group: null, name, address: null, roles: own }));
  return {
    playbook,
    public: open.entries,
    private: closed.entries,
    ...account,
    hosts: withRoles,
    vips,
    management: management.sources,
  };
}

/** Who logs in, and whether with sudo: asked only for a new inventory, because an existing one says so itself. */
async function accountOf(flags: InitFlags, isNew: boolean, put: Put): Promise<Pick<InitAnswers, 'user' | 'become'>> {
  const user =
    isNew || flags.user !== undefined
      ? (await put(flags.user, '--user', 'Log in as which user?', 'root', readUser)).user
      : null;
  if (flags.become !== undefined) return { user, become: flags.become };
  if (!isNew || user === 'root') return { user, become: null };
  const { yes } = await put(undefined, '--become', 'Become root with sudo (yes or no)?', 'yes', readYes);
  return { user, become: yes };
}

/** What takes an answer from its flag, or asks for it until it can be used. */
function putting(ask: Ask | null): Put {
  return async (given, flag, question, fallback, read) => {
    if (given !== undefined || ask === null) {
      const text = given ?? fallback;
      if (text === null) throw new UsageError(`${flag} is missing`, `Give ${flag}; there is no terminal to ask on`);
      return accepted(flag, read(text));
    }
    for (let note = ''; ; ) {
      const text = await ask(`${note}${question}`, fallback ?? '');
      if (text === null) throw new GaveUp();
      const value = read(text.trim() === '' ? (fallback ?? '') : text.trim());
      if (typeof value !== 'string') return value;
      note = `${value}.\n`;
    }
  };
}

/** The values of a flag that was repeated, as an answer has them. */
function joined(values: readonly string[] | undefined): string | undefined {
  return values?.join(',');
}

function accepted<T>(flag: string, value: T | string): T {
  if (typeof value === 'string') throw new UsageError(`${flag}: ${value}`, 'Correct it, or leave it out to be asked');
  return value;
}

type Put = <T>(
  given: string | undefined,
  flag: string,
  question: string,
  fallback: string | null,
  read: (text: string) => T | string,
) => Promise<T>;

async function newHosts(flags: InitFlags, put: Put): Promise<readonly InitHost[]> {
  if (flags.host !== undefined) return flags.host.map((text) => accepted('--host', readHost(text)).host);
  const hosts: InitHost[] = [];
  for (;;) {
    const first = hosts.length === 0;
    const question = first
      ? 'A host, as NAME, NAME=ADDRESS or GROUP/NAME=ADDRESS (ranges such as sip[1:2].example.net are several)?'
      : 'Another one (empty: no more)?';
    const { host } = await put(undefined, '--host', question, first ? null : '', (text) =>
      text === '' && !first ? { host: null } : readHost(text),
    );
    if (host === null) return hosts;
    hosts.push(host);
  }
}

function readPlaybook(text: string, world: InitWorld): { playbook: string; loaded: Playbook } | string {
  if (text === '') return 'A playbook is needed';
  if (!text.includes('/') && !/\.ya?ml$/.test(text) && !world.playbooks.includes(text)) {
    const near = closest(text, world.playbooks);
    return `there is no shipped playbook ${shown(text)}; ${near === null ? `there are ${world.playbooks.join(', ')}` : `did you mean "${near}"?`}`;
  }
  return {
    playbook: /\.ya?ml$/.test(text) && !text.includes('/') ? `./${text}` : text,
    loaded: world.loadPlaybook(text),
  };
}

function readHost(text: string): { host: InitHost } | string {
  const [, group, name = '', address] = /^(?:([^/=]+)\/)?([^/=]+)(?:=(.+))?$/.exec(text.trim()) ?? [];
  if (name === '' || !/^[\w][\w.:[\]-]*$/.test(name))
    return `${shown(text)} is no host: write NAME, NAME=ADDRESS or GROUP/NAME=ADDRESS`;
  if (group !== undefined && !/^[A-Za-z_]\w*$/.test(group))
    return `${shown(group)} is no name of a group: use letters, digits and underscores`;
  if (address !== undefined && name.includes('['))
    return 'a range of hosts cannot have one address: name them one by one, or leave the address out';
  if (address !== undefined && parseAddress(address) === null && !/^[\w][\w.-]*$/.test(address))
    return `${shown(address)} is neither an address nor a name`;
  return { host: { group: group ?? null, name, address: address ?? null, roles: [] } };
}

function parts(text: string): readonly string[] {
  return text
    .split(/[\s,]+/)
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function readEntries(text: string): { entries: readonly string[] } | string {
  const entries = parts(text);
  const parsed = PORTFW_SCHEMAS.portfw_interfaces.safeParse({ public: entries });
  return parsed.success ? { entries } : (parsed.error.issues[0]?.message.split('\n')[0] ?? 'this is not possible');
}

function readSources(text: string): { sources: readonly string[] } | string {
  const sources = parts(text);
  const wrong = sources.find((source) => !PORTFW_SCHEMAS.portfw_management.safeParse(source).success);
  return wrong === undefined ? { sources } : `${shown(wrong)} is neither an address, nor a network, nor a name`;
}

function readUser(text: string): { user: string } | string {
  return text === '' || hasUnshowable(text) || /\s/.test(text) ? `${shown(text)} is no user name` : { user: text };
}

function readYes(text: string): { yes: boolean } | string {
  if (/^y(?:es)?$/i.test(text)) return { yes: true };
  return /^no?$/i.test(text) ? { yes: false } : 'Write yes or no';
}

function readVips(
  text: string,
  groups: ReadonlySet<string>,
): { vips: readonly { group: string; address: string }[] } | string {
  const vips: { group: string; address: string }[] = [];
  for (const part of parts(text)) {
    const [, group = '', address = ''] = /^([^=]+)=(.+)$/.exec(part) ?? [];
    if (parseAddress(address) === null) return `${shown(part)} is no virtual address: write GROUP=ADDRESS`;
    if (!groups.has(group)) return `there is no group ${shown(group)}; ${suggestion(group, groups, 'groups')}`;
    vips.push({ group, address });
  }
  return { vips };
}

/** `--role HOST=ROLE`, repeated. */
function readRoles(
  given: readonly string[],
  playbook: Playbook,
  hosts: ReadonlySet<string>,
): ReadonlyMap<string, readonly string[]> {
  const known = new Set(playbook.plays.flatMap((play) => [...play.matrix.roles.keys()]));
  const roles = new Map<string, string[]>();
  for (const one of given) {
    const [, host = '', role = ''] = /^(.+)=([^=]+)$/.exec(one) ?? [];
    if (!hosts.has(host))
      throw new UsageError(
        `--role: there is no host ${shown(host)}`,
        `Write HOST=ROLE. ${suggestion(host, hosts, 'hosts')}`,
      );
    if (!known.has(role))
      throw new UsageError(`--role: the playbook has no role ${shown(role)}`, suggestion(role, known, 'roles'));
    roles.set(host, [...(roles.get(host) ?? []), role]);
  }
  return roles;
}
