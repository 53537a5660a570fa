import { fileItself, type SourceLocation, type VaultContents } from '../core/problem.ts';

/** The text of a file that the user wrote. */
export interface SourceText {
  /** The name that places carry. */
  readonly file: string;
  readonly text: string;
  /** Whether it was decrypted: then no message may quote it. */
  readonly secret: VaultContents | null;
}

/** The place of a text as a whole. */
export function startOf({ file, secret }: SourceText): SourceLocation {
  return { ...fileItself(file), secret };
}

/** Line and column of the offsets in a text. */
export function placesIn({ text, file, secret }: SourceText): (offset: number) => SourceLocation {
  const starts = [0];
  for (let i = text.indexOf('\n'); i !== -1; i = text.indexOf('\n', i + 1)) starts.push(i + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (starts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return { file, line: low + 1, column: offset - starts[low]! + 1, secret };
  };
}
