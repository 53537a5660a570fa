import { comersText } from '../impact-view.ts';
import { type Html, html } from './escape.ts';
import { type GridRow, type GridView, linesOf } from './grid-view.ts';
import { namesHtml, portsText, TURN_WORDS, whereText } from './words.ts';

/** Who gets in where on the hosts of a row, before and after, and why. */
export function accessTable(grid: GridView, row: GridRow, named: boolean): Html {
  const lines = linesOf(grid, row);
  if (lines.length === 0) return html``;
  const of = named
    ? html` <span class="quiet">${namesHtml(row.hosts.map((host) => grid.hosts[host]!.name))}</span>`
    : null;
  const rows = lines.map(({ ports, line }) => {
    const { turn, before, after, why } = line;
    return html`<tr><td><span class="turn ${turn}">${TURN_WORDS[turn]}</span></td><th scope="row"><code>${portsText(ports)}</code></th><td>${whereText(line)}</td><td>${turn === 'same' ? 'the same' : comersText(before)}</td><td>${comersText(after)}</td><td>${why.join('; ')}</td></tr>
`;
  });
  return html`<section class="part access"><h4>Who gets in${of}</h4><div class="wide"><table><thead><tr><th scope="col">Turn</th><th scope="col">Ports</th><th scope="col">Interface</th><th scope="col">Before</th><th scope="col">After</th><th scope="col">Why</th></tr></thead>
<tbody>${rows}</tbody></table></div></section>`;
}
