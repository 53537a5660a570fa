import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { callMethod, replaceText, splitText, textOf } from './access.ts';
import { type Apply, attributeOf, list, type Named, number } from './arguments.ts';
import { expandReplacement, pythonRegex } from './regex.ts';
import { ExpressionError, isList, isMap, pythonText, settled, toValue, truthy, type Value } from './values.ts';

/** The filters that make text, numbers and booleans. */
export const TEXT_FILTERS: Readonly<Record<string, Apply>> = {
  // Text.
  string: (value) => pythonText(value),
  lower: (value) => pythonText(value).toLowerCase(),
  upper: (value) => pythonText(value).toUpperCase(),
  capitalize: (value) => callMethod('capitalize', pythonText(value), []),
  title: (value) => callMethod('title', pythonText(value), []),
  trim: (value, args) => callMethod('strip', pythonText(value), args),
  replace: (value, [from, to, most]) =>
    replaceText(pythonText(value), pythonText(from ?? ''), pythonText(to ?? ''), most),
  split: (value, [separator, most]) => splitText(textOf(value, 'the filter "split"'), separator ?? null, most),
  join: (value, args, named) => {
    const attribute = args[1] ?? named.get('attribute');
    const items = list(value, 'join').map((item) =>
      attribute === undefined ? item : (attributeOf(item, attribute) ?? ''),
    );
    return items
      .map((item) => (item === null ? 'None' : pythonText(item)))
      .join(pythonText(args[0] ?? named.get('d') ?? ''));
  },
  format: (value, args, named) => percentFormat(textOf(value, 'the filter "format"'), args, named),
  regex_replace: (value, args, named) => {
    const flags = regexFlags(named);
    const template = pythonText(args[1] ?? named.get('replacement') ?? '');
    const count = args[2] ?? named.get('count');
    let left = typeof count === 'number' && count > 0 ? count : Number.POSITIVE_INFINITY;
    return pythonText(value).replace(
      pythonRegex(pythonText(args[0] ?? named.get('pattern') ?? ''), `g${flags}`),
      (...found: unknown[]) => {
        left -= 1;
        if (left < 0) return String(found[0]);
        const groups = typeof found.at(-1) === 'object' ? (found.at(-1) as Record<string, string>) : {};
        return expandReplacement(template, found as string[], groups);
      },
    );
  },
  regex_search: (value, args, named) => {
    const found = pythonRegex(pythonText(args[0] ?? ''), regexFlags(named)).exec(pythonText(value));
    if (found === null) return args.length > 1 ? null : '';
    if (args.length === 1) return found[0];
    return args.slice(1).map((wanted) => {
      const name = /^\\(?:g<(\w+)>|(\d+))$/.exec(pythonText(wanted));
      if (name === null)
        throw new ExpressionError('regex_search is given an unknown group', String.raw`Write "\\1" or "\\g<name>"`);
      return (name[2] === undefined ? found.groups?.[name[1]!] : found[Number(name[2])]) ?? null;
    });
  },
  regex_findall: (value, args, named) =>
    [...pythonText(value).matchAll(pythonRegex(pythonText(args[0] ?? ''), `g${regexFlags(named)}`))].map((found) =>
      found.length === 1 ? found[0] : found.length === 2 ? (found[1] ?? '') : found.slice(1).map((part) => part ?? ''),
    ),
  regex_escape: (value) => pythonText(value).replace(/[\\^$.|?*+()[\]{}\-#&~ \t\n]/g, String.raw`\$&`),
  quote: (value) =>
    /^[\w@%+=:,./-]+$/.test(pythonText(value)) ? value : `'${pythonText(value).replaceAll("'", `'"'"'`)}'`,
  basename: (value) => pythonText(value).split('/').at(-1)!,
  dirname: (value) => {
    const folder = pythonText(value).replace(/[^/]*$/, '');
    return /^\/+$/.test(folder) ? folder : folder.replace(/\/+$/, '');
  },
  path_join: (value) => (isList(value) ? posix.join(...value.map((part) => textOf(part, 'path_join'))) : value),
  splitext: (value) => {
    const extension = posix.extname(pythonText(value));
    return [pythonText(value).slice(0, pythonText(value).length - extension.length), extension];
  },
  hash: (value, [kind]) => digest(pythonText(kind ?? 'sha1'), value),
  md5: (value) => digest('md5', value),
  sha1: (value) => digest('sha1', value),
  checksum: (value) => digest('sha1', value),
  b64encode: (value) => Buffer.from(pythonText(value), 'utf8').toString('base64'),
  b64decode: (value) => Buffer.from(pythonText(value), 'base64').toString('utf8'),
  // Numbers and booleans.
  int: (value, args, named) =>
    wholeNumber(value, args[0] ?? named.get('default') ?? 0, args[1] ?? named.get('base') ?? 10),
  float: (value, args, named) => {
    const number =
      typeof value === 'boolean' ? Number(value) : typeof value === 'number' ? value : parseNumber(pythonText(value));
    return number ?? args[0] ?? named.get('default') ?? 0;
  },
  abs: (value) => Math.abs(number(value, 'abs')),
  round: (value, args, named) =>
    round(number(value, 'round'), args[0] ?? named.get('precision') ?? 0, args[1] ?? named.get('method') ?? 'common'),
  bool: (value) => {
    if (value === null || typeof value === 'boolean') return value;
    return value === 1 || (typeof value === 'string' && ['yes', 'on', '1', 'true'].includes(value.toLowerCase()));
  },
  to_json: (value) =>
    JSON.stringify(forJson(value)).replaceAll(/"(?:[^"\\]|\\.)*"|[,:]/g, (part) =>
      part === ',' || part === ':' ? `${part} ` : part,
    ),
  tojson: (value) =>
    JSON.stringify(forJson(value)).replaceAll(/"(?:[^"\\]|\\.)*"|[,:]/g, (part) =>
      part === ',' || part === ':' ? `${part} ` : part,
    ),
  to_nice_json: (value) => JSON.stringify(sortedKeys(forJson(value)), null, 4),
  from_json: (value) => {
    try {
      return toValue(JSON.parse(textOf(value, 'the filter "from_json"')));
    } catch (error) {
      if (error instanceof ExpressionError) throw error;
      throw new ExpressionError('the filter "from_json" is given text that is not JSON', 'Correct the text');
    }
  },
  type_debug: (value) =>
    value === null
      ? 'NoneType'
      : isList(value)
        ? 'list'
        : isMap(value)
          ? 'dict'
          : typeof value === 'string'
            ? 'str'
            : typeof value === 'boolean'
              ? 'bool'
              : Number.isInteger(value)
                ? 'int'
                : 'float',
};

