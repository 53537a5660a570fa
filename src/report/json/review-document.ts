import { unifiedDiff } from '../../core/unified-diff.ts';
import type { ReviewedPlan } from '../../plan/plan.ts';
import type { Review } from '../review.ts';
import type { HostWithoutPlan } from '../review-input.ts';
import type { SummaryView } from '../summary/summary-types.ts';
import { asPublished } from './alike.ts';
import { jsonLine } from './json-line.ts';
import { publishedFailure } from './publish.ts';
import { REVIEW_FORMAT } from './review-format.ts';
import type { PublishedReview } from './review-schema.ts';

type PublishedHost = PublishedReview['hosts'][number];
type PublishedPlan = Extract<PublishedHost, { kind: 'planned' }>['plan'];

/** A review as one JSON document on one line, in its published form (`portfw schema review`): the summary, and every host. */
export function reviewDocument({ input, summary }: Review): string {
  const { action, digest, groups } = input;
  const place = (host: string) => ({ host, groups: groups.get(host) ?? [] });
  const document: PublishedReview = {
    kind: 'review',
    format: REVIEW_FORMAT,
    action,
    digest,
    summary: asPublished<SummaryView, PublishedReview['summary']>(summary),
    hosts: [
      ...input.plans.map((plan): PublishedHost => {
        const kind = plan.changes.length > 0 ? 'planned' : 'unchanged';
        const published = asPublished<ReviewedPlan, PublishedPlan>(plan);
        return { kind, ...place(plan.host), plan: published, ...diffOf(plan) };
      }),
      ...input.without.map(
        ({ kind, host, failure }: HostWithoutPlan): PublishedHost => ({
          kind,
          ...place(host),
          failure: publishedFailure(failure),
        }),
      ),
    ],
  };
  return `${jsonLine(document)}\n`;
}

/** The files that change as one patch. */
function diffOf({ raw }: ReviewedPlan): { readonly diff?: string } {
  if (raw === undefined) return {};
  const lines = raw.flatMap(({ path, before, after }) => unifiedDiff(path, before, after));
  return { diff: lines.map((line) => `${line}\n`).join('') };
}
