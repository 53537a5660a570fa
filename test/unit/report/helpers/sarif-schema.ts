import { z } from 'zod';

// What the schema of SARIF 2.1.0 (OASIS, errata 01) requires of the parts that portfw writes; nothing else may be there.

const level = z.enum(['none', 'note', 'warning', 'error']);
const message = z.strictObject({ text: z.string() });
const artifactLocation = z.strictObject({
  // RFC 3986: a reference without spaces and without characters beyond ASCII.
  uri: z.string().regex(/^[A-Za-z0-9._~:/?#[\]@!$&'()*+,;=%-]+$/),
  uriBaseId: z.string().exactOptional(),
});
const location = z.strictObject({
  physicalLocation: z
    .strictObject({
      artifactLocation,
      region: z.strictObject({ startLine: z.int().min(1), startColumn: z.int().min(1) }),
    })
    .exactOptional(),
  logicalLocations: z
    .array(z.strictObject({ name: z.string(), kind: z.string(), fullyQualifiedName: z.string() }))
    .min(1)
    .exactOptional(),
});

/** A SARIF log of one run of portfw. */
export const SARIF = z
  .strictObject({
    $schema: z.literal('https://json.schemastore.org/sarif-2.1.0.json'),
    version: z.literal('2.1.0'),
    runs: z.tuple([
      z.strictObject({
        tool: z.strictObject({
          driver: z.strictObject({
            name: z.string(),
            rules: z.array(z.strictObject({ id: z.string(), shortDescription: message })),
          }),
        }),
        columnKind: z.enum(['utf16CodeUnits', 'unicodeCodePoints']),
        results: z.array(
          z.strictObject({
            ruleId: z.string(),
            ruleIndex: z.int().min(0),
            level,
            message,
            locations: z.array(location).min(1).exactOptional(),
            partialFingerprints: z.record(z.string(), z.string()),
          }),
        ),
      }),
    ]),
  })
  .refine(({ runs: [{ tool, results }] }) => {
    const ids = tool.driver.rules.map(({ id }) => id);
    return new Set(ids).size === ids.length && results.every(({ ruleId, ruleIndex }) => ids[ruleIndex] === ruleId);
  }, 'each result names a rule that is there, and each rule is there once');
