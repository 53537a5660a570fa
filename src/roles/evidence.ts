import { formatPortRange, type Protocol } from '../core/ports.ts';
import { isLoopback } from '../facts/addresses.ts';
import type { HostFacts, SocketFacts, UnitFacts } from '../facts/facts.ts';
import type { Detector, MatrixRole } from '../matrix/matrix.ts';
import type { Evidence } from './findings.ts';

type SocketDetector = Extract<Detector, { kind: 'socket' }>;

/** A range of more ports than this may contain ephemeral ports of other programs. */
const WIDE_RANGE = 100;
/** The highest weight of a socket in a wide range, if no process is in the detector. */
const WIDE_RANGE_WEIGHT = 0.1;
/** A failed unit was meant to run; an inactive one may exist only by default. */
const SPEAKING_STATES: ReadonlySet<string> = new Set(['active', 'activating', 'reloading', 'refreshing', 'failed']);

/** The kernel keeps this many characters of a process name; longer names in a matrix are compared by their beginning. */
const COMM_LENGTH = 15;

/** One port on which programs of the host listen: its sockets of all addresses together. */
export interface ListeningPort {
  readonly protocol: Protocol;
  readonly port: number;
  /** Sorted, each once; empty when the owners could not be read. */
  readonly owners: readonly string[];
}

/** The facts for detectors, prepared for many lookups. The order of the facts does not matter. */
export interface Observed {
  readonly ports: readonly ListeningPort[];
  readonly processes: ReadonlySet<string>;
  readonly packages: ReadonlySet<string>;
  readonly files: ReadonlySet<string>;
  readonly units: ReadonlyMap<string, string>;
}

/** Prepares the facts; sockets that only the host itself can reach are left out. */
export function observe(facts: Pick<HostFacts, 'sockets' | 'processes' | 'packages' | 'files' | 'units'>): Observed {
  return {
    ports: listeningPorts(facts.sockets),
    processes: new Set(facts.processes),
    packages: new Set(facts.packages),
    files: new Set(facts.files),
    units: speakingUnits(facts.units),
  };
}

function listeningPorts(sockets: readonly SocketFacts[]): readonly ListeningPort[] {
  const found = new Map<string, { protocol: Protocol; port: number; owners: Set<string> }>();
  for (const { protocol, address, port, processes } of sockets) {
    if (isLoopback(address)) continue;
    const key = `${protocol}/${port}`;
    const entry = found.get(key) ?? { protocol, port, owners: new Set<string>() };
    for (const name of processes) entry.owners.add(name);
    found.set(key, entry);
  }
  return [...found.values()]
    .map(({ protocol, port, owners }) => ({ protocol, port, owners: [...owners].sort() }))
    .sort((a, b) => (a.protocol === b.protocol ? a.port - b.port : a.protocol < b.protocol ? -1 : 1));
}

function speakingUnits(units: readonly UnitFacts[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const { name, active } of units) {
    const known = found.get(name);
    // If a unit is listed twice, the state must not depend on the order.
    if (SPEAKING_STATES.has(active) && (known === undefined || active < known)) found.set(name, active);
  }
  return found;
}

/** `udp/5060 owned by EdgeProxy`. */
export function describePort({ protocol, port, owners }: ListeningPort): string {
  const who = owners.length === 0 ? 'whose owner could not be read' : `owned by ${owners.join(', ')}`;
  return `${protocol}/${port} ${who}`;
}

/** The listening ports that match a detector. */
export function matchingPorts(detector: SocketDetector, observed: Observed): readonly ListeningPort[] {
  return observed.ports.filter((listening) => fits(detector, listening));
}

function fits(detector: SocketDetector, { protocol, port, owners }: ListeningPort): boolean {
  return (
    protocol === detector.protocol &&
    port >= detector.port.first &&
    port <= detector.port.last &&
    (detector.processes.length === 0 || detector.processes.some((name) => owners.includes(comm(name))))
  );
}

/** The evidence for a role: at most one piece for each of its detectors, in their order. */
export function evidenceFor(role: MatrixRole, observed: Observed): readonly Evidence[] {
  return role.detectors.flatMap((detector) => evidenceOf(detector, observed) ?? []);
}

function evidenceOf(detector: Detector, observed: Observed): Evidence | null {
  const { kind, weight } = detector;
  switch (kind) {
    case 'socket': {
      const ports = matchingPorts(detector, observed);
      const [first] = ports;
      if (first === undefined) return null;
      const others = ports.length === 1 ? '' : ` and ${ports.length - 1} more in ${formatPortRange(detector.port)}`;
      const seen =
        detector.processes.length === 0 ? `listener on ${first.protocol}/${first.port}` : describePort(first);
      return { kind, text: `${seen}${others}`, weight: socketWeight(detector) };
    }
    case 'process': {
      const running = detector.names.filter((name) => observed.processes.has(comm(name)));
      return running.length === 0 ? null : { kind, text: `process ${running.join(', ')}`, weight };
    }
    case 'unit': {
      const name = /\.[a-z]+$/.test(detector.unit) ? detector.unit : `${detector.unit}.service`;
      const state = observed.units.get(name);
      return state === undefined
        ? null
        : { kind, text: `unit ${name}${state === 'active' ? '' : ` (${state})`}`, weight };
    }
    case 'package':
      return observed.packages.has(detector.package) ? { kind, text: `package ${detector.package}`, weight } : null;
    case 'file':
      return observed.files.has(detector.path) ? { kind, text: `file ${detector.path}`, weight } : null;
  }
}

function comm(name: string): string {
  return name.slice(0, COMM_LENGTH);
}

/** Whether a detector accepts any program's socket in a wide range: weak evidence, and not enough on its own. */
export function isVague(detector: SocketDetector): boolean {
  return detector.processes.length === 0 && detector.port.last - detector.port.first >= WIDE_RANGE;
}

function socketWeight(detector: SocketDetector): number {
  return isVague(detector) ? Math.min(detector.weight, WIDE_RANGE_WEIGHT) : detector.weight;
}

/**
 * The confidence from the evidence, 0 to 1: 1 - Π(1 - weight). Rounded to thousandths, so that a threshold can be checked by
 * hand.
 */
export function confidenceOf(evidence: readonly Evidence[]): number {
  const doubt = evidence.reduce((rest, { weight }) => rest * (1 - weight), 1);
  return Math.round((1 - doubt) * 1000) / 1000;
}

/** Whether a role explains a listening port: one of its detectors or rules matches it. */
export function explains(role: MatrixRole, listening: ListeningPort): boolean {
  const { protocol, port } = listening;
  return (
    role.rules.some(
      (rule) =>
        rule.protocol === protocol &&
        rule.port.kind === 'range' &&
        port >= rule.port.range.first &&
        port <= rule.port.range.last,
    ) || role.detectors.some((detector) => detector.kind === 'socket' && fits(detector, listening))
  );
}
