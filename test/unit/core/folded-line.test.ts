import { describe, expect, it } from 'vitest';
import { foldedLine } from '../../../src/core/folded-line.ts';

describe('a folded line', () => {
  it('goes on below, with what further lines begin with', () => {
    expect(foldedLine('# one two three four', 11, '# ')).toEqual(['# one two', '# three', '# four']);
    expect(foldedLine('short', 11, '# ')).toEqual(['short']);
  });

  it('gives a longer word a line of its own, and folds what follows it', () => {
    const long = 'x'.repeat(30);
    expect(foldedLine(`${long} and so on and on`, 12, '  ')).toEqual([long, '  and so on', '  and on']);
    expect(foldedLine(`abcde ${long} cd ef gh ij`, 12, '    ')).toEqual([
      'abcde',
      `    ${long}`,
      '    cd ef gh',
      '    ij',
    ]);
    expect(foldedLine(long, 12, '')).toEqual([long]);
  });
});
