import type { DesiredFirewalld } from './desired.ts';
import type { InterfaceMap } from './interfaces.ts';
import type { Opening, Unopened } from './openings.ts';
import type { PolicyInput } from './policy-input.ts';

/** An opening, and the service that it is in; `null` where the host has no interface of its class. */
export interface Opened {
  readonly opening: Opening;
  readonly service: string | null;
}

/** What the reasons for losses follow from: the policy's input, and what became of it. */
export interface LossGround {
  readonly input: PolicyInput;
  readonly map: InterfaceMap;
  readonly desired: DesiredFirewalld;
  readonly opened: readonly Opened[];
  readonly unopened: readonly Unopened[];
}

/** The matrix of the last kept run, where it was another one than now; else `null`. */
export function matrixBefore({ facts, matrix }: Pick<PolicyInput, 'facts' | 'matrix'>): string | null {
  const before = facts.remembered?.matrix ?? null;
  return before === matrix.name ? null : before;
}
