import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openVault } from '../../src/ansible/vault/vault-passwords.ts';
import { requireAnsible } from '../helpers/ansible.ts';
import { ansibleEnvironment, askAnsible } from '../helpers/ansible-inventory.ts';
import { askTemplar } from '../helpers/ansible-templates.ts';
import { supported } from '../helpers/supported.ts';
import { settingsOf } from '../unit/ansible/helpers/config-world.ts';
import { ENVIRONMENT, expressionCases, HOST, INVENTORY } from '../unit/ansible/helpers/template-cases.ts';
import { portfw } from './helpers/portfw-cli.ts';

/** The Ansible that is installed, against what was recorded of one and what portfw does. */

const folder = mkdtempSync(path.join(tmpdir(), 'portfw-ansible-'));
afterAll(() => rmSync(folder, { recursive: true }));
beforeAll(() => void requireAnsible());

const file = (name: string): string => path.join(folder, name);

function ansibleVault(args: readonly string[], input: string): string {
  const options = { cwd: folder, input, env: ansibleEnvironment(), encoding: 'utf8', stdio: 'pipe' } as const;
  return execFileSync('ansible-vault', [...args], options);
}

describe('what ansible-vault encrypts now', () => {
  const PASSWORDS = [
    ['plain', 'correct horse battery staple'],
    ['unicode', 'pä55-wörd ✓ 日本語'],
    ['signs', `'"$(x)\\ ;|&`],
  ] as const;

  it(supported('Vault', 'whatever the installed ansible-vault encrypts, with and without an id'), async () => {
    for (const [id, password] of PASSWORDS) {
      writeFileSync(file(`${id}.password`), `${password}\n`);
      const source = `${id}@${file(`${id}.password`)}`;
      const texts = ['short', `über ✓ ${'long\n'.repeat(500)}`] as const;
      const output = ['--output', '-', '-'];
      const labelled = ansibleVault(['encrypt', '--vault-id', source, '--encrypt-vault-id', id, ...output], texts[0]);
      const bare = ansibleVault(['encrypt', '--vault-password-file', file(`${id}.password`), ...output], texts[1]);
      expect(labelled.split('\n')[0]).toBe(`$ANSIBLE_VAULT;1.2;AES256;${id}`);
      expect(bare.split('\n')[0]).toBe('$ANSIBLE_VAULT;1.1;AES256');
      const sources = { ids: [source], passwordFiles: [], ask: false, password: null, configured: settingsOf({}) };
      const prompt = () => Promise.reject(new Error('nobody is to be asked'));
      const vault = await openVault({ ...sources, prompt });
      expect(vault.open(labelled)).toEqual({ kind: 'opened', text: texts[0] });
      expect(vault.open(bare)).toEqual({ kind: 'opened', text: texts[1] });
    }
  });
});

describe('an inventory with a vault', () => {
  const SECRETS = ['127.0.0.77', 'oper-4711', 'Become-S3cret', '203.0.113.200', 'Group-S3cret'];
  const password = ['--vault-password-file', file('default.password')];
  const inventory = file('site/hosts.yaml');

  beforeAll(() => {
    mkdirSync(file('site/group_vars'), { recursive: true });
    writeFileSync(file('default.password'), 'a password\n');
    const encrypted = (value: string, indent: string): string =>
      `!vault |\n${ansibleVault(['encrypt', ...password, '--output', '-', '-'], value)
        .trimEnd()
        .replace(/^/gm, indent)}`;
    const text = `all:
  vars:
    other: ${encrypted('never used', '      ')}
    vault_address: ${encrypted('127.0.0.77', '      ')}
  hosts:
    h1:
      ansible_host: "{{ vault_address }}"
      ansible_port: 1
      ansible_user: ${encrypted('oper-4711', '        ')}
      ansible_become: true
      ansible_become_password: ${encrypted('Become-S3cret', '        ')}
      portfw_playbook: img-gcems
      portfw_roles: [gcems]
`;
    writeFileSync(inventory, text);
    const variables =
      'group_secret: Group-S3cret\nportfw_management: [203.0.113.200]\nansible_password: "{{ group_secret }}"\n';
    writeFileSync(
      file('site/group_vars/all.yaml'),
      ansibleVault(['encrypt', ...password, '--output', '-', '-'], variables),
    );
  });

  it(
    supported(
      'Vault',
      '`inventory --list` prints what ansible-inventory prints: values stay encrypted, whole files do not',
    ),
    async () => {
      const [ansible] = askAnsible([{ args: ['-i', inventory, '--list', ...password], cwd: folder }]);
      const ours = await portfw('inventory', inventory, '--list', ...password);
      expect(ours.stderr).toBe('');
      expect(ours.stdout).toBe(ansible?.stdout);
      expect(ours.stdout).toContain('__ansible_vault');
      expect(ours.stdout).toContain('Group-S3cret');
      expect(ours.stdout).not.toContain('Become-S3cret');
    },
  );

  it('is shown nowhere: plans, events and messages have none of its contents', async () => {
    const common = [inventory, ...password];
    const runs = await Promise.all([
      portfw('lint', ...common),
      portfw('plan', ...common, '-vv'),
      portfw('plan', ...common, '--json', '-vv'),
      portfw('facts', ...common),
      portfw('lint', inventory, '--vault-password-file', file('site/hosts.yaml')),
    ]);
    for (const { stdout, stderr } of runs) {
      for (const secret of [...SECRETS, 'never used']) expect(stdout + stderr).not.toContain(secret);
    }
    const [, plan, json, facts, wrong] = runs;
    // The host was tried, at the address that nobody is shown.
    for (const run of [plan, facts]) expect(run?.stdout).toMatch(/\[secret\]/);
    for (const line of json!.stdout.trimEnd().split('\n')) expect(() => JSON.parse(line) as unknown).not.toThrow();
    expect(wrong?.exitCode).toBe(4);
    expect(wrong?.stdout).toContain('the password that was given does not fit');
  });
});

describe('the expressions that were recorded', () => {
  it(supported('Templates', 'expressions mean what they mean to the installed Ansible'), () => {
    const cases = expressionCases();
    const answers = askTemplar(
      INVENTORY,
      HOST,
      cases.map(({ expression }) => expression),
      ENVIRONMENT,
    );
    let compared = 0;
    for (const [index, { expression, value, error }] of cases.entries()) {
      const answer = answers[index]!;
      // The collection with the filters for addresses is a package of its own, and not everywhere.
      if ('error' in answer && /ansible\.utils|netaddr/.test(answer.error) && error !== true) continue;
      compared += 1;
      if (error === true) expect(answer, expression).toHaveProperty('error');
      else expect(answer, expression).toEqual({ value });
    }
    expect(compared).toBeGreaterThan(100);
  });
});
