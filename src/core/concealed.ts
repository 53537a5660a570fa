/**
 * What must not be shown: the contents of vaults. Whatever portfw writes to its standard streams goes through
 * {@link concealed} (src/cli/concealed-output.ts), so that no code that makes a message, a plan or an event needs to know what is secret.
 *
 * Text of fewer than four characters, numbers and booleans are let through: to take every 22 out of a plan would make it
 * unreadable and hide nothing, since whoever sees the gaps can fill them in.
 */

const LEAST_LENGTH = 4;
/** A secret that is cut off (with an ellipsis, say) is recognised by this much of its beginning. */
const TELLING_LENGTH = 16;
const MARK = '[secret]';

interface Secret {
  readonly text: string;
  /** A word only counts where no letter or digit touches it: `10.0.0.1` is not in `10.0.0.10`. */
  readonly isWord: boolean;
}

const secrets = new Map<string, Secret>();
let pattern: RegExp | null = null;

/**
 * Conceals a value from now on: text, or the text in lists and mappings.
 *
 * @param where `anywhere` for passwords; `as a word` for other settings, which may be parts of other words
 */
export function concealValue(value: unknown, where: 'anywhere' | 'as a word'): void {
  if (typeof value === 'string') {
    for (const form of formsOf(value)) {
      if (secrets.has(form) && where === 'as a word') continue;
      secrets.set(form, { text: form, isWord: where === 'as a word' });
      pattern = null;
    }
  } else if (Array.isArray(value)) {
    for (const item of value) concealValue(item, where);
  } else if (typeof value === 'object' && value !== null) {
    for (const item of Object.values(value)) concealValue(item, where);
  }
}

/** Text with `[secret]` in place of everything that must not be shown. */
export function concealed(text: string): string {
  if (secrets.size === 0) return text;
  pattern ??= compile();
  return text.replace(pattern, MARK);
}

/** Forgets every secret; for tests, whose process goes on. */
export function forgetConcealed(): void {
  secrets.clear();
  pattern = null;
}

/** A text as it is, and in the forms in which reports may have it: lines, JSON, XML, base64. */
function formsOf(value: string): ReadonlySet<string> {
  const forms = new Set<string>();
  // Reports fold blanks to one, and show line by line.
  for (const text of [value, value.trim(), value.trim().replaceAll(/\s+/g, ' '), ...value.split(/[\n\r]+/)]) {
    if (text.length < LEAST_LENGTH || isNumberLike(text)) continue;
    forms.add(text);
    forms.add(JSON.stringify(text).slice(1, -1));
    forms.add(text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;'));
    forms.add(Buffer.from(text, 'utf8').toString('base64').replace(/=+$/, ''));
  }
  return forms;
}

/** What is no secret by itself: a number, a yes or no, the name of the account that everything is done as. */
function isNumberLike(text: string): boolean {
  return /^[-+\d.,_ ]{1,9}$/.test(text) && !/\..*\./.test(text) ? true : /^(?:true|false|root)$/i.test(text);
}

function compile(): RegExp {
  // The longest first: one secret may begin with another.
  const ordered = [...secrets.values()].sort((a, b) => b.text.length - a.text.length);
  return new RegExp(ordered.map(source).join('|'), 'gu');
}

function source({ text, isWord }: Secret): string {
  const whole = quoted(text);
  const before = isWord && /^[\p{L}\p{N}]/u.test(text) ? String.raw`(?<![\p{L}\p{N}])` : '';
  const after = isWord && /[\p{L}\p{N}]$/u.test(text) ? String.raw`(?![\p{L}\p{N}]|\.\d)` : '';
  if (text.length <= TELLING_LENGTH) return `${before}${whole}${after}`;
  // Cut off somewhere: its beginning, and as much more as follows.
  const characters = [...text];
  const start = characters.slice(0, TELLING_LENGTH).map(quoted).join('');
  const rest = characters
    .slice(TELLING_LENGTH)
    .reduceRight((more, character) => `(?:${quoted(character)}${more})?`, '');
  return text.length > MOST_NESTED ? `${before}(?:${whole}${after}|${start})` : `${before}${start}${rest}`;
}

/** Deeper expressions are slow to compile: of such a text its whole or its beginning is looked for. */
const MOST_NESTED = 400;

function quoted(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`);
}
