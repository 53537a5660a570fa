import { describe, expect, it } from 'vitest';
import { type Head, lineDigest, nextLink, readChain, readHead } from '../../../src/journal/chain.ts';

interface Files {
  readonly bytes: Buffer;
  readonly head: string | null;
}

const EMPTY: Files = { bytes: Buffer.alloc(0), head: null };

/** Adds lines as a journal's writer does. */
function added({ bytes, head }: Files, count: number): Files {
  let files: Files = { bytes, head };
  for (let number = 0; number < count; number += 1) {
    const link = nextLink(files.bytes, files.head === null ? null : readHead(files.head));
    const at = `2026-03-01T10:00:${String(link.seq % 60).padStart(2, '0')}.000Z`;
    const line = JSON.stringify({ at, what: `line ${link.seq} — ü`, ...link });
    const torn = files.bytes.length > 0 && files.bytes.at(-1) !== 10;
    const end = Buffer.from(`${torn ? '\n' : ''}${line}\n`);
    const next: Head = { seq: link.seq, digest: lineDigest(line) };
    files = { bytes: Buffer.concat([files.bytes, end]), head: JSON.stringify(next) };
  }
  return files;
}

const WHOLE = added(EMPTY, 7);
const LINES = WHOLE.bytes.toString().trimEnd().split('\n');

const codesOf = ({ bytes, head }: Files): readonly string[] => readChain(bytes, head).problems.map(({ code }) => code);
const joined = (lines: readonly string[], head = WHOLE.head): Files => ({
  bytes: Buffer.from(lines.map((line) => `${line}\n`).join('')),
  head,
});
const saidOf = (files: Files): readonly string[] => readChain(files.bytes, files.head).problems.map(({ what }) => what);

