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

/** `open`: it got to a socket. `refused`: the host said no. `silent`: no answer. */
export type TrialResult = 'open' | 'refused' | 'silent';

/** One candidate in the host's own firewalld. */
export type RehearsedState =
  | {
      readonly name: RehearsedName;
      readonly loads: true;
      /** For how long firewalld loaded it. */
      readonly seconds: number;
      /** Kernel modules that it asked for; none was loaded. */
      readonly modules: readonly string[];
      /** Tables of others (`ip filter`) that could not be had in the namespace: they are missing in `rules`. */
      readonly lost: readonly string[];
      /** Errors and warnings of firewalld's, as it wrote them. */
      readonly said: readonly string[];
      /** Calls of the plan that failed, each with firewalld's reason. */
      readonly failed: readonly string[];
      readonly rules: RulesText;
      /** By way, in the order in which they were asked. */
      readonly packets: readonly TrialResult[];
    }
  | {
      readonly name: RehearsedName;
      readonly loads: false;
      /** Whether it has not ended in the time that the host waits for it: nobody knows whether it would load. */
      readonly slow: boolean;
      /** firewalld's own reason. */
      readonly why: string;
      readonly said: readonly string[];
      /** Files of others below /etc/firewalld without which it would load; empty where none are to blame. */
      readonly files: readonly string[];
      /** Whether it takes all of them to go; else any one is enough. */
      readonly together: boolean;
    };

/** What the host said beforehand of a plan. */
export type Rehearsal =
  | {
      readonly kind: 'rehearsed';
      /** The rules in force when it was asked. */
      readonly now: RulesText;
      readonly states: readonly RehearsedState[];
      readonly ways: readonly TrialWay[];
    }
  | { readonly kind: 'not-rehearsed'; readonly why: string };
