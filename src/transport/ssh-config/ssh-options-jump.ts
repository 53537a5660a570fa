/** One machine on the way, as `ProxyJump` names it: `[user@]host[:port]` or `ssh://[user@]host[:port]`. */
export interface JumpSpec {
  readonly user: string | null;
  /** Name or address, perhaps an alias of ssh_config. */
  readonly host: string;
  readonly port: number | null;
}

/**
 * Reads the value of ProxyJump.
 *
 * @returns the machines, the nearest first; none for the word `none`; `null` when the text is not of that form
 */
export function parseJump(text: string): readonly JumpSpec[] | null {
  const value = text.replace(/#.*$/s, '').trimEnd();
  if (text.toLowerCase() === 'none') return [];
  const hops = value.split(',').map(parseHop);
  return hops.some((hop) => hop === null) ? null : (hops as JumpSpec[]);
}

function parseHop(text: string): JumpSpec | null {
  const uri = /^ssh:\/\//i.exec(text);
  const rest = uri === null ? text : text.slice(uri[0].length).replace(/\/$/, '');
  const at = rest.lastIndexOf('@');
  const userText = at === -1 ? null : rest.slice(0, at);
  const user = userText === null || uri === null ? userText : decoded(userText.replace(/;.*$/s, ''));
  if (user === '' || (at !== -1 && user === null)) return null;
  const place = /^(?:\[([^\]]*)\]|([^:/[\]]+))(?::(\d{1,5})?)?$/.exec(rest.slice(at + 1));
  const host = place?.[1] ?? place?.[2] ?? '';
  const port = place?.[3] === undefined ? null : Number(place[3]);
  if (!isSafeHostName(host) || (user !== null && !isSafeUserName(user))) return null;
  return port === null || (port >= 1 && port <= 65535) ? { user, host, port } : null;
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

/**
 * Whether a host name is safe on a command line and in a file: nothing that a shell understands, no white space, no
 * control characters, no leading dash. OpenSSH checks names on its own command line by the same rule.
 */
export function isSafeHostName(name: string): boolean {
  return name !== '' && !/^-|['"`$\\;&<>|(){},\s\p{Cc}]/u.test(name);
}

/** The same for an account's name, which may hold inner spaces and a backslash (of a Windows domain). */
export function isSafeUserName(name: string): boolean {
  return name !== '' && !/^-|['"`;&<>|(){}\p{Cc}]|\s-|\\$/u.test(name);
}
