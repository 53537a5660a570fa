import { inspect } from 'node:util';

/**
 * A password or passphrase that cannot be printed by accident: as a string, in JSON, in a template and in a debugger it
 * reads `[secret]`. Only {@link Secret.reveal} gives it away, and only the code that sends it calls that.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The secret itself; never log it, never put it into an argument list. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }

  [inspect.custom](): string {
    return '[secret]';
  }
}
