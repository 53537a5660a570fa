import { DOMParser, type Element } from '@xmldom/xmldom';

/** A file or an answer of the daemon that does not hold what it should. */
export class XmlError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'XmlError';
  }
}

/** Control characters and noncharacters that no XML text may hold: https://www.w3.org/TR/xml/#charsets */
const NO_CHARACTER = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;

/** Whether a text refers to such a character by its number, outside of comments and CDATA. */
function hasBadReference(text: string): boolean {
  if (!text.includes('&#')) return false;
  const read = text.replace(/<!--[\s\S]*?-->|<!\[CDATA\[[\s\S]*?\]\]>/g, '');
  return [...read.matchAll(/&#(?:x([0-9a-f]+)|([0-9]+));/gi)].some(([, hex, decimal]) => {
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
    if (code > 0x10ffff) return true;
    const character = String.fromCodePoint(code);
    return NO_CHARACTER.test(character) || /\p{Surrogate}/u.test(character);
  });
}

/**
 * Parses one of firewalld's files strictly.
 *
 * @param root the name that its element must have; `null` for any
 * @throws XmlError with the parser's words when the text is malformed, has a DOCTYPE, or its root is another element
 */
export function parseXml(text: string, root: string | null): Element {
  // A DOCTYPE can declare entities that expand without end. firewalld's own files never have one.
  if (/<!DOCTYPE/i.test(text)) throw new XmlError('a DOCTYPE is not allowed');
  // Bytes that are no UTF-8 arrive as lone surrogates; firewalld refuses such a file too.
  if (/\p{Surrogate}/u.test(text)) throw new XmlError('it is not valid UTF-8');
  // The parser takes these too; firewalld's does not.
  if (NO_CHARACTER.test(text) || hasBadReference(text))
    throw new XmlError('it holds a character that XML does not allow');
  let element: Element | null;
  // The parser wraps a thrown error in its own error.
  let said: unknown = null;
  try {
    const document = new DOMParser({
      onError: (level, message) => {
        // U+FFFD is a character like any other; the parser only suspects a wrong decoding, which was ruled out above.
        if (level === 'warning' && /replacement character/.test(String(message))) return;
        said ??= message;
        throw new XmlError(firstLine(message));
      },
    }).parseFromString(text, 'text/xml');
    element = document.documentElement;
  } catch (error) {
    throw new XmlError(firstLine(said ?? (error instanceof Error ? error.message : error)));
  }
  if (element === null) throw new XmlError('there is no element in it');
  if (root !== null && element.tagName !== root)
    throw new XmlError(`its element is <${element.tagName}>, not <${root}>`);
  return element;
}

function firstLine(message: unknown): string {
  return String(message).split('\n')[0]!.slice(0, 200);
}

/** The child elements, in order. */
export function children(element: Element): Element[] {
  const found: Element[] = [];
  for (const node of Array.from(element.childNodes)) if (node.nodeType === 1) found.push(node as Element);
  return found;
}

/** An attribute, or `null` when it is missing. */
export function attribute(element: Element, name: string): string | null {
  return element.hasAttribute(name) ? (element.getAttribute(name) ?? '') : null;
}

/** Text for use between tags or in a quoted attribute. */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
