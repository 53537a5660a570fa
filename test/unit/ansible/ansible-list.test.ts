import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { inventoryCases, listOf } from '../../helpers/inventory-cases.ts';

const FIXTURES = join(import.meta.dirname, '../../fixtures/inventory/list');

/** Each folder holds an inventory and, in `expected.json`, what `ansible-inventory --list` printed for it. */
describe('the list is the very text that ansible-inventory prints', () => {
  it.each(inventoryCases(FIXTURES))('$name', async (one) => {
    expect(await listOf(one)).toBe(readFileSync(join(one.folder, 'expected.json'), 'utf8'));
  });
});
