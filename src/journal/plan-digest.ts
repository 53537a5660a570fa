import { createHash } from 'node:crypto';

/**
 * The SHA-256 of a plan, in hexadecimal: of its JSON without blanks, the keys of every object in order. Equal plans have equal
 * digests, whoever made them.
 */
export function planDigest(plan: object): string {
  return createHash('sha256')
    .update(JSON.stringify(inOrder(plan)))
    .digest('hex');
}

function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, inOrder(inner)]));
}
