import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { formatProblem } from '../../../src/core/problem.ts';
import { hasUnshowable, safeText, shown } from '../../../src/core/shown.ts';
import { closest, suggestion } from '../../../src/core/suggest.ts';
import { parseYaml } from '../../../src/documents/yaml-document.ts';
import { zodProblems } from '../../../src/documents/zod-problems.ts';

const schema = z.strictObject({
  name: z.string(),
  list: z
    .array(
      z.strictObject({
        port: z.union([z.int(), z.string()]),
        colour: z.enum(['red', 'green']).optional(),
        kind: z.string().regex(/^x/, 'a kind begins with x\nWrite x-something').optional(),
      }),
    )
    .optional(),
  either: z.union([z.string(), z.strictObject({ a: z.int(), b: z.int().max(5) })]).optional(),
  record: z.record(z.string().regex(/^[a-z]+$/, 'only small letters\nWrite it small'), z.int()).optional(),
  count: z.int().optional(),
});

function check(text: string): string[] {
  const yaml = parseYaml(text, 'f');
  const parsed = schema.safeParse(yaml.value);
  return parsed.success ? [] : zodProblems(parsed.error, yaml, { schema }).map(formatProblem);
}

describe('violations of a schema become problems with places', () => {
  it.each([
    [
      'nam: x\n',
      [
        'f:1:1: error: the key "name" is missing\n    Add name: …',
        'f:1:1: error: unknown key "nam"\n    Did you mean "name"?',
      ],
    ],
    [
      'name: 5\n',
      [
        'f:1:7: error: name must be text, not 5\n    Write text here; put it in quotes if it looks like a number, a date or yes/no',
      ],
    ],
    [
      'name: a\nlist: x\n',
      ['f:2:7: error: list must be a list, not "x"\n    Write a list: one "- item" a line, or [a, b]'],
    ],
    [
      'name: a\nlist:\n  - port: [1]\n',
      ['f:3:11: error: list[0].port cannot be a list\n    It can be a number or text'],
    ],
    [
      'name: a\nlist:\n  - port: 1\n    color: red\n',
      ['f:4:5: error: unknown key "color" in list[0]\n    Did you mean "colour"?'],
    ],
    [
      'name: a\nlist:\n  - colour: gren\n    port: 1\n',
      ['f:3:13: error: list[0].colour cannot be "gren"\n    Did you mean "green"?'],
    ],
    ['name: a\nlist:\n  - colour: red\n', ['f:3:5: error: the key "port" is missing in list[0]\n    Add port: …']],
    ['name: a\nlist: [{port: 1, kind: y}]\n', ['f:2:24: error: a kind begins with x\n    Write x-something']],
    ['name: a\neither: {a: 1, b: 1, c: 1}\n', ['f:2:22: error: unknown key "c" in either']],
    [
      'name: a\nrecord: {A: 1, b: x}\n',
      [
        'f:2:10: error: "A" cannot be a key of record: only small letters\n    Write it small',
        'f:2:19: error: record.b must be a number, not "x"\n    Write digits here, without quotes',
      ],
    ],
    ['[1]', ['f:1:1: error: the document must be a mapping, not a list\n    Write a mapping: one "key: value" a line']],
    [
      'name: "a\\e[31mb"\ncount: "\\e[31m"\n',
      ['f:2:8: error: count must be a number, not "\\u{1b}[31m"\n    Write digits here, without quotes'],
    ],
  ])('%j', (text, expected) => {
    const problems = check(text);
    expect(problems).toHaveLength(expected.length);
    for (const [index, problem] of expected.entries()) expect(problems[index]).toContain(problem);
  });
});

describe('suggestions', () => {
  const known = ['portfw_roles', 'portfw_vips', 'hosts', 'children'];
  it.each([
    ['portfw_rolls', 'portfw_roles'],
    ['PORTFW-ROLES', 'portfw_roles'],
    ['host', 'hosts'],
    ['childs', 'children'],
    ['hsots', 'hosts'],
    ['vars', null],
    ['', null],
    ['something else entirely', null],
  ])('%s → %s', (name, expected) => {
    expect(closest(name, known)).toBe(expected);
  });

  it('list what is known when nothing is close', () => {
    expect(suggestion('zzz', ['one', 'two'], 'keys')).toBe('Known keys: one, two');
    expect(suggestion('zzz', [], 'keys')).toBe('There are no keys to choose from');
    expect(
      suggestion(
        'zzz',
        Array.from({ length: 12 }, (_, i) => `n${i}`),
        'names',
      ),
    ).toMatch(/n9, …$/);
  });
});

describe('untrusted text in messages', () => {
  it('is escaped where it could deceive', () => {
    expect(safeText('a\u001b[31m\u202eb\u200bc\ud800')).toBe('a\\u{1b}[31m\\u{202e}b\\u{200b}c\\u{d800}');
    expect(safeText('äöü ✓ 😀')).toBe('äöü ✓ 😀');
    expect(hasUnshowable('a\nb')).toBe(true);
    expect(hasUnshowable('😀')).toBe(false);
  });

  it('is cut, and collections are named by kind', () => {
    expect(shown('x'.repeat(100))).toBe(`"${'x'.repeat(60)}…"`);
    expect([shown(null), shown([]), shown({}), shown(true)]).toEqual(['nothing', 'a list', 'a mapping', 'true']);
  });
});
