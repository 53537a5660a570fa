import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lintFiles } from '../../../src/cli/commands/lint.ts';
import { lintTargets } from '../../../src/cli/lint-targets.ts';

const HOSTS = '[web]\nweb1 ansible_host=192.0.2.11 portfw_playbook=portaswitch portfw_roles=["web-admin"]\n';
const PLAYBOOK = '- hosts: all\n  become: true\n  roles: [common]\n';
const DEFAULTS = { today: '2026-06-01' };

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'portfw-repository-'));
  put({ 'ansible.cfg': '[defaults]\n' });
});
afterEach(() => rmSync(root, { recursive: true }));

function put(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
}

const short = (path: string): string => relative(root, path);

/** The targets in a repository: inventories as `a + b`, everything else with its kind; in the order of their names. */
function targets(folder = root): readonly string[] {
  return lintTargets([folder])
    .targets.map((target) =>
      target.kind === 'inventory'
        ? [target.sources].flat().map(short).join(' + ')
        : `${target.kind}: ${short(target.file)}`,
    )
    .sort();
}

const passedOver = (): readonly string[] =>
  lintTargets([root])
    .passedOver.map(({ file, seems }) => `${short(file)}: ${seems}`)
    .sort();

describe('portfw lint in the root of a repository', { timeout: 60_000 }, () => {
  it('finds the inventories, each for itself', () => {
    put({
      hosts: HOSTS,
      'inventory.yml': 'all:\n  hosts:\n    web1:\n',
      'lab.ini': HOSTS,
      production: HOSTS,
      'inventories/staging/hosts.yml': 'all:\n  hosts:\n    web1:\n',
      'inventories/staging/more': '[db]\ndb1\n',
      'inventories/staging/group_vars/all.yml': 'a: 1\n',
      'inventories/production/hosts': HOSTS,
      'inventory/one': HOSTS,
      'inventory/two': '[db]\ndb1\n',
      'inventory/dev.yml': 'all:\n  hosts:\n    dev1:\n',
      'inventory/old.ini': HOSTS,
      'environments/qa/hosts': HOSTS,
      'ansible/hosts': HOSTS,
      'deploy/site/servers.yml': 'web:\n  hosts:\n    web1:\n',
    });
    expect(targets()).toEqual(
      [
        ...['hosts', 'inventory.yml', 'lab.ini', 'production', 'ansible/hosts', 'deploy/site/servers.yml'],
        ...['inventories/production/hosts', 'inventories/staging/hosts.yml + inventories/staging/more'],
        ...['inventory/dev.yml', 'inventory/old.ini', 'inventory/one + inventory/two', 'environments/qa/hosts'],
      ].sort(),
    );
    expect(passedOver()).toEqual([]);
  });

  it('passes over what is for Ansible and for other programs', () => {
    put({
      hosts: HOSTS,
      'site.yml': PLAYBOOK,
      'playbooks/all.yml': '- import_playbook: ../site.yml\n',
      'playbooks/tasks.yml': '- name: hosts\n  ping:\n',
      'vars.yml': 'hosts_allowed: [a]\nhosts: here\n',
      'requirements.yml': 'roles:\n  - name: a.hosts\n',
      Makefile: 'all:\n\ttrue\n',
      'LICENSE.txt': 'MIT\n',
      'tox.ini': '[tox]\nenvlist = py\n',
      'deploy.sh': '#!/bin/sh\nexit 1\n',
      'docker.rs': 'use a::b;\n',
      'tools/hosts.json': '{"hosts": {"A": {"port": 1}}}',
      'broken.yml': 'hosts: [\n',
      'secrets.yml': '$ANSIBLE_VAULT;1.1;AES256\n00\n',
      'group_vars/all.yml': 'hosts: 1\n',
      'roles/a/tasks/main.yml': '- ping:\n',
      'roles/a/tests/inventory': 'localhost\n',
      'molecule/default/hosts': HOSTS,
      'tests/hosts': HOSTS,
      'node_modules/x/hosts': HOSTS,
      '.git/hosts': HOSTS,
    });
    symlinkSync('..', join(root, 'playbooks', 'above'));
    expect(targets()).toEqual(['hosts']);
    expect(passedOver()).toEqual(
      [
        ...['site.yml: a playbook of Ansible', 'playbooks/all.yml: a playbook of Ansible'],
        ...['playbooks/tasks.yml: a list of tasks', 'playbooks/above: a link to a folder'],
        ...['vars.yml: a file of variables', 'requirements.yml: a list of requirements for ansible-galaxy'],
        ...['Makefile: a Makefile', 'tox.ini: no inventory', 'deploy.sh: a program', 'docker.rs: no inventory'],
        ...['tools/hosts.json: no inventory', 'broken.yml: a file that cannot be read'],
        ...[
          'secrets.yml: no inventory',
          'roles: a folder without inventories',
          'molecule: a folder without inventories',
        ],
        ...['tests: a folder of tests or examples', 'node_modules: a folder without inventories'],
      ].sort(),
    );
  });

  it('runs no program', async () => {
    const script = (file: string): string => `#!/bin/sh\ntouch ${join(root, 'ran')}\necho '{}' # ${file}\n`;
    put({
      hosts: HOSTS,
      'inventory/ec2.py': script('a'),
      hosts_live: script('b'),
      'inventory/aws_ec2.yml': 'plugin: x.y.z\n',
    });
    for (const name of ['inventory/ec2.py', 'hosts_live']) chmodSync(join(root, name), 0o755);
    await lintFiles([root], DEFAULTS);
    expect(existsSync(join(root, 'ran'))).toBe(false);
    expect(passedOver()).toEqual([
      'hosts_live: a program, which is run only when it is named',
      'inventory/aws_ec2.yml: a source for Ansible, which is run only when it is named',
      'inventory/ec2.py: a program, which is run only when it is named',
    ]);
  });

  it('checks playbooks and matrices of portfw, and adds a file without hosts to the inventories beside it', () => {
    put({
      hosts: HOSTS,
      'hosts.lab': HOSTS,
      'portfw.yml': 'web:\n  hosts:\n    web1: {portfw_roles: [web-admin]}\n',
      'groups.yml': 'site:\n  children:\n    web:\n',
      'portfw/ours.yaml': '- hosts: all\n  matrix: own.yaml\n',
      'portfw/own.yaml': 'matrix: own\nroles: {}\n',
    });
    expect(targets()).toEqual([
      'hosts + groups.yml + portfw.yml',
      'hosts.lab + groups.yml + portfw.yml',
      'matrix: portfw/own.yaml',
      'playbook: portfw/ours.yaml',
    ]);
  });

  it('says that a playbook mixes plays of portfw with those of Ansible', async () => {
    put({
      hosts: HOSTS,
      'site.yml':
        '- hosts: all\n  matrix: portaswitch\n  seriel: 1\n- import_playbook: other.yml\n- hosts: web\n  roles: [nginx]\n  tasks: []\n',
    });
    const { problems } = await lintFiles([root], DEFAULTS);
    const said = problems.filter(({ location }) => location?.file.endsWith('site.yml') === true);
    // What is wrong with a play of portfw is said too, and nothing of Ansible's.
    expect(said.map(({ code, what }) => [code, what])).toEqual([
      [
        'mixed-playbook',
        expect.stringMatching(/^this playbook mixes plays of portfw \("matrix"\) with plays of Ansible \("/),
      ],
      ['unknown-key', 'unknown key "seriel" in entry 1'],
    ]);
  });

  it('says of a playbook of Ansible that is named what it is', async () => {
    put({ 'site.yml': PLAYBOOK });
    const { problems } = await lintFiles([join(root, 'site.yml')], DEFAULTS);
    expect(problems.map(({ what }) => what)).toEqual(['this is a playbook of Ansible: no play in it names a matrix']);
  });

  it('says each problem once, and all empty groups of a file in one line', async () => {
    put({
      hosts: `${HOSTS}[db]\n[cache]\n[mail]\n[dns]\n`,
      'hosts.lab': `${HOSTS}[db]\n`,
      'group_vars/all.yml': 'portfw_privat: trusted\n',
    });
    const { problems, checked } = await lintFiles([root], DEFAULTS);
    expect(checked).toBe(2);
    expect(problems.filter(({ location }) => location?.file.endsWith('all.yml') === true)).toHaveLength(1);
    expect(
      problems.filter(({ code }) => code === 'empty-group').map(({ what, location }) => [what, location?.line]),
    ).toEqual([
      ['no host is in the groups "db", "cache", "mail" and 1 more', 3],
      ['no host is in the group "db"', 3],
    ]);
  });

  it('is an error when there is nothing to check', async () => {
    put({ 'site.yml': PLAYBOOK });
    const { problems } = await lintFiles([root], DEFAULTS);
    expect(problems.map(({ severity, code }) => `${severity} ${code}`)).toEqual(['error empty-inventory']);
  });

  it('has limits for what is large', () => {
    put({ hosts: HOSTS, huge: `${HOSTS}${'#'.repeat(1024 * 1024)}\n` });
    for (let depth = 0, path = root; depth < 10; depth += 1) {
      path = join(path, 'deep');
      mkdirSync(path);
      writeFileSync(join(path, `hosts.d${depth}`), HOSTS);
    }
    expect(targets()).toHaveLength(1 + 8);
    expect(passedOver()).toEqual(['huge: a large file']);
    mkdirSync(join(root, 'many'));
    for (let index = 0; index < 5000; index += 1) writeFileSync(join(root, 'many', `f${index}.yml`), '');
    expect(lintTargets([root]).problems.map(({ severity, code }) => [severity, code])).toEqual([
      ['warning', 'too-many-files'],
    ]);
  });

  it('leaves a folder that is no repository an inventory', () => {
    rmSync(join(root, 'ansible.cfg'));
    put({ one: HOSTS, 'two.yml': 'db:\n  hosts:\n    db1:\n', 'group_vars/all.yml': 'a: 1\n' });
    expect(targets()).toEqual(['']);
    put({ Makefile: 'all:\n', empty: '', 'ours.yml': '- hosts: all\n  matrix: portaswitch\n' });
    expect(targets()).toEqual(['one + two.yml', 'playbook: ours.yml']);
    expect(passedOver()).toEqual(['Makefile: a Makefile', 'empty: an empty file']);
    put({ 'site.yml': PLAYBOOK });
    expect(targets()).toEqual(['one', 'playbook: ours.yml', 'two.yml']);
  });

  it('tells in one line what was passed over, and with -v which files', () => {
    put({
      hosts: HOSTS,
      'site.yml': PLAYBOOK,
      'other.yml': PLAYBOOK,
      Makefile: 'all:\n',
      'roles/a/tasks/main.yml': '',
    });
    const lint = (...flags: readonly string[]): string => {
      const argv = ['dist/cli/main.js', 'lint', root, '--no-color', ...flags];
      try {
        return execFileSync(process.execPath, argv, { encoding: 'utf8' });
      } catch (error) {
        return (error as { readonly stdout: string }).stdout;
      }
    };
    expect(lint()).toMatch(/\npassed over: 2 playbooks of Ansible, 1 other file, 1 folder \(-v lists them\)\n$/);
    expect(lint('-v')).toContain(`${join(root, 'site.yml')}: a playbook of Ansible\n`);
    expect(lint('--json')).not.toContain('passed over:');
  });
});
