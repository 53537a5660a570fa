import { changeSign, changeText } from '../../plan/change-words.ts';
import type { Change, ReviewedPlan } from '../../plan/plan.ts';
import { oneLine } from '../clean.ts';
import type { Review } from '../review.ts';
import type { HostWithoutPlan } from '../review-input.ts';
import { type Finding, sarifLog } from './sarif-log.ts';

type About = Finding['about'];

/**
 * A review as SARIF: a result for each change, each warning and note, and each host without a plan. Where the inventory names
 * a host is the place of its results.
 */
export function sarifReview({ input }: Review): string {
  const placeOf = (host: string): Finding['place'] => input.places?.get(host) ?? null;
  return sarifLog(
    [
      ...input.plans.flatMap((plan) => planFindings(plan, placeOf(plan.host))),
      ...input.without.map((host) => withoutFinding(host, placeOf(host.host))),
    ],
    ruleText,
  );
}

const CHANGES: Readonly<Record<Change['kind'], string>> = {
  definition: 'A zone, a service or an ipset differs from what the matrix says',
  interface: 'An interface is not in the zone that it belongs to',
  'zone-service': 'A zone lacks a service, or has one that nothing asks for',
  'rich-rule': 'A zone lacks a rich rule, or has one that nothing asks for',
  stray: 'Somebody set something by hand in a zone of portfw',
  'ipset-entries': 'An ipset has other entries than it should have',
  remember: 'The host remembers other roles than it plays',
  'ensure-firewalld': 'firewalld does not run',
};

const WITHOUT: Readonly<Record<HostWithoutPlan['kind'], string>> = {
  refused: 'No plan was made',
  unreachable: 'The host could not be reached',
  failed: 'The host failed',
  skipped: 'The host was skipped',
};

/** `change/interface`, `note/expired`, `refused/firewalld-absent`: what such results have in common. */
function ruleText(id: string): string {
  const [group = '', name = ''] = id.split('/');
  if (Object.hasOwn(CHANGES, name) && group === 'change') return CHANGES[name as Change['kind']];
  if (Object.hasOwn(WITHOUT, group)) return `${WITHOUT[group as HostWithoutPlan['kind']]}: ${name}`;
  return `${group}: ${name}`;
}

function planFindings({ host, changes, notes }: ReviewedPlan, place: Finding['place']): readonly Finding[] {
  return [
    ...changes.map((change): Finding => {
      const { zone, object } = subjectOf(change);
      const where = zone === null ? '' : ` (zone ${zone})`;
      const sign = changeSign(change);
      return {
        rule: `change/${change.kind}`,
        level: change.kind === 'remember' ? 'note' : 'warning',
        message: oneLine(`${host}: ${sign} ${changeText(change)}${where}`),
        about: aboutOf(host, zone, object),
        place,
        identity: [host, sign, zone ?? '', object],
      };
    }),
    ...notes.map(
      ({ severity, code, text }): Finding => ({
        rule: `${severity === 'warning' ? 'warning' : 'note'}/${code}`,
        level: severity === 'warning' ? 'warning' : 'note',
        message: oneLine(`${host}: ${text}`),
        about: aboutOf(host, null, null),
        place,
        identity: [host, text],
      }),
    ),
  ];
}

function withoutFinding({ host, kind, failure }: HostWithoutPlan, place: Finding['place']): Finding {
  const { code, what, details, solve } = failure;
  return {
    rule: `${kind}/${code}`,
    level: kind === 'skipped' ? 'note' : 'error',
    message: oneLine(`${host}: ${[what, ...details].join('; ')}. Solve: ${solve}`),
    about: aboutOf(host, null, null),
    place,
    identity: [host],
  };
}

function aboutOf(host: string, zone: string | null, object: string | null): About {
  return [
    { kind: 'host', name: oneLine(host) },
    ...(zone === null ? [] : [{ kind: 'zone', name: oneLine(zone) }]),
    ...(object === null ? [] : [{ kind: 'object', name: oneLine(object) }]),
  ];
}

/** The zone that a change is in, and what it is about. */
function subjectOf(change: Change): { readonly zone: string | null; readonly object: string } {
  switch (change.kind) {
    case 'definition':
      return change.object === 'zone'
        ? { zone: change.name, object: 'definition' }
        : { zone: null, object: `${change.object} ${change.name}` };
    case 'interface':
      return { zone: change.zone, object: `interface ${change.interface}` };
    case 'zone-service':
      return { zone: change.zone, object: `service ${change.service}` };
    case 'rich-rule':
      return { zone: change.zone, object: change.rule };
    case 'stray':
      return { zone: change.zone, object: `${change.field} ${change.value}` };
    case 'ipset-entries':
      return { zone: null, object: `ipset ${change.ipset}` };
    case 'remember':
      return { zone: null, object: 'remembered roles' };
    case 'ensure-firewalld':
      return { zone: null, object: 'firewalld' };
  }
}
