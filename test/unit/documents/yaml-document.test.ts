import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readTextFile, readYamlFile } from '../../../src/documents/read-file.ts';
import { parseYaml } from '../../../src/documents/yaml-document.ts';
import { UnsafeText, VaultValue, YamlFloat, YamlTimestamp } from '../../../src/documents/yaml-scalars.ts';
import { problemsOf } from './helpers/yaml-problems.ts';

describe('plain scalars are what YAML 1.1 makes of them', () => {
  it.each([
    ['yes', true],
    ['Off', false],
    ['y', 'y'],
    ['0644', 420],
    ['08', '08'],
    ['1_000', 1000],
    ['1:30', 90],
    ['-1:30', -90],
    ['0x1f', 31],
    ['0b11', 3],
    ['1e3', '1e3'],
    ['1.5e+3', 1500],
    ['1.', 1],
    ['~', null],
    ['', null],
    ['2026-11-21', '2026-11-21'],
    ['"yes"', 'yes'],
    ["'12'", '12'],
    ['!!str 12', '12'],
    ['!!int "12"', 12],
    ['!!bool "on"', true],
    ['!unsafe "{{ x }}"', '{{ x }}'],
    ['9007199254740993', 9007199254740993n],
    ['192.0.2.1', '192.0.2.1'],
    ['1:70', '1:70'],
    ['=', '='],
  ])('%s', (text, value) => {
    expect(parseYaml(`key: ${text}`, 'f').value).toEqual({ key: value });
  });

  it('keep their kind in the exact form', () => {
    const { exact } = parseYaml('a: 1.0\nb: 2026-11-21\nc: !unsafe x\nd: !vault |\n  secret\ne: !unsafe [x, 1]\n', 'f');
    expect(exact).toEqual({
      a: new YamlFloat(1),
      b: new YamlTimestamp('2026-11-21', '2026-11-21'),
      c: new UnsafeText('x'),
      d: new VaultValue('secret\n'),
      e: [new UnsafeText('x'), 1],
    });
  });

  it.each([
    [1, '1.0'],
    [0.1, '0.1'],
    [1e-5, '1e-05'],
    [0.0001, '0.0001'],
    [1234.5e-7, '0.00012345'],
    [1e15, '1000000000000000.0'],
    [1e16, '1e+16'],
    [1.5e300, '1.5e+300'],
    [-0, '-0.0'],
    [Number.NEGATIVE_INFINITY, '-Infinity'],
    [Number.NaN, 'NaN'],
  ])('floats are written as Python writes them: %d', (value, text) => {
    expect(new YamlFloat(value).toString()).toBe(text);
  });

  it('floats read back as themselves', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) =>
        Object.is(Number(new YamlFloat(value).toString()), value),
      ),
    );
  });
});

describe('structure', () => {
  it('merges as PyYAML does: own keys first, of a list the first source', () => {
    const text =
      'a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], x: 3}\nd: {<<: *a, <<: *b}\ne: {"<<": *a}\n';
    expect(parseYaml(text, 'f').value).toMatchObject({
      c: { x: 3, y: 1, z: 2 },
      d: { x: 1, y: 2, z: 2 },
      e: { '<<': { x: 1, y: 1 } },
    });
  });

  it('reads JSON numbers in JSON', () => {
    expect(parseYaml('{"a": 1e3, "b": [1.0, 10]}', 'f').exact).toEqual({
      a: new YamlFloat(1000),
      b: [new YamlFloat(1), 10],
    });
  });

  it('keeps a key called __proto__ as a key', () => {
    const value = parseYaml('__proto__: {polluted: true}\n', 'f').value as object;
    expect(Object.keys(value)).toEqual(['__proto__']);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  });

  it('knows where keys and values stand, through aliases and merges, with CRLF and a byte order mark', () => {
    const yaml = parseYaml('\ufeffbase: &b\r\n  list: [1, two]\r\nuse:\r\n  <<: *b\r\n  own: x\r\nagain: *b\r\n', 'f');
    const at = (line: number, column: number): object => ({ file: 'f', line, column, secret: null });
    expect(yaml.locate(['base', 'list', 1])).toEqual(at(2, 13));
    expect(yaml.locate(['use', 'list'], 'key')).toEqual(at(2, 3));
    expect(yaml.locate(['use', 'own'])).toEqual(at(5, 8));
    expect(yaml.locate(['again'], 'value')).toEqual(at(6, 8));
    expect(yaml.locate(['again', 'list'])).toEqual(at(2, 9));
    expect(yaml.locate(['use', 'missing', 'deeper'])).toEqual(at(4, 3));
    expect(yaml.locate([])).toEqual(at(1, 1));
    expect(yaml.keys(['use'])).toEqual(['list', 'own']);
    expect(yaml.keyKind(['use', 'own'])).toBe('string');
    expect(parseYaml('2: a\nyes: b\n~: c\n', 'f').keyKind(['2'])).toBe('number');
  });
});

