import { terminalLine } from '../../core/terminal-text.ts';
import { otherRun, otherRunText } from '../../decide/other-runs.ts';
import type { HostFacts } from '../../facts/facts.ts';
import type { Evidence, RoleFindings } from '../../roles/findings.ts';
import { oneLine } from '../clean.ts';
import { ROLE_REASONS } from '../role-view.ts';
import { firstOf, shortenedText } from '../shortened.ts';
import { MOST_NAMES } from './event-text.ts';
import type { Style } from './style.ts';

/** The roles of hosts with the same findings, with their evidence, other candidates, and what the operator has to decide. */
export function detectText(
  hosts: readonly string[],
  { findings, facts }: { readonly findings: RoleFindings; readonly facts: Pick<HostFacts, 'lock' | 'unfinished'> },
  style: Style,
): string {
  const names = shortenedText(
    firstOf(
      hosts.map((host) => style.bold(terminalLine(host))),
      MOST_NAMES,
    ),
  );
  const lines = [`${names}: ${verdictText(findings, style)}`];
  for (const role of findings.roles) {
    const sure = role.because === 'detected' ? `, confidence ${percent(role.confidence)}` : '';
    lines.push(`  ${style.green('✓')} ${style.cyan(terminalLine(role.role))}  ${ROLE_REASONS[role.because]}${sure}`);
    lines.push(...evidenceLines(role.evidence, style));
  }
  for (const candidate of findings.candidates) {
    const sure = `confidence ${percent(candidate.confidence)}, not enough`;
    lines.push(`  ${style.yellow('?')} ${style.cyan(terminalLine(candidate.role))}  ${sure}`);
    lines.push(...evidenceLines(candidate.evidence, style));
  }
  lines.push(...findings.warnings.map((warning) => `  ${style.yellow(`warning: ${oneLine(warning)}`)}`));
  const other = otherRun(facts);
  if (other !== null)
    lines.push(`  ${style.yellow(oneLine(`warning: another run has not ended: ${otherRunText(other)}`))}`);
  if (findings.verdict.kind !== 'settled') {
    lines.push(`  To solve it: ${rolesLine(findings)}`);
  }
  return `${lines.join('\n')}\n`;
}

/** The line for the inventory. */
function rolesLine({ verdict }: RoleFindings): string {
  return verdict.kind === 'ambiguous'
    ? `name the roles in the inventory: portfw_roles: [${verdict.candidates.map(oneLine).join(', ')}] without those that are not meant`
    : 'name the roles in the inventory: portfw_roles: [ROLE, …]; portfw_roles: [] means only the roles of every host';
}

function verdictText({ verdict }: RoleFindings, style: Style): string {
  switch (verdict.kind) {
    case 'settled':
      return style.green('settled');
    case 'ambiguous': {
      const found = verdict.unexplained.map(oneLine).join(', ');
      return `${style.red('ambiguous')}: ${found} fits ${verdict.candidates.map(oneLine).join(', ')}`;
    }
    case 'none':
      return `${style.red('no role')}: nothing was found and nothing is declared`;
  }
}

function evidenceLines(evidence: readonly Evidence[], style: Style): readonly string[] {
  return evidence.map((one) => `      ${style.dim(`${oneLine(one.text)} (${percent(one.weight)})`)}`);
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
