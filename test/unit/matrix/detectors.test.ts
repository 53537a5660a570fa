import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parsePortRange } from '../../../src/core/ports.ts';
import { loadMatrix } from '../../../src/matrix/load-matrix.ts';
import type { Detector, Matrix } from '../../../src/matrix/matrix.ts';

/** From here on a role is settled, and from the second on a candidate. */
const SETTLED = 0.6;
const CANDIDATE = 0.15;

interface Socket {
  readonly protocol: string;
  readonly first: number;
  readonly last: number;
  readonly comm: string | null;
}

/** What can be seen of a host. */
interface Seen {
  readonly sockets: readonly Socket[];
  readonly processes: readonly string[];
  readonly units: readonly string[];
}

/** The lab's fake daemons: what they are called, what they listen on, and which of them make up a role. */
const lab = JSON.parse(readFileSync('test/lab/image/daemons.json', 'utf8')) as {
  daemons: Record<string, { comm: string; sockets: { protocol: string; ports: (number | string)[] }[] }>;
  bundles: Record<string, string[]>;
};

function socket(protocol: string, port: number | string, comm: string | null): Socket {
  const range = parsePortRange(String(port));
  if (typeof range === 'string') return { protocol, first: 0, last: 0, comm };
  return { protocol, ...range, comm };
}

function seenOn(...roles: string[]): Seen {
  const units = roles.flatMap((role) => lab.bundles[role]!);
  const daemons = units.map((unit) => lab.daemons[unit]!);
  return {
    units,
    processes: daemons.map((daemon) => daemon.comm),
    sockets: daemons.flatMap((daemon) =>
      daemon.sockets.flatMap(({ protocol, ports }) => ports.map((port) => socket(protocol, port, daemon.comm))),
    ),
  };
}

function matches(detector: Detector, seen: Seen): boolean {
  switch (detector.kind) {
    case 'socket':
      return seen.sockets.some(
        ({ protocol, first, last, comm }) =>
          protocol === detector.protocol &&
          first <= detector.port.last &&
          detector.port.first <= last &&
          (detector.processes.length === 0 || (comm !== null && detector.processes.includes(comm))),
      );
    case 'process':
      return detector.names.some((name) => seen.processes.includes(name));
    case 'unit':
      return seen.units.includes(detector.unit);
    case 'package':
    case 'file':
      return false;
  }
}

/** Each role with some evidence for it, and how sure it is. */
function confidences(matrix: Matrix, seen: Seen): Map<string, number> {
  const found = new Map<string, number>();
  for (const role of matrix.roles.values()) {
    const doubt = role.detectors
      .filter((detector) => matches(detector, seen))
      .reduce((rest, { weight }) => rest * (1 - weight), 1);
    found.set(role.name, 1 - doubt);
  }
  return found;
}

function rolesFrom(matrix: Matrix, seen: Seen, threshold: number): string[] {
  return [...confidences(matrix, seen)].filter(([, confidence]) => confidence >= threshold).map(([role]) => role);
}

const first = loadMatrix('portaswitch');
const second = loadMatrix('portaswitch-ocs');
const NOTHING: Seen = { sockets: [], processes: [], units: [] };

describe('what the lab runs for a role settles that role and no other', () => {
  const cases = [first, second, loadMatrix('img-gcems')].flatMap((matrix) =>
    [...matrix.roles.values()]
      .filter((role) => !role.everyHost && !role.appliance)
      .map((role) => [matrix.name, role.name] as const),
  );
  it.each(cases)('%s: %s', (name, role) => {
    expect(rolesFrom(loadMatrix(name), seenOn(role), SETTLED)).toEqual([role]);
  });

  it('settles several roles of one host', () => {
    const host = seenOn('dispatching-node', 'processing-node', 'replica-db');
    expect(rolesFrom(second, host, SETTLED).sort()).toEqual(['dispatching-node', 'processing-node', 'replica-db']);
  });

  it.each(['dispatching-sbc', 'dispatching-node', 'web-admin', 'gcems', 'decoy'])(
    'does not take %s for a billing server',
    (role) => {
      expect(rolesFrom(second, seenOn(role), SETTLED)).not.toContain('radius');
      expect(rolesFrom(second, seenOn(role), SETTLED)).not.toContain('ocs');
    },
  );
});

describe('too little evidence settles nothing', () => {
  it('leaves UDP 5060 alone to the four roles that it fits', () => {
    const seen: Seen = { ...NOTHING, sockets: [socket('udp', 5060, 'unknown')] };
    expect(rolesFrom(second, seen, CANDIDATE)).toEqual(['radius', 'dispatching-sbc', 'dispatching-node', 'ocs']);
    for (const confidence of confidences(second, seen).values()) expect(confidence).toBeLessThanOrEqual(0.3);
  });

  it('cannot tell a billing server from an OCS by what both run', () => {
    const engines = new Set(['porta-billing.service', 'porta-ocs.service', 'corosync.service']);
    const radius = seenOn('radius');
    const shared = radius.units.filter((unit) => !engines.has(unit));
    const seen: Seen = { ...radius, units: shared, processes: shared.map((unit) => lab.daemons[unit]!.comm) };
    expect(rolesFrom(second, seen, SETTLED)).toEqual([]);
    const found = confidences(second, seen);
    expect(found.get('radius')).toBe(found.get('ocs'));
    expect(found.get('radius')).toBeGreaterThan(0.5);
  });

  it.each([25, 80, 443])('makes nobody a web server for TCP %i', (port) => {
    const found = confidences(second, { ...NOTHING, sockets: [socket('tcp', port, 'httpd')] });
    for (const confidence of found.values()) expect(confidence).toBeLessThanOrEqual(0.1);
  });

  it('finds no role by ports of unknown processes', () => {
    for (const matrix of [first, second, loadMatrix('img-gcems')]) {
      for (const role of matrix.roles.values()) {
        if (role.everyHost || role.appliance) continue;
        const own = seenOn(role.name);
        const seen: Seen = { ...NOTHING, sockets: own.sockets.map((one) => ({ ...one, comm: null })) };
        expect(rolesFrom(matrix, seen, SETTLED), role.name).toEqual([]);
      }
    }
  });
});

describe('a process on its own port settles a role, whatever its unit is called', () => {
  it.each([
    'dispatching-sbc',
    'dispatching-node',
    'processing-node',
    'web-admin',
    'configuration',
    'master-db',
    'replica-db',
    'oracle-db',
  ])('%s', (role) => {
    expect(rolesFrom(first, { ...seenOn(role), units: [] }, SETTLED)).toEqual([role]);
  });
});
