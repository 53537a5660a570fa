import stringWidth from 'string-width';
import { counted } from '../../core/lists.ts';
import { grouped } from '../summary/alike.ts';
import type { PortsLine, SummaryRow, SummaryView, SummaryWarning, Verdict } from '../summary/summary-types.ts';
import {
  besidesText,
  countedPorts,
  hostsText,
  isWholeForAnybody,
  namesText,
  portsLineText,
  reachedText,
  rowText,
  sshText,
  totalsText,
  trustedText,
} from '../summary/summary-words.ts';
import { cutToWidth as cutText, padToWidth, wrapToWidth } from './layout.ts';
import type { Style } from './style.ts';
import { EXTENTS, type Extent, MANY } from './summary-extents.ts';

export interface SummaryTextOptions {
  readonly style: Style;
  /** Columns of the terminal; `null` for none. */
  readonly width: number | null;
  /** The command that shows more, such as `portfw plan inventory.yaml --details`; `null` if the details follow. */
  readonly details: string | null;
}

/** Columns where there is no terminal, and at most. */
const COLUMNS = 100;
const LEAST_COLUMNS = 40;

/** A screen. It is longer only because of what opens to the internet, which is never left out. */
const SCREEN = 42;

/** The summary of a review on one screen: numbers, what changes for whom, failures, warnings, and what the hosts are like then. */
export function summaryText(view: SummaryView, options: SummaryTextOptions): string {
  const columns = Math.max(LEAST_COLUMNS, Math.min(options.width ?? COLUMNS, COLUMNS));
  const known = new Map<string, readonly string[]>();
  let lines: readonly string[] = [];
  for (const extent of EXTENTS) {
    lines = new SummaryPrinter(view, options, { columns, extent, known }).lines();
    if (lines.length <= SCREEN) break;
  }
  return `${lines.join('\n')}\n`;
}

/** The numbers alone: what a question stands below. */
export function totalsLines(
  { totals }: SummaryView,
  { style, width }: Pick<SummaryTextOptions, 'style' | 'width'>,
): string {
  const columns = Math.max(LEAST_COLUMNS, Math.min(width ?? COLUMNS, COLUMNS));
  const changes = totalsText(totals);
  const text = `${hostsText(totals)}${changes === '' ? '' : `; ${changes}`}`;
  return `${wrapToWidth(text, columns).map(style.bold).join('\n')}\n`;
}

/** Where a summary is printed, and how much of it. */
interface Room {
  readonly columns: number;
  readonly extent: Extent;
  /** Texts that were wrapped before: the same ones are tried in several extents. */
  readonly known: Map<string, readonly string[]>;
}

class SummaryPrinter {
  readonly #known: Map<string, readonly string[]>;
  readonly #view: SummaryView;
  readonly #style: Style;
  readonly #details: string | null;
  readonly #columns: number;
  readonly #extent: Extent;

  constructor(view: SummaryView, { style, details }: SummaryTextOptions, { columns, extent, known }: Room) {
    this.#known = known;
    this.#view = view;
    this.#style = style;
    this.#details = details;
    this.#columns = columns;
    this.#extent = extent;
  }

