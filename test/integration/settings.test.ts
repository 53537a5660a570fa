import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { askConfig } from '../helpers/ansible-config.ts';
import { BuiltPortfw } from '../unit/cli/helpers/portfw.ts';

/** `portfw inventory --settings` against what `ansible-config` says of the same place: each value, and what set it. */

const CFG = `[defaults]
remote_user = cfg
remote_port = 2201
private_key_file = /keys/cfg
timeout = 31
forks = 7
hash_behaviour = replace
[privilege_escalation]
become = yes
become_user = root
[ssh_connection]
ssh_args = -o HostKeyAlias=first
ssh_common_args = -o ServerAliveInterval=7
`;
/** Rows, with the names of Ansible's settings in the helper. */
const ROWS = {
  forks: 'forks',
  hash_behaviour: 'hashBehaviour',
  user: 'remoteUser',
  port: 'remotePort',
  timeout: 'timeoutSeconds',
  'ssh args': 'sshArgs',
  'ssh common args': 'sshCommonArgs',
  become: 'become',
  'become user': 'becomeUser',
  'become method': 'becomeMethod',
} as const;

const folder = mkdtempSync(join(tmpdir(), 'portfw-settings-'));
const config = join(folder, 'ansible.cfg');
let built: BuiltPortfw;
beforeAll(() => {
  built = new BuiltPortfw();
  writeFileSync(config, CFG);
  writeFileSync(join(folder, 'hosts.ini'), 'web1 ansible_host=192.0.2.11\n');
}, 120_000);
afterAll(() => {
  built.remove();
  rmSync(folder, { recursive: true });
});

/** The words of Ansible for a value. */
function asShown(name: keyof typeof ROWS, value: unknown): string {
  if (name === 'timeout') return `${String(value)} s`;
  if (name === 'become') return value === true ? 'on' : 'off';
  return String(value);
}

it.each([
  ['the file', {}],
  ['variables of the environment before it', { ANSIBLE_REMOTE_USER: 'env', ANSIBLE_FORKS: '9', ANSIBLE_BECOME: 'no' }],
])('has the values and the origins of ansible-config: %s', async (_name, variables) => {
  const environment = { PATH: process.env['PATH'] ?? '', HOME: folder, ANSIBLE_CONFIG: config, ...variables };
  const [theirs] = askConfig([{ cwd: folder, environment }]);
  if (theirs === undefined || 'refused' in theirs) throw new Error(`Ansible refused it: ${theirs?.refused}`);
  const args = ['inventory', join(folder, 'hosts.ini'), '--settings', 'web1'];
  const { code, stdout, stderr } = await built.run(args, environment);
  expect(code, stderr).toBe(0);
  const rows = new Map(
    stdout
      .split('\n')
      .map((line) => line.trim().split(/ {2,}/) as [string, string, string])
      .map((row) => [row[0], row]),
  );
  for (const [row, name] of Object.entries(ROWS) as [keyof typeof ROWS, string][]) {
    const said = theirs.settings[name]!;
    if ('error' in said) throw new Error(said.error);
    const [, value, from] = rows.get(row)!;
    // Ansible's own default of 5 forks is not portfw's; this configuration sets it.
    expect(value, row).toBe(asShown(row, said.value));
    if (said.origin === 'default') expect(from, row).toBe('default');
    else if (said.origin.startsWith('env: ')) expect(from, row).toBe(said.origin.slice('env: '.length));
    else expect(from, row).toMatch(new RegExp(`^\\[\\w+\\] \\w+ at ${said.origin}:\\d+:\\d+$`));
  }
});
