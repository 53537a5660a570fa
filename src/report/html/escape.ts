/** Markup that is safe to put into a page as it is. Only the functions of this file make it. */
export interface Html {
  readonly html: string;
}

/** What may stand in a template: text and numbers are escaped, markup is not. `null` is nothing. */
export type Part = string | number | Html | readonly Html[] | null;

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text as it stands between tags or in a quoted attribute. */
export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

/** Markup from a template; everything that is put into it is escaped, unless it is markup itself. */
export function html(template: TemplateStringsArray, ...parts: readonly Part[]): Html {
  let text = template[0]!;
  parts.forEach((part, index) => {
    text += partText(part) + template[index + 1]!;
  });
  return { html: text };
}

function partText(part: Part): string {
  if (part === null) return '';
  if (typeof part === 'number') return String(part);
  if (typeof part === 'string') return escaped(part);
  return 'html' in part ? part.html : part.map((one) => one.html).join('');
}

/** A value as JSON for a `<script type="application/json">`: no text in it can end the element or begin a comment. */
export function jsonForScript(value: unknown): Html {
  const text = JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return { html: text };
}

/** A text of portfw's own files, put into the page as it is. Never anything from a host or from a user's file. */
export function ownText(text: string): Html {
  return { html: text };
}
