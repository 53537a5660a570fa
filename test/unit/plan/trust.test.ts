import { describe, expect, it } from 'vitest';
import { emptyLayer } from '../../../src/firewalld/kinds/kinds.ts';
import { readZoneXml } from '../../../src/firewalld/kinds/zone.ts';
import { observedFirewalld } from '../../../src/firewalld/observed.ts';

import { trustNotes } from '../../../src/plan/diff/trust.ts';
import type { Change } from '../../../src/plan/plan.ts';
import { buildDesired } from '../../../src/policy/build-desired.ts';
import type { DesiredFirewalld } from '../../../src/policy/desired.ts';
import { makePlan } from '../../helpers/make-plan.ts';
import { inputOf } from '../policy/helpers/cases.ts';
import { Firewalld } from './helpers/simulator.ts';

const SIDES = { eth0: ['192.0.2.10/24'], eth1: ['198.51.100.10/24'] };

function desired(mode: string, interfaces: Readonly<Record<string, string>> = { public: 'eth0', private: 'eth1' }) {
  const outcome = buildDesired(
    inputOf({
      roles: ['server'],
      facts: { interfaces: SIDES },
      inventory: {
        all: {
          hosts: {
            'web1.example.net': {
              ansible_host: '192.0.2.10',
              portfw_interfaces: interfaces,
              portfw_private: mode,
            },
          },
        },
      },
    }),
  );
  if (outcome.kind === 'refused') throw new Error(outcome.refusals[0]!.what);
  return outcome.desired;
}

/** What a plan says of interfaces on a host with these zone files. */
function moves(wanted: DesiredFirewalld, files: readonly (readonly [string, string])[] = [], defaultZone = 'public') {
  const facts = { ...new Firewalld(files).facts(), defaultZone };
  const observed = observedFirewalld(facts);
  const fixed = { host: 'web1', matrix: 'm', roles: [], remembered: null, notes: [] };
  const { changes } = makePlan({ ...fixed, facts, observed, desired: wanted }).plan;
  return changes
    .filter((change): change is Extract<Change, { kind: 'interface' }> => change.kind === 'interface')
    .map(({ interface: name, action, classes, opens }) => ({ name, action, classes, opens }));
}

const zone = (name: string, text: string): readonly [string, string] => [`zones/${name}.xml`, text];

describe('a move that opens everything', () => {
  it('says so, and which side each interface is', () => {
    expect(moves(desired('trusted'))).toEqual([
      { name: 'eth1', action: 'bind', classes: ['private'], opens: ['everything'] },
      { name: 'eth0', action: 'bind', classes: ['public'], opens: [] },
    ]);
  });

  it('opens nothing more where the side is filtered, or was trusted before', () => {
    expect(moves(desired('matrix')).flatMap(({ opens }) => opens)).toEqual([]);
    const before = zone('trusted', '<zone target="ACCEPT"><interface name="eth1"/></zone>');
    expect(moves(desired('trusted'), [before])).toContainEqual({
      name: 'eth1',
      action: 'bind',
      classes: ['private'],
      opens: [],
    });
  });

  it('says so of an interface that goes back to a default zone that trusts', () => {
    const held = zone('portfw-private', '<zone><interface name="eth1"/></zone>');
    const all = zone('trusted', '<zone target="ACCEPT"><interface name="eth9"/></zone>');
    const wanted = desired('trusted', { public: 'eth0' });
    expect(moves(wanted, [held, all], 'trusted')).toContainEqual({
      name: 'eth1',
      action: 'release',
      classes: [],
      opens: ['everything'],
    });
    expect(moves(wanted, [held])).toContainEqual({ name: 'eth1', action: 'release', classes: [], opens: [] });
  });

  it('is warned about a zone that will trust its interfaces', () => {
    const runtime = (text: string) => ({
      ...emptyLayer(),
      zones: new Map([['portfw-private', readZoneXml('portfw-private', text)]]),
    });
    const filtered = runtime('<zone><interface name="eth1"/></zone>');
    expect(trustNotes(desired('trusted'), filtered)).toMatchObject([
      { severity: 'warning', text: expect.stringMatching(/opens everything to anybody on eth1$/) },
    ]);
    expect(trustNotes(desired('matrix'), filtered)).toEqual([]);
    expect(trustNotes(desired('trusted'), runtime('<zone/>'))).toEqual([]);
    expect(trustNotes(desired('trusted'), runtime('<zone target="ACCEPT"><interface name="eth1"/></zone>'))).toEqual(
      [],
    );
  });
});
