import { counted } from '../../core/lists.ts';
import type { PolicyNote } from '../../policy/desired.ts';
import type { ChangeView, DetailView } from '../change-view.ts';
import { type FlowFate, flowText, type ImpactPart, socketText } from '../impact-view.ts';
import { countsText, type PlanGroup, type PlanSection, type PlanSubject, type PlansView } from '../plan-view.ts';
import type { RawView } from '../raw-view.ts';
import type { RoleView } from '../role-view.ts';
import type { Shortened } from '../shortened.ts';
import { accessTable } from './access-html.ts';
import { type Html, html } from './escape.ts';
import type { GridView } from './grid-view.ts';
import { namesHtml } from './words.ts';

/** Each plan with its hosts, folded: what changes and why, and who gets in where. */
export function plansHtml({ groups }: PlansView, grid: GridView): Html {
  return html`${groups.map((group, index) => planHtml(group, index, grid))}`;
}

/** At most so many names stand in a heading. */
const MOST_NAMES = 4;

function headHtml(hosts: readonly string[]): Html {
  return hosts.length > MOST_NAMES
    ? namesHtml(hosts.slice(0, MOST_NAMES - 1), hosts.length - MOST_NAMES + 1)
    : namesHtml(hosts);
}

function planHtml({ hosts, subject, sections }: PlanGroup, index: number, grid: GridView): Html {
  const counts = sections.find((section) => section.kind === 'counts');
  const says = counts === undefined ? 'no changes' : countsText(counts);
  const all = hosts.length > MOST_NAMES ? html`<p>Hosts: ${namesHtml(hosts)}</p>` : null;
  const rows = grid.rows.filter(({ plan }) => plan === index);
  return html`<details class="plan" id="plan-${index}"><summary><h3>${headHtml(hosts)}</h3> <span class="says">${says}</span></summary>
<div class="body">${all}<p class="quiet">${subjectText(subject)}${sections.some(({ kind }) => kind === 'impact') ? html` · <a href="#impact-${index}">its impact</a>` : null}</p>
${sections.map(sectionHtml)}
${rows.map((row) => accessTable(grid, row, rows.length > 1))}</div></details>
`;
}

function subjectText(subject: PlanSubject): string {
  switch (subject.kind) {
    case 'matrix':
      return `Matrix ${subject.matrix}`;
    case 'generation':
      return `Back to generation ${subject.id}, saved ${subject.savedAt} by ${subject.savedBy}, before ${subject.before}`;
  }
}

function sectionHtml(section: PlanSection): Html {
  switch (section.kind) {
    case 'roles':
      return rolesHtml(section.roles);
    case 'no-changes':
      return html`<p>No changes${section.because === null ? '' : `: ${section.because}`}</p>`;
    case 'start':
      return part(
        'firewalld',
        section.steps.map(({ what, text }) => html`<li class="add">${what}: ${text}</li>`),
      );
    case 'zone':
      return changesHtml(`zone ${section.zone}`, section.changes);
    case 'definitions':
    case 'entries':
      return changesHtml(section.title, section.changes);
    case 'impact':
      // All impacts are told in one list above.
      return html``;
    case 'disruption':
      return html`<p class="warn"><b>Disruption:</b> ${section.text}</p>`;
    case 'remember':
      return html`<p><b>Remembered on the host:</b> ${section.after} <span class="quiet">(before: ${section.before ?? 'nothing'})</span></p>`;
    case 'notes':
      return html`<ul class="notes">${section.notes.map(noteHtml)}</ul>`;
    case 'counts':
      // Said in the line above.
      return html``;
    case 'raw':
      return rawHtml(section.hosts, section.files);
  }
}

/** The differences of firewalld's files. */
function rawHtml(hosts: readonly string[] | null, files: readonly RawView[]): Html {
  const of = hosts === null ? null : html` <span class="quiet">on ${namesHtml(hosts)}</span>`;
  const more = (count: number): Html | null => (count === 0 ? null : html`<i>and ${count} more lines</i>`);
  // The first two lines of a diff name the file.
  const lines = ({ shown }: RawView['lines']): readonly Html[] =>
    shown.map(
      (line, index) => html`<span class="${index < 2 ? 'file' : (RAW_CLASS[line[0] ?? ''] ?? 'same')}">${line}
</span>`,
    );
  return html`<section class="part"><h4>files${of}</h4>${files.map((file) => html`<pre class="raw">${lines(file.lines)}${more(file.lines.more)}</pre>`)}</section>`;
}

const RAW_CLASS: Readonly<Record<string, string>> = { '+': 'opened', '-': 'closed', '@': 'quiet' };

function part(title: string, items: readonly Html[]): Html {
  return html`<section class="part"><h4>${title}</h4><ul class="changes">${items}</ul></section>`;
}

function rolesHtml(roles: readonly RoleView[]): Html {
  if (roles.length === 0) return html`<p>Plays no role</p>`;
  const items = roles.map(({ role, because, evidence: { shown, more } }) => {
    const evidence = `${shown.join('; ')}${more === 0 ? '' : `; and ${more} more`}`;
    return html`<li><b>${role}</b> <span class="quiet">${because}${evidence === '' ? '' : `: ${evidence}`}</span></li>`;
  });
  return html`<section class="part"><h4>Roles</h4><ul class="roles">${items}</ul></section>`;
}

const SIGN_CLASS = { '+': 'add', '-': 'remove', '~': 'alter' } as const;
const SIGN_WORD = { '+': 'add', '-': 'remove', '~': 'change' } as const;

