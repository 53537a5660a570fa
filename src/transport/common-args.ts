import { homedir } from 'node:os';
import { isAbsolute, resolve } from 'node:path';
import type { Problem, SourceLocation } from '../core/problem.ts';
import { terminalLine } from '../core/terminal-text.ts';

/**
 * `ansible_ssh_common_args`: options for the OpenSSH client, of which we honour those that we can. What changes who we
 * talk to or how and that we cannot do is an error that names it; what only tunes OpenSSH itself is passed over.
 */

/** What the arguments ask for; `null` and empty where they say nothing. */
export interface CommonArgs {
  readonly port: number | null;
  readonly user: string | null;
  readonly identityFiles: readonly string[];
  readonly knownHostsFiles: readonly string[];
  readonly hostKeyAlias: string | null;
  /** `StrictHostKeyChecking=accept-new`. */
  readonly acceptNewHostKeys: boolean | null;
  readonly connectTimeoutMs: number | null;
  /** `IdentityAgent`; `none` turns the agent off. */
  readonly identityAgent: string | null;
}

/** Options without an effect on us: connection sharing, keepalives (ours are always on), OpenSSH's output, forwarding. */
const HARMLESS = new Set(
  [
    'BatchMode',
    'CheckHostIP',
    'Compression',
    'ControlMaster',
    'ControlPath',
    'ControlPersist',
    'EscapeChar',
    'ForwardAgent',
    'ForwardX11',
    'ForwardX11Trusted',
    'HashKnownHosts',
    'IdentitiesOnly',
    'LogLevel',
    'NumberOfPasswordPrompts',
    'SendEnv',
    'ServerAliveCountMax',
    'ServerAliveInterval',
    'TCPKeepAlive',
    'UpdateHostKeys',
    'VisualHostKey',
  ].map((name) => name.toLowerCase()),
);
const HARMLESS_FLAGS = new Set(['-A', '-a', '-C', '-n', '-q', '-T', '-v', '-vv', '-vvv', '-X', '-x', '-Y']);
/** Flags whose value follows, as the options they stand for; `null` for those without one that we honour. */
const VALUE_FLAGS: ReadonlyMap<string, string | null> = new Map([
  ['-p', 'Port'],
  ['-l', 'User'],
  ['-i', 'IdentityFile'],
  ['-J', 'ProxyJump'],
  ['-S', 'ControlPath'],
  ['-E', 'LogLevel'],
  ['-e', 'EscapeChar'],
  ['-F', null],
  ['-B', null],
  ['-b', 'BindAddress'],
  ['-c', 'Ciphers'],
  ['-D', 'DynamicForward'],
  ['-I', null],
  ['-L', 'LocalForward'],
  ['-m', 'MACs'],
  ['-O', null],
  ['-P', null],
  ['-Q', null],
  ['-R', 'RemoteForward'],
  ['-W', null],
  ['-w', null],
]);

/** The answer of {@link parseCommonArgs}: with an error among the problems, do not connect. */
export interface CommonArgsResult {
  readonly args: CommonArgs;
  readonly problems: readonly Problem[];
}

/**
 * Reads OpenSSH client arguments.
 *
 * As in OpenSSH, the first value of an option wins, and IdentityFile adds up. Relative files are relative to the working
 * directory; `~` and `%d` are the home directory.
 *
 * @param text the arguments, quoted as in a shell.
 * @param location where they are written, for the problems.
 */
