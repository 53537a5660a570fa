import { formatPortRange } from '../core/ports.ts';
import { isBan } from './bans.ts';
import type { IpsetConfig, ServiceConfig, ZoneConfig } from './model.ts';
import { parseRichRule } from './rich-rule.ts';
import { escapeXml } from './xml.ts';

const HEAD = '<?xml version="1.0" encoding="utf-8"?>';

function document(open: string, lines: readonly string[], close: string): string {
  return `${[HEAD, open, ...lines.map((line) => `  ${line}`), close].join('\n')}\n`;
}

function titles(config: { readonly short: string; readonly description: string }): string[] {
  return [`<short>${escapeXml(config.short)}</short>`, `<description>${escapeXml(config.description)}</description>`];
}

/** A service of ours as a file below /etc/firewalld/services. */
export function writeServiceXml(service: ServiceConfig): string {
  const lines = titles(service);
  for (const { protocol, range } of service.ports) {
    lines.push(`<port port="${formatPortRange(range)}" protocol="${escapeXml(protocol)}"/>`);
  }
  for (const helper of service.helpers) lines.push(`<helper name="${escapeXml(helper)}"/>`);
  return document('<service>', lines, '</service>');
}

/** An ipset of ours as a file below /etc/firewalld/ipsets. */
export function writeIpsetXml(ipset: IpsetConfig): string {
  const lines = titles(ipset);
  for (const [name, value] of Object.entries(ipset.options)) {
    lines.push(`<option name="${escapeXml(name)}" value="${escapeXml(value)}"/>`);
  }
  for (const entry of ipset.entries) lines.push(`<entry>${escapeXml(entry)}</entry>`);
  return document(`<ipset type="${escapeXml(ipset.type)}">`, lines, '</ipset>');
}

/** A zone of ours as a file below /etc/firewalld/zones. Our zones hold interfaces, services and accepting rich rules only. */
export function writeZoneXml(zone: ZoneConfig): string {
  const lines = titles(zone);
  for (const name of zone.interfaces) lines.push(`<interface name="${escapeXml(name)}"/>`);
  for (const name of zone.services) lines.push(`<service name="${escapeXml(name)}"/>`);
  // Without the element XML means no forwarding between the zone's interfaces, and D-Bus means the opposite.
  if (zone.forward) lines.push('<forward/>');
  // Bans of others are the host's own: it carries them over, see src/host/bans.py.
  for (const text of zone.richRules.filter((rule) => !isBan(rule))) {
    const rule = parseRichRule(text);
    const priority = rule.priority === 0 ? '' : ` priority="${rule.priority}"`;
    lines.push(`<rule${priority}${rule.family === null ? '' : ` family="${rule.family}"`}>`);
    if (rule.sourceAddress !== null) lines.push(`  <source address="${escapeXml(rule.sourceAddress)}"/>`);
    if (rule.sourceIpset !== null) lines.push(`  <source ipset="${escapeXml(rule.sourceIpset)}"/>`);
    if (rule.destination !== null) lines.push(`  <destination address="${escapeXml(rule.destination)}"/>`);
    if (rule.service !== null) lines.push(`  <service name="${escapeXml(rule.service)}"/>`);
    if (rule.protocol !== null) lines.push(`  <protocol value="${escapeXml(rule.protocol)}"/>`);
    if (rule.icmpType !== null) lines.push(`  <icmp-type name="${escapeXml(rule.icmpType)}"/>`);
    if (rule.port !== null) lines.push(`  <port port="${rule.port.port}" protocol="${rule.port.protocol}"/>`);
    lines.push('  <accept/>', '</rule>');
  }
  const target = zone.target === 'default' ? '' : ` target="${escapeXml(zone.target)}"`;
  // Somebody else's, in a zone of ours: it stays.
  const priority = zone.ingressPriority === undefined ? '' : ` ingress-priority="${zone.ingressPriority}"`;
  return document(`<zone${target}${priority}>`, lines, '</zone>');
}
