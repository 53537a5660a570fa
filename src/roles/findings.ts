/** One fact on the host that is evidence for a role. */
export interface Evidence {
  readonly kind: 'socket' | 'process' | 'unit' | 'package' | 'file';
  /** Human text: `udp/5060 EdgeProxy`, `unit portasip-edge.service`. */
  readonly text: string;
  readonly weight: number;
}

/** A role that the host plays, and the reason. */
export interface RoleAssignment {
  readonly role: string;
  readonly because: 'declared' | 'detected' | 'remembered' | 'every-host';
  /** 0 to 1; 1 for a declared role and for the role of every host. */
  readonly confidence: number;
  readonly evidence: readonly Evidence[];
}

/** A role with some evidence, but not enough. */
export interface RoleCandidate {
  readonly role: string;
  readonly confidence: number;
  readonly evidence: readonly Evidence[];
}

export type RoleVerdict =
  | { readonly kind: 'settled' }
  /** Unexplained evidence fits these candidates: the operator must decide. */
  | { readonly kind: 'ambiguous'; readonly unexplained: readonly string[]; readonly candidates: readonly string[] }
  /** Nothing was found and nothing is declared. */
  | { readonly kind: 'none' };

export interface RoleFindings {
  readonly verdict: RoleVerdict;
  readonly roles: readonly RoleAssignment[];
  readonly candidates: readonly RoleCandidate[];
  /** Contradictions between what is declared or remembered and what was found. */
  readonly warnings: readonly string[];
}
