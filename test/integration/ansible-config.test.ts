import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatAnsibleList, toAnsibleList } from '../../src/ansible/ansible-list.ts';
import type { AnsibleConfig, ConfigOrigin } from '../../src/ansible/config/config-types.ts';
import { thisMachine } from '../../src/ansible/config/config-world.ts';
import { readAnsibleConfig } from '../../src/ansible/config/read-config.ts';
import { loadInventory, readInventoryFiles } from '../../src/ansible/inventory.ts';
import { formatProblem } from '../../src/core/problem.ts';
import { loginDefaults } from '../../src/settings/login-defaults.ts';
import { readSettings } from '../../src/settings/read-settings.ts';
import { createTarget } from '../../src/transport/target.ts';
import { requireAnsible } from '../helpers/ansible.ts';
import {
  askConfig,
  type ConfigAnswer,
  type ConfigCall,
  SETTING_NAMES,
  type SettingAnswer,
} from '../helpers/ansible-config.ts';
import { askAnsible } from '../helpers/ansible-inventory.ts';
import { RandomConfigs } from '../helpers/random-configs.ts';
import { randomLayers } from '../helpers/random-layers.ts';
import { supported } from '../helpers/supported.ts';

/** `ansible.cfg` and `ANSIBLE_…` as the Ansible that is installed reads them, against what portfw reads. */

const SEED = 20261128;
const COUNT = 1500;
const LAYERED = 100;

const ARGS_IN_CFG = '[ssh_connection]\nssh_args = -C\nssh_common_args = -l common -o HostKeyAlias=common\n';

interface Login {
  readonly cfg: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly flags?: { readonly user?: string; readonly privateKey?: string };
  readonly variables?: Readonly<Record<string, unknown>>;
}

const root = mkdtempSync(path.join(tmpdir(), 'portfw-config-'));
afterAll(() => rmSync(root, { recursive: true }));
beforeAll(() => void requireAnsible());

/** What portfw reads in the same place. */
function readHere({ cwd, environment }: ConfigCall): AnsibleConfig {
  const home = environment['HOME'] ?? '/';
  return readAnsibleConfig({ ...thisMachine({ ...environment }), currentFolder: cwd, home });
}

/** The folders of random configurations. */
function lay(count: number, seed: number): readonly ConfigCall[] {
  const random = new RandomConfigs(seed);
  return Array.from({ length: count }, (_, index) => {
    const { files, environment, worldWritable } = random.make();
    const folder = path.join(root, `${seed}-${index}`);
    const cwd = path.join(folder, 'work');
    for (const name of ['work', 'home', 'named']) mkdirSync(path.join(folder, name), { recursive: true });
    for (const [name, bytes] of Object.entries(files)) writeFileSync(path.join(folder, name), bytes);
    if (worldWritable) chmodSync(cwd, 0o777);
    const filled = Object.entries(environment).map(([name, text]) => [name, text.replaceAll('ROOT', folder)]);
    return { cwd, environment: Object.fromEntries(filled) };
  });
}

function write(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
    writeFileSync(path.join(folder, file), text);
  }
}

/** How the two differ; empty when they agree. */
function differences(call: ConfigCall, theirs: ConfigAnswer): readonly string[] {
  const ours = readHere(call);
  const errors = ours.problems.filter(({ severity }) => severity === 'error');
  const said = errors.map(formatProblem).join('\n');
  if ('refused' in theirs)
    return errors.some(({ code }) => code !== 'bad-ansible-setting')
      ? []
      : [`taken, and refused by Ansible: ${theirs.refused}`];
  if (ours.file !== theirs.file) return [`the file: ${ours.file}, and with Ansible ${theirs.file}`];
  const found = errors.filter(({ code }) => code !== 'bad-ansible-setting');
  if (found.length > 0) return [`refused, and taken by Ansible: ${said}`];
  const skipped = ours.problems.some(({ code }) => code === 'ansible-cfg-skipped');
  const warned = theirs.warnings.some((text) => text.includes('world writable'));
  return [
    ...(skipped === warned ? [] : [`the warning: ${skipped}, and with Ansible ${warned}`]),
    ...Object.entries(ours.settings).flatMap(([name, setting]) => {
      const one = { value: setting?.value ?? null, origin: setting === null ? null : nameOf(setting.origin) };
      const base = setting?.origin.kind === 'file' ? path.dirname(ours.file ?? '') : call.cwd;
      return agree(one, theirs.settings[name]!, base, said)
        ? []
        : [`${name}: ${JSON.stringify([one, theirs.settings[name], said])}`];
    }),
  ];
}

