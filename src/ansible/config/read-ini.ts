import { Problem, type SourceLocation } from '../../core/problem.ts';
import { shown } from '../../core/shown.ts';

/** One `key = value` of a file. */
export interface IniEntry {
  /** In lower case. */
  readonly key: string;
  readonly value: string;
  /** Where the value begins; where the key stands when there is none. */
  readonly location: SourceLocation;
}

/** A file as Python's `configparser` reads it. */
export interface IniFile {
  readonly sections: ReadonlyMap<string, ReadonlyMap<string, IniEntry>>;
  /** The section `DEFAULT`, whose entries every other section has too. */
  readonly common: ReadonlyMap<string, IniEntry>;
  readonly problems: readonly Problem[];
}

/** What Python calls a blank: unlike JavaScript not the byte order mark, but four control characters and U+0085. */
const BLANK = String.raw`[\p{White_Space}\x1c-\x1f]`;
const ONE_BLANK = new RegExp(BLANK, 'u');
const INLINE_COMMENT = new RegExp(`(?:^|(?<=${BLANK}));`, 'u');
const SECTION = /^\[(.+)\]/su;

/** An entry that is still being read: its value may go on in the next lines. */
interface OpenEntry {
  readonly key: string;
  readonly lines: string[];
  location: SourceLocation;
  isEmpty: boolean;
}

/**
 * Reads `ansible.cfg` as Ansible has Python's `configparser` read it: `;` after a blank begins a comment and `#` only at the
 * beginning of a line; what is indented deeper than its key goes on with the value; nothing may stand twice.
 */
export function readIni(text: string, file: string): IniFile {
  return new IniReader(file).read(text);
}

/** The value of a key in a section, or in `DEFAULT` when the section is there. */
export function findEntry({ sections, common }: IniFile, section: string, key: string): IniEntry | null {
  const own = sections.get(section);
  return own === undefined ? null : (own.get(key) ?? common.get(key) ?? null);
}

class IniReader {
  readonly #file: string;
  readonly #sections = new Map<string, Map<string, OpenEntry>>();
  readonly #common = new Map<string, OpenEntry>();
  readonly #problems: Problem[] = [];
  #section: { readonly name: string; readonly entries: Map<string, OpenEntry> } | null = null;
  #entry: OpenEntry | null = null;
  #indent = 0;

  constructor(file: string) {
    this.#file = file;
  }

  read(text: string): IniFile {
    const lines = text.split('\n');
    // What follows the last line end is no line.
    if (lines.at(-1) === '') lines.pop();
    for (const [index, line] of lines.entries()) {
      if (!this.#line(line, index + 1)) break;
    }
    const finished = (entries: ReadonlyMap<string, OpenEntry>): ReadonlyMap<string, IniEntry> =>
      new Map(
        [...entries].map(([key, entry]) => [
          key,
          { key, value: trimEnd(entry.lines.join('\n')), location: entry.location },
        ]),
      );
    return {
      sections: new Map([...this.#sections].map(([name, entries]) => [name, finished(entries)])),
      common: finished(this.#common),
      problems: this.#problems,
    };
  }

  /** @returns whether what follows can be read */
  #line(line: string, number: number): boolean {
    const comment = commentStart(line);
    const content = trim(comment === null ? line : line.slice(0, comment));
    if (content === '') {
      // An empty line belongs to the value around it, a comment does not.
      if (comment === null) this.#entry?.lines.push('');
      return true;
    }
    const indent = indentOf(line);
    const at: SourceLocation = { file: this.#file, line: number, column: indent + 1, secret: null };
    if (this.#entry !== null && indent > this.#indent) {
      if (this.#entry.isEmpty) Object.assign(this.#entry, { isEmpty: false, location: at });
      this.#entry.lines.push(content);
      return true;
    }
    this.#indent = indent;
    const header = SECTION.exec(content)?.[1];
    if (header !== undefined) {
      this.#begin(header, at);
      return true;
    }
    if (this.#section === null) {
      const what = `a line stands before the first section: ${shown(content)}`;
      this.#error('bad-ansible-cfg', what, 'Write "[defaults]" above it', at);
      return false;
    }
    this.#option(this.#section, content, line, at);
    return true;
  }

  #begin(name: string, at: SourceLocation): void {
    this.#entry = null;
    if (name === 'DEFAULT') {
      this.#section = { name, entries: this.#common };
      return;
    }
    const before = this.#sections.get(name);
    if (before !== undefined)
      this.#error(
        'duplicate-key',
        `the section [${shownName(name)}] stands twice`,
        'Write both as one: Ansible refuses the file',
        at,
      );
    const entries = before ?? new Map<string, OpenEntry>();
    this.#sections.set(name, entries);
    this.#section = { name, entries };
  }

  #option(
    section: { readonly name: string; readonly entries: Map<string, OpenEntry> },
    content: string,
    line: string,
    at: SourceLocation,
  ): void {
    const sign = content.search(/[=:]/);
    if (sign <= 0) {
      const what = sign === 0 ? 'a value has no key' : `${shown(content)} is neither a section nor "key = value"`;
      this.#error('bad-ansible-cfg', what, 'Correct the line, or begin it with "#"', at);
      // What is indented below it belongs to it: nothing more can be said about that.
      this.#entry = { key: '', lines: [''], location: at, isEmpty: true };
      return;
    }
    const key = trim(content.slice(0, sign)).toLowerCase();
    const value = trim(content.slice(sign + 1));
    const start = line.indexOf(content) + sign + 1;
    const column = value === '' ? at.column : line.indexOf(value, start) + 1;
    this.#entry = { key, lines: [value], location: { ...at, column }, isEmpty: value === '' };
    if (section.entries.has(key)) {
      const what = `"${shownName(key)}" stands twice in [${shownName(section.name)}]`;
      this.#error('duplicate-key', what, 'Remove one of them: Ansible refuses the file', at);
      return;
    }
    section.entries.set(key, this.#entry);
  }

  #error(code: string, what: string, solve: string, location: SourceLocation): void {
    this.#problems.push(new Problem({ severity: 'error', code, what, solve, location }));
  }
}

/** Where the comment of a line begins. */
function commentStart(line: string): number | null {
  if (/^[#;]/.test(trim(line))) return 0;
  const index = line.search(INLINE_COMMENT);
  return index === -1 ? null : index;
}

/** The text without the blanks around it, as Python's `strip` leaves it. */
export function trim(text: string): string {
  return trimEnd(text.slice(indentOf(text)));
}

function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && ONE_BLANK.test(text[end - 1]!)) end -= 1;
  return text.slice(0, end);
}

function indentOf(text: string): number {
  let start = 0;
  while (start < text.length && ONE_BLANK.test(text[start]!)) start += 1;
  return start;
}

function shownName(name: string): string {
  return shown(name).slice(1, -1);
}
