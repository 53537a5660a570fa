import { type Html, html } from './escape.ts';
import { type GridView, TURN_ORDER } from './grid-view.ts';
import { TURN_WORDS } from './words.ts';

/** The filters; the page's script shows them, because without it they would do nothing. */
export function filtersHtml({ hosts }: GridView): Html {
  const groups = namesOf(hosts.map((host) => host.groups));
  const roles = namesOf(hosts.map((host) => host.roles));
  return html`<form id="filters" role="search" aria-label="Filters" hidden>
${input('host', 'Host', 'part of a name')}
${select('group', 'Group', [ALL, ...groups.map(option)])}
${select('role', 'Role', [ALL, ...roles.map(option)])}
${input('port', 'Port', '443, 8000-8999, udp')}
${select('direction', 'Direction', [ALL, ...DIRECTIONS])}
${input('peer', 'Peer', '192.0.2.5 or text')}
<button type="reset">Clear</button>
<p id="filter-error" role="alert"></p>
</form>
<p id="shown" role="status" aria-live="polite"></p>`;
}

const ALL = html`<option value="">all</option>`;

/** What closes first. */
const DIRECTIONS: readonly Html[] = [
  html`<option value="changes">any change</option>`,
  ...TURN_ORDER.map(
    (turn) => html`<option value="${turn}">${turn === 'same' ? 'open, unchanged' : TURN_WORDS[turn]}</option>`,
  ),
];

function input(name: string, label: string, hint: string): Html {
  return html`<p class="field"><label for="filter-${name}">${label}</label><input id="filter-${name}" name="${name}" type="search" autocomplete="off" spellcheck="false" placeholder="${hint}"></p>`;
}

function select(name: string, label: string, options: readonly Html[]): Html {
  return html`<p class="field"><label for="filter-${name}">${label}</label><select id="filter-${name}" name="${name}">${options}</select></p>`;
}

function namesOf(lists: readonly (readonly string[])[]): readonly string[] {
  return [...new Set(lists.flat())].sort();
}

function option(name: string): Html {
  return html`<option>${name}</option>`;
}
