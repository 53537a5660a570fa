import { durationText } from '../../core/duration.ts';
import { counted } from '../../core/lists.ts';
import { terminalLine } from '../../core/terminal-text.ts';
import type { FleetEvent } from '../../fleet/events.ts';
import { leftOutText } from '../../settings/left-out.ts';
import { oneLine } from '../clean.ts';
import type { FailedHost } from '../failure-groups.ts';
import { outcomeView } from '../outcome-view.ts';
import { firstOf, shortenedText } from '../shortened.ts';
import { paintOf, type Style } from './style.ts';

/** The lines for an event, and how important they are. */
export interface EventText {
  readonly lines: readonly string[];
  /** `detail`: only with -v. `good`: a host that ended well. */
  readonly weight: 'detail' | 'good' | 'bad' | 'note' | 'run';
}

/**
 * The lines for an event, or `null` when there are none.
 *
 * @param failures the lines for a host that failed
 */
export function eventText(
  event: FleetEvent,
  style: Style,
  failures: (failed: FailedHost) => readonly string[],
): EventText | null {
  switch (event.kind) {
    case 'run-started':
      return { weight: 'run', lines: startLines(event) };
    case 'batch-started':
      return batchText(event);
    case 'batches-split':
      return splitText(event);
    case 'host-phase':
      return { weight: 'detail', lines: [`${terminalLine(event.host)}: ${event.phase}`] };
    case 'host-note':
      return { weight: 'note', lines: [noteLine([event.host], event, style)] };
    case 'host-planned': {
      const changes = counted(event.plan.changes.length, 'change');
      return { weight: 'good', lines: [`${terminalLine(event.host)}: ${style.yellow('planned')}, ${changes} to make`] };
    }
    case 'host-finished':
    case 'host-reverted':
      return outcomeText(event, style, failures);
    case 'batch-finished':
      return event.stop === null
        ? null
        : { weight: 'bad', lines: [style.red(`No more batches of this playbook: ${oneLine(event.stop)}`)] };
    case 'interrupted':
      return {
        weight: 'run',
        lines: [style.yellow('Interrupted: finishing hosts in progress; no new hosts will be started')],
      };
    case 'run-finished':
      return null;
  }
}

/** A note, once for all hosts that have it. */
export function noteLine(
  hosts: readonly string[],
  { severity, text }: Pick<EventOf<'host-note'>, 'severity' | 'text'>,
  style: Style,
): string {
  const names = hosts.map((host) => terminalLine(host));
  const who = names.length === 1 ? names[0] : `${names.length} hosts (${shortenedText(firstOf(names, MOST_NAMES))})`;
  return `${who}: ${severity === 'warning' ? style.yellow('warning') : 'note'}: ${oneLine(text)}`;
}

/** At most this many names are shown of hosts that have the same to say. */
export const MOST_NAMES = 20;

type EventOf<K extends FleetEvent['kind']> = Extract<FleetEvent, { kind: K }>;

function startLines({ command, hosts, leftOut = [] }: EventOf<'run-started'>): readonly string[] {
  const left = leftOut.length === 0 ? [] : [`    left out: ${leftOutText(leftOut)}`];
  return [`${command}: ${counted(hosts.length, 'host')}`, ...left];
}

function batchText({ play, batch, batches, hosts }: EventOf<'batch-started'>): EventText | null {
  if (batches === 1) return null;
  const of = play === '' ? '' : ` of play "${oneLine(play)}"`;
  return { weight: 'run', lines: [`batch ${batch}/${batches}${of}: ${counted(hosts.length, 'host')}`] };
}

const FEW_HOSTS = 5;

function splitText({ play, batches, serial, clusters }: EventOf<'batches-split'>): EventText {
  const what = play === '' ? 'the hosts' : `play "${oneLine(play)}"`;
  const how =
    batches === serial
      ? 'with other hosts than "serial" by itself would give'
      : `instead of the ${serial} that "serial" by itself would give`;
  const why = 'because hosts of a cluster are never changed at the same time';
  const members = clusters.map((cluster) => {
    const hosts = shortenedText(
      firstOf(
        cluster.hosts.map((host) => terminalLine(host)),
        FEW_HOSTS,
      ),
    );
    return `    ${oneLine(cluster.what)}: ${hosts}`;
  });
  return { weight: 'run', lines: [`${what}: ${counted(batches, 'batch', 'batches')} ${how}, ${why}`, ...members] };
}

function outcomeText(
  { host, outcome, durationMs }: EventOf<'host-finished' | 'host-reverted'>,
  style: Style,
  failures: (failed: FailedHost) => readonly string[],
): EventText {
  const view = outcomeView(outcome);
  const { kind, label, tone, note, failure } = view;
  const name = terminalLine(host);
  if (failure !== null) return { weight: 'bad', lines: failures({ host: name, outcome: view, durationMs }) };
  const took = durationText(durationMs / 1000, 1);
  const head = `${name}: ${paintOf(tone, style)(label)} (${took}): ${note}`;
  return { weight: kind === 'reverted' ? 'bad' : 'good', lines: [head] };
}
