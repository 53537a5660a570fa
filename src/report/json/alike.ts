/** The type with all optional fields required, at every depth. */
type Whole<T> = { readonly [K in keyof T]-?: Whole<T[K]> };

/** Whether two types have the same fields at every depth. */
export type Alike<A, B> = [Whole<A>] extends [Whole<B>] ? ([Whole<B>] extends [Whole<A>] ? true : false) : false;

/**
 * Publishes a value of an internal type unchanged. This does not compile when the two types differ in any field: then add the
 * field to the published form (event-schema.ts), or map it.
 */
export function asPublished<Internal, Published>(
  value: Alike<Internal, Published> extends true ? Internal : never,
): Published {
  return value as unknown as Published;
}
