import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Command, Option } from 'commander';
import type { Inventory } from '../ansible/inventory.ts';
import type { Matrix } from '../matrix/matrix.ts';

/** One word that fits, and what it is. */
export interface Candidate {
  readonly word: string;
  readonly about: string;
}

/** The words before the cursor, split into flags and arguments. */
interface Typed {
  readonly command: string;
  readonly args: readonly string[];
  /** Every value of each flag, by its long name. */
  readonly values: ReadonlyMap<string, readonly string[]>;
  /** The flag whose value is being typed, or `null` for an argument. */
  readonly flag: string | null;
  /** What of the word belongs to the value: all of it, or what follows `--flag=` or `-f`. */
  readonly partial: string;
}

const MAX_CANDIDATES = 2000;

/**
 * The candidates at the end of a command line: hosts, groups, roles, playbooks, matrices. Of `--flag=value` it is the
 * values alone. It only reads files: it runs no inventory program, contacts no host, asks nothing. A file that cannot
 * be read gives no candidates.
 *
 * @param words what follows `portfw`, with the word at the cursor as the last one
 */
export async function complete(program: Command, words: readonly string[]): Promise<readonly Candidate[]> {
  const typed = takeApart(program, words);
  if (typed === null) return [];
  const fitting = await valuesOf(typed);
  return fitting.slice(0, MAX_CANDIDATES);
}

function takeApart(program: Command, words: readonly string[]): Typed | null {
  const [name = '', ...rest] = words;
  const command = program.commands.find((one) => one.name() === name);
  if (command === undefined || rest.length === 0) return null;
  const flagOf = (text: string): Option | undefined =>
    command.options.find((option) => option.long === text || option.short === text);
  const takesValue = (option: Option | undefined): option is Option =>
    option?.required === true || option?.optional === true;
  const args: string[] = [];
  const values = new Map<string, string[]>();
  const add = (option: Option, value: string): void => {
    values.set(option.long ?? '', [...(values.get(option.long ?? '') ?? []), value]);
  };
  const before = rest.slice(0, -1);
  let waiting: Option | null = null;
  let onlyArgs = false;
  for (const word of before) {
    if (waiting !== null) {
      add(waiting, word);
      waiting = null;
    } else if (onlyArgs || !word.startsWith('-') || word === '-') args.push(word);
    else if (word === '--') onlyArgs = true;
    else {
      const joined = joinedValue(word, flagOf);
      if (joined !== null) add(joined.option, joined.value);
      else if (takesValue(flagOf(word))) waiting = flagOf(word) ?? null;
    }
  }
  const word = rest.at(-1) ?? '';
  const common = { command: name, args, values };
  if (waiting !== null) return { ...common, flag: waiting.long ?? null, partial: word };
  if (!onlyArgs && word.startsWith('-')) {
    const joined = joinedValue(word, flagOf);
    if (joined === null) return null;
    const { option, value } = joined;
    return { ...common, flag: option.long ?? null, partial: value };
  }
  return { ...common, flag: null, partial: word };

  function joinedValue(
    text: string,
    find: (flag: string) => Option | undefined,
  ): { readonly option: Option; readonly value: string } | null {
    const long = /^(--[a-z-]+)=(.*)$/s.exec(text);
    const short = /^(-[a-zA-Z])(.+)$/s.exec(text);
    const [, flag = '', value = ''] = long ?? short ?? [];
    const option = find(flag);
    return takesValue(option) ? { option, value } : null;
  }
}

/** The flags that take one of a few words. */
const WORDS: Readonly<Record<string, readonly Candidate[]>> = {
  '--confirm': [
    { word: 'auto', about: 'keep the change when a new connection has verified it' },
    { word: 'manual', about: 'wait for portfw confirm' },
  ],
  // A duration of any length is accepted; these are usual.
  '--revert-after': ['60s', '5m', '10m', '1h'].map((word) => ({ word, about: 'time' })),
};

