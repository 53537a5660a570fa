import { few } from '../../core/lists.ts';
import { acceptsEverything } from '../../firewalld/filter/openings.ts';
import type { FirewalldConfig } from '../../firewalld/kinds/kinds.ts';
import type { PolicyConfig } from '../../firewalld/kinds/policy.ts';
import type { ZoneConfig } from '../../firewalld/kinds/zone.ts';
import { isOurs } from '../../firewalld/model.ts';
import { formatPort } from '../../firewalld/normalise.ts';
import type { DesiredFirewalld, PolicyNote } from '../../policy/desired.ts';

/**
 * Foreign settings that are evaluated before portfw's zones, so that the host is open for more, or for less, than the
 * matrix says: zones that are bound to sources, policies towards the host, direct rules. None of them is ever changed.
 */
export function askedFirst(
  desired: DesiredFirewalld,
  runtime: FirewalldConfig,
  direct: readonly string[],
): PolicyNote[] {
  if (desired.zones.size === 0) return [];
  const notes: PolicyNote[] = [];
  const say = (text: string) => notes.push({ severity: 'warning', code: 'asked-first', text });
  for (const zone of runtime.zones.values()) {
    if (isOurs(zone.name) || zone.sources.length === 0) continue;
    say(
      `zone ${zone.name} (not managed by portfw) takes precedence over portfw's zones for traffic from ${few(zone.sources)}: it ${verdict(zone)}`,
    );
  }
  for (const policy of runtime.policies.values()) {
    const { name, ingressZones, egressZones, priority } = policy;
    if (isOurs(name) || !egressZones.includes('HOST')) continue;
    if (!ingressZones.some((zone) => zone === 'ANY' || desired.zones.has(zone))) continue;
    const opened = openedBy(policy);
    if (opened.length === 0) continue;
    say(
      `policy ${name} (not managed by portfw) is evaluated ${priority < 0 ? 'before' : 'after'} portfw's zones for traffic to this host from ${few(ingressZones)}: ${few(opened)}`,
    );
  }
  if (direct.length > 0)
    say(
      `${direct.length} direct rule${direct.length === 1 ? '' : 's'} may decide before any zone is evaluated: ${few(direct)}`,
    );
  return notes;
}

function verdict(zone: ZoneConfig): string {
  if (acceptsEverything(zone)) return 'accepts everything';
  const open = [
    ...zone.services.map((name) => `service ${name}`),
    ...zone.ports.map(formatPort),
    ...zone.protocols.map((name) => `protocol ${name}`),
    ...zone.sourcePorts.map((port) => `source port ${formatPort(port)}`),
    ...zone.richRules.filter(({ action }) => action === 'accept').map(({ text }) => text),
  ];
  return open.length === 0 ? 'opens nothing' : `opens ${few(open)}`;
}

/** What a policy opens for new flows; rules for ICMP or logging do not concern ports. */
function openedBy(policy: PolicyConfig): string[] {
  const rules = policy.richRules.filter(
    ({ action, words }) => action !== null && !words.some((word) => word === 'icmp-type' || word === 'icmp-block'),
  );
  return [
    ...(policy.target === 'CONTINUE' ? [] : [`target ${policy.target}`]),
    ...policy.services.map((name) => `service ${name}`),
    ...policy.ports.map(formatPort),
    ...policy.protocols.map((name) => `protocol ${name}`),
    ...policy.sourcePorts.map((port) => `source port ${formatPort(port)}`),
    ...rules.map(({ text }) => text),
  ];
}
