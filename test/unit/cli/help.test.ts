import { describe, expect, it } from 'vitest';
import { COMMAND_HELP, foldedHelp, PROGRAM_HELP } from '../../../src/cli/help.ts';

describe('the texts below the help of a command', () => {
  const texts = [PROGRAM_HELP, ...Object.values(COMMAND_HELP)];

  it.each([40, 60, 80, 120])('stay within a terminal of %i columns, and lose no word', (columns) => {
    for (const text of texts) {
      const folded = foldedHelp(text, columns);
      for (const line of folded.split('\n')) {
        // A longer word has a line of its own.
        if (line.trim().includes(' ')) expect(line.length, line).toBeLessThanOrEqual(columns);
      }
      expect(folded.split(/\s+/)).toEqual(text.split(/\s+/));
    }
  });

  it('are as they are where there is no terminal', () => {
    for (const text of texts) expect(foldedHelp(text, undefined)).toBe(text);
  });
});
