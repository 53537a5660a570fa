import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { buildDesired } from '../../../src/policy/build-desired.ts';
import { FIXTURES, inputOf, type PolicyCase, shownOutcome } from './helpers/cases.ts';

const CASES = path.join(FIXTURES, 'cases');

describe('the desired configuration', () => {
  const names = readdirSync(CASES)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => path.basename(file, '.yaml'));

  it.each(names)('%s', async (name) => {
    const given = parse(readFileSync(path.join(CASES, `${name}.yaml`), 'utf8')) as PolicyCase;
    const outcome = buildDesired(inputOf(given));
    await expect(shownOutcome(outcome)).toMatchFileSnapshot(path.join(FIXTURES, 'golden', `${name}.yaml`));
    expect(buildDesired(inputOf(given))).toEqual(outcome);
  });

  it('has a golden file for each case and no other', () => {
    expect(readdirSync(path.join(FIXTURES, 'golden')).sort()).toEqual(names.map((name) => `${name}.yaml`).sort());
  });
});
