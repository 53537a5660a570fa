import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { terminalLine, terminalText } from '../../../src/core/terminal-text.ts';

describe('terminalText', () => {
  const cases: readonly (readonly [what: string, untrusted: string, shown: string])[] = [
    ['plain text', 'web1 is up', 'web1 is up'],
    ['letters of other scripts', 'Zürich 東京 🙂', 'Zürich 東京 🙂'],
    ['line feeds', 'one\ntwo', 'one\ntwo'],
    ['carriage returns that overwrite a line', 'all good\rrm -rf /\r\n', 'all good\nrm -rf /\n'],
    ['colours', '\u001b[1;31mred\u001b[0m', 'red'],
    ['cursor movement and erasing', 'a\u001b[2K\u001b[1Ab', 'ab'],
    ['a window title ended by BEL', '\u001b]0;title\u0007text', 'text'],
    ['a window title ended by ST', '\u001b]0;title\u001b\\text', 'text'],
    ['a device control string', '\u001bPq#0\u001b\\text', 'text'],
    ['C1 forms of the same', '\u009b31mred\u009d0;title\u009ctext', 'redtext'],
    ['other escapes', '\u001bcreset\u001b(0line', 'resetline'],
    ['an escape cut off at the end', 'text\u001b[', 'text'],
    ['backspaces and bells', 'safe\b\b\b\b\u0007evil', 'safeevil'],
    ['tabs', 'a\tb', 'a b'],
    ['bidirectional overrides', 'a\u202egnp.exe\u202c\u2066b\u2069', 'agnp.exeb'],
    ['invisible characters', 'ad\u200bmin\ufeff\u00ad\u{e0041}', 'admin'],
    ['line separators', 'a\u2028b', 'ab'],
    ['a lone surrogate', 'a\ud800b\udc00c', 'a\ufffdb\ufffdc'],
  ];
  it.each(cases)('handles %s', (_what, untrusted, shown) => {
    expect(terminalText(untrusted)).toBe(shown);
  });

  it('leaves nothing but line feeds and printable characters, and changes nothing the second time', () => {
    const nasty = fc.array(
      fc.constantFrom('\u001b', '[', ']', 'P', '\\', '\u0007', '\u009b', '\u009c', '3', 'm', 'x', '\n', '\u202e'),
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          nasty.map((parts) => parts.join('')),
        ),
        (untrusted) => {
          const shown = terminalText(untrusted);
          expect(shown).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
          expect(terminalText(shown)).toBe(shown);
        },
      ),
    );
  });
});

describe('terminalLine', () => {
  it('folds white space to one line', () => {
    expect(terminalLine('  one\n\n two\tthree ')).toBe('one two three');
  });

  it('reads no more of a flood than could be shown', () => {
    const began = performance.now();
    expect(terminalLine('\u001b[31mwords '.repeat(3_000_000), 11)).toBe('words word…');
    expect(performance.now() - began).toBeLessThan(1000);
  });

  it('cuts long text by characters, not by halves of them', () => {
    expect(terminalLine('🙂🙂🙂🙂', 3)).toBe('🙂🙂…');
    expect(terminalLine('🙂🙂🙂', 3)).toBe('🙂🙂🙂');
  });
});
