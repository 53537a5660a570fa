/** What a host sent, after `JSON.parse`. Everything in it must be checked before use. */
export type Json = unknown;

export type JsonObject = Readonly<Record<string, Json>>;

export function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function list(value: Json): readonly Json[] {
  return Array.isArray(value) ? value : [];
}

export function text(value: Json): string | null {
  return typeof value === 'string' ? value : null;
}

/** The value of a key that the object itself has. */
export function get(value: Json, key: string): Json {
  return isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

/** The only key of an object, and its value: nft writes `{"drop": null}`. */
export function single(value: Json): { readonly key: string; readonly value: Json } | null {
  if (!isObject(value)) return null;
  const [key, ...others] = Object.keys(value);
  return key === undefined || others.length > 0 ? null : { key, value: value[key] };
}

/** nft writes no deeper expressions. */
const DEEPEST = 24;

/** Whether a value is nested as deep as nft writes at most: the functions that read it are recursive. */
export function shallow(value: Json): boolean {
  let layer: Json[] = [value];
  for (let depth = 0; depth < DEEPEST; depth += 1) {
    layer = layer.flatMap((item) => (typeof item === 'object' && item !== null ? Object.values(item) : []));
    if (layer.length === 0) return true;
  }
  return false;
}
