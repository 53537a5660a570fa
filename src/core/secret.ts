import { inspect } from 'node:util';

/** What cannot be printed by accident: as a string, in JSON, in a template and in a debugger it reads `[secret]`. */
export class Unprintable {
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

/** A password or passphrase. Only {@link Secret.reveal} gives it away, and only the code that sends it calls that. */
export class Secret extends Unprintable {
  readonly #value: string;

  constructor(value: string) {
    super();
    this.#value = value;
  }

  /** The secret itself; never log it, never put it into an argument list. */
  reveal(): string {
    return this.#value;
  }
}

/** A shorter secret protects nothing, and removing it would make texts unreadable. */
const LEAST_LENGTH = 4;

/** Bytes from a host or a program, with every occurrence of a secret that they may know replaced by `[secret]`. */
export function redacted(bytes: Buffer, secret: Secret | null): Buffer {
  const sought = Buffer.from(secret?.reveal() ?? '', 'utf8');
  if (sought.length < LEAST_LENGTH || !bytes.includes(sought)) return bytes;
  const parts: Buffer[] = [];
  let from = 0;
  for (let at = bytes.indexOf(sought); at !== -1; at = bytes.indexOf(sought, from)) {
    parts.push(bytes.subarray(from, at), Buffer.from('[secret]'));
    from = at + sought.length;
  }
  return Buffer.concat([...parts, bytes.subarray(from)]);
}
