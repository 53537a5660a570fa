import { createHash } from 'node:crypto';
import { canonical } from '../core/canonical.ts';

/**
 * The SHA-256 of a plan, in hexadecimal: of its canonical JSON without `disruption`, since the time of a reload may be measured
 * anew when a saved plan is applied. Equal plans have equal digests, whoever made them.
 */
export function planDigest(plan: object): string {
  const { disruption: _measured, ...lasting } = plan as { readonly disruption?: unknown };
  return createHash('sha256').update(canonical(lasting), 'utf8').digest('hex');
}
