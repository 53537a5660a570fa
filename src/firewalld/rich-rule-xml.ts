import type { Element } from '@xmldom/xmldom';
import { parseRichRule, type RichRule } from './rich-rule.ts';
import { attribute, children, escapeXml } from './xml.ts';

/** The order in which the daemon prints a rule's elements; the element that the rule is about comes after the second. */
const RULE_ORDER = ['source', 'destination', '', 'log', 'nflog', 'audit', 'accept', 'reject', 'drop', 'mark'];
/** The order in which it prints their attributes. */
const ATTRIBUTES = [
  'name',
  'address',
  'mac',
  'ipset',
  'port',
  'protocol',
  'to-port',
  'to-addr',
  'group',
  'prefix',
  'level',
  'queue-size',
  'set',
  'type',
  'value',
];

/** Reads the `<rule>` of a zone or a policy. */
export function richRuleOf(element: Element): RichRule {
  const head = ['rule', ...attributesOf(element, ['priority', 'family'])];
  const rank = (tag: string) => RULE_ORDER.indexOf(RULE_ORDER.includes(tag) ? tag : '');
  const parts = children(element).sort((a, b) => rank(a.tagName) - rank(b.tagName));
  return parseRichRule([...head, ...parts.map(richElementOf)].join(' '));
}

function richElementOf(element: Element): string {
  const words: string[] = [element.tagName];
  if (isTrue(attribute(element, 'invert'))) words.push('NOT');
  words.push(...attributesOf(element, ATTRIBUTES));
  if (element.tagName === 'tcp-mss-clamp' && attribute(element, 'value') === null) words.push('value="pmtu"');
  for (const child of children(element)) {
    if (child.tagName === 'limit') words.push('limit', ...attributesOf(child, ['value', 'burst']));
  }
  return words.join(' ');
}

function isTrue(value: string | null): boolean {
  return value !== null && ['yes', 'true', '1'].includes(value.toLowerCase());
}

function attributesOf(element: Element, names: readonly string[]): string[] {
  return names.flatMap((name) => {
    const value = attribute(element, name);
    return value === null ? [] : [`${name}="${value}"`];
  });
}

/** The lines of a `<rule>` that accepts. portfw writes no other ones. */
export function acceptRuleLines(rule: RichRule): string[] {
  const priority = rule.priority === 0 ? '' : ` priority="${rule.priority}"`;
  const lines = [`<rule${priority}${rule.family === null ? '' : ` family="${rule.family}"`}>`];
  const add = (tag: string, name: string, value: string | null) => {
    if (value !== null) lines.push(`  <${tag} ${name}="${escapeXml(value)}"/>`);
  };
  add('source', 'address', rule.sourceAddress);
  add('source', 'ipset', rule.sourceIpset);
  add('destination', 'address', rule.destination);
  add('service', 'name', rule.service);
  add('protocol', 'value', rule.protocol);
  add('icmp-type', 'name', rule.icmpType);
  if (rule.port !== null) lines.push(`  <port port="${rule.port.port}" protocol="${rule.port.protocol}"/>`);
  return [...lines, '  <accept/>', '</rule>'];
}
