import type { ReviewedPlan } from '../../plan/plan.ts';
import type { PolicyNote } from '../../policy/desired.ts';
import type { ChangeView, DetailView } from '../change-view.ts';
import { countsText, type PlanGroup, type PlanSection, type PlanSubject, plansView } from '../plan-view.ts';
import type { RoleView } from '../role-view.ts';
import type { Shortened } from '../shortened.ts';
import { impactLines } from './impact-text.ts';
import { columnLines } from './layout.ts';
import { moreLines } from './more-lines.ts';
import type { Style } from './style.ts';

/** How much of a plan is printed. */
export interface PlanTextOptions {
  readonly style: Style;
  /** From 1 on: complete lists, and titles and descriptions of new definitions. */
  readonly verbosity: number;
}

/** Prints the view of plans (`plan-view.ts`). */
export function plansText(plans: readonly ReviewedPlan[], { style, verbosity }: PlanTextOptions): string {
  const { groups } = plansView(plans, verbosity > 0 ? 'full' : 'short');
  return groups.map((group) => `${groupLines(group, style).join('\n')}\n`).join('\n');
}

/** One plan; the first line has the names of its hosts. */
export function groupLines({ hosts, subject, sections }: PlanGroup, style: Style): readonly string[] {
  const many = hosts.length === 1 ? '' : ` ${style.dim(`(${hosts.length} hosts, the same plan)`)}`;
  const lines = [`${hosts.map(style.bold).join(', ')}${many} ${style.dim(`· ${subjectText(subject)}`)}`];
  sections.forEach((section, index) => {
    const before = sections[index - 1];
    if (before !== undefined && !(ENDS.has(before.kind) && ENDS.has(section.kind))) lines.push('');
    lines.push(...sectionLines(section, style));
  });
  return lines;
}

function subjectText(subject: PlanSubject): string {
  switch (subject.kind) {
    case 'matrix':
      return `matrix ${subject.matrix}`;
    case 'generation':
      return `generation ${subject.id}, saved ${subject.savedAt} by ${subject.savedBy}`;
  }
}

/** Sections without a blank line between them. */
const ENDS: ReadonlySet<PlanSection['kind']> = new Set(['disruption', 'remember', 'notes']);

function sectionLines(section: PlanSection, style: Style): readonly string[] {
  switch (section.kind) {
    case 'roles':
      return roleLines(section.roles, style);
    case 'no-changes':
      return [`  No changes${section.because === null ? '' : `: ${section.because}`}`];
    case 'start':
      return section.steps.map(({ what, text }) => `  + ${what}: ${text}`);
    case 'zone':
      return [`  zone ${style.bold(section.zone)}`, ...changeLines(section.changes, style)];
    case 'definitions':
    case 'entries':
      return [`  ${section.title}`, ...changeLines(section.changes, style)];
    case 'impact': {
      const on = section.hosts === null ? [] : [`  on ${section.hosts.join(', ')}:`];
      return [...on, ...impactLines(section.parts, style)];
    }
    case 'disruption':
      return [`  disruption: ${section.text}`];
    case 'remember':
      return [`  remembered on the host: ${section.after} (before: ${section.before ?? 'nothing'})`];
    case 'notes':
      return noteLines(section.notes, style);
    case 'counts':
      return [`  ${style.bold(countsText(section))}`];
    case 'raw': {
      const on = section.hosts === null ? '' : ` on ${section.hosts.join(', ')}`;
      return [`  files${on}`, ...section.files.flatMap(({ lines }) => rawLines(lines, style))];
    }
  }
}

/** A unified diff, in its usual colours. */
function rawLines({ shown, more }: Shortened<string>, style: Style): readonly string[] {
  const paints: Readonly<Record<string, (text: string) => string>> = {
    '+': style.green,
    '-': style.red,
    '@': style.cyan,
  };
  return [
    ...shown.map((line) => `    ${(paints[line[0]!] ?? ((same: string) => same))(line)}`),
    ...(more === 0 ? [] : [`    … and ${more} more lines: -v shows them`]),
  ];
}

/** The roles, one per line, each with its reason and the strongest evidence. */
function roleLines(roles: readonly RoleView[], style: Style): readonly string[] {
  if (roles.length === 0) return ['  plays no role'];
  const rows = roles.map(({ role, because, evidence: { shown, more } }) => {
    const evidence = `${shown.join('; ')}${more === 0 ? '' : `; and ${more} more`}`;
    return [
      { text: `  role ${role}`, paint: style.cyan },
      { text: `${because}${evidence === '' ? '' : `: ${evidence}`}` },
    ];
  });
  return columnLines(rows);
}

function changeLines(changes: readonly ChangeView[], style: Style): readonly string[] {
  const signs = { '+': style.green, '-': style.red, '~': style.yellow };
  return changes.flatMap(({ sign, text, ports, onlyIn, inUse, details }) => {
    const opened = ports.length === 0 ? '' : `  ${ports.join(', ')}`;
    const layer = onlyIn === null ? '' : ` (${onlyIn} only)`;
    const live = inUse ? style.yellow(' (in use: live traffic depends on it)') : '';
    const line = `    ${signs[sign](sign)} ${text}${opened}${layer}${live}`;
    return [line, ...details.flatMap((detail) => detailLines(detail, style))];
  });
}

function detailLines(detail: DetailView, style: Style): readonly string[] {
  switch (detail.kind) {
    case 'entries': {
      const { action, entries } = detail;
      const sign = action === 'add' ? style.green('+') : style.red('-');
      return moreLines(entries, ` to ${action}`).map((text) => `        ${sign} ${text}`);
    }
    case 'closes':
    case 'opens':
      return [`        ${style.red(detail.label)} ${detail.text}`];
    case 'field':
    case 'because':
    case 'edits-zone':
    case 'connection':
      return [`        ${style.dim(`${detail.label} ${detail.text}`)}`];
  }
}

function noteLines(notes: readonly PolicyNote[], style: Style): readonly string[] {
  return notes.map(({ severity, text }) =>
    severity === 'warning' ? `  ${style.yellow(`warning: ${text}`)}` : `  note: ${text}`,
  );
}
