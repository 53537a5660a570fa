import { terminalLine } from '../core/terminal-text.ts';
import { type FailedHost, failureKey } from './failure-groups.ts';

/**
 * Holds back the failures that other hosts may have for the same reason (an unknown host key, a refused login), so that an
 * output can say each of them once, with the list of the hosts.
 */
export class HeldFailures {
  #held: FailedHost[] = [];
  #order: ReadonlyMap<string, number> = new Map();

  /** @param hosts the run's, in its order: whichever fails first, they are listed so */
  begin(hosts: readonly string[]): void {
    this.#order = new Map(hosts.map((host, index) => [terminalLine(host), index]));
  }

  /** @returns whether the failure is held back */
  hold(failed: FailedHost): boolean {
    if (failed.outcome.failure?.shared == null) return false;
    this.#held.push(failed);
    return true;
  }

  /** Everything that was held back since the last call: the hosts of each failure, in the order of the first of them. */
  release(): readonly (readonly FailedHost[])[] {
    const place = ({ host }: FailedHost): number => this.#order.get(host) ?? 0;
    const groups = new Map<string, FailedHost[]>();
    for (const one of this.#held.sort((a, b) => place(a) - place(b))) {
      const key = failureKey(one);
      groups.set(key, [...(groups.get(key) ?? []), one]);
    }
    this.#held = [];
    return [...groups.values()];
  }
}
