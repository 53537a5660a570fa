import { userInfo } from 'node:os';

/** The account that runs portfw; one without an entry in the user database (in a container, say) has none to look up. */
export function localUser(): string {
  try {
    return userInfo().username;
  } catch {
    return process.env['USER'] ?? `uid-${process.getuid?.() ?? 'unknown'}`;
  }
}
