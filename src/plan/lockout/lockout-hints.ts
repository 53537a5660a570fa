import { networksOf } from '../../core/address-ranges.ts';
import { few } from '../../core/lists.ts';
import { zoneOfInterface } from '../../firewalld/filter/dispatch.ts';
import { isOurs } from '../../firewalld/model.ts';
import type { Finding, LockoutInput } from './lockout-types.ts';

/** How many sources the proposed line names at most. */
const LONGEST_LINE = 8;

/** How to let them in again: a line for the inventory if it is a portfw zone, else a command for the host. */
export function hintFor(group: readonly Finding[], input: Pick<LockoutInput, 'outcome' | 'reload'>): string {
  const { refusal, stage, way } = group[0]!;
  const { owner, kind, place } = refusal;
  const cut = [...new Set(group.flatMap(({ way: one, refusal: { ranges } }) => networksOf(ranges, one.family)))];
  // A long list of remaining networks is unreadable: then the line names the whole entry.
  const from = cut.length > LONGEST_LINE ? [...new Set(group.map(({ way: one }) => one.given))] : cut;
  const missing = refusal.what.startsWith('it does not open');
  const rule = (side: string) =>
    `portfw_extra_rules: [${extraRule(place, side, way.kind === 'management' || way.kind === 'controller' ? from : null)}]`;
  if (kind === 'zone' && isOurs(owner) && missing) {
    const short = input.outcome.permanent.zones.get(owner)?.short ?? '';
    return `add to the inventory: ${rule(sideOf(short))}`;
  }
  const layer = stage.when === '' && !input.reload ? '' : ' --permanent';
  if (kind === 'zone' && missing) {
    const ssh = place.protocol === 'tcp' && place.port === 22;
    const opening = ssh ? '--add-service=ssh' : `--add-port=${place.port}/${place.protocol}`;
    const open = `on the host: firewall-cmd${layer} --zone=${owner} ${opening}`;
    if (zoneOfInterface(stage.after, place.interface) !== owner) return open;
    return `the setting that lets SSH in now is not in the zone's file, or another zone replaces it: add to the inventory portfw_interfaces: { public: [${place.interface}] } and ${rule('public')}; or ${open}`;
  }
  if (kind === 'rule') return `on the host: let in ${few(from)} before that rule, or remove the rule`;
  return `on the host: add an exception for ${few(from)} before it; portfw ${isOurs(owner) ? `manages ${kind} ${owner}, but not this rule` : `does not manage ${kind} ${owner}`}`;
}

/** The row of `portfw_extra_rules` that lets sources reach a port; all sources if `null`. */
export function extraRule(
  { port, protocol }: Pick<Finding['refusal']['place'], 'port' | 'protocol'>,
  side: string,
  from: readonly string[] | null,
): string {
  const quoted = from?.map((item) => (item.includes(':') ? `'${item}'` : item));
  const sources = quoted === undefined ? '' : ` from: [${quoted.join(', ')}],`;
  const name = protocol === 'tcp' ? `ssh-${port}` : `${protocol}-${port}`;
  return `{ name: ${name}, interface: ${side}, protocol: ${protocol}, port: ${port},${sources} owner: YOU, reason: administration }`;
}

function sideOf(short: string): string {
  return short.replace(/^portfw /, '').split(', ')[0] || 'public';
}