interface Ours {
  readonly value: unknown;
  readonly origin: string | null;
}

function agree(ours: Ours, theirs: SettingAnswer, base: string, said: string): boolean {
  if ('error' in theirs) return ours.value === null && said !== '';
  if (theirs.origin === 'default') return ours.value === null;
  // What is set to nothing is not set: an empty text, and an empty path, of which Ansible makes a folder.
  const isNothing =
    theirs.value === '' ||
    isFolder(theirs.value) ||
    (Array.isArray(theirs.value) && theirs.value.every((one) => one === '' || isFolder(one)));
  if (ours.value === null) return isNothing || outOfBounds(theirs.value, said);
  if (ours.origin !== theirs.origin) return false;
  const own = (value: unknown) => (Array.isArray(value) ? value.filter((one) => one !== base) : value);
  return JSON.stringify(own(ours.value)) === JSON.stringify(own(theirs.value));
}

function isFolder(value: unknown): boolean {
  return typeof value === 'string' && value.startsWith(root) && /\/(?:work|home|named)$/.test(value);
}

/** Numbers that Ansible takes here and refuses, or OpenSSH does, when they are used. */
function outOfBounds(value: unknown, said: string): boolean {
  return typeof value === 'number' && (value < 1 || value > 65_535) && /which is too (?:small|great)/.test(said);
}

function nameOf(origin: ConfigOrigin): string {
  return origin.kind === 'environment' ? `env: ${origin.name}` : origin.location.file;
}

describe('Ansible’s configuration', () => {
  it(`is read as Ansible reads it: ${COUNT} of them, made at random`, { timeout: 240_000 }, () => {
    const calls = lay(COUNT, SEED);
    const answers = askConfig(calls);
    const different = calls.flatMap((call, index) => {
      const found = differences(call, answers[index]!);
      return found.length === 0 ? [] : [`${call.cwd}\n${found.join('\n')}`];
    });
    expect(different.slice(0, 5)).toEqual([]);
    const taken = answers.flatMap((answer) => ('settings' in answer ? [answer] : []));
    const set = taken
      .flatMap(({ settings }) => Object.values(settings))
      .filter((one) => 'origin' in one && one.origin !== 'default');
    console.info(
      `${answers.length} compared, ${answers.length - taken.length} of them refused; ${set.length} values were set`,
    );
    expect(taken.length).toBeGreaterThan(COUNT / 2);
    expect(answers.length - taken.length).toBeGreaterThan(COUNT / 20);
    expect(set.length).toBeGreaterThan(COUNT * 3);
  });
});

