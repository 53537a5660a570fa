import type { AnyAuthMethod, AuthenticationType } from 'ssh2';
import { terminalLine } from '../../core/terminal-text.ts';

import { SingleKeyAgent } from './agent-keys.ts';
import type { Answers } from './keyboard-interactive.ts';
import { type LoginGoal, type RefusedLogin, refusedLogin } from './login-words.ts';
import type { AuthAttempt } from './ssh-authentication.ts';

/** Answers the questions of a `keyboard-interactive` login, or gives up the login. */
export type OnQuestions = (
  instructions: string,
  prompts: readonly { readonly prompt: string; readonly echo?: boolean | undefined }[],
  finish: (answers: string[]) => void,
) => void;

/**
 * Gives ssh2 one attempt after the other, each once, without what the server does not accept, and remembers what was tried. It
 * supports servers that require several methods in sequence (AuthenticationMethods). A refused password is never sent again
 * by another method.
 *
 * ssh2 passes on the server's answer to a key from a file or to a password, but not to a key from an agent. So if no answer
 * is known yet, the method `none` asks for the list before anything other than a key is sent.
 */
export class AuthSequence {
  /** Labels of the attempts made. */
  readonly tried: string[] = [];
  /** The methods in the server's last answer. */
  offered: readonly string[] = [];
  /** Whether questions were skipped because nobody could answer them. */
  leftQuestions = false;
  readonly #username: string;
  readonly #answers: Answers;
  readonly #onQuestions: OnQuestions;
  #remaining: AuthAttempt[];
  /** The methods that the server accepts; `null` while unknown. */
  #known: readonly string[] | null = null;
  #last: AuthAttempt | null = null;
  /** Keys that were offered before the server said that it wants another method first. */
  #unjudged: AuthAttempt[] = [];
  #passwordRefused = false;
  /** Whether one of several methods was successful. */
  #partly = false;

  constructor(username: string, attempts: readonly AuthAttempt[], answers: Answers, onQuestions: OnQuestions) {
    this.#username = username;
    this.#remaining = [...attempts];
    this.#answers = answers;
    this.#onQuestions = onQuestions;
  }

  /**
   * @param allowed the methods that the server accepts; `null` before the first attempt
   * @param partialSuccess whether the last attempt succeeded, and another method must follow
   */
  next(allowed: readonly AuthenticationType[] | null, partialSuccess: boolean | null = null): AnyAuthMethod | false {
    this.#learn(allowed, partialSuccess === true);
    const attempt = this.#take();
    this.#last = attempt;
    if (attempt === null) return false;
    const { method } = attempt;
    if (method.type !== 'none') this.tried.push(attempt.label);
    if (method.type !== 'keyboard-interactive') return method;
    return {
      type: 'keyboard-interactive',
      username: this.#username,
      prompt: (name, instructions, _language, prompts, finish) => {
        this.#onQuestions([name, instructions].filter((text) => text !== '').join(': '), prompts, finish);
      },
    };
  }

  #learn(allowed: readonly AuthenticationType[] | null, partialSuccess: boolean): void {
    const last = this.#last;
    if (last === null) return;
    if (last.method.type === 'agent') {
      // ssh2 now passes the answer to an earlier attempt. If the key was used for a signature and the login continues, it
      // was most likely accepted as one of several methods.
      if (last.method.agent instanceof SingleKeyAgent && last.method.agent.signed) {
        this.#known = null;
        this.#partly = true;
        this.#unjudged = [];
      } else if (this.#known === null) this.#unjudged.push(last);
      return;
    }
    if (partialSuccess) {
      this.#partly = true;
      this.#unjudged = [];
      this.#answers.passwordAccepted();
    } else if (last.method.type === 'password') this.#passwordRefused = true;
    else if (last.method.type === 'publickey' && this.#known === null) this.#unjudged.push(last);
    if (allowed === null) return;
    const first = this.#known === null;
    this.#known = allowed;
    this.offered = allowed.map((method) => terminalLine(method, 40));
    if (first && !allowed.includes('publickey')) {
      // It wants another method first, and may accept these keys afterwards.
      this.#remaining = [...this.#unjudged, ...this.#remaining];
      for (const { label } of this.#unjudged) this.tried.splice(this.tried.indexOf(label), 1);
    }
    this.#unjudged = [];
  }

  /** The next attempt that the server may accept. */
  #take(): AuthAttempt | null {
    const known = this.#known;
    const isKey = ({ method }: AuthAttempt): boolean => method.type === 'publickey' || method.type === 'agent';
    const index = this.#remaining.findIndex((attempt, place) => {
      // A key may always be offered first; it reveals no secret.
      if (known === null) return place === 0 && isKey(attempt);
      if (!known.includes(isKey(attempt) ? 'publickey' : attempt.method.type)) return false;
      return attempt.method.type !== 'keyboard-interactive' || this.#mayAnswer();
    });
    const [taken] = index === -1 ? [] : this.#remaining.splice(index, 1);
    if (taken !== undefined) return taken;
    if (known !== null || this.#last?.method.type === 'none') return null;
    // Makes the server list its methods, for the message; a server without authentication accepts it.
    return { label: 'no credentials', method: { type: 'none', username: this.#username } };
  }

  #mayAnswer(): boolean {
    if (this.#passwordRefused) return false;
    // Questions for a second factor are requested even without a terminal: the failure then quotes the question.
    if (this.#answers.possible || this.#partly) return true;
    this.leftQuestions = true;
    return false;
  }
}

/** The message if the server accepted nothing. */
export function authFailureText(goal: LoginGoal, sequence: AuthSequence, notes: readonly string[]): RefusedLogin {
  const { tried } = sequence;
  const offered = sequence.offered.length === 0 ? '' : `; it accepts ${sequence.offered.join(', ')}`;
  const triedText = tried.length === 0 ? 'no key or password to offer' : `tried ${tried.join(', ')}`;
  const passed = notes.length === 0 ? '' : `; ${notes.join('; ')}`;
  const wantsPassword = sequence.offered.some((method) => method === 'password' || method === 'keyboard-interactive');
  const wantsKey = sequence.offered.includes('publickey');
  const { words, user } = goal;
  const byPassword =
    words.role === 'host'
      ? '; for a password set PORTFW_SSH_PASSWORD or use --ask-pass'
      : '; on a terminal you are asked for its password';
  let solve = `Check ${words.user}, and that this key is in ~${user}/.ssh/authorized_keys on the ${words.role}`;
  if (tried.length === 0 && wantsKey) {
    solve = `${words.role === 'host' ? 'Add --private-key FILE to this command, or set' : 'Set'} ${words.key}, or load a key into your agent with ssh-add`;
    if (wantsPassword) solve += byPassword;
  } else if (
    tried.some((label) => label === 'password' || label === 'keyboard-interactive') &&
    goal.password !== null
  ) {
    solve = `Check ${words.user} and PORTFW_SSH_PASSWORD; it will not be tried again, so that the host does not lock the account`;
  } else if (wantsPassword && goal.password === null) {
    solve += byPassword;
  } else if (sequence.offered.every((method) => method.startsWith('gssapi') || method === 'hostbased')) {
    solve = `It accepts only ${sequence.offered.join(' and ') || 'unnamed methods'}, which portfw does not support; let it accept a key as well`;
  }
  return refusedLogin(goal, ` (${triedText}${offered}${passed})`, solve);
}
