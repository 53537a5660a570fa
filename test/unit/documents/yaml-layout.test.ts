import { describe, expect, it } from 'vitest';
import { Lexer } from 'yaml';
import { InputError } from '../../../src/core/problem.ts';
import { parseYaml } from '../../../src/documents/yaml-document.ts';
import { LooseLexer } from '../../../src/documents/yaml-lexer.ts';
import { INVISIBLE_BREAKS, LAYOUT_CASES, REFUSED } from '../../helpers/layout-cases.ts';
import { randomLayouts } from '../../helpers/random-layouts.ts';
import { problemsOf } from './helpers/yaml-problems.ts';

function read(text: string): unknown {
  try {
    return parseYaml(text, 'f').value;
  } catch (error) {
    if (error instanceof InputError) return REFUSED;
    throw error;
  }
}

describe('the layout of texts in quotes and brackets', () => {
  it.each(LAYOUT_CASES)('%j', (text, value) => {
    expect(read(text)).toEqual(value);
  });

  it('keeps the places of values on the lines that follow', () => {
    const yaml = parseYaml('a:\n  b: [one,\n{c: "x\ny", d: z},\n\ttwo]\n  e: \'x\n\ny\' #c\n  f: 1\n', 'f');
    const at = (path: readonly (string | number)[], of?: 'key'): string => {
      const { line, column } = yaml.locate(path, of);
      return `${line}:${column}`;
    };
    expect(at(['a', 'b', 0])).toBe('2:7');
    expect(at(['a', 'b', 1, 'c'], 'key')).toBe('3:2');
    expect(at(['a', 'b', 1, 'c'])).toBe('3:5');
    expect(at(['a', 'b', 1, 'd'])).toBe('4:8');
    expect(at(['a', 'b', 2])).toBe('5:2');
    expect(at(['a', 'e'])).toBe('6:6');
    expect(at(['a', 'f'], 'key')).toBe('9:3');
  });
});

describe('what is not closed is shown where it was opened', () => {
  const QUOTE = 'the quote that begins here is not closed';
  it.each<[string, string[]]>([
    ['a: [1, 2\nb: 3\nc: [4]\n', ['f:1:4: error: this "[" is not closed']],
    ['a: "x\nb: "y"\nc: z\n', [`f:1:4: error: ${QUOTE}`]],
    ["a: 'x\nb: 1\n", [`f:1:4: error: ${QUOTE}`]],
    ['a: "x\\"', [`f:1:4: error: ${QUOTE}`]],
    ["a: 'x''", [`f:1:4: error: ${QUOTE}`]],
    ['a: {b: [1}\nc: 2\n', ['f:1:8: error: this "[" is not closed']],
    ['a: "x\n--- y"\n', [`f:1:4: error: ${QUOTE}`, 'f:2:1: error: the file holds more than one YAML document']],
    // What others have at the left margin is no mistake, before it and after it.
    ['a: [\n1\n]\nb: "x\ny"\nc: [1\nd: 2\ne: [\n3\n]\n', ['f:6:4: error: this "[" is not closed']],
    ['a: [\n1\n]\nb: [2\nc: "x\nd: "y"\n', ['f:4:4: error: this "[" is not closed', `f:5:4: error: ${QUOTE}`]],
    // Closed, but something else is wrong.
    ['a: "x\ny" z\nb: 1\n', ['f:2:4: error: there is text after the end of the value']],
    ["a: [\n'b'\n'c'\n]\n", ['f:3:1: error: missing , or : between flow sequence items']],
    ['a: {b: 1,\nc\nd: 2}\n', ['f:2:1: error: a comma or a colon is missing in this line']],
  ])('%j', (text, expected) => {
    expect(problemsOf(text)).toEqual(expected);
  });
});

