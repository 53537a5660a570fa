import type { Element } from '@xmldom/xmldom';
import { formatPortRange, parsePortRange } from '../../core/ports.ts';
import type { PortProtocol } from '../model.ts';
import { attribute, escapeXml, XmlError } from '../xml.ts';

/** An attribute that must be there. @throws XmlError when it is missing */
export function required(element: Element, name: string): string {
  const value = attribute(element, name);
  if (value === null) throw new XmlError(`<${element.tagName}> has no ${name}`);
  return value;
}

/** What stands between an element's tags, trimmed. */
export function textOf(element: Element): string {
  return (element.textContent ?? '').trim();
}

/** The `<short>` and `<description>` of an object; empty texts where they are missing. */
export function titlesIn(of: ElementsByTag): { readonly short: string; readonly description: string } {
  const text = (tag: string) => {
    const last = of(tag).at(-1);
    return last === undefined ? '' : textOf(last);
  };
  return { short: text('short'), description: text('description') };
}

/** A `<port>` or `<source-port>`. @throws XmlError when it is none */
export function portOf(element: Element): PortProtocol {
  const range = parsePortRange(required(element, 'port'));
  if (typeof range === 'string') throw new XmlError(range);
  return { protocol: required(element, 'protocol'), range };
}

/** A `<forward-port>` as firewalld's own settings have it: `port:protocol:to-port:to-addr`. */
export function forwardPortOf(element: Element): string {
  return ['port', 'protocol', 'to-port', 'to-addr'].map((field) => attribute(element, field) ?? '').join(':');
}

const HEAD = '<?xml version="1.0" encoding="utf-8"?>';

/** A whole file: `lines` are what stands inside the root element. */
export function documentText(open: string, lines: readonly string[], close: string): string {
  return `${[HEAD, open, ...lines.map((line) => `  ${line}`), close].join('\n')}\n`;
}

export function titleLines(config: { readonly short: string; readonly description: string }): string[] {
  return [`<short>${escapeXml(config.short)}</short>`, `<description>${escapeXml(config.description)}</description>`];
}

export function portLine({ protocol, range }: PortProtocol): string {
  return `<port port="${formatPortRange(range)}" protocol="${escapeXml(protocol)}"/>`;
}

/** An element that is nothing but a name: `<interface name="eth0"/>`. */
export function nameLine(tag: string, name: string): string {
  return `<${tag} name="${escapeXml(name)}"/>`;
}

/** Gives the elements of one name, in the file's order. */
export type ElementsByTag = (tag: string) => readonly Element[];

/** An object's elements by their name. */
export function byTag(elements: readonly Element[]): ElementsByTag {
  const found = new Map<string, Element[]>();
  for (const element of elements) {
    const held = found.get(element.tagName);
    if (held === undefined) found.set(element.tagName, [element]);
    else held.push(element);
  }
  return (tag) => found.get(tag) ?? [];
}

/** One attribute of each element. @throws XmlError when one lacks it */
export function eachRequired(elements: readonly Element[], attributeName: string): string[] {
  return elements.map((element) => required(element, attributeName));
}
