import { type Html, html } from './escape.ts';
import type { GridView } from './grid-view.ts';

/** The filters; the page's script shows them, because without it they would do nothing. */
export function filtersHtml({ hosts }: GridView): Html {
  const groups = namesOf(hosts.map((host) => host.groups));
  const roles = namesOf(hosts.map((host) => host.roles));
  return html`<form id="filters" role="search" aria-label="Filters" hidden>
<label>Host <input name="host" type="search" autocomplete="off" spellcheck="false" placeholder="part of a name"></label>
<label>Group <select name="group"><option value="">all</option>${groups.map(option)}</select></label>
<label>Role <select name="role"><option value="">all</option>${roles.map(option)}</select></label>
<label>Port <input name="port" type="search" autocomplete="off" spellcheck="false" placeholder="443, 8000-8999, udp"></label>
<label>Direction <select name="direction"><option value="">all</option><option value="changes">any change</option><option value="closed">closing</option><option value="narrowed">narrowed</option><option value="opened">opening</option><option value="widened">widened</option><option value="changed">changed</option><option value="same">open, unchanged</option></select></label>
<label>Peer <input name="peer" type="search" autocomplete="off" spellcheck="false" placeholder="192.0.2.5 or text"></label>
<button type="reset">Clear</button>
<p id="filter-error" role="alert"></p>
</form>
<p id="shown" role="status" aria-live="polite"></p>`;
}

function namesOf(lists: readonly (readonly string[])[]): readonly string[] {
  return [...new Set(lists.flat())].sort();
}

function option(name: string): Html {
  return html`<option>${name}</option>`;
}
