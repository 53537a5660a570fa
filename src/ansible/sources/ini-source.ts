import type { Problem, SourceLocation } from '../../core/problem.ts';
import { safeText, shown } from '../../core/shown.ts';
import { suggestion } from '../../core/suggest.ts';
import { keyText, noteKeys } from '../../documents/exact-keys.ts';
import { placesIn, type SourceText } from '../../documents/source-text.ts';
import { define } from '../../documents/yaml-convert.ts';
import { YamlFloat } from '../../documents/yaml-scalars.ts';
import { GraphWriter } from '../graph/graph-writer.ts';
import type { GroupGraph, GroupNode } from '../graph/group-graph.ts';
import type { Variable } from '../graph/variables.ts';
import { pythonLiteral } from './python-literal.ts';
import { splitWords } from './shell-words.ts';

const KINDS = ['hosts', 'children', 'vars'] as const;
type SectionKind = (typeof KINDS)[number];

/** What Python's `str.splitlines` takes for the end of a line. */
const LINE_END = /\r\n|[\n\r\v\f\u001c-\u001e\u0085\u2028\u2029]/g;
/** What Python's `str.strip` takes off beyond JavaScript's `trim`. */
const BLANK = /[\s\u001c-\u001f\u0085]/;
const SECTION = /^\[([^:\]\s]+)(?::([\p{L}\p{N}_]+))?\]\s*(?:#.*)?$/u;
const CHILD = /^([^:\]\s]+)\s*(?:#.*)?$/u;

/**
 * Adds what one INI inventory says to the graph: sections of hosts, `:children` and `:vars`, with Ansible's quoting, comments
 * and values.
 * Source: the documentation of Ansible's `ini` inventory plugin, and the observed behaviour of `ansible-inventory`.
 *
 * @returns all problems; everything without a problem has been added anyway
 */
export function readIniSource(source: SourceText, graph: GroupGraph): Problem[] {
  const writer = new GraphWriter(graph, source.file);
  new IniReader(source, writer).read();
  return writer.problems;
}

/** A group that a section speaks of before any section declares it. */
type Awaited =
  | { readonly kind: 'children'; readonly parents: { group: GroupNode; at: SourceLocation }[] }
  | { readonly kind: 'vars'; readonly at: SourceLocation };

interface Line {
  readonly text: string;
  /** Where the text begins in the file. */
  readonly offset: number;
}

class IniReader {
  private readonly text: string;
  private readonly place: (offset: number) => SourceLocation;
  private readonly writer: GraphWriter;
  private readonly awaited = new Map<string, Awaited>();
  private kind: SectionKind = 'hosts';
  /** `null` below a section that cannot be read: what stands there is passed over. */
  private group: GroupNode | null;

  constructor(source: SourceText, writer: GraphWriter) {
    this.text = source.text;
    this.place = placesIn(source);
    this.writer = writer;
    this.group = writer.graph.ungrouped;
  }

  read(): void {
    for (const line of this.lines()) {
      if (line.text === '' || line.text.startsWith('#') || line.text.startsWith(';')) continue;
      if (this.readSection(line) || this.group === null) continue;
      if (this.kind === 'hosts') this.readHosts(this.group, line);
      else if (this.kind === 'vars') this.readVariable(this.group, line);
      else this.readChild(this.group, line);
    }
    for (const [name, awaited] of this.awaited) {
      const solve = this.groupHint(name);
      if (awaited.kind === 'vars') {
        this.writer.error(
          awaited.at,
          'unknown-group',
          `no section declares the group ${shown(name)} of these variables`,
          solve,
        );
      } else {
        for (const { at } of awaited.parents)
          this.writer.error(at, 'unknown-group', `no section declares the group ${shown(name)}`, solve);
      }
    }
  }

  private *lines(): Generator<Line> {
    let start = 0;
    const take = (end: number): Line => {
      const raw = this.text.slice(start, end);
      return { text: strip(raw), offset: start + leadingBlanks(raw) };
    };
    for (const end of this.text.matchAll(LINE_END)) {
      yield take(end.index);
      start = end.index + end[0].length;
    }
    yield take(this.text.length);
  }

  /** Whether the line is the head of a section. */
  private readSection(line: Line): boolean {
    const at = this.place(line.offset);
    const found = SECTION.exec(line.text);
    if (found === null) {
      // An address with a port begins with a bracket too, and so does a range.
      if (!/^\[.*\]$|^\[[^\]\s]*\]\s*;/.test(line.text)) return false;
      this.group = null;
      this.writer.error(
        at,
        'ini-syntax',
        `${shown(line.text)} is not a section`,
        'Write [group], [group:vars] or [group:children], without blanks; a comment after it begins with "#"',
      );
      return true;
    }
    const [, name, kind = 'hosts'] = found as unknown as [string, string, string | undefined];
    if (!(KINDS as readonly string[]).includes(kind)) {
      this.group = null;
      this.writer.error(
        this.place(line.offset + line.text.indexOf(':') + 1),
        'ini-syntax',
        `a section of the kind ${shown(kind)} is not known`,
        suggestion(kind, KINDS, 'kinds'),
      );
      return true;
    }
    this.kind = kind as SectionKind;
    const known = this.writer.graph.groups.has(name);
    this.group = this.writer.group(name, this.place(line.offset + 1));
    if (this.group === null) return true;
    if (this.kind === 'vars') {
      if (!known && !this.awaited.has(name)) this.awaited.set(name, { kind: 'vars', at: this.place(line.offset + 1) });
    } else this.settle(this.group);
    return true;
  }

  /** A group is declared: it becomes the child of those that named it before. */
  private settle(group: GroupNode): void {
    const awaited = this.awaited.get(group.name);
    if (awaited === undefined) return;
    this.awaited.delete(group.name);
    if (awaited.kind === 'vars') return;
    for (const { group: parent, at } of awaited.parents) {
      this.writer.addChild(parent, group, at);
      if (this.awaited.get(parent.name)?.kind === 'children') this.settle(parent);
    }
  }

  private readHosts(group: GroupNode, line: Line): void {
    const words = splitWords(line.text);
    if ('what' in words) {
      this.writer.error(this.place(line.offset + words.column), 'ini-syntax', words.what, words.solve);
      return;
    }
    const [name, ...assignments] = words;
    if (name === undefined) return;
    const at = this.place(line.offset + name.column);
    const variables: [string, Variable][] = [];
    let sound = true;
    for (const word of assignments) {
      const equals = word.text.indexOf('=');
      const key = word.text.slice(0, Math.max(0, equals));
      if (key === '') {
        sound = false;
        this.writer.error(
          this.place(line.offset + word.column),
          'ini-syntax',
          `${shown(word.text)} is not a variable of the host ${shown(name.text)}`,
          'Write name=value without blanks around "="; put a value with blanks in quotes',
        );
        continue;
      }
      const value = word.text.slice(equals + 1);
      const keyAt = this.place(line.offset + word.column);
      const valueAt = this.place(line.offset + (word.columns[equals + 1] ?? word.columns[equals]! + 1));
      variables.push([key, iniVariable(value, keyAt, valueAt)]);
    }
    if (name.text.endsWith(':')) {
      this.writer.error(
        at,
        'bad-name',
        `the host name ${shown(name.text)} ends in a colon`,
        'Write a port after it, or remove it',
      );
      return;
    }
    if (!sound) return;
    for (const host of this.writer.hosts(group, name.text, at))
      for (const [key, variable] of variables) this.writer.setHostVariable(host, key, variable);
  }

  private readVariable(group: GroupNode, line: Line): void {
    const equals = line.text.indexOf('=');
    const name = strip(line.text.slice(0, Math.max(0, equals)));
    if (name === '') {
      const what = `${shown(line.text)} is not a variable of the group ${shown(group.name)}`;
      this.writer.error(this.place(line.offset), 'ini-syntax', what, 'Write name=value');
      return;
    }
    const after = line.text.slice(equals + 1);
    const value = strip(after);
    const valueOffset = line.offset + equals + 1 + leadingBlanks(after);
    this.writer.setGroupVariable(group, name, iniVariable(value, this.place(line.offset), this.place(valueOffset)));
  }

  private readChild(group: GroupNode, line: Line): void {
    const at = this.place(line.offset);
    const name = CHILD.exec(line.text)?.[1];
    if (name === undefined) {
      const what = `${shown(line.text)} is not the name of a group`;
      this.writer.error(at, 'ini-syntax', what, 'Write one name a line below [group:children]');
      return;
    }
    const child = this.writer.graph.groups.get(name);
    if (child !== undefined) {
      this.writer.addChild(group, child, at);
      return;
    }
    const awaited = this.awaited.get(name);
    if (awaited?.kind === 'children') awaited.parents.push({ group, at });
    else this.awaited.set(name, { kind: 'children', parents: [{ group, at }] });
  }

  private groupHint(name: string): string {
    const solve = suggestion(
      name,
      [...this.writer.graph.groups.keys()].filter((known) => known !== name),
      'groups',
    );
    return solve.startsWith('Did') ? solve : `Add a section [${safeText(name.slice(0, 60))}], which may be empty`;
  }
}