  lines(): readonly string[] {
    const { rows, unjudged } = this.#view;
    const sections = [
      [...this.#generations(), ...this.#totals()],
      rows.length === 0 ? [] : [this.#style.bold('What changes for whom'), ...this.#rows()],
      this.#without(),
      this.#warnings(),
      [...this.#verdicts(), ...this.#unjudged(unjudged)],
      this.#details === null ? [] : [`Details: ${this.#details}`],
    ];
    return sections
      .filter((section) => section.length > 0)
      .flatMap((section, at) => (at === 0 ? section : ['', ...section]));
  }

  #generations(): readonly string[] {
    const { generations } = this.#view;
    const most = this.#extent.row === 'full' ? 5 : 3;
    const lines = generations
      .slice(0, most)
      .map(
        ({ id, savedAt, savedBy, before, hosts }) =>
          `rollback to generation ${id}, saved ${savedAt} by ${savedBy} before "${before}": ${namesText(hosts, 2)}`,
      );
    return [
      ...lines.flatMap((line) => this.#wrapped('', line, 2)),
      ...(generations.length > most ? [`and to ${counted(generations.length - most, 'other generation')}`] : []),
    ];
  }

  #totals(): readonly string[] {
    const { totals } = this.#view;
    const changes = totalsText(totals);
    return [this.#style.bold(hostsText(totals)), ...(changes === '' ? [] : this.#wrapped('  ', changes, 2))];
  }

  #rows(): readonly string[] {
    const { rows } = this.#view;
    const { shown, rest } = this.#first(rows, this.#extent.rows);
    const hosts = rest.reduce((sum, row) => sum + row.hosts.count, 0);
    return [
      ...shown.flatMap((row) => this.#row(row)),
      ...this.#more(rest.length, 'other kind of change', 'other kinds of changes', hosts),
    ];
  }

  #row(row: SummaryRow): readonly string[] {
    const { red, green, yellow, bold } = this.#style;
    const name = this.#names(row);
    const brief = this.#cut(`  ${namesText(row.hosts, 1)}: ${rowText(row)}`, '');
    switch (this.#extent.row) {
      case 'one':
        return [brief];
      case 'two': {
        const [first] = [...row.closes, ...row.opens];
        const line = first === undefined ? [] : [this.#portsLine(first, row)];
        return [brief, ...line];
      }
      case 'three': {
        const lines = (sign: string, paint: (text: string) => string, all: readonly PortsLine[]): readonly string[] =>
          all.length === 0
            ? []
            : [
                this.#cut(
                  `    ${sign} ${all.map((line) => portsLineText(line, this.#extent.ports)).join('; ')}`,
                  sign,
                  paint,
                ),
              ];
        const rest = besidesText(row);
        return [
          `  ${bold(this.#cut(name, ''))}`,
          ...lines('-', red, row.closes),
          ...lines('+', green, row.opens),
          ...(rest === '' ? [] : [this.#cut(`    ~ ${rest}`, '~', yellow)]),
        ];
      }
      case 'full': {
        const rest = besidesText(row);
        return [
          `  ${bold(this.#cut(name, ''))}`,
          ...[...row.closes, ...row.opens].flatMap((line) => this.#portsLines(line)),
          ...(rest === '' ? [] : this.#wrapped(`    ${yellow('~')} `, rest, 6)),
        ];
      }
    }
  }

  #portsLines(line: PortsLine): readonly string[] {
    const { red, green } = this.#style;
    const closing = line.turn !== 'opened' && line.turn !== 'widened';
    const why =
      closing && line.why.length > 0 ? ` (${line.why.slice(0, 2).join('; ')}${line.why.length > 2 ? '; …' : ''})` : '';
    const sign = closing ? red('-') : green('+');
    return this.#wrapped(`    ${sign} `, `${portsLineText(line, this.#extent.ports)}${why}`, 6);
  }

  /** One line for the first change of access, with a count of the others. */
  #portsLine(line: PortsLine, { closes, opens }: SummaryRow): string {
    const { red, green } = this.#style;
    const closing = closes.includes(line);
    const others = closes.length + opens.length - 1;
    const more = others === 0 ? '' : ` (and ${others} more)`;
    const text = portsLineText(line, 3);
    const room = this.#columns - 6 - more.length;
    return `    ${closing ? red('-') : green('+')} ${cutToWidth(text, room)}${more}`;
  }

  #without(): readonly string[] {
    const { without } = this.#view;
    if (without.length === 0) return [];
    const { shown, rest } = this.#first(without, this.#extent.others);
    const hosts = rest.reduce((sum, one) => sum + one.hosts.count, 0);
    const { red, bold } = this.#style;
    return [
      bold('Without a plan'),
      ...shown.flatMap((one) => {
        const label = `  ${one.kind === 'skipped' ? one.kind : red(one.kind)} `;
        const text = `${this.#names(one)}: ${one.code === one.kind ? '' : `${one.code}: `}${one.what}`;
        return this.#said(label, text, 4);
      }),
      ...this.#more(rest.length, 'other failure', 'other failures', hosts),
    ];
  }

  #warnings(): readonly string[] {
    const { warnings } = this.#view;
    const notes = this.#notes();
    if (warnings.length === 0) return notes.length === 0 ? [] : [this.#style.bold('Notes'), ...notes];
    const { shown, rest } = this.#first(warnings, this.#extent.others);
    const hosts = rest.reduce((sum, one) => sum + one.hosts.count, 0);
    return [
      this.#style.bold('Warnings'),
      ...shown.flatMap((one) => this.#note(this.#style.yellow(one.code), one)),
      ...this.#more(rest.length, 'other warning', 'other warnings', hosts),
      ...notes,
    ];
  }

  /** Where there is little room, how many they are. */
  #notes(): readonly string[] {
    const { notes } = this.#view;
    if (this.#extent.others === MANY) return notes.flatMap((one) => this.#note('note', one));
    const where = notes.length === 1 ? 'it' : 'them';
    return notes.length === 0 ? [] : [`  ${counted(notes.length, 'note')}: --details shows ${where}`];
  }

  #note(label: string, note: SummaryWarning): readonly string[] {
    const others = note.texts > 1 ? ` (and ${counted(note.texts - 1, 'more such text')})` : '';
    return this.#said(`  ${label} `, `${this.#names(note)}: ${note.text}${others}`, 4);
  }

  /** In full, or on one line where there is little room. */
  #said(label: string, text: string, indent: number): readonly string[] {
    if (this.#extent.others > 4) return this.#wrapped(label, text, indent);
    return [`${label}${cutToWidth(text, Math.max(1, this.#columns - stringWidth(label)))}`];
  }

  #verdicts(): readonly string[] {
    const { verdicts } = this.#view;
    if (verdicts.length === 0) return [];
    const title = this.#style.bold('Who gets in afterwards (+ opened or widened by this plan)');
    const { verdict, verdicts: most } = this.#extent;
    if (verdict === 'opens') return [title, ...this.#byOpenings(verdicts)];
    if (verdicts.length > most) return [title, ...this.#byOpenings(verdicts)];
    return [
      title,
      ...verdicts.flatMap((one) => (verdict !== 'brief' ? this.#fullVerdict(one) : this.#briefVerdict(one))),
    ];
  }

  #fullVerdict(verdict: Verdict): readonly string[] {
    const { closes, ssh, warnings } = verdict;
    const trusted = verdict.trusted.filter(({ internet }) => !internet);
    const line = (label: string, text: string): readonly string[] =>
      text === ''
        ? []
        : this.#extent.verdict === 'five'
          ? [`    ${padToWidth(label, LABEL)}${cutToWidth(text, this.#columns - 4 - LABEL)}`]
          : this.#wrapped(`    ${padToWidth(label, LABEL)}`, text, 4 + LABEL);
    return [
      `  ${this.#style.bold(this.#cut(this.#names(verdict), ''))}`,
      ...this.#opens(verdict, '    '),
      ...line('CLOSES', closes.map((one) => portsLineText(one, this.#extent.ports)).join('; ')),
      ...line('TRUSTED', trustedText(trusted)),
      ...line('SSH', sshText(ssh)),
      ...line('WARNINGS', warnings.join(', ')),
    ];
  }

  /** What the internet reaches, in full; the rest on one line. */
  #briefVerdict(verdict: Verdict): readonly string[] {
    const rest = this.#restText(verdict);
    return [
      `  ${this.#style.bold(this.#cut(this.#names(verdict), ''))}`,
      ...this.#opens(verdict, '    '),
      ...(rest === '' ? [] : [`    ${cutToWidth(rest, this.#columns - 4)}`]),
    ];
  }

  /** Many kinds of hosts: once for all on which the internet reaches the same. */
  #byOpenings(verdicts: readonly Verdict[]): readonly string[] {
    const groups = grouped(verdicts, ({ opens }) => JSON.stringify(opens));
    return groups.flatMap((alike) => {
      const [first] = alike;
      const count = alike.reduce((sum, { hosts }) => sum + hosts.count, 0);
      const shown = alike.flatMap(({ hosts }) => hosts.shown).slice(0, 3);
      const hosts = { shown, count, more: count - shown.length };
      if (groups.length > MOST_KINDS) {
        const label = `  ${cutToWidth(namesText(hosts, 1), Math.floor(this.#columns / 2))}: `;
        return this.#wrapped(label, openings(first), 6, this.#paintOf(first));
      }
      const rest = alike.length === 1 ? this.#restText(first) : `otherwise these are ${alike.length} kinds of hosts`;
      return [
        `  ${this.#style.bold(this.#cut(this.#names({ hosts }), ''))}`,
        ...this.#opens(first, '    '),
        ...(rest === '' ? [] : [`    ${cutToWidth(rest, this.#columns - 4)}`]),
      ];
    });
  }

  #restText({ closes, trusted, ssh, warnings }: Verdict): string {
    const inside = trusted.filter(({ internet }) => !internet);
    const closing = countedPorts(closes);
    return [
      closing.length === 0 ? '' : `CLOSES ${closing.join(', ')}`,
      inside.length === 0 ? '' : `TRUSTED ${trustedText(inside)}`,
      ssh.length === 0 ? '' : `SSH ${sshText(ssh)}`,
      warnings.length === 0 ? '' : `WARNINGS ${warnings.join(', ')}`,
    ]
      .filter((part) => part !== '')
      .join(' | ');
  }

  #opens(verdict: Verdict, indent: string): readonly string[] {
    const label = `${indent}${padToWidth('OPENS', LABEL)}`;
    return this.#wrapped(label, openings(verdict), label.length, this.#paintOf(verdict));
  }

  #paintOf({ opens }: Verdict): (text: string) => string {
    const { red, yellow, green, bold } = this.#style;
    if (opens.length === 0) return green;
    if (opens.some(isWholeForAnybody)) return (text) => bold(red(text));
    return opens.some(({ changed }) => changed) ? yellow : (text) => text;
  }

  #unjudged(hosts: SummaryView['unjudged']): readonly string[] {
    return hosts.count === 0 ? [] : [this.#cut(`Not known who gets in: ${this.#names({ hosts })}`, '')];
  }

  #names({ hosts }: Pick<SummaryRow, 'hosts'>): string {
    const many = hosts.count > 3 ? ` (${hosts.count} hosts)` : '';
    return `${namesText(hosts, 2)}${many}`;
  }

  #first<T>(items: readonly T[], most: number): { readonly shown: readonly T[]; readonly rest: readonly T[] } {
    const at = items.length <= most + 1 ? items.length : most;
    return { shown: items.slice(0, at), rest: items.slice(at) };
  }

  #more(count: number, one: string, many: string, hosts: number): readonly string[] {
    return count === 0 ? [] : [`  and ${counted(count, one, many)} (${counted(hosts, 'host')}): --details shows all`];
  }

