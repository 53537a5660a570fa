import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { Vault, VaultSecret } from '../../../src/ansible/vault/vault.ts';
import { lintFiles } from '../../../src/cli/commands/lint.ts';
import { forgetConcealed } from '../../../src/core/concealed.ts';
import type { Problem } from '../../../src/core/problem.ts';
import { VARIABLES } from '../../../src/settings/schema.ts';
import { sshConfigFiles } from '../../../src/transport/target.ts';
import { encrypt, PASSWORD } from '../ansible/helpers/encrypt.ts';
import { BuiltPortfw } from '../cli/helpers/portfw.ts';

const FOLDER = mkdtempSync(path.join(tmpdir(), 'portfw-contents-'));
afterAll(() => rmSync(FOLDER, { recursive: true }));
afterEach(forgetConcealed);

/** Secrets that are wrong in different ways: no value of anything, a name of nothing, a host, a network that is none. */
const SECRETS = ['Xyzzy (!) plugh', 'xyzzy-plugh', '203.0.113.213', '203.0.113.213/99', '~xyzzy/plugh.yaml'];
const TELLING = /xyzzy|plugh|203\.0\.113\.213/i;

const RULE = { name: 'x', interface: 'public', protocol: 'tcp', port: 8080, owner: 'ops', reason: 'because' };

/** Where in a value the secret can stand. @param secret how it is written */
function shapes(secret: unknown): readonly unknown[] {
  return [
    secret,
    [secret],
    { public: secret },
    { public: [secret] },
    { server: secret },
    { server: [secret] },
    ...Object.keys(RULE).map((key) => [{ ...RULE, [key]: secret }]),
    [{ ...RULE, from: [secret] }],
    [{ ...RULE, port: [secret] }],
    [{ ...RULE, expires: secret }],
  ];
}

/** The same with the secret for a key, which only a file that is encrypted as a whole can have. */
function keyed(secret: string): readonly unknown[] {
  return [{ [secret]: ['eth0'] }, { [secret]: 'public' }, { public: { [secret]: 1 } }, [{ ...RULE, [secret]: 1 }]];
}

interface Planted {
  readonly host: string;
  readonly name: string;
  readonly value: unknown;
}

/** A host for each variable and each place in its value. */
function planted(values: readonly unknown[]): readonly Planted[] {
  return VARIABLES.used.flatMap((name) =>
    values.map((value, index) => ({ host: `${name.replaceAll('_', '-')}-${index}`, name, value })),
  );
}

const COMMON = { portfw_playbook: 'portaswitch', portfw_roles: ['web-admin'], portfw_interfaces: { public: 'eth0' } };

function inventoryOf(hosts: readonly Planted[], variables: Readonly<Record<string, unknown>> = {}): string {
  const entries = hosts.map(({ host, name, value }) => [host, { ansible_host: '192.0.2.1', ...COMMON, [name]: value }]);
  return JSON.stringify({ all: { vars: variables, hosts: Object.fromEntries(entries) } });
}

