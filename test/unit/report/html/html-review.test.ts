import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { htmlReview } from '../../../../src/report/html/html-review.ts';
import { reviewOf } from '../../../../src/report/review.ts';
import type { ReviewInput } from '../../../../src/report/review-input.ts';
import { reviewFleet, rollbackFleet } from '../../../helpers/review-fleet.ts';
import { DRIFT, FIRST_APPLY, SETTLED } from '../helpers/plans.ts';

const SMALL = { hosts: 9, ports: 12, kinds: 4, seed: 7 };

function page(input: ReviewInput): string {
  return htmlReview(reviewOf(input, 'full'));
}

describe('the HTML review', () => {
  it('is the same for equal reviews', () => {
    expect(page(reviewFleet(SMALL))).toBe(page(reviewFleet(SMALL)));
  });

  it('allows nothing but its own two texts, each by its hash', () => {
    const text = page(reviewFleet(SMALL));
    const policy = /http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(text)![1]!.replaceAll('&#39;', "'");
    const hash = (of: string) => `'sha256-${createHash('sha256').update(of).digest('base64')}'`;
    const style = /<style>([\s\S]*?)<\/style>/.exec(text)![1]!;
    const script = /<script>([\s\S]*?)<\/script>/.exec(text)![1]!;
    expect(policy).toBe(
      `default-src 'none'; script-src ${hash(script)}; style-src ${hash(style)}; base-uri 'none'; form-action 'none'`,
    );
    expect(text).not.toMatch(/\s(?:style|on\w+)=|\ssrc=|<link|@import|url\(/);
  });

  it('stays small where hosts are alike, and bearable where none is like another', () => {
    const size = (kinds: number) => page(reviewFleet({ hosts: 500, ports: 60, kinds, seed: 12 })).length;
    expect(size(20)).toBeLessThan(600_000);
    expect(size(500)).toBeLessThan(6_000_000);
  }, 60_000);

  it('prints a grid that is too wide for a sheet in parts', () => {
    const heads = (ports: number) => page(reviewFleet({ ...SMALL, ports })).split('<table class="grid"').length - 1;
    expect(heads(20)).toBe(1);
    // The grid of the screen, and three sheets.
    expect(heads(150)).toBe(4);
  });

  it('says every section of every kind of plan', () => {
    const text = page({
      action: 'apply',
      plans: [FIRST_APPLY, DRIFT, SETTLED],
      without: [],
      groups: new Map(),
      digest: null,
    });
    for (const said of [
      'Matrix portaswitch',
      'tcp/8442 httpd',
      'service portfw-web-pub',
      'interface eth0 (public) moves here from zone public',
      'listening sockets that fewer clients can reach',
      'the plan cuts 1 established flow that the kernel does not track',
      'service portfw-sip-pub is in use',
      'portaswitch: server, dispatching-node',
      'extra rule &quot;old&quot; expired on 2026-01-01 and is not applied',
      'permanent and runtime configuration match the matrix',
      'This plan is not saved.',
    ])
      expect(text).toContain(said);
  });

  it('shows the differences of files where they were asked for', () => {
    const raw = [
      { path: 'zones/portfw-public.xml', before: '<zone>\n</zone>\n', after: '<zone>\n  <service/>\n</zone>\n' },
    ];
    const text = page({ action: 'apply', plans: [{ ...DRIFT, raw }], without: [], groups: new Map(), digest: null });
    expect(text).toContain('<span class="opened">+  &lt;service/&gt;\n</span>');
    expect(text).toContain('<span class="same"> &lt;zone&gt;\n</span>');
    expect(text).toMatch(/<span class="file">\+\+\+ \S*zones\/portfw-public\.xml/);
  });

  it('says of a rollback to which generation it goes', () => {
    const text = page(rollbackFleet(SMALL));
    expect(text).toContain('<h1>Rollback review</h1>');
    expect(text).toContain('20260301T100000Z-4f1c');
    expect(text).toContain('noc@control.example.net');
  });

  it('puts the digest at the foot of each sheet only if it is one', () => {
    const foot = '@bottom-left';
    expect(page(reviewFleet(SMALL))).toContain(foot);
    expect(page({ ...reviewFleet(SMALL), digest: '"; } </style><script>x</script>' })).not.toContain(foot);
  });
});
