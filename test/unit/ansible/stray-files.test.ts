import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadInventory } from '../../../src/ansible/inventory.ts';
import { formatProblem, InputError } from '../../../src/core/problem.ts';

const MOVE = 'Move it out of this folder, or name the inventory files instead of the folder';
const VARIABLES =
  'No host gets these variables: put them into group_vars or host_vars, or move the file out of this folder';
const PASSWORD = 'Move it out of this folder: Ansible takes its text for the name of a host';
const PROGRAM = 'Make it executable if it prints an inventory; otherwise move it out of this folder';
const SSH = 'Move it out of this folder, and name it in ansible_ssh_common_args with "-F FILE"';

/** Files that Ansible passes over in a folder, most with warnings, or takes for hosts: name, text, what it is, what to do. */
const FILES: readonly (readonly [name: string, text: string, seems: string, solve?: string])[] = [
  ['hosts.yml.example', '---\nall:\n  hosts:\n    x:\n', 'an example'],
  ['sample-hosts.tpl', '{{ first }} and {{ second }}\n', 'an example'],
  ['hosts.old', 'web1 : gone\n', 'a copy that is not used'],
  ['hosts.j2', '[a]\n{% for h in hosts %}\n{{ h }}\n{% endfor %}\n', 'a template'],
  ['ssh_config', 'Host *\n  User root\n  ProxyJump jump\n', 'a configuration of the SSH client', SSH],
  ['jump', '# jump\nHost jump\n    HostName 192.0.2.1\n', 'a configuration of the SSH client', SSH],
  ['README', 'Inventories\n===========\n', 'a text for people'],
  ['notes', 'Ask before you change this.\n', 'a text for people'],
  ['LICENSE', 'MIT License\n\nCopyright\n', 'a licence'],
  ['Makefile', 'all:\n\tansible-playbook site.yml\n', 'a Makefile'],
  ['Vagrantfile', 'Vagrant.configure("2") do |config|\nend\n', 'a file of another tool'],
  ['vars.yml', 'ntp_server: 192.0.2.1\nusers:\n  - a\n', 'a file of variables', VARIABLES],
  ['maps.yml', 'web: {port: 80}\nusers: {a: 1}\n', 'a file of variables', VARIABLES],
  ['run.sh', '#!/bin/sh\necho hello\n', 'a program', PROGRAM],
  ['lib.py', 'import os\n\ndef f():\n    return {"a": [1]}\n', 'a program'],
  [
    'requirements.yml',
    'roles:\n  - name: a.b\ncollections:\n  - name: c.d\n',
    'a list of requirements for ansible-galaxy',
  ],
  ['roles.yml', '- src: a.b\n- src: c.d\n', 'a list of requirements for ansible-galaxy'],
  ['site.yml', '- hosts: all\n  tasks: []\n', 'a playbook'],
  ['tasks.yml', '- name: ping\n  ping:\n', 'a list of tasks'],
  ['matrix.yaml', 'matrix: own\nroles: {}\n', 'a port matrix'],
  ['vault_pass', 'secretword\n', 'a file with a password', PASSWORD],
  ['id_ed25519', 'anything\n', 'a private key'],
  ['deploy', '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n', 'a private key'],
  ['known_hosts', '192.0.2.1 ssh-ed25519 AAAAC3Nz\n', 'a file of known host keys'],
  ['servers', '127.0.0.1 localhost\n192.0.2.1 web1\n', 'a file of addresses like /etc/hosts'],
  ['hosts.csv', 'name,ip\nx,192.0.2.1\n', 'a table'],
  ['hosts.xml', '<hosts><host/></hosts>\n', 'a document with markup'],
  ['run.log', '2020-01-01 started "x\n', 'a log'],
  ['main.tf', 'resource "x" "y" {\n a = 1\n}\n', 'a file of Terraform'],
  ['logo.png', '\u0089PNG\u0000\u0000', 'a file that is no text'],
  ['docker-compose.yml', 'services:\n  web:\n    image: x\n', 'a file of Docker Compose'],
  ['schema.json', '{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"}', 'a JSON Schema'],
];

