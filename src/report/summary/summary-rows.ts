import { type ChangeSign, changeSign } from '../../plan/change-words.ts';
import type { Change, PlanBody } from '../../plan/plan.ts';
import { common, grouped, hostNames, keysOf } from './alike.ts';
import { alsoOf } from './also.ts';
import type { HostPorts } from './port-lines.ts';
import type { InterfaceLine, SummaryRow } from './summary-types.ts';

/** A plan, and what is said of its ports. */
export interface PlanPorts {
  readonly plan: PlanBody;
  readonly ports: HostPorts;
}

/** What one plan does, in numbers. */
export interface PlanNumbers {
  readonly reloads: number;
  readonly holdMs: number;
  readonly flowsCut: number;
  readonly flowsOutlive: number;
  readonly socketsFewer: number;
  readonly counts: SummaryRow['counts'];
}

/** What changes for whom. Rows that close or cut come first, then those that open to the internet. */
export function summaryRows(plans: readonly PlanPorts[]): readonly SummaryRow[] {
  const changing = plans
    .filter(({ plan }) => plan.changes.length > 0)
    .map((one) => ({ ...one, interfaces: interfaceLines(one.plan.changes), also: alsoOf(one.plan.changes) }));
  const groups = grouped(changing, ({ ports: { closes, opens }, interfaces, also }) =>
    JSON.stringify([keysOf(closes, opens), interfaces, also]),
  );
  const rows = groups.map((members): SummaryRow => {
    const numbers = members.map(({ plan }) => planNumbers(plan));
    const sum = (of: (one: PlanNumbers) => number): number => numbers.reduce((total, one) => total + of(one), 0);
    const [{ interfaces, also }] = members;
    return {
      hosts: hostNames(members.map(({ plan }) => plan.host)),
      closes: common(members.map(({ ports }) => ports.closes)),
      opens: common(members.map(({ ports }) => ports.opens)),
      interfaces,
      also,
      reloads: sum(({ reloads }) => reloads),
      flowsCut: sum(({ flowsCut }) => flowsCut),
      flowsOutlive: sum(({ flowsOutlive }) => flowsOutlive),
      socketsFewer: sum(({ socketsFewer }) => socketsFewer),
      counts: {
        changes: sum(({ counts }) => counts.changes),
        add: sum(({ counts }) => counts.add),
        change: sum(({ counts }) => counts.change),
        remove: sum(({ counts }) => counts.remove),
      },
    };
  });
  return rows.sort((a, b) => rank(a) - rank(b) || b.hosts.count - a.hosts.count);
}

function rank({ closes, opens, flowsCut }: SummaryRow): number {
  if (closes.length > 0 || flowsCut > 0) return 0;
  if (opens.some(({ internet }) => internet)) return 1;
  return opens.length > 0 ? 2 : 3;
}

function interfaceLines(changes: readonly Change[]): readonly InterfaceLine[] {
  return changes.flatMap((change): readonly InterfaceLine[] => {
    if (change.kind !== 'interface' || change.otherZone === change.zone) return [];
    const { action, interface: name, zone, otherZone } = change;
    const other = otherZone === '' ? 'no zone' : otherZone;
    return [
      action === 'bind' ? { interface: name, from: other, to: zone } : { interface: name, from: zone, to: other },
    ];
  });
}

export function planNumbers({ changes, disruption, impact }: PlanBody): PlanNumbers {
  const signs = changes.map(changeSign);
  const count = (sign: ChangeSign): number => signs.filter((one) => one === sign).length;
  const reloads = disruption.kind === 'reload' || (disruption.kind === 'interface-moves' && disruption.reload);
  const flows = (kinds: readonly { readonly count: number }[]): number =>
    kinds.reduce((total, one) => total + one.count, 0);
  // A program's sockets of IPv4 and of IPv6 are one for the reader.
  const sockets = impact.closed.flatMap(({ protocol, ports, interface: name, processes }) =>
    ports.map((port) => JSON.stringify([protocol, port, name, processes])),
  );
  return {
    reloads: reloads ? 1 : 0,
    holdMs: reloads ? disruption.holdMs : 0,
    flowsCut: flows(impact.flows.cut),
    flowsOutlive: flows(impact.flows.outlive),
    socketsFewer: new Set(sockets).size,
    counts: { changes: changes.length, add: count('+'), change: count('~'), remove: count('-') },
  };
}
