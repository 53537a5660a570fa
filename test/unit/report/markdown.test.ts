import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { oneLine } from '../../../src/report/clean.ts';
import { code, fenced, prose } from '../../../src/report/markdown/escape.ts';
import { MOST_CHARACTERS, markdownReview } from '../../../src/report/markdown/markdown-review.ts';
import { reviewOf } from '../../../src/report/review.ts';
import type { ReviewInput } from '../../../src/report/review-input.ts';
import { planOf, refusedHost, reviewInput, rollbackOf, smallFleet, webAccess } from './helpers/fleets.ts';
import { HOSTILE, manyHosts } from './helpers/many-hosts.ts';
import { blocksOf, entitiesRead, withoutOurMarkup } from './helpers/markdown-text.ts';
import { DRIFT } from './helpers/plans.ts';

const markdown = (input: ReviewInput): string => markdownReview(reviewOf(input, 'short'));

/** Texts of hosts and users, as views have them. */
const texts = fc
  .array(
    fc.oneof(
      fc.constantFrom(...HOSTILE),
      fc.string({ unit: 'binary' }),
      fc.constantFrom('a', ' ', '`', '|', '@', '<', '\\'),
    ),
    {
      maxLength: 6,
    },
  )
  .map((parts) => oneLine(parts.join('')));

/** What GitHub or GitLab would make a link, a mention or a picture of, outside code. */
const REFERENCE = /[@#!$%&~^][\w"]|\bGH-\d|:\/\/|:[\w+-]+:|\bwww\./i;

describe('Markdown', () => {
  it('is a comment that a job finds again, with what changes for whom and folded details', async () => {
    const text = markdown(smallFleet());
    expect(text.split('\n')[0]).toBe('<!-- portfw:plan -->');
    await expect(text).toMatchFileSnapshot('../../fixtures/report/formats-plan.md');
  });

  it('says where a rollback goes', () => {
    const plan = planOf('web1.example.net', webAccess());
    const text = markdown(reviewInput([rollbackOf(plan, '20261128T201500Z-ab12')], [], 'rollback'));
    expect(text).toMatch(/^<!-- portfw:rollback -->\n## Firewall rollback for 1 host: /);
    expect(text).toContain('To generation <code>20261128T201500Z-ab12</code>');
  });

  it('has nothing but text of what comes from hosts and files', () => {
    fc.assert(
      fc.property(texts, (text) => {
        for (const [said, shown] of [
          [prose(text), true],
          [code(text), false],
        ] as const) {
          const rest = withoutOurMarkup(said);
          expect(entitiesRead(rest)).toBe(text);
          // Nothing is left that could be markup, and nothing that a table or a line could end with.
          expect(rest.replace(/&#\d+;/g, '')).not.toMatch(/[&<>`*_~[\]\\|\n]/);
          // No text between two elements is a reference.
          for (const part of said.split(/<code>.*?<\/code>/))
            expect(entitiesRead(shown ? part : withoutOurMarkup(part))).not.toMatch(REFERENCE);
          expect(said).toMatch(/^(?:$|<code>|&#|\p{L})/u);
          // An address of e-mail would be a link in code, too.
          for (const part of said.split(/<\/?code>/)) expect(entitiesRead(part)).not.toMatch(/\w@\w|:\/\/\w|www\.\w/i);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('has blocks that nothing in them ends', () => {
    fc.assert(
      fc.property(fc.array(texts, { maxLength: 8 }), (lines) => {
        const { outside, inside } = blocksOf(`before\n${fenced(lines, 'diff')}\nafter`);
        expect(outside).toEqual(['before', 'after']);
        expect(inside).toEqual(lines);
      }),
    );
  });

  it.each(HOSTILE)('shows a host, a rule and a failure named %j as text', (nasty) => {
    const warning = { severity: 'warning', code: nasty, text: nasty } as const;
    const change = { ...DRIFT.changes[3]!, rule: nasty, zone: nasty } as (typeof DRIFT.changes)[number];
    const input = reviewInput(
      [planOf(nasty, webAccess([nasty]), [change], { notes: [warning] })],
      [refusedHost(`${nasty}2`, 'failed', nasty, nasty)],
    );
    const { outside } = blocksOf(markdown({ ...input, digest: nasty }));
    const own = blocksOf(markdown(smallFleet())).outside;
    const tags = (lines: readonly string[]) => new Set(lines.flatMap((line) => line.match(/<[^>]*>/g) ?? []));
    expect([...tags(outside)].filter((tag) => !tags(own).has(tag))).toEqual([]);
    for (const line of outside) {
      const text = line.replace(/<code>.*?<\/code>/g, '\n').replace(/^<!-- portfw:plan -->$|^#+ |`\+`/g, '');
      for (const part of withoutOurMarkup(text).split('\n')) {
        expect(part).not.toContain('<');
        expect(entitiesRead(part)).not.toMatch(REFERENCE);
      }
      if (line.startsWith('|')) expect(line.match(/\|/g)).toHaveLength(5);
    }
  });

  it('is short enough for any fleet, and says at the top what it leaves out', () => {
    const text = markdown(manyHosts(500));
    expect(text.length).toBeLessThan(MOST_CHARACTERS);
    expect(text.length).toBeGreaterThan(MOST_CHARACTERS / 2);
    const [, , , notice = ''] = text.split('\n');
    expect(notice).toMatch(/^> \*\*This is not all of it\.\*\* Left out: /);
    expect(notice).toMatch(/\d+ kinds of hosts and \*\*what opens to the internet there\*\* \(\d+ hosts\)/);
    // What is shown and what is said to be left out is everything.
    const hosts = (pattern: RegExp) => Number(pattern.exec(notice)?.[1] ?? 0);
    const shown = text.split('\n').filter((line) => /^- <code>host\d+/.test(line)).length;
    expect(shown + hosts(/internet there\*\* \((\d+) hosts?\)/)).toBe(500);
    const rows = text.split('\n').filter((line) => /^\| <code>host\d+/.test(line)).length;
    expect(rows + hosts(/rows? of changes \((\d+) hosts?\)/)).toBe(500);
    expect(notice).toContain('--details -v');
  });

  it('leaves out details before anything else', () => {
    const text = markdown(manyHosts(40));
    expect(text.length).toBeLessThan(MOST_CHARACTERS);
    const [, , , notice = ''] = text.split('\n');
    expect(notice).toMatch(/Left out: \d+ plans in detail \(\d+ hosts\)\. All that opens to the internet is shown\./);
  });

  it('is under the limit whatever is long', () => {
    fc.assert(
      fc.property(fc.nat(25), fc.nat(1000), (count, length) => {
        const long = '@<x>'.repeat(length);
        const { plans, without } = manyHosts(count);
        const all = { ...manyHosts(count), plans: plans.map((plan) => ({ ...plan, host: `${plan.host}${long}` })) };
        const input = { ...all, without: [...without, refusedHost('x', 'failed', long, long)], digest: long };
        expect(markdown(input).length).toBeLessThan(MOST_CHARACTERS);
      }),
      { numRuns: 5 },
    );
  });
});
