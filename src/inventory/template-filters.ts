import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { callMethod, keyOf, replaceText, splitText, textOf } from './template-access.ts';
import { ADDRESS_FILTERS } from './template-addresses.ts';
import { expandReplacement, pythonRegex } from './template-regex.ts';
import { testNamed } from './template-tests.ts';
import {
  compare,
  ExpressionError,
  entriesOf,
  equal,
  isList,
  isMap,
  kindOf,
  type Lazy,
  pythonText,
  settled,
  toValue,
  truthy,
  type Value,
  type ValueMap,
} from './template-values.ts';

type Named = ReadonlyMap<string, Value | undefined>;

/** A filter: what it makes of a value. `undefined` means that the result is undefined, as `first` of an empty list is. */
export interface Filter {
  apply(value: Value | undefined, args: readonly Value[], named: Named): Value | undefined;
  /** Whether it has a use for undefined values and arguments, which end all other filters. */
  readonly takesUndefined?: boolean;
}

type Apply = (value: Value, args: readonly Value[], named: Named) => Value | undefined;

/** The most items that a filter makes. */
const MOST_ITEMS = 100_000;

const SIMPLE: Readonly<Record<string, Apply>> = {
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
  // Lists.
  list: (value) =>
    isList(value) ? value : typeof value === 'string' ? [...value] : isMap(value) ? keys(value) : fault('list', value),
  length: size,
  count: size,
  first: (value) => (typeof value === 'string' ? [...value][0] : list(value, 'first')[0]),
  last: (value) => (typeof value === 'string' ? [...value].at(-1) : list(value, 'last').at(-1)),
  min: (value, args, named) => extreme(value, args, named, -1),
  max: (value, args, named) => extreme(value, args, named, 1),
  sum: (value, args, named) => {
    const attribute = args[0] ?? named.get('attribute');
    const items = list(value, 'sum').map((item) =>
      attribute === undefined ? item : (attributeOf(item, attribute) ?? null),
    );
    const start = args[1] ?? named.get('start') ?? 0;
    if (isList(start)) return [start, ...items].flat() as Value[];
    return items.reduce<number>((sum, item) => sum + number(item, 'sum'), number(start, 'sum'));
  },
  reverse: (value) =>
    typeof value === 'string' ? [...value].reverse().join('') : [...list(value, 'reverse')].reverse(),
  sort: (value, args, named) =>
    sorted(
      list(value, 'sort'),
      args[0] ?? named.get('reverse'),
      args[1] ?? named.get('case_sensitive'),
      args[2] ?? named.get('attribute'),
    ),
  unique: (value, args, named) => {
    const sensitive = truthy(args[0] ?? named.get('case_sensitive'));
    const attribute = args[1] ?? named.get('attribute');
    const items = list(value, 'unique');
    // Ansible's own goes first, and minds the case of letters, unless it is told otherwise.
    const fold = named.has('case_sensitive') && !sensitive;
    return distinct(items, (item) => {
      const key = attribute === undefined ? item : (attributeOf(item, attribute) ?? null);
      return fold && typeof key === 'string' ? key.toLowerCase() : key;
    });
  },
  union: (value, [other]) => distinct([...list(value, 'union'), ...list(other, 'union')]),
  intersect: (value, [other]) =>
    distinct(list(value, 'intersect').filter((item) => includes(list(other, 'intersect'), item))),
  difference: (value, [other]) =>
    distinct(list(value, 'difference').filter((item) => !includes(list(other, 'difference'), item))),
  symmetric_difference: (value, [other]) => {
    const [left, right] = [list(value, 'symmetric_difference'), list(other, 'symmetric_difference')];
    return distinct([
      ...left.filter((item) => !includes(right, item)),
      ...right.filter((item) => !includes(left, item)),
    ]);
  },
  flatten: (value, args, named) => {
    const levels = args[0] ?? named.get('levels') ?? Number.POSITIVE_INFINITY;
    return flatten(list(value, 'flatten'), number(levels, 'flatten')).filter(
      (item) => item !== null || named.get('skip_nulls') === false,
    );
  },
  batch: (value, [count]) => {
    const items = list(value, 'batch');
    const by = Math.max(1, number(count ?? 1, 'batch'));
    return Array.from({ length: Math.ceil(items.length / by) }, (_, index) =>
      items.slice(index * by, (index + 1) * by),
    );
  },
  zip: (value, args) => {
    const all = [value, ...args].map((one) => list(one, 'zip'));
    return Array.from({ length: Math.min(...all.map((one) => one.length)) }, (_, index) =>
      all.map((one) => one[index]!),
    );
  },
  product: (value, args) =>
    args.reduce<readonly (readonly Value[])[]>(
      (rows, one) =>
        bounded(rows.length * list(one, 'product').length) &&
        rows.flatMap((row) => list(one, 'product').map((item) => [...row, item])),
      list(value, 'product').map((item) => [item]),
    ),
  map: (value, args, named) => mapped(list(value, 'map'), args, named),
  select: (value, [name, ...rest]) =>
    list(value, 'select').filter((item) => (name === undefined ? truthy(item) : passes(item, name, rest))),
  reject: (value, [name, ...rest]) =>
    list(value, 'reject').filter((item) => !(name === undefined ? truthy(item) : passes(item, name, rest))),
  selectattr: (value, args) => list(value, 'selectattr').filter((item) => attributePasses(item, args)),
  rejectattr: (value, args) => list(value, 'rejectattr').filter((item) => !attributePasses(item, args)),
  groupby: (value, [attribute]) => {
    const items = sorted(list(value, 'groupby'), false, true, attribute);
    const groups = distinct(items.map((item) => attributeOf(item, attribute ?? '') ?? null));
    return groups.map((key) => [key, items.filter((item) => equal(attributeOf(item, attribute ?? ''), key))]);
  },
  // Mappings.
  dict2items: (value, _args, named) => {
    const [key, item] = [pythonText(named.get('key_name') ?? 'key'), pythonText(named.get('value_name') ?? 'value')];
    return entriesOf(map(value, 'dict2items')).map(
      ([name, one]) =>
        new Map<string, Value>([
          [key, name],
          [item, one],
        ]),
    );
  },
  items2dict: (value, _args, named) => {
    const [key, item] = [named.get('key_name') ?? 'key', named.get('value_name') ?? 'value'];
    return new Map(list(value, 'items2dict').map((one) => [pythonText(required(one, key)), required(one, item)]));
  },
  items: (value) => entriesOf(map(value, 'items')),
  dictsort: (value, args, named) => {
    const byValue = (args[1] ?? named.get('by')) === 'value';
    const fold = (one: Value): Value =>
      typeof one === 'string' && !truthy(args[0] ?? named.get('case_sensitive')) ? one.toLowerCase() : one;
    const order = [...entriesOf(map(value, 'dictsort'))].sort((a, b) =>
      compare(fold(byValue ? a[1] : a[0]), fold(byValue ? b[1] : b[0])),
    );
    return truthy(args[2] ?? named.get('reverse')) ? order.reverse() : order;
  },
  combine: (value, args, named) => {
    const recursive = truthy(named.get('recursive'));
    const how = pythonText(named.get('list_merge') ?? 'replace');
    return flatten([value, ...args], 1).reduce<ValueMap>(
      (all, one) => combine(all, new Map(entriesOf(map(one, 'combine'))), recursive, how),
      new Map(),
    );
  },
  extract: (value, [container, more]) => extract(value, container ?? null, more),
  // Choices and forms.
  ternary: (value, args, named) => {
    const whenNull = args[2] ?? named.get('none_val');
    if (value === null && whenNull !== undefined) return whenNull;
    return truthy(value) ? (args[0] ?? named.get('true_val')) : (args[1] ?? named.get('false_val'));
  },
  to_json: (value) =>
    JSON.stringify(forJson(value)).replaceAll(/"(?:[^"\\]|\\.)*"|[,:]/g, (part) =>
      part === ',' || part === ':' ? `${part} ` : part,
    ),
  tojson: (value) =>
    JSON.stringify(forJson(value)).replaceAll(/"(?:[^"\\]|\\.)*"|[,:]/g, (part) =>
      part === ',' || part === ':' ? `${part} ` : part,
    ),
  to_nice_json: (value) => JSON.stringify(forJson(value), null, 4),
  from_json: (value) => {
    try {
      return toValue(JSON.parse(textOf(value, 'the filter "from_json"')));
    } catch (error) {
      if (error instanceof ExpressionError) throw error;
      throw new ExpressionError('the filter "from_json" is given what is not JSON', 'Correct the text');
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

/** Every filter by its name without a collection: `ipaddr` for `ansible.utils.ipaddr`. */
export const FILTERS: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ...Object.entries({ ...SIMPLE, ...ADDRESS_FILTERS }).map(([name, apply]): [string, Filter] => [
    name,
    { apply: (value, args, named) => apply(value ?? null, args, named) },
  ]),
  ...['default', 'd'].map((name): [string, Filter] => [name, { apply: otherwise, takesUndefined: true }]),
  ['mandatory', { apply: mandatory, takesUndefined: true }],
]);

