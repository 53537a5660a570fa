import { formatPort } from '../../src/firewalld/normalise.ts';
import type { Change, HostPlan } from '../../src/plan/plan.ts';

/** Each change of a plan in one short line, in the plan's order: what a test expects is then a list to read. */
export function changeTexts(plan: HostPlan): string[] {
  return plan.changes.map(changeText);
}

function changeText(change: Change): string {
  switch (change.kind) {
    case 'definition': {
      const fields = change.fields.filter(({ field }) => field !== 'short' && field !== 'description');
      const texts = fields.map(({ field, before, after }) => ` ${field}: ${before ?? '-'} → ${after ?? '-'}`);
      return `${change.action} ${change.object} ${change.name}${change.action === 'delete' ? '' : texts.join(';')}`;
    }
    case 'interface':
      return `${change.action} ${change.interface} ${change.zone} (was in ${change.otherZone})`;
    case 'zone-service':
      return `${change.action} ${change.service} (${change.ports.map(formatPort).join(' ')}) in ${change.zone}`;
    case 'rich-rule':
      return `${change.action} in ${change.zone}: ${change.rule}`;
    case 'stray':
      return `take ${change.field} ${change.value} out of ${change.zone}`;
    case 'ipset-entries':
      return `entries of ${change.ipset}: +${change.add.join(',')} -${change.remove.join(',')}`;
    case 'remember':
      return `remember ${change.after}`;
    case 'ensure-firewalld':
      return `${change.action} firewalld`;
  }
}
