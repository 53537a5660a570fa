import { describe, expect, it } from 'vitest';
import { translatePythonRegex } from '../../../src/ansible/python-regex.ts';

function translated(source: string, flags: string): RegExp {
  const found = translatePythonRegex(source, { ignoreCase: flags.includes('i'), multiline: flags.includes('m') });
  if (typeof found === 'string') throw new Error(found);
  return new RegExp(found.source, 'vg');
}

describe('an expression of Python finds in JavaScript what Python found', () => {
  // What `[found[0] for found in re.finditer(...)]` of Python 3.11 gave.
  it.each<[string, string, string, readonly string[]]>([
    ['^b.$', 'i m', 'a\nbc\n\rbd', ['bc']],
    ['^b', '', 'a\nb', []],
    ['b$', '', 'ab\n', ['b']],
    ['b$', 'm', 'ab\r\nb\nc', ['b']],
    ['\\b\u00e9\\w+', '', "l'\u00e9cole \u00e9tage", ['\u00e9cole', '\u00e9tage']],
    ['k', 'i', '\u212a', ['\u212a']],
    ['[a-z]+', 'i', 'K\u017f\u212a\u00df', ['K\u017f\u212a']],
    ['[^k]', 'i', 'kK\u212a-', ['-']],
    ['(?i:A)b', '', 'ab aB', ['ab']],
    ['(?i)a(?-i:B)', '', 'ab AB', ['AB']],
    ['\\s+', '', 'a\u00a0\u2003\u001d\ufeffb', ['\u00a0\u2003\u001d']],
    ['(?a)\\w+', '', '\u00e91a', ['1a']],
    ['.+', '', '\ud83d\ude00x\ny', ['\ud83d\ude00x', 'y']],
    ['(?s).+', '', '\ud83d\ude00x\ny', ['\ud83d\ude00x\ny']],
    ['(?P<n>a|b)(?P=n)\\1', '', 'abbb', ['bbb']],
    ['(?<=\u00e9)\\d{,2}', '', '\u00e9123', ['12']],
    ['\\Aa|b\\Z', '', 'ab', ['a', 'b']],
    ['\\x41\\u0042\\103\\0', '', 'ABC\u0000', ['ABC\u0000']],
    ['[]^-]+', '', '-^]', ['-^]']],
    ['[\\]\\-a-c\\d]+', '', 'x]-b9', [']-b9']],
    ['a{,2}?b', '', 'aaab', ['aab']],
    ['{}a{x}', '', '{}a{x}', ['{}a{x}']],
    ['(?#c)a(?#d)*', '', 'aaa', ['aaa', '']],
    ['(?!a)*b', '', 'ab', ['b']],
    ['\\B', '', '', []],
  ])('%s %s in %j', (source, flags, text, found) => {
    expect([...text.matchAll(translated(source, flags))].map((match) => match[0])).toEqual(found);
  });

  it('keeps the groups and their names', () => {
    const match = translated(String.raw`(?i:(A)(?P<rest>.)?)(?:x)(\d)`, '').exec('_aBx7')!;
    expect([...match]).toEqual(['aBx7', 'a', 'B', '7']);
    expect(match.groups).toEqual({ rest: 'B' });
  });
});

describe('what cannot be translated is refused', () => {
  it.each([
    [String.raw`(a)(?i:\1)`, 'refers back to a group where it ignores case, which is not supported'],
    [String.raw`(a\1)`, 'refers back to a group that is not there before it'],
    [String.raw`\1(a)`, 'refers back to a group that is not there before it'],
    ['(?P=n)', 'refers back to a group that is not there before it'],
    ['(?<=a+)b', 'looks back at something whose length varies'],
    ['(?x) a', 'has "(?x)", which is not supported'],
    ['a{2}{3}', 'repeats a repeat at "{3}"'],
    ['^*', 'has nothing to repeat at "*"'],
    ['(?P<a>x)(?P<a>y)', 'has two groups with the name "a"'],
    [`(${'a?'.repeat(120)})${'a'.repeat(40)}c`, 'has too many optional parts or alternatives that follow each other'],
    [`(${'(a)|'.repeat(60)}b)`.repeat(4), 'has too many optional parts or alternatives that follow each other'],
  ])('%s', (source, says) => {
    expect(translatePythonRegex(source)).toBe(says);
  });

  it.each([
    `(${[...Array(60).keys()].map((number) => `web${number}`).join('|')})`,
    String.raw`(\d{1,3}\.){3}\d{1,3}(/\d+)?`,
    `(${'a?'.repeat(25)})${'a'.repeat(40)}c`,
    '((((a?){20}){20}){20}){20}',
    `${'[a-z]*-?'.repeat(12)}`,
  ])('not %s, which V8 compiles within a second', (source) => {
    const regex = translated(source, '');
    const began = performance.now();
    // Only the second use compiles it to machine code.
    for (const text of ['web1', 'aaaa', 'db1']) text.replace(regex, '');
    expect(performance.now() - began).toBeLessThan(1_000);
  });

  it('says whether it refers back', () => {
    expect(translatePythonRegex(String.raw`(a)\1`)).toMatchObject({ refersBack: true });
    expect(translatePythonRegex(String.raw`(a)\01`)).toMatchObject({ refersBack: false });
  });
});
