import { homedir } from 'node:os';
import { expandHome } from '../../core/home.ts';
import { Problem, type SourceLocation } from '../../core/problem.ts';
import { terminalLine } from '../../core/terminal-text.ts';
import { readConfigLine, splitShellWords } from './ssh-config-words.ts';
import { findOption, parseValue, type Setting } from './ssh-options.ts';

/**
 * `ansible_ssh_common_args` and its like: arguments of the OpenSSH client, read with the options of ssh_config. What they
 * ask for and cannot be had is said where the settings are used (`ssh-config-unmet.ts`).
 */

/** The answer of {@link parseCommonArgs}: with an error among the problems, do not connect. */
export interface CommonArgs {
  /** In their order: if an option is there twice, the first counts. */
  readonly settings: readonly Setting[];
  /** The configuration file of `-F`, which replaces the usual ones; `none` for no file; `null` where it is not given. */
  readonly configFile: string | null;
  readonly problems: readonly Problem[];
}

/** Flags without a value and without an effect on us: terminals, forwarding, sharing, how much OpenSSH says. */
const HARMLESS_FLAGS = 'AaCKkMnqTtvXxYy';
/** Flags that mean an option with this value. */
const FLAG_OPTIONS: ReadonlyMap<string, readonly [name: string, value: string]> = new Map([
  ['4', ['AddressFamily', 'inet']],
  ['6', ['AddressFamily', 'inet6']],
]);
/** Flags with a value, and the options that they mean; `null` for those that portfw does not support. */
const VALUE_FLAGS: ReadonlyMap<string, string | null> = new Map([
  ['B', 'BindInterface'],
  ['b', 'BindAddress'],
  ['c', 'Ciphers'],
  ['D', 'DynamicForward'],
  ['E', 'LogLevel'],
  ['e', 'EscapeChar'],
  ['I', 'PKCS11Provider'],
  ['i', 'IdentityFile'],
  ['J', 'ProxyJump'],
  ['L', 'LocalForward'],
  ['l', 'User'],
  ['m', 'MACs'],
  ['O', null],
  ['P', 'Tag'],
  ['p', 'Port'],
  ['Q', null],
  ['R', 'RemoteForward'],
  ['S', 'ControlPath'],
  ['W', null],
  ['w', 'TunnelDevice'],
]);

/**
 * Reads OpenSSH client arguments.
 *
 * @param text the arguments, quoted as in a shell
 * @param location where they are written, for the problems
 */
export function parseCommonArgs(text: string, location: SourceLocation | null, home: string = homedir()): CommonArgs {
  const reader = new CommonArgsReader(location, home);
  const words = splitShellWords(text);
  if (words === null) reader.problem('bad-ssh-argument', 'The SSH arguments have an unclosed quote', 'Close the quote');
  else reader.readWords(words);
  return { settings: reader.settings, configFile: reader.configFile, problems: reader.problems };
}

class CommonArgsReader {
  readonly problems: Problem[] = [];
  readonly settings: Setting[] = [];
  configFile: string | null = null;
  readonly #location: SourceLocation | null;
  readonly #home: string;

  constructor(location: SourceLocation | null, home: string) {
    this.#location = location;
    this.#home = home;
  }

  problem(code: string, what: string, solve: string): void {
    this.problems.push(
      new Problem({ severity: 'error', code, what: terminalLine(what), solve, location: this.#location }),
    );
  }

  readWords(words: readonly string[]): void {
    for (let index = 0; index < words.length; index++) {
      const word = words[index]!;
      if (!/^-[^-]/.test(word)) {
        this.#unsupported(word);
        continue;
      }
      // Letters may be joined, and what follows one that takes a value is its value.
      for (let at = 1; at < word.length; at++) {
        const letter = word[at]!;
        const flag = `-${letter}`;
        if (letter === 'o' || letter === 'F' || VALUE_FLAGS.has(letter)) {
          const value = at + 1 < word.length ? word.slice(at + 1) : words[++index];
          this.#readFlag(letter, flag, value);
          break;
        }
        const stands = FLAG_OPTIONS.get(letter);
        if (stands !== undefined) this.#add(stands[0], stands[1], flag);
        else if (!HARMLESS_FLAGS.includes(letter)) this.#unsupported(flag);
      }
    }
  }

  #readFlag(letter: string, flag: string, value: string | undefined): void {
    if (value === undefined || value === '') {
      this.problem('bad-ssh-argument', `The SSH argument ${flag} needs a value`, `Write a value after ${flag}`);
      return;
    }
    if (letter === 'F') {
      this.configFile = expandHome(value, this.#home);
      return;
    }
    if (letter === 'o') {
      this.#readOption(value);
      return;
    }
    const option = VALUE_FLAGS.get(letter) ?? null;
    if (option === null) this.#unsupported(flag);
    else this.#add(option, value, flag);
  }

  /** `Key=Value`, `Key = Value` or `Key Value`, as a line of ssh_config. */
  #readOption(text: string): void {
    const words = readConfigLine(text);
    const name = words === null ? '' : terminalLine(words.name, 60);
    if (words === null || words.rest === '') {
      const what = `The SSH option "${terminalLine(text)}" is not of the form Key=Value`;
      this.problem('bad-ssh-argument', what, 'Write -o Key=Value');
      return;
    }
    const spec = findOption(words.name);
    if (spec === null) {
      this.problem(
        'bad-ssh-argument',
        `-o ${name} is not an option of ssh_config that portfw knows`,
        'Correct or remove it',
      );
      return;
    }
    const value = parseValue(spec, words.rest, `-o ${spec.name}`);
    if (value.kind === 'bad') this.problem('bad-ssh-argument', value.what, value.solve);
    else if (value.kind === 'value') {
      const shown = `-o ${spec.name}`;
      this.settings.push({
        name: spec.name,
        spec,
        words: value.words,
        source: 'arguments',
        location: this.#location,
        shown,
      });
    }
  }

  /** A flag's value is one word as it is: no quotes, no comments. */
  #add(option: string, value: string, flag: string): void {
    const spec = findOption(option)!;
    const raw = spec.syntax.kind === 'word' || spec.syntax.kind === 'free';
    const parsed = raw ? ({ kind: 'value', words: [value] } as const) : parseValue(spec, value, flag);
    if (parsed.kind === 'bad') this.problem('bad-ssh-argument', parsed.what, parsed.solve);
    else if (parsed.kind === 'value') {
      const { words } = parsed;
      // The account of -l is a name, in which nothing is replaced.
      const source = flag === '-l' ? 'variable' : 'arguments';
      this.settings.push({ name: spec.name, spec, words, source, location: this.#location, shown: flag });
    }
  }

  #unsupported(shown: string): void {
    this.problem(
      'unsupported-ssh-argument',
      `The SSH argument ${terminalLine(shown, 60)} is not supported`,
      'Remove it, or use the matching ansible_* connection variable',
    );
  }
}
