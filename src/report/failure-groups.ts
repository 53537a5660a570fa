import type { SharedFault } from '../core/failure.ts';
import type { OutcomeView } from './outcome-view.ts';

/** A host that failed, was refused or could not be reached, and how. */
export interface FailedHost {
  readonly host: string;
  readonly outcome: OutcomeView;
  /** Milliseconds spent on it. */
  readonly durationMs: number;
}

/** Hosts with the same failure: it is said once, for all of them. */
export interface FailureGroup {
  readonly hosts: readonly string[];
  readonly label: string;
  readonly tone: OutcomeView['tone'];
  readonly durationMs: number;
  /** In these texts `HOST` stands for the name of each host, where there are several. */
  readonly note: string;
  readonly code: string;
  readonly details: readonly string[];
  readonly solve: string;
  /** Lines to paste, for all hosts together. */
  readonly commands: readonly string[];
  /** What each host has of its own, such as its address; the texts have the values of the first host. */
  readonly own: readonly OwnValue[];
  /** What each host says of itself, where the failure was made to be shared; empty otherwise. */
  readonly members: readonly GroupMember[];
}

/** One host of a failure that was made to be shared. */
export interface GroupMember {
  readonly host: string;
  /** Such as its address and the fingerprint of its key; may be empty. */
  readonly own: string;
  /** Its details, where they are not those of all hosts. */
  readonly details: readonly string[];
}

/** A value in the texts of the first host, and what the other hosts have there. */
export interface OwnValue {
  readonly value: string;
  readonly others: readonly { readonly host: string; readonly value: string }[];
}

/**
 * What a failure says of one host alone, although it is the same failure on many: addresses, fingerprints, generations. The
 * host's name is found by itself.
 */
const OWN_VALUES = [
  'SHA256:[A-Za-z0-9+/=]{20,}',
  '\\d{8}T\\d{6}Z-[0-9a-f]+',
  '(?:\\d{1,3}\\.){3}\\d{1,3}(?:/\\d{1,2})?',
  '(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?:/\\d{1,3})?',
].join('|');

/** Failures that say the same of all hosts, or whose texts are equal but for what each host has of its own, have the same key. */
export function failureKey({ host, outcome }: FailedHost): string {
  const { failure } = outcome;
  if (failure?.shared != null)
    return JSON.stringify([outcome.label, failure.code, failure.shared.what, failure.shared.solve]);
  const texts = textsOf(outcome).map((text) => partsOf(text, host).map((part, index) => (index % 2 === 0 ? part : '')));
  return JSON.stringify([outcome.label, failure?.code, texts]);
}

/** The group of hosts that have the same key; there is at least one. */
export function groupOf(members: readonly FailedHost[]): FailureGroup {
  const [first] = members;
  if (first === undefined) throw new Error('a group of no hosts');
  const { outcome } = first;
  const shared = outcome.failure?.shared;
  if (shared != null && members.length > 1) return sharedGroup(members, shared);
  const columns = new Map<string, OwnValue>();
  const texts = textsOf(outcome).map((text, at) => {
    const each = members.map((one) => partsOf(textsOf(one.outcome)[at] ?? '', one.host));
    return partsOf(text, first.host)
      .map((part, index) => {
        if (index % 2 === 0 || members.length === 1) return part;
        if (members.every(({ host }, member) => each[member]?.[index] === host)) return 'HOST';
        const others = members.slice(1).map(({ host }, member) => ({ host, value: each[member + 1]?.[index] ?? '' }));
        // Nobody needs a link-local address to know which host is meant.
        if (!part.startsWith('fe80:') && others.some(({ value }) => value !== part))
          columns.set(JSON.stringify([part, others]), { value: part, others });
        return part;
      })
      .join('');
  });
  return {
    ...commonOf(members, outcome),
    note: texts[0] ?? '',
    details: texts.slice(2),
    solve: texts[1] ?? '',
    commands: [],
    own: [...columns.values()],
    members: [],
  };
}

function commonOf(members: readonly FailedHost[], { label, tone, kind, failure }: OutcomeView) {
  return {
    hosts: members.map(({ host }) => host),
    label,
    tone,
    durationMs: Math.max(...members.map(({ durationMs }) => durationMs)),
    code: failure?.code ?? kind,
  };
}

/** A failure that has words for all hosts. */
function sharedGroup(members: readonly FailedHost[], { what, solve }: SharedFault): FailureGroup {
  const failures = members.flatMap(({ host, outcome: { failure } }) =>
    failure?.shared == null ? [] : [{ host, details: failure.details, shared: failure.shared }],
  );
  const same = new Set(failures.map(({ details }) => JSON.stringify(details))).size === 1;
  return {
    ...commonOf(members, members[0]!.outcome),
    note: what,
    details: same ? failures[0]!.details : [],
    solve,
    commands: commandsOf(failures.map(({ shared }) => shared)),
    own: [],
    members: failures.map(({ host, details, shared: { own } }) => ({ host, own, details: same ? [] : details })),
  };
}

/** One line for all commands that differ only in their word. */
function commandsOf(shared: readonly SharedFault[]): readonly string[] {
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

function textsOf({ note, failure }: OutcomeView): readonly string[] {
  return [note, failure?.solve ?? '', ...(failure?.details ?? [])];
}

/** A text without what is the host's own: texts of several hosts that differ in nothing else are equal here. */
export function textWithoutOwn(text: string, host: string): string {
  return partsOf(text, host)
    .map((part, index) => (index % 2 === 0 ? part : '\0'))
    .join('');
}

/** A text taken apart: what is the same on other hosts has even places, what the host has of its own has odd ones. */
function partsOf(text: string, host: string): readonly string[] {
  const name = host.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  return text.split(new RegExp(`(?<![\\w.:-])(${name}(?![\\w:-]|\\.\\w)|(?:${OWN_VALUES})(?![\\w]))`, 'u'));
}
