/** Every field at every depth, the optional ones as well. */
type Whole<T> = { readonly [K in keyof T]-?: Whole<T[K]> };

/** Whether two types have the same fields at every depth. */
export type Alike<A, B> = [Whole<A>] extends [Whole<B>] ? ([Whole<B>] extends [Whole<A>] ? true : false) : false;

/**
 * A value of an internal type that is published as it stands. Does not compile when the internal type and the published one
 * differ in a field: then the change is to be mapped, or the published form gets it as well.
 */
export function asPublished<Internal, Published>(
  value: Alike<Internal, Published> extends true ? Internal : never,
): Published {
  return value as unknown as Published;
}
