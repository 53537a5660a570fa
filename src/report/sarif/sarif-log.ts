import { createHash } from 'node:crypto';
import { jsonLine } from '../json/json-line.ts';
import type { WrittenPlace } from '../review-input.ts';

/** SARIF's words for how bad something is. */
export type Level = 'error' | 'warning' | 'note';

/** What a log says of one thing. */
export interface Finding {
  readonly rule: string;
  readonly level: Level;
  readonly message: string;
  /** What it is about, from the outside in: a host, a zone, an object. */
  readonly about: readonly { readonly kind: string; readonly name: string }[];
  /** Where it was written, in a file of the user's; `null` if that is not known. */
  readonly place: WrittenPlace | null;
  /** What makes it the same finding in a later run: no numbers of lines, no counts. */
  readonly identity: readonly string[];
}

/**
 * A SARIF 2.1.0 log of one run, on one line.
 *
 * @param ruleText what the rule of that name is about
 */
export function sarifLog(findings: readonly Finding[], ruleText: (id: string) => string): string {
  const ids = [...new Set(findings.map(({ rule }) => rule))].sort();
  const log = {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'portfw',
            rules: ids.map((id) => ({ id, shortDescription: { text: ruleText(id) } })),
          },
        },
        columnKind: 'utf16CodeUnits',
        results: findings.map((finding) => resultOf(finding, ids.indexOf(finding.rule))),
      },
    ],
  };
  return `${jsonLine(log)}\n`;
}

function resultOf({ rule, level, message, about, place, identity }: Finding, ruleIndex: number): object {
  const location = {
    ...(place === null ? {} : { physicalLocation: physical(place) }),
    ...(about.length === 0 ? {} : { logicalLocations: about.map((one, at) => logical(about, one, at)) }),
  };
  return {
    ruleId: rule,
    ruleIndex,
    level,
    message: { text: message },
    ...(Object.keys(location).length === 0 ? {} : { locations: [location] }),
    partialFingerprints: { 'portfw/v1': fingerprint([rule, ...identity]) },
  };
}

function logical(about: Finding['about'], { kind, name }: Finding['about'][number], at: number): object {
  const fullyQualifiedName = about
    .slice(0, at + 1)
    .map((one) => one.name)
    .join('/');
  return { name, kind, fullyQualifiedName };
}

function physical({ file, line, column }: WrittenPlace): object {
  return {
    artifactLocation: uriOf(file),
    region: { startLine: line, startColumn: column },
  };
}

/** A path as a reference that a viewer resolves: relative ones against the root of the source. */
function uriOf(file: string): object {
  const path = file.split('/').map(encodeURIComponent).join('/');
  return file.startsWith('/') ? { uri: `file://${path}` } : { uri: path, uriBaseId: '%SRCROOT%' };
}

function fingerprint(parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
}
