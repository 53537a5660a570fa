import { existsSync } from 'node:fs';
import { type SetBy, setByText } from '../core/set-by.ts';
import type { SetOption, SshEndpoint } from './connection.ts';

/** The settings of an option that count, by the manual's name; empty where it has its default. */
export function optionsOf({ options = [] }: Pick<SshEndpoint, 'options'>, name: string): readonly SetOption[] {
  return options.filter(({ option }) => option === name);
}

/** Whether IdentityFile names a file that is not there; for a key in an agent the public half is enough. */
export function isMissingKey({ value }: SetOption): boolean {
  return value.toLowerCase() !== 'none' && !existsSync(value) && !existsSync(`${value}.pub`);
}

/** A value as it may be shown: nothing of one that comes from a vault. */
export function shownValue(value: string, { location }: SetBy): string {
  return location !== null && location.secret !== null ? '(from a vault, not shown)' : value;
}

/** The account of a login, and what names it. */
export function userText(endpoint: Pick<SshEndpoint, 'options' | 'user'>): string {
  const [named] = optionsOf(endpoint, 'User');
  if (named === undefined) return `user ${endpoint.user}: the account that runs portfw, as nothing names another`;
  return `user ${shownValue(endpoint.user, named.by)}: ${setByText(named.by)}`;
}
