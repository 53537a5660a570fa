import type { HostFacts, RunningFirewalld } from '../facts/facts.ts';
import type { Matrix } from '../matrix/matrix.ts';
import type { HostPeers } from '../settings/addresses-of-hosts.ts';
import type { HostSettings, PrivateMode } from '../settings/settings-types.ts';

/** Everything that the desired configuration of one host follows from. */
export interface PolicyInput {
  readonly matrix: Matrix;
  /** Names of the roles that the host plays. */
  readonly roles: readonly string[];
  readonly settings: HostSettings;
  readonly facts: HostFacts;
  readonly firewalld: RunningFirewalld;
  readonly privateMode: PrivateMode;
  /** Features that the play or the inventory turns on. */
  readonly features: ReadonlySet<string>;
  readonly peers: HostPeers;
  /** `YYYY-MM-DD`. */
  readonly today: string;
  /** Interfaces that a portfw zone holds for good, by name; none when left out. */
  readonly bound?: ReadonlyMap<string, string>;
}
