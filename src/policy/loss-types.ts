/**
 * Why something that a host has is not desired any more. A port is written as `8442/tcp`. `side` and `sides` are interface
 * classes. Where it cannot be known, the kind is `unknown`: nothing is guessed.
 */
export type Loss =
  /** The host does not play the role. `remembered`: the last kept run opened its ports; `declared`: `portfw_roles` decides. */
  | { readonly kind: 'role-gone'; readonly role: string; readonly remembered: boolean; readonly declared: boolean }
  /** `before`: the matrix of the last kept run, where it was another one. */
  | {
      readonly kind: 'role-not-in-matrix';
      readonly role: string;
      readonly matrix: string;
      readonly before: string | null;
    }
  /** The role is played, and the matrix does not open these ports for it on this side. `before` as above. */
  | {
      readonly kind: 'row-gone';
      readonly matrix: string;
      readonly before: string | null;
      readonly role: string;
      readonly side: string;
      readonly ports: readonly string[];
    }
  | { readonly kind: 'feature-off'; readonly feature: string; readonly ports: readonly string[] }
  /** The last day of an extra rule is over. */
  | { readonly kind: 'expired'; readonly name: string; readonly owner: string; readonly expires: string }
  /** The inventory has no extra rule of this name; the name as it is in the service's name. */
  | { readonly kind: 'extra-rule-gone'; readonly name: string }
  /** The extra rule is there, without these ports. */
  | { readonly kind: 'extra-rule-changed'; readonly name: string; readonly ports: readonly string[] }
  /** Fewer may connect than before. `by`: a variable of the inventory or an extra rule; `to`: what it says. */
  | { readonly kind: 'narrowed'; readonly by: string; readonly to: string }
  /** Nothing on the host is limited to it: a variable of the inventory, an extra rule or a peer set. */
  | { readonly kind: 'not-narrowed'; readonly by: string }
  /** The same ports are opened by another service, or to others. `to`: a set of peers, or `null` for anybody. */
  | { readonly kind: 'replaced'; readonly service: string; readonly to: string | null }
  /** No address is known of those who may connect. */
  | { readonly kind: 'no-peers'; readonly of: string }
  /** These addresses are not among those who may connect. */
  | { readonly kind: 'peers-gone'; readonly of: string }
  | { readonly kind: 'peer-set-gone'; readonly matrix: string; readonly before: string | null }
  /** `by`: the variable that moved it, or `null`: the matrix or the extra rule itself did. */
  | { readonly kind: 'side-moved'; readonly what: string; readonly side: string; readonly by: string | null }
  /** No interface of the host is of all these classes. */
  | { readonly kind: 'side-gone'; readonly sides: readonly string[] }
  /** An interface of these classes is of another one as well, which makes it another zone's. */
  | { readonly kind: 'sides-joined'; readonly sides: readonly string[] }
  | { readonly kind: 'vip-gone'; readonly address: string }
  /** The portmapper has the program on these ports now; empty if it does not know it. */
  | {
      readonly kind: 'rpc-moved';
      readonly program: string;
      readonly protocol: string;
      readonly ports: readonly string[];
    }
  | { readonly kind: 'helper-missing'; readonly helper: string }
  | { readonly kind: 'no-cluster' }
  /** Only a stricter target of a zone needs it. */
  | { readonly kind: 'target-default'; readonly sides: readonly string[] }
  /** No interface class selects it. `there`: the host has it now. */
  | { readonly kind: 'interface-unmapped'; readonly interface: string; readonly there: boolean }
  /** It belongs to other zones of portfw. */
  | { readonly kind: 'other-zone'; readonly zones: readonly string[] }
  /** portfw never writes such a thing. */
  | { readonly kind: 'by-hand' }
  | { readonly kind: 'unknown'; readonly matrix: string };
