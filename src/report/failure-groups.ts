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
  /** What each host has of its own, such as its address; the texts have the values of the first host. */
  readonly own: readonly OwnValue[];
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

/** Texts that are equal but for what each host has of its own have the same key. */
export function failureKey({ host, outcome }: FailedHost): string {
  const { failure } = outcome;
  const texts = textsOf(outcome).map((text) => partsOf(text, host).map((part, index) => (index % 2 === 0 ? part : '')));
  return JSON.stringify([outcome.label, failure?.code, texts]);
}

/** The group of hosts that have the same key; there is at least one. */
export function groupOf(members: readonly FailedHost[]): FailureGroup {
  const [first] = members;
  if (first === undefined) throw new Error('a group of no hosts');
  const { outcome } = first;
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
    hosts: members.map(({ host }) => host),
    label: outcome.label,
    tone: outcome.tone,
    durationMs: Math.max(...members.map(({ durationMs }) => durationMs)),
    note: texts[0] ?? '',
    code: outcome.failure?.code ?? outcome.kind,
    details: texts.slice(2),
    solve: texts[1] ?? '',
    own: [...columns.values()],
  };
}

function textsOf({ note, failure }: OutcomeView): readonly string[] {
  return [note, failure?.solve ?? '', ...(failure?.details ?? [])];
}

/** A text taken apart: what is the same on other hosts has even places, what the host has of its own has odd ones. */
function partsOf(text: string, host: string): readonly string[] {
  const name = host.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  return text.split(new RegExp(`(?<![\\w.:-])(${name}(?![\\w:-]|\\.\\w)|(?:${OWN_VALUES})(?![\\w]))`, 'u'));
}
