import { concealValue } from '../../core/concealed.ts';
import type { Secret } from '../../core/secret.ts';
import { terminalLine } from '../../core/terminal-text.ts';
import type { FailureText } from '../connection.ts';
import type { AnswerQuestion } from '../logins.ts';

/** One question as it comes over the wire. */
interface Prompt {
  readonly prompt: string;
  readonly echo?: boolean | undefined;
}

/** The words for "password" on the systems that ask for one in their own language. */
const PASSWORD =
  /password|passwort|kennwort|mot de passe|contraseña|clave|senha|palavra-passe|parola|пароль|hasło|heslo|jelszó|lösenord|passord|adgangskode|salasana|wachtwoord|şifre|σύνθημα|密码|密碼|パスワード|암호/i;
/** What is hidden too and is not the password: a new one, a code that is good for one login. */
const NOT_THE_PASSWORD =
  /\bnew\b|again|retype|repeat|confirm|one[- ]?time|\botp\b|token|code|verif|second|factor|\bpin\b|\bneu|\bnouveau|\bnuev/i;

/** A password that has to be changed first; the host asks for the old one and for a new one. */
const EXPIRED = /required to change|has expired|current (?:unix )?password|new (?:unix )?password/i;

/** Whether a question is about the account's password, which portfw may know. */
export function asksForPassword(prompt: string, hidden: boolean): boolean {
  return hidden && PASSWORD.test(prompt) && !NOT_THE_PASSWORD.test(prompt);
}

/**
 * Answers the questions of one login. The password answers the question for it, once: a server that asks again has
 * refused it. All else is for the person at the terminal, since a code from a token is good for one login.
 */
export class Answers {
  readonly #account: string;
  readonly #password: Secret | null;
  readonly #ask: AnswerQuestion | null;
  readonly #asksPassword: boolean;
  #passwordGiven = false;

  /** @param asksPassword whether the password may be asked for too; not for hosts, each of which would ask again */
  constructor(account: string, password: Secret | null, ask: AnswerQuestion | null, asksPassword = false) {
    this.#account = account;
    this.#password = password;
    this.#ask = ask;
    this.#asksPassword = asksPassword;
  }

  /** The password by the method of that name, where no question comes over the wire; `null` when there is none. */
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

  /** The server took the password that it was given, and wants more: if it asks for one again, that is another question. */
  passwordAccepted(): void {
    this.#passwordGiven = false;
  }

  /** The answers in the order of the questions, or why there are none. */
  async to(instructions: string, prompts: readonly Prompt[]): Promise<readonly string[] | FailureText> {
    const answers: string[] = [];
    for (const { prompt, echo } of prompts) {
      const answer = await this.#answer(terminalLine(instructions, 300), terminalLine(prompt, 200), echo !== true);
      if (typeof answer !== 'string') return answer;
      answers.push(answer);
    }
    return answers;
  }

  async #answer(instructions: string, prompt: string, hidden: boolean): Promise<string | FailureText> {
    const quoted = `${this.#account} is asked "${prompt}" at the login`;
    if (EXPIRED.test(`${instructions} ${prompt}`)) {
      return {
        message: `${quoted}: the password has expired`,
        hint: 'Log in with ssh once and change the password, or log in with a key',
      };
    }
    if (asksForPassword(prompt, hidden)) {
      if (this.#passwordGiven) {
        return {
          message: `${quoted} once more: the password was refused`,
          hint: 'Check the account and PORTFW_SSH_PASSWORD; it will not be tried again, so that the host does not lock the account',
        };
      }
      if (this.#password === null && (this.#ask === null || !this.#asksPassword)) {
        return {
          message: `${quoted}, and no password was given`,
          hint: 'Set PORTFW_SSH_PASSWORD or use --ask-pass; better, log in with a key',
        };
      }
      this.#passwordGiven = true;
      if (this.#password !== null) return this.#password.reveal();
    }
    if (this.#ask === null) {
      return {
        message: `${quoted}, and there is no terminal to ask you on`,
        hint: 'Run portfw on a terminal, or let this account log in with only a key (AuthenticationMethods and PAM on the host)',
      };
    }
    const said = await this.#ask({ account: this.#account, instructions, prompt, hidden });
    const answer = asksForPassword(prompt, hidden) ? hiddenAnswer(said) : (said?.reveal() ?? null);
    return answer ?? { message: `${quoted}, and there was no answer`, hint: 'Run it again and answer the question' };
  }
}

/** A password that was typed: a server knows it from now on, and must not make us show it. */
function hiddenAnswer(said: Secret | null): string | null {
  const answer = said?.reveal() ?? null;
  if (answer !== null) concealValue(answer, 'anywhere');
  return answer;
}
