import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { EXAMPLE_FLAGS, EXAMPLES, exampleOf, recordedPlan } from '../../helpers/review-examples.ts';
import { DEMO_HOSTS } from '../../lab/demo-inventory.ts';

// Renewed by: npm run demo -- --record, then npx tsx test/tools/review-examples.ts
// Reading the plan checks its digest: a record that was edited is refused.
const saved = await recordedPlan();

const read = (file: string): string => readFileSync(new URL(file, EXAMPLES), 'utf8');

describe('docs/review', () => {
  it('has a plan of each host of the demo', () => {
    const planned = saved.saved.hosts.filter(({ kind }) => kind === 'plan').map(({ host }) => host);
    expect(planned.sort()).toEqual(DEMO_HOSTS.map(({ name }) => name).sort());
  });

  it.each(Object.entries(EXAMPLE_FLAGS))('%s is what portfw makes of this plan now', async (file, flags) => {
    expect(await exampleOf(saved, flags)).toBe(read(file));
  });

  it('has no other files, and its page names each of them', () => {
    const files = readdirSync(EXAMPLES).filter((file) => file !== 'README.md');
    expect(files.sort()).toEqual([...Object.keys(EXAMPLE_FLAGS), 'change.plan.json'].sort());
    expect(files.filter((file) => !read('README.md').includes(`](${file})`))).toEqual([]);
  });
});

describe('README.md', () => {
  it('begins with the summary of this plan', () => {
    const readme = readFileSync(new URL('../../README.md', EXAMPLES), 'utf8');
    const [first = ''] =
      /(?:^ {4}.*\n|^\n(?= {4}))+/m.exec(readme.slice(readme.indexOf('    $ portfw show change.plan.json'))) ?? [];
    const shown = first.replaceAll(/^ {4}/gm, '').split('\n').slice(1).join('\n');
    expect(shown.trim()).toBe(read('plan.txt').trim());
  });
});
