import { resolve } from 'node:path';
import { expandHome } from '../../core/home.ts';

/** What `~` and `$VARIABLE` stand for. */
export interface PathWords {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly home: string;
}

/** An absolute path as Ansible makes one: `$VARIABLE` and `${VARIABLE}` where it is set, `~`, then what a relative one is relative to. */
export function expandPath(path: string, base: string, { environment, home }: PathWords): string {
  const expanded = path.replace(/\$(?:([A-Za-z0-9_]+)|\{([^}]*)\})/g, (written, plain?: string, braced?: string) => {
    return environment[plain ?? braced ?? ''] ?? written;
  });
  return resolve(base, expandHome(expanded, home));
}
