import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import axe from 'axe-core';
import { type Browser, type BrowserContextOptions, chromium, type Locator, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { htmlReview } from '../../src/report/html/html-review.ts';
import { reviewOf } from '../../src/report/review.ts';
import type { ReviewInput } from '../../src/report/review-input.ts';
import { reviewFleet, rollbackFleet } from '../helpers/review-fleet.ts';
import { requireProgram } from '../set-up/provide.ts';

const FLEET = reviewFleet({ hosts: 24, ports: 30, kinds: 6, seed: 5 });
const folder = mkdtempSync(join(tmpdir(), 'portfw-review-'));
let browser: Browser;
let troubles: string[] = [];
let requests: string[] = [];
let files = 0;

beforeAll(async () => {
  browser = await chromium.launch({
    executablePath: requireProgram('chromium', 'chromium'),
    args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
  });
});

afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true });
});

// Of every page of every test.
afterEach(async () => {
  const [said, asked] = [troubles, requests];
  troubles = [];
  requests = [];
  for (const context of browser.contexts()) await context.close();
  expect(said).toEqual([]);
  expect(asked.filter((url) => !url.startsWith(`file://${folder}/`))).toEqual([]);
  expect(asked.length).toBe(1);
});

async function open(input: ReviewInput, options: BrowserContextOptions = {}): Promise<Page> {
  files += 1;
  const file = join(folder, `${files}.html`);
  writeFileSync(file, htmlReview(reviewOf(input, 'full')));
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  // A violation of the policy is an error on the console too.
  page.on('console', (message) => troubles.push(message.text()));
  page.on('pageerror', (error) => troubles.push(error.message));
  page.on('dialog', (dialog) => {
    troubles.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('request', (request) => requests.push(request.url()));
  await page.goto(`file://${file}`);
  return page;
}

/** Until nothing is left of the work that a filter leaves for later. */
async function settled(page: Page): Promise<void> {
  await page.locator('#grid:not([aria-busy])').waitFor();
}

async function fill(page: Page, label: string, value: string): Promise<void> {
  await page.getByRole('search').getByLabel(label, { exact: true }).fill(value);
  await settled(page);
}

async function choose(page: Page, label: string, value: string): Promise<void> {
  await page.getByRole('search').getByLabel(label, { exact: true }).selectOption({ label: value });
  await settled(page);
}

const hostsOf = (page: Page): Promise<string[]> => page.locator('#grid tbody tr:visible .name').allTextContents();
const portsOf = (page: Page): Promise<string[]> => page.locator('#grid thead th:visible span').allTextContents();
const shown = (page: Page): Promise<string | null> => page.getByRole('status').textContent();
const focused = (page: Page): Locator => page.locator(':focus');

/** What axe-core finds, as text. */
async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const found = (await page.evaluate('axe.run(document, { resultTypes: ["violations"] })')) as {
    violations: { id: string; nodes: { html: string; failureSummary: string }[] }[];
  };
  return found.violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`));
}

describe('the HTML review in Chromium', () => {
  it('shows the fleet: like hosts in a row, a column for each range of ports', async () => {
    const page = await open(FLEET);
    expect(await page.title()).toMatch(/^Change review: 24 hosts: \d+ to change, /);
    expect(await shown(page)).toBe('24 of 24 hosts shown, 31 of 31 columns of ports');
    // Six kinds, and the host that was refused.
    expect(await hostsOf(page)).toHaveLength(7);
    expect((await portsOf(page)).slice(0, 4)).toEqual(['all ports', '22/tcp', '25/tcp', '80/tcp']);
    expect(await page.locator('#grid .badge').allTextContents()).toEqual(['refused']);
  });

  it('says why and from whom on hover, lets the pointer go to the box, and closes it on Escape', async () => {
    const page = await open(FLEET);
    const cell = page.locator('#grid td.closed').first();
    await cell.hover();
    const tip = page.getByRole('tooltip');
    expect(await tip.textContent()).toContain('→ nobody');
    expect(await tip.textContent()).toContain('because extra rule "night shift"');
    expect(await cell.getAttribute('aria-describedby')).toBe('tip');
    await tip.hover();
    await page.waitForTimeout(400);
    expect(await tip.isVisible()).toBe(true);
    await page.keyboard.press('Escape');
    expect(await tip.isVisible()).toBe(false);
    expect(await cell.getAttribute('aria-describedby')).toBeNull();
  });

  it('filters by host', async () => {
    const page = await open(FLEET);
    await fill(page, 'Host', 'radius-3.');
    expect(await hostsOf(page)).toEqual(['radius-3.example.net']);
    expect(await shown(page)).toBe('1 of 24 hosts shown, 31 of 31 columns of ports');
    // One of four that are alike.
    expect(await page.locator('#grid tbody tr:visible .more').textContent()).toBe('of 4 alike');
    expect(await page.locator('#hosts details:visible').count()).toBe(1);
    expect(await page.locator('#impact details:visible').count()).toBe(1);
    await page.getByRole('button', { name: 'Clear' }).click();
    await settled(page);
    expect(await hostsOf(page)).toHaveLength(7);
    expect(await page.locator('#hosts details:visible').count()).toBe(6);
  });

  it('filters by group and by role', async () => {
    const page = await open(FLEET);
    await choose(page, 'Group', 'site_b');
    // The odd ones of 23 hosts, and the one that was refused.
    expect(await shown(page)).toMatch(/^12 of 24 hosts/);
    expect(await page.locator('#grid .badge:visible').count()).toBe(1);
    await choose(page, 'Role', 'master-db');
    expect(await hostsOf(page)).toEqual(['master-db-4.example.net']);
    await choose(page, 'Group', 'site_a');
    expect(await shown(page)).toMatch(/^0 of 24 hosts/);
  });

  it('filters by port, range and protocol, and says what it does not understand', async () => {
    const page = await open(FLEET);
    await fill(page, 'Port', '8445');
    expect(await portsOf(page)).toEqual(['all ports', '8442-8449/tcp']);
    await fill(page, 'Port', '20-30/tcp, 443/udp');
    expect(await portsOf(page)).toEqual(['all ports', '22/tcp', '25/tcp', '443/udp']);
    await fill(page, 'Port', 'udp');
    expect((await portsOf(page)).slice(1).every((port) => port.endsWith('/udp'))).toBe(true);
    await fill(page, 'Port', 'http');
    expect(await page.getByRole('alert').textContent()).toBe('Port: write 443, 8000-8999, 443/tcp or udp.');
    expect(await page.getByLabel('Port', { exact: true }).getAttribute('aria-invalid')).toBe('true');
    await fill(page, 'Port', '');
    expect(await page.getByRole('alert').textContent()).toBe('');
    expect(await portsOf(page)).toHaveLength(31);
  });

  it.each([
    ['closing', 'closed'],
    ['narrowed', 'narrowed'],
    ['opening', 'opened'],
    ['widened', 'widened'],
    ['changed', 'changed'],
  ])('filters by direction: %s', async (label, kind) => {
    const page = await open(FLEET);
    const all = await page.locator(`#grid td.${kind}`).count();
    expect(all).toBeGreaterThan(0);
    await choose(page, 'Direction', label);
    // None is lost, each row and each column has one, and everything else steps back.
    expect(await page.locator(`#grid td.${kind}:visible:not(.dim)`).count()).toBe(all);
    expect(await page.locator('#grid tbody tr:visible').count()).toBe(
      await page.locator('#grid tbody tr:visible', { has: page.locator(`td.${kind}`) }).count(),
    );
    expect(await page.locator(`#grid td[class]:not(.${kind}):visible:not(.dim)`).count()).toBe(0);
  });

  it('filters by peer: an address, a network, or text', async () => {
    const page = await open(FLEET);
    const marked = () => page.locator('#grid td[class]:visible:not(.dim)');
    await fill(page, 'Peer', '198.51.100.9');
    const one = await marked().count();
    await fill(page, 'Peer', '198.51.100.200');
    // Not in 198.51.100.0/25, but that list goes on: it may be in what is not here.
    expect(await marked().count()).toBe(one);
    await fill(page, 'Peer', '192.0.2.5');
    await choose(page, 'Direction', 'open, unchanged');
    const office = await marked().count();
    await fill(page, 'Peer', '192.0.3.5');
    expect(await marked().count()).toBeLessThan(office);
    await fill(page, 'Peer', '192.0.2.0/25');
    expect(await marked().count()).toBe(office);
    await fill(page, 'Peer', '192.0.2.0/23');
    expect(await marked().count()).toBeLessThan(office);
    await fill(page, 'Peer', '2001:db8::1');
    expect(await page.locator('#grid td[class]:visible:not(.dim):not(.internet)').count()).toBe(0);
    await fill(page, 'Peer', 'anybody');
    expect(await marked().count()).toBeGreaterThan(0);
  });

  it('is used with the keyboard alone', async () => {
    const page = await open(FLEET);
    await page.keyboard.press('Tab');
    expect(await focused(page).textContent()).toBe('Skip to the grid');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    expect(await focused(page).getAttribute('name')).toBe('host');
    await page.keyboard.type('web-admin');
    await settled(page);
    expect(await hostsOf(page)).toHaveLength(1);
    await page.keyboard.press('ControlOrMeta+a');
    await page.keyboard.press('Delete');
    await settled(page);
    for (let field = 0; field < 7; field += 1) await page.keyboard.press('Tab');
    // One cell of the whole grid is in the order of the page.
    expect(await page.locator('#grid [tabindex="0"]').count()).toBe(1);
    expect(await page.evaluate('document.activeElement.tagName')).toBe('TH');
    expect(await page.getByRole('tooltip').textContent()).toContain('groups: ');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowDown');
    expect(await page.evaluate(PLACE)).toEqual([1, 2]);
    expect(await page.getByRole('tooltip').textContent()).toContain('all ports on ');
    await page.keyboard.press('Escape');
    expect(await page.getByRole('tooltip').isVisible()).toBe(false);
    await page.keyboard.press('ControlOrMeta+End');
    expect(await page.evaluate(PLACE)).toEqual([31, 7]);
    await page.keyboard.press('ControlOrMeta+Home');
    await page.keyboard.press('Enter');
    // The plan of the host is unfolded, and has the focus.
    await page.locator('#hosts details[open] > summary:focus').waitFor();
    expect(await page.locator('#hosts details[open]').count()).toBe(1);
  });

  it('moves only over what a filter leaves', async () => {
    const page = await open(FLEET);
    await choose(page, 'Direction', 'closing');
    await page.locator('#grid tbody tr:visible th').first().click();
    await page.keyboard.press('ArrowRight');
    expect(await focused(page).isVisible()).toBe(true);
    await page.keyboard.press('End');
    expect(await focused(page).isVisible()).toBe(true);
    await page.keyboard.press('PageDown');
    expect(await focused(page).isVisible()).toBe(true);
  });

  it('writes little for a filter: what is out of sight or stays as it is costs nothing', async () => {
    const page = await open(reviewFleet({ hosts: 500, ports: 60, kinds: 500, seed: 12 }));
    const writes = async (name: string, value: string): Promise<number> => {
      await settled(page);
      return page.evaluate(`(${WRITES})(${JSON.stringify([name, value])})`);
    };
    // At once: 500 rows, 80 rows with 61 cells, 61 heads, and a few more.
    const most = 500 + 80 * 61 + 61 + 20;
    expect(await writes('port', '8000-9000')).toBeLessThan(most);
    expect(await writes('port', '8000-9000')).toBeLessThan(10);
    expect(await writes('port', '')).toBeLessThan(most);
    // Each host on its own row: the rows alone.
    expect(await writes('host', 'radius')).toBeLessThan(520);
    expect(await hostsOf(page)).toHaveLength(83);
    expect(await writes('direction', 'closed')).toBeLessThan(most);
  });

  it.each<['light' | 'dark']>([['light'], ['dark']])(
    'has no violation that axe-core finds, in %s',
    async (colorScheme) => {
      const page = await open(FLEET, { colorScheme });
      expect(await violations(page)).toEqual([]);
      await choose(page, 'Direction', 'narrowed');
      await page.locator('#grid td.narrowed:visible').first().click();
      await page.locator('#hosts summary:visible').first().click();
      expect(await violations(page)).toEqual([]);
      await page.setViewportSize({ width: 400, height: 800 });
      expect(await violations(page)).toEqual([]);
    },
  );

  it.each<['light' | 'dark']>([['light'], ['dark']])(
    'has signs that stand out from their ground, in %s',
    async (colorScheme) => {
      const page = await open(FLEET, { colorScheme });
      // axe-core does not look at generated content.
      const low = await page.evaluate(CONTRASTS);
      expect(low).toEqual([]);
    },
  );

  it('moves nothing for those who want less motion', async () => {
    const page = await open(FLEET, { reducedMotion: 'reduce' });
    expect(await page.evaluate('getComputedStyle(document.documentElement).scrollBehavior')).toBe('auto');
  });

  it('has all of its content without JavaScript', async () => {
    const page = await open(FLEET, { javaScriptEnabled: false });
    expect(await page.getByRole('search').isVisible()).toBe(false);
    expect(await page.locator('#grid tbody tr:visible').count()).toBe(7);
    await page.locator('#hosts summary').first().click();
    const first = page.locator('#hosts details').first();
    expect(await first.textContent()).toContain('Who gets in');
    expect(await first.textContent()).toContain('extra rule "night shift"');
    await page.locator('#grid a.name').nth(1).click();
    expect(page.url()).toMatch(/#plan-\d+$/);
  });

  it('prints the whole review, whatever is filtered or folded', async () => {
    const page = await open(FLEET);
    await choose(page, 'Direction', 'closing');
    await fill(page, 'Host', 'radius');
    await page.setViewportSize({ width: 1060, height: 1500 });
    await page.emulateMedia({ media: 'print' });
    expect(await page.locator('#grid tbody tr:visible').count()).toBe(7);
    expect(await page.locator('#grid thead th:visible').count()).toBe(32);
    expect(await page.locator('#hosts details:visible').count()).toBe(6);
    expect(await page.locator('#hosts .access:visible').count()).toBe(6);
    expect(await page.getByRole('search').isVisible()).toBe(false);
    expect(await page.getByRole('heading', { name: 'Decision' }).isVisible()).toBe(true);
    expect(await page.locator('.sign').textContent()).toContain(
      'sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
    );
    // Nothing is wider than the sheet, and the heads of tables are repeated.
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(1060);
    expect(await page.evaluate('getComputedStyle(document.querySelector("#grid thead")).display')).toBe(
      'table-header-group',
    );
    const pdf = await page.pdf({ preferCSSPageSize: true, printBackground: true });
    expect(pdf.subarray(0, 5).toString()).toBe('%PDF-');
    expect(pdf.toString('latin1').match(/\/Type\s*\/Page\b/g)!.length).toBeGreaterThan(3);
  });

  it('shows rollbacks, with their generations', async () => {
    const page = await open(rollbackFleet({ hosts: 4, ports: 8, kinds: 3, seed: 2 }));
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('Rollback review');
    expect(await page.locator('#summary').textContent()).toContain('20260301T100000Z-4f1c');
    expect(await violations(page)).toEqual([]);
  });

  it('leaves the names of a hostile inventory what they are: text', async () => {
    const nasty = [
      '<script>alert(1)</script>',
      '</script><script>alert(2)</script>',
      '"><img src=x onerror=alert(3)>',
      "' onmouseover='alert(4)",
      'javascript:alert(5)',
      '<!--<script>',
      '\u202egnp.exe',
      '{{7*7}}',
      '</style><svg onload=alert(6)>',
      '</title><b>x',
      '</details></main>',
    ];
    const [first] = FLEET.plans;
    const hostile = <T>(value: T, text: string): T =>
      JSON.parse(JSON.stringify(value).replaceAll('night shift', JSON.stringify(text).slice(1, -1)));
    const page = await open({
      action: 'apply',
      plans: nasty.map((text) => ({ ...hostile(first!, text), host: text })),
      without: [
        {
          host: `${nasty[1]}.`,
          kind: 'refused',
          failure: { code: 'x', what: nasty[2]!, details: [], solve: nasty[8]! },
        },
      ],
      groups: new Map(nasty.map((text) => [text, nasty])),
      digest: nasty[1]!,
    });
    const names = await hostsOf(page);
    // Marks that turn the direction of text are taken out; the rest is there letter by letter.
    for (const text of nasty) expect(names).toContain(text.replace('\u202e', ''));
    expect(await page.locator('script').count()).toBe(2);
    expect(await page.locator('img, svg, iframe, object, a[href^="javascript"]').count()).toBe(0);
    expect(await page.evaluate(HANDLERS)).toEqual([]);
    await page.locator('#grid tbody th').first().hover();
    await page.locator('#grid td.closed').first().hover();
    expect(await page.getByRole('tooltip').textContent()).toContain('extra rule "');
    await choose(page, 'Group', nasty[0]!);
    expect(await shown(page)).toMatch(/^11 of 12 hosts/);
    await fill(page, 'Host', '<script>alert(1)');
    expect(await shown(page)).toMatch(/^1 of 12 hosts/);
    expect(await violations(page)).toEqual([]);
  });
});

