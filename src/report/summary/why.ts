import type { Reason } from '../../policy/desired.ts';
import { reasonText } from '../reason-view.ts';

/** A reason in a few words: of a matrix row, the role; the details have the row. */
export function whyText(reason: Reason): string {
  return reason.kind === 'rule' ? `${reason.matrix} ${reason.rule.split('/')[0]}` : reasonText(reason);
}
