import { counted } from '../../core/lists.ts';
import { grouped } from '../summary/alike.ts';
import type {
  GenerationLine,
  HostNames,
  PortsLine,
  SummaryRow,
  SummaryTotals,
  SummaryView,
  SummaryWarning,
  Verdict,
  VerdictPorts,
  WithoutPlan,
} from '../summary/summary-types.ts';
import {
  besidesText,
  isWholeForAnybody,
  placeText,
  portsLineText,
  reachedText,
  sshText,
  trustedText,
} from '../summary/summary-words.ts';
import { type Html, html } from './escape.ts';
import { hostNamesHtml, TURN_WORDS } from './words.ts';

/** What every review says first: totals, what changes for whom, who has no plan, warnings, and who gets in afterwards. */
export function summaryHtml(summary: SummaryView): Html {
  const { generations, totals, rows, without, warnings, notes, verdicts, unjudged } = summary;
  return html`${part('Back to', generations, generationsTable)}
${totalsHtml(totals)}
${part('What changes for whom', rows, rowsTable)}
${part('Without a plan', without, (some) => boxes(some.map(withoutItem)))}
${part('Warnings', warnings, (some) => boxes(some.map((one) => noteItem(one, 'warn'))))}
${part('Notes', notes, (some) => boxes(some.map((one) => noteItem(one, 'note'))))}
${part('Who gets in afterwards', verdicts, (some) => html`<div class="verdicts">${some.map(verdictHtml)}</div>`)}
${unjudged.count === 0 ? null : html`<p class="quiet">Not known who gets in: ${hostNamesHtml(unjudged, MOST_NAMES)}</p>`}`;
}

/** At most so many hosts are named; the grid has all. */
const MOST_NAMES = 5;

/** So many of a kind are shown at once; the others are folded below them. */
const FEW = 12;

function part<T>(title: string, items: readonly T[], show: (items: readonly T[]) => Html): Html {
  if (items.length === 0) return html``;
  const rest = items.slice(FEW);
  const more =
    rest.length === 0
      ? null
      : html`<details class="more-of"><summary>and ${rest.length} more</summary>${show(rest)}</details>`;
  return html`<h3>${title}</h3>${show(items.slice(0, FEW))}${more}`;
}

function totalsHtml(totals: SummaryTotals): Html {
  const { longestHoldMs } = totals;
  const hold = longestHoldMs === 0 ? '' : ` (no new connections for up to about ${longestHoldMs} ms)`;
  const told: readonly (readonly [count: number, one: string, many: string, kind: string])[] = [
    [totals.closing, 'port closes', 'ports close', 'closed'],
    [totals.narrowing, 'port narrows', 'ports narrow', 'narrowed'],
    [totals.opening, 'port opens', 'ports open', 'opened'],
    [totals.widening, 'port widens', 'ports widen', 'widened'],
    [totals.sidesClosing, 'interface: all ports narrow', 'interfaces: all ports narrow', 'narrowed'],
    [totals.sidesOpening, 'interface: all ports open wider', 'interfaces: all ports open wider', 'widened'],
    [totals.flowsCut, 'flow cut', 'flows cut', 'closed'],
    [totals.flowsOutlive, 'flow no longer allowed but not cut', 'flows no longer allowed but not cut', 'narrowed'],
    [totals.socketsFewer, 'listening socket for fewer clients', 'listening sockets for fewer clients', 'narrowed'],
    [totals.reloads, `reload${hold}`, `reloads${hold}`, 'same'],
    [totals.unchanged, 'host as it is', 'hosts as they are', 'same'],
    [totals.refused, 'host refused', 'hosts refused', 'closed'],
    [totals.unreachable, 'host unreachable', 'hosts unreachable', 'closed'],
    [totals.failed, 'host failed', 'hosts failed', 'closed'],
    [totals.skipped, 'host skipped', 'hosts skipped', 'same'],
    [totals.warnings, 'warning', 'warnings', 'narrowed'],
  ];
  // What happens to ports is always said, of the rest only what there is.
  const tiles = told.filter(([count], index) => index < 4 || count > 0);
  return html`<ul class="totals">${tiles.map(
    ([count, one, many, kind]) =>
      html`<li class="${count === 0 ? 'none' : kind}"><b>${count}</b> ${count === 1 ? one : many}</li>`,
  )}</ul>`;
}

