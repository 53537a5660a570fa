import { counted, three } from '../core/lists.ts';
import type { Problem } from '../core/problem.ts';
import { terminalLine } from '../core/terminal-text.ts';
import type { HostOutcome, RunSummary } from '../fleet/events.ts';
import type { Style } from '../report/terminal/style.ts';
import type { PlanLook } from './init-look.ts';
import type { LookText } from './init-look-text.ts';

/** As many as fit on a screen with the rest. */
const MOST_ITEMS = 12;

/** What `portfw init --look` says at its end. */
export interface Screen {
  readonly file: string;
  readonly written: LookText;
  readonly problems: readonly Problem[];
  readonly plan: PlanLook;
  /** Commands to run next, in order. */
  readonly next: readonly string[];
}

/** One thing that is left to do, and where. */
interface Item {
  readonly where: string;
  readonly what: string;
  readonly solve: string | null;
}

/** Refusals that a choice in the file answers. */
const ANSWERED_BY: Readonly<Record<string, string>> = {
  'roles-ambiguous': 'portfw_roles',
  'no-roles': 'portfw_roles',
  'no-interface': 'portfw_interfaces',
  'interface-not-found': 'portfw_interfaces',
  'class-not-mapped': 'portfw_interfaces',
  'no-vip': 'portfw_vips',
};

/** The closing text: what the plan says, and what is left to decide, numbered, each with its line. */
export function screenText(screen: Screen, style: Style): string {
  const items = itemsOf(screen);
  const lines = [planLine(screen.plan, style)];
  if (items.length === 0) lines.push('', 'Nothing is left to decide. Read the file, then run the commands below.');
  else {
    lines.push('', style.bold('Left to decide:'));
    for (const [index, { where, what, solve }] of items.slice(0, MOST_ITEMS).entries()) {
      lines.push(`  ${index + 1}. ${style.bold(terminalLine(where))}: ${terminalLine(what)}`);
      if (solve !== null) lines.push(`     ${terminalLine(solve)}`);
    }
    if (items.length > MOST_ITEMS)
      lines.push(`  and ${items.length - MOST_ITEMS} more: look for "TO DECIDE" in the file, and run lint and plan`);
  }
  lines.push('', 'Next:', ...screen.next.map((command) => `  ${terminalLine(command)}`));
  return `${lines.join('\n')}\n`;
}

function itemsOf({ file, written, problems, plan }: Screen): readonly Item[] {
  const asked = new Map<string, { readonly line: number; readonly hosts: string[] }>();
  for (const { line, host, text } of written.open) {
    const entry = asked.get(text) ?? { line, hosts: [] };
    if (host !== null) entry.hosts.push(host);
    asked.set(text, entry);
  }
  const open = [...asked].map(
    ([text, { line, hosts }]): Item => ({
      where: `${file}:${line}`,
      what: `${hosts.length === 0 ? '' : `${three(hosts)}: `}${text}`,
      solve: null,
    }),
  );
  const lint = (plan.kind === 'not-planned' ? [...problems, ...plan.problems] : problems).map((problem): Item => {
    const at = problem.location;
    return { where: at === null ? file : `${at.file}:${at.line}`, what: problem.what, solve: problem.solve };
  });
  const refused = plan.kind === 'planned' ? refusals(plan.summary, file, written) : [];
  const all = [...refused, ...open, ...lint];
  return [...new Map(all.map((item) => [`${item.where} ${item.what}`, item])).values()];
}

/** What the plan of a host is refused for, once for all hosts that share it, unless the file asks about it already. */
function refusals(summary: RunSummary, file: string, written: LookText): readonly Item[] {
  const shared = new Map<string, { readonly hosts: string[]; readonly what: string; readonly solve: string }>();
  for (const [host, outcome] of summary.outcomes) {
    const failure = failureOf(outcome);
    const own = written.open.filter((item) => item.host === host);
    if (failure === null || own.some(({ variable }) => variable === ANSWERED_BY[failure.code])) continue;
    if (outcome.kind === 'unreachable' && own.length > 0) continue;
    const entry = shared.get(failure.what) ?? { hosts: [], what: failure.what, solve: failure.solve };
    entry.hosts.push(host);
    shared.set(failure.what, entry);
  }
  return [...shared.values()].map(({ hosts, what, solve }) => {
    const line = written.lineOf.get(hosts[0]!);
    return { where: line === undefined ? file : `${file}:${line}`, what: `${three(hosts)}: ${what}`, solve };
  });
}

function failureOf(outcome: HostOutcome) {
  return outcome.kind === 'refused' || outcome.kind === 'failed' || outcome.kind === 'unreachable'
    ? outcome.failure
    : null;
}

function planLine(plan: PlanLook, style: Style): string {
  if (plan.kind === 'not-planned') return style.red('Plan: none, because of the errors below');
  const outcomes = [...plan.summary.outcomes.values()];
  const good = outcomes.filter(({ kind }) => kind === 'planned' || kind === 'unchanged').length;
  const count = (kind: HostOutcome['kind']): number => outcomes.filter((one) => one.kind === kind).length;
  const bad = (['refused', 'unreachable', 'failed', 'skipped'] as const).flatMap((kind) =>
    count(kind) === 0 ? [] : [`${count(kind)} ${kind}`],
  );
  const text = `Plan: ${counted(good, 'host')} of ${outcomes.length} can be changed as the file says${bad.length === 0 ? ', none is refused' : `; ${bad.join(', ')}`}`;
  return bad.length === 0 ? style.green(text) : style.yellow(text);
}
