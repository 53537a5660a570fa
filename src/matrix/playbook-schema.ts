import { z } from 'zod';
import type { PrivateMode } from '../inventory/settings-types.ts';
import { textSchema } from './matrix-schema.ts';

/** A batch size as a playbook writes it: `3` or `"30%"`. */
export type SerialEntry = number | string;

/** A play as a playbook file writes it. */
export interface PlayEntry {
  readonly name?: string | undefined;
  readonly hosts: string;
  readonly matrix: string;
  readonly private?: PrivateMode | undefined;
  readonly features?: readonly string[] | undefined;
  readonly serial?: SerialEntry | readonly SerialEntry[] | undefined;
  readonly max_fail_percentage?: number | undefined;
}

const PRIVATE_MODES = ['trusted', 'peers', 'matrix'] as const satisfies readonly PrivateMode[];

const batch = z.union([
  z.number().meta({ minimum: 1, multipleOf: 1 }),
  z.string().meta({ pattern: '^[0-9]+(?:\\.[0-9]+)?%?$' }),
]);

const play: z.ZodType<PlayEntry> = z
  .strictObject({
    name: textSchema(100).optional().describe('what the run calls the play'),
    hosts: textSchema(500).describe('an Ansible host pattern, such as "all" or "sip:&site_a"'),
    matrix: z
      .string()
      .min(1)
      .describe('the name of a matrix that ships with portfw, or the path of a file, relative to this one'),
    private: z.enum(PRIVATE_MODES).optional().describe('what the private interface lets in: trusted, peers or matrix'),
    features: z.array(z.string()).optional().describe("the matrix's features to turn on for all hosts of the play"),
    serial: z
      .union([...batch.options, z.array(batch).min(1)])
      .optional()
      .describe(
        'how many hosts at a time: a number, a share such as "30%", or a list of these, the last one repeating',
      ),
    max_fail_percentage: z
      .number()
      .min(0)
      .max(100)
      .optional()
      .describe('the run stops after a batch in which more than this share of hosts failed (0 to 100)'),
  })
  .describe('a play: "hosts" and "matrix", with "name", "private", "features", "serial" and "max_fail_percentage"');

/** What a playbook file may hold. */
export const playbookSchema: z.ZodType<readonly PlayEntry[]> = z
  .array(play)
  .min(1)
  .describe('a playbook: a list of plays, each with "hosts" and "matrix"');
