import { createHash } from 'node:crypto';
import { oneLine } from '../clean.ts';
import type { Review } from '../review.ts';
import { hostsText } from '../summary/summary-words.ts';
import { html, jsonForScript, ownText } from './escape.ts';
import { filtersHtml } from './filters-html.ts';
import { gridHtml } from './grid-html.ts';
import { gridView } from './grid-view.ts';
import { pageData } from './page-data.ts';
import { pageFiles } from './page-files.ts';
import { impactsHtml, plansHtml } from './plans-html.ts';
import { summaryHtml } from './summary-html.ts';

/**
 * A review as one page that needs nothing else: no request, no script but its own, readable without any. Equal reviews give
 * equal pages.
 */
export function htmlReview(review: Review): string {
  const { input, summary, plans } = review;
  const { style: common, script } = pageFiles();
  const grid = gridView(review);
  const title = input.action === 'apply' ? 'Change review' : 'Rollback review';
  const digest = input.digest === null ? null : oneLine(input.digest);
  const style = `${common}${digest === null ? '' : footRule(digest)}`;
  const page = html`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policyOf(style, script)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>${title}: ${hostsText(summary.totals)}</title>
<style>${ownText(style)}</style>
</head>
<body>
<a class="skip" href="#fleet">Skip to the grid</a>
<header><h1>${title}</h1><p>${hostsText(summary.totals)}</p>
<p class="digest">${digest === null ? 'This plan is not saved.' : html`Saved plan <code>${digest}</code>`}</p>
<nav aria-label="Parts"><a href="#summary">Summary</a> <a href="#fleet">Grid</a> <a href="#impact">Impact</a> <a href="#hosts">Hosts</a></nav></header>
<main>
<section id="summary" aria-labelledby="summary-title"><h2 id="summary-title">Summary</h2>
${summaryHtml(summary)}</section>
<section id="fleet" aria-labelledby="grid-title" tabindex="-1"><h2 id="grid-title">Hosts and ports</h2>
${filtersHtml(grid)}
${LEGEND}
${gridHtml(grid)}</section>
<section id="impact" aria-labelledby="impact-title"><h2 id="impact-title">Impact on running programs and connections</h2>
${impactsHtml(plans)}</section>
<section id="hosts" aria-labelledby="hosts-title"><h2 id="hosts-title">Host by host</h2>
${plansHtml(plans, grid)}</section>
<section class="print-only sign" aria-labelledby="sign-title"><h2 id="sign-title">Decision</h2>
${digest === null ? null : html`<p>This decision is about the plan with the digest <code>${digest}</code>.</p>`}
<table><thead><tr><th scope="col">Part</th><th scope="col">Name</th><th scope="col">Signature</th><th scope="col">Date</th></tr></thead>
<tbody>${['Prepared by', 'Reviewed by', 'Approved by'].map((who) => html`<tr><th scope="row">${who}</th><td></td><td></td><td></td></tr>`)}</tbody></table></section>
</main>
<div id="tip" role="tooltip" hidden></div>
<script type="application/json" id="data">${jsonForScript(pageData(grid, plans.groups))}</script>
<script>${ownText(script)}</script>
</body>
</html>
`;
  return page.html;
}

/** The digest at the foot of each printed page, so that no sheet can be taken for one of another plan. */
function footRule(digest: string): string {
  if (!/^[\w:+/=.-]+$/.test(digest)) return '';
  return `@page {\n  @bottom-left {\n    content: "${digest}";\n    font: 7pt monospace;\n    color: #444;\n  }\n}\n`;
}

/** Nothing may be loaded, and nothing runs but the two texts of the page, which are known by their hash. */
function policyOf(style: string, script: string): string {
  const hash = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
  return `default-src 'none'; script-src ${hash(script)}; style-src ${hash(style)}; base-uri 'none'; form-action 'none'`;
}

const LEGEND = html`<p id="grid-help" class="legend"><span class="key internet">open to the internet</span> <span class="key some">open to some</span> <span class="key opened">opening</span> <span class="key widened">widened</span> <span class="key narrowed">narrowed</span> <span class="key closed">closing</span> <span class="key changed">changed: more for some, less for others</span> <span class="keys-help" hidden>Arrow keys move, Enter opens the host, Escape closes the box.</span></p>`;
