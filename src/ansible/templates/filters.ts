import { keyOf } from './access.ts';
import { ADDRESS_FILTERS } from './addresses.ts';
import { type Apply, attributeOf, fault, keys, list, map, type Named, number } from './arguments.ts';
import { testNamed } from './tests.ts';
import { TEXT_FILTERS } from './text-filters.ts';
import {
  compare,
  ExpressionError,
  entriesOf,
  equal,
  isList,
  isMap,
  PASS_OVER,
  pythonText,
  truthy,
  type Value,
  type ValueMap,
} from './values.ts';

/** A filter: what it makes of a value. `undefined` means that the result is undefined, as `first` of an empty list is. */
export interface Filter {
  apply(value: Value | undefined, args: readonly Value[], named: Named): Value | undefined;
  /** Whether it accepts undefined values and arguments; for all other filters they are an error. */
  readonly takesUndefined?: boolean;
}

/** The most items that a filter makes. */
const MOST_ITEMS = 100_000;

/** The filters of lists and mappings. */
const LIST_FILTERS: Readonly<Record<string, Apply>> = {
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
    // Ansible's own filter takes precedence. It is case-sensitive by default.
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
};

/** Every filter by its name without a collection: `ipaddr` for `ansible.utils.ipaddr`. */
export const FILTERS: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ...Object.entries({ ...TEXT_FILTERS, ...LIST_FILTERS, ...ADDRESS_FILTERS }).map(([name, apply]): [string, Filter] => [
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

function size(value: Value): number {
  if (typeof value === 'string') return [...value].length;
  return isList(value) ? value.length : isMap(value) ? keys(value).length : fault('length', value);
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
    return items.flatMap((item) => {
      const value = attributeOf(item, attribute) ?? named.get('default');
      if (value !== undefined) return [value];
      if (named.has(PASS_OVER)) return [];
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
  const options: Named = new Map([...named].filter(([key]) => key !== PASS_OVER));
  return items.flatMap((item) => {
    const value = filter.apply(item, rest, options);
    if (value !== undefined) return [value];
    if (named.has(PASS_OVER)) return [];
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
  if (name === 'defined') return value !== undefined;
  if (name === 'undefined') return value === undefined;
  if (value === undefined)
    throw new ExpressionError(
      `an item has no "${pythonText(attribute ?? null)}"`,
      'Select with "defined" first',
      'template-undefined',
    );
  return name === undefined ? truthy(value) : passes(value, name, args);
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
