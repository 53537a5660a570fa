import { counted } from '../../core/lists.ts';
import { countsText } from '../plan-view.ts';
import type {
  InterfaceLine,
  PortsLine,
  SummaryRow,
  SummaryTotals,
  SummaryView,
  SummaryWarning,
  Verdict,
  VerdictPorts,
  WithoutPlan,
} from '../summary/summary-types.ts';
import { type Html, html } from './escape.ts';
import { hostNamesHtml, TURN_WORDS } from './words.ts';

/** What every review says first: totals, what changes for whom, who has no plan, warnings, and what the fleet is like afterwards. */
export function summaryHtml({ totals, rows, without, warnings, verdicts }: SummaryView): Html {
  return html`${totalsHtml(totals)}
${rows.length === 0 ? null : rowsHtml(rows)}
${without.length === 0 ? null : withoutHtml(without)}
${warnings.length === 0 ? null : warningsHtml(warnings)}
${verdicts.length === 0 ? null : verdictsHtml(verdicts)}`;
}

/** `3 of 6 hosts change. 12 changes: 5 to add, 2 to change, 5 to remove`. */
export function totalsText(totals: SummaryTotals): string {
  return `${totals.changing} of ${counted(totals.hosts, 'host')} ${totals.changing === 1 ? 'changes' : 'change'}. ${countsText(totals)}.`;
}

function totalsHtml(totals: SummaryTotals): Html {
  const hold = totals.longestHoldMs === 0 ? '' : `, up to ${totals.longestHoldMs} ms without new connections`;
  const tiles: readonly (readonly [count: number, what: string, kind: string])[] = [
    [totals.closing, 'ports closing', 'closed'],
    [totals.narrowing, 'narrowed', 'narrowed'],
    [totals.opening, 'opening', 'opened'],
    [totals.widening, 'widened', 'widened'],
    [totals.flowsCut, 'flows cut', 'closed'],
    [totals.flowsOutlive, 'flows no longer allowed', 'narrowed'],
    [totals.socketsFewer, 'sockets that fewer can reach', 'narrowed'],
    [totals.reloads, `${totals.reloads === 1 ? 'reload' : 'reloads'}${hold}`, 'same'],
    [totals.unchanged, 'hosts unchanged', 'same'],
    [totals.refused, 'refused', 'closed'],
    [totals.unreachable, 'unreachable', 'closed'],
    [totals.failed, 'failed', 'closed'],
    [totals.warnings, totals.warnings === 1 ? 'warning' : 'warnings', 'narrowed'],
  ];
  // The four turns are always told; of the rest only what there is.
  const told = tiles.filter(([count], index) => index < 4 || count > 0);
  return html`<ul class="totals">${told.map(
    ([count, what, kind]) => html`<li class="${count === 0 ? 'none' : kind}"><b>${count}</b> ${what}</li>`,
  )}</ul>`;
}

function rowsHtml(rows: readonly SummaryRow[]): Html {
  const row = (one: SummaryRow): Html =>
    html`<tr><th scope="row">${hostNamesHtml(one.hosts)}</th><td>${portsHtml(one.closes)}</td><td>${portsHtml(one.opens)}</td><td><ul class="plain">${alsoItems(one)}</ul></td></tr>
`;
  return html`<h3>What changes for whom</h3><div class="wide"><table class="changes-table"><thead><tr><th scope="col">Hosts</th><th scope="col">Closes</th><th scope="col">Opens</th><th scope="col">Besides</th></tr></thead>
<tbody>${rows.map(row)}</tbody></table></div>`;
}

function portsHtml(lines: readonly PortsLine[]): Html {
  return lines.length === 0
    ? html`<span class="quiet">nothing</span>`
    : html`<ul class="plain">${lines.map(lineItem)}</ul>`;
}

