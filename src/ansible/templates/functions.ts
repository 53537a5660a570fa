import { shown } from '../../core/shown.ts';
import { ExpressionError, isMap, pythonText, truthy, type Value } from './values.ts';

/** The functions of Ansible's that an inventory's expressions can call, besides Jinja's own `range`, `dict` and `namespace`. */
export const FUNCTIONS: ReadonlySet<string> = new Set(['lookup', 'query', 'q', 'undef']);

type Named = ReadonlyMap<string, Value | undefined>;

/**
 * Calls a function.
 *
 * @param environment what `lookup('env', …)` sees
 */
export function callFunction(
  name: string,
  args: readonly Value[],
  named: Named,
  environment: ReadonlyMap<string, string>,
): Value | undefined {
  if (name === 'undef') return undefined;
  const [plugin, ...terms] = args;
  const found = lookup(plugin ?? null, terms, named, environment);
  const wantsList = name !== 'lookup' || truthy(named.get('wantlist'));
  if (wantsList || found === undefined) return found;
  if (found.length === 0) return [];
  return found.every((item) => typeof item === 'string') ? found.join(',') : found.length === 1 ? found[0]! : found;
}

function lookup(
  plugin: Value,
  terms: readonly Value[],
  named: Named,
  environment: ReadonlyMap<string, string>,
): readonly Value[] | undefined {
  const name = pythonText(plugin).replace(/^ansible\.(?:builtin|legacy)\./, '');
  const flat = terms.flat() as readonly Value[];
  switch (name) {
    case 'env': {
      const otherwise = named.get('default');
      const values = flat.map((term) => environment.get(pythonText(term).split(' ')[0] ?? '') ?? otherwise ?? '');
      return values;
    }
    case 'items':
    case 'list':
      return name === 'items' ? flat : terms;
    case 'dict':
      return flat.filter(isMap).flatMap((map) =>
        'lazy' in map
          ? []
          : [...map].map(
              ([key, value]) =>
                new Map<string, Value>([
                  ['key', key],
                  ['value', value],
                ]),
            ),
      );
    default:
      throw new ExpressionError(
        `the lookup ${shown(name)} is not supported`,
        'Lookups are env, dict, items and list; write the value itself, or put it into an environment variable',
        'template-unsupported',
      );
  }
}
