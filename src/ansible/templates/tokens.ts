import { shown } from '../../core/shown.ts';
import { ExpressionError } from './values.ts';

/** The parts of a template: literal text, expressions and statements. */
export interface Token {
  readonly kind: 'name' | 'number' | 'string' | 'mark';
  readonly text: string;
}

export type Part =
  | { readonly kind: 'verbatim'; readonly text: string }
  | {
      readonly kind: 'print' | 'statement';
      readonly open: string;
      readonly close: string;
      readonly tokens: readonly Token[];
    };

const MARKERS = /\{[{%#]/;
const TOKEN =
  /([\p{L}_][\p{L}\p{N}_]*)|(0[xX][\da-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|\d[\d_]*(?:\.\d+)?(?:[eE][-+]?\d+)?)|('(?:[^'\\]|\\[\s\S])*'|"(?:[^"\\]|\\[\s\S])*")|(\*\*|\/\/|==|!=|<=|>=|[-+*/%~<>=()[\]{}|.,:])/uy;
/** What closes each bracket. */
export const CLOSING: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };
const RAW = /\{%[-+]?\s*raw\s*[-+]?%\}/y;
const END_RAW = /\{%[-+]?\s*endraw\s*[-+]?%\}/g;
const MAX_DEPTH = 60;
const SYNTAX_HINT = 'Correct the expression; quote the whole value in YAML when it begins with "{"';

/** Whether Ansible would take the text for a template. */
export function isTemplate(text: string): boolean {
  return MARKERS.test(text);
}

/** Takes a template apart. @throws ExpressionError when something is never closed */
export function split(source: string): readonly Part[] {
  const parts: Part[] = [];
  let at = 0;
  while (at < source.length) {
    const next = source.slice(at).search(MARKERS);
    if (next !== 0)
      parts.push({ kind: 'verbatim', text: next === -1 ? source.slice(at) : source.slice(at, at + next) });
    if (next === -1) break;
    at += next;
    const raw = rawBlock(source, at) ?? comment(source, at);
    if (raw !== null) {
      parts.push({ kind: 'verbatim', text: raw });
      at += raw.length;
      continue;
    }
    const isPrint = source.startsWith('{{', at);
    const sign = /[-+]/.test(source[at + 2] ?? '') ? source[at + 2]! : '';
    const read = readTokens(source, at + 2 + sign.length, isPrint ? '}}' : '%}');
    parts.push({
      kind: isPrint ? 'print' : 'statement',
      open: source.slice(at, at + 2) + sign,
      close: read.close,
      tokens: read.tokens,
    });
    at = read.end;
  }
  return parts;
}

function rawBlock(source: string, at: number): string | null {
  RAW.lastIndex = at;
  if (!RAW.test(source)) return null;
  END_RAW.lastIndex = RAW.lastIndex;
  if (!END_RAW.test(source)) throw syntax('"{% raw %}" is never closed');
  return source.slice(at, END_RAW.lastIndex);
}

function comment(source: string, at: number): string | null {
  if (!source.startsWith('{#', at)) return null;
  const end = source.indexOf('#}', at + 2);
  if (end === -1) throw syntax('the comment "{#" is never closed');
  return source.slice(at, end + 2);
}

function readTokens(
  source: string,
  from: number,
  closing: '}}' | '%}',
): { tokens: Token[]; close: string; end: number } {
  const tokens: Token[] = [];
  const open: string[] = [];
  let at = from;
  for (;;) {
    while (/\s/.test(source[at] ?? '')) at += 1;
    if (at >= source.length) throw syntax(`"${closing === '}}' ? '{{' : '{%'}" is never closed`);
    const sign = /[-+]/.test(source[at]!) && source.startsWith(closing, at + 1) ? source[at]! : '';
    if (open.length === 0 && source.startsWith(closing, at + sign.length))
      return { tokens, close: sign + closing, end: at + sign.length + 2 };
    TOKEN.lastIndex = at;
    const found = TOKEN.exec(source);
    if (found === null)
      throw syntax(`the character ${shown(String.fromCodePoint(source.codePointAt(at)!))} does not belong there`);
    const [text, name, number, string] = found;
    const kind =
      name !== undefined ? 'name' : number !== undefined ? 'number' : string !== undefined ? 'string' : 'mark';
    if (kind === 'mark') {
      if (Object.hasOwn(CLOSING, text)) open.push(CLOSING[text]!);
      else if (/^[)\]}]$/.test(text) && open.pop() !== text) throw syntax(`"${text}" closes nothing`);
    }
    if (open.length > MAX_DEPTH) throw syntax(`brackets are nested more than ${MAX_DEPTH} deep`);
    tokens.push({ kind, text });
    at = TOKEN.lastIndex;
  }
}

/** Names that statements bind: they are the template's own, not variables. */
export function boundNames(parts: readonly Part[]): ReadonlySet<string> {
  const names = new Set(['loop', 'caller', 'varargs', 'kwargs']);
  let bound = false;
  for (const part of parts) {
    if (part.kind !== 'statement') continue;
    const [keyword, ...rest] = part.tokens;
    bound = true;
    if (keyword?.text === 'set' || keyword?.text === 'for' || keyword?.text === 'macro' || keyword?.text === 'with') {
      const end = keyword.text === 'for' ? 'in' : keyword.text === 'set' ? '=' : null;
      for (const token of rest) {
        if (token.text === end) break;
        if (token.kind === 'name') names.add(token.text);
        if (keyword.text === 'with' && token.text === '=') break;
      }
    }
  }
  return bound ? names : new Set();
}

/** An error in a template's syntax. */
export function syntax(message: string): ExpressionError {
  return new ExpressionError(message, SYNTAX_HINT, 'template-syntax');
}
