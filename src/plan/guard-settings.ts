/** How long a host waits for a decision, and whose. */
export interface GuardSettings {
  /** Seconds from the arming of the rollback to its firing. */
  readonly windowSeconds: number;
  /** `auto`: the fresh connection decides. `manual`: a person does, with `portfw confirm`. */
  readonly confirm: 'auto' | 'manual';
}

/** How long hosts wait where nobody says otherwise. */
export const DEFAULT_GUARD: GuardSettings = { windowSeconds: 60, confirm: 'auto' };