function parseNumber(text: string): number | null {
  return /^\s*[-+]?(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?\s*$/.test(text)
    ? Number(text.replaceAll('_', ''))
    : null;
}

function wholeNumber(value: Value, otherwise: Value, base: Value): Value {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'boolean') return Number(value);
  if (typeof value === 'number') return Math.trunc(value);
  if (typeof value !== 'string') return otherwise;
  const text = value.trim().replaceAll('_', '').toLowerCase();
  if (typeof base === 'number' && base !== 10) {
    const digits = text.replace(/^([-+]?)0[xob]/, '$1');
    const parsed = /^[-+]?[0-9a-z]+$/.test(digits) ? Number.parseInt(digits, base) : Number.NaN;
    return Number.isNaN(parsed) ? otherwise : parsed;
  }
  const parsed = parseNumber(text);
  return parsed === null || !Number.isFinite(parsed) ? otherwise : Math.trunc(parsed);
}

function round(value: number, precision: Value, method: Value): number {
  const factor = 10 ** number(precision, 'round');
  if (method === 'ceil') return Math.ceil(value * factor) / factor;
  if (method === 'floor') return Math.floor(value * factor) / factor;
  return Math.round(value * factor) / factor;
}

function digest(kind: string, value: Value): string {
  if (!['md5', 'sha1', 'sha224', 'sha256', 'sha384', 'sha512'].includes(kind)) {
    throw new ExpressionError(`the hash "${kind}" is not known`, 'Hashes are md5, sha1, sha256 and sha512');
  }
  return createHash(kind).update(pythonText(value), 'utf8').digest('hex');
}

function regexFlags(named: Named): string {
  return (truthy(named.get('ignorecase')) ? 'i' : '') + (truthy(named.get('multiline')) ? 'm' : '');
}

function percentFormat(text: string, args: readonly Value[], named: Named): string {
  let next = 0;
  return text.replace(
    /%(?:\((\w+)\))?([-0]*)(\d{0,3})(?:\.(\d{1,2}))?([sdifxX%])/g,
    // biome-ignore lint/complexity/useMaxParams: JavaScript hands the groups of a match over one by one
    (_whole, name: string | undefined, flags: string, width: string, digits: string | undefined, kind: string) => {
      if (kind === '%') return '%';
      const value = name === undefined ? args[next++] : named.get(name);
      if (value === undefined) throw new ExpressionError('format() is given too few values', 'Give one for each place');
      const made =
        kind === 's'
          ? pythonText(value)
          : kind === 'f'
            ? number(value, 'format').toFixed(Number(digits ?? 6))
            : kind === 'x' || kind === 'X'
              ? number(value, 'format').toString(16)[kind === 'x' ? 'toLowerCase' : 'toUpperCase']()
              : String(Math.trunc(number(value, 'format')));
      return flags.includes('-')
        ? made.padEnd(Number(width))
        : made.padStart(Number(width), flags.includes('0') ? '0' : ' ');
    },
  );
}

/** The same with the keys of every mapping in their order, as `to_nice_json` has them. */
function sortedKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortedKeys);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, item]) => [key, sortedKeys(item)] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** A value for `JSON.stringify`; a number that is too large for it is refused rather than changed. */
function forJson(value: Value): unknown {
  const plain = settled(value);
  if (isList(plain)) return plain.map(forJson);
  if (plain instanceof Map) return Object.fromEntries([...plain].map(([key, item]) => [key, forJson(item)]));
  if (typeof plain === 'bigint') throw new ExpressionError('a number is too large for JSON', 'Write it as text');
  return plain;
}