describe('hash_behaviour', () => {
  it.each(['merge', 'replace'] as const)(
    `%s: ${LAYERED} inventories with mappings in many layers`,
    async (hashBehaviour) => {
      const calls = randomLayers(LAYERED, SEED).map((files, index) => {
        const cwd = path.join(root, `layers-${hashBehaviour}-${index}`);
        write(cwd, files);
        return { cwd, args: ['-i', 'one.yaml', '-i', 'two.yaml', '--list', '--playbook-dir', 'play'] };
      });
      const answers = askAnsible(calls, { ANSIBLE_HASH_BEHAVIOUR: hashBehaviour });
      let merged = 0;
      for (const [index, { cwd }] of calls.entries()) {
        const sources = ['one.yaml', 'two.yaml'].map((name) => path.join(cwd, name));
        const options = { playbookFolder: path.join(cwd, 'play') };
        const inventory = await loadInventory(sources, { ...options, hashBehaviour });
        const ours = formatAnsibleList(toAnsibleList(inventory));
        expect(`${ours}\n`, cwd).toBe(answers[index]!.stdout);
        if (ours !== formatAnsibleList(toAnsibleList(await loadInventory(sources, options)))) merged += 1;
      }
      expect(merged).toBe(hashBehaviour === 'merge' ? merged : 0);
      if (hashBehaviour === 'merge') expect(merged).toBeGreaterThan(LAYERED / 2);
    },
  );
});

/** Places that people have, by hand. */
const PLACES: Readonly<
  Record<string, { readonly files: Readonly<Record<string, string>>; readonly environment?: Record<string, string> }>
> = {
  'an ansible.cfg beside the inventory': {
    files: {
      'ansible.cfg': `# ours
[defaults]
inventory = ./inventory/hosts.ini ; the production
remote_user=deploy
private_key_file: ~/.ssh/deploy
vault_password_file = ./.vault_pass
host_key_checking = False
forks = 50
timeout = 30
[privilege_escalation]
become = True
become_method = sudo
become_ask_pass = False
[ssh_connection]
ssh_args = -o ControlMaster=auto -o ControlPersist=60s -o ProxyJump=bastion.example.net
pipelining = True
`,
      '.vault_pass': 'a password\n',
      'inventory/hosts.ini': '[web]\nw1 ansible_host=192.0.2.1\n[web:vars]\na={"x": 1}\n',
    },
  },
  'two inventories over several lines': {
    files: {
      'ansible.cfg': '[defaults]\ninventory = one.yaml,\n  two.ini\n',
      'one.yaml': 'web: {hosts: {w1: {}}, vars: {a: {x: 1}}}\n',
      'two.ini': '[web]\nw2\n[web:vars]\na={"y": 2}\n',
    },
  },
  'mappings that are merged': {
    files: {
      'ansible.cfg': '[defaults]\ninventory = inventory\nhash_behaviour = merge\n',
      'inventory/hosts.yaml': `all:
  vars: {m: {a: 1, deep: {x: 1, l: [1, 2]}, 10: ten}, n: text, o: {k: 1}}
  children:
    web: {hosts: {w1: {m: {deep: {host: 1}}, o: {v: 1}}}, vars: {m: {b: 2, deep: {y: 2, l: [3]}, 9: nine}, n: {now: a dict}}}
    low: {hosts: {w1: }, vars: {m: {b: low, c: [low]}, o: gone}}
`,
      'inventory/group_vars/all.yaml': 'm: {file: all, deep: {file: all}}\n',
      'inventory/group_vars/web/a.yaml': 'm: {file: a, a: {now: dict}}\n',
      'inventory/group_vars/web/b.yaml': 'm: {file: b, a: {and: more}}\no: {web: 1}\n',
      'inventory/host_vars/w1.yaml': 'm: {file: host, deep: {x: null}}\n',
      'group_vars/web.yaml': 'm: {play: web}\n',
      'host_vars/w1.yaml': 'm: {play: host, a: scalar again}\n',
    },
  },
  'a file that ANSIBLE_CONFIG names, and variables over it': {
    files: {
      'ansible.cfg': '[defaults]\ninventory = nowhere\n',
      'etc/other.cfg': '[defaults]\ninventory = ../h.ini\nremote_user = file\n',
      'h.ini': 'h1\nh2 a=1\n',
    },
    environment: {
      ANSIBLE_CONFIG: 'etc/other.cfg',
      ANSIBLE_REMOTE_USER: 'env',
      ANSIBLE_BECOME: 'yes',
      ANSIBLE_TIMEOUT: '',
    },
  },
  'an inventory of the environment': {
    files: { 'ansible.cfg': '[defaults]\ninventory = nowhere\n', 'h.ini': 'h1\n' },
    environment: { ANSIBLE_INVENTORY: '{{CWD}}/h.ini' },
  },
};

