import type { ConfigOrigin } from './config-types.ts';

/** What set a value, as messages name it. */
export function configName(origin: ConfigOrigin): string {
  switch (origin.kind) {
    case 'environment':
      return origin.name;
    case 'file':
      return `[${origin.section}] ${origin.key}`;
  }
}
