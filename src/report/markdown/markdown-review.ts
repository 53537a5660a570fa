import { counted } from '../../core/lists.ts';
import { oneLine } from '../clean.ts';
import type { PlanGroup, PlanSection } from '../plan-view.ts';
import type { Review } from '../review.ts';
import { grouped } from '../summary/alike.ts';
import type { HostNames, PortsLine, SummaryRow, SummaryView, Verdict } from '../summary/summary-types.ts';
import {
  besidesText,
  hostsText,
  portsLineText,
  reachedText,
  rowText,
  sshText,
  totalsText,
  trustedText,
} from '../summary/summary-words.ts';
import { groupLines } from '../terminal/plan-text.ts';
import { PLAIN_STYLE } from '../terminal/style.ts';
import { code, fenced, prose } from './escape.ts';
import { type Fitted, firstThatFits, hostsOf, type Piece } from './fitting.ts';

/** A comment on GitHub may have 65,536 characters. */
export const MOST_CHARACTERS = 60_000;

/** Room for the title, the titles of the sections, and for what is said of what is left out. */
const FRAME = 4_000;

/** At most so many names of hosts, and of ports in one line, where there is no room for all. */
const MOST_NAMES = 20;
const MOST_PORTS = 40;

/**
 * A review as a comment on a pull request: GitHub's and GitLab's Markdown, under 60,000 characters for any fleet. The first line
 * is a comment by which a job finds the comment that it updates.
 *
 * What is too long is shortened: first the details, then rows and verdicts; then the top says how many are left out.
 */
export function markdownReview({ input, summary, plans }: Review): string {
  const { totals } = summary;
  const room = new Room(MOST_CHARACTERS - FRAME);
  const verdicts = room.take(0.4, verdictForms(summary.verdicts));
  const rows = room.take(0.6, [summary.rows.map(fullRow), summary.rows.map(shortRow)]);
  const without = room.take(0.4, [summary.without.map(failureItem)]);
  const warnings = room.take(0.6, [summary.warnings.map(warningItem)]);
  const notes = room.take(0.2, [summary.notes.map(warningItem)]);
  const generations = room.take(0.5, [summary.generations.map(generationItem)]);
  const unjudged = room.take(0.5, [summary.unjudged.count === 0 ? [] : [unjudgedItem(summary.unjudged)]]);
  const details = room.take(1, [detailPieces(plans.groups)]);
  const changes = totalsText(totals);
  const lines = [
    `<!-- portfw:${input.action === 'apply' ? 'plan' : 'rollback'} -->`,
    `## ${input.action === 'apply' ? 'Firewall plan' : 'Firewall rollback'} for ${hostsText(totals)}`,
    ...paragraph(leftOut({ verdicts, rows, without, warnings, notes, generations, unjudged, details }, summary)),
    ...paragraph(changes === '' ? '' : `**${changes}**`),
    ...section(null, generations.shown),
    ...section('### What changes for whom', rows.shown, ROW_HEAD),
    ...section('### Without a plan', without.shown),
    ...section('### Warnings', warnings.shown),
    ...section('### Afterwards (`+` is opened or widened by this plan)', verdicts.shown),
    ...section(null, unjudged.shown),
    ...section('### Notes', notes.shown),
    ...section('### Details', details.shown),
    ...paragraph(input.digest === null ? '' : `Saved plan ${code(oneLine(input.digest).slice(0, MOST_DIGEST))}`),
  ];
  return `${lines.join('\n')}\n`;
}

const MOST_DIGEST = 200;

/** Characters that are not used yet. */
class Room {
  #left: number;

  constructor(left: number) {
    this.#left = left;
  }

