import { keyOf } from './access.ts';
import { ExpressionError, isList, isMap, kindOf, type Lazy, pythonText, type Value, type ValueMap } from './values.ts';

/** The arguments of filters, converted to the types that they need. */

/** Arguments by name. */
export type Named = ReadonlyMap<string, Value | undefined>;

/** What a filter makes of a value; `undefined` means that the result is undefined. */
export type Apply = (value: Value, args: readonly Value[], named: Named) => Value | undefined;

/** A filter is given what it does not work on. */
export function fault(name: string, value: Value | undefined): never {
  throw new ExpressionError(`the filter "${name}" is given ${kindOf(value)}`, 'Give it an argument');
}

/** A list; the characters of a text, and the keys of a mapping, are one too. */
export function list(value: Value | undefined, name: string): readonly Value[] {
  if (isList(value)) return value;
  if (typeof value === 'string') return [...value];
  return isMap(value) ? keys(value) : fault(name, value);
}

/** A mapping. */
export function map(value: Value | undefined, name: string): ValueMap | Lazy {
  return isMap(value) ? value : fault(name, value);
}

/** The keys of a mapping. */
export function keys(value: ValueMap | Lazy): readonly string[] {
  return [...value.keys()];
}

/** A number; a boolean is one too. */
export function number(value: Value | undefined, name: string): number {
  if (typeof value === 'boolean') return Number(value);
  return typeof value === 'number' ? value : fault(name, value);
}

/** An attribute of an item: a name, several with dots between, or a position. */
export function attributeOf(item: Value, attribute: Value): Value | undefined {
  let current: Value | undefined = item;
  for (const part of pythonText(attribute).split('.')) {
    if (current === undefined) return undefined;
    current = keyOf(current, part);
  }
  return current;
}
