import type { Become, Target } from '../connection.ts';

/** An account on a host that programs run as, perhaps through sudo. */
export interface Account {
  readonly user: string;
  readonly become: Become;
  /** Set when its sudo has said that it insists on a terminal: later programs ask for one at once. */
  needsTerminal: boolean;
}

/** The accounts of a transport's targets, each once, however many connections there are to it. */
export class Accounts {
  readonly #accounts = new Map<string, Account>();

  /** @param user who logs in, where that is not the target's user */
  of({ name, address, port, become, user: own }: Target, user: string = own): Account {
    const key = JSON.stringify([name, address, port, user, become.kind]);
    const known = this.#accounts.get(key);
    // With another password only what sudo said about terminals is kept.
    if (known?.become === become) return known;
    const account = { user, become, needsTerminal: known?.needsTerminal ?? false };
    this.#accounts.set(key, account);
    return account;
  }
}