const STRAYS = FILES.map(([name, text, seems, solve = MOVE]) => ({ name, text, seems, solve }));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'portfw-stray-'));
  writeFileSync(join(folder, 'hosts'), '[web]\nw1\n');
});
afterEach(() => rmSync(folder, { recursive: true }));

function put(name: string, text: string, mode = 0o644): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

/** The hosts of an inventory, and what is said about it. */
async function read(path: string): Promise<{ hosts: readonly string[]; said: readonly string[] }> {
  const inside = (text: string): string => text.replaceAll(`${folder}/`, '');
  try {
    const { hosts, warnings } = await loadInventory(path);
    return { hosts: [...hosts.keys()], said: warnings.map((one) => inside(formatProblem(one))) };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { hosts: [], said: error.problems.map((one) => inside(formatProblem(one))) };
  }
}

describe('a file in a folder of inventories that is none', () => {
  it.each(STRAYS)('$name is passed over, and said to be what it is', async ({ name, text, seems, solve }) => {
    put(name, text);
    const { hosts, said } = await read(folder);
    expect(hosts).toEqual(['w1']);
    expect(said).toEqual([expect.stringMatching(new RegExp(`^${name.replaceAll('.', '\\.')}:\\d+:\\d+: warning: `))]);
    expect(said[0]).toContain(`: warning: this is ${seems}, not an inventory: it is passed over\n    ${solve}`);
  });

  it.each(STRAYS.filter(({ name }) => name !== 'run.sh'))(
    '$name is an error when it is named',
    async ({ name, text, seems }) => {
      const { hosts, said } = await read(put(name, text));
      expect(hosts).toEqual([]);
      expect(said).toHaveLength(1);
      expect(said[0]).toContain(`: error: this is ${seems}, not an inventory\n`);
    },
  );

  it('may be a link that leads nowhere', async () => {
    symlinkSync('../nowhere.py', join(folder, 'ec2.py'));
    expect(await read(folder)).toEqual({
      hosts: ['w1'],
      said: [
        `ec2.py:1:1: warning: this is a link to nothing ("../nowhere.py" does not exist), not an inventory: it is passed over\n    ${MOVE}`,
      ],
    });
    expect((await read(join(folder, 'ec2.py'))).said[0]).toContain('error: there is no such file');
  });

  it.each([
    ['.gitkeep', ''],
    ['placeholder', ''],
    ['README', ''],
    ['empty.yml', '\n'],
    ['comment.yaml', '# none yet\n'],
    ['dashes.yml', '---\n# none yet\n'],
  ])('%s that is empty is passed over in silence', async (name, text) => {
    put(name, text);
    expect(await read(folder)).toEqual({ hosts: ['w1'], said: [] });
  });

  it('is the only one: then there is no inventory', async () => {
    rmSync(join(folder, 'hosts'));
    put('placeholder', '');
    put('site.yml', '- hosts: all\n  tasks: []\n');
    expect((await read(folder)).said).toEqual([
      expect.stringContaining('error: there is no inventory in this folder'),
      expect.stringContaining('site.yml:1:1: warning: this is a playbook'),
    ]);
  });

  it('is an example that Ansible reads: its hosts are read, and that is said', async () => {
    put('hosts.example', '[web]\nx1\n');
    const { hosts, said } = await read(folder);
    expect(hosts).toEqual(['w1', 'x1']);
    expect(said).toEqual([expect.stringContaining('hosts.example:1:1: warning: by its name this is an example')]);
    expect((await read(join(folder, 'hosts.example'))).said).toEqual([]);
  });
});