  /** @param share of what is left, from 0 to 1 */
  take(share: number, forms: readonly (readonly Piece[])[]): Fitted {
    const taken = firstThatFits(forms, this.#left * share);
    this.#left -= taken.used;
    return taken;
  }
}

function paragraph(text: string): readonly string[] {
  return text === '' ? [] : ['', text];
}

function section(title: string | null, pieces: readonly Piece[], head: readonly string[] = []): readonly string[] {
  if (pieces.length === 0) return [];
  return [...(title === null ? [] : ['', title]), '', ...head, ...pieces.map(({ text }) => text)];
}

/** What the top says of what is not shown; empty if all is. */
function leftOut(
  parts: Readonly<
    Record<'verdicts' | 'rows' | 'without' | 'warnings' | 'notes' | 'generations' | 'unjudged' | 'details', Fitted>
  >,
  { verdicts }: SummaryView,
): string {
  const said = (part: Fitted, one: string, many: string): readonly string[] =>
    part.left.length === 0 ? [] : [`${counted(part.left.length, one, many)} (${counted(hostsOf(part.left), 'host')})`];
  const open = verdicts.filter(({ opens }) => opens.length > 0).length;
  const missing = [
    ...said(
      parts.verdicts,
      'kind of host and **what opens to the internet there**',
      'kinds of hosts and **what opens to the internet there**',
    ),
    ...said(parts.rows, 'row of changes', 'rows of changes'),
    ...said(parts.without, 'failure', 'failures'),
    ...said(parts.warnings, 'warning', 'warnings'),
    ...said(parts.notes, 'note', 'notes'),
    ...said(parts.generations, 'generation', 'generations'),
    ...said(parts.unjudged, 'list of hosts', 'lists of hosts'),
    ...said(parts.details, 'plan in detail', 'plans in detail'),
  ];
  if (missing.length === 0) return '';
  const complete = parts.verdicts.left.length > 0 || open === 0 ? '' : ' All that opens to the internet is shown.';
  return `> **This is not all of it.** Left out: ${missing.join('; ')}.${complete} The same command shows all of it with \`--details -v\`.`;
}

const ROW_HEAD = ['| Hosts | Closes, or for fewer | Opens, or for more | Besides |', '| --- | --- | --- | --- |'];

function fullRow(row: SummaryRow): Piece {
  const cells = [
    names(row.hosts),
    row.closes.map((line) => portsItem(line)).join('<br>'),
    row.opens.map((line) => portsItem(line)).join('<br>'),
    prose(besidesText(row)),
  ];
  return { text: tableRow(cells), hosts: row.hosts.count };
}

function shortRow(row: SummaryRow): Piece {
  return { text: tableRow([names(row.hosts, 3), '', '', prose(rowText(row))]), hosts: row.hosts.count };
}

function tableRow(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

function portsItem(line: PortsLine): string {
  const closing = line.turn !== 'opened' && line.turn !== 'widened';
  const why = closing && line.why.length > 0 ? ` ${prose(`(${line.why.join('; ')})`)}` : '';
  return `${code(portsLineText(line, MOST_PORTS))}${why}`;
}

/** `web1, web2 and 3 more`. */
function names({ shown, count }: HostNames, most = MOST_NAMES): string {
  const few = count <= most + 1 ? shown : shown.slice(0, most);
  const rest = count - few.length;
  return `${few.map(code).join(', ')}${rest === 0 ? '' : ` and ${rest} more`}`;
}

function failureItem({ kind, hosts, code: name, what, solve }: SummaryView['without'][number]): Piece {
  const label = kind === name ? '' : ` (${code(name)})`;
  return { text: `- **${kind}** ${names(hosts)}${label}: ${prose(what)}. Solve: ${prose(solve)}`, hosts: hosts.count };
}

function warningItem({ code: name, text, texts, hosts }: SummaryView['warnings'][number]): Piece {
  const others = texts > 1 ? ` (and ${counted(texts - 1, 'more such text')})` : '';
  return { text: `- ${code(name)} ${names(hosts)}: ${prose(text)}${others}`, hosts: hosts.count };
}

function generationItem({ id, savedAt, savedBy, before, hosts }: SummaryView['generations'][number]): Piece {
  const text = `- To generation ${code(id)}, saved ${code(savedAt)} by ${code(savedBy)} before ${code(before)}: ${names(hosts)}`;
  return { text, hosts: hosts.count };
}

function unjudgedItem(hosts: HostNames): Piece {
  return { text: `Not known who gets in: ${names(hosts)}`, hosts: hosts.count };
}

/** In full; else what the internet reaches alone, once for all hosts with the same. */
function verdictForms(verdicts: readonly Verdict[]): readonly (readonly Piece[])[] {
  const alike = grouped(verdicts, ({ opens }) => JSON.stringify(opens)).map((some): Piece => {
    const count = some.reduce((sum, { hosts }) => sum + hosts.count, 0);
    const shown = some.flatMap(({ hosts }) => hosts.shown).slice(0, 3);
    return { text: `- ${names({ shown, count, more: count - shown.length }, 3)}: ${opensText(some[0])}`, hosts: count };
  });
  return [verdicts.map(verdictItem), alike];
}

function verdictItem(verdict: Verdict): Piece {
  const { hosts, closes, trusted, ssh, warnings } = verdict;
  const line = (label: string, texts: readonly string[]): readonly string[] =>
    texts.every((text) => text === '') ? [] : [`  - **${label}** ${texts.map(code).join('<br>')}`];
  const lines = [
    `- ${names(hosts)}`,
    `  - ${opensText(verdict)}`,
    ...line(
      'CLOSES',
      closes.map((one) => portsLineText(one, MOST_PORTS)),
    ),
    ...line('TRUSTED', [trustedText(trusted.filter(({ internet }) => !internet))]),
    ...line('SSH', [sshText(ssh)]),
    ...line('WARNINGS', [warnings.join(', ')]),
  ];
  return { text: lines.join('\n'), hosts: hosts.count };
}

function opensText({ opens }: Verdict): string {
  return opens.length === 0 ? 'opens nothing to the internet' : `**OPENS** ${code(reachedText(opens))}`;
}

/** The plans with changes first: those without are the first to be left out. */
function detailPieces(groups: readonly PlanGroup[]): readonly Piece[] {
  const changes = ({ sections }: PlanGroup): boolean => sections.some(({ kind }) => kind === 'counts');
  return [...groups.filter(changes), ...groups.filter((group) => !changes(group))].map((group): Piece => {
    const { hosts, sections } = group;
    const body = { ...group, sections: sections.filter(({ kind }) => kind !== 'raw') };
    const [, ...lines] = groupLines(body, PLAIN_STYLE);
    const blocks = [fenced(lines.map(signFirst), 'diff'), ...sections.flatMap(rawBlocks)];
    const title = names({ shown: hosts, count: hosts.length, more: 0 });
    return {
      text: `<details><summary>${title}</summary>\n\n${blocks.join('\n\n')}\n\n</details>\n`,
      hosts: hosts.length,
    };
  });
}

/** The files that change, as a patch. */
function rawBlocks(section: PlanSection): readonly string[] {
  if (section.kind !== 'raw') return [];
  const { hosts, files } = section;
  const on = hosts === null ? '' : ` on ${names({ shown: hosts, count: hosts.length, more: 0 })}`;
  const lines = files.flatMap(({ lines: { shown, more } }) => [
    ...shown,
    ...(more === 0 ? [] : [` … and ${more} more lines`]),
  ]);
  return [`Files${on}:`, fenced(lines, 'diff')];
}

/** Moves the sign of a line to its beginning, where GitHub and GitLab colour it. */
function signFirst(line: string): string {
  return line.replace(/^( *)([+-]) /, '$2$1 ').replace(/^ {2}/, ' ');
}
