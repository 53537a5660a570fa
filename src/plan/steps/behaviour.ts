import { ACCEPT_ALL } from '../../firewalld/rich-rule.ts';
import { connectionMoves } from '../diff/connection-moves.ts';
import type { Change, Layers } from '../plan.ts';
import type { RuntimeCall, Step } from '../steps.ts';
import { interfaceChanges, united } from './change-ledger.ts';
import { entryCalls } from './entry-calls.ts';
import type { StepsWork } from './steps-work.ts';

/**
 * The calls on the running daemon. First new permissions are added, then interfaces move, then old permissions are
 * removed: no moment in between lets in less than both the old and the new configuration do.
 */
export function behaviourSteps(work: StepsWork): readonly Step[] {
  const opened: Step[] = [];
  const turning: Step[] = [];
  const closed: Step[] = [];
  const add = (list: Step[], serves: readonly number[], ...calls: readonly RuntimeCall[]) => {
    for (const call of calls) list.push({ kind: 'call', call, serves });
  };
  work.changes.forEach((change, index) => {
    switch (change.kind) {
      case 'ipset-entries': {
        const moves = entryMoves(work, change);
        add(opened, [index], ...moves.opened);
        add(closed, [index], ...moves.closed);
        return;
      }
      case 'zone-service':
        if (!isDue(work, change.zone, change.layers, change.action)) return;
        add(
          change.action === 'add' ? opened : closed,
          [index],
          [`${change.action}-service`, change.zone, change.service],
        );
        return;
      case 'rich-rule':
        if (!isDue(work, change.zone, change.layers, change.action)) return;
        add(
          change.rule === ACCEPT_ALL.text ? turning : change.action === 'add' ? opened : closed,
          [index],
          [`${change.action}-rich-rule`, change.zone, change.rule],
        );
        return;
      case 'stray':
        if (isDue(work, change.zone, change.layers, 'remove')) add(closed, [index], strayCall(change));
        return;
      case 'definition':
      case 'interface':
      case 'remember':
      case 'ensure-firewalld':
        return;
    }
  });
  // A zone that begins or ceases to accept everything must do so neither while it still holds what is about to leave it, nor
  // once it holds what is about to come.
  const zones = new Set(turning.flatMap((step) => (step.kind === 'call' ? [step.call[1]] : [])));
  const enters = (step: Step) => step.kind === 'call' && zones.has(zoneEntered(step.call));
  const moves = interfaceMoves(work);
  return [...opened, ...moves.filter((step) => !enters(step)), ...turning, ...moves.filter(enters), ...closed];
}

/** The zone that a call brings an interface into. */
function zoneEntered([operation, first, second]: RuntimeCall): string {
  if (operation === 'move-connection') return second ?? '';
  return operation === 'bind-interface' ? (first ?? '') : '';
}

/** Whether something still has to come or go at runtime: after a reload the daemon does what its files say. */
function isDue({ written, reload }: StepsWork, zone: string, layers: Layers, action: 'add' | 'remove'): boolean {
  const file = written.get(zone);
  if (file !== undefined) return file.mode === 'empty' && action === 'add';
  return reload === null ? layers.runtime : layers.permanent;
}

function entryMoves(
  { observed, entries, reload, desired, keeps }: StepsWork,
  { ipset, add, remove }: Extract<Change, { kind: 'ipset-entries' }>,
): ReturnType<typeof entryCalls> {
  // The entries of a set that is deleted stay: nothing refers to it.
  if (!desired.ipsets.has(ipset)) return { opened: [], closed: [] };
  const layer = reload === null ? observed.runtime : observed.permanent;
  const held = new Set(entries.get(ipset) ?? layer.ipsets.get(ipset)?.entries);
  // firewalld adds what the set had to what its file has.
  if (reload !== null && keeps) for (const entry of observed.runtime.ipsets.get(ipset)?.entries ?? []) held.add(entry);
  return entryCalls(
    ipset,
    add.filter((entry) => !held.has(entry)),
    remove.filter((entry) => held.has(entry)),
  );
}

function interfaceMoves({ changes, ledger, reload, written, desired }: StepsWork): readonly Step[] {
  const steps: Step[] = [];
  // NetworkManager moves its interfaces itself: one that it has moved out of our zone needs no release.
  const handed = new Set<string>();
  for (const { uuid, after } of connectionMoves(changes)) {
    const serves = ledger.connection(uuid);
    const names = serves.flatMap((index) => {
      const change = changes[index]!;
      return change.kind === 'interface' ? [change.interface] : [];
    });
    steps.push({ kind: 'call', call: ['move-connection', uuid, after, ...names], serves });
    if (after === '') for (const name of names) handed.add(name);
  }
  const binds = new Map<string, { readonly call: RuntimeCall; serves: readonly number[] }>();
  const releases: Step[] = [];
  for (const [change, index] of interfaceChanges(changes)) {
    const { zone, interface: name, layers } = change;
    if (change.action === 'bind') {
      // A reload binds interfaces as the files say, and NetworkManager as its connections say: those that move are bound again.
      if (reload === null && !layers.runtime) continue;
      const held = binds.get(name);
      if (held === undefined) binds.set(name, { call: ['bind-interface', zone, name], serves: [index] });
      else held.serves = united(held.serves, [index]);
      continue;
    }
    const atHome = [...desired.zones.values()].some(({ config }) => config.interfaces.includes(name));
    const file = written.get(zone);
    const bound = reload === null ? layers.runtime : layers.permanent && !(file?.dropped.includes(name) ?? false);
    if (!atHome && bound && !handed.has(name))
      releases.push({ kind: 'call', call: ['release-interface', zone, name], serves: [index] });
  }
  return [...steps, ...[...binds.values()].map((bind): Step => ({ kind: 'call', ...bind })), ...releases];
}

/** The call that removes what was added by hand to a portfw zone. */
function strayCall({ field, zone, value }: Extract<Change, { kind: 'stray' }>): RuntimeCall {
  switch (field) {
    case 'port':
    case 'source-port': {
      const [port = '', protocol = ''] = value.split('/');
      return [`remove-${field}`, zone, port, protocol];
    }
    case 'masquerade':
    case 'icmp-block-inversion':
      return [`remove-${field}`, zone];
    case 'forward-port': {
      const [port = '', protocol = '', toPort = '', ...address] = value.split(':');
      return ['remove-forward-port', zone, port, protocol, toPort, address.join(':')];
    }
    case 'protocol':
    case 'source':
    case 'icmp-block':
      return [`remove-${field}`, zone, value];
  }
}
