import { homedir } from 'node:os';

/** A leading `~` as the home folder; `~name` is left alone. */
export function expandHome(path: string, home: string = homedir()): string {
  return path.replace(/^~(?=\/|$)/, () => home);
}
