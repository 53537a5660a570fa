import type { HostAccess } from '../../plan/access-types.ts';
import { common, grouped, hostNames, keysOf } from './alike.ts';
import type { PlanPorts } from './summary-rows.ts';
import type { Verdict } from './summary-types.ts';

/** What hosts are like afterwards. Those that the internet reaches come first, and those where that changes before the others. */
export function verdicts(plans: readonly PlanPorts[]): readonly Verdict[] {
  const known = plans
    .filter(({ plan }) => isJudged(plan.access))
    .map((one) => ({ ...one, warnings: warningCodes(one.plan.notes) }));
  const groups = grouped(known, ({ ports: { reached, closes, trusted, ssh }, warnings }) =>
    JSON.stringify([keysOf(reached, closes, trusted, ssh), warnings]),
  );
  return groups
    .map((members): Verdict => {
      const of = <K extends 'reached' | 'trusted' | 'ssh'>(what: K) => common(members.map(({ ports }) => ports[what]));
      return {
        hosts: hostNames(members.map(({ plan }) => plan.host)),
        opens: of('reached'),
        closes: common(members.map(({ ports }) => ports.closes)),
        trusted: of('trusted'),
        ssh: of('ssh'),
        warnings: members[0].warnings,
      };
    })
    .sort((a, b) => rank(a) - rank(b) || b.hosts.count - a.hosts.count);
}

/** Whether it is known who gets in: nothing is said of interfaces without an address. */
export function isJudged({ sides }: HostAccess): boolean {
  return sides.some(({ whole }) => whole.length > 0);
}

function rank({ opens, closes }: Verdict): number {
  if (opens.some(({ changed }) => changed)) return 0;
  if (opens.length > 0) return 1;
  return closes.length > 0 ? 2 : 3;
}

function warningCodes(notes: PlanPorts['plan']['notes']): readonly string[] {
  return [...new Set(notes.flatMap(({ severity, code }) => (severity === 'warning' ? [code] : [])))].sort();
}
