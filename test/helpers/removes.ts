import type { Change } from '../../src/plan/plan.ts';

/** Whether a change takes something away, so that it has to say why. */
export function removes(change: Change): boolean {
  switch (change.kind) {
    case 'definition':
      return change.action === 'delete' || change.fields.some(({ removed = [] }) => removed.length > 0);
    case 'interface':
      return change.action === 'release';
    case 'zone-service':
    case 'rich-rule':
      return change.action === 'remove';
    case 'ipset-entries':
      return change.remove.length > 0;
    case 'stray':
    case 'remember':
    case 'ensure-firewalld':
      return false;
  }
}
