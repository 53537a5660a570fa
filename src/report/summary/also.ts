import { counted } from '../../core/lists.ts';
import type { Change } from '../../plan/plan.ts';

/** What a plan does besides ports and interfaces, for people who decide about it. */
export function alsoOf(changes: readonly Change[]): readonly string[] {
  return [...new Set([...changes.flatMap(besides), ...textsOnly(changes)])];
}

function besides(change: Change): readonly string[] {
  switch (change.kind) {
    case 'ensure-firewalld':
      return [change.action === 'install' ? 'installs and starts firewalld' : 'starts firewalld'];
    case 'remember':
      return [change.before === null ? 'remembers its roles' : `roles: ${change.before} → ${change.after}`];
    case 'stray':
      // A port is among those that close.
      return change.field === 'port' ? [] : [`removes ${change.field} ${change.value} from ${change.zone}`];
    case 'definition':
      return change.object === 'zone' && change.action === 'edit'
        ? change.fields.flatMap(({ field, before, after }) =>
            field === 'target' ? [`${change.name}: target ${before ?? 'default'} → ${after ?? 'default'}`] : [],
          )
        : [];
    case 'interface':
    case 'zone-service':
    case 'rich-rule':
    case 'ipset-entries':
      return [];
  }
}

const TEXTS: ReadonlySet<string> = new Set(['short', 'description']);

/** Definitions of which nothing but a title or a description changes. */
function textsOnly(changes: readonly Change[]): readonly string[] {
  const edited = changes.filter(
    (change) =>
      change.kind === 'definition' && change.action === 'edit' && change.fields.every(({ field }) => TEXTS.has(field)),
  );
  return edited.length === 0 ? [] : [`titles or descriptions of ${counted(edited.length, 'definition')}`];
}