describe.each(Object.entries(PLACES))('%s', (name, { files, environment = {} }) => {
  const cwd = path.join(root, name.replaceAll(' ', '-'));
  const call = {
    cwd,
    environment: {
      HOME: path.join(root, 'nobody'),
      PATH: process.env['PATH'] ?? '',
      LC_ALL: 'C.UTF-8',
      ...environment,
    },
  };
  const run = (program: string, ...args: readonly string[]) =>
    JSON.parse(
      execFileSync(program, [...args], { cwd, env: call.environment, encoding: 'utf8', stdio: 'pipe' }),
    ) as unknown;

  beforeAll(() => write(cwd, files));

  it(supported('ansible.cfg', 'Each setting has the value and the origin that `ansible-config dump` shows'), () => {
    const shown = run('ansible-config', 'dump', '-t', 'all', '--format', 'json') as Dump;
    const settings = Object.fromEntries(
      Object.entries(SETTING_NAMES).map(([own, [theirs, kind, plugin]]) => [
        own,
        findShown(shown, theirs!, kind, plugin),
      ]),
    );
    const answer = { file: readHere(call).file, warnings: [], settings };
    expect(differences(call, answer)).toEqual([]);
  });

  it(
    supported('ansible.cfg', '`inventory` and `hash_behaviour`: the inventory that `ansible-inventory` shows'),
    async () => {
      const { settings } = readHere(call);
      const inventory = await loadInventory(settings.inventory!.value, {
        playbookFolder: cwd,
        hashBehaviour: settings.hashBehaviour?.value ?? 'replace',
      });
      expect(JSON.parse(formatAnsibleList(toAnsibleList(inventory)))).toEqual(
        run('ansible-inventory', '--list', '--playbook-dir', '.'),
      );
    },
  );
});

/** Where one thing is said in several places. */
const LOGINS: Readonly<Record<string, Login>> = {
  'all in ansible.cfg': {
    cfg: `[defaults]\nremote_user = cfg\nremote_port = 2201\nprivate_key_file = keys/cfg\ntimeout = 31\n${ARGS_IN_CFG}`,
  },
  'the environment over it': {
    cfg: `[defaults]\nremote_user = cfg\nremote_port = 2201\nprivate_key_file = keys/cfg\n`,
    environment: {
      ANSIBLE_REMOTE_USER: 'env',
      ANSIBLE_REMOTE_PORT: '2202',
      ANSIBLE_PRIVATE_KEY_FILE: 'keys/env',
      ANSIBLE_TIMEOUT: '32',
      ANSIBLE_SSH_TIMEOUT: '99',
    },
  },
  'flags over both': {
    cfg: `[defaults]\nremote_user = cfg\nprivate_key_file = keys/cfg\n${ARGS_IN_CFG}`,
    environment: { ANSIBLE_REMOTE_USER: 'env' },
    flags: { user: 'flag', privateKey: '/keys/flag' },
  },
  'variables over all': {
    cfg: `[defaults]\nremote_user = cfg\nremote_port = 2201\nprivate_key_file = keys/cfg\ntimeout = 31\n${ARGS_IN_CFG}`,
    flags: { user: 'flag', privateKey: '/keys/flag' },
    variables: {
      ansible_user: 'var',
      ansible_port: 2203,
      ansible_ssh_private_key_file: '/keys/var',
      ansible_timeout: 33,
      ansible_ssh_extra_args: '-o HostKeyAlias=var',
    },
  },
  'ssh_args before all of them, and the other arguments after': {
    cfg: '[defaults]\nremote_user = cfg\nremote_port = 2201\nprivate_key_file = /keys/cfg\n[ssh_connection]\nssh_args = -l first -p 2204 -o IdentityFile=/keys/first\nssh_common_args = -l last -p 2205 -o IdentityFile=/keys/last\n',
  },
  'the two sections of one setting': {
    cfg: '[defaults]\ntimeout = 11\n[ssh_connection]\ntimeout = 22\nssh_common_args =\n  -o HostKeyAlias=more\n  -o ServerAliveInterval=9\n',
  },
};

