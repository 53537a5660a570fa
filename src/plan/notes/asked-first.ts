import { few } from '../../core/lists.ts';
import type { RunningFirewalld } from '../../facts/facts.ts';
import { acceptsEverything } from '../../firewalld/filter/openings.ts';
import { type FirewalldConfig, isOurs, type ZoneConfig } from '../../firewalld/model.ts';
import { formatPort } from '../../firewalld/normalise.ts';
import { parseRichRule } from '../../firewalld/rich-rule.ts';
import type { DesiredFirewalld, PolicyNote } from '../../policy/desired.ts';

/**
 * Foreign settings that are evaluated before portfw's zones, so that the host is open for more, or for less, than the
 * matrix says: zones that are bound to sources, policies towards the host, direct rules. None of them is ever changed.
 */
export function askedFirst(
  desired: DesiredFirewalld,
  runtime: FirewalldConfig,
  facts: RunningFirewalld['runtime'],
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
  for (const [name, settings] of Object.entries(facts.policies)) {
    const ingress = strings(settings['ingress_zones']);
    if (isOurs(name) || !strings(settings['egress_zones']).includes('HOST')) continue;
    if (!ingress.some((zone) => zone === 'ANY' || desired.zones.has(zone))) continue;
    const opened = openedBy(settings);
    if (opened.length === 0) continue;
    const when = Number(settings['priority'] ?? 0) < 0 ? 'before' : 'after';
    say(
      `policy ${name} (not managed by portfw) is evaluated ${when} portfw's zones for traffic to this host from ${few(ingress)}: ${few(opened)}`,
    );
  }
  if (facts.direct.length > 0)
    say(
      `${facts.direct.length} direct rule${facts.direct.length === 1 ? '' : 's'} may decide before any zone is evaluated: ${few(facts.direct)}`,
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
    ...zone.richRules.filter((rule) => parseRichRule(rule).action === 'accept'),
  ];
  return open.length === 0 ? 'opens nothing' : `opens ${few(open)}`;
}

/** What a policy opens for new flows; rules for ICMP or logging do not concern ports. */
function openedBy(settings: Readonly<Record<string, unknown>>): string[] {
  const target = settings['target'];
  const rules = strings(settings['rich_rules']).filter((text) => {
    const rule = parseRichRule(text);
    return rule.action !== null && !rule.words.some((word) => word === 'icmp-type' || word === 'icmp-block');
  });
  return [
    ...(typeof target === 'string' && target !== 'CONTINUE' && target !== '' ? [`target ${target}`] : []),
    ...strings(settings['services']).map((name) => `service ${name}`),
    ...pairs(settings['ports']),
    ...strings(settings['protocols']).map((name) => `protocol ${name}`),
    ...pairs(settings['source_ports']).map((port) => `source port ${port}`),
    ...rules,
  ];
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

function pairs(value: unknown): string[] {
  return Array.isArray(value) ? value.flatMap((item) => (Array.isArray(item) ? [item.map(String).join('/')] : [])) : [];
}
