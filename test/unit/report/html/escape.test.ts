import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { escaped, html, jsonForScript } from '../../../../src/report/html/escape.ts';

/** Text with what matters in markup more often than chance has it. */
const text = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '<',
        '>',
        '&',
        '"',
        "'",
        '</script>',
        '<!--',
        '-->',
        ']]>',
        '&lt;',
        '\u2028',
        '\u202e',
        '\\',
        '`',
      ),
      fc.string({ unit: 'binary' }),
    ),
  )
  .map((parts) => parts.join(''));

/** What a browser makes of escaped text. */
function read(escapedText: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&lt;': '<',
    '&gt;': '>',
    '&quot;': '"',
    '&#39;': "'",
    '&amp;': '&',
  };
  return escapedText.replace(/&(?:lt|gt|quot|#39|amp);/g, (entity) => entities[entity]!);
}

describe('texts in a page', () => {
  it('are read back as they were, and hold nothing that begins markup or ends an attribute', () => {
    fc.assert(
      fc.property(text, (some) => {
        expect(escaped(some)).not.toMatch(/[<>"']|&(?!(?:lt|gt|quot|#39|amp);)/);
        expect(read(escaped(some))).toBe(some);
      }),
    );
  });

  it('are escaped by the template, wherever they stand, and markup is not escaped again', () => {
    fc.assert(
      fc.property(text, text, (one, other) => {
        const inner = html`<b title="${one}">${other}</b>`;
        expect(html`<p>${[inner, inner]}${7}${null}</p>`.html).toBe(
          `<p>${`<b title="${escaped(one)}">${escaped(other)}</b>`.repeat(2)}7</p>`,
        );
      }),
    );
  });

  it('are the same value for a script, and cannot end its element', () => {
    fc.assert(
      fc.property(fc.dictionary(text, fc.array(text)), (value) => {
        const { html: json } = jsonForScript(value);
        expect(json).not.toMatch(/[<>&\u2028\u2029]/);
        expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});
