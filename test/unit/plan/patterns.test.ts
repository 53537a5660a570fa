import { describe, expect, it } from 'vitest';
import { emptyLayer, type FirewalldConfig } from '../../../src/firewalld/kinds/kinds.ts';
import { EMPTY_ZONE, zoneHolding } from '../../../src/firewalld/kinds/zone.ts';
import type { ObservedFirewalld } from '../../../src/firewalld/observed.ts';
import { patternFirst, patternNotes } from '../../../src/plan/notes/patterns.ts';
import type { DesiredFirewalld } from '../../../src/policy/desired.ts';

const config = (zones: Readonly<Record<string, readonly string[]>>): FirewalldConfig => ({
  ...emptyLayer(),
  zones: new Map(
    Object.entries(zones).map(([name, interfaces]) => [
      name,
      { ...EMPTY_ZONE, name, short: '', description: '', interfaces },
    ]),
  ),
});
const observed = (zones: Readonly<Record<string, readonly string[]>>): ObservedFirewalld => ({
  permanent: config(zones),
  runtime: config(zones),
  zoneFiles: new Set(),
  zoneFolders: new Map(),
  broken: [],
});
const desired = {
  zones: new Map([['portfw-public', { config: { interfaces: ['eth0', 'wan0'] } }]]),
} as unknown as DesiredFirewalld;

describe('a pattern of interfaces', () => {
  it('covers names that begin like it, and a zone that names one goes before it', () => {
    const zones = config({ all: ['+'], work: ['eth+'], home: ['eth1'] });
    expect(zoneHolding(zones, 'eth1')?.name).toBe('home');
    expect(zoneHolding(config({ work: ['eth+'] }), 'eth7')?.name).toBe('work');
    expect(zoneHolding(config({ work: ['eth+'] }), 'wan0')).toBeUndefined();
  });

  it('is named in the plan with what it covers, once', () => {
    const notes = patternNotes(observed({ work: ['eth+'], home: ['ppp+'], 'portfw-x': ['eth+'] }), desired);
    expect(notes.map(({ text }) => text)).toEqual([
      expect.stringMatching(/^zone work binds the pattern eth\+, which covers eth0: /),
    ]);
  });

  it('refuses a plan where firewalld would ask it before our zone', () => {
    expect(patternFirst(observed({ work: ['eth+'] }), desired, '1.3.3')?.what).toMatch(
      /use that zone instead of portfw-public/,
    );
    expect(patternFirst(observed({ work: ['eth+'] }), desired, '0.9.3')).not.toBeNull();
    expect(patternFirst(observed({ internal: ['eth+'] }), desired, '1.3.3')).toBeNull();
    expect(patternFirst(observed({ work: ['ppp+'] }), desired, '1.3.3')).toBeNull();
    expect(patternFirst(observed({ work: ['eth+'] }), desired, '2.3.1')).toBeNull();
  });
});