/** Where the cell with the focus is. */
const PLACE = '[document.activeElement.cellIndex, document.activeElement.parentElement.rowIndex]';

/** How many things a filter changes in the page before it gives back control. */
const WRITES = `([name, value]) => {
  const watcher = new MutationObserver(() => {});
  watcher.observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
  const input = document.getElementById('filters').elements.namedItem(name);
  input.value = value;
  input.dispatchEvent(new Event('input', { bubbles: true }));
  const found = watcher.takeRecords().length;
  watcher.disconnect();
  return found;
}`;

/** The names of attributes that would run something. */
const HANDLERS = `[...document.querySelectorAll('*')].flatMap((one) => one.getAttributeNames()).filter((name) => name.startsWith('on'))`;

/** The signs of cells whose contrast with their ground is below 4.5, as WCAG counts it. */
const CONTRASTS = `(() => {
  const context = Object.assign(document.createElement('canvas'), { width: 1, height: 1 }).getContext('2d', { willReadFrequently: true });
  const luminance = (colour) => {
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...context.getImageData(0, 0, 1, 1).data].map((part) => part / 255).map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const page = getComputedStyle(document.documentElement).backgroundColor;
  return ['internet', 'some', 'opened', 'closed', 'narrowed', 'widened', 'changed'].flatMap((kind) => {
    const cell = document.querySelector('#grid td.' + kind);
    if (cell === null) return [kind + ' is missing'];
    const ground = getComputedStyle(cell).backgroundColor;
    const [a, b] = [luminance(getComputedStyle(cell, '::before').color), luminance(ground === 'rgba(0, 0, 0, 0)' ? page : ground)];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    return contrast < 4.5 ? [kind + ' ' + contrast.toFixed(2)] : [];
  });
})()`;