async function valuesOf(typed: Typed): Promise<readonly Candidate[]> {
  switch (typed.flag) {
    case '--settings':
    case '--limit': {
      const inventory = await inventoryOf(typed);
      return inventory === null ? [] : patternCandidates(typed.partial, namesOf(inventory));
    }
    case '--accept-lockout':
    case '--accept-forwarding-stop':
    case '--host': {
      const inventory = await inventoryOf(typed);
      const given = typed.values.get(typed.flag) ?? [];
      const hosts = inventory === null ? [] : hostNames(inventory).filter(({ word }) => !given.includes(word));
      return beginning(hosts, typed.partial);
    }
    case '--playbook':
      return beginning(await shipped('playbook'), typed.partial);
    case '--compare':
      return beginning(await shipped('matrix'), typed.partial);
    case '--role':
      return beginning(await (typed.command === 'init' ? declarations(typed) : rolesOf(typed)), typed.partial);
    case null:
      if (typed.command === 'schema' && typed.args.length === 0) return beginning(await schemas(), typed.partial);
      if (typed.command === 'matrix' && typed.args.length === 0)
        return beginning(await shipped('matrix'), typed.partial);
      return [];
    default:
      return beginning(WORDS[typed.flag] ?? [], typed.partial);
  }
}

function beginning(candidates: readonly Candidate[], partial: string): readonly Candidate[] {
  return candidates.filter(({ word }) => word.startsWith(partial));
}

/**
 * The ways to go on with a host pattern: the last part of `web:&pr` or `a,b` is completed, the parts before it stay. A colon
 * may be part of a name, so the longest part that fits a name counts.
 */
function patternCandidates(pattern: string, names: readonly Candidate[]): readonly Candidate[] {
  const starts = [0, ...[...pattern.matchAll(/[,:]/g)].map(({ index }) => index + 1)];
  for (const start of starts) {
    const [, operator = '', partial = ''] = /^([&!]?)(.*)$/s.exec(pattern.slice(start)) ?? [];
    const fitting = beginning(names, partial);
    if (fitting.length === 0) continue;
    const before = pattern.slice(0, start) + operator;
    const used = pattern.slice(0, start).split(/[,:]/);
    return fitting
      .filter(({ word }) => !used.includes(word))
      .map(({ word, about }) => ({ word: before + word, about }));
  }
  return [];
}

function namesOf(inventory: Inventory): readonly Candidate[] {
  const groups = [...inventory.groups.values()].map((group) => ({
    word: group.name,
    about: `group of ${group.allHosts.length}`,
  }));
  return [...groups, ...hostNames(inventory)];
}

function hostNames(inventory: Inventory): readonly Candidate[] {
  return [...inventory.hosts.keys()].map((word) => ({ word, about: 'host' }));
}

async function shipped(kind: 'playbook' | 'matrix'): Promise<readonly Candidate[]> {
  const { shippedNames } = await import('../matrix/shipped.ts');
  return shippedNames(kind).map((word) => ({ word, about: kind }));
}

async function schemas(): Promise<readonly Candidate[]> {
  const { shippedSchemaNames } = await import('../matrix/shipped.ts');
  return shippedSchemaNames().map((word) => ({ word, about: 'JSON Schema' }));
}

async function rolesOf(typed: Typed): Promise<readonly Candidate[]> {
  const { readMatrix } = await import('../matrix/load-matrix.ts');
  const matrices = typed.args.slice(0, 1).flatMap((name): Matrix[] => {
    const { matrix } = readMatrix(name);
    return matrix === null ? [] : [matrix];
  });
  const given = typed.values.get('--role') ?? [];
  return matrices
    .flatMap((matrix) => [...matrix.roles.values()])
    .filter((role) => !given.includes(role.name))
    .map((role) => ({ word: role.name, about: role.title }));
}