function table(kind: string, heads: readonly string[], rows: readonly Html[]): Html {
  return html`<div class="wide"><table class="${kind}"><thead><tr>${heads.map((head) => html`<th scope="col">${head}</th>`)}</tr></thead>
<tbody>${rows}</tbody></table></div>`;
}

function generationsTable(generations: readonly GenerationLine[]): Html {
  const rows = generations.map(
    ({ id, savedAt, savedBy, hosts }) =>
      html`<tr><th scope="row">${hostNamesHtml(hosts, MOST_NAMES)}</th><td><code>${id}</code></td><td>${savedAt}</td><td>${savedBy}</td></tr>
`,
  );
  return table('generations', ['Hosts', 'Generation', 'Saved', 'By'], rows);
}

function rowsTable(rows: readonly SummaryRow[]): Html {
  const row = (one: SummaryRow): Html =>
    html`<tr><th scope="row">${hostNamesHtml(one.hosts, MOST_NAMES)}</th><td>${portsHtml(one.closes)}</td><td>${portsHtml(one.opens)}</td><td>${besidesText(one)}</td></tr>
`;
  return table('changes-table', ['Hosts', 'Closes or narrows', 'Opens or widens', 'Besides'], rows.map(row));
}

function portsHtml(lines: readonly PortsLine[]): Html {
  const item = (line: PortsLine): Html => {
    const why = line.why.length === 0 ? null : html` <span class="quiet why">${line.why.join('; ')}</span>`;
    return html`<li><span class="turn ${line.turn}">${TURN_WORDS[line.turn]}</span> ${portsLineText(line, ALL)}${why}</li>`;
  };
  return lines.length === 0
    ? html`<span class="quiet">nothing</span>`
    : html`<ul class="plain">${lines.map(item)}</ul>`;
}

/** No port is left out. */
const ALL = Number.MAX_SAFE_INTEGER;

function boxes(items: readonly Html[]): Html {
  return html`<ul class="plain boxes">${items}</ul>`;
}

function withoutItem({ kind, hosts, code, what, solve }: WithoutPlan): Html {
  return html`<li><span class="badge">${kind}</span> <b>${namedHosts(hosts)}</b>: ${code === kind ? '' : `${code}: `}${what}${solve === '' ? null : html`<br><span class="quiet">${solve}</span>`}</li>`;
}

function noteItem({ text, texts, hosts }: SummaryWarning, kind: string): Html {
  const others = texts > 1 ? ` (and ${counted(texts - 1, 'more such text')})` : '';
  return html`<li class="${kind}"><b>${namedHosts(hosts)}</b>: ${text}${others}</li>`;
}

function namedHosts(hosts: HostNames): Html {
  return html`${hostNamesHtml(hosts, 2)}${hosts.count > 3 ? ` (${hosts.count} hosts)` : ''}`;
}

function verdictHtml({ hosts, opens, closes, trusted, ssh, warnings }: Verdict): Html {
  const line = (label: string, texts: readonly Html[]): Html | null =>
    texts.length === 0 ? null : html`<dt>${label}</dt>${texts.map((text) => html`<dd>${text}</dd>`)}`;
  const said = (texts: readonly string[]): readonly Html[] => texts.map((text) => html`${text}`);
  const inside = trusted.filter(({ internet }) => !internet);
  return html`<article class="verdict"><h4>${hostNamesHtml(hosts, MOST_NAMES)}</h4><dl>
${line('Opens', opens.length === 0 ? [html`<span class="quiet">nothing to the internet</span>`] : byInterface(opens).map(reachedHtml))}
${line('Closes', said(closes.map((one) => portsLineText(one, ALL))))}
${line('Trusted', said(byInterface(inside).map(trustedText)))}
${line('SSH', said(byInterface(ssh).map(sshText)))}
${line('Warnings', said(warnings.length === 0 ? [] : [warnings.join(', ')]))}</dl></article>
`;
}

function byInterface(lines: readonly VerdictPorts[]): readonly (readonly VerdictPorts[])[] {
  return grouped(lines, placeText);
}

/** All ports open to anybody, and what the plan opens, must not be missed. */
function reachedHtml(lines: readonly VerdictPorts[]): Html {
  const kind = lines.some(isWholeForAnybody) ? 'alarm' : lines.some(({ changed }) => changed) ? 'news' : 'stays';
  return html`<span class="${kind}">${reachedText(lines)}</span>`;
}