function lineItem(line: PortsLine): Html {
  const { turn, ports, before, after, why } = line;
  const because = why.length === 0 ? null : html` <span class="quiet why">${why.join('; ')}</span>`;
  return html`<li><span class="turn ${turn}">${TURN_WORDS[turn]}</span> <code>${ports.join(', ')}</code> on ${sideText(line)}: ${before} → ${after}${because}</li>`;
}

function sideText({ interface: name, classes, family }: Pick<PortsLine, 'interface' | 'classes' | 'family'>): string {
  const side = classes.length === 0 ? name : `${name} (${classes.join(', ')})`;
  return family === null ? side : `${side}, ${family}`;
}

function alsoItems(row: SummaryRow): readonly Html[] {
  const { interfaces, reloads, flowsCut, flowsOutlive, socketsFewer, counts, also } = row;
  const texts = [
    ...interfaces.map(moveText),
    ...(reloads ? ['one reload'] : []),
    ...(flowsCut === 0 ? [] : [`${counted(flowsCut, 'flow')} cut`]),
    ...(flowsOutlive === 0 ? [] : [`${counted(flowsOutlive, 'flow')} no longer allowed`]),
    ...(socketsFewer === 0 ? [] : [`${counted(socketsFewer, 'socket')} that fewer can reach`]),
    ...also,
    countsText(counts),
  ];
  return texts.map((text) => html`<li>${text}</li>`);
}

function moveText({ interface: name, from, to }: InterfaceLine): string {
  return `${name}: zone ${from === '' ? 'none' : from} → ${to === '' ? 'none' : to}`;
}

function withoutHtml(without: readonly WithoutPlan[]): Html {
  const item = ({ kind, hosts, what, solve }: WithoutPlan): Html =>
    html`<li><span class="badge">${kind}</span> <b>${hostNamesHtml(hosts)}</b>: ${what}${solve === '' ? null : html`<br><span class="quiet">${solve}</span>`}</li>`;
  return html`<h3>Without a plan</h3><ul class="plain boxes">${without.map(item)}</ul>`;
}

function warningsHtml(warnings: readonly SummaryWarning[]): Html {
  const item = ({ text, hosts }: SummaryWarning): Html =>
    html`<li class="warn">${text} <span class="quiet">(${hostNamesHtml(hosts)})</span></li>`;
  return html`<h3>Warnings</h3><ul class="plain boxes">${warnings.map(item)}</ul>`;
}

function verdictsHtml(verdicts: readonly Verdict[]): Html {
  return html`<h3>Afterwards</h3><div class="verdicts">${verdicts.map(verdictHtml)}</div>`;
}

function verdictHtml({ hosts, opens, closes, trusted, ssh, warnings }: Verdict): Html {
  const reached = (some: readonly VerdictPorts[], none: string): readonly Html[] =>
    some.length === 0 ? [html`<dd class="quiet">${none}</dd>`] : some.map(reachedHtml);
  const closing = closes.map(
    (line) => html`<dd><code>${line.ports.join(', ')}</code> on ${sideText(line)}: ${line.before} → ${line.after}</dd>`,
  );
  return html`<article class="verdict"><h4>${hostNamesHtml(hosts)}</h4><dl>
<dt>Opens to the internet</dt>${reached(opens, 'nothing')}
<dt>Closes</dt>${closes.length === 0 ? html`<dd class="quiet">nothing</dd>` : closing}
<dt>Trusted whole</dt>${reached(trusted, 'nobody')}
<dt>SSH from</dt>${reached(ssh, 'nowhere')}
${warnings.length === 0 ? null : html`<dt>Warnings</dt>${warnings.map((text) => html`<dd class="warn">${text}</dd>`)}`}</dl></article>
`;
}

function reachedHtml(one: VerdictPorts): Html {
  const changed = one.changed ? html` <span class="turn opened">changed</span>` : null;
  return html`<dd>${one.ports.length === 0 ? null : html`<code>${one.ports.join(', ')}</code> `}${sideText(one)}: ${one.from}${changed}</dd>`;
}
