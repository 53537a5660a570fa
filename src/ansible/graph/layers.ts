import type { SourceLocation } from '../../core/problem.ts';
import { exactKeys, keyText, noteKeys } from '../../documents/exact-keys.ts';
import { define } from '../../documents/yaml-convert.ts';
import type { YamlPath } from '../../documents/yaml-view.ts';
import type { Variable, Variables } from './variables.ts';

/** What becomes of a mapping that a stronger layer sets again: replaced as a whole, or merged key by key. */
export type HashBehaviour = 'replace' | 'merge';

/** Layers variables: a name takes its value from the last layer that has it, or a mapping is merged into what is there. */
export function combine(layers: Iterable<Variables>, behaviour: HashBehaviour): Map<string, Variable> {
  const result = new Map<string, Variable>();
  for (const layer of layers) for (const [name, variable] of layer) setVariable(result, name, variable, behaviour);
  return result;
}

/** Sets a variable again, or for the first time. */
export function setVariable(
  variables: Map<string, Variable>,
  name: string,
  variable: Variable,
  behaviour: HashBehaviour,
): void {
  const before = behaviour === 'merge' ? variables.get(name) : undefined;
  variables.set(name, before === undefined ? variable : mergeVariables(before, variable));
}

/**
 * A variable that is set twice, with `hash_behaviour = merge`: mappings are merged key by key at every depth, and everything
 * else is replaced.
 */
function mergeVariables(weak: Variable, strong: Variable): Variable {
  if (!isHash(weak.exact) || !isHash(strong.exact)) return strong;
  return {
    plain: mergeHashes(weak.plain, strong.plain),
    exact: mergeHashes(weak.exact, strong.exact),
    locate: (path = [], at = 'value') => locateMerged(weak, strong, path, at),
  };
}

function mergeHashes(weak: unknown, strong: unknown): unknown {
  if (!isHash(weak) || !isHash(strong)) return strong;
  const merged: Record<string, unknown> = {};
  const keys = [...exactKeys(weak), ...exactKeys(strong).filter((key) => !Object.hasOwn(weak, keyText(key)))];
  for (const name of keys.map(keyText)) {
    const value = Object.hasOwn(strong, name) ? strong[name] : weak[name];
    define(merged, name, Object.hasOwn(weak, name) ? mergeHashes(weak[name], value) : value);
  }
  noteKeys(merged, keys);
  return merged;
}

/** The place of the layer that has more of the path. A mapping with a secret part is secret as a whole. */
function locateMerged(weak: Variable, strong: Variable, path: YamlPath, at: 'key' | 'value'): SourceLocation | null {
  const [inWeak, inStrong] = [depthOf(weak.plain, path), depthOf(strong.plain, path)];
  if (inWeak > inStrong) return weak.locate(path, at);
  const place = strong.locate(path, at);
  const secret = inWeak === path.length ? (weak.locate(path, at)?.secret ?? null) : null;
  return place === null ? null : { ...place, secret: place.secret ?? secret };
}

/** How many steps of a path there are in a value. */
function depthOf(value: unknown, path: YamlPath): number {
  let current = value;
  for (const [depth, step] of path.entries()) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, step)) return depth;
    current = (current as Record<string | number, unknown>)[step];
  }
  return path.length;
}

/** A mapping, and not one of the classes for scalars. */
function isHash(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
