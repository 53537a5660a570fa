import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { DOMParser } from '@xmldom/xmldom';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Problem } from '../../../src/core/problem.ts';
import { oneLine } from '../../../src/report/clean.ts';
import { junitLint } from '../../../src/report/junit/junit-lint.ts';
import { junitReview } from '../../../src/report/junit/junit-review.ts';
import { junitXml } from '../../../src/report/junit/junit-xml.ts';
import { reviewOf } from '../../../src/report/review.ts';
import { refusedHost, reviewInput, smallFleet } from './helpers/fleets.ts';
import { HOSTILE } from './helpers/many-hosts.ts';

const XSD = path.join(import.meta.dirname, '../../fixtures/report/junit.xsd');

/** What xmllint says against the schema; empty if nothing. */
function complaints(xml: string): string {
  const run = spawnSync('xmllint', ['--noout', '--schema', XSD, '-'], { input: xml, encoding: 'utf8' });
  if (run.error !== undefined) throw run.error;
  return run.status === 0 ? '' : run.stderr;
}

const read = (xml: string) => new DOMParser().parseFromString(xml, 'text/xml');

describe('JUnit', () => {
  it('has a case for each host: drift is a failure, a host without a plan an error', async () => {
    const xml = junitReview(reviewOf(smallFleet(), 'short'));
    expect(complaints(xml)).toBe('');
    await expect(xml).toMatchFileSnapshot('../../fixtures/report/formats-plan.junit.xml');
    const suite = read(xml).getElementsByTagName('testsuite')[0]!;
    expect(['tests', 'failures', 'errors', 'skipped'].map((name) => suite.getAttribute(name))).toEqual([
      '9',
      '5',
      '3',
      '0',
    ]);
    const results = ['failure', 'error', 'skipped'];
    const cases = [...suite.getElementsByTagName('testcase')];
    expect(
      cases.map(
        (one) =>
          `${one.getAttribute('name')} ${results.find((name) => one.getElementsByTagName(name).length > 0) ?? 'passed'}`,
      ),
    ).toEqual([
      ...['web1', 'web2', 'sip1', 'sip2', 'sip3'].map((name) => `${name}.example.net failure`),
      'db1.example.net passed',
      ...['gw1', 'gw2', 'old'].map((name) => `${name}.example.net error`),
    ]);
  });

  it('says of a host that was skipped that it was', () => {
    const xml = junitReview(reviewOf(reviewInput([], [refusedHost('a.example.net', 'skipped')]), 'short'));
    expect(complaints(xml)).toBe('');
    expect(xml).toContain('<skipped message=');
  });

  it('is valid whatever stands in it, and says it as it is', () => {
    const texts = fc.oneof(fc.constantFrom(...HOSTILE), fc.string({ unit: 'binary' }));
    const cases = fc.array(
      fc.tuple(texts, texts, fc.array(texts, { maxLength: 3 })).map(([name, message, lines]) => ({
        classname: name,
        name,
        result: { kind: 'failure', type: message, message, lines } as const,
        out: lines,
      })),
      { maxLength: 4 },
    );
    fc.assert(
      fc.property(cases, (all) => {
        const xml = junitXml('a < b', all);
        expect(complaints(xml)).toBe('');
        const said = [...read(xml).getElementsByTagName('testcase')];
        expect(said.map((one) => one.getAttribute('name'))).toEqual(all.map(({ name }) => oneLine(name)));
        const failures = [...read(xml).getElementsByTagName('failure')];
        expect(failures.map((one) => one.getAttribute('message'))).toEqual(
          all.map(({ name: _, result }) => oneLine(result.message)),
        );
      }),
      { numRuns: 60 },
    );
  });

  it('has a case for each problem of lint, which fails if lint does', () => {
    const location = { file: 'a/inventory.yaml', line: 3, column: 7, secret: null };
    const problems = [
      new Problem({ severity: 'error', code: 'unknown-key', what: 'no such <key>', solve: 'remove it', location }),
      new Problem({ severity: 'warning', code: 'expired', what: 'it expired', solve: 'remove it', location: null }),
    ];
    const counts = (xml: string) => /tests="\d+" failures="\d+"/.exec(xml)![0];
    for (const strict of [false, true]) expect(complaints(junitLint(problems, 2, strict))).toBe('');
    expect(counts(junitLint(problems, 2, false))).toBe('tests="3" failures="1"');
    expect(counts(junitLint(problems, 2, true))).toBe('tests="3" failures="2"');
    expect(counts(junitLint([], 2, true))).toBe('tests="1" failures="0"');
    expect(junitLint(problems, 2, false)).toContain('classname="a/inventory.yaml" name="unknown-key at 3:7"');
  });
});
