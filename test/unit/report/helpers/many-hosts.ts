import type { ReviewInput } from '../../../../src/report/review-input.ts';
import { ANYBODY, access, both, NOBODY, planOf, refusedHost, reviewInput, side, these, whole } from './fleets.ts';

/** A fleet in which no two hosts are alike: other ports, other people, other warnings, other failures. */
export function manyHosts(count: number): ReviewInput {
  const numbers = Array.from({ length: count }, (_, at) => at);
  const office = (at: number) => these(`192.0.2.${at % 250}/32`, `198.51.100.${at % 240}`);
  return reviewInput(
    numbers.map((at) =>
      planOf(
        `host${at}.rack${at % 40}.example.net`,
        access([
          side(
            'eth0',
            ['public'],
            [
              ...both(`${2000 + at}/tcp`, NOBODY, ANYBODY),
              ...both(`${3000 + at}/udp`, ANYBODY, office(at)),
              ...both('22/tcp', ANYBODY, office(at + 1)),
            ],
          ),
          side('eth1', ['private'], [], whole(NOBODY, ANYBODY)),
        ]),
        undefined,
        { notes: [{ severity: 'warning', code: `warning-${at}`, text: `something about port ${at}` }] },
      ),
    ),
    numbers.map((at) => refusedHost(`bad${at}.example.net`, 'refused', `code-${at}`, `reason number ${at}`)),
  );
}

/** Texts that mean something to Markdown, HTML, XML, JSON, terminals, GitHub or GitLab. */
export const HOSTILE: readonly string[] = [
  '<img src=x onerror=alert(1)>',
  '</details></code><script>alert(1)</script>',
  '<!-- portfw:plan -->',
  '@team',
  'root@example.net',
  '@org/team and @user',
  '#12 !12 &12 $12 %12 ~label GH-12 org/repo#12',
  '[x](https://example.net) ![x](https://example.net/a.png)',
  'https://example.net/ www.example.net ftp://example.net mailto:a@example.net',
  '| a | b |\n| --- | --- |',
  '```\n</pre>\n```diff',
  '`code` ``two`` ````four````',
  '- item\n# title\n> quote\n1. one\n***\n    indented',
  '**bold** _em_ ~~gone~~ \\| \\` \\\\',
  ':bee: :100: 2001:db8:100::1',
  '&lt;b&gt; &#64;team &amp;',
  '$x^2$ $`y`$ {{ template }} {+ added +}',
  '/close\n/approve',
  ']]> <![CDATA[ <?xml ?> &entity;',
  'nul\u0000 bell\u0007 escape\u001b[31m rtl\u202e zero\u200bwidth \ud800 \ufffe',
];
