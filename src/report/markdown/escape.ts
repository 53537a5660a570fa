/** Characters that mean something in Markdown (CommonMark, GitHub, GitLab) or in HTML, wherever they stand. */
const MARKUP = /[&<>`*_~[\]\\|@#$!^{}%]/g;

/** What GitHub and GitLab turn into a link, a mention or a picture: `@team`, `#12`, `!12`, `GH-12`, `:bee:`, `https://`, `www.`. */
const REFERENCE = /[@#!$%&~^](?=[\w"{])|(?<=\bGH)-(?=\d)|:(?=\/\/|[\w+-]+:)|(?<=\bwww)\.|(?<=\w)@/gi;

/** What a text may begin with that makes a list or a heading of the line. */
const BEGINNING = /^[^\p{L}<&]/u;

/** A text as nothing but text: no part of it is markup, a link, a mention or an emoji. The text is one line (`clean.ts`). */
export function prose(text: string): string {
  let end = 0;
  let out = '';
  for (const { index, 0: sign } of text.matchAll(REFERENCE)) {
    // Nobody looks for references in code, nor across its ends.
    out += `${encoded(text.slice(end, index))}<code>${entity(sign)}</code>`;
    end = index + sign.length;
  }
  return (out + encoded(text.slice(end))).replace(BEGINNING, entity);
}

/** The same in a typeface for names, addresses and rules. Nothing in code is a mention or an emoji; an address of e-mail would be a link. */
export function code(text: string): string {
  const parts = text.split(/(?<=@|:(?=\/\/)|\bwww\.)/i);
  return parts.map((part) => `<code>${encoded(part)}</code>`).join('');
}

/** A block of lines as they are, which nothing in them can end. Each line is safe to show (`clean.ts`). */
export function fenced(lines: readonly string[], language: string): string {
  const longest = Math.max(2, ...lines.flatMap((line) => [...line.matchAll(/`+/g)].map(([run]) => run.length)));
  const fence = '`'.repeat(longest + 1);
  return [`${fence}${language}`, ...lines, fence].join('\n');
}

function encoded(text: string): string {
  return text.replace(MARKUP, entity);
}

function entity(character: string): string {
  return `&#${character.codePointAt(0)};`;
}
