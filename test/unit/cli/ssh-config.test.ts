import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lintFiles } from '../../../src/cli/commands/lint.ts';
import { prepareRun } from '../../../src/cli/prepare-run.ts';
import type { RunFlags } from '../../../src/cli/run-flags.ts';
import { InputError } from '../../../src/core/problem.ts';
import { SshConfigFiles } from '../../../src/transport/ssh-config/ssh-config-files.ts';
import { supported } from '../../helpers/supported.ts';

let folder: string;
let inventory: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'portfw-cli-ssh-'));
  inventory = join(folder, 'inventory.yaml');
  writeFileSync(inventory, 'all:\n  vars:\n    portfw_playbook: portaswitch\n  hosts:\n    web[001:300]:\n');
});
afterAll(() => rmSync(folder, { recursive: true }));

const config = (text: string): string => {
  writeFileSync(join(folder, 'config'), text);
  return join(folder, 'config');
};
const prepare = (text: string, flags: Partial<RunFlags> = {}) =>
  prepareRun([inventory], { forks: 1, verbose: 0, color: false, sshConfig: config(text), ...flags }, 'optional');

const DOUBTFUL = 'Host web*\n  HostName %h.example.net\n  StrictHostKeyChecking no\n  Ciphers aes256-ctr\n';

describe('a run', () => {
  it('reaches the hosts of an inventory by their names in ssh_config, and warns once for all of them', async () => {
    const { context, warnings, close } = await prepare(DOUBTFUL);
    expect([...context.jobs.values()].map(({ target }) => target.address).slice(0, 2)).toEqual([
      'web001.example.net',
      'web002.example.net',
    ]);
    expect(context.jobs.size).toBe(300);
    const ours = warnings.filter(({ location }) => location?.file === join(folder, 'config'));
    expect(ours.map(({ location, code }) => [location?.line, code])).toEqual([
      [4, 'unsupported-ssh-option'],
      [3, 'host-keys-unchecked'],
    ]);
    await close();
  });

  it('contacts nobody when the configuration is wrong', async () => {
    const failed = prepare('Host web007\n  Port none\n');
    await expect(failed).rejects.toThrow(InputError);
    await expect(failed).rejects.toThrow(`${join(folder, 'config')}:2:8: error: Port needs a number`);
  });

  it('has the last word with its flags, on the way to a host too', async () => {
    const text = 'Host web*\n  ProxyJump gate\n  UserKnownHostsFile /k/config\nMatch all\n  ConnectTimeout 99\n';
    const flags = { knownHosts: '/k/flag', connectTimeout: 3, acceptNewHostKeys: true, user: 'flag', limit: 'web001' };
    const { context, close } = await prepare(text, flags);
    const last = { knownHostsFiles: ['/k/flag'], connectTimeoutMs: 3000, acceptNewHostKeys: true };
    const { target } = context.jobs.get('web001')!;
    expect(target).toMatchObject({ ...last, user: 'flag' });
    const hops = target.route.kind === 'jump' ? target.route.hops : [];
    expect(hops).toMatchObject([{ ...last, address: 'gate' }]);
    // As with ssh, the account that is asked for is the host's alone.
    expect(hops[0]?.user).not.toBe('flag');
    await close();
  });
});

describe('the SSH arguments of an inventory', () => {
  it('cannot switch off the check of host keys: one warning for all hosts, with its place', async () => {
    const file = join(folder, 'unchecked.yaml');
    const args = '-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null';
    writeFileSync(file, `all:\n  vars:\n    ansible_ssh_common_args: ${args}\n  hosts:\n    web[01:50]:\n`);
    const flags = { forks: 1, verbose: 0, color: false, sshConfig: 'none' };
    const { context, warnings, close } = await prepareRun([file], flags, 'optional');
    expect(context.jobs.size).toBe(50);
    for (const { target } of context.jobs.values())
      expect(target).toMatchObject({ acceptNewHostKeys: false, knownHostsFiles: [] });
    expect(warnings.map(({ code, location }) => [code, location?.file, location?.line, location?.column])).toEqual([
      ['host-keys-unchecked', file, 3, 30],
    ]);
    await close();
  });

  it(
    supported('ansible_ssh_common_args', '`ansible_ssh_args`, then the common, then the extra arguments'),
    async () => {
      const file = join(folder, 'arguments.yaml');
      const vars = {
        ansible_ssh_extra_args: '-p 2203 -l extra -o ConnectTimeout=5',
        ansible_ssh_common_args: '-p 2202 -l common',
        ansible_ssh_args: '-C -o ControlMaster=auto -o ControlPersist=60s -p 2201',
      };
      writeFileSync(file, JSON.stringify({ all: { vars, hosts: { web1: null } } }));
      const { context, close } = await prepareRun(
        [file],
        { forks: 1, verbose: 0, color: false, sshConfig: config('User config\nHostKeyAlias alias\n') },
        'optional',
      );
      expect(context.jobs.get('web1')?.target).toMatchObject({
        port: 2201,
        user: 'common',
        connectTimeoutMs: 5000,
        hostKeyAlias: 'alias',
      });
      await close();
    },
  );
});

describe('portfw lint', () => {
  it(supported('ssh_config', '`portfw lint` says what of it is wrong or cannot be had'), async () => {
    const sshConfig = new SshConfigFiles({ file: config(`${DOUBTFUL}Colour red\nUser "op\n`) });
    const { problems } = await lintFiles([inventory], { today: '2026-06-01', sshConfig });
    const found = problems.filter(({ location }) => location?.file === join(folder, 'config'));
    expect(found.map(({ severity, location }) => `${severity} ${location?.line}:${location?.column}`).sort()).toEqual([
      'error 6:6',
      'warning 3:25',
      'warning 4:11',
      'warning 5:1',
    ]);
  });
});
