import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../../src/core/problem.ts';
import { parseJson } from '../../../src/documents/json-document.ts';
import { YamlFloat } from '../../../src/documents/yaml-scalars.ts';

/** Whole numbers beyond 2^53 are bigints. */
const numbers = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? Number(value) : value);

function messageOf(text: string): string {
  try {
    parseJson(text, 'f');
  } catch (error) {
    if (error instanceof InputError) return error.message.split('\n')[0]!;
    throw error;
  }
  return 'nothing wrong';
}

describe('JSON as Python reads it', () => {
  it('is what JSON.parse makes of it', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), fc.constantFrom(undefined, 2, '\t'), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        expect(JSON.parse(JSON.stringify(parseJson(text, 'f').value, numbers))).toEqual(JSON.parse(text));
      }),
    );
  });

  it('keeps floats, whole numbers of any size, and what is no number', () => {
    const exact = parseJson('[1.0, 1e3, 12345678901234567890, -0, NaN, -Infinity]', 'f').exact as unknown[];
    expect(exact.map(String)).toEqual(['1.0', '1000.0', '12345678901234567890', '0', 'NaN', '-Infinity']);
    expect(exact[0]).toBeInstanceOf(YamlFloat);
  });

  it('has a place for everything', () => {
    const json = parseJson('{"a": {\n  "b": [1,\n 22]}}', 'f');
    expect(json.locate(['a', 'b', 1])).toEqual({ file: 'f', line: 3, column: 2, secret: null });
    expect(json.locate(['a', 'b'], 'key')).toEqual({ file: 'f', line: 2, column: 3, secret: null });
    expect(json.keys(['a'])).toEqual(['b']);
  });

  it.each([
    ['{"a": 1, "a": 2}', 'f:1:10: error: the key "a" appears twice in one mapping'],
    ['{"a": 1,}', 'f:1:9: error: this is not JSON: "}" is where a key in double quotes should be'],
    ['[1, 2', 'f:1:6: error: this is not JSON: the text ends where "," or "]" should be'],
    ['[01]', 'f:1:3: error: this is not JSON: "1" is where "," or "]" should be'],
    ['["a\nb"]', 'f:1:4: error: this is not JSON: "\\u{a}" is where a closing quote should be'],
    ['"\\x"', 'f:1:2: error: this is not JSON: "\\" is where a known escape should be'],
    ["{'a': 1}", 'f:1:2: error: this is not JSON: "\'" is where a key in double quotes should be'],
    ['', 'f:1:1: error: this is not JSON: the text ends where a value should be'],
    ['{} {}', 'f:1:4: error: this is not JSON: "{" is where the end should be'],
    [`${'['.repeat(200)}`, 'f:1:101: error: lists and mappings are nested more than 100 deep'],
  ])('says what is wrong with %s', (text, expected) => {
    expect(messageOf(text)).toBe(expected);
  });
});
