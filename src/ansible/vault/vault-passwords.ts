import { accessSync, closeSync, constants, openSync, readSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, extname } from 'node:path';
import { InputError, Problem, type SourceLocation } from '../../core/problem.ts';
import type { Secret } from '../../core/secret.ts';
import { terminalLine } from '../../core/terminal-text.ts';
import { readBytes } from '../../documents/read-file.ts';
import { configName } from '../config/config-name.ts';
import type { AnsibleSettings, Configured } from '../config/config-types.ts';
import { expandPath } from '../config/expand-path.ts';
import { DEFAULT_VAULT_ID, Vault, VaultSecret } from './vault.ts';

/** Where passwords for vaults come from. */
export interface VaultSources {
  /** `--vault-id`: `[ID@]FILE` or `[ID@]prompt`. */
  readonly ids: readonly string[];
  /** `--vault-password-file`. */
  readonly passwordFiles: readonly string[];
  /** `-J`. */
  readonly ask: boolean;
  /** `PORTFW_VAULT_PASSWORD`. */
  readonly password: Secret | null;
  /** What `ansible.cfg` and the environment name. */
  readonly configured: Pick<AnsibleSettings, 'vaultIdentityList' | 'vaultPasswordFile' | 'askVaultPass'>;
  /** Asks for a password without showing it; throws without a terminal. */
  readonly prompt: (question: string) => Promise<Secret>;
}

/** One place that a password comes from, with what named it. */
interface Source {
  readonly id: string | null;
  readonly value: string;
  /** The flag, or the setting of Ansible's configuration. */
  readonly origin: string;
  /** Where that stands in `ansible.cfg`. */
  readonly location: SourceLocation | null;
  /** Ansible asks for the password of `-J` in other words than for one of an id. */
  readonly isPlainQuestion?: boolean;
}

const TIME_LIMIT_MS = 60_000;
const MOST_PASSWORD_BYTES = 64 * 1024;
const PIPE_INTERVAL_MS = 20;

/**
 * Collects the passwords in Ansible's order: the list of identities of its configuration, `--vault-id`, password files,
 * the password file of its configuration, the prompt; then `PORTFW_VAULT_PASSWORD`. An executable file is run, and prints
 * the password; one whose name ends in `-client` is told the id.
 *
 * @throws InputError with everything that is wrong with the files; whatever `prompt` throws
 */
export async function openVault(sources: VaultSources): Promise<Vault> {
  const secrets: VaultSecret[] = [];
  const problems: Problem[] = [];
  for (const source of listSources(sources)) {
    if (source.value === 'prompt') {
      const id = source.id ?? DEFAULT_VAULT_ID;
      const question = source.isPlainQuestion === true ? 'Vault password: ' : `Vault password (${terminalLine(id)}): `;
      const password = await sources.prompt(question);
      const secret = VaultSecret.from(id, password);
      if (secret.bytes().length > 0) secrets.push(secret);
      else problems.push(problem(source, 'the password is empty', 'Enter the password'));
      continue;
    }
    try {
      const password = await readPassword(source);
      secrets.push(new VaultSecret(source.id ?? DEFAULT_VAULT_ID, password));
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      problems.push(
        ...(source.location === null ? error.problems : error.problems.map((one) => atSetting(source, one))),
      );
    }
  }
  if (problems.length > 0) throw new InputError(problems);
  if (sources.password !== null) secrets.push(VaultSecret.from(DEFAULT_VAULT_ID, sources.password));
  return new Vault(secrets);
}

function listSources(sources: VaultSources): readonly Source[] {
  const { vaultIdentityList, vaultPasswordFile, askVaultPass } = sources.configured;
  const file = (value: string, named: NamedBy): Source => ({ id: null, value, ...named });
  const question = sources.ask ? byFlag('-J') : askVaultPass?.value === true ? bySetting(askVaultPass) : null;
  const identities = vaultIdentityList === null ? [] : vaultIdentityList.value.filter((entry) => entry !== '');
  return [
    ...identities.map((entry) => withId(entry, bySetting(vaultIdentityList!))),
    ...sources.ids.map((entry) => withId(entry, byFlag('--vault-id'))),
    ...sources.passwordFiles.map((value) => file(value, byFlag('--vault-password-file'))),
    ...(vaultPasswordFile === null ? [] : [file(vaultPasswordFile.value, bySetting(vaultPasswordFile))]),
    ...(question === null ? [] : [{ ...file('prompt', question), isPlainQuestion: true }]),
  ];
}

type NamedBy = Pick<Source, 'origin' | 'location'>;

function byFlag(origin: string): NamedBy {
  return { origin, location: null };
}

function bySetting({ origin }: Configured<unknown>): NamedBy {
  return { origin: configName(origin), location: origin.kind === 'file' ? origin.location : null };
}

function withId(entry: string, named: NamedBy): Source {
  const at = entry.indexOf('@');
  if (at === -1) return { id: null, value: entry, ...named };
  return { id: entry.slice(0, at) || null, value: entry.slice(at + 1), ...named };
}