function otherwise(value: Value | undefined, args: readonly Value[], named: Named): Value | undefined {
  const evenIfFalse = truthy(args[1] ?? named.get('boolean'));
  if (value !== undefined && !(evenIfFalse && !truthy(value))) return value;
  if (args.length > 0) return args[0];
  return named.has('default_value') ? named.get('default_value') : '';
}

function mandatory(value: Value | undefined, args: readonly Value[], named: Named): Value {
  if (value !== undefined) return value;
  const message = args[0] ?? named.get('msg');
  throw new ExpressionError(
    typeof message === 'string' ? message : 'a mandatory variable is undefined',
    'Set the variable',
    'template-undefined',
  );
}

function fault(name: string, value: Value | undefined): never {
  throw new ExpressionError(`the filter "${name}" is given ${kindOf(value)}`, 'Give it what it works on');
}

function list(value: Value | undefined, name: string): readonly Value[] {
  if (isList(value)) return value;
  if (typeof value === 'string') return [...value];
  return isMap(value) ? keys(value) : fault(name, value);
}

function map(value: Value | undefined, name: string): ValueMap | Lazy {
  return isMap(value) ? value : fault(name, value);
}

function keys(value: ValueMap | Lazy): readonly string[] {
  return [...value.keys()];
}

function size(value: Value): number {
  if (typeof value === 'string') return [...value].length;
  return isList(value) ? value.length : isMap(value) ? keys(value).length : fault('length', value);
}

