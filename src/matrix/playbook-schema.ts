import { z } from 'zod';
import type { PrivateMode } from '../settings/settings-types.ts';
import { ON_FAILURE, type OnFailure } from './matrix.ts';
import { textSchema } from './matrix-schema.ts';

/** A batch size as a playbook writes it: `3` or `"30%"`. */
export type SerialEntry = number | string;

/** A probe as a playbook file writes it: `tcp` or `command`, not both. */
export interface ProbeEntry {
  readonly name?: string | undefined;
  readonly tcp?: number | string | undefined;
  readonly from?: string | undefined;
  readonly command?: readonly string[] | undefined;
  readonly timeout?: number | undefined;
  readonly before?: 'must-pass' | 'may-fail' | undefined;
}

/** A play as a playbook file writes it. */
export interface PlayEntry {
  readonly name?: string | undefined;
  readonly hosts: string | readonly string[];
  readonly matrix: string;
  readonly private?: PrivateMode | undefined;
  readonly features?: readonly string[] | undefined;
  readonly serial?: SerialEntry | readonly SerialEntry[] | undefined;
  readonly max_fail_percentage?: number | undefined;
  readonly on_failure?: OnFailure | undefined;
  readonly probes?: readonly ProbeEntry[] | undefined;
}

const PRIVATE_MODES = ['trusted', 'peers', 'matrix'] as const satisfies readonly PrivateMode[];

const batch = z.union([
  z.number().meta({ minimum: 1, multipleOf: 1 }),
  z.string().meta({ pattern: '^[0-9]+(?:\\.[0-9]+)?%?$' }),
]);

const probe: z.ZodType<ProbeEntry> = z
  .strictObject({
    name: textSchema(100).optional().describe('the name of the probe in messages'),
    tcp: z
      .union([z.number().meta({ minimum: 1, maximum: 65535, multipleOf: 1 }), z.string().min(1).max(300)])
      .optional()
      .describe('a port of the changed host, or "HOST:PORT", that a TCP connection must reach'),
    from: textSchema(500)
      .optional()
      .describe('where the TCP connection comes from: "controller" (the default), or a pattern for other hosts'),
    command: z
      .array(z.string().max(4096))
      .min(1)
      .max(100)
      .optional()
      .describe('a program on the controller with its arguments, as a list; exit code 0 passes'),
    timeout: z.number().min(0.1).max(300).optional().describe('the seconds that it may take (0.1 to 300, default 5)'),
    before: z
      .enum(['must-pass', 'may-fail'])
      .optional()
      .describe('whether it has to pass before the change as well: must-pass (the default) or may-fail'),
  })
  .meta({
    description: 'a probe: "tcp" (and "from") or "command", with "name", "timeout" and "before"',
    oneOf: [{ required: ['tcp'] }, { required: ['command'] }],
  });

const play: z.ZodType<PlayEntry> = z
  .strictObject({
    name: textSchema(100).optional().describe('the name of the play in the output'),
    hosts: z
      .union([textSchema(500), z.array(textSchema(500)).min(1)])
      .describe('an Ansible host pattern, such as "all" or "sip:&site_a", or a list of them'),
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
    on_failure: z
      .enum(ON_FAILURE)
      .optional()
      .describe('what happens to the good hosts when one fails: keep-good (the default), revert-batch or revert-run'),
    probes: z
      .array(probe)
      .min(1)
      .max(50)
      .optional()
      .describe('what must work on a changed host before the change is kept'),
  })
  .describe('a play: "hosts" and "matrix", with options such as "serial", "on_failure" and "probes"');

/** What a playbook file may hold. */
export const playbookSchema: z.ZodType<readonly PlayEntry[]> = z
  .array(play)
  .min(1)
  .describe('a playbook: a list of plays, each with "hosts" and "matrix"');
