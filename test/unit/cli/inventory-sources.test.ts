import { describe, expect, it } from 'vitest';
import { inventoryOptions, inventorySources } from '../../../src/cli/inventory-sources.ts';
import { UsageError } from '../../../src/cli/usage-error.ts';

describe('inventories on the command line', () => {
  it('are the arguments and then those of -i', () => {
    expect(inventorySources(['a.yaml', 'b'], { inventory: ['c.ini', 'd,e'] })).toEqual(['a.yaml', 'b', 'c.ini', 'd,e']);
    expect(inventorySources([], { inventory: ['c.ini'] })).toEqual(['c.ini']);
  });

  it('have to be there, with names', () => {
    expect(() => inventorySources([], {})).toThrow(UsageError);
    expect(() => inventorySources(['a', ' '], {})).toThrow('the name of an inventory is empty');
  });

  it('may take a number of seconds', () => {
    expect(inventoryOptions({})).toEqual({});
    expect(inventoryOptions({ PORTFW_INVENTORY_TIMEOUT: '90' })).toEqual({ programTimeoutMs: 90_000 });
    for (const wrong of ['0', '-1', '1.5', 'long', '3601'])
      expect(() => inventoryOptions({ PORTFW_INVENTORY_TIMEOUT: wrong })).toThrow(UsageError);
  });
});
