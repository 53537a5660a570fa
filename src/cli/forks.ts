import type { AnsibleSettings } from '../ansible/config/config-types.ts';

/** Enough to hide the network's round trips, and no load for this machine. */
const DEFAULT_FORKS = 20;

/** What `--forks` may say at most. */
const MOST_FORKS = 1000;

/** How many hosts to work on at once. */
export function forksOf({ forks }: Pick<AnsibleSettings, 'forks'>, flag?: number): number {
  return flag ?? Math.min(forks?.value ?? DEFAULT_FORKS, MOST_FORKS);
}
