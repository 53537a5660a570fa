import { concealValue } from '../../core/concealed.ts';
import type { Fault } from '../../core/failure.ts';
import type { Secret } from '../../core/secret.ts';
import { terminalLine } from '../../core/terminal-text.ts';

import type { AnswerQuestion } from '../logins.ts';

/** One question as it comes over the wire. */
interface Prompt {
  readonly prompt: string;
  readonly echo?: boolean | undefined;
}

/** The word for "password" in the prompts of various languages. */
const PASSWORD =
  /password|passwort|kennwort|mot de passe|contraseña|clave|senha|palavra-passe|parola|пароль|hasło|heslo|jelszó|lösenord|passord|adgangskode|salasana|wachtwoord|şifre|σύνθημα|密码|密碼|パスワード|암호/i;
/** Other hidden questions: a new password, a one-time code. */
const NOT_THE_PASSWORD =
  /\bnew\b|again|retype|repeat|confirm|one[- ]?time|\botp\b|token|code|verif|second|factor|\bpin\b|\bneu|\bnouveau|\bnuev/i;

/** An expired password: the host asks for the old one and for a new one. */
const EXPIRED = /required to change|has expired|current (?:unix )?password|new (?:unix )?password/i;

/** Whether a question is about the account's password, which portfw may know. */
export function asksForPassword(prompt: string, hidden: boolean): boolean {
  return hidden && PASSWORD.test(prompt) && !NOT_THE_PASSWORD.test(prompt);
}

/**
 * Answers the questions of one login. The password is given once: a server that asks again has refused it. All other questions
 * are for the person at the terminal, because a code from a token is valid for one login.
 */
export class Answers {
  readonly #account: string;
  readonly #password: Secret | null;
  readonly #ask: AnswerQuestion | null;
  readonly #asksPassword: boolean;
  #passwordGiven = false;

  /** @param asksPassword whether the person may be asked for the password too; not for hosts, because each would ask again */
  constructor(account: string, password: Secret | null, ask: AnswerQuestion | null, asksPassword = false) {
    this.#account = account;
    this.#password = password;
    this.#ask = ask;
    this.#asksPassword = asksPassword;
  }

  /** The password for the method `password`, where the server sends no question; `null` if there is none. */
  async typedPassword(): Promise<string | null> {
    if (this.#password !== null || this.#ask === null || !this.#asksPassword || this.#passwordGiven) return null;
    this.#passwordGiven = true;
    const question = { account: this.#account, instructions: '', prompt: 'Password:', hidden: true };
    return hiddenAnswer(await this.#ask(question));
  }

  /** Whether any question could be answered at all. */
  get possible(): boolean {
    return this.#password !== null || this.#ask !== null;
  }

  /** The server accepted the password and wants more: if it asks for a password again, that is another question. */
  passwordAccepted(): void {
    this.#passwordGiven = false;
  }

  /** The answers in the order of the questions, or why there are none. */
  async to(instructions: string, prompts: readonly Prompt[]): Promise<readonly string[] | Fault> {
    const answers: string[] = [];
    for (const { prompt, echo } of prompts) {
      const answer = await this.#answer(terminalLine(instructions, 300), terminalLine(prompt, 200), echo !== true);
      if (typeof answer !== 'string') return answer;
      answers.push(answer);
    }
    return answers;
  }

  async #answer(instructions: string, prompt: string, hidden: boolean): Promise<string | Fault> {
    const quoted = `${this.#account} is asked "${prompt}" at the login`;
    if (EXPIRED.test(`${instructions} ${prompt}`)) {
      return {
        what: `${quoted}: the password has expired`,
        solve: 'Log in with ssh once and change the password, or log in with a key',
      };
    }
    if (asksForPassword(prompt, hidden)) {
      if (this.#passwordGiven) {
        return {
          what: `${quoted} once more: the password was refused`,
          solve:
            'Check the account and PORTFW_SSH_PASSWORD; it will not be tried again, so that the host does not lock the account',
        };
      }
      if (this.#password === null && (this.#ask === null || !this.#asksPassword)) {
        return {
          what: `${quoted}, and no password was given`,
          solve: 'Set PORTFW_SSH_PASSWORD or use --ask-pass; better, log in with a key',
        };
      }
      this.#passwordGiven = true;
      if (this.#password !== null) return this.#password.reveal();
    }
    if (this.#ask === null) {
      return {
        what: `${quoted}, and there is no terminal to ask you on`,
        solve:
          'Run portfw on a terminal, or let this account log in with only a key (AuthenticationMethods and PAM on the host)',
      };
    }
    const said = await this.#ask({ account: this.#account, instructions, prompt, hidden });
    const answer = asksForPassword(prompt, hidden) ? hiddenAnswer(said) : (said?.reveal() ?? null);
    return answer ?? { what: `${quoted}, and there was no answer`, solve: 'Run it again and answer the question' };
  }
}

/** A typed password: the server knows it now, and portfw must not show it if the server prints it. */
function hiddenAnswer(said: Secret | null): string | null {
  const answer = said?.reveal() ?? null;
  if (answer !== null) concealValue(answer, 'anywhere');
  return answer;
}
