import { z } from 'zod';
import { publishedEvent } from '../../src/report/json/event-schema.ts';

const { $schema, ...rest } = z.toJSONSchema(publishedEvent, { io: 'input', target: 'draft-7' });

/** The JSON Schema of one line of `--json`, as it ships in `playbooks/schemas/`. */
export const EVENTS_SCHEMA = {
  file: 'events.schema.json',
  schema: { $schema, $id: 'urn:portfw:schema:events', title: 'portfw events: one line of --json', ...rest },
};
