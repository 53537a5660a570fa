import { shown } from '../core/shown.ts';
import { suggestion } from '../core/suggest.ts';
import type { Playbook } from '../matrix/matrix.ts';
import type { FoundAnswers } from './init-look-answers.ts';
import {
  type InitNames,
  type InitWorld,
  namesOf,
  readEntries,
  readHosts,
  readPlaybook,
  readSources,
  readUser,
  readVips,
  readYes,
} from './init-readers.ts';
import type { InitAnswers, InitHost } from './init-text.ts';
import type { LOOK_FLAGS, RunFlags } from './run-flags.ts';
import { UsageError } from './usage-error.ts';
import type { VaultFlags } from './vault-flags.ts';

/** The flags of `portfw init`. */
export interface InitFlags extends VaultFlags, Partial<Pick<RunFlags, (typeof LOOK_FLAGS)[number]>> {
  readonly from?: readonly string[];
  readonly look?: boolean;
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

/** Asks one question; an empty answer takes what is shown as the default. `null` when the user gives up. */
export type Ask = (question: string, fallback: string) => Promise<string | null>;

/** The user ended the questions: nothing was written. */
export class GaveUp extends Error {}

/** Before anything was looked at. */
const NOTHING_FOUND: FoundAnswers = { playbook: null, public: '', private: '', vip: '', management: '' };

/**
 * The answers from the flags and, for those that are missing, from questions. All lists are asked for in one way: with commas.
 *
 * @param ask `null` without a terminal: defaults are used, and what has no default is an error that names its flag
 * @param found what a look at the hosts has found: the defaults
 * @throws UsageError for an answer of a flag that cannot be; GaveUp
 */
export async function initAnswers(
  flags: InitFlags,
  world: InitWorld,
  ask: Ask | null,
  found: FoundAnswers = NOTHING_FOUND,
): Promise<InitAnswers> {
  const put = putting(ask);
  const isSet = found !== NOTHING_FOUND && found.playbook === null;
  const { playbook, loaded } = await (isSet ? putting(null) : put)(
    flags.playbook,
    '--playbook',
    `Which system is it (${world.playbooks.join(', ')}, or the path of a playbook)?`,
    found.playbook ?? (world.playbooks.includes('portaswitch') ? 'portaswitch' : null),
    (text) => readPlaybook(text, world),
  );
  const hosts = world.existing === null ? await newHosts(flags, put) : [];
  const names = world.existing ?? namesOfNew(hosts);
  const list = <T>(asked: keyof typeof LISTS, read: (text: string) => T | string) =>
    put(flags[asked]?.join(','), `--${asked}`, listQuestion(LISTS[asked], found[asked]), found[asked], (text) =>
      read(text === 'none' && found[asked] !== '' ? '' : text),
    );
  const open = await list('public', readEntries);
  const closed = await list('private', readEntries);
  const account = await accountOf(flags, world.existing === null, put);
  const { vips } = await list('vip', (text) => readVips(text, names));
  const management = await list('management', (text) => readSources(text, names));
  const roles = readRoles(flags.role ?? [], loaded, world.existing?.hosts ?? new Set(hosts.map(({ name }) => name)));
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

/** What is asked for as a list: in words, with an example, and what an empty one means. */
const LISTS = {
  public: ['Public networks, addresses or interfaces', '203.0.113.0/24, 2001:db8:b::/64', "each host's only interface"],
  private: ['Private networks, addresses or interfaces, between the servers', '198.51.100.0/24, eth1', 'none'],
  vip: ['Virtual addresses, as GROUP=ADDRESS or HOST=ADDRESS', 'sip=203.0.113.45, web=203.0.113.46', 'none'],
  management: [
    'Sources from which SSH must always work: networks, addresses, groups or hosts',
    '192.0.2.0/24, 198.51.100.7',
    'not set',
  ],
} as const;

/** @param found the default; empty for none */
function listQuestion([what, example, none]: (typeof LISTS)[keyof typeof LISTS], found: string): string {
  return `${what} (commas between several, such as ${example}; ${found === '' ? 'empty' : '"none"'}: ${none})?`;
}

function namesOfNew(hosts: readonly InitHost[]): InitNames {
  return { hosts: new Set(hosts.flatMap(namesOf)), groups: new Set(hosts.flatMap((host) => host.group ?? [])) };
}

async function newHosts(flags: InitFlags, put: Put): Promise<readonly InitHost[]> {
  const question =
    'Hosts, as NAME, NAME=ADDRESS or GROUP/NAME=ADDRESS (commas between several, such as web/web1=198.51.100.20, sip[1:2].example.net)?';
  return (await put(flags.host?.join(','), '--host', question, null, readHosts)).hosts;
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