function number(value: Value | undefined, name: string): number {
  if (typeof value === 'boolean') return Number(value);
  return typeof value === 'number' ? value : fault(name, value);
}

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

/** An attribute of an item: a name, several with dots between, or a position. */
function attributeOf(item: Value, attribute: Value): Value | undefined {
  let current: Value | undefined = item;
  for (const part of pythonText(attribute).split('.')) {
    if (current === undefined) return undefined;
    current = keyOf(current, part);
  }
  return current;
}

function required(item: Value, key: Value): Value {
  const value = keyOf(item, key);
  if (value === undefined)
    throw new ExpressionError(`an item has no "${pythonText(key)}"`, 'Name the keys with key_name and value_name');
  return value;
}

function includes(items: readonly Value[], item: Value): boolean {
  return items.some((one) => equal(one, item));
}

function distinct(items: readonly Value[], keyOfItem: (item: Value) => Value = (item) => item): readonly Value[] {
  const simple = new Set<Value>();
  const others: Value[] = [];
  return items.filter((item) => {
    const key = keyOfItem(item);
    if (typeof key === 'string') return simple.size < simple.add(key).size;
    if (includes(others, key)) return false;
    others.push(key);
    return true;
  });
}

function sorted(
  items: readonly Value[],
  reverse: Value | undefined,
  caseSensitive: Value | undefined,
  attribute: Value | undefined,
): readonly Value[] {
  const names = attribute === undefined || attribute === null ? null : pythonText(attribute).split(',');
  const fold = (value: Value | undefined): Value =>
    typeof value === 'string' && !truthy(caseSensitive) ? value.toLowerCase() : (value ?? null);
  const key = (item: Value): Value =>
    names === null ? fold(item) : names.map((name) => fold(attributeOf(item, name.trim())));
  const keyed = items
    .map((item) => ({ item, key: key(item) }))
    .sort((a, b) => (truthy(reverse) ? -1 : 1) * compare(a.key, b.key));
  return keyed.map(({ item }) => item);
}

function extreme(value: Value, args: readonly Value[], named: Named, sign: number): Value | undefined {
  const attribute = named.get('attribute') ?? args[1];
  const key = (item: Value): Value => {
    const own = attribute === undefined ? item : (attributeOf(item, attribute) ?? null);
    return typeof own === 'string' ? own.toLowerCase() : own;
  };
  const [first, ...rest] = list(value, sign < 0 ? 'min' : 'max');
  return rest.reduce<Value | undefined>(
    (best, item) => (best !== undefined && compare(key(item), key(best)) * sign > 0 ? item : best),
    first,
  );
}

function flatten(items: readonly Value[], levels: number): readonly Value[] {
  return items.flatMap((item) => (isList(item) && levels > 0 ? flatten(item, levels - 1) : [item]));
}