/** How many blanks a text begins with; none when it has nothing else. */
function leadingBlanks(text: string): number {
  let count = 0;
  while (count < text.length && BLANK.test(text.charAt(count))) count += 1;
  return count === text.length ? 0 : count;
}

/** A text without the blanks at its ends, as Python's `str.strip` leaves it. */
function strip(text: string): string {
  const start = leadingBlanks(text);
  let end = text.length;
  while (end > start && BLANK.test(text.charAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

/** A variable of an INI file: a Python literal where the text is one, else the text. */
function iniVariable(text: string, keyAt: SourceLocation, valueAt: SourceLocation): Variable {
  const literal = pythonLiteral(text);
  const value = literal === undefined ? text : literal;
  return {
    plain: toPlain(value, false),
    exact: toPlain(value, true),
    locate: (path = [], at = 'value') => (at === 'key' && path.length === 0 ? keyAt : valueAt),
  };
}

function toPlain(value: unknown, exact: boolean): unknown {
  if (Array.isArray(value)) return value.map((item) => toPlain(item, exact));
  if (value instanceof YamlFloat) return exact ? value : value.value;
  if (!(value instanceof Map)) return value;
  const object: Record<string, unknown> = {};
  for (const [key, item] of value) define(object, keyText(key), toPlain(item, exact));
  if (exact) noteKeys(object, [...value.keys()]);
  return object;
}
