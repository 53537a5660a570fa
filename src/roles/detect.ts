import { safeText } from '../core/shown.ts';
import { closest } from '../core/suggest.ts';
import type { HostFacts } from '../facts/facts.ts';
import type { Matrix, MatrixRole } from '../matrix/matrix.ts';
import {
  confidenceOf,
  describePort,
  evidenceFor,
  explains,
  isVague,
  type ListeningPort,
  matchingPorts,
  type Observed,
  observe,
} from './evidence.ts';
import type { Evidence, RoleAssignment, RoleCandidate, RoleFindings, RoleVerdict } from './findings.ts';

/** From this confidence on, a role is accepted. */
export const SETTLED = 0.6;
/** From this confidence on, a role is named to the operator. */
export const CANDIDATE = 0.15;

export interface DetectionInput {
  readonly matrix: Matrix;
  readonly facts: Pick<HostFacts, 'sockets' | 'processes' | 'packages' | 'files' | 'units'>;
  /** The inventory's `portfw_roles`; `null` if roles are left to detection. */
  readonly declared: readonly string[] | null;
  /** The roles that an earlier run applied on the host; `null` before the first one. */
  readonly remembered: readonly string[] | null;
}

interface Finding {
  readonly role: MatrixRole;
  readonly evidence: readonly Evidence[];
  readonly confidence: number;
}

/**
 * Detects which roles of the matrix a host plays.
 *
 * Declared roles win over detected ones; contradicting evidence gives a warning. Without a declaration, roles come from
 * evidence and from an earlier run; a listening port that fits only roles with too little evidence makes the verdict
 * `ambiguous`. Appliances are never detected. Pure; the order of the facts does not matter.
 */
export function detectRoles(input: DetectionInput): RoleFindings {
  const { matrix, declared, remembered } = input;
  const observed = observe(input.facts);
  const findings = new Map<string, Finding>();
  for (const role of matrix.roles.values()) {
    const evidence = role.appliance || role.everyHost ? [] : evidenceFor(role, observed);
    findings.set(role.name, { role, evidence, confidence: confidenceOf(evidence) });
  }
  const settled = [...findings.values()].filter(({ confidence }) => confidence >= SETTLED);
  const everyHost = [...findings.values()].filter(({ role }) => role.everyHost);
  const chosen =
    declared === null
      ? withoutDeclaration(findings, settled, remembered ?? [])
      : declaredRoles(findings, settled, declared);
  const chosenNames = new Set(chosen.roles.map(({ role }) => role));
  const roles = [
    ...everyHost.map(
      ({ role }): RoleAssignment => ({ role: role.name, because: 'every-host', confidence: 1, evidence: [] }),
    ),
    ...chosen.roles,
  ];
  const candidates = [...findings.values()]
    .filter(({ role, confidence }) => confidence >= CANDIDATE && confidence < SETTLED && !chosenNames.has(role.name))
    .sort((a, b) => b.confidence - a.confidence || compareText(a.role.name, b.role.name));
  const assigned = roles.map(({ role }) => matrix.roles.get(role)!);
  return {
    verdict:
      declared === null ? verdictOf(observed, assigned, chosen.roles.length > 0, candidates) : { kind: 'settled' },
    roles,
    candidates: candidates.map(
      ({ role, confidence, evidence }): RoleCandidate => ({ role: role.name, confidence, evidence }),
    ),
    warnings: chosen.warnings,
  };
}

interface Chosen {
  readonly roles: readonly RoleAssignment[];
  readonly warnings: readonly string[];
}

function declaredRoles(
  findings: ReadonlyMap<string, Finding>,
  settled: readonly Finding[],
  declared: readonly string[],
): Chosen {
  const warnings: string[] = [];
  const roles: RoleAssignment[] = [];
  for (const name of new Set(declared)) {
    const finding = findings.get(name);
    if (finding === undefined) {
      const near = closest(name, findings.keys());
      const solve = near === null ? '' : `; did the inventory mean "${near}"?`;
      warnings.push(`The role "${safeText(name)}" is declared, but the matrix has no such role${solve}`);
      continue;
    }
    if (finding.role.everyHost) continue;
    roles.push({ role: name, because: 'declared', confidence: 1, evidence: finding.evidence });
    if (finding.evidence.length === 0 && finding.role.detectors.length > 0) {
      warnings.push(`The role "${name}" is declared, but nothing on the host indicates it at the moment`);
    }
  }
  for (const { role, evidence } of settled) {
    if (declared.includes(role.name)) continue;
    warnings.push(`The role "${role.name}" is not declared, but the host seems to play it: ${texts(evidence)}`);
  }
  return { roles, warnings };
}

function withoutDeclaration(
  findings: ReadonlyMap<string, Finding>,
  settled: readonly Finding[],
  remembered: readonly string[],
): Chosen {
  const warnings: string[] = [];
  const roles: RoleAssignment[] = settled.map(({ role, confidence, evidence }) => ({
    role: role.name,
    because: 'detected',
    confidence,
    evidence,
  }));
  for (const name of new Set(remembered)) {
    const finding = findings.get(name);
    if (finding === undefined) {
      warnings.push(
        `The role "${safeText(name)}" was applied before, but the matrix no longer has it: its ports will be closed`,
      );
      continue;
    }
    if (finding.role.everyHost || settled.includes(finding)) continue;
    roles.push({ role: name, because: 'remembered', confidence: finding.confidence, evidence: finding.evidence });
    if (finding.evidence.length === 0) {
      warnings.push(
        `The role "${name}" was applied before and stays, although nothing on the host indicates it at the moment; to remove it, declare portfw_roles without it`,
      );
    }
  }
  return { roles, warnings };
}

/**
 * A host is ambiguous if a listening port is evidence for candidates and no assigned role explains it, or if all of its
 * evidence is for candidates only.
 */
function verdictOf(
  observed: Observed,
  assigned: readonly MatrixRole[],
  anyChosen: boolean,
  candidates: readonly Finding[],
): RoleVerdict {
  const unexplained = new Set<ListeningPort>();
  const undecided: Finding[] = [];
  for (const candidate of candidates) {
    const ports = candidate.role.detectors
      .flatMap((detector) =>
        detector.kind === 'socket' && !isVague(detector) ? matchingPorts(detector, observed) : [],
      )
      .filter((port) => !assigned.some((role) => explains(role, port)));
    for (const port of ports) unexplained.add(port);
    if (ports.length > 0 || !anyChosen) undecided.push(candidate);
  }
  if (undecided.length > 0) {
    const ports = observed.ports.filter((port) => unexplained.has(port)).map(describePort);
    const others = undecided.flatMap(({ evidence }) =>
      evidence.filter(({ kind }) => kind !== 'socket').map(({ text }) => text),
    );
    return {
      kind: 'ambiguous',
      unexplained: [...ports, ...new Set(others)],
      candidates: undecided.map(({ role }) => role.name),
    };
  }
  return anyChosen ? { kind: 'settled' } : { kind: 'none' };
}

function texts(evidence: readonly Evidence[]): string {
  return evidence.map(({ text }) => text).join('; ');
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
