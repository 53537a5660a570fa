/** How long a host waits for a decision, and who decides. */
export interface GuardSettings {
  /** Seconds from arming the rollback until it starts. */
  readonly windowSeconds: number;
  /** `auto`: the fresh connection decides. `manual`: a person decides with `portfw confirm`. */
  readonly confirm: 'auto' | 'manual';
}

/** The default. */
export const DEFAULT_GUARD: GuardSettings = { windowSeconds: 60, confirm: 'auto' };
