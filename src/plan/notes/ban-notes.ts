import type { HostFacts, RunningFirewalld } from '../../facts/facts.ts';
import { isBan } from '../../firewalld/bans.ts';
import { type Filter, zoneOfInterface } from '../../firewalld/filter/dispatch.ts';
import { isOurs } from '../../firewalld/model.ts';
import type { PolicyNote } from '../../policy/desired.ts';
import type { Filters } from '../before-and-after.ts';

interface BansInput {
  readonly filters: Filters;
  readonly firewalld: Pick<RunningFirewalld, 'defaultZone'>;
  readonly facts: Pick<HostFacts, 'interfaces' | 'writers'>;
}

/**
 * Bans that lose their effect: foreign rich rules, for example of fail2ban, in a zone that every interface leaves. If
 * fail2ban runs and the default zone becomes empty, a note says the same of future bans. Pure.
 */
export function banNotes(input: BansInput): PolicyNote[] {
  const { now } = input.filters;
  const links = input.facts.interfaces.filter(({ loopback }) => !loopback).map(({ name }) => name);
  const held = (filter: Filter) => new Set(links.map((name) => zoneOfInterface(filter, name)));
  const [before, after] = [held(now.before), held(now.after)];
  const moved = (zone: string) => [
    ...new Set(
      links
        .filter((name) => zoneOfInterface(now.before, name) === zone)
        .map((name) => zoneOfInterface(now.after, name)),
    ),
  ];
  const { defaultZone } = input.firewalld;
  const fail2ban = input.facts.writers.units.some((unit) => unit.startsWith('fail2ban'));
  return [...before].sort().flatMap((name): PolicyNote[] => {
    const zone = now.before.config.zones.get(name);
    if (isOurs(name) || after.has(name) || (zone?.sources.length ?? 0) > 0) return [];
    const [to = '', ...more] = moved(name).filter(isOurs);
    if (to === '') return [];
    const point = `to ban again, set banaction = nftables-multiport in fail2ban (it depends on no zone and no reload), or --zone=${more.includes('portfw-public') ? 'portfw-public' : to} in the firewall-cmd calls of its action; then restart fail2ban`;
    const bans = zone?.richRules.filter(isBan) ?? [];
    if (bans.length > 0)
      return [
        {
          severity: 'warning',
          code: 'bans-lose-effect',
          text: `${bans.length === 1 ? 'one ban' : `${bans.length} bans`} in zone ${name} (${bans[0]!.text}${bans.length > 1 ? ', …' : ''}) will have no effect, because no interface is left in it; ${point}`,
        },
      ];
    if (!fail2ban || name !== defaultZone) return [];
    return [
      {
        severity: 'info',
        code: 'bans-lose-effect',
        text: `no interface is left in the default zone ${name}: bans that fail2ban adds there as rich rules would have no effect; ${point}`,
      },
    ];
  });
}
