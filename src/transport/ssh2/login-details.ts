import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { setByText } from '../../core/set-by.ts';
import { terminalLine } from '../../core/terminal-text.ts';
import { isMissingKey, optionsOf, shownValue, userText } from '../set-options.ts';
import type { LoginGoal } from './login-words.ts';
import { defaultPrivateKeyFiles } from './private-keys.ts';

/**
 * What a login was tried with and where each comes from, a line each: the account, the keys, the agent.
 *
 * @param agentKeys how many keys of the agent can be used
 */
export function loginDetails(goal: LoginGoal, agentKeys: number): readonly string[] {
  return [userText(goal), ...keyLines(goal), agentLine(goal, agentKeys)].map((line) => terminalLine(line, 600));
}

function keyLines(goal: LoginGoal): readonly string[] {
  const { loginMethods } = goal;
  const named = optionsOf(goal, 'IdentityFile');
  if (loginMethods?.includes('publickey') === false) {
    const [by] = [...optionsOf(goal, 'PubkeyAuthentication'), ...optionsOf(goal, 'PreferredAuthentications')];
    return [`key: none is tried${by === undefined ? '' : `, because of ${setByText(by.by)}`}`];
  }
  if (named.length > 0) {
    return named.map((key) => {
      const missing = isMissingKey(key) ? ', and there is no such file' : '';
      return `key ${shownValue(key.value, key.by)}: ${setByText(key.by)}${missing}`;
    });
  }
  const files = defaultPrivateKeyFiles();
  const found = files.filter((file) => existsSync(file));
  if (found.length > 0) return [`key: none is named, so the default files: ${found.join(', ')}`];
  return [
    `key: none is named, and there is none of the default files: ~/.ssh/${files.map((file) => basename(file)).join(', ')}`,
  ];
}

function agentLine(goal: LoginGoal, agentKeys: number): string {
  const [named] = optionsOf(goal, 'IdentityAgent');
  const by = named === undefined ? 'SSH_AUTH_SOCK' : setByText(named.by);
  if (goal.agentSocket === null)
    return named === undefined ? 'agent: none, as SSH_AUTH_SOCK is not set' : `agent: none: ${by}`;
  const keys =
    agentKeys === 0 ? 'without a key that can be used' : agentKeys === 1 ? 'with one key' : `with ${agentKeys} keys`;
  const only = goal.identitiesOnly ? ', of which only the named ones are offered (IdentitiesOnly)' : '';
  return `agent ${goal.agentSocket}: ${by}, ${keys}${agentKeys === 0 ? '' : only}`;
}
