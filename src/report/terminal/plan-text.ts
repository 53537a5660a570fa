import { counted } from '../../core/lists.ts';
import { terminalLine } from '../../core/terminal-text.ts';
import type { Change, Disruption, HostPlan } from '../../plan/plan.ts';
import type { RoleAssignment } from '../../roles/findings.ts';
import {
  becauseLines,
  type ChangeSign,
  changeSign,
  connectionText,
  fieldText,
  layersText,
  oneLine,
  portsText,
} from './change-text.ts';
import { impactLines } from './impact-text.ts';
import { columnLines } from './layout.ts';
import type { Style } from './style.ts';

/** How much of a plan is printed. */
export interface PlanTextOptions {
  readonly style: Style;
  /** 1 and more also prints titles and descriptions of new definitions. */
  readonly verbosity: number;
}

/** How a plan is printed, and which reasons its text has given already. */
interface Printing extends PlanTextOptions {
  readonly given: Set<string>;
}

/**
 * The plans of many hosts for a reviewer: hosts whose plans read the same are printed once, under all their names, in the
 * order in which they come first. What differs in their impact alone is told host by host.
 */
export function plansText(plans: readonly HostPlan[], options: PlanTextOptions): string {
  const groups = new Map<string, HostPlan[]>();
  for (const plan of plans) {
    const key = `${plan.matrix}\n${bodyLines(plan, [], options).join('\n')}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [plan]);
    else group.push(plan);
  }
  return [...groups.values()].map((group) => textOf(group, options)).join('\n');
}

/** One host's plan: roles with their evidence, then zone by zone what comes and goes, each with its reasons. */
export function planText(plan: HostPlan, options: PlanTextOptions): string {
  return textOf([plan], options);
}

/** @param plans the same plan on one host or more */
function textOf(plans: readonly HostPlan[], options: PlanTextOptions): string {
  const { style } = options;
  const plan = plans[0]!;
  const names = plans.map(({ host }) => style.bold(terminalLine(host)));
  const many = plans.length === 1 ? '' : ` ${style.dim(`(${plans.length} hosts, the same plan)`)}`;
  const head = `${names.join(', ')}${many} ${style.dim(`· matrix ${terminalLine(plan.matrix)}`)}`;
  return `${[head, ...bodyLines(plan, impactSections(plans, options), options)].join('\n')}\n`;
}

function impactSections(plans: readonly HostPlan[], options: PlanTextOptions): readonly (readonly string[])[] {
  const told = new Map<string, { lines: readonly string[]; hosts: string[] }>();
  for (const { host, impact } of plans) {
    const lines = impactLines(impact, options);
    const same = told.get(lines.join('\n'));
    if (same === undefined) told.set(lines.join('\n'), { lines, hosts: [host] });
    else same.hosts.push(host);
  }
  if (told.size === 1) return [...told.values()].map(({ lines }) => lines);
  return [...told.values()].map(({ lines, hosts }) =>
    lines.length === 0 ? [] : [`  on ${hosts.map((host) => terminalLine(host)).join(', ')}:`, ...lines],
  );
}

function bodyLines(plan: HostPlan, impact: readonly (readonly string[])[], given: PlanTextOptions): readonly string[] {
  const options: Printing = { ...given, given: new Set() };
  const { style } = options;
  const sections = [roleLines(plan.roles, style)];
  if (plan.changes.length === 0) {
    const because = plan.nothingBecause === null ? '' : `: ${oneLine(plan.nothingBecause)}`;
    sections.push([`  No changes${because}`]);
  } else {
    sections.push(
      ensureLines(plan.changes),
      ...zoneSections(plan.changes, options),
      ...definitionSections(plan.changes, options),
      ...impact,
    );
  }
  const end = [...disruptionLines(plan.disruption), ...rememberLines(plan.changes), ...noteLines(plan, style)];
  if (end.length > 0) sections.push(end);
  if (plan.changes.length > 0) sections.push([`  ${style.bold(countsText(plan.changes))}`]);
  return sections.filter((lines) => lines.length > 0).flatMap((lines, index) => (index === 0 ? lines : ['', ...lines]));
}

/** Why a role is played, in words. */
export const ROLE_REASONS: Readonly<Record<RoleAssignment['because'], string>> = {
  declared: 'declared in the inventory',
  detected: 'detected',
  remembered: 'remembered from an earlier run',
  'every-host': 'played by every host',
};

/** As much evidence as fits a line; "portfw detect" has all of it. */
const MAX_EVIDENCE = 4;

/** The roles, one a line: the name, why it is played, and the strongest evidence. */
export function roleLines(roles: readonly RoleAssignment[], style: Style): readonly string[] {
  if (roles.length === 0) return ['  plays no role'];
  const rows = roles.map((role) => {
    const sure = role.because === 'detected' ? ` (${Math.round(role.confidence * 100)} %)` : '';
    const strongest = [...role.evidence].sort((a, b) => b.weight - a.weight).map((one) => terminalLine(one.text));
    const more = strongest.length > MAX_EVIDENCE ? `; and ${strongest.length - MAX_EVIDENCE} more` : '';
    const evidence = `${strongest.slice(0, MAX_EVIDENCE).join('; ')}${more}`;
    return [
      { text: `  role ${terminalLine(role.role)}`, paint: style.cyan },
      { text: `${ROLE_REASONS[role.because]}${sure}${evidence === '' ? '' : `: ${evidence}`}` },
    ];
  });
  return columnLines(rows);
}

type ZoneChange =
  | Extract<Change, { zone: string }>
  | Extract<Change, { kind: 'definition'; object: 'service' | 'ipset' | 'zone' }>;

function zoneOf(change: Change): string | null {
  if ('zone' in change) return change.zone;
  return change.kind === 'definition' && change.object === 'zone' ? change.name : null;
}

/** Interfaces first: they decide what everything below applies to. */
const ZONE_ORDER: readonly Change['kind'][] = ['definition', 'interface', 'zone-service', 'rich-rule', 'stray'];

function zoneSections(changes: readonly Change[], options: Printing): readonly (readonly string[])[] {
  const byZone = new Map<string, ZoneChange[]>();
  for (const change of changes) {
    const zone = zoneOf(change);
    if (zone === null) continue;
    const list = byZone.get(zone);
    if (list === undefined) byZone.set(zone, [change as ZoneChange]);
    else list.push(change as ZoneChange);
  }
  return [...byZone.keys()].sort().map((zone) => {
    const inZone = byZone.get(zone)!;
    const ordered = ZONE_ORDER.flatMap((kind) => inZone.filter((change) => change.kind === kind));
    const title = `  zone ${options.style.bold(terminalLine(zone))}`;
    return [title, ...ordered.flatMap((change) => zoneChangeLines(change, options))];
  });
}

function zoneChangeLines(change: ZoneChange, options: Printing): readonly string[] {
  const { style } = options;
  const line = (text: string): string => signed(changeSign(change), text, style);
  switch (change.kind) {
    case 'definition':
      return definitionLines(change, true, options);
    case 'interface': {
      const name = oneLine(change.interface);
      const other = oneLine(change.otherZone);
      const moves = other === '' || change.otherZone === change.zone ? '' : ` moves here from zone ${other}`;
      const text =
        change.action === 'bind'
          ? `interface ${name}${classesText(change)}${moves}`
          : `interface ${name} goes to zone ${other}`;
      return [
        line(`${text}${layersText(change.layers)}`),
        ...details(becauseOr(change.reasons, change.action === 'release', options), style),
        ...(change.editsZone === null
          ? []
          : details([`edits zone ${oneLine(change.editsZone)}, which names it now`], style)),
        ...(change.networkManager === undefined ? [] : details([connectionText(change.networkManager)], style)),
        ...closesLines(change, style),
        ...change.opens.map((what) => opensLine(what, name, style)),
      ];
    }
    case 'zone-service': {
      const ports = change.ports.length === 0 ? '' : `  ${portsText(change.ports)}`;
      const text = `service ${oneLine(change.service)}${ports}${layersText(change.layers)}`;
      return [line(text), ...details(becauseOr(change.reasons, change.action === 'remove', options), style)];
    }
    case 'rich-rule': {
      // firewalld's own spelling begins with the word "rule".
      const text = `rich ${oneLine(change.rule)}${layersText(change.layers)}`;
      return [line(text), ...details(becauseOr(change.reasons, change.action === 'remove', options), style)];
    }
    case 'stray': {
      const text = `${oneLine(change.field)} ${oneLine(change.value)}${layersText(change.layers)}`;
      return [line(text), ...details(['because it was set by hand in a zone of ours and no rule asks for it'], style)];
    }
  }
}

/** `eth1 (private)`: which side of the host an interface is. */
function classesText({ classes }: Extract<Change, { kind: 'interface' }>): string {
  return classes.length === 0 ? '' : ` (${oneLine(classes.join(', '))})`;
}

/** As loud as what a move closes: whoever reads over it trusts a network. */
function opensLine(what: string, name: string, style: Style): string {
  return `        ${style.red('opens')} ${oneLine(what)} to whoever comes in on ${name}`;
}

function closesLines(change: Extract<Change, { kind: 'interface' }>, style: Style): readonly string[] {
  const from = oneLine(change.action === 'bind' ? change.otherZone : change.zone);
  return change.closes.map((what) => `        ${style.red('closes')} ${oneLine(what)}, open on it in zone ${from} now`);
}

/** Services, ipsets, and ipset entries: what the zones above refer to. */
function definitionSections(changes: readonly Change[], options: Printing): readonly (readonly string[])[] {
  const explained = new Set(
    changes.flatMap((change) => (change.kind === 'zone-service' && change.action === 'add' ? [change.service] : [])),
  );
  const definitions: string[] = [];
  const entries: string[] = [];
  for (const change of changes) {
    if (change.kind === 'definition' && change.object !== 'zone') {
      const why = !(change.object === 'service' && explained.has(change.name));
      definitions.push(...definitionLines(change, why, options));
    } else if (change.kind === 'ipset-entries') {
      entries.push(...entryLines(change, options));
    }
  }
  const sections: string[][] = [];
  if (definitions.length > 0) sections.push(['  definitions', ...definitions]);
  if (entries.length > 0) sections.push(['  ipset entries', ...entries]);
  return sections;
}

const LABELS: ReadonlySet<string> = new Set(['short', 'description']);

function definitionLines(
  change: Extract<Change, { kind: 'definition' }>,
  withReasons: boolean,
  options: Printing,
): readonly string[] {
  const { style, verbosity } = options;
  const inUse = change.inUse ? style.yellow(' (in use: live traffic depends on it)') : '';
  // The title and description of a new object say nothing that its reasons do not say.
  const fields = change.fields.filter(({ field }) => verbosity > 0 || change.action === 'edit' || !LABELS.has(field));
  const shown = change.action === 'delete' ? [] : fields.map((field) => fieldText(field, verbosity));
  const reasons = withReasons ? becauseOr(change.reasons, change.action === 'delete', options) : [];
  return [
    `${signed(changeSign(change), `${change.object} ${oneLine(change.name)}`, style)}${inUse}`,
    ...details([...shown, ...reasons], style),
  ];
}

/** As many entries of a set as a reader looks through; -v shows all. */
const MOST_ENTRIES = 50;

function entryLines(change: Extract<Change, { kind: 'ipset-entries' }>, options: Printing): readonly string[] {
  const { style, given, verbosity } = options;
  const most = verbosity > 0 ? Number.POSITIVE_INFINITY : MOST_ENTRIES;
  const lines = (sign: string, entries: readonly string[], what: string): readonly string[] => {
    const shown = entries.length <= most + 1 ? entries : entries.slice(0, most);
    const rest = entries.length - shown.length;
    const more = rest === 0 ? [] : [`        ${sign} and ${rest} more to ${what} (-v shows them)`];
    return [...shown.map((entry) => `        ${sign} ${oneLine(entry)}`), ...more];
  };
  return [
    signed('~', `ipset ${oneLine(change.ipset)}${layersText(change.layers)}`, style),
    ...lines(style.green('+'), change.add, 'add'),
    ...lines(style.red('-'), change.remove, 'remove'),
    ...details(becauseLines(change.reasons, given), style),
  ];
}

function becauseOr(reasons: Parameters<typeof becauseLines>[0], goes: boolean, { given }: Printing): readonly string[] {
  if (reasons.length > 0) return becauseLines(reasons, given);
  return goes ? ['because nothing in the matrix or the inventory asks for it any more'] : [];
}

function ensureLines(changes: readonly Change[]): readonly string[] {
  return changes.flatMap((change) => {
    if (change.kind !== 'ensure-firewalld') return [];
    const install = change.action === 'install' ? ['  + package firewalld: is installed, and does not start yet'] : [];
    return [...install, '  + firewalld: is started with what follows, and enabled'];
  });
}

function rememberLines(changes: readonly Change[]): readonly string[] {
  return changes.flatMap((change) => {
    if (change.kind !== 'remember') return [];
    const before = change.before === null ? 'nothing' : oneLine(change.before);
    return [`  remembers on the host: ${oneLine(change.after)} (until now: ${before})`];
  });
}

function disruptionLines(disruption: Disruption): readonly string[] {
  switch (disruption.kind) {
    case 'none':
      return [];
    case 'firewalld-starts':
      return ['  disruption: nothing is filtered now; from the start on only what zones open gets in'];
    case 'reload':
      return [`  disruption: one reload${holdText(disruption.holdMs)}: ${oneLine(disruption.because)}`];
    case 'interface-moves': {
      const reload = disruption.reload ? `, and one reload${holdText(disruption.holdMs)}` : '';
      const names = disruption.interfaces.map(oneLine).join(', ');
      return [
        `  disruption: ${names} ${disruption.interfaces.length === 1 ? 'moves' : 'move'} to another zone${reload}`,
      ];
    }
  }
}

/** A client whose first packet is dropped tries again after a second. */
function holdText(holdMs: number): string {
  return ` (no new connections for about ${holdMs} ms; established ones go on)`;
}

/** As many names as a reader looks through; the closing table has all. */
const MOST_NAMES = 20;

/** The notes of hosts that need nothing; hosts of which the same is to be said stand together. */
export function notesText(plans: readonly HostPlan[], style: Style): string {
  const groups = new Map<string, string[]>();
  for (const plan of plans) {
    const key = noteLines(plan, style).join('\n');
    const names = groups.get(key);
    if (names === undefined) groups.set(key, [plan.host]);
    else names.push(plan.host);
  }
  return [...groups]
    .map(([lines, hosts]) => {
      const names = hosts.slice(0, MOST_NAMES).map((host) => style.bold(terminalLine(host)));
      const more = hosts.length > MOST_NAMES ? ` and ${hosts.length - MOST_NAMES} more` : '';
      return `${names.join(', ')}${more} ${style.dim('· unchanged')}\n${lines}\n`;
    })
    .join('\n');
}

function noteLines(plan: HostPlan, style: Style): readonly string[] {
  return plan.notes.map((note) => {
    const text = `${note.severity === 'warning' ? 'warning' : 'note'}: ${oneLine(note.text)}`;
    return `  ${note.severity === 'warning' ? style.yellow(text) : text}`;
  });
}

/** `12 changes: 5 to add, 2 to change, 5 to remove`. */
export function countsText(changes: readonly Change[]): string {
  const count = (sign: ChangeSign): number => changes.filter((change) => changeSign(change) === sign).length;
  const parts = [`${count('+')} to add`, `${count('~')} to change`, `${count('-')} to remove`];
  return `${counted(changes.length, 'change')}: ${parts.join(', ')}`;
}

function signed(sign: ChangeSign, text: string, style: Style): string {
  const paint = sign === '+' ? style.green : sign === '-' ? style.red : style.yellow;
  return `    ${paint(sign)} ${text}`;
}

function details(lines: readonly string[], style: Style): readonly string[] {
  return lines.map((line) => `        ${style.dim(line)}`);
}
