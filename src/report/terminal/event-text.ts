import { durationText } from '../../core/duration.ts';
import { counted } from '../../core/lists.ts';
import { terminalLine } from '../../core/terminal-text.ts';
import type { FleetEvent } from '../../fleet/events.ts';
import { oneLine } from '../clean.ts';
import { failureLines, failureOf, outcomeLabel, outcomeNote, outcomePaint } from './outcome-text.ts';
import type { Style } from './style.ts';

/** What a line is about: only the quiet ones may be left out. */
export interface EventText {
  readonly lines: readonly string[];
  /** `detail`: shown with -v only. `good`: a host that ended well. */
  readonly weight: 'detail' | 'good' | 'bad' | 'note' | 'run';
}

/** An event as plain lines, or `null` for one that has nothing to say on its own. */
export function eventText(event: FleetEvent, style: Style, verbosity: number): EventText | null {
  switch (event.kind) {
    case 'run-started':
      return { weight: 'run', lines: [`${event.command}: ${counted(event.hosts.length, 'host')}`] };
    case 'batch-started': {
      if (event.batches === 1) return null;
      const play = event.play === '' ? '' : ` of play "${oneLine(event.play)}"`;
      return {
        weight: 'run',
        lines: [`batch ${event.batch}/${event.batches}${play}: ${counted(event.hosts.length, 'host')}`],
      };
    }
    case 'batches-split': {
      const play = event.play === '' ? 'the hosts' : `play "${oneLine(event.play)}"`;
      const how =
        event.batches === event.serial
          ? 'with other hosts than serial alone would take'
          : `instead of the ${event.serial} of serial alone`;
      return {
        weight: 'run',
        lines: [
          `${play}: ${counted(event.batches, 'batch', 'batches')} ${how}, since hosts of a cluster are never changed at the same time`,
          ...event.clusters.map(({ what, hosts }) => `    ${oneLine(what)}: ${someHosts(hosts)}`),
        ],
      };
    }
    case 'host-phase':
      return { weight: 'detail', lines: [`${terminalLine(event.host)}: ${event.phase}`] };
    case 'host-note': {
      const severity = event.severity === 'warning' ? style.yellow('warning') : 'note';
      return { weight: 'note', lines: [`${terminalLine(event.host)}: ${severity}: ${oneLine(event.text)}`] };
    }
    case 'host-planned':
      return {
        weight: 'good',
        lines: [
          `${terminalLine(event.host)}: ${style.yellow('planned')}, ${counted(event.plan.changes.length, 'change')} to make`,
        ],
      };
    case 'host-finished':
    case 'host-put-back': {
      const { outcome } = event;
      const label = outcomePaint(outcome, style)(outcomeLabel(outcome));
      const head = `${terminalLine(event.host)}: ${label} (${durationText(event.durationMs / 1000, 1)}): ${outcomeNote(outcome)}`;
      const failure = failureOf(outcome);
      if (outcome.kind === 'reverted') return { weight: 'bad', lines: [head] };
      if (failure === null) return { weight: 'good', lines: [head] };
      // The first of its lines is what the head says already.
      const more = failureLines(failure, verbosity).slice(1);
      return { weight: 'bad', lines: [head, ...more.map((line) => `    ${line}`)] };
    }
    case 'batch-finished':
      return event.stop === null
        ? null
        : { weight: 'bad', lines: [style.red(`No further batch of this playbook: ${oneLine(event.stop)}`)] };
    case 'interrupted':
      return {
        weight: 'run',
        lines: [style.yellow('Interrupted: finishing what must not be half done; no further host is begun')],
      };
    case 'run-finished':
      return null;
  }
}

/** Up to five names, and how many more there are. */
function someHosts(hosts: readonly string[]): string {
  const some = hosts
    .slice(0, 5)
    .map((host) => terminalLine(host))
    .join(', ');
  return hosts.length <= 5 ? some : `${some} and ${hosts.length - 5} more`;
}
