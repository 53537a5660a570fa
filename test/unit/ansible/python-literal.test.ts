import { describe, expect, it } from 'vitest';
import { pythonLiteral } from '../../../src/ansible/sources/python-literal.ts';
import { YamlFloat } from '../../../src/documents/yaml-scalars.ts';

/** What Python's `ast.literal_eval` was seen to do; the inventories in `test/fixtures/inventory/list/ini-*` have more. */
describe('Python literals', () => {
  it.each([
    ['5', 5],
    ['-5', -5],
    ['0o17', 15],
    ['1_000', 1000],
    ['1.', new YamlFloat(1)],
    ['True', true],
    ['None', null],
    ['\'a\' "b"', 'ab'],
    ["r'\\n'", '\\n'],
    ["'\\x41\\u00e9\\101\\q'", 'AéA\\q'],
    ["b'\\xc3\\xa9'", 'é'],
    ['1, 2', [1, 2]],
    ['()', []],
    ['[1, (2,), {3}]', [1, [2], [3]]],
    [
      "{'a': [1], 'b': {}}",
      new Map<unknown, unknown>([
        ['a', [1]],
        ['b', new Map()],
      ]),
    ],
    ['5 # five', 5],
    ['123456789012345678901234567890', 123456789012345678901234567890n],
  ])('%s', (text, value) => {
    expect(pythonLiteral(text)).toEqual(value);
  });

  it.each([
    '0644',
    '1__0',
    '1_',
    'text',
    'true',
    'null',
    '1+1',
    '--5',
    "'open",
    '[1',
    '{1: 2, 3}',
    "f'x'",
    '1j',
    '...',
    '[*a]',
    'not True',
    "b'é'",
    "b'\\xff'",
    "'\\x4'",
    '{[1]: 2}',
    '1 2',
    '',
  ])('%s is text', (text) => {
    expect(pythonLiteral(text)).toBeUndefined();
  });

  it('are bounded', () => {
    const nested = (open: string, close: string, depth: number): unknown =>
      pythonLiteral(`${open.repeat(depth)}1${close.repeat(depth)}`);
    const started = performance.now();
    expect(nested('[', ']', 200)).toBeDefined();
    expect(nested('[', ']', 201)).toBeUndefined();
    expect(nested('{', '}', 150)).toBeUndefined();
    expect(pythonLiteral('1'.repeat(4301))).toBeUndefined();
    expect(performance.now() - started).toBeLessThan(1000);
  });
});
