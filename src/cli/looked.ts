import type { AnsibleConfig, LookedFile } from '../ansible/config/config-types.ts';
import { three } from '../core/lists.ts';
import { terminalLine } from '../core/terminal-text.ts';

/** Where the settings of logins were looked for: lines for a login that failed. */
export function lookedLines(
  sources: readonly string[],
  { file, looked }: AnsibleConfig,
  sshConfig: string | undefined,
): readonly string[] {
  const inventory = `the inventory ${three(sources)}`;
  const config = file ?? `no ansible.cfg (looked for ${looked.map(notRead).join(', ')})`;
  const ssh =
    sshConfig === undefined ? '~/.ssh/config, /etc/ssh/ssh_config' : sshConfig === 'none' ? 'no ssh_config' : sshConfig;
  return [terminalLine(`looked at: ${inventory}; ${config}; ${ssh}`, 1000)];
}

function notRead({ path, outcome }: LookedFile): string {
  switch (outcome) {
    case 'read':
    case 'absent':
      return path;
    case 'unreadable':
      return `${path}, which cannot be read`;
    case 'world-writable':
      return `${path}, which is not read as everybody may write into its folder`;
  }
}
