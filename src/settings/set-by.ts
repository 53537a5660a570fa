import type { SetBy } from '../core/set-by.ts';
import { originName } from './login-defaults.ts';
import type { SettingOrigin } from './settings-types.ts';

/** What set a value, as messages name it, with its place. */
export function setByOf(origin: SettingOrigin): SetBy {
  return { name: originName(origin), location: 'location' in origin ? origin.location : null };
}
