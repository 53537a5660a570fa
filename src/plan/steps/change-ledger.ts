import type { ObjectKind } from '../../firewalld/kinds/kinds.ts';
import type { Change } from '../plan.ts';

type InterfaceChange = Extract<Change, { kind: 'interface' }>;

/** Finds the changes that a step is for: by what they are about, as positions in the plan's list. */
export class Ledger {
  readonly #positions = new Map<string, number[]>();

  constructor(changes: readonly Change[]) {
    changes.forEach((change, index) => {
      for (const key of keysOf(change)) {
        const held = this.#positions.get(key);
        if (held === undefined) this.#positions.set(key, [index]);
        else held.push(index);
      }
    });
  }

  #at(...words: readonly string[]): readonly number[] {
    return this.#positions.get(words.join('\n')) ?? [];
  }

  definition(object: ObjectKind, name: string): readonly number[] {
    return this.#at('definition', object, name);
  }

  entries(ipset: string): readonly number[] {
    return this.#at('entries', ipset);
  }

  /** Everything about a zone: its definition, and what is in it. */
  zone(name: string): readonly number[] {
    return this.#at('zone', name);
  }

  /** Everything about an interface, in whichever zone. */
  interface(name: string): readonly number[] {
    return this.#at('interface', name);
  }

  connection(uuid: string): readonly number[] {
    return this.#at('connection', uuid);
  }

  remember(): readonly number[] {
    return this.#at('remember');
  }
}

function keysOf(change: Change): readonly string[] {
  const key = (...words: readonly string[]) => words.join('\n');
  switch (change.kind) {
    case 'definition': {
      const own = key('definition', change.object, change.name);
      return change.object === 'zone' ? [own, key('zone', change.name)] : [own];
    }
    case 'interface':
      return [
        key('zone', change.zone),
        key('interface', change.interface),
        ...(change.networkManager === undefined ? [] : [key('connection', change.networkManager.uuid)]),
      ];
    case 'zone-service':
    case 'rich-rule':
    case 'stray':
      return [key('zone', change.zone)];
    case 'ipset-entries':
      return [key('entries', change.ipset)];
    case 'remember':
      return [key('remember')];
    case 'ensure-firewalld':
      return [];
  }
}

/** The interface changes of a plan with their positions. */
export function interfaceChanges(changes: readonly Change[]): readonly (readonly [InterfaceChange, number])[] {
  return changes.flatMap((change, index) => (change.kind === 'interface' ? [[change, index] as const] : []));
}

/** Each position once, in order. */
export function united(...lists: readonly (readonly number[])[]): readonly number[] {
  return [...new Set(lists.flat())].sort((a, b) => a - b);
}
