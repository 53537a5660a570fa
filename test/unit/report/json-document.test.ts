import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { reviewDocument } from '../../../src/report/json/review-document.ts';
import { publishedReview } from '../../../src/report/json/review-schema.ts';
import { reviewOf } from '../../../src/report/review.ts';
import type { ReviewInput } from '../../../src/report/review-input.ts';
import { REVIEW_SCHEMA } from '../../helpers/review-schema.ts';
import { planOf, refusedHost, reviewInput, rollbackOf, smallFleet, webAccess } from './helpers/fleets.ts';
import { HOSTILE } from './helpers/many-hosts.ts';

const documentOf = (input: ReviewInput): string => reviewDocument(reviewOf(input, 'short'));

describe('a review as JSON', () => {
  const shipped = JSON.parse(readFileSync('playbooks/schemas/review.schema.json', 'utf8'));

  it('has a schema that ships', () => {
    expect(shipped).toEqual(JSON.parse(JSON.stringify(REVIEW_SCHEMA.schema)));
  });

  it.each([
    ['a fleet', smallFleet()],
    ['a rollback', reviewInput([rollbackOf(planOf('a.example.net', webAccess()), 'g1')], [], 'rollback')],
    ['no hosts', reviewInput([])],
    [
      'raw files',
      reviewInput([
        { ...planOf('a.example.net', webAccess()), raw: [{ path: 'zones/x.xml', before: 'a\n', after: 'b\n' }] },
      ]),
    ],
  ])('is one document of the published form: %s', (_, input) => {
    const text = documentOf(input);
    expect(text.trimEnd()).not.toContain('\n');
    const value: unknown = JSON.parse(text);
    expect(publishedReview.parse(value)).toEqual(value);
    expect(z.fromJSONSchema(shipped).safeParse(value)).toMatchObject({ success: true });
  });

  it('has the summary, and each host with its plan or what went wrong', () => {
    const groups = new Map([['web1.example.net', ['web', 'north']]]);
    const value = publishedReview.parse(JSON.parse(documentOf({ ...smallFleet(), groups, digest: 'sha256:ab' })));
    expect(value).toMatchObject({ kind: 'review', format: 1, action: 'apply', digest: 'sha256:ab' });
    expect(value.summary.totals).toMatchObject({ hosts: 9, changing: 5, refused: 2 });
    expect(value.hosts.map(({ host, kind }) => `${host} ${kind}`)).toEqual([
      ...['web1', 'web2', 'sip1', 'sip2', 'sip3'].map((name) => `${name}.example.net planned`),
      'db1.example.net unchanged',
      ...['gw1', 'gw2'].map((name) => `${name}.example.net refused`),
      'old.example.net unreachable',
    ]);
    expect(value.hosts[0]!.groups).toEqual(['web', 'north']);
  });

  it('publishes no field of a failure that is not in its form', () => {
    const host = refusedHost('a.example.net');
    const failure = { ...host.failure, shared: { what: 'secret-thing', solve: '', own: '' } };
    expect(documentOf(reviewInput([], [{ ...host, failure }]))).not.toContain('secret-thing');
  });

  it('has the files that change as one patch', () => {
    const raw = [
      { path: 'services/a.xml', before: null, after: '<service/>\n' },
      { path: 'zones/b.xml', before: '<zone/>\n', after: null },
    ];
    const value = JSON.parse(documentOf(reviewInput([{ ...planOf('a.example.net', webAccess()), raw }])));
    expect(value.hosts[0].diff).toBe(
      '--- /dev/null\n+++ b/services/a.xml\n@@ -0,0 +1 @@\n+<service/>\n--- a/zones/b.xml\n+++ /dev/null\n@@ -1 +0,0 @@\n-<zone/>\n',
    );
  });

  it.each(HOSTILE)('escapes what could steer a terminal: %j', (nasty) => {
    const text = documentOf(reviewInput([planOf(nasty, webAccess([nasty]))], [refusedHost(nasty)]));
    expect(text.trimEnd()).not.toMatch(/[\p{Cc}\u202e\u200b]/u);
    expect(JSON.parse(text).hosts[0].host).toBe(nasty);
  });
});
