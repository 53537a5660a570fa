import type { RunSummary } from '../../fleet/events.ts';
import { detectText } from './detect-text.ts';
import { factsText } from './facts-text.ts';
import { historyText } from './history-text.ts';
import { statusText } from './status-text.ts';
import type { Style } from './style.ts';

/**
 * The results of a command: facts, roles, generations or status of each host. Plans are shown as a review, and other commands
 * have the closing table alone.
 */
export function resultsText(summary: RunSummary, style: Style): string {
  const texts: string[] = [];
  const alike = undecided(summary, style);
  for (const [host, outcome] of summary.outcomes) {
    switch (outcome.kind) {
      case 'facts':
        texts.push(factsText(host, outcome.facts, style));
        break;
      case 'roles': {
        const hosts = alike.get(detectText([], outcome, style)) ?? [host];
        if (hosts[0] === host) texts.push(detectText(hosts, outcome, style));
        break;
      }
      case 'history':
        texts.push(historyText(host, outcome, style));
        break;
      case 'status':
        texts.push(statusText(host, outcome, style));
        break;
      case 'planned':
      case 'unchanged':
      case 'changed':
      case 'awaiting':
      case 'confirmed':
      case 'nothing-pending':
      case 'rolled-back':
      case 'reverted':
      case 'refused':
      case 'unreachable':
      case 'failed':
      case 'skipped':
        break;
    }
  }
  return texts.join('\n');
}

/** The hosts whose roles are not settled, by what is to be said of them: it is said once for all that have the same. */
function undecided(summary: RunSummary, style: Style): ReadonlyMap<string, readonly string[]> {
  const hosts = new Map<string, string[]>();
  for (const [host, outcome] of summary.outcomes) {
    if (outcome.kind !== 'roles' || outcome.findings.verdict.kind === 'settled') continue;
    const text = detectText([], outcome, style);
    const same = hosts.get(text);
    if (same === undefined) hosts.set(text, [host]);
    else same.push(host);
  }
  return hosts;
}