function write(name: string, text: string): string {
  const file = path.join(FOLDER, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

// What it makes of a host's name, user and port is judged too.
const SSH_CONFIG = sshConfigFiles(write('ssh_config', 'Host *\n  ProxyCommand /usr/bin/nc %h %p %r\n'));

async function problemsOf(...files: readonly string[]): Promise<readonly Problem[]> {
  const vault = new Vault([new VaultSecret('default', PASSWORD)]);
  return (await lintFiles(files, { today: '2026-01-01', sshConfig: SSH_CONFIG, vault })).problems;
}

/** The variables of which something was said, without their contents. */
function complainedOf(problems: readonly Problem[]): ReadonlySet<string> {
  expect(problems.filter((problem) => TELLING.test(JSON.stringify(problem)))).toEqual([]);
  return new Set(problems.flatMap(({ what }) => /^the value of (\w+) comes from a vault/.exec(what)?.[1] ?? []));
}

/** Of these nothing is said, whatever their text is. */
const ANY_TEXT = /password|_pass$/;

describe.each(SECRETS)('the secret %j, in each variable in turn', { timeout: 60_000 }, (secret) => {
  const number = SECRETS.indexOf(secret);

  it('is quoted by no problem when a value is encrypted', async () => {
    const hosts = planted(shapes({ __ansible_vault: encrypt(secret) }));
    const problems = await problemsOf(write(`values-${number}/hosts.yaml`, inventoryOf(hosts)));
    const named = complainedOf(problems);
    if (number === 0) {
      expect(VARIABLES.used.filter((name) => !named.has(name) && !ANY_TEXT.test(name))).toEqual([]);
    }
    expect(named.size).toBeGreaterThan(15);
  });

  it('is quoted by no problem when a template brings it in', async () => {
    const hosts = planted(shapes('{{ hidden }}'));
    const text = inventoryOf(hosts, { hidden: { __ansible_vault: encrypt(secret) } });
    expect(complainedOf(await problemsOf(write(`templates-${number}/hosts.yaml`, text))).size).toBeGreaterThan(15);
  });

  it('is quoted by no problem when a file of variables is encrypted', async () => {
    const values = [...shapes(secret), ...keyed(secret)];
    const hosts = values.map((_, index) => ({ host: `h${index}`, name: 'portfw_features', value: [] }));
    const folder = `files-${number}`;
    for (const [index, value] of values.entries()) {
      const variables = Object.fromEntries(VARIABLES.used.map((name) => [name, value]));
      const text = JSON.stringify({ ...variables, [`portfw_${secret}`]: 1 });
      write(`${folder}/host_vars/h${index}.yaml`, encrypt(text));
    }
    expect(complainedOf(await problemsOf(write(`${folder}/hosts.yaml`, inventoryOf(hosts)))).size).toBeGreaterThan(15);
    const alone = await problemsOf(path.join(FOLDER, folder, 'host_vars'));
    complainedOf(alone);
    expect(alone.filter(({ what }) => what.startsWith('something in this encrypted file')).length).toBeGreaterThan(100);
  });

  it('is quoted by no problem when the inventory is encrypted', async () => {
    const hosts = planted([...shapes(secret), ...keyed(secret)]);
    const text = inventoryOf(hosts, { [`portfw_${secret}`]: 1 });
    const problems = await problemsOf(write(`whole-${number}/hosts.yaml`, encrypt(text)));
    expect(complainedOf(problems).size).toBeGreaterThan(15);
  });
});

describe('a file that is encrypted as a whole', () => {
  const secret = SECRETS[1]!;
  const broken: Readonly<Record<string, string>> = {
    'section.yaml': `all:\n  ${secret}: {}\n`,
    'kind.yaml': `all:\n  hosts: ${secret}\n  vars: ${secret}\n`,
    'twice.yaml': `all:\n  hosts:\n    ${secret}: {}\n    ${secret}: {}\n`,
    'syntax.yaml': `all: {"${secret}"\n`,
    'alias.yaml': `all: *${secret}\n`,
    'name.yaml': `all:\n  hosts:\n    "${secret}/": {}\n    "${secret}[1-3]": {}\n`,
    'cycle.yaml': `all:\n  children:\n    ${secret}:\n      children:\n        ${secret}: {}\n`,
    'text.yaml': `${secret}\n`,
    'tag.yaml': `all: !${secret} x\n`,
    'plugin.yaml': `plugin: ${secret}.no_such\n`,
    'hosts.ini': `[${secret}:wrong]\n[web]\n${secret} "x\n${secret} y\n[web:vars]\n${secret}\n[${secret}x:children]\n${secret}\n`,
    'ini.yaml': `[${secret}]\n${secret} = 1\n`,
    'host_vars/text.yaml': `${secret}\n`,
    'host_vars/syntax.yaml': `a: [${secret}\n`,
    'host_vars/twice.yaml': `${secret}: 1\n${secret}: 2\n`,
    'host_vars/unknown.yaml': `portfw_${secret}: 1\n`,
  };

  it.each(Object.entries(broken))('is not quoted by what is said of %s', async (name, text) => {
    const plain = await problemsOf(write(`plain/${path.basename(name, path.extname(name))}/${name}`, text));
    expect(plain.length).toBeGreaterThan(0);
    const folder = `broken/${path.basename(name, path.extname(name))}`;
    const file = write(`${folder}/${name}`, encrypt(text));
    if (name.startsWith('host_vars/')) {
      const host = path.basename(name, '.yaml');
      const hosts = write(`${folder}/hosts.yaml`, inventoryOf([{ host, name: 'portfw_features', value: [] }]));
      complainedOf(await problemsOf(hosts));
    }
    const problems = await problemsOf(file);
    complainedOf(problems);
    // The same as of the file in plain text.
    expect(problems.map(({ code, location }) => [code, location?.line, location?.column])).toEqual(
      plain.map(({ code, location }) => [code, location?.line, location?.column]),
    );
  });

  it('is not quoted by the commands either', { timeout: 60_000 }, async () => {
    const portfw = new BuiltPortfw();
    const folder = path.join(FOLDER, 'commands');
    const inventory = inventoryOf(planted([secret]), { [`portfw_${secret}`]: 1 });
    const file = write('commands/hosts.yaml', encrypt(inventory));
    const password = write('commands/password', PASSWORD.toString());
    const flags = ['--vault-password-file', password];
    const runs = [
      ['lint', file, ...flags],
      ['lint', file, '--json', ...flags],
      ['plan', file, ...flags],
      ['init', path.join(folder, 'portfw.yaml'), '--from', file, '--yes', ...flags],
      ['inventory', write('commands/cycle.yaml', encrypt(broken['cycle.yaml']!)), ...flags],
    ];
    for (const args of runs) {
      const { stdout, stderr } = await portfw.run(args);
      expect(`${stdout}${stderr}`).toContain('encrypted file');
      expect(`${args[0]}: ${stdout}${stderr}`).not.toMatch(TELLING);
    }
    portfw.remove();
  });
});
