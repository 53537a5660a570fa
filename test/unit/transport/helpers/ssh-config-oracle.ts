import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, hostname, tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expandHome } from '../../../../src/core/home.ts';
import { parseCommonArgs } from '../../../../src/transport/ssh-config/common-args.ts';
import { lookUp, type SshSettings } from '../../../../src/transport/ssh-config/ssh-config.ts';
import { SshConfigFiles } from '../../../../src/transport/ssh-config/ssh-config-files.ts';
import { expandTokens, type SshEnvironment, tokensOf } from '../../../../src/transport/ssh-config/ssh-config-tokens.ts';
import { splitShellWords } from '../../../../src/transport/ssh-config/ssh-config-words.ts';
import { chooseHostKeyAlgorithms } from '../../../../src/transport/ssh-config/ssh-options-algorithms.ts';
import { parseJump } from '../../../../src/transport/ssh-config/ssh-options-jump.ts';
import { HOST_KEY_ALGORITHMS } from '../../../../src/transport/ssh2/known-hosts.ts';
import { requireOpenSsh } from '../../../helpers/openssh.ts';

/**
 * The OpenSSH client as the oracle: `ssh -G` prints what a configuration means for a host, and we print the same lines
 * from what we understood.
 */

/** The home folder by the user database, which OpenSSH takes whatever HOME says. */
export const HOME = userInfo().homedir;
export const VARIABLES: Readonly<Record<string, string>> = { SSH_CONFIG_TEST: '/var/ssh config test' };

export const environment: SshEnvironment = {
  home: HOME,
  localUser: userInfo().username,
  uid: userInfo().uid,
  hostName: hostname(),
  variable: (name) => VARIABLES[name] ?? (name === 'HOME' ? homedir() : undefined),
  localAddresses: () => [],
};

requireOpenSsh();
const run = promisify(execFile);

/** A configuration with the files that it includes, as a data file holds them. */
export interface Case {
  readonly hosts: readonly string[];
  readonly args: string;
  /** What OpenSSH answers since it mended a fault: an older one may lack the line, and no more. */
  readonly fixed?: { readonly key: string; readonly value: string };
  /** The text of each file by its name; the configuration itself is `config`. */
  readonly files: ReadonlyMap<string, string>;
}

/** Reads a data file: `# hosts:`, `# args:` and `# fixed:` lines, then the configuration; `=== NAME` begins an included file. */
export function readCase(text: string): Case {
  const [config = '', ...others] = text.split(/^=== /m);
  const files = new Map([['config', config]]);
  for (const other of others) {
    const end = other.indexOf('\n');
    files.set(other.slice(0, end), other.slice(end + 1));
  }
  const hosts = /^# hosts: (.*)$/m.exec(config)?.[1]?.trim().split(' ') ?? [];
  const args = /^# args: (.*)$/m.exec(config)?.[1]?.trim() ?? '';
  const [, key, value = ''] = /^# fixed: (\S+) (.*)$/m.exec(config) ?? [];
  const fixed = key === undefined ? {} : { fixed: { key, value: value.trim() } };
  return { hosts: hosts.filter((host) => !host.startsWith('#')), args, ...fixed, files };
}

const folders: string[] = [];

/** Writes the files of a case into a folder of its own, which `@DIR@` stands for; returns the configuration's path. */
export function writeCase({ files }: Case): string {
  const folder = mkdtempSync(join(tmpdir(), 'portfw-ssh-config-'));
  folders.push(folder);
  for (const [name, text] of files) {
    const file = join(folder, name);
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(file, text.replaceAll('@DIR@', folder), { mode: 0o600 });
  }
  return join(folder, 'config');
}

/** Removes what {@link writeCase} has written. */
export function removeCases(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
}

export type Printed = ReadonlyMap<string, readonly string[]>;

/** What `ssh -G` prints, the values by keyword. */
export async function askOpenSsh(file: string, args: string, host: string): Promise<Printed> {
  const words = ['-F', file, '-G', ...(splitShellWords(args) ?? []), '--', host];
  const { stdout } = await run('ssh', words, { env: { ...process.env, ...VARIABLES }, timeout: 20_000 });
  const printed = new Map<string, string[]>();
  for (const line of stdout.split('\n').filter((each) => each !== '')) {
    const [, keyword = '', value = ''] = /^(\S+) ?(.*)$/s.exec(line) ?? [];
    printed.set(keyword, [...(printed.get(keyword) ?? []), value]);
  }
  return printed;
}

/** What `ssh -v` writes about an attempt that fails. */
export async function logOfOpenSsh(file: string, host: string): Promise<string> {
  const words = ['-F', file, '-v', '-o', 'BatchMode=yes', '--', host, 'true'];
  const failed = run('ssh', words, { env: { ...process.env, ...VARIABLES }, timeout: 20_000 });
  return failed.then(
    ({ stderr }) => stderr,
    (error: { readonly stderr: string }) => error.stderr,
  );
}

/** What we understood, as `ssh -G` would print it; a keyword is missing where nothing sets it. */
export function ourAnswer(file: string, args: string, host: string): Printed {
  const { settings: given, configFile } = parseCommonArgs(args, null, HOME);
  const files = new SshConfigFiles({ home: HOME, file });
  const found = lookUp({ originalHost: host, given, files, ownFile: configFile, environment });
  return printOurs(found.settings, found.host, host);
}

