/**
 * What must not be shown: the contents of vaults. Whatever portfw writes to its standard streams goes through
 * {@link concealed} (src/cli/concealed-output.ts), so that no code that makes a message, a plan or an event needs to know what is secret.
 *
 * Text of fewer than four characters, numbers and booleans are let through: to take every 22 out of a plan would make it
 * unreadable and hide nothing, since the gaps are easy to guess.
 */

const LEAST_LENGTH = 4;
/** A secret that is cut off (with an ellipsis, say) is recognised by this much of its beginning. */
const TELLING_LENGTH = 16;
/** A password of digits is concealed from this length on. */
const LEAST_DIGITS = 6;
const MARK = '[secret]';
const LETTER_OR_DIGIT = /[\p{L}\p{N}]/u;

/** Where a secret counts. A word only counts where no letter or digit touches it: `10.0.0.1` is not in `10.0.0.10`. */
type Where = 'anywhere' | 'as a word';

/**
 * Every secret with where it counts. There may be thousands, so they are looked up and never made one expression: it would
 * be slow, grow too large, and be quoted by the error that says so.
 */
const secrets = new Map<string, Where>();
/** The beginnings of the secrets: most places in a text do not match any, so the check ends quickly. */
const beginnings = new Set<string>();
/** The longer secrets, by their telling beginnings. */
const long = new Map<string, string[]>();

/**
 * Conceals a value from now on: text, or the text in lists and mappings.
 *
 * @param where `anywhere` for passwords; `as a word` for other settings, which may be parts of other words
 */
export function concealValue(value: unknown, where: Where): void {
  if (typeof value === 'string') {
    for (const form of formsOf(value, where)) conceal(form, where);
  } else if (Array.isArray(value)) {
    for (const item of value) concealValue(item, where);
  } else if (typeof value === 'object' && value !== null) {
    for (const item of Object.values(value)) concealValue(item, where);
  }
}

function conceal(form: string, where: Where): void {
  const before = secrets.get(form);
  if (before === undefined || where === 'anywhere') secrets.set(form, where);
  if (before !== undefined) return;
  beginnings.add(form.slice(0, LEAST_LENGTH));
  if (form.length <= TELLING_LENGTH) return;
  const start = form.slice(0, TELLING_LENGTH);
  const alike = long.get(start);
  if (alike === undefined) long.set(start, [form]);
  else alike.push(form);
}

/** Text with `[secret]` in place of everything that must not be shown. */
export function concealed(text: string): string {
  if (secrets.size === 0) return text;
  let result = '';
  let shownTo = 0;
  for (let at = 0; at + LEAST_LENGTH <= text.length; ) {
    const end = beginnings.has(text.slice(at, at + LEAST_LENGTH)) ? endOfSecret(text, at) : at;
    if (end > at) {
      result += text.slice(shownTo, at) + MARK;
      shownTo = end;
    }
    at = Math.max(end, at + 1);
  }
  return shownTo === 0 ? text : result + text.slice(shownTo);
}

/**
 * Forgets every secret; for tests, which run in one process.
 *
 * @internal
 */
export function forgetConcealed(): void {
  secrets.clear();
  beginnings.clear();
  long.clear();
}

/** Where the longest secret that begins at a place ends; the place itself when none does. */
function endOfSecret(text: string, at: number): number {
  const isInWord = touches(characterBefore(text, at), characterAt(text, at));
  const counts = (secret: string): boolean => !isInWord || secrets.get(secret) === 'anywhere';
  let end = at;
  for (const secret of long.get(text.slice(at, at + TELLING_LENGTH)) ?? []) {
    if (counts(secret)) end = Math.max(end, at + sharedLength(text, at, secret));
  }
  if (end > at) return isBetweenHalves(text, end) ? end + 1 : end;
  for (let length = TELLING_LENGTH; length >= LEAST_LENGTH; length -= 1) {
    const found = text.slice(at, at + length);
    if (found.length < length || !secrets.has(found) || !counts(found)) continue;
    if (secrets.get(found) === 'anywhere' || !goesOn(text, at + length)) return at + length;
  }
  return at;
}

/** How much of a secret is at a place: all of it, or what is left where it was cut off. */
function sharedLength(text: string, at: number, secret: string): number {
  let length = TELLING_LENGTH;
  while (length < secret.length && text.charCodeAt(at + length) === secret.charCodeAt(length)) length += 1;
  return length;
}

/** Whether a word that ends here goes on: with a letter or digit, or with the next part of an address. */
function goesOn(text: string, end: number): boolean {
  if (!LETTER_OR_DIGIT.test(characterBefore(text, end))) return false;
  return LETTER_OR_DIGIT.test(characterAt(text, end)) || /^\.\d/.test(text.slice(end, end + 2));
}

function touches(one: string, other: string): boolean {
  return LETTER_OR_DIGIT.test(one) && LETTER_OR_DIGIT.test(other);
}

function characterAt(text: string, at: number): string {
  const code = text.codePointAt(at);
  return code === undefined ? '' : String.fromCodePoint(code);
}

function characterBefore(text: string, at: number): string {
  return at === 0 ? '' : characterAt(text, isBetweenHalves(text, at - 1) ? at - 2 : at - 1);
}

/** Whether a place is in the middle of a character that takes two units. */
function isBetweenHalves(text: string, at: number): boolean {
  return at > 0 && (text.codePointAt(at - 1) ?? 0) > 0xffff;
}

/** A text as it is, and in the forms in which reports may have it: lines, JSON, XML, base64. */
function formsOf(value: string, where: Where): ReadonlySet<string> {
  const forms = new Set<string>();
  // Reports fold blanks to one, and show line by line.
  for (const text of [value, value.trim(), value.trim().replaceAll(/\s+/g, ' '), ...value.split(/[\n\r]+/)]) {
    if (text.length < LEAST_LENGTH || isNoSecret(text, where)) continue;
    forms.add(text);
    forms.add(JSON.stringify(text).slice(1, -1));
    forms.add(text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;'));
    forms.add(Buffer.from(text, 'utf8').toString('base64').replace(/=+$/, ''));
  }
  return forms;
}

/** What is no secret by itself: a number, a yes or no, the name of the account that everything is done as. */
function isNoSecret(text: string, where: Where): boolean {
  if (/^(?:true|false|root)$/i.test(text)) return true;
  if (where === 'anywhere' && text.length >= LEAST_DIGITS) return false;
  return /^[-+\d.,_ ]{1,9}$/.test(text) && !/\..*\./.test(text);
}
