import { terminalLine } from '../core/terminal-text.ts';
import type { HostOutcome } from '../fleet/events.ts';
import { pendingText } from '../fleet/guarded-run.ts';
import { endText } from '../fleet/run-notes.ts';

import { oneLine } from './change-text.ts';
import type { Style } from './style.ts';

type Status = Extract<HostOutcome, { kind: 'status' }>;

/** What is pending on a host, who holds its lock, and how its last run ended. */
export function statusText(host: string, status: Status, style: Style): string {
  const lines = status.pending.map(
    (run) =>
      `  ${style.yellow(oneLine(run.what))} by ${oneLine(run.holder)} since ${oneLine(run.since)}: ${pendingText(run)}`,
  );
  if (status.pending.length === 0 && status.lock !== null)
    lines.push(`  ${oneLine(status.lock.holder)} has held the lock since ${oneLine(status.lock.since)}`);
  if (lines.length === 0) lines.push('  nothing is pending');
  if (status.last !== null) lines.push(`  the last run: ${endText(status.last)}`);
  return `${style.bold(terminalLine(host))}\n${lines.join('\n')}\n`;
}
