import { z } from 'zod';
import { publishedReview } from '../../src/report/json/review-schema.ts';

const { $schema, ...rest } = z.toJSONSchema(publishedReview, { io: 'input', target: 'draft-7' });

/** The JSON Schema of the document of `--format json`, as it ships in `playbooks/schemas/`. */
export const REVIEW_SCHEMA = {
  file: 'review.schema.json',
  schema: { $schema, $id: 'urn:portfw:schema:review', title: 'portfw review: the document of --format json', ...rest },
};
