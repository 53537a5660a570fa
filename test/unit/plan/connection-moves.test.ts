import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readZoneXml } from '../../../src/firewalld/kinds/zone.ts';
import { type ApplyInput, beginRequest, permanentRequest } from '../../../src/host/requests.ts';
import { connectionMoves } from '../../../src/plan/diff/connection-moves.ts';
import type { Change } from '../../../src/plan/plan.ts';
import type { DesiredFirewalld } from '../../../src/policy/desired.ts';
import { NOTHING_DESIRED } from './helpers/nothing.ts';
import { planOf } from './helpers/plan-of.ts';
import { Firewalld } from './helpers/simulator.ts';
import { desiredArbitrary, hostArbitrary } from './helpers/states.ts';

const UUID = '0a6d1e5c-8f0b-4d7a-9a44-0c8b5f1e2d3c';
const OTHER = '1b7e2f6d-9a1c-4e8b-8b55-1d9c6a2f3e4d';

/** Our public zone with these interfaces, and nothing else. */
function desiredWith(...interfaces: string[]): DesiredFirewalld {
  const config = { ...readZoneXml('portfw-public', '<zone/>'), interfaces };
  const reasoned = interfaces.map((value) => ({ value, reasons: [] }));
  const zone = { config, reasons: [], interfaces: reasoned, services: [], richRules: [] };
  const zones = interfaces.length === 0 ? new Map() : new Map([[config.name, zone]]);
  return { ...NOTHING_DESIRED, zones };
}

function planFor(host: Firewalld, desired: DesiredFirewalld): ApplyInput {
  const { plan } = planOf(host, desired);
  const guard = { windowSeconds: 60, confirm: 'auto' } as const;
  return { id: 'i', holder: 'h', at: '2026-01-01T00:00:00Z', guard, plan };
}

function moves(input: ApplyInput): Extract<Change, { kind: 'interface' }>[] {
  return input.plan.changes.filter((change) => change.kind === 'interface');
}

function apply(host: Firewalld, desired: DesiredFirewalld): void {
  const input = planFor(host, desired);
  host.begin(beginRequest(input));
  expect(connectionMoves(planFor(host, desired).plan.changes), 'at runtime').toEqual([]);
  host.permanent(permanentRequest(input));
}

function pending(host: Firewalld, desired: DesiredFirewalld): Change[] {
  return planFor(host, desired).plan.changes.filter((change) => change.kind !== 'remember');
}

describe('an interface that NetworkManager manages', () => {
  it('moves with its connection: for the time being first, and for good with the rest', () => {
    const host = new Firewalld();
    host.manage(UUID, '', 'eth0');
    const input = planFor(host, desiredWith('eth0'));
    expect(moves(input)).toMatchObject([
      {
        action: 'bind',
        interface: 'eth0',
        networkManager: { uuid: UUID, connection: 'Wired eth0', before: '', after: 'portfw-public' },
      },
    ]);
    const begin = beginRequest(input);
    const at = (operation: string) => begin.calls.findIndex(([name]) => name === operation);
    expect(begin.calls[at('move-connection')]).toEqual(['move-connection', UUID, 'portfw-public', 'eth0']);
    expect(at('move-connection')).toBeLessThan(at('bind-interface'));
    expect(permanentRequest(input).connections).toEqual([[UUID, 'portfw-public']]);
    host.begin(begin);
    expect(host.connections[0]).toMatchObject({ zone: 'portfw-public', saved: '' });
    host.permanent(permanentRequest(input));
    host.boot();
    expect(host.zoneOf('eth0')).toBe('portfw-public');
    expect(pending(host, desiredWith('eth0'))).toEqual([]);
  });

  it('is changed for its connection alone where firewalld has it right, since the next reload would follow the connection', () => {
    const host = new Firewalld();
    apply(host, desiredWith('eth0'));
    host.connections.push({ uuid: UUID, interfaces: ['eth0'], zone: 'home', saved: 'home' });
    expect(pending(host, desiredWith('eth0'))).toMatchObject([
      { kind: 'interface', layers: { permanent: false, runtime: false }, networkManager: { before: 'home' } },
    ]);
    apply(host, desiredWith('eth0'));
    host.boot();
    expect(host.zoneOf('eth0')).toBe('portfw-public');
  });

  it('is left with a connection that names no zone when it is released', () => {
    const host = new Firewalld();
    host.manage(UUID, '', 'eth0');
    host.manage(OTHER, '', 'eth1');
    apply(host, desiredWith('eth0', 'eth1'));
    const input = planFor(host, desiredWith('eth1'));
    expect(moves(input)).toMatchObject([{ action: 'release', networkManager: { uuid: UUID, after: '' } }]);
    // It goes by itself: a release on top of that would take it out of the zone that it has just come to.
    expect(beginRequest(input).calls).toEqual([['move-connection', UUID, '', 'eth0']]);
    apply(host, desiredWith('eth1'));
    host.boot();
    expect([host.zoneOf('eth0'), host.zoneOf('eth1')]).toEqual(['public', 'portfw-public']);
  });

  it('loses a zone of ours that its connection still names, wherever the interface is', () => {
    const host = new Firewalld();
    host.manage(UUID, 'portfw-gone', 'eth5');
    expect(moves(planFor(host, desiredWith('eth0')))).toMatchObject([
      { action: 'bind', interface: 'eth0' },
      {
        action: 'release',
        interface: 'eth5',
        zone: 'portfw-gone',
        networkManager: { before: 'portfw-gone', after: '' },
      },
    ]);
    apply(host, desiredWith('eth0'));
    expect(pending(host, desiredWith('eth0'))).toEqual([]);
  });

  it('keeps a foreign zone that another tool chose', () => {
    const host = new Firewalld();
    host.manage(UUID, 'trusted', 'eth5');
    apply(host, desiredWith('eth0'));
    expect(host.connections).toMatchObject([{ zone: 'trusted' }]);
  });

  it('is not among what a reload loses', () => {
    const host = new Firewalld();
    host.manage(UUID, '', 'eth5');
    const codes = planFor(host, desiredWith('eth0')).plan.notes.map((note) => note.text);
    expect(codes).toEqual([]);
  });

  it('ends where it should, whatever the host was before, and stays there over a boot', () => {
    const zone = fc.constantFrom('', 'public', 'trusted', 'portfw-public', 'portfw-gone');
    const scenario = fc.record({
      made: hostArbitrary,
      old: fc.option(desiredArbitrary, { nil: null }),
      zones: fc.tuple(zone, zone),
      desired: desiredArbitrary,
    });
    fc.assert(
      fc.property(scenario, ({ made, old, zones, desired }) => {
        const host = made();
        if (old !== null) apply(host, old);
        host.manage(UUID, zones[0], 'eth0');
        host.manage(OTHER, zones[1], 'eth1');
        apply(host, desired);
        expect(pending(host, desired)).toEqual([]);
        host.boot();
        expect(pending(host, desired)).toEqual([]);
        for (const { zone: named } of host.connections)
          expect(named === '' || !named.startsWith('portfw-') || desired.zones.has(named)).toBe(true);
      }),
      { seed: 7, numRuns: 60, endOnFailure: true },
    );
  }, 60_000);
});