function bounded(count: number): true {
  if (count <= MOST_ITEMS) return true;
  throw new ExpressionError(`a filter makes more than ${MOST_ITEMS} items`, 'Shorten the lists', 'template-too-long');
}

function mapped(items: readonly Value[], args: readonly Value[], named: Named): readonly Value[] {
  const attribute = named.get('attribute');
  if (attribute !== undefined) {
    return items.map((item) => {
      const value = attributeOf(item, attribute) ?? named.get('default');
      if (value !== undefined) return value;
      throw new ExpressionError(
        `an item has no "${pythonText(attribute)}"`,
        'Add "default=…" to map(), or set it for all items',
        'template-undefined',
      );
    });
  }
  const [name, ...rest] = args;
  const filter = FILTERS.get(
    pythonText(name ?? '')
      .split('.')
      .at(-1)!,
  );
  if (filter === undefined)
    throw new ExpressionError(
      `map() is given the unknown filter "${pythonText(name ?? null)}"`,
      'Correct its name',
      'template-unknown-filter',
    );
  return items.map((item) => {
    const value = filter.apply(item, rest, named);
    if (value !== undefined) return value;
    throw new ExpressionError(
      `map() with "${pythonText(name!)}" finds nothing for an item`,
      'Set it for all items',
      'template-undefined',
    );
  });
}

function passes(item: Value, name: Value, args: readonly Value[]): boolean {
  if (name === 'defined') return true;
  if (name === 'undefined') return false;
  const filter = ADDRESS_TESTS.get(pythonText(name).split('.').at(-1)!);
  return filter === undefined ? testNamed(pythonText(name))(item, args) : truthy(filter(item, args, new Map()));
}

/** Address filters that are also used as tests. */
const ADDRESS_TESTS: ReadonlyMap<string, Apply> = new Map(Object.entries(ADDRESS_FILTERS));

function attributePasses(item: Value, [attribute, name, ...args]: readonly Value[]): boolean {
  const value = attributeOf(item, attribute ?? '');
  if (name === undefined) return truthy(value);
  if (name === 'defined') return value !== undefined;
  if (name === 'undefined') return value === undefined;
  if (value === undefined)
    throw new ExpressionError(
      `an item has no "${pythonText(attribute ?? null)}"`,
      'Select with "defined" first',
      'template-undefined',
    );
  return passes(value, name, args);
}

function combine(left: ValueMap, right: ValueMap, recursive: boolean, how: string): ValueMap {
  const result = new Map(left);
  for (const [key, value] of right) {
    const before = result.get(key);
    if (recursive && before instanceof Map && value instanceof Map)
      result.set(key, combine(before, value, recursive, how));
    else if (isList(before) && isList(value) && how !== 'replace') result.set(key, mergeLists(before, value, how));
    else result.set(key, value);
  }
  return result;
}

function mergeLists(before: readonly Value[], value: readonly Value[], how: string): readonly Value[] {
  switch (how) {
    case 'keep':
      return before;
    case 'append':
      return [...before, ...value];
    case 'prepend':
      return [...value, ...before];
    case 'append_rp':
      return [...before.filter((item) => !includes(value, item)), ...value];
    case 'prepend_rp':
      return [...value, ...before.filter((item) => !includes(value, item))];
    default:
      throw new ExpressionError(`combine() knows no list_merge "${how}"`, 'Write replace, keep, append or prepend');
  }
}

function extract(key: Value, container: Value, more: Value | undefined): Value | undefined {
  let current: Value | undefined = keyOf(container, key);
  for (const step of more === undefined || more === null ? [] : isList(more) ? more : [more]) {
    if (current === undefined) return undefined;
    current = keyOf(current, step);
  }
  return current;
}

function percentFormat(text: string, args: readonly Value[], named: Named): string {
  let next = 0;
  return text.replace(
    /%(?:\((\w+)\))?([-0]*)(\d{0,3})(?:\.(\d{1,2}))?([sdifxX%])/g,
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

/** A value for `JSON.stringify`; a number that is too large for it is refused rather than changed. */
function forJson(value: Value): unknown {
  const plain = settled(value);
  if (isList(plain)) return plain.map(forJson);
  if (plain instanceof Map) return Object.fromEntries([...plain].map(([key, item]) => [key, forJson(item)]));
  if (typeof plain === 'bigint') throw new ExpressionError('a number is too large for JSON', 'Write it as text');
  return plain;
}