function changesHtml(title: string, changes: readonly ChangeView[]): Html {
  return part(title, changes.map(changeHtml));
}

function changeHtml({ sign, text, ports, onlyIn, inUse, details }: ChangeView): Html {
  const opened = ports.length === 0 ? null : html` <code>${ports.join(', ')}</code>`;
  const layer = onlyIn === null ? null : html` <span class="quiet">(${onlyIn} only)</span>`;
  const live = inUse ? html` <span class="live">in use: live traffic depends on it</span>` : null;
  const below = details.length === 0 ? null : html`<ul class="details">${details.map(detailHtml)}</ul>`;
  return html`<li class="${SIGN_CLASS[sign]}"><span class="vh">${SIGN_WORD[sign]} </span>${text}${opened}${layer}${live}${below}</li>
`;
}

function detailHtml(detail: DetailView): Html {
  switch (detail.kind) {
    case 'entries': {
      const word = detail.action === 'add' ? 'add' : 'remove';
      return html`<li class="${word}"><span class="vh">${word} </span><code>${listText(detail.entries)}</code></li>`;
    }
    case 'closes':
    case 'opens':
      return html`<li><b class="${detail.kind}">${detail.label}</b> ${detail.text}</li>`;
    case 'field':
      return html`<li>${detail.label} <code>${detail.text}</code></li>`;
    case 'because':
    case 'edits-zone':
    case 'connection':
      return html`<li class="quiet">${detail.label} ${detail.text}</li>`;
  }
}

function listText({ shown, more }: Shortened<string>): string {
  return `${shown.join(', ')}${more === 0 ? '' : ` and ${more} more`}`;
}

function noteHtml({ severity, text }: PolicyNote): Html {
  return severity === 'warning'
    ? html`<li class="warn"><b>Warning:</b> ${text}</li>`
    : html`<li><b>Note:</b> ${text}</li>`;
}

/** So many impacts are unfolded from the start. */
const FEW_IMPACTS = 2;

/** What the plans do to listening sockets and established flows, each folded below a line that counts. */
export function impactsHtml({ groups }: PlansView): Html {
  const found = groups.flatMap(({ hosts, sections }, index) => {
    const impacts = sections.filter((section) => section.kind === 'impact');
    return impacts.length === 0 ? [] : [{ hosts, impacts, index }];
  });
  if (found.length === 0) return html`<p class="quiet">None: no listening socket and no connection is affected.</p>`;
  const open = html`${found.length <= FEW_IMPACTS ? html` open` : null}`;
  return html`${found.map(({ hosts, impacts, index }) => {
    const said = [...new Set(impacts.flatMap(({ parts }) => parts.map(partCount)))].join('; ');
    return html`<details class="plan" id="impact-${index}"${open}><summary><h3>${headHtml(hosts)}</h3> <span class="says">${said}</span></summary>
<div class="body">${impacts.map((impact) => impactHtml(impact.hosts, impact.parts))}</div></details>
`;
  })}`;
}

function partCount(one: ImpactPart): string {
  switch (one.kind) {
    case 'closed':
    case 'opened': {
      const count = counted(one.sockets.shown.length + one.sockets.more, 'socket');
      return `${count} that ${one.kind === 'closed' ? 'fewer' : 'more'} can reach`;
    }
    case 'unheard':
      return `${counted(one.ports.shown.length + one.ports.more, 'port')} without a listener`;
    case 'flows':
      return one.fates.map(fateCount).join('; ');
  }
}

function fateCount(fate: FlowFate): string {
  switch (fate.kind) {
    case 'cut':
      return `${counted(fate.count, 'flow')} cut`;
    case 'outlive':
      return `${counted(fate.count, 'flow')} no longer allowed`;
    case 'unknown':
    case 'unseen':
      return 'flows not all known';
  }
}

function impactHtml(hosts: readonly string[] | null, parts: readonly ImpactPart[]): Html {
  const on = hosts === null ? null : html`<p class="quiet">on ${namesHtml(hosts)}</p>`;
  return html`<div class="impact">${on}${parts.map(impactPart)}</div>`;
}

function impactPart(one: ImpactPart): Html {
  switch (one.kind) {
    case 'closed':
    case 'opened': {
      const sockets = one.sockets.shown.map(
        (socket) => html`<li class="${one.kind === 'closed' ? 'remove' : 'add'}">${socketText(socket)}</li>`,
      );
      return part(one.title, [...sockets, ...moreItem(one.sockets.more)]);
    }
    case 'unheard':
      return html`<p class="quiet">${one.title}: ${listText(one.ports)}</p>`;
    case 'flows':
      return part(one.title, one.fates.map(fateHtml));
  }
}

function fateHtml(fate: FlowFate): Html {
  switch (fate.kind) {
    case 'cut':
    case 'outlive': {
      const flows = fate.flows.shown.map((flow) => html`<li>${flowText(flow)}</li>`);
      return html`<li class="${fate.kind === 'cut' ? 'remove' : 'alter'}">${fate.text}:<ul class="details">${flows}${moreItem(fate.flows.more)}</ul></li>`;
    }
    case 'unknown':
    case 'unseen':
      return html`<li>${fate.text}</li>`;
  }
}

function moreItem(more: number): readonly Html[] {
  return more === 0 ? [] : [html`<li class="quiet">and ${more} more</li>`];
}