export function parseCommonArgs(
  text: string,
  location: SourceLocation | null,
  home: string = homedir(),
): CommonArgsResult {
  const reader = new CommonArgsReader(location, home);
  const words = splitWords(text);
  if (words === null) reader.problem('bad-ssh-argument', 'The SSH arguments have an unclosed quote', 'Close the quote');
  else reader.readWords(words);
  return { args: reader.args, problems: reader.problems };
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

class CommonArgsReader {
  readonly problems: Problem[] = [];
  readonly args: Writable<CommonArgs> = {
    port: null,
    user: null,
    identityFiles: [],
    knownHostsFiles: [],
    hostKeyAlias: null,
    acceptNewHostKeys: null,
    connectTimeoutMs: null,
    identityAgent: null,
  };
  readonly #location: SourceLocation | null;
  readonly #home: string;
  readonly #seen = new Set<string>();

  constructor(location: SourceLocation | null, home: string) {
    this.#location = location;
    this.#home = home;
  }

  problem(code: string, message: string, hint: string): void {
    this.problems.push({ severity: 'error', code, message, hint, location: this.#location });
  }

  readWords(words: readonly string[]): void {
    for (let index = 0; index < words.length; index++) {
      const word = words[index]!;
      const flag = word.slice(0, 2);
      const takesValue = flag === '-o' || VALUE_FLAGS.has(flag);
      if (!takesValue) {
        if (!HARMLESS_FLAGS.has(word)) this.#unsupported(word);
        continue;
      }
      const value = word.length > 2 ? word.slice(2) : words[++index];
      if (value === undefined) {
        this.problem('bad-ssh-argument', `The SSH argument ${flag} lacks its value`, `Write a value after ${flag}`);
      } else if (flag === '-o') {
        this.#readOptionText(value);
      } else {
        const option = VALUE_FLAGS.get(flag) ?? null;
        if (option === null) this.#unsupported(flag);
        else this.#readOption(option, value, flag);
      }
    }
  }

  /** `Key=Value`, `Key = Value` or `Key Value`, the value perhaps in double quotes. */
  #readOptionText(text: string): void {
    const match = /^\s*([A-Za-z0-9]+)(?:\s*=\s*|\s+)(.+?)\s*$/s.exec(text);
    if (match === null) {
      this.problem(
        'bad-ssh-argument',
        `The SSH option "${terminalLine(text)}" is not of the form Key=Value`,
        'Write -o Key=Value',
      );
      return;
    }
    this.#readOption(match[1]!, match[2]!.replace(/^"(.*)"$/s, '$1'), `-o ${match[1]}`);
  }

  #readOption(name: string, value: string, shown: string): void {
    const key = name.toLowerCase();
    // OpenSSH takes the first value of an option and passes over later ones.
    if (this.#seen.has(key) && key !== 'identityfile') return;
    this.#seen.add(key);
    switch (key) {
      case 'port':
        this.args.port = this.#number(value, 1, 65535, shown);
        break;
      case 'user':
        this.args.user = value;
        break;
      case 'identityfile':
        if (value.toLowerCase() !== 'none')
          this.args.identityFiles = [...this.args.identityFiles, ...this.#file(value, shown)];
        break;
      case 'userknownhostsfile':
      case 'globalknownhostsfile':
        this.#knownHostsFiles(key === 'userknownhostsfile', value, shown);
        break;
      case 'hostkeyalias':
        // It becomes the first word of a line in a file of the user's.
        if (/^[A-Za-z0-9_.:%[\]-]{1,255}$/.test(value)) this.args.hostKeyAlias = value;
        else
          this.problem(
            'bad-ssh-argument',
            `HostKeyAlias=${terminalLine(value)} is not a host name`,
            'Write the name that the key is recorded under',
          );
        break;
      case 'connecttimeout': {
        const seconds = this.#number(value, 1, 86_400, shown);
        this.args.connectTimeoutMs = seconds === null ? null : seconds * 1000;
        break;
      }
      case 'identityagent':
        this.args.identityAgent = value.toLowerCase() === 'none' ? 'none' : (this.#file(value, shown)[0] ?? null);
        break;
      case 'stricthostkeychecking':
        this.#strictHostKeyChecking(value);
        break;
      default:
        if (!HARMLESS.has(key)) this.#unsupported(shown);
    }
  }

  #knownHostsFiles(forUser: boolean, value: string, shown: string): void {
    const files = value.split(/\s+/).flatMap((file) => this.#file(file, shown));
    if (files.includes('/dev/null') || value.toLowerCase() === 'none') {
      this.problem(
        'host-keys-unchecked',
        `${shown}=${terminalLine(value)} would forget every host key, so that none is ever checked`,
        'Leave it out and record the keys once with --accept-new-host-keys',
      );
      return;
    }
    // New keys go to the first file, which must be one of the user's.
    this.args.knownHostsFiles = forUser
      ? [...files, ...this.args.knownHostsFiles]
      : [...this.args.knownHostsFiles, ...files];
  }

  #strictHostKeyChecking(value: string): void {
    switch (value.toLowerCase()) {
      case 'accept-new':
        this.args.acceptNewHostKeys = true;
        break;
      case 'yes':
      case 'ask':
        this.args.acceptNewHostKeys = false;
        break;
      case 'no':
      case 'off':
        this.problem(
          'host-keys-unchecked',
          `StrictHostKeyChecking=${value} would accept any host key, even a changed one`,
          'Leave it out; --accept-new-host-keys (or StrictHostKeyChecking=accept-new) is the only relaxation',
        );
        break;
      default:
        this.problem(
          'bad-ssh-argument',
          `StrictHostKeyChecking=${terminalLine(value)} is no known value`,
          'Use yes or accept-new',
        );
    }
  }

  #number(value: string, least: number, most: number, shown: string): number | null {
    const number = /^\d{1,6}$/.test(value) ? Number(value) : Number.NaN;
    if (number >= least && number <= most) return number;
    this.problem(
      'bad-ssh-argument',
      `${shown} needs a number from ${least} to ${most}, not "${terminalLine(value)}"`,
      'Correct the number',
    );
    return null;
  }

  #file(value: string, shown: string): string[] {
    const expanded = value.replace(/^~(?=\/|$)/, this.#home).replaceAll('%d', this.#home);
    if (/%[^%]/.test(expanded) || expanded.includes('${') || expanded.startsWith('~')) {
      this.problem(
        'bad-ssh-argument',
        `${shown} uses a substitution that portfw does not make: ${terminalLine(value)}`,
        'Write the path out; only a leading ~ and %d are replaced',
      );
      return [];
    }
    const path = expanded.replaceAll('%%', '%');
    return [isAbsolute(path) ? path : resolve(path)];
  }

  #unsupported(shown: string): void {
    const name = terminalLine(shown, 60);
    const jump = /^-J|proxyjump|proxycommand/i.test(shown);
    this.problem(
      'unsupported-ssh-argument',
      `The SSH argument ${name} is not supported`,
      jump
        ? 'Run portfw from a machine that reaches the host directly, such as the jump host itself'
        : 'Remove it, or set what it stands for with the ansible_* connection variables',
    );
  }
}

/** Splits as a POSIX shell does, without expansions; `null` for an unclosed quote. */
function splitWords(text: string): string[] | null {
  const words: string[] = [];
  let word: string | null = null;
  for (let index = 0; index < text.length; index++) {
    const character = text[index]!;
    if (/\s/.test(character)) {
      if (word !== null) words.push(word);
      word = null;
    } else if (character === "'") {
      const end = text.indexOf("'", index + 1);
      if (end === -1) return null;
      word = (word ?? '') + text.slice(index + 1, end);
      index = end;
    } else if (character === '"') {
      const end = closingQuote(text, index + 1);
      if (end === -1) return null;
      word = (word ?? '') + text.slice(index + 1, end).replace(/\\(["\\$`])/g, '$1');
      index = end;
    } else if (character === '\\') {
      word = (word ?? '') + (text[++index] ?? '');
    } else {
      word = (word ?? '') + character;
    }
  }
  if (word !== null) words.push(word);
  return words;
}

function closingQuote(text: string, from: number): number {
  for (let index = from; index < text.length; index++) {
    if (text[index] === '\\') index++;
    else if (text[index] === '"') return index;
  }
  return -1;
}
