import { createHash } from 'node:crypto';

/** What this machine and account contribute to a configuration. */
export interface SshEnvironment {
  readonly home: string;
  readonly localUser: string;
  readonly uid: number;
  /** The machine's name, as it knows it. */
  readonly hostName: string;
  /** An environment variable. */
  readonly variable: (name: string) => string | undefined;
  /** The addresses of this machine's interfaces. */
  readonly localAddresses: () => readonly string[];
}

/** The values of the tokens of one connection, by their letters. */
export type Tokens = Readonly<Record<string, string>>;

/** The connection that tokens describe. */
export interface TokenSource {
  /** The name that was asked for, before HostName. */
  readonly originalHost: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly hostKeyAlias: string | null;
  /** The last machine on the way; `''` for none. */
  readonly jumpHost: string;
}

/** The tokens of ssh_config(5), TOKENS, for one connection. */
export function tokensOf(of: TokenSource, environment: SshEnvironment): Tokens {
  const port = String(of.port);
  const local = environment.hostName;
  return {
    C: createHash('sha1').update(`${local}${of.host}${port}${of.user}${of.jumpHost}`).digest('hex'),
    L: local.split('.')[0]!,
    d: environment.home,
    h: of.host,
    i: String(environment.uid),
    j: of.jumpHost,
    k: of.hostKeyAlias ?? of.originalHost,
    l: local,
    n: of.originalHost,
    p: port,
    r: of.user,
    u: environment.localUser,
  };
}

/** Text with its tokens replaced, or what cannot be replaced in it. */
export type Expanded =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'bad'; readonly what: string };

/**
 * Replaces tokens such as `%h`, and `${VARIABLE}` where an environment is given.
 *
 * @param tokens what this option may hold; any other token is an error, as with OpenSSH
 */
export function expandTokens(
  text: string,
  tokens: Tokens,
  variable: ((name: string) => string | undefined) | null,
): Expanded {
  let bad: string | null = null;
  const fail = (what: string): string => {
    bad ??= what;
    return '';
  };
  const expanded = text.replace(
    /%(.?)|\$\{([^}]*)(\}?)/gs,
    (whole: string, letter?: string, name?: string, end?: string) => {
      if (letter !== undefined) {
        if (letter === '%') return '%';
        return Object.hasOwn(tokens, letter)
          ? tokens[letter]!
          : fail(`the token %${letter}, which is not allowed there`);
      }
      if (variable === null) return whole;
      if (end !== '}' || name === undefined || name === '')
        return fail('a variable without its name or its closing brace');
      return variable(name) ?? fail(`the environment variable ${name}, which is not set`);
    },
  );
  return bad === null ? { kind: 'text', text: expanded } : { kind: 'bad', what: bad };
}
