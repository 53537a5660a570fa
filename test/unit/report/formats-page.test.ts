import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { plansText } from '../../../src/report/terminal/plan-text.ts';
import { PLAIN_STYLE } from '../../../src/report/terminal/style.ts';
import { planOf, webAccess } from './helpers/fleets.ts';

const ROOT = path.join(import.meta.dirname, '../../..');
const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');
const page = read('docs/formats.md');

/** The indented lines below a heading. */
function examplesBelow(heading: string): readonly string[] {
  const section = page.split(`\n## ${heading}\n`)[1]!.split('\n## ')[0]!;
  return section.split('\n').flatMap((line) => (line.startsWith('    ') ? [line.trim()] : []));
}

const raw = [{ path: 'services/portfw-web-pub.xml', before: null, after: '<service/>\n' }];
const withRaw = plansText([{ ...planOf('web1.example.net', webAccess()), raw }], { style: PLAIN_STYLE, verbosity: 0 });

describe('docs/formats.md', () => {
  it.each([
    ['Markdown', read('test/fixtures/report/formats-plan.md')],
    ['JUnit', read('test/fixtures/report/formats-plan.junit.xml')],
    ['SARIF', read('test/fixtures/report/formats-plan.sarif.json')],
    ['Files', withRaw],
  ])('shows of %s what is printed', (heading, printed) => {
    const lines = printed.split('\n').map((line) => line.trim().replace(/,$/, ''));
    const examples = examplesBelow(heading);
    expect(examples.length).toBeGreaterThan(0);
    for (const example of examples) expect(lines).toContain(example.replace(/,$/, ''));
  });
});
