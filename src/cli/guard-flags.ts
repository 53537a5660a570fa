import { parseDuration } from '../core/duration.ts';
import type { GuardSettings } from '../plan/guard-settings.ts';
import { UsageError } from './usage-error.ts';

/** The flags of commands that change hosts. */
export interface GuardFlags {
  readonly revertAfter?: string;
  readonly confirm?: string;
}

/** Below this no host can be reached afresh in time; above it a host would be left between two states for a day. */
const LEAST_SECONDS = 5;
const MOST_SECONDS = 24 * 3600;
const AUTO_SECONDS = 60;
/** A person needs time to look. */
const MANUAL_SECONDS = 600;

/**
 * How long hosts wait for a decision, and whose.
 *
 * @throws UsageError when a flag has no sense
 */
export function guardSettings(flags: GuardFlags): GuardSettings {
  const confirm = flags.confirm ?? 'auto';
  if (confirm !== 'auto' && confirm !== 'manual')
    throw new UsageError(
      '--confirm is "auto" or "manual"',
      'auto keeps the change when a new connection has verified it; manual waits for "portfw confirm"',
    );
  if (flags.revertAfter === undefined)
    return { windowSeconds: confirm === 'manual' ? MANUAL_SECONDS : AUTO_SECONDS, confirm };
  const windowSeconds = parseDuration(flags.revertAfter);
  if (windowSeconds === null || windowSeconds < LEAST_SECONDS || windowSeconds > MOST_SECONDS)
    throw new UsageError(
      `--revert-after is a time from ${LEAST_SECONDS}s to ${MOST_SECONDS / 3600}h`,
      'Write it like 60s, 5m or 1h',
    );
  return { windowSeconds, confirm };
}
