import { type Html, html } from './escape.ts';
import type { GridRow, GridView } from './grid-view.ts';
import { cellClass, cellWord } from './words.ts';

/** More columns than this do not fit on a sheet: there the grid is printed in parts. */
const COLUMNS_OF_A_SHEET = 60;

/** The grid as it is on the screen, and for paper in parts that fit. */
export function gridHtml(grid: GridView): Html {
  const { columns, rows } = grid;
  if (columns.length === 0 || rows.length === 0) return html`<p class="quiet">No host has ports to show.</p>`;
  const screen = table(
    grid,
    0,
    columns.length,
    html` id="grid" aria-labelledby="grid-title" aria-describedby="grid-help"`,
  );
  const scroll = html`<div class="scroll" id="grid-scroll" tabindex="0" role="region" aria-label="The grid">${screen}</div>`;
  if (columns.length <= COLUMNS_OF_A_SHEET) return scroll;
  const sheets: Html[] = [];
  for (let from = 0; from < columns.length; from += COLUMNS_OF_A_SHEET)
    sheets.push(table(grid, from, Math.min(columns.length, from + COLUMNS_OF_A_SHEET), html``));
  return html`<div class="screen-only">${scroll}</div><div class="print-only" aria-hidden="true">${sheets}</div>`;
}

function table(grid: GridView, from: number, to: number, attributes: Html): Html {
  const heads = grid.columns.slice(from, to).map(({ label }) => html`<th scope="col"><span>${label}</span></th>`);
  return html`<table class="grid"${attributes}><thead><tr><th scope="col" class="corner">Hosts</th>${heads}</tr></thead>
<tbody>${grid.rows.map((row) => rowHtml(grid, row, from, to))}</tbody></table>`;
}

function rowHtml(grid: GridView, row: GridRow, from: number, to: number): Html {
  // Thousands of cells: each is as short as it can be. Empty ones say nothing to anybody.
  const cells = row.cells.slice(from, to).map((at): Html => {
    if (at === null) return html`<td></td>`;
    const cell = grid.cells[at]!;
    return html`<td class="${cellClass(cell)}">${cellWord(cell)}</td>`;
  });
  return html`<tr><th scope="row">${rowName(grid, row)}</th>${cells}</tr>
`;
}

function rowName(grid: GridView, { hosts, plan, without }: GridRow): Html {
  const name = html`<bdi>${grid.hosts[hosts[0]!]!.name}</bdi>`;
  const link =
    plan === null ? html`<span class="name">${name}</span>` : html`<a class="name" href="#plan-${plan}">${name}</a>`;
  const more = hosts.length === 1 ? null : html` <span class="more">and ${hosts.length - 1} more</span>`;
  return html`${link}${more}${without === null ? null : html` <span class="badge">${without}</span>`}`;
}
