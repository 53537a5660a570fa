import { oneLine } from '../clean.ts';

/** One test case. A case has one result; what is said beside it goes into `out`. */
export interface TestCase {
  readonly classname: string;
  readonly name: string;
  readonly result: TestResult;
  /** Lines for `system-out`. */
  readonly out: readonly string[];
}

export type TestResult =
  | { readonly kind: 'passed' }
  | { readonly kind: 'skipped'; readonly message: string }
  /** `failure`: it is not as it should be. `error`: it could not be found out. */
  | {
      readonly kind: 'failure' | 'error';
      readonly type: string;
      readonly message: string;
      readonly lines: readonly string[];
    };

/** A report in the form of JUnit that Jenkins, GitLab and others read: one suite. Any text may stand in it. */
export function junitXml(suite: string, cases: readonly TestCase[]): string {
  const count = (kind: TestResult['kind']): number => cases.filter(({ result }) => result.kind === kind).length;
  const counts = attributes({
    name: suite,
    tests: String(cases.length),
    failures: String(count('failure')),
    errors: String(count('error')),
  });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites${counts}>`,
    `<testsuite${counts}${attributes({ skipped: String(count('skipped')), time: '0' })}>`,
    ...cases.map(caseXml),
    '</testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

function caseXml({ classname, name, result, out }: TestCase): string {
  const inner = [resultXml(result), out.length === 0 ? '' : `<system-out>${textXml(out)}</system-out>`].filter(
    (part) => part !== '',
  );
  const head = attributes({ classname, name, time: '0' });
  return inner.length === 0 ? `<testcase${head}/>` : `<testcase${head}>\n${inner.join('\n')}\n</testcase>`;
}

function resultXml(result: TestResult): string {
  switch (result.kind) {
    case 'passed':
      return '';
    case 'skipped':
      return `<skipped${attributes({ message: result.message })}/>`;
    case 'failure':
    case 'error': {
      const { kind, message, type, lines } = result;
      return `<${kind}${attributes({ message, type })}>${textXml(lines)}</${kind}>`;
    }
  }
}

function attributes(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => ` ${name}="${escaped(value)}"`)
    .join('');
}

function textXml(lines: readonly string[]): string {
  return lines.map(escaped).join('\n');
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** One line with its indentation, without the characters that XML 1.0 cannot hold. */
function escaped(text: string): string {
  const indentation = /^ */.exec(text)![0];
  return `${indentation}${oneLine(text)}`.replace(/[&<>"]/g, (sign) => ENTITIES[sign]!);
}
