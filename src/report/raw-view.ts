import { unifiedDiff } from '../core/unified-diff.ts';
import { UNSAFE_CHARACTERS } from '../core/unsafe-characters.ts';
import type { RawFile } from '../plan/plan.ts';
import { oneLine } from './clean.ts';
import { type Extent, type Shortened, shorten } from './shortened.ts';

/** How a file below /etc/firewalld changes. */
export interface RawView {
  /** `zones/portfw-public.xml`. */
  readonly path: string;
  /** A unified diff. Each line is safe to show, with its own spaces. */
  readonly lines: Shortened<string>;
}

/** At most so many lines of a file are shown in the short form. */
const MOST_LINES = 200;

/** A line of XML is seldom this long. */
const LONG = 4000;

export function rawViews(files: readonly RawFile[], extent: Extent): readonly RawView[] {
  return files.map(({ path, before, after }) => {
    const name = oneLine(path);
    return { path: name, lines: shorten(unifiedDiff(name, before, after).map(rawLine), MOST_LINES, extent) };
  });
}

/** A line with its spaces: tabs are four, and what no terminal may get is a question mark. */
function rawLine(text: string): string {
  const line = text.replaceAll('\t', '    ').replace(UNSAFE_CHARACTERS, '?');
  return line.length <= LONG ? line : `${line.slice(0, LONG - 1)}…`;
}
