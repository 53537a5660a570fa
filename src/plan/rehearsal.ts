import type { RulesText } from '../kernel/rules-text.ts';

/**
 * What was rehearsed, in the order of time:
 *
 * - `disk`: firewalld's files as they are: a reload or reboot without the plan, and what a rollback that reloads leaves
 * - `reload`: the same with the plan's definitions; only where the plan reloads
 * - `running`: after the plan's calls
 * - `boot`: the files as the plan leaves them: the next reload or reboot
 */
export type RehearsedName = 'disk' | 'reload' | 'running' | 'boot';

/** A new connection from outside, tried with real packets. */
export interface TrialWay {
  readonly interface: string;
  readonly source: string;
  readonly destination: string;
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  /** `null` for any. */
  readonly sourcePort: number | null;
}

/** `open`: it reached a socket. `refused`: the host rejected it. `silent`: no answer. */
export type TrialResult = 'open' | 'refused' | 'silent';

/** One candidate in the host's own firewalld. */
export type RehearsedState =
  | {
      readonly name: RehearsedName;
      readonly loads: true;
      /** How long firewalld took to load it. */
      readonly seconds: number;
      /** Kernel modules that it requested; none was loaded. */
      readonly modules: readonly string[];
      /** Foreign tables (`ip filter`) that could not be rebuilt in the namespace: they are missing in `rules`. */
      readonly lost: readonly string[];
      /** firewalld's errors and warnings, as it wrote them. */
      readonly said: readonly string[];
      /** Calls of the plan that failed, each with firewalld's reason. */
      readonly failed: readonly string[];
      readonly rules: RulesText;
      /** One for each way, in the order of the request. */
      readonly packets: readonly TrialResult[];
    }
  | {
      readonly name: RehearsedName;
      readonly loads: false;
      /** Whether the load did not end in time: it is unknown whether it would load. */
      readonly slow: boolean;
      /** firewalld's own reason. */
      readonly why: string;
      readonly said: readonly string[];
      /** Foreign files below /etc/firewalld without which it would load; empty if none cause the failure. */
      readonly files: readonly string[];
      /** Whether all of them must be removed; else removing any one is enough. */
      readonly together: boolean;
    };

/** The host's rehearsal of a plan. */
export type Rehearsal =
  | {
      readonly kind: 'rehearsed';
      /** The rules in force at the time of the rehearsal. */
      readonly now: RulesText;
      readonly states: readonly RehearsedState[];
      readonly ways: readonly TrialWay[];
    }
  | { readonly kind: 'not-rehearsed'; readonly why: string };