describe('a whole journal', () => {
  it('is complete, and so is none', () => {
    expect(readChain(WHOLE.bytes, WHOLE.head)).toMatchObject({ problems: [], notes: [] });
    expect(readChain(WHOLE.bytes, WHOLE.head).lines.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(readChain(EMPTY.bytes, EMPTY.head)).toEqual({ lines: [], problems: [], notes: [] });
  });

  it('is complete after a crash between a line and the head', () => {
    expect(codesOf({ bytes: added(EMPTY, 1).bytes, head: null })).toEqual([]);
    expect(codesOf({ bytes: added(WHOLE, 1).bytes, head: WHOLE.head })).toEqual([]);
    const next = added({ bytes: added(WHOLE, 1).bytes, head: WHOLE.head }, 2);
    expect(codesOf(next)).toEqual([]);
  });

  it('is complete after a crash before the head, and one in the middle of the next line', () => {
    const torn = Buffer.concat([added(WHOLE, 1).bytes, Buffer.from('{"at":"2026-03-0')]);
    const next = added({ bytes: torn, head: WHOLE.head }, 2);
    expect(readChain(next.bytes, next.head)).toMatchObject({
      problems: [],
      notes: [expect.stringContaining('line 9 ')],
    });
  });

  it('is complete, with a note, after a crash in the middle of a line', () => {
    const torn = Buffer.concat([WHOLE.bytes, Buffer.from('{"at":"2026-03-0')]);
    expect(readChain(torn, WHOLE.head)).toMatchObject({ problems: [], notes: [expect.stringContaining('line 8 ')] });
    const next = added({ bytes: torn, head: WHOLE.head }, 2);
    const chain = readChain(next.bytes, next.head);
    expect(chain).toMatchObject({ problems: [], notes: [expect.stringContaining('line 8 ')] });
    expect(chain.lines.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });
});

describe('a journal that somebody has changed', () => {
  it('is found out wherever a byte is another one', () => {
    const unseen = [...WHOLE.bytes.keys()].filter((at) => {
      const bytes = Buffer.from(WHOLE.bytes);
      bytes[at] = bytes[at] === 0x78 ? 0x79 : 0x78;
      return codesOf({ bytes, head: WHOLE.head }).length === 0;
    });
    expect(unseen).toEqual([]);
  });

  it('is found out without any of its lines, or stretch of lines', () => {
    for (let from = 0; from < LINES.length; from += 1)
      for (let to = from + 1; to <= LINES.length; to += 1)
        expect(codesOf(joined(LINES.toSpliced(from, to - from))), `${from}-${to}`).not.toEqual([]);
  });

  it('is found out with lines in another order, or twice', () => {
    for (let from = 0; from < LINES.length; from += 1)
      for (let to = 0; to < LINES.length; to += 1) {
        const rest = LINES.toSpliced(from, 1);
        if (from !== to)
          expect(codesOf(joined(rest.toSpliced(to, 0, LINES[from]!))), `${from} to ${to}`).not.toEqual([]);
        expect(codesOf(joined(LINES.toSpliced(to, 0, LINES[from]!))), `${from} again at ${to}`).not.toEqual([]);
      }
  });

  it('is found out after a cut at any byte, and without its head', () => {
    // A line without its end is whole.
    for (let size = 0; size < WHOLE.bytes.length - 1; size += 1)
      expect(codesOf({ bytes: WHOLE.bytes.subarray(0, size), head: WHOLE.head }), `${size}`).not.toEqual([]);
    expect(codesOf({ ...WHOLE, head: null })).toEqual(['no-head']);
    expect(codesOf({ ...WHOLE, head: 'x' })).toEqual(['no-head']);
  });

  it('stays found out when more lines are added', () => {
    const damaged: readonly Files[] = [
      joined(LINES.slice(0, 4)),
      joined([]),
      joined([...LINES.slice(0, 6), LINES[6]!.replace('line 7', 'line X')]),
      joined([...LINES.slice(0, 6), 'nothing that can be read']),
      joined(LINES.toSpliced(3, 1)),
    ];
    for (const files of damaged) expect(codesOf(added(files, 3))).toEqual(codesOf(added(added(files, 1), 2)));
    for (const files of damaged) expect(codesOf(added(files, 3))).not.toEqual([]);
  });

  it('is told apart: which lines, and when', () => {
    expect(saidOf(joined(LINES.toSpliced(2, 2)))).toEqual([
      'lines 3 to 4 are missing, written between 2026-03-01T10:00:02.000Z and 2026-03-01T10:00:05.000Z',
    ]);
    expect(saidOf(joined(LINES.slice(0, 6)))).toEqual(['line 7 is missing at the end, after 2026-03-01T10:00:06.000Z']);
    expect(saidOf(joined(LINES.slice(2)))).toEqual(['lines 1 to 2 are missing, before 2026-03-01T10:00:03.000Z']);
    expect(saidOf(joined(LINES.toSpliced(3, 1, LINES[3]!.replace('line 4', 'line X'))))).toEqual([
      'line 4 of 2026-03-01T10:00:04.000Z was changed after 2026-03-01T10:00:05.000Z',
    ]);
    expect(saidOf(joined([]))).toEqual(['lines 1 to 7 are missing at the end']);
    expect(saidOf(joined(LINES, added(EMPTY, 3).head))).toEqual(['the head knows 3 lines, and there are 7']);
  });
});

it.each(['', '[]', 'null', '{', '{"seq":0,"digest":null}', `{"seq":"1","digest":"${'a'.repeat(64)}"}`, '{"seq":1.5}'])(
  'takes no head from %j',
  (text) => expect(readHead(text)).toBe(null),
);

it('reads a journal of nothing but rubbish without harm', () => {
  const rubbish = Buffer.from(`\n\n{"seq":1}\n${'['.repeat(100_000)}\n"x"\n\u0000\ufffe\n`);
  const chain = readChain(rubbish, '{"seq":99999999999999999999}');
  expect(chain.lines.map(({ readable }) => readable)).toEqual(Array.from({ length: 6 }, () => false));
  expect(chain.problems.length).toBeGreaterThan(5);
});