describe('a file in a folder that may hold hosts', () => {
  it.each([
    ['20-production.conf', '[db]\ndb1 ansible_host=192.0.2.4\ndb2 ansible_host="192.0.2.5\n', 3],
    ['hosts.conf', '[a\nb1\n', 1],
    ['phones.lst', '[sip]\nsip1\n[sip:vars]\nno value\n', 4],
    ['hosts-default.yml', 'all:\n  hosts:\n    d1: {x: 1\n    d2: {x: 2}\n', 3],
  ])(
    '%s has the name or the words of an inventory: its mistake is an error, and its hosts are not passed over',
    async (name, text, line) => {
      put(name, text);
      const { hosts, said } = await read(folder);
      expect(hosts).toEqual([]);
      expect(said).toEqual([
        expect.stringMatching(new RegExp(`^${name.replaceAll('.', '\\.')}:${line}:\\d+: error: `)),
      ]);
    },
  );

  it.each(['license-servers', 'authors-prod', 'dockerfile-builders'])(
    '%s is an inventory, although its name begins like that of another file',
    async (name) => {
      put(name, '[other]\no1\n');
      const { hosts, said } = await read(folder);
      expect(hosts.toSorted()).toEqual(['o1', 'w1']);
      expect(said).toEqual([]);
    },
  );

  const why = '. A file that may hold hosts is not passed over: move it out of this folder if it holds none';

  it.each([
    ['broken.yml', 'all:\n  hosts:\n    a: [1\n'],
    ['production', '[web]\nw2 port 22\n'],
    ['vault.yml', '$ANSIBLE_VAULT;1.1;AES256\n00\n'],
    ['ec2.py', '#!/usr/bin/env python3\nparser.add_argument("--list")\n'],
  ])('%s is an error, and says why', async (name, text) => {
    put(name, text);
    const { said } = await read(folder);
    expect(said.filter((one) => one.includes(why))).toHaveLength(1);
    expect(said[0]).toMatch(new RegExp(`^${name.replaceAll('.', '\\.')}:\\d+:\\d+: error: `));
    // Named by itself there is nothing to move.
    expect((await read(join(folder, name))).said.join()).not.toContain(why);
  });

  it('may be a program that fails or prints something else', async () => {
    put('fail.sh', '#!/bin/sh\nexit 3\n', 0o755);
    put('talk.sh', '#!/bin/sh\necho hello\n', 0o755);
    const { said } = await read(folder);
    expect(said).toHaveLength(2);
    for (const one of said) expect(one).toContain(why);
  });

  it.each([
    ['hosts.yml', 'web: [w1, w2]\n', 'the group "web" must be a mapping, not a list'],
    ['prod.yml', 'web: [w1, w2]\n', 'the group "web" must be a mapping, not a list'],
    ['prod.yml', 'web:\n  w1:\n  w2:\n', 'unknown key "w1" in the group "web"'],
    ['prod.yml', 'web:\n  host:\n    w1:\nntp: x\n', 'unknown key "host" in the group "web"'],
    ['prod.yml', '- w1\n- w2\n', 'an inventory is a mapping of groups, not a list'],
  ])('%s with a mistake is no file of variables', async (name, text, what) => {
    put(name, text);
    expect((await read(folder)).said[0]).toContain(`: error: ${what}`);
  });

  it.each(['inv.yml', 'none', 'inv.json'])('%s that holds an empty map is an error', async (name) => {
    const error = `${name}:1:1: error: the inventory is empty: "{}" holds no group`;
    expect((await read(put(name, '{}'))).said).toEqual([expect.stringContaining(error)]);
    expect((await read(folder)).said).toEqual([expect.stringContaining(error)]);
  });

  it('is no stray file because of its place', async () => {
    mkdirSync(join(folder, 'inner'));
    put('inner/more.yml', 'db:\n  hosts:\n    d1:\n');
    put('plugin.yml', 'plugin: constructed\nstrict: false\n');
    const { said } = await read(join(folder, 'inner'));
    expect(said).toEqual([]);
    expect((await read(folder)).said.join()).not.toContain('passed over');
  });

  it('is as long as a log, with a problem on every line', async () => {
    put('messages', `[a]\n${'x y z w\n'.repeat(60_000)}`);
    expect((await read(join(folder, 'messages'))).said).toHaveLength(180_000);
  }, 30_000);
});
