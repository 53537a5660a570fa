/**
 * A pure function of two values that never change. It computes each result once and keeps it as long as both values exist.
 * It is for operations with many callers, where passing a table of results to all of them would cost far more code. It must
 * never hold what cannot be computed again: that is state, and belongs in a field.
 *
 * @param isWorth whether a result is kept: a small one is computed faster than it is looked up
 */
export function rememberingPairs<A extends object, B extends object, R>(
  make: (one: A, other: B) => R,
  isWorth: (one: A, other: B) => boolean,
): (one: A, other: B) => R {
  const results = new WeakMap<A, WeakMap<B, { readonly result: R }>>();
  return (one, other) => {
    if (!isWorth(one, other)) return make(one, other);
    const ofOne = results.get(one) ?? new WeakMap<B, { readonly result: R }>();
    results.set(one, ofOne);
    const known = ofOne.get(other);
    if (known !== undefined) return known.result;
    const result = make(one, other);
    ofOne.set(other, { result });
    return result;
  };
}
