import { few } from '../core/lists.ts';
import type { Change, ConnectionMove, FieldChange } from './plan.ts';

/** `+` something comes, `-` something goes, `~` something changes or moves. */
export type ChangeSign = '+' | '-' | '~';

/** Whether a change adds, removes or alters. */
export function changeSign(change: Change): ChangeSign {
  switch (change.kind) {
    case 'definition':
      return change.action === 'create' ? '+' : change.action === 'delete' ? '-' : '~';
    case 'interface':
      if (change.action === 'release') return '-';
      // If firewalld already has it right, only NetworkManager's connection changes.
      if (!change.layers.permanent && !change.layers.runtime && change.networkManager !== undefined) return '~';
      return change.otherZone === '' || change.otherZone === change.zone ? '+' : '~';
    case 'zone-service':
    case 'rich-rule':
      return change.action === 'add' ? '+' : '-';
    case 'stray':
      return change.action === 'add' ? '+' : '-';
    case 'ipset-entries':
    case 'remember':
      return '~';
    case 'ensure-firewalld':
      return '+';
  }
}

/** What a change is about, without its zone: `service portfw-web-pub`, `interface eth0`, `rich rule …`. */
function subjectText(change: Change): string {
  switch (change.kind) {
    case 'definition':
      return `${change.object} ${change.name}`;
    case 'interface':
      return `interface ${change.interface}`;
    case 'zone-service':
      return `service ${change.service}`;
    case 'rich-rule':
      // firewalld's own spelling begins with the word "rule".
      return `rich ${change.rule}`;
    case 'stray':
      return `${change.field} ${change.value}`;
    case 'ipset-entries':
      return `ipset ${change.ipset}`;
    case 'remember':
      return 'remembered roles';
    case 'ensure-firewalld':
      return change.action === 'install' ? 'package firewalld' : 'firewalld';
  }
}

/** A change below the title of its zone: `interface eth0 (public) moves here from zone public`. */
export function changeText(change: Change): string {
  const subject = subjectText(change);
  if (change.kind !== 'interface') return subject;
  const { action, zone, otherZone, classes } = change;
  if (action === 'release') return `${subject} moves to zone ${otherZone}`;
  const side = classes.length === 0 ? '' : ` (${classes.join(', ')})`;
  return `${subject}${side}${otherZone === '' || otherZone === zone ? '' : ` moves here from zone ${otherZone}`}`;
}

/** Which zone a connection of NetworkManager's names, before and after. */
export function connectionText({ connection, before, after }: ConnectionMove): string {
  const zone = (name: string) => (name === '' ? 'none' : name);
  return `connection "${connection}": zone ${zone(before)} → ${zone(after)}`;
}

/** `−25/tcp +8950/tcp` of a list, what goes first; `default → DROP` of other fields, where what was not there is left out. */
export function valuesText({ before, after, removed = [], added = [] }: FieldChange): string {
  if (removed.length + added.length > 0)
    return [...removed.map((item) => `−${item}`), ...added.map((item) => `+${item}`)].join(' ');
  return before === null ? (after ?? '') : `${before} → ${after ?? 'nothing'}`;
}

const VERBS: Readonly<Record<ChangeSign, string>> = { '+': 'add', '-': 'remove', '~': 'change' };

/** A change on one line of its own: `add service portfw-web-pub in zone portfw-public`. */
export function describeChange(change: Change): string {
  const zone = 'zone' in change ? ` in zone ${change.zone}` : '';
  return `${VERBS[changeSign(change)]} ${subjectText(change)}${zone}${restText(change)}`;
}

function restText(change: Change): string {
  switch (change.kind) {
    case 'definition':
      return change.fields.length === 0
        ? ''
        : ` (${change.fields.map((field) => `${field.field}: ${valuesText(field)}`).join('; ')})`;
    case 'interface':
      return change.networkManager === undefined ? '' : `; NetworkManager ${connectionText(change.networkManager)}`;
    case 'ipset-entries': {
      const add = change.add.length === 0 ? '' : ` +${few(change.add, ' +')}`;
      const remove = change.remove.length === 0 ? '' : ` -${few(change.remove, ' -')}`;
      return `:${add}${remove}`;
    }
    case 'zone-service':
    case 'rich-rule':
    case 'stray':
    case 'remember':
    case 'ensure-firewalld':
      return '';
  }
}