describe('tabs and line breaks', () => {
  it.each([
    ['a:\n  - 1\n\t\n  - 2\n', 'f:3:1: error: there is a tab where YAML needs spaces'],
    ['a:\n  - \tb\n', 'f:2:5: error: there is a tab where YAML needs spaces'],
    ['a: [b\n \tc]\nd: [e\n\t]\n', 'f:4:1: error: there is a tab where YAML needs spaces'],
    ['a: "x\u0085y"\n', 'f:1:6: error: the invisible character U+0085 ends a line here for Ansible'],
    ['a: x\u0085b: y\n', 'f:1:5: error: the invisible character U+0085 ends a line here for Ansible'],
    ['---\n\ufeffa: 1\n', 'f:2:1: error: there is a byte order mark (U+FEFF) at the beginning of this line'],
  ])('%j is %s', (text, expected) => {
    expect(problemsOf(text)).toEqual([expected]);
  });

  it.each(INVISIBLE_BREAKS)('%j is refused', (text) => {
    expect(read(text)).toBe(REFUSED);
  });
});

describe('texts of any size', () => {
  const MILLION = 1_000_000;
  it.each<[string, string, number | null]>([
    ['a flow text of lines at the margin', `a: [${'\nx, "y",'.repeat(MILLION / 32)}]`, MILLION / 16],
    ['a flow text in one line', `a: [${'x, '.repeat(MILLION / 4)}]`, MILLION / 4],
    ['a quoted text of many lines', `a: "${'x\n'.repeat(MILLION / 2)}"`, MILLION],
    ['a quoted text in one line', `a: '${"x''".repeat(MILLION / 3)}'`, null],
    ['blank lines in brackets', `a: [${' \n'.repeat(MILLION / 16)}]`, 0],
    ['blank lines before a marker', `a: [${' \n'.repeat(MILLION / 16)}---`, null],
    ['a quote that is not closed', `a: "${'x\n'.repeat(MILLION / 2)}`, null],
    ['a bracket that is not closed', `a: [${'\nx,'.repeat(MILLION / 8)}`, null],
    ['quotes that are not closed', 'a: "x\n'.repeat(MILLION / 100), null],
    ['brackets that are not closed', '[\n'.repeat(10_000), null],
    ['brackets that are nested too deep', `${'[\n'.repeat(10_000)}${']'.repeat(10_000)}`, null],
    ['line separators', `# ${'\u2028'.repeat(MILLION / 2)}\na: "${'x\u2028'.repeat(MILLION / 4)}"`, MILLION / 2],
  ])(
    '%s are read, or refused, in time',
    (_what, text, length) => {
      const started = performance.now();
      const value = read(text);
      expect(performance.now() - started).toBeLessThan(60_000);
      if (length !== null) expect((value as { a: { length: number } }).a.length).toBe(length);
    },
    120_000,
  );

  it('never fail but with a problem of the file', () => {
    for (const text of randomLayouts(1000, 7)) read(text);
  });
});

describe('the lexer of the library', () => {
  it('still has the parts that ours uses, and ours replaces them', () => {
    const methods = ['lex', 'parseFlowCollection', 'parseQuotedScalar', 'pushIndicators'];
    for (const name of [...methods, 'pushCount', 'pushNewline', 'pushSpaces'])
      expect(Lexer.prototype, name).toHaveProperty(name);
    for (const name of methods) expect(Object.hasOwn(LooseLexer.prototype, name), name).toBe(true);
    expect(new Lexer()).toMatchObject({ buffer: '', pos: 0, flowLevel: 0, flowKey: false, indentNext: 0 });
  });

  it('calls what ours replaces, and cuts at the indentation only where it is told to', () => {
    const lexemes = (...strictAt: number[]): string[] => [
      ...new LooseLexer(new Set(strictAt)).lex('a: [\nb: "c\nd"]\n'),
    ];
    expect(lexemes()).toContain('"c\nd"');
    expect(lexemes()).not.toContain('\x18');
    expect(lexemes(3)).toContain('\x18');
    expect(lexemes(3)).toContain('"c\nd"');
    expect(lexemes(3, 8)).not.toContain('"c\nd"');
    expect([...new LooseLexer(new Set()).lex('[-, ?a]')].filter((lexeme) => lexeme !== '\x1f')).toEqual([
      '\x02',
      '[',
      '-',
      ',',
      ' ',
      '?',
      'a',
      ']',
    ]);
  });
});
