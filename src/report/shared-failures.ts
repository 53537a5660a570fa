import type { FleetEvent } from '../fleet/events.ts';
import { cleaned } from './clean.ts';
import { type FailureView, type OutcomeView, outcomeView, type Tone } from './outcome-view.ts';

/** One failure of several hosts, in words for all of them. */
export interface SharedFailureView {
  readonly label: string;
  readonly tone: Tone;
  readonly what: string;
  /** Those that all hosts have. */
  readonly details: readonly string[];
  readonly solve: string;
  /** Lines to paste, for all hosts together. */
  readonly commands: readonly string[];
  /** With the details of each, where they are not the same for all. */
  readonly hosts: readonly { readonly name: string; readonly own: string; readonly details: readonly string[] }[];
}

type Finished = Extract<FleetEvent, { kind: 'host-finished' }>;

/** What was held back: failures of one host each, and those of several. */
export interface Released {
  readonly single: readonly Finished[];
  readonly shared: readonly SharedFailureView[];
}

/**
 * Holds back the failures that other hosts may have for the same reason (an unknown host key, a refused login), so that an
 * output can say each of them once, with the list of the hosts.
 */
export class SharedFailures {
  #groups = new Map<string, Finished[]>();
  /** The place of each host in the run: hosts end in any order. */
  readonly #places = new Map<string, number>();

  /** @returns whether the event is held back */
  hold(event: FleetEvent): boolean {
    if (event.kind === 'run-started') for (const host of event.hosts) this.#places.set(host, this.#places.size);
    if (event.kind !== 'host-finished' || !('failure' in event.outcome)) return false;
    const key = sharedKey(outcomeView(event.outcome));
    if (key === null) return false;
    const group = this.#groups.get(key);
    if (group === undefined) this.#groups.set(key, [event]);
    else group.push(event);
    return true;
  }

  /** Everything that was held back since the last call, in the order of the first host of each failure. */
  release(): Released {
    const place = ({ host }: Finished): number => this.#places.get(host) ?? this.#places.size;
    const groups = [...this.#groups.values()].map((group) => group.sort((a, b) => place(a) - place(b)));
    this.#groups = new Map();
    return {
      single: groups.flatMap((group) => (group.length === 1 ? group : [])),
      shared: groups.filter(({ length }) => length > 1).map(viewOf),
    };
  }
}

/** The same for all outcomes that are the same failure; `null` where the failure is the host's alone. */
export function sharedKey({ label, failure }: Pick<OutcomeView, 'label' | 'failure'>): string | null {
  if (failure === null || failure.shared === null) return null;
  const { what, solve } = failure.shared;
  return JSON.stringify([label, failure.code, what, solve]);
}

function viewOf(events: readonly Finished[]): SharedFailureView {
  const members = events.flatMap(({ host, outcome }) => {
    const { label, tone, failure } = outcomeView(outcome);
    return failure?.shared == null ? [] : [{ name: cleaned(host), label, tone, failure, shared: failure.shared }];
  });
  const { label, tone, shared } = members[0]!;
  const same = new Set(members.map(({ failure }) => JSON.stringify(failure.details))).size === 1;
  return {
    label,
    tone,
    what: shared.what,
    details: same ? members[0]!.failure.details : [],
    solve: shared.solve,
    commands: commandsOf(members.map((member) => member.shared)),
    hosts: members.map(({ name, shared: { own }, failure: { details } }) => ({
      name,
      own,
      details: same ? [] : details,
    })),
  };
}

/** One line for all commands that differ only in their word. */
function commandsOf(shared: readonly NonNullable<FailureView['shared']>[]): readonly string[] {
  const words = new Map<string, { readonly before: string; readonly words: Set<string>; readonly after: string }>();
  for (const { command } of shared) {
    if (command === undefined) continue;
    const { before, word, after } = command;
    const key = JSON.stringify([before, after]);
    const same = words.get(key) ?? { before, words: new Set(), after };
    same.words.add(word);
    words.set(key, same);
  }
  return [...words.values()].map((one) => `${one.before} ${[...one.words].join(' ')} ${one.after}`);
}