/** `HOST=ROLE` for `portfw init`: hosts that the line names, or has in its inventory, with the roles of its playbook. */
async function declarations(typed: Typed): Promise<readonly Candidate[]> {
  const [, host] = /^(.+)=[^=]*$/.exec(typed.partial) ?? [];
  if (host === undefined) {
    const named = (typed.values.get('--host') ?? []).map((one) => one.replace(/^[^/=]+\//, '').replace(/=.*$/, ''));
    const from = await inventoryOf({ ...typed, args: typed.values.get('--from') ?? [] });
    return [...named, ...(from?.hosts.keys() ?? [])].map((name) => ({ word: `${name}=`, about: 'host' }));
  }
  const { readPlaybook } = await import('../matrix/load-playbook.ts');
  const { playbook } = readPlaybook(typed.values.get('--playbook')?.at(-1) ?? 'portaswitch');
  const roles = (playbook?.plays ?? []).flatMap((play) => [...play.matrix.roles.values()]);
  return roles.map((role) => ({ word: `${host}=${role.name}`, about: role.title }));
}

/** The inventories that the line names, read from files; those that cannot be read, or need a program, are left out. */
async function inventoryOf(typed: Typed): Promise<Inventory | null> {
  const { BrokenInventory, readInventoryFiles } = await import('../ansible/inventory.ts');
  const read = (sources: string | readonly string[]): Inventory | null => {
    try {
      return readInventoryFiles(sources);
    } catch (error) {
      // Names are available even if variables are wrong or encrypted.
      return error instanceof BrokenInventory ? error.readable : null;
    }
  };
  const canRead = (source: string): boolean => (read(source)?.hosts.size ?? 0) > 0;
  const named = [...typed.args, ...(typed.values.get('--inventory') ?? [])].map(fromHome);
  const sources = named.length > 0 || typed.command === 'init' ? named : await configuredInventories();
  // One program in a folder does not prevent reading the other files.
  const readable = sources.flatMap((source) => (canRead(source) ? [source] : filesOf(source).filter(canRead)));
  return readable.length === 0 ? null : read(readable);
}

async function configuredInventories(): Promise<readonly string[]> {
  const { ansibleConfig } = await import('./ansible-config.ts');
  return ansibleConfig().settings.inventory?.value ?? [];
}

function filesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isFile() && !/^\.|~$|\.(?:cfg|md|txt|retry)$/.test(entry.name))
      .map((entry) => join(folder, entry.name));
  } catch {
    return [];
  }
}

/** The shell expands `~` only when the command runs. */
function fromHome(source: string): string {
  const home = process.env['HOME'];
  return source.startsWith('~/') && home !== undefined ? join(home, source.slice(2)) : source;
}

/**
 * Takes a line as bash hands it to a completion apart into words, without running anything: quotes and backslashes are undone.
 *
 * @returns the words, the last one being that at the cursor (empty after a blank), and where in it an open quote began
 */
export function shellWords(line: string): { readonly words: readonly string[]; readonly quotedFrom: number | null } {
  const words: string[] = [];
  let word: string | null = null;
  let quote: string | null = null;
  let quotedFrom = 0;
  for (let index = 0; index < line.length; index += 1) {
    const character = line[index]!;
    if (quote === null && /\s/.test(character)) {
      if (word !== null) words.push(word);
      word = null;
      continue;
    }
    word ??= '';
    if (quote === null && (character === "'" || character === '"')) {
      quote = character;
      quotedFrom = word.length;
    } else if (character === quote) quote = null;
    else if (character === '\\' && quote !== "'") {
      index += 1;
      word += line[index] ?? '';
    } else word += character;
  }
  return { words: [...words, word ?? ''], quotedFrom: quote === null ? null : quotedFrom };
}

/**
 * The candidates for bash, which replaces only the last piece of a word: what follows an open quote, or the last of the
 * characters that break words (`COMP_WORDBREAKS`, a colon among them). What needs escaping outside of quotes is escaped.
 *
 * @param line the command line up to the cursor
 */
export async function completeForBash(program: Command, line: string, breaks: string): Promise<readonly string[]> {
  const { words, quotedFrom } = shellWords(line);
  const typed = words.at(-1) ?? '';
  const candidates = await complete(program, words.slice(1));
  // Of "--limit=web" the flag is a piece of its own already.
  const head = /^--[a-z-]+=/.exec(typed)?.[0] ?? (/^-[a-zA-Z]./.test(typed) ? typed.slice(0, 2) : '');
  const broken = Math.max(...[...breaks].filter((one) => /[:=@,]/.test(one)).map((one) => typed.lastIndexOf(one)), -1);
  const kept = quotedFrom ?? broken + 1;
  return candidates.map(({ word }) => {
    const rest = `${head}${word}`.slice(kept);
    return quotedFrom === null ? rest.replaceAll(/[^\w.,:@%/+=-]/g, '\\$&') : rest;
  });
}
