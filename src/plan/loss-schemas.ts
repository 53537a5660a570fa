import { z } from 'zod';

const text = z.string();
const texts = z.array(z.string());
const before = z.string().nullable();

/** The forms of `Loss` in a plan's file. */
export const lossSchemas = [
  z.strictObject({ kind: z.literal('role-gone'), role: text, remembered: z.boolean(), declared: z.boolean() }),
  z.strictObject({ kind: z.literal('role-not-in-matrix'), role: text, matrix: text, before }),
  z.strictObject({ kind: z.literal('row-gone'), matrix: text, before, role: text, side: text, ports: texts }),
  z.strictObject({ kind: z.literal('feature-off'), feature: text, ports: texts }),
  z.strictObject({ kind: z.literal('expired'), name: text, owner: text, expires: text }),
  z.strictObject({ kind: z.literal('extra-rule-gone'), name: text }),
  z.strictObject({ kind: z.literal('extra-rule-changed'), name: text, ports: texts }),
  z.strictObject({ kind: z.literal('narrowed'), by: text, to: text }),
  z.strictObject({ kind: z.literal('not-narrowed'), by: text }),
  z.strictObject({ kind: z.literal('replaced'), service: text, to: z.string().nullable() }),
  z.strictObject({ kind: z.literal('no-peers'), of: text }),
  z.strictObject({ kind: z.literal('peers-gone'), of: text }),
  z.strictObject({ kind: z.literal('peer-set-gone'), matrix: text, before }),
  z.strictObject({ kind: z.literal('side-moved'), what: text, side: text, by: z.string().nullable() }),
  z.strictObject({ kind: z.literal('side-gone'), sides: texts }),
  z.strictObject({ kind: z.literal('sides-joined'), sides: texts }),
  z.strictObject({ kind: z.literal('vip-gone'), address: text }),
  z.strictObject({ kind: z.literal('rpc-moved'), program: text, protocol: text, ports: texts }),
  z.strictObject({ kind: z.literal('helper-missing'), helper: text }),
  z.strictObject({ kind: z.literal('no-cluster') }),
  z.strictObject({ kind: z.literal('target-default'), sides: texts }),
  z.strictObject({ kind: z.literal('interface-unmapped'), interface: text, there: z.boolean() }),
  z.strictObject({ kind: z.literal('other-zone'), zones: texts }),
  z.strictObject({ kind: z.literal('by-hand') }),
  z.strictObject({ kind: z.literal('unknown'), matrix: text }),
] as const;