describe('what may not be read', () => {
  it.each([
    ['a: 1\na: 2\n', ['f:2:1: error: the key "a" appears twice in one mapping']],
    ['1: a\nyes: b\n', ['f:2:1: error: the key "true" appears twice in one mapping']],
    [
      'a: 1\n"a": 2\nb: {c: 1, c: 2}\n',
      [
        'f:2:1: error: the key "a" appears twice in one mapping',
        'f:3:11: error: the key "c" appears twice in one mapping',
      ],
    ],
    ['a: &x [*x]\n', ['f:1:8: error: there is no anchor "x" above this alias']],
    ['{[1]: 2}', ['f:1:2: error: a list, a mapping or a secret cannot be a key']],
    [
      'a: !foo 1\nb: !bar {}\n',
      ['f:1:9: error: the tag "!foo" is not known', 'f:2:9: error: the tag "!bar" is not known'],
    ],
    ['a: !!int x\n', ['f:1:10: error: "x" looks like a value that it cannot be: not an integer']],
    ['a: 2026-02-30\n', ['f:1:4: error: "2026-02-30" looks like a value that it cannot be: no such day']],
    ['a: 1\n---\nb: 2\n', ['f:2:1: error: the file holds more than one YAML document']],
    ['a: "\u001b[31m"\n', ['f:1:5: error: the character U+001B is not allowed in a YAML file']],
    ['['.repeat(200), [expect.stringMatching(/^f:1:\d+: error: /)]],
    ['['.repeat(100_000), ['f:1:301: error: lists and mappings are nested more than 100 deep']],
    ['{'.repeat(290), [expect.stringContaining('error:')]],
    ['- '.repeat(100_000), ['f:1:1: error: lists and mappings are nested more than 100 deep']],
    [`${'['.repeat(101)}${']'.repeat(101)}`, ['f:1:101: error: lists and mappings are nested more than 100 deep']],
  ])('%j', (text, expected) => {
    expect(problemsOf(text).slice(0, expected.length)).toEqual(expected);
  });

  it('reads nesting up to the limit', () => {
    expect(problemsOf(`${'['.repeat(100)}${']'.repeat(100)}`)).toEqual([]);
  });

  it('refuses aliases that expand a small file into a huge one, at once', () => {
    const letters = [...'abcdefghijklmnop'];
    const lines = letters.map((letter, index) => {
      const inner = index === 0 ? 'x' : `*${letters[index - 1]}`;
      return `${letter}: &${letter} [${Array(10).fill(inner).join(', ')}]`;
    });
    const started = performance.now();
    expect(problemsOf(lines.join('\n'))).toEqual([
      expect.stringMatching(/^f:\d+:\d+: error: aliases expand this file/),
    ]);
    expect(performance.now() - started).toBeLessThan(2000);
  });

  it('reads a mapping of many keys in linear time', () => {
    const text = Array.from({ length: 50_000 }, (_, index) => `key${index}: ${index}`).join('\n');
    const started = performance.now();
    expect(parseYaml(text, 'f').keys([])).toHaveLength(50_000);
    expect(performance.now() - started).toBeLessThan(10_000);
  }, 60_000);
});

describe('files', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'portfw-yaml-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const failure = (bytes: Uint8Array | string): string => {
    const file = join(folder, 'f.yaml');
    writeFileSync(file, bytes);
    try {
      readTextFile(file);
      return '';
    } catch (error) {
      return (error as Error).message.split('\n')[0]!.replace(`${folder}/`, '');
    }
  };

  it('are decoded strictly', () => {
    expect(failure(Buffer.from('a: 1\nb: ä', 'utf8'))).toBe('');
    expect(failure(Buffer.from([0x61, 0x0a, 0x62, 0x3a, 0xe4, 0x0a]))).toBe(
      'f.yaml:2:3: error: the byte 0xE4 here is not valid UTF-8',
    );
    expect(failure(Buffer.from([0x61, 0xc3]))).toBe('f.yaml:1:2: error: the byte 0xC3 here is not valid UTF-8');
    expect(failure(Buffer.from([0xff, 0xfe, 0x61, 0x00]))).toBe('f.yaml:1:1: error: the file is UTF-16, not UTF-8');
  });

  it('carry their path into the places', () => {
    const file = join(folder, 'g.yaml');
    writeFileSync(file, 'a:\n  b: 1\n');
    expect(readYamlFile(file).locate(['a', 'b'])).toEqual({ file, line: 2, column: 6, secret: null });
  });

  it('are never a device or a folder', () => {
    expect(() => readTextFile('/dev/zero')).toThrow('/dev/zero:1:1: error: this is not a regular file');
    expect(() => readTextFile(folder)).toThrow('error: this is a folder, not a file');
  });
});
