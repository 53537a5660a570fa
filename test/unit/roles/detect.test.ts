import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { SocketFacts, UnitFacts } from '../../../src/facts/facts.ts';
import { loadMatrix } from '../../../src/matrix/load-matrix.ts';
import { CANDIDATE, type DetectionInput, detectRoles, SETTLED } from '../../../src/roles/detect.ts';

const FIXTURES = path.join(import.meta.dirname, '../../fixtures/roles');
const EXAMPLE = path.join(FIXTURES, 'example.yaml');

/** One case: facts in short, what the inventory and the host's memory say, and what must come out. */
interface Case {
  readonly matrix?: string;
  readonly facts: {
    /** `protocol/port process address`; the last two may be left out. */
    readonly sockets?: readonly string[];
    readonly units?: Readonly<Record<string, string>>;
    readonly processes?: readonly string[];
    readonly packages?: readonly string[];
    readonly files?: readonly string[];
  };
  readonly declared?: readonly string[];
  readonly remembered?: readonly string[];
  readonly expect: {
    readonly verdict: string;
    readonly unexplained?: readonly string[];
    readonly ambiguous?: readonly string[];
    /** Role → `because confidence`. */
    readonly roles?: Readonly<Record<string, string>>;
    /** The detected roles alone, for cases with a matrix whose weights may change. */
    readonly detected?: readonly string[];
    readonly candidates?: Readonly<Record<string, number>>;
    readonly evidence?: Readonly<Record<string, readonly string[]>>;
    readonly warnings?: readonly string[];
  };
}

function socket(text: string): SocketFacts {
  const [end = '', process, address = '0.0.0.0'] = text.split(' ');
  const [protocol, port] = end.split('/');
  return {
    protocol: protocol === 'tcp' ? 'tcp' : 'udp',
    port: Number(port),
    address,
    processes: process === undefined ? [] : [process],
  };
}

function factsOf({ facts }: Case): DetectionInput['facts'] {
  return {
    sockets: (facts.sockets ?? []).map(socket),
    units: Object.entries(facts.units ?? {}).map(([name, active]): UnitFacts => ({ name, active })),
    processes: facts.processes ?? [],
    packages: facts.packages ?? [],
    files: facts.files ?? [],
  };
}

describe('detectRoles', () => {
  const files = readdirSync(path.join(FIXTURES, 'cases'));
  it.each(files.map((file) => [file.replace('.yaml', '').replaceAll('-', ' '), file]))('%s', (_title, file) => {
    const wanted = parse(readFileSync(path.join(FIXTURES, 'cases', file), 'utf8')) as Case;
    const found = detectRoles({
      matrix: loadMatrix(wanted.matrix ?? EXAMPLE),
      facts: factsOf(wanted),
      declared: wanted.declared ?? null,
      remembered: wanted.remembered ?? null,
    });
    const { verdict, roles, candidates } = found;
    const expected = wanted.expect;
    expect(verdict.kind).toBe(expected.verdict);
    if (verdict.kind === 'ambiguous') {
      if (expected.unexplained !== undefined) expect(verdict.unexplained).toEqual(expected.unexplained);
      if (expected.ambiguous !== undefined) expect(verdict.candidates).toEqual(expected.ambiguous);
    }
    if (expected.detected !== undefined) {
      expect(roles.filter(({ because }) => because !== 'every-host').map(({ role }) => role)).toEqual(
        expected.detected,
      );
      return;
    }
    const inShort = roles.map(({ role, because, confidence }) => [
      role,
      because === 'every-host' ? because : `${because} ${confidence}`,
    ]);
    expect(inShort).toEqual(Object.entries(expected.roles ?? {}));
    expect(candidates.map(({ role, confidence }) => [role, confidence])).toEqual(
      Object.entries(expected.candidates ?? {}),
    );
    for (const [role, texts] of Object.entries(expected.evidence ?? {})) {
      expect(roles.find((one) => one.role === role)?.evidence.map(({ text }) => text)).toEqual(texts);
    }
    expect(found.warnings).toHaveLength(expected.warnings?.length ?? 0);
    for (const [index, pattern] of (expected.warnings ?? []).entries())
      expect(found.warnings[index]).toMatch(new RegExp(pattern));
  });
});

