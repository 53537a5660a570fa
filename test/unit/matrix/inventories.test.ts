import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadInventory } from '../../../src/ansible/inventory.ts';
import { assignPlays } from '../../../src/matrix/assign.ts';
import { readSettings } from '../../../src/settings/read-settings.ts';
import { PORTFW_SCHEMAS } from '../../../src/settings/schema.ts';

const EXAMPLES = readdirSync('inventories').filter((name) => existsSync(`inventories/${name}/inventory.yaml`));

function yamlFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => path.join(folder, file));
}

describe('worked examples', () => {
  it('are there', () => {
    expect(EXAMPLES.sort()).toEqual(['img-gcems', 'own-matrix', 'portaswitch', 'portaswitch-ocs']);
  });

  it.each(EXAMPLES)('%s lints clean, and every managed host has a play', async (name) => {
    const inventory = await loadInventory(`inventories/${name}/inventory.yaml`);
    const { settings, problems } = readSettings(inventory);
    const assignment = assignPlays(inventory, settings, null);
    expect([...inventory.warnings, ...problems, ...assignment.problems]).toEqual([]);
    const managed = [...settings.values()].filter((host) => host.managed).map((host) => host.name);
    expect([...assignment.plays.keys()].sort()).toEqual(managed.sort());
    expect(settings.size).toBe(inventory.hosts.size);
  });

  it('show every variable of ours', () => {
    const text = yamlFiles('inventories')
      .map((file) => readFileSync(file, 'utf8'))
      .join('');
    expect(Object.keys(PORTFW_SCHEMAS).filter((name) => !new RegExp(`\\b${name}:`).test(text))).toEqual([]);
  });

  it('use names and addresses that are made for documentation', () => {
    for (const file of yamlFiles('inventories')) {
      const text = readFileSync(file, 'utf8');
      for (const [address] of text.matchAll(/\b\d{1,3}(?:\.\d{1,3}){3}\b/g))
        expect(address).toMatch(/^(?:192\.0\.2|198\.51\.100|203\.0\.113)\./);
      for (const [address] of text.matchAll(/\b[0-9a-f]{1,4}(?::[0-9a-f]{0,4}){2,}/gi))
        expect(address).toMatch(/^2001:db8:/);
      for (const [name] of text.matchAll(/\b[\w.-]+\.(?:com|net|org)\b/g))
        expect(name).toMatch(/(?:^|\.)example\.net$/);
    }
  });
});