  /** One line that fits; its sign is painted. */
  #cut(text: string, sign: string, paint: (text: string) => string = (same) => same): string {
    const line = cutToWidth(text, this.#columns - (text.startsWith(' ') ? 0 : 2));
    return sign === '' ? line : line.replace(sign, () => paint(sign));
  }

  /** Lines that fit; all but the first are indented. */
  #wrapped(
    label: string,
    text: string,
    indent: number,
    paint: (text: string) => string = (same) => same,
  ): readonly string[] {
    const room = this.#columns - Math.max(indent, stringWidth(label));
    const key = `${room} ${text}`;
    const lines = this.#known.get(key) ?? wrapToWidth(text, Math.max(20, room));
    this.#known.set(key, lines);
    return lines.map((line, at) => (at === 0 ? `${label}${paint(line)}` : `${' '.repeat(indent)}${paint(line)}`));
  }
}

const LABEL = 10;

/** Of more kinds of hosts, each has only what opens to the internet. */
const MOST_KINDS = 8;

function openings({ opens }: Verdict): string {
  return opens.length === 0 ? 'nothing to the internet' : reachedText(opens);
}

/** Cuts a text to a line. What is far beyond its end is not measured: it may be megabytes. */
function cutToWidth(text: string, columns: number): string {
  const most = columns * 8;
  return cutText(text.length > most ? `${text.slice(0, most)}…` : text, columns);
}
