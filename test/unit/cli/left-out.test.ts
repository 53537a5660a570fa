import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { lintFiles } from '../../../src/cli/commands/lint.ts';
import { BuiltPortfw, type Ended } from './helpers/portfw.ts';

const built = new BuiltPortfw();
const folder = mkdtempSync(join(tmpdir(), 'portfw-left-out-'));
const MIXED = join(folder, 'mixed');
/** Nothing listens on port 1: a host that is contacted is unreachable at once. */
writeFileSync(
  MIXED,
  `[linux]
web1 ansible_host=127.0.0.1 ansible_port=1
web2 ansible_host=127.0.0.1 ansible_port=1

[win]
w1 ansible_host=127.0.0.1

[win:vars]
ansible_connection=winrm
ansible_user=Administrator
ansible_port=5986

[net]
sw1 ansible_host=127.0.0.1 ansible_connection=ansible.netcommon.network_cli

[control]
localhost ansible_connection=local

[printers]
p1 portfw_managed=False
`,
);
const WHICH =
  'w1 (ansible_connection: winrm); sw1 (ansible_connection: ansible.netcommon.network_cli); localhost (ansible_connection: local, this machine)';

afterAll(() => {
  built.remove();
  rmSync(folder, { recursive: true });
});

function portfw(...args: readonly string[]): Promise<Ended> {
  return built.run(args);
}

describe('a run over an inventory with hosts that are not for portfw', { timeout: 30_000 }, () => {
  it('is for the others, and says once which it leaves out', async () => {
    const { code, stdout, stderr } = await portfw('plan', MIXED, '--playbook', 'portaswitch');
    expect(stderr).toBe('');
    expect(stdout.split('\n')[0]).toBe(`plan: 2 hosts; left out: ${WHICH}`);
    expect(stdout.split('left out').length).toBe(2);
    expect(stdout).toContain('\n2 hosts in ');
    expect(stdout).not.toMatch(/^(w1|sw1|localhost|p1)\b/m);
    expect(code).toBe(3);
  });

  it('does not speak of hosts that --limit leaves out anyway', async () => {
    const { code, stdout, stderr } = await portfw('plan', MIXED, '--playbook', 'portaswitch', '--limit', 'web1');
    expect([stderr, code]).toEqual(['', 3]);
    expect(stdout.split('\n')[0]).toBe('plan: 1 host');
    const both = await portfw('facts', MIXED, '--limit', 'web1,w1,p1');
    expect(both.stdout.split('\n')[0]).toBe('facts: 1 host; left out: w1 (ansible_connection: winrm)');
  });

  it('has them in its first event', async () => {
    const { stdout } = await portfw('plan', MIXED, '--playbook', 'portaswitch', '--json');
    const events = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events[0]).toMatchObject({
      kind: 'run-started',
      hosts: ['web1', 'web2'],
      leftOut: [
        { host: 'w1', why: 'connection', connection: 'winrm' },
        { host: 'sw1', why: 'connection', connection: 'ansible.netcommon.network_cli' },
        { host: 'localhost', why: 'local-among-remote', connection: 'local' },
      ],
    });
    expect(Object.keys(events.at(-1).summary.outcomes)).toEqual(['web1', 'web2']);
  });

  it.each([
    [
      'localhost',
      /^error: no host of "localhost" is managed\n {4}Left out: localhost \(ansible_connection: local, this machine\)\. To have portfw configure this machine, write portfw_managed: true for localhost\n$/,
    ],
    ['win', /Left out: w1 \(ansible_connection: winrm\)\. portfw manages hosts over ssh only\n$/],
    ['win,printers', /Left out: w1 .* The others have portfw_managed: false\. portfw manages hosts over ssh only\n$/],
    ['printers', /\n {4}These hosts have portfw_managed: false; portfw never logs in to them\n$/],
  ])('cannot be only for %s', async (limit, message) => {
    const { code, stdout, stderr } = await portfw('facts', MIXED, '--limit', limit);
    expect(stderr).toMatch(message);
    expect([code, stdout]).toEqual([4, '']);
  });

  it('without any other host is an error', async () => {
    const file = join(folder, 'windows');
    writeFileSync(file, 'localhost ansible_connection=local\nw1 ansible_connection=winrm\n');
    const { code, stderr } = await portfw('apply', file, '--playbook', 'portaswitch', '--yes');
    expect(stderr).toMatch(/^error: .*windows has no host to manage\n {4}Left out: localhost .*; w1 /);
    expect(code).toBe(4);
  });

  it('includes this machine where that is written', async () => {
    const file = join(folder, 'wanted');
    writeFileSync(file, 'localhost ansible_connection=local portfw_managed=True\nw1 ansible_connection=winrm\n');
    const { stdout } = await portfw('facts', file);
    expect(stdout.split('\n')[0]).toBe('facts: 1 host; left out: w1 (ansible_connection: winrm)');
  });
});

describe('portfw lint', { timeout: 30_000 }, () => {
  it('checks in a file of variables for another connection only what is for portfw', async () => {
    const file = join(folder, 'group_vars/windows.yml');
    mkdirSync(join(folder, 'group_vars'), { recursive: true });
    const rest = 'ansible_become_user: some one\nansible_host: /srv/x y\nportfw_rolse: []\n';
    const lines = async (connection: string): Promise<readonly (number | undefined)[]> => {
      writeFileSync(file, `ansible_connection: ${connection}\n${rest}`);
      const { problems } = await lintFiles([file], { today: '2026-06-01' });
      return problems.map(({ location }) => location?.line);
    };
    expect(await lines('winrm')).toEqual([4]);
    expect(await lines('ssh')).toEqual([2, 3, 4]);
  });
});

describe('portfw inventory', { timeout: 30_000 }, () => {
  it('says below the tree which hosts are left out; --graph stays as Ansible has it', async () => {
    const graph = (await portfw('inventory', MIXED, '--graph')).stdout;
    expect(graph).toMatch(/ \|--p1\n$/);
    expect((await portfw('inventory', MIXED)).stdout).toBe(
      `${graph}\nnot managed, so every run leaves them out: ${WHICH}\n`,
    );
  });
});
