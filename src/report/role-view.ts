import type { RoleAssignment } from '../roles/findings.ts';
import { firstOf, type Shortened } from './shortened.ts';

/** A role of a host, and why it has it. */
export interface RoleView {
  readonly role: string;
  /** `detected (95 %)`, `declared in the inventory`. */
  readonly because: string;
  /** Strongest first; `portfw detect` shows all of it. */
  readonly evidence: Shortened<string>;
}

/** Why a host has a role, in words. */
export const ROLE_REASONS: Readonly<Record<RoleAssignment['because'], string>> = {
  declared: 'declared in the inventory',
  detected: 'detected',
  remembered: 'remembered from an earlier run',
  'every-host': 'played by every host',
};

/** At most this many pieces of evidence fit on a line. */
const MOST_EVIDENCE = 4;

/** A role with the strongest evidence for it. */
export function roleView({ role, because, confidence, evidence }: RoleAssignment): RoleView {
  const sure = because === 'detected' ? ` (${Math.round(confidence * 100)} %)` : '';
  const strongest = [...evidence].sort((a, b) => b.weight - a.weight).map(({ text }) => text);
  return { role, because: `${ROLE_REASONS[because]}${sure}`, evidence: firstOf(strongest, MOST_EVIDENCE) };
}
