import type { Fault } from '../../core/failure.ts';
import type { SourceLocation } from '../../core/problem.ts';
import { splitConfigWords } from './ssh-config-words.ts';
import { parseJump } from './ssh-options-jump.ts';
import { OPTIONS, type OptionSpec, type Syntax } from './ssh-options-table.ts';

/**
 * Where a setting comes from: a connection variable or a flag of portfw, SSH arguments of the inventory,
 * `~/.ssh/config` (or `-F`), the system's file.
 */
export type SettingSource = 'variable' | 'arguments' | 'user' | 'system';

/** One option with its value. */
export interface Setting {
  /** As OpenSSH's manual writes it: `ProxyJump`. */
  readonly name: string;
  readonly spec: OptionSpec;
  /** The words of the value; flags and choices are normalised to the manual's word. Commands are one word. */
  readonly words: readonly string[];
  readonly source: SettingSource;
  /** Where the value is written. */
  readonly location: SourceLocation | null;
  /** How the user wrote it, for messages: `-J`, `-o Port`, `Port`. */
  readonly shown: string;
}

/** The result of reading one option's text. */
export type ParsedValue =
  | { readonly kind: 'value'; readonly words: readonly string[] }
  /** The option is right but sets nothing: a list without entries, a time of `none`. */
  | { readonly kind: 'empty' }
  | ({ readonly kind: 'bad' } & Fault);

/** A setting made from a connection variable, a flag or a ProxyJump. */
export function settingOf(name: string, word: string, location: SourceLocation | null, shown: string): Setting {
  return { name, spec: OPTIONS.get(name.toLowerCase())!, words: [word], source: 'variable', location, shown };
}

/** The option of that name in any spelling that OpenSSH accepts; `null` for an unknown one. */
export function findOption(name: string): OptionSpec | null {
  return OPTIONS.get(name.toLowerCase()) ?? null;
}

/**
 * Reads the value of an option.
 *
 * @param rest the text after the keyword and its `=`, as written
 * @param shown the option as the user wrote it, for messages
 */
export function parseValue(spec: OptionSpec, rest: string, shown: string): ParsedValue {
  if (rest === '') return bad(`${shown} needs a value`, 'Write a value after it');
  const words = splitConfigWords(rest);
  if (words === null) return bad(`The value of ${shown} has an unclosed quote`, 'Close the quote');
  const { syntax } = spec;
  switch (syntax.kind) {
    case 'free':
      return { kind: 'value', words };
    case 'command':
      return { kind: 'value', words: [rest.replace(/^[ \t\r\n=]+/, '')] };
    case 'jump': {
      const text = rest.replace(/^[ \t\r\n=]+/, '');
      if (parseJump(text) !== null) return { kind: 'value', words: [text.replace(/#.*$/s, '').trimEnd()] };
      return bad(
        `${shown} needs machines of the form user@host:port, separated by commas, not "${text}"`,
        'Correct the list; put an IPv6 address in brackets',
      );
    }
    case 'words':
      if (words.length === 0) return { kind: 'empty' };
      if (words.includes('')) return bad(`${shown} has an empty value`, 'Remove the empty quotes');
      if (words.length > 1 && words.some((word) => word.toLowerCase() === 'none'))
        return bad(`"none" must be the only value of ${shown}`, 'Remove it, or the other values');
      return { kind: 'value', words };
    case 'word':
    case 'flag':
    case 'choice':
    case 'number':
    case 'time':
    case 'port':
      return parseWord(syntax, words, shown);
    default: {
      const unreachable: never = syntax;
      return unreachable;
    }
  }
}

function parseWord(syntax: Syntax, words: readonly string[], shown: string): ParsedValue {
  const [word = ''] = words;
  if (word === '') return bad(`${shown} needs a value`, 'Write a value after it');
  if (words.length > 1) {
    return bad(
      `${shown} takes one value, and more words follow "${word}"`,
      'Put a value with spaces in quotes, or remove the rest',
    );
  }
  switch (syntax.kind) {
    case 'flag':
      return choose({ yes: 'yes', true: 'yes', no: 'no', false: 'no' }, word, shown);
    case 'choice':
      return choose(syntax.values, word, shown);
    case 'number':
      if (/^-?\d{1,9}$/.test(word)) return one(String(Number(word)));
      return bad(`${shown} needs a whole number, not "${word}"`, 'Correct the number');
    case 'time': {
      // To OpenSSH "none" is the same as no line at all: a later one counts.
      if (word === 'none') return { kind: 'empty' };
      const seconds = parseTime(word);
      if (seconds !== null) return one(String(seconds));
      return bad(`${shown} needs a time such as 30 or 2m, not "${word}"`, 'Correct the time');
    }
    case 'port': {
      // The only service name that is used here.
      if (word.toLowerCase() === 'ssh') return one('22');
      const port = /^\d{1,5}$/.test(word) ? Number(word) : 0;
      if (port >= 1 && port <= 65535) return one(String(port));
      return bad(`${shown} needs a number from 1 to 65535, not "${word}"`, 'Correct the number');
    }
    default:
      return one(word);
  }
}

const UNITS: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** Seconds of a time as in sshd_config(5), TIME FORMATS: `90`, `1m30s`; `null` for anything else. */
function parseTime(text: string): number | null {
  if (!/^(?=.)(?:\d+[smhdw])*\d*$/i.test(text)) return null;
  const parts = [...text.matchAll(/(\d+)([smhdw]?)/gi)];
  const seconds = parts.reduce((sum, [, count, unit]) => sum + Number(count) * UNITS[unit!.toLowerCase()]!, 0);
  return seconds <= 2_147_483_647 ? seconds : null;
}

function choose(values: Readonly<Record<string, string>>, word: string, shown: string): ParsedValue {
  const key = word.toLowerCase();
  if (Object.hasOwn(values, key)) return one(values[key]!);
  const known = [...new Set(Object.values(values))].join(', ');
  return bad(`${shown} has no value "${word}"`, `Use one of: ${known}`);
}

function one(word: string): ParsedValue {
  return { kind: 'value', words: [word] };
}

function bad(what: string, solve: string): ParsedValue {
  return { kind: 'bad', what, solve };
}
