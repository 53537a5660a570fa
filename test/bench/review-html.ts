import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Page } from 'playwright-core';
import { htmlReview } from '../../src/report/html/html-review.ts';
import { reviewOf } from '../../src/report/review.ts';
import { reviewFleet } from '../helpers/review-fleet.ts';
import { requireProgram } from '../set-up/provide.ts';

/**
 * How long a filter of the HTML review takes, from the input to a page that is laid out: 500 hosts × 60 ports, once where hosts
 * are alike, once where each is different. `node_modules/.bin/tsx test/bench/review-html.ts` prints a table and fails above 100 ms.
 */
const MOST_MS = 100;
const ROUNDS = 9;

const FILTERS: readonly (readonly [field: string, value: string])[] = [
  ['host', '-7'],
  ['group', 'site_a'],
  ['role', 'radius'],
  ['port', '8000-9000'],
  ['direction', 'closed'],
  ['peer', '192.0.2.5'],
];

/** What the page runs, as text: what compiles this file would put its own helpers into a function. */
const TIMER = `async ([field, value, rounds]) => {
  const input = document.getElementById('filters').elements.namedItem(field);
  const set = async (next) => {
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    const began = performance.now();
    input.value = next;
    input.dispatchEvent(new Event('input', { bubbles: true }));
    // Style and layout are due now, and not in the next frame.
    document.documentElement.getBoundingClientRect();
    document.getElementById('grid').getBoundingClientRect();
    return performance.now() - began;
  };
  const on = [];
  const off = [];
  for (let round = 0; round < rounds; round += 1) {
    on.push(await set(value));
    off.push(await set(''));
  }
  const median = (some) => some.sort((a, b) => a - b)[Math.floor(some.length / 2)];
  return { on: median(on), off: median(off) };
}`;

/** A filter on and off again, some times; the median of each, with the layout that follows, in milliseconds. */
async function times(page: Page, field: string, value: string): Promise<{ on: number; off: number }> {
  return page.evaluate(`(${TIMER})(${JSON.stringify([field, value, ROUNDS])})`);
}

const folder = mkdtempSync(join(tmpdir(), 'portfw-bench-'));
const browser = await chromium.launch({
  executablePath: requireProgram('chromium', 'chromium'),
  args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
});
try {
  for (const kinds of [20, 500]) {
    const began = performance.now();
    const text = htmlReview(reviewOf(reviewFleet({ hosts: 500, ports: 60, kinds, seed: 12 }), 'full'));
    const made = performance.now() - began;
    const file = join(folder, `${kinds}.html`);
    writeFileSync(file, text);
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    const opened = performance.now();
    await page.goto(`file://${file}`);
    console.log(
      `500 hosts of ${kinds} kinds: ${(text.length / 1024 / 1024).toFixed(1)} MB, made in ${made.toFixed(0)} ms, open in ${(performance.now() - opened).toFixed(0)} ms`,
    );
    for (const [field, value] of FILTERS) {
      const { on, off } = await times(page, field, value);
      console.log(`  ${field.padEnd(10)} ${value.padEnd(10)} on ${on.toFixed(1)} ms, off ${off.toFixed(1)} ms`);
      if (Math.max(on, off) > MOST_MS) process.exitCode = 1;
    }
    await page.close();
  }
} finally {
  await browser.close();
  rmSync(folder, { recursive: true });
}