describe('whatever the facts', () => {
  const matrix = loadMatrix('portaswitch-ocs');
  const detectors = [...matrix.roles.values()].flatMap((role) => role.detectors);
  const names = detectors.flatMap((detector) =>
    detector.kind === 'process' ? detector.names : detector.kind === 'socket' ? detector.processes : [],
  );
  const ports = detectors.flatMap((detector) =>
    detector.kind === 'socket' ? [detector.port.first, detector.port.last] : [],
  );
  const units = detectors.flatMap((detector) => (detector.kind === 'unit' ? [detector.unit] : []));
  const process = fc.oneof(fc.constantFrom(...names), fc.string({ unit: 'binary', maxLength: 15 }));
  const facts: fc.Arbitrary<DetectionInput['facts']> = fc.record({
    sockets: fc.array(
      fc.record({
        protocol: fc.constantFrom('tcp' as const, 'udp' as const),
        address: fc.constantFrom('*', '0.0.0.0', '::', '127.0.0.1', '::1', '192.0.2.1'),
        port: fc.oneof(fc.constantFrom(...ports), fc.integer({ min: 1, max: 65535 })),
        processes: fc.array(process, { maxLength: 2 }),
      }),
      { maxLength: 12 },
    ),
    units: fc.array(
      fc.record({ name: fc.constantFrom(...units), active: fc.constantFrom('active', 'failed', 'inactive') }),
      { maxLength: 6 },
    ),
    processes: fc.array(process, { maxLength: 6 }),
    packages: fc.array(fc.string(), { maxLength: 3 }),
    files: fc.array(fc.string(), { maxLength: 3 }),
  });
  const roleNames = fc.array(fc.oneof(fc.constantFrom(...matrix.roles.keys()), fc.string({ maxLength: 8 })), {
    maxLength: 4,
  });
  const optional = fc.option(roleNames);

  it('the findings are consistent', () => {
    fc.assert(
      fc.property(facts, optional, optional, (host, declared, remembered) => {
        const { verdict, roles, candidates } = detectRoles({ matrix, facts: host, declared, remembered });
        const assigned = roles.map(({ role }) => role);
        expect(new Set(assigned).size).toBe(assigned.length);
        expect(assigned).toContain('server');
        for (const name of assigned) expect(matrix.roles.get(name)?.appliance).toBe(false);
        for (const { role, confidence } of candidates) {
          expect(assigned).not.toContain(role);
          expect(confidence).toBeGreaterThanOrEqual(CANDIDATE);
          expect(confidence).toBeLessThan(SETTLED);
        }
        if (declared !== null) {
          expect(verdict.kind).toBe('settled');
          expect(roles.some(({ because }) => because === 'detected' || because === 'remembered')).toBe(false);
        }
        if (verdict.kind === 'ambiguous') {
          expect(verdict.unexplained.length).toBeGreaterThan(0);
          expect(verdict.candidates.length).toBeGreaterThan(0);
        }
        if (verdict.kind === 'none') expect(assigned).toEqual(['server']);
      }),
    );
  });

  it('their order does not matter', () => {
    fc.assert(
      fc.property(facts, optional, (host, remembered) => {
        const reversed = Object.fromEntries(Object.entries(host).map(([key, list]) => [key, [...list].reverse()]));
        const input = { matrix, declared: null, remembered };
        expect(detectRoles({ ...input, facts: { ...host, ...reversed } })).toEqual(
          detectRoles({ ...input, facts: host }),
        );
      }),
    );
  });

  it('more evidence never makes a role less sure', () => {
    const confidences = (host: DetectionInput['facts']): Map<string, number> => {
      const { roles, candidates } = detectRoles({ matrix, facts: host, declared: null, remembered: null });
      return new Map([...roles, ...candidates].map(({ role, confidence }) => [role, confidence]));
    };
    fc.assert(
      fc.property(facts, facts, (less, more) => {
        const sum = confidences({
          sockets: [...less.sockets, ...more.sockets],
          units: [...less.units, ...more.units],
          processes: [...less.processes, ...more.processes],
          packages: [...less.packages, ...more.packages],
          files: [...less.files, ...more.files],
        });
        for (const [role, confidence] of confidences(less))
          expect(sum.get(role) ?? 0).toBeGreaterThanOrEqual(confidence);
      }),
    );
  });
});
