/**
 * Takes the pictures of the HTML review for the documentation: `docs/img/review-light.png`, `-dark.png` and `-print.png`.
 *
 *     node_modules/.bin/tsx test/tools/review-screenshots.ts docs/review/plan.html
 */
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import { requireProgram } from '../set-up/provide.ts';

const [file] = process.argv.slice(2);
if (file === undefined) {
  console.error('usage: review-screenshots.ts REVIEW.html');
  process.exit(2);
}
const folder = fileURLToPath(new URL('../../docs/img/', import.meta.url));
mkdirSync(folder, { recursive: true });
const browser = await chromium.launch({
  executablePath: requireProgram('chromium', 'chromium'),
  args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
});
/** A sheet of A4 across, within its margins, at 96 dots an inch. */
const SHEET = 1032;
const MOST_HIGH = 1900;
try {
  for (const name of ['light', 'dark', 'print'] as const) {
    const width = name === 'print' ? SHEET : 1280;
    const page = await browser.newPage({
      viewport: { width, height: 900 },
      colorScheme: name === 'dark' ? 'dark' : 'light',
    });
    await page.goto(pathToFileURL(resolve(file)).href);
    if (name === 'print') await page.emulateMedia({ media: 'print' });
    // What is out of sight is not laid out: the window becomes as high as the page.
    const height = async (): Promise<number> => page.evaluate('document.documentElement.scrollHeight');
    for (let round = 0; round < 3; round += 1)
      await page.setViewportSize({ width, height: Math.min(MOST_HIGH, await height()) });
    await page.screenshot({ path: `${folder}review-${name}.png` });
    await page.close();
  }
} finally {
  await browser.close();
}
