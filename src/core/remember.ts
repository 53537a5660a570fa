/**
 * A pure function of two values that never change, which works each result out once and keeps it for as long as both
 * values live. For what many callers ask in passing, where handing a table of results down to all of them would cost far
 * more code than this. It must never hold what cannot be worked out again: that is state, and belongs into a field.
 *
 * @param isWorth whether a result is kept at all; small ones cost less than to look them up
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