describe('the command line of OpenSSH', () => {
  it.each(Object.entries(LOGINS))(
    'means what portfw does: %s',
    (name, { cfg, environment = {}, flags = {}, variables = {} }) => {
      const cwd = path.join(root, `login-${name.replaceAll(' ', '-')}`);
      const shown = path.join(cwd, 'shown');
      // Instead of a login, the real ssh says what the options mean to it.
      write(cwd, {
        'ansible.cfg': cfg,
        'hosts.yaml': JSON.stringify({ web: { hosts: { h1: { ansible_host: '192.0.2.1', ...variables } } } }),
        'ssh.sh': `#!/bin/sh\nssh -F none -G "$@" >'${shown}' 2>&1\nexit 255\n`,
      });
      chmodSync(path.join(cwd, 'ssh.sh'), 0o755);
      const env = {
        HOME: path.join(root, 'nobody'),
        PATH: process.env['PATH'] ?? '',
        LC_ALL: 'C.UTF-8',
        ...environment,
      };
      const given = [
        ...(flags.user === undefined ? [] : ['-u', flags.user]),
        ...(flags.privateKey === undefined ? [] : ['--private-key', flags.privateKey]),
      ];
      const ansible = ['all', '-i', 'hosts.yaml', '-m', 'raw', '-a', 'true', ...given];
      spawnSync('ansible', ansible, { cwd, env: { ...env, ANSIBLE_SSH_EXECUTABLE: path.join(cwd, 'ssh.sh') } });
      const theirs = readFileSync(shown, 'utf8').split('\n');
      const words = (option: string) =>
        theirs.flatMap((line) => (line.startsWith(`${option} `) ? [line.slice(option.length + 1)] : []));

      const defaults = loginDefaults(readHere({ cwd, environment: env }).settings, flags);
      const { settings } = readSettings(readInventoryFiles(path.join(cwd, 'hosts.yaml')), defaults);
      const options = { acceptNewHostKeys: false, becomePassword: null, sshPassword: null, agentSocket: null };
      const { target } = createTarget(settings.get('h1')!, { ...options, localUser: words('user')[0]! });
      const { user, port, connectTimeoutMs, privateKeyFiles, hostKeyAlias } = target!;
      const ours = [user, String(port), String(connectTimeoutMs / 1000), hostKeyAlias ?? undefined];
      expect(ours).toEqual([words('user')[0], words('port')[0], words('connecttimeout')[0], words('hostkeyalias')[0]]);
      const keys = words('identityfile').filter((file) => !file.startsWith('~'));
      expect(privateKeyFiles).toEqual(keys);
    },
  );
});

/** One line of `ansible-config dump`. */
interface Shown {
  readonly name: string;
  readonly value: unknown;
  readonly origin: string;
}

/** What it prints: its own settings, and under a name like `BECOME_PLUGINS` those of the plugins, by their names. */
type Dump = readonly (Shown & Readonly<Record<string, readonly Readonly<Record<string, readonly Shown[]>>[]>>)[];

function findShown(dump: Dump, name: string, kind: string | undefined, plugin: string | undefined): Shown {
  const ofPlugins = dump.flatMap((entry) => entry[`${kind?.toUpperCase()}_PLUGINS`] ?? []);
  const entries: readonly Shown[] = plugin === undefined ? dump : ofPlugins.flatMap((entry) => entry[plugin] ?? []);
  const found = entries.find((entry) => entry.name === name);
  if (found === undefined) throw new Error(`ansible-config dump shows no ${name}`);
  return found;
}
