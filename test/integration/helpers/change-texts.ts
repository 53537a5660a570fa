import { formatPort } from '../../../src/firewalld/normalise.ts';
import type { Change, HostPlan } from '../../../src/plan/plan.ts';

/** Each change of a plan in one short line, in the plan's order: what a test expects is then a list to read. */
export function changeTexts({ changes }: HostPlan): string[] {
  const entries = new Map(
    changes.flatMap((change) => (change.kind === 'ipset-entries' ? [[change.ipset, change] as const] : [])),
  );
  const whole = new Set<Change>();
  // The entries of a set that comes are on its own line.
  const texts = changes.map((change) => {
    const text = changeText(change);
    if (change.kind !== 'definition' || change.object !== 'ipset' || change.action !== 'create') return text;
    const own = entries.get(change.name);
    if (own === undefined) return text;
    whole.add(own);
    return `${text}; entries: - → ${own.add.join(' ')}`;
  });
  return texts.filter((_, index) => !whole.has(changes[index]!));
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
