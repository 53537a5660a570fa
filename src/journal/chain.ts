import { createHash } from 'node:crypto';

/** What a line of a journal has from its place in it. */
export interface Link {
  /** The first line is 1. */
  readonly seq: number;
  /** The SHA-256 of the line before, without its line end; `null` for the first one. */
  readonly previous: string | null;
}

/** The last line, as a small file beside the journal remembers it: it shows that lines are missing at the end. */
export interface Head {
  readonly seq: number;
  readonly digest: string;
}

/** One line of a journal, as it was found. */
export interface ChainLine {
  readonly text: string;
  readonly digest: string;
  /** What it says, or its place if it cannot be read. */
  readonly seq: number;
  /** When it was written, by its own account; empty if it cannot be read. */
  readonly at: string;
  readonly readable: boolean;
}

/** What is wrong with a journal. */
export interface JournalProblem {
  readonly code: 'missing' | 'edited' | 'moved' | 'cut' | 'unreadable' | 'no-head' | 'head-behind' | 'disagrees';
  /** The number of the line, where it is about one. */
  readonly line: number | null;
  /** One sentence without a full stop. */
  readonly what: string;
}

/** A journal's lines, and whether they are all there and as they were written. */
export interface Chain {
  readonly lines: readonly ChainLine[];
  readonly problems: readonly JournalProblem[];
  /** What is not as it should be and does no harm: a line that was torn by a crash or a full disk. */
  readonly notes: readonly string[];
}

/** No journal has a longer line: a run over ten thousand hosts names them in one. */
export const LONGEST_LINE = 4 * 1024 * 1024;

const DIGEST = /^[0-9a-f]{64}$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/;

/** The SHA-256 of a line, without its line end, in hexadecimal. */
export function lineDigest(line: Buffer | string): string {
  return createHash('sha256').update(line).digest('hex');
}

/** Reads the text of a head; `null` if it is none. */
export function readHead(text: string): Head | null {
  const { seq, digest } = objectIn(text) ?? {};
  return isCount(seq) && typeof digest === 'string' && DIGEST.test(digest) ? { seq, digest } : null;
}

/**
 * The link of the line that is to be added.
 *
 * Lines that are missing before it stay visible: it then continues from the head, not from the last line that is left.
 *
 * @param end the end of the journal, at least its last line; empty for a new one
 */
export function nextLink(end: Buffer, head: Head | null): Link {
  const at = head ?? { seq: 0, digest: null };
  const lines = splitLines(end);
  const last = lines.at(-1);
  if (last === undefined) return { seq: at.seq + 1, previous: at.digest };
  const digest = lineDigest(last);
  if (isTorn(end)) {
    // A torn line counts as one. The writer of the line before it may have been killed before it wrote the head.
    const whole = end.subarray(0, end.length - last.length);
    return { seq: nextLink(whole, head).seq + 1, previous: digest };
  }
  const seq = linkIn(last)?.seq ?? null;
  if (seq !== null && (seq > at.seq || digest === at.digest)) return { seq: seq + 1, previous: digest };
  return { seq: at.seq + 1, previous: at.digest };
}

/** Whether the last line has no end: its writer was killed, or the disk was full. */
export function isTorn(bytes: Buffer): boolean {
  return bytes.length > 0 && bytes.at(-1) !== LINE_END;
}

/**
 * Reads a journal and checks it: every line has the digest of the one before, and the head that of the last one.
 *
 * @param bytes the whole journal
 * @param head the head's text; `null` if there is none
 */