async function readPassword(source: Source): Promise<Buffer> {
  if (source.value.trim() === '') throw failure(source, 'no file is named', 'Write ID@FILE, FILE or ID@prompt');
  const path = expandPath(source.value, process.cwd(), { environment: process.env, home: homedir() });
  const password = isExecutable(path)
    ? await runScript(source, path)
    : trimmed(isPipe(path) ? await readPipe(source, path) : readBytes(path));
  if (password.length === 0) {
    throw failure(source, `${shownPath(path)} holds no password`, 'Write the password into it, on one line');
  }
  return password;
}

/** Whether it is a file that may be run; a folder is not, and reading it will tell. */
function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    // Root may "run" anything for which anybody may: the bits decide.
    const status = statSync(path);
    return status.isFile() && (status.mode & 0o111) !== 0;
  } catch {
    return false;
  }
}

/** Whether it is a pipe, as the shell makes one of `<(pass show vault)`. */
function isPipe(path: string): boolean {
  try {
    return statSync(path).isFIFO();
  } catch {
    return false;
  }
}

/** Reads a pipe to its end, but does not wait forever for a writer. */
async function readPipe(source: Source, path: string): Promise<Buffer> {
  // Without O_NONBLOCK, opening a pipe that has no writer would not return.
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const chunk = Buffer.alloc(MOST_PASSWORD_BYTES);
  let length = 0;
  try {
    for (const until = Date.now() + TIME_LIMIT_MS; Date.now() < until; ) {
      const count = tryRead(descriptor, chunk, length);
      if (count === 0) return chunk.subarray(0, length);
      if (count === null) await new Promise((resolve) => setTimeout(resolve, PIPE_INTERVAL_MS));
      else length += count;
    }
  } finally {
    closeSync(descriptor);
  }
  throw failure(source, `nothing writes to the pipe ${shownPath(path)}`, 'Check the command that should');
}

/** How many bytes could be read; `null` when there are none yet. */
function tryRead(descriptor: number, into: Buffer, from: number): number | null {
  try {
    return readSync(descriptor, into, from, into.length - from, null);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return null;
    throw error;
  }
}

async function runScript(source: Source, path: string): Promise<Buffer> {
  const { runProgram } = await import('../../core/run-program.ts');
  const isClient = basename(path, extname(path)).endsWith('-client');
  const args = isClient ? ['--vault-id', source.id ?? DEFAULT_VAULT_ID] : [];
  // A script may ask at the terminal itself, or unlock an agent through it.
  const limits = { timeoutMs: TIME_LIMIT_MS, maxBytes: MOST_PASSWORD_BYTES, mayAsk: true };
  const outcome = await runProgram({ argv: [path, ...args], ...limits });
  const script = `the password script ${shownPath(path)}`;
  switch (outcome.kind) {
    case 'timeout':
      throw failure(source, `${script} did not end within ${TIME_LIMIT_MS / 1000} s`, 'Does it wait for input?');
    case 'too-much':
      throw failure(source, `${script} prints too much`, 'It must print only the password');
    case 'killed':
    case 'not-started': {
      const reason = outcome.kind === 'killed' ? outcome.signal : outcome.errno;
      const hint = 'Check its first line, or remove its x bits';
      throw failure(source, `${script} could not be run (${terminalLine(reason)})`, hint);
    }
    case 'exited':
  }
  const said = terminalLine(outcome.said);
  const because = said === '' ? '' : `: ${said}`;
  if (isClient && outcome.exitCode === 2) {
    const id = terminalLine(source.id ?? DEFAULT_VAULT_ID);
    throw failure(source, `${script} knows no password for the id "${id}"${because}`, 'Check the id before the "@"');
  }
  if (outcome.exitCode !== 0) {
    throw failure(source, `${script} ended with ${outcome.exitCode}${because}`, 'Run it by hand to see why');
  }
  const password = outcome.stdout;
  let end = password.length;
  let start = 0;
  while (start < end && (password[start] === 0x0a || password[start] === 0x0d)) start += 1;
  while (end > start && (password[end - 1] === 0x0a || password[end - 1] === 0x0d)) end -= 1;
  return password.subarray(start, end);
}

/** Without the blanks and line ends around it, as Ansible takes a password from a file. */
function trimmed(bytes: Buffer): Buffer {
  const isBlank = (byte: number | undefined): boolean =>
    byte === 0x20 || (byte !== undefined && byte >= 9 && byte <= 13);
  let start = 0;
  let end = bytes.length;
  while (start < end && isBlank(bytes[start])) start += 1;
  while (end > start && isBlank(bytes[end - 1])) end -= 1;
  return bytes.subarray(start, end);
}

function shownPath(path: string): string {
  return `"${terminalLine(path)}"`;
}

/** What is wrong with a file that `ansible.cfg` names is said where it is named. */
function atSetting(source: Source, found: Problem): Problem {
  if (found.location === source.location) return found;
  return problem(source, `${shownPath(found.location?.file ?? source.value)}: ${found.what}`, found.solve);
}

function failure(source: Source, what: string, solve: string): InputError {
  return new InputError([problem(source, what, solve)]);
}

function problem(source: Source, what: string, solve: string): Problem {
  return new Problem({
    severity: 'error',
    code: 'vault-password',
    what: `${source.origin}: ${what}`,
    solve,
    location: source.location,
  });
}
