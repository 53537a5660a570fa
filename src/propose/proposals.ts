import type { HostFacts } from '../facts/facts.ts';
import type { Play } from '../matrix/matrix.ts';
import type { LeftOut } from '../settings/left-out.ts';
import type { HostSettings } from '../settings/settings-types.ts';

/** A host that answered, with what the inventory says of it already. */
export interface SeenHost {
  readonly name: string;
  readonly settings: HostSettings;
  readonly facts: HostFacts;
  /** Whether portfw comes by a jump host or a `ProxyCommand`. */
  readonly throughOther: boolean;
}

/** A host that told nothing. */
export interface MissedHost {
  readonly name: string;
  readonly settings: HostSettings;
  readonly why: string;
}

/** A playbook that the hosts may follow. */
export interface Candidate {
  readonly name: string;
  /** `null` where no play covers the host. */
  playOf(host: string): Play | null;
}

/** All that was seen of a fleet. */
export interface Seen {
  readonly hosts: readonly SeenHost[];
  readonly missed: readonly MissedHost[];
  /** The groups of the inventory, without `all` and `ungrouped`: all their hosts, also those of their children. */
  readonly groups: ReadonlyMap<string, readonly string[]>;
  /** Hosts that are not for portfw, because of their connection. */
  readonly leftOut: readonly LeftOut[];
  /** In the order of preference. */
  readonly playbooks: readonly Candidate[];
}

/** For whom a line is meant. */
export type Scope =
  | { readonly kind: 'all' }
  | { readonly kind: 'group'; readonly name: string }
  | { readonly kind: 'host'; readonly name: string };

/** What a line of the inventory sets. */
export type Setting =
  | { readonly variable: 'portfw_playbook'; readonly playbook: string }
  | { readonly variable: 'portfw_interfaces'; readonly public: readonly string[]; readonly private: readonly string[] }
  | { readonly variable: 'portfw_vips'; readonly vips: readonly string[] }
  | { readonly variable: 'portfw_roles'; readonly roles: readonly string[] }
  | { readonly variable: 'portfw_management'; readonly sources: readonly string[] }
  | { readonly variable: 'portfw_managed'; readonly managed: false };

/** A setting by its variable. */
export type SettingOf<V extends Setting['variable']> = Extract<Setting, { readonly variable: V }>;

/** One thing that was seen. Texts come from hosts: they are cleaned where they are written. */
export type Proposal =
  /** A line that is written. `check` is what the facts cannot know, as a question. */
  | {
      readonly kind: 'line';
      readonly scope: Scope;
      readonly setting: Setting;
      readonly evidence: readonly string[];
      readonly check: string | null;
    }
  /** Lines to choose from; none is in force. */
  | {
      readonly kind: 'choice';
      readonly scope: Scope;
      readonly variable: Setting['variable'];
      readonly question: string;
      readonly options: readonly Setting[];
      readonly evidence: readonly string[];
    }
  /** What needs no line, and nobody's decision. */
  | { readonly kind: 'seen'; readonly scope: Scope; readonly evidence: readonly string[] };

/** Writes a line's proposal. */
export function line(
  scope: Scope,
  setting: Setting,
  evidence: readonly string[],
  check: string | null = null,
): Extract<Proposal, { kind: 'line' }> {
  return { kind: 'line', scope, setting, evidence, check };
}

/** Writes a choice for one host. @param options may be empty: then the facts know no value */
export function choice<V extends Setting['variable']>(
  host: string,
  variable: V,
  question: string,
  options: readonly SettingOf<V>[],
  evidence: readonly string[],
): Extract<Proposal, { kind: 'choice' }> {
  return { kind: 'choice', scope: { kind: 'host', name: host }, variable, question, options, evidence };
}

/** Whether the inventory sets a variable for a host already: nothing is proposed over it. */
export function isSet(host: { readonly settings: HostSettings }, variable: Setting['variable']): boolean {
  return host.settings.locate([variable]) !== null;
}

/** Each value once, in order. */
export function sorted(values: Iterable<string>): string[] {
  return [...new Set(values)].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}
