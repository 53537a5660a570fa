import { Problem } from '../core/problem.ts';
import type { Secret } from '../core/secret.ts';
import { terminalLine } from '../core/terminal-text.ts';
import type { LoginObstacle, LoginQuestion } from '../transport/logins.ts';
import { promptSecret } from './prompt-secret.ts';

const SHOWN_HOSTS = 3;

/** What prevents logins, as problems of the user's input: each once, for all hosts that it concerns. */
export function loginProblems(obstacles: readonly LoginObstacle[]): readonly Problem[] {
  return obstacles.map(
    ({ severity, what, solve, location = null, hosts }) =>
      new Problem({
        severity,
        code: severity === 'error' ? 'login-impossible' : 'login-differs',
        what: `${what} (${hostsText(hosts)})`,
        solve,
        location,
      }),
  );
}

function hostsText(hosts: readonly string[]): string {
  const names = hosts.slice(0, SHOWN_HOSTS).map((host) => terminalLine(host, 60));
  const more = hosts.length - names.length;
  return `for ${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/**
 * Passes the questions of servers to the user at the terminal. They may arrive in the middle of a run; the live view
 * stops painting until the question is answered.
 */
export class QuestionDesk {
  #atRest: <T>(ask: () => Promise<T>) => Promise<T> = (ask) => ask();
  #onCancel: () => void = () => undefined;

  /**
   * @param atRest runs a question while nothing else is written to the terminal
   * @param onCancel is told of Ctrl-C, which the terminal does not hand to the process while a question is open
   */
  restFor(atRest: <T>(ask: () => Promise<T>) => Promise<T>, onCancel: () => void): void {
    this.#atRest = atRest;
    this.#onCancel = onCancel;
  }

  /** `null` when there is no answer. */
  ask(question: LoginQuestion): Promise<Secret | null> {
    return this.#atRest(async () => {
      const { account, instructions, prompt, hidden } = question;
      // The server's words are in quotation marks: they must not look like portfw's.
      const said = instructions === '' ? '' : `${account} says: "${instructions}"\n`;
      const outcome = await promptSecret(`${said}${account} asks: "${prompt}" `, undefined, undefined, !hidden);
      if (outcome.kind === 'cancelled') this.#onCancel();
      return outcome.kind === 'entered' ? outcome.secret : null;
    });
  }
}