export function readChain(bytes: Buffer, head: string | null): Chain {
  const problems: JournalProblem[] = [];
  const notes: string[] = [];
  const raw = splitLines(bytes);
  const lines: ChainLine[] = [];
  raw.forEach((line, index) => {
    const before = lines.at(-1) ?? null;
    const link = linkIn(line);
    const expected = (before?.seq ?? 0) + 1;
    const next = raw[index + 1];
    if (link === null) {
      // A torn line was there when the next one was written, so it is part of the chain.
      const torn = next === undefined ? isTorn(bytes) : linkIn(next)?.previous === lineDigest(line);
      if (torn) notes.push(`line ${expected} was not written to its end, because of a crash or a full disk`);
      else problems.push({ code: 'unreadable', line: expected, what: `line ${expected} cannot be read` });
    } else {
      const problem = brokenLink(before, link);
      if (problem !== null) problems.push(problem);
    }
    lines.push({
      text: line.toString('utf8'),
      digest: lineDigest(line),
      seq: link?.seq ?? expected,
      at: link?.at ?? '',
      readable: link !== null,
    });
  });
  const atEnd = brokenEnd(lines, head);
  return { lines, problems: atEnd === null ? problems : [...problems, atEnd], notes };
}

interface ReadLink extends Link {
  readonly at: string;
}

function brokenLink(before: ChainLine | null, { seq, previous, at }: ReadLink): JournalProblem | null {
  const expected = (before?.seq ?? 0) + 1;
  const linked = previous === (before?.digest ?? null);
  if (linked && seq === expected) return null;
  if (seq > expected) {
    const when = before === null ? `before ${at}` : `written between ${before.at || 'an unknown time'} and ${at}`;
    return { code: 'missing', line: expected, what: `${linesText(expected, seq - 1)} missing, ${when}` };
  }
  if (seq < expected)
    return {
      code: 'moved',
      line: seq,
      what: `line ${seq} of ${at} is after line ${expected - 1}: lines were moved or added`,
    };
  if (before === null) return { code: 'missing', line: 1, what: `the lines before ${at} are missing` };
  const { seq: edited, at: when } = before;
  return {
    code: 'edited',
    line: edited,
    what: `line ${edited}${when === '' ? '' : ` of ${when}`} was changed after ${at}`,
  };
}

function brokenEnd(lines: readonly ChainLine[], text: string | null): JournalProblem | null {
  const last = lines.at(-1) ?? null;
  if (text === null) {
    // A crash after the first line leaves no head.
    if (lines.length < 2) return null;
    const what = 'the head is missing, which shows whether lines are missing at the end';
    return { code: 'no-head', line: null, what };
  }
  const head = readHead(text);
  if (head === null) return { code: 'no-head', line: null, what: 'the head cannot be read' };
  const seq = last?.seq ?? 0;
  if (head.seq > seq) {
    const when = last === null ? '' : `, after ${last.at || `line ${seq}`}`;
    return { code: 'cut', line: seq + 1, what: `${linesText(seq + 1, head.seq)} missing at the end${when}` };
  }
  if (head.seq === seq && head.digest !== last?.digest)
    return { code: 'edited', line: seq, what: `line ${seq}, the last one, was changed after it was written` };
  // One line more than the head knows is what a crash between the two leaves.
  if (seq - head.seq > 1)
    return { code: 'head-behind', line: head.seq, what: `the head knows ${head.seq} lines, and there are ${seq}` };
  return null;
}

function linesText(first: number, last: number): string {
  return first === last ? `line ${first} is` : `lines ${first} to ${last} are`;
}

const LINE_END = 0x0a;

function splitLines(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let from = 0; from < bytes.length; ) {
    const found = bytes.indexOf(LINE_END, from);
    const to = found < 0 ? bytes.length : found;
    lines.push(bytes.subarray(from, to));
    from = to + 1;
  }
  return lines;
}

function linkIn(line: Buffer): ReadLink | null {
  if (line.length > LONGEST_LINE) return null;
  const { seq, previous, at } = objectIn(line.toString('utf8')) ?? {};
  const linked = previous === null || (typeof previous === 'string' && DIGEST.test(previous));
  if (!isCount(seq) || !linked || typeof at !== 'string' || !TIME.test(at)) return null;
  return { seq, previous, at };
}

function objectIn(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 1;
}
