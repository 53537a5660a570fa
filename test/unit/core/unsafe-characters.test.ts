import { describe, expect, it } from 'vitest';
import { hasUnshowable, safeText } from '../../../src/core/shown.ts';
import { terminalLine, terminalText } from '../../../src/core/terminal-text.ts';
import { jsonLine } from '../../../src/report/json/json-line.ts';

/** What the three made of a character; each is asked about every one of them. */
const differing: string[] = [];
let unsafe = 0;
for (let code = 0; code <= 0x10ffff; code += 1) {
  const character = String.fromCodePoint(code);
  const text = `a${character}b`;
  const isUnsafe = hasUnshowable(text);
  if (isUnsafe) unsafe += 1;
  const onScreen = terminalText(text);
  const inJson = jsonLine(text);
  const agree = [
    isUnsafe || !/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Join_Control}]/u.test(character),
    !isUnsafe || !/[\p{L}\p{M}\p{N}\p{P}\p{Zs}]/u.test(character),
    (safeText(text) !== text) === isUnsafe,
    // A terminal gets line feeds as they are; a quotation mark and a backslash are JSON's own affair.
    character === '\n' ? onScreen === text : (onScreen !== text) === isUnsafe,
    character === '"' || character === '\\' || (inJson !== `"${text}"`) === isUnsafe,
    JSON.parse(inJson) === text,
    !hasUnshowable(onScreen.replaceAll('\n', '')),
    !hasUnshowable(terminalLine(text)),
    !hasUnshowable(inJson),
  ];
  if (agree.includes(false)) differing.push(`U+${code.toString(16)} ${agree.join()}`);
}

describe('characters that steer a terminal or deceive', () => {
  it('are the same on screen, in messages and in JSON, over all of Unicode', () => {
    expect(differing).toEqual([]);
    // 65 controls, 2048 halves of characters, 128 tags, and 37 others.
    expect(unsafe).toBe(2278);
  });
});
