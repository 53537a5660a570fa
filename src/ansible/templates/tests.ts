import { pythonRegex } from './regex.ts';
import { ExpressionError, equal, isList, isMap, kindOf, pythonText, truthy, type Value } from './values.ts';

/** A test after `is`, or by name in `select` and its like. */
export type Test = (value: Value, args: readonly Value[]) => boolean;

/** The tests of Ansible's that MiniJinja does not have. */
export const TESTS: ReadonlyMap<string, Test> = new Map<string, Test>([
  ['match', (value, args) => regexTest(value, args, 'match')],
  ['search', (value, args) => regexTest(value, args, 'search')],
  ['regex', (value, args) => regexTest(value, args, args.includes('match') ? 'match' : 'search')],
  ['contains', (value, [item]) => has(value, item ?? null)],
  ['subset', (value, [other]) => items(value).every((item) => items(other ?? null).some((one) => equal(item, one)))],
  ['superset', (value, [other]) => items(other ?? null).every((item) => items(value).some((one) => equal(item, one)))],
  ['truthy', (value) => truthy(value)],
  ['falsy', (value) => !truthy(value)],
  ['any', (value) => items(value).some(truthy)],
  ['all', (value) => items(value).every(truthy)],
]);

/** The tests that MiniJinja has, once more for filters that take a test by its name. */
const BY_NAME: ReadonlyMap<string, Test> = new Map<string, Test>([
  ['none', (value) => value === null],
  ['string', (value) => typeof value === 'string'],
  ['number', (value) => typeof value === 'number' || typeof value === 'bigint'],
  ['integer', (value) => typeof value === 'bigint' || Number.isInteger(value)],
  ['boolean', (value) => typeof value === 'boolean'],
  ['true', (value) => value === true],
  ['false', (value) => value === false],
  ['mapping', (value) => isMap(value)],
  ['sequence', (value) => isList(value) || typeof value === 'string'],
  ['iterable', (value) => isList(value) || isMap(value) || typeof value === 'string'],
  ['odd', (value) => Math.abs(Number(value) % 2) === 1],
  ['even', (value) => Number(value) % 2 === 0],
  ['divisibleby', (value, [by]) => Number(value) % Number(by) === 0],
  ['in', (value, [list]) => has(list ?? null, value)],
  ...['eq', 'equalto', '==', 'sameas'].map((name): [string, Test] => [name, (value, [other]) => equal(value, other)]),
  ...['ne', '!='].map((name): [string, Test] => [name, (value, [other]) => !equal(value, other)]),
  ...['lt', '<', 'lessthan'].map((name): [string, Test] => [name, (value, [other]) => order(value, other) < 0]),
  ...['gt', '>', 'greaterthan'].map((name): [string, Test] => [name, (value, [other]) => order(value, other) > 0]),
  ...['le', '<='].map((name): [string, Test] => [name, (value, [other]) => order(value, other) <= 0]),
  ...['ge', '>='].map((name): [string, Test] => [name, (value, [other]) => order(value, other) >= 0]),
  ['lower', (value) => pythonText(value) === pythonText(value).toLowerCase()],
  ['upper', (value) => pythonText(value) === pythonText(value).toUpperCase()],
]);

/** A test by its name; `defined` and `undefined` are for the caller, who knows. */
export function testNamed(name: string): Test {
  const short = name.split('.').at(-1)!;
  const test = TESTS.get(short) ?? BY_NAME.get(short);
  if (test === undefined)
    throw new ExpressionError(`the test "${name}" is not known`, 'Correct its name', 'template-unknown-test');
  return test;
}

function order(a: Value, b: Value | undefined): number {
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : Number(a > b);
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  throw new ExpressionError(`cannot order ${kindOf(a)} and ${kindOf(b)}`, 'Compare values of one kind');
}

function has(container: Value, item: Value): boolean {
  if (typeof container === 'string') return container.includes(pythonText(item));
  if (isMap(container)) return container.get(pythonText(item)) !== undefined;
  return items(container).some((one) => equal(one, item));
}

function items(value: Value): readonly Value[] {
  if (isList(value)) return value;
  throw new ExpressionError(`a list is needed, not ${kindOf(value)}`, 'Give a list');
}

function regexTest(value: Value, [pattern]: readonly Value[], how: 'match' | 'search'): boolean {
  return pythonRegex(pythonText(pattern ?? ''), how === 'match' ? 'y' : '').test(pythonText(value));
}