function printOurs(settings: SshSettings, host: string, originalHost: string): Printed {
  const printed = new Map<string, readonly string[]>([['hostname', [host]]]);
  const user = settings.word('User') ?? environment.localUser;
  const hostKeyAlias = settings.word('HostKeyAlias')?.toLowerCase() ?? null;
  const jump = parseJump(settings.word('ProxyJump') ?? 'none') ?? [];
  const port = Number(settings.word('Port') ?? 22);
  // Up to OpenSSH 9.5 the jump host is no part of %C, and later ones print it the same without one.
  const tokens = tokensOf({ originalHost, host, port, user, hostKeyAlias, jumpHost: '' }, environment);
  const expand = (text: string): string => {
    const expanded = expandTokens(expandHome(text, HOME), tokens, environment.variable);
    return expanded.kind === 'text' ? expanded.text : `cannot expand ${text}`;
  };
  const print = (keyword: string, name: string, change: (word: string) => string = (word) => word): void => {
    const word = settings.word(name);
    if (word !== undefined) printed.set(keyword, [change(word)]);
  };
  print('user', 'User');
  print('port', 'Port');
  if (settings.identityFiles.length > 0)
    printed.set(
      'identityfile',
      settings.identityFiles.map(({ words }) => words[0]!),
    );
  for (const name of ['IdentitiesOnly', 'HashKnownHosts', 'PasswordAuthentication', 'KbdInteractiveAuthentication'])
    print(name.toLowerCase(), name);
  print('pubkeyauthentication', 'PubkeyAuthentication');
  print('identityagent', 'IdentityAgent', expand);
  print('hostkeyalias', 'HostKeyAlias', (word) => word.toLowerCase());
  print('stricthostkeychecking', 'StrictHostKeyChecking');
  print('connecttimeout', 'ConnectTimeout');
  print('serveraliveinterval', 'ServerAliveInterval');
  print('serveralivecountmax', 'ServerAliveCountMax');
  print('preferredauthentications', 'PreferredAuthentications');
  print('addressfamily', 'AddressFamily');
  print('bindaddress', 'BindAddress');
  if (jump.length > 0) printed.set('proxyjump', [settings.word('ProxyJump')!]);
  else if (settings.word('ProxyCommand')?.toLowerCase() !== 'none') print('proxycommand', 'ProxyCommand');
  const knownHosts = (keyword: string, name: string, change: (word: string) => string): void => {
    const words = settings.get(name)?.words;
    if (words !== undefined) printed.set(keyword, [words.map(change).join(' ')]);
  };
  knownHosts('userknownhostsfile', 'UserKnownHostsFile', expand);
  knownHosts('globalknownhostsfile', 'GlobalKnownHostsFile', (word) => word);
  const algorithms = settings.word('HostKeyAlgorithms');
  if (algorithms !== undefined) printed.set('hostkeyalgorithms', [chooseHostKeyAlgorithms(algorithms).join(',')]);
  return printed;
}

/** Keywords that both print; the others are none of our business. */
export const KEYWORDS = [
  'hostname',
  'user',
  'port',
  'identityfile',
  'identitiesonly',
  'identityagent',
  'proxyjump',
  'proxycommand',
  'userknownhostsfile',
  'globalknownhostsfile',
  'hostkeyalias',
  'stricthostkeychecking',
  'connecttimeout',
  'serveraliveinterval',
  'serveralivecountmax',
  'hostkeyalgorithms',
  'hashknownhosts',
  'pubkeyauthentication',
  'passwordauthentication',
  'kbdinteractiveauthentication',
  'preferredauthentications',
  'addressfamily',
  'bindaddress',
] as const;

/** The lines of interest in one spelling, with OpenSSH's defaults where nothing is set. */
export function comparable(printed: Printed, defaults: Printed): Record<string, readonly string[]> {
  const lines: Record<string, readonly string[]> = {};
  for (const keyword of KEYWORDS) {
    const values = printed.get(keyword) ?? defaults.get(keyword) ?? [];
    lines[keyword] = values.map((value) => spelling(keyword, value));
  }
  return lines;
}

const FLAGS: Readonly<Record<string, string>> = {
  true: 'yes',
  false: 'no',
  off: 'no',
  unbound: 'yes',
  'host-bound': 'yes',
};

function spelling(keyword: string, value: string): string {
  if (keyword === 'hostkeyalgorithms')
    return value
      .split(',')
      .filter((algorithm) => HOST_KEY_ALGORITHMS.includes(algorithm))
      .join(',');
  // IPv6 addresses keep their case there, which nothing depends on.
  if (keyword === 'hostname' && value.includes(':')) return value.toLowerCase();
  if (keyword === 'proxyjump') return jumpSpelling(value);
  return Object.hasOwn(FLAGS, value) ? FLAGS[value]! : value;
}

/** `ssh -G` writes the last machine anew, and `ssh://` not at all. */
function jumpSpelling(value: string): string {
  return JSON.stringify(parseJump(value));
}
