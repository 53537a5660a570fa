import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inspect } from 'node:util';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { loadInventory } from '../../../src/ansible/inventory.ts';
import { resolveInventory } from '../../../src/ansible/templates/resolve.ts';
import { Vault, VaultSecret } from '../../../src/ansible/vault/vault.ts';
import { openVault, type VaultSources } from '../../../src/ansible/vault/vault-passwords.ts';
import { concealed, concealValue, forgetConcealed } from '../../../src/core/concealed.ts';
import { formatProblem, InputError, type Problem } from '../../../src/core/problem.ts';
import { Secret } from '../../../src/core/secret.ts';
import { readSettings } from '../../../src/settings/read-settings.ts';
import { VARIABLES } from '../../../src/settings/schema.ts';
import { createTarget } from '../../../src/transport/target.ts';
import { supported } from '../../helpers/supported.ts';
import { settingsOf as ansibleSettings } from './helpers/config-world.ts';

const FIXTURES = path.join(import.meta.dirname, '../../fixtures/inventory/vault');
const folder = mkdtempSync(path.join(tmpdir(), 'portfw-vault-'));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(forgetConcealed);

const fixture = (name: string): string => readFileSync(path.join(FIXTURES, name), 'utf8');
const at = (name: string): string => path.join(FIXTURES, name);

/** Passwords as a command line without any flag would find them, with what is given instead. */
function sources(given: Partial<VaultSources>): VaultSources {
  const none = {
    ids: [],
    passwordFiles: [],
    ask: false,
    password: null,
    configured: ansibleSettings({}),
  };
  const prompt = () => Promise.reject(new Error('nobody is to be asked'));
  return { ...none, prompt, ...given };
}

/** What is said when passwords cannot be had. */
async function complaint(given: Partial<VaultSources>): Promise<string> {
  try {
    await openVault(sources(given));
  } catch (error) {
    if (error instanceof InputError) return error.message.replaceAll(FIXTURES, 'F').replaceAll(folder, 'T');
    throw error;
  }
  throw new Error('nothing was said');
}

function opened(vault: Vault, name: string): string {
  const result = vault.open(fixture(name));
  return result.kind === 'opened' ? result.text : result.code;
}

describe('what ansible-vault has encrypted', () => {
  it(supported('Vault', 'values in the format 1.1'), async () => {
    const vault = await openVault(sources({ passwordFiles: [at('default.password')] }));
    expect(opened(vault, 'value-1.1.vault')).toBe('S3cret-Become!');
    expect(opened(vault, 'long.vault')).toBe('long '.repeat(400));
  });

  it(
    supported('Vault', 'values in the format 1.2, whose id picks the password; if that does not fit, all are tried'),
    async () => {
      const right = await openVault(sources({ ids: [`dev@${at('default.password')}`, `prod@${at('prod.password')}`] }));
      expect(opened(right, 'value-1.2.vault')).toBe('prodüctiön ✓');
      // The id is a name, not a lock: Ansible tries the other passwords too.
      const swapped = await openVault(
        sources({ ids: [`prod@${at('default.password')}`, `dev@${at('prod.password')}`] }),
      );
      expect(opened(swapped, 'value-1.2.vault')).toBe('prodüctiön ✓');
    },
  );

  it(supported('Vault', 'passwords of any bytes: with blanks, UTF-8 or none'), async () => {
    const vault = await openVault(sources({ ids: [at('odd.password'), `odd-bytes@${at('bytes.password')}`] }));
    expect([opened(vault, 'odd.vault'), opened(vault, 'bytes.vault')]).toEqual(['odd password', 'byte password']);
  });

  const text = fixture('value-1.1.vault');
  const secret = new VaultSecret('default', Buffer.from('plain-Passw0rd'));
  const last = text.trimEnd().at(-1)!;
  it.each([
    ['a wrong password', text, [new VaultSecret('a', Buffer.from('x'))], 'vault-wrong-password'],
    [
      'several wrong passwords',
      text,
      ['a', 'b'].map((id) => new VaultSecret(id, Buffer.from(id))),
      'vault-wrong-password',
    ],
    ['no password', text, [], 'vault-password-missing'],
    [
      'a changed digit',
      `${text.trimEnd().slice(0, -1)}${last === '1' ? '2' : '1'}\n`,
      [secret],
      'vault-wrong-password',
    ],
    ['a lost line', text.split('\n').toSpliced(2, 1).join('\n'), [secret], 'vault-format'],
    ['a lost digit', `${text.trimEnd().slice(0, -1)}`, [secret], 'vault-format'],
    ['no text at all', text.split('\n')[0]!, [secret], 'vault-format'],
    ['another version', text.replace(';1.1;', ';9.9;'), [secret], 'vault-version'],
    ['the old version', text.replace(';1.1;AES256', ';1.0;AES'), [secret], 'vault-version'],
    ['another cipher', text.replace('AES256', 'ROT13'), [secret], 'vault-cipher'],
    ['another header', text.replace('$ANSIBLE_VAULT', '$OTHER'), [secret], 'vault-format'],
  ])('with %s is not decrypted, and the reason is said', (_what, given, secrets, code) => {
    const result = new Vault(secrets).open(given);
    expect(result).toMatchObject({ kind: 'failed', code });
    expect(inspect(result)).not.toMatch(/plain-Passw0rd|S3cret/);
  });

  it('is decrypted once, however often it is asked for', () => {
    const vault = new Vault([secret]);
    vault.open(text);
    const began = process.hrtime.bigint();
    for (let count = 0; count < 1000; count += 1) vault.open(text);
    // Ten thousand rounds a time would take seconds.
    expect(Number(process.hrtime.bigint() - began) / 1e6).toBeLessThan(1000);
  });

  it('leaves no password where one could see it', () => {
    expect(inspect(new Vault([secret]), { depth: null, showHidden: true })).not.toContain('plain-Passw0rd');
    expect(`${JSON.stringify({ secret })} ${secret}`).toBe('{"secret":"[secret]"} [secret]');
  });
});

describe('passwords of vaults', () => {
  const opens = async (given: Partial<VaultSources>, name = 'value-1.1.vault'): Promise<string> =>
    opened(await openVault(sources(given)), name);

  it(
    supported('Vault', '`--vault-password-file` with a file, or with an executable that prints the password'),
    async () => {
      expect(await opens({ passwordFiles: [at('default.password')] })).toBe('S3cret-Become!');
      expect(await opens({ passwordFiles: [at('script.sh')] })).toBe('S3cret-Become!');
    },
  );

  it(
    supported('Vault', '`--vault-id ID@FILE`, repeatedly; an executable whose name ends in `-client` is told the id'),
    async () => {
      expect(await opens({ ids: [`prod@${at('keys-client.sh')}`] }, 'value-1.2.vault')).toBe('prodüctiön ✓');
      expect(await complaint({ ids: [`other@${at('keys-client.sh')}`] })).toBe(
        'error: --vault-id: the password script "F/keys-client.sh" knows no password for the id "other": no such id: other\n    Check the id before the "@"',
      );
    },
  );

  it(supported('Vault', '`-J`, `--vault-id ID@prompt`: asked once'), async () => {
    const questions: string[] = [];
    const prompt = (question: string) => {
      questions.push(question);
      return Promise.resolve(new Secret('plain-Passw0rd'));
    };
    expect(await opens({ ask: true, ids: ['prod@prompt'], prompt })).toBe('S3cret-Become!');
    expect(questions).toEqual(['Vault password (prod): ', 'Vault password: ']);
  });

  it(
    supported('Vault', '`ANSIBLE_VAULT_PASSWORD_FILE`, `ANSIBLE_VAULT_IDENTITY_LIST`, `PORTFW_VAULT_PASSWORD`'),
    async () => {
      expect(
        await opens({ configured: ansibleSettings({ ANSIBLE_VAULT_PASSWORD_FILE: at('default.password') }) }),
      ).toBe('S3cret-Become!');
      const list = `dev@${at('default.password')}, prod@${at('prod.password')}`;
      expect(
        await opens({ configured: ansibleSettings({ ANSIBLE_VAULT_IDENTITY_LIST: list }) }, 'value-1.2.vault'),
      ).toBe('prodüctiön ✓');
      expect(await opens({ password: new Secret('plain-Passw0rd') })).toBe('S3cret-Become!');
    },
  );

  it('from a pipe, as the shell makes one of <(…)', async () => {
    const pipe = path.join(folder, 'pipe');
    await new Promise((resolve) => execFile('mkfifo', [pipe], resolve));
    const writer = execFile('/bin/sh', ['-c', 'printf "plain-Passw0rd\\n" >"$1"', 'sh', pipe]);
    await new Promise((resolve) => setTimeout(resolve, 100));
    // The writer waits for a reader; a reader that comes first finds an empty pipe.
    const { openSync, closeSync, constants } = await import('node:fs');
    const both = openSync(pipe, constants.O_RDWR);
    await new Promise((resolve) => writer.once('exit', resolve));
    const reading = opens({ passwordFiles: [pipe] });
    closeSync(both);
    expect(await reading).toBe('S3cret-Become!');
  });

  it('that cannot be had are told of all at once, and nothing of them is shown', async () => {
    writeFileSync(path.join(folder, 'empty'), ' \n');
    writeFileSync(path.join(folder, 'fails'), '#!/bin/sh\necho "locked" >&2\nexit 7\n', { mode: 0o755 });
    writeFileSync(path.join(folder, 'no-such'), '#!/no/such/interpreter\n', { mode: 0o755 });
    const passwordFiles = ['missing', 'empty', 'fails', 'no-such', ''].map((name) => path.join(folder, name));
    expect(
      await complaint({
        passwordFiles,
        ids: ['x@'],
        configured: ansibleSettings({ ANSIBLE_VAULT_PASSWORD_FILE: '/none' }),
      }),
    ).toBe(`error: --vault-id: no file is named
    Write ID@FILE, FILE or ID@prompt
T/missing:1:1: error: there is no such file
    Check the path
error: --vault-password-file: "T/empty" holds no password
    Write the password into it, on one line
error: --vault-password-file: the password script "T/fails" ended with 7: locked
    Run it by hand to see why
error: --vault-password-file: the password script "T/no-such" could not be run (ENOENT)
    Check its first line, or remove its x bits
T:1:1: error: this is a folder, not a file
    Name a file in it
/none:1:1: error: there is no such file
    Check the path`);
  });
});

/** An inventory whose host has encrypted values. */
function inventoryWith(values: Readonly<Record<string, string>>, extra = ''): string {
  const lines = Object.entries(values).map(([name, file]) => {
    const text = fixture(file)
      .trimEnd()
      .split('\n')
      .map((line) => `        ${line}`);
    return `      ${name}: !vault |\n${text.join('\n')}`;
  });
  return `all:\n  hosts:\n    h1:\n      ansible_host: 192.0.2.1\n${extra}${lines.join('\n')}\n`;
}

async function settingsOf(text: string, vault: Vault) {
  const file = path.join(mkdtempSync(path.join(folder, 'i-')), 'hosts.yaml');
  writeFileSync(file, text);
  const inventory = await loadInventory(file, { decrypt: vault.decryptFile.bind(vault) });
  const { settings, problems } = readSettings(
    await resolveInventory(inventory, { vault, variables: VARIABLES, environment: {} }),
  );
  return { settings, said: said(problems, path.dirname(file)) };
}

function said(problems: readonly Problem[], base: string): string {
  return problems.map(formatProblem).join('\n').replaceAll(`${base}/`, '');
}

describe('an inventory with encrypted values', () => {
  const vault = () => openVault(sources({ ids: [at('default.password'), `prod@${at('prod.password')}`] }));

  it(
    supported('Vault', '`!vault` values of the variables that portfw uses, and of all that their templates refer to'),
    async () => {
      const extra = '      ansible_become: true\n      ansible_become_password: "{{ vault_become }}"\n';
      const { settings, said: problems } = await settingsOf(
        inventoryWith({ vault_become: 'value-1.1.vault', ansible_password: 'value-1.2.vault' }, extra),
        await vault(),
      );
      expect(problems).toBe('');
      const host = settings.get('h1')!;
      expect([host.become.password?.reveal(), host.connection.password?.reveal()]).toEqual([
        'S3cret-Become!',
        'prodüctiön ✓',
      ]);
    },
  );

  it('is how a login password reaches the connection, unless the environment or the prompt has one', async () => {
    const { settings } = await settingsOf(inventoryWith({ ansible_password: 'value-1.1.vault' }), await vault());
    const options = { acceptNewHostKeys: false, becomePassword: null, agentSocket: null, localUser: 'me' };
    const password = (sshPassword: Secret | null) =>
      createTarget(settings.get('h1')!, { ...options, sshPassword }).target?.password?.reveal();
    expect([password(null), password(new Secret('typed'))]).toEqual(['S3cret-Become!', 'typed']);
  });

  it(supported('Vault', '`__ansible_vault` in JSON'), async () => {
    const variables = { ansible_host: '192.0.2.1', ansible_password: { __ansible_vault: fixture('value-1.1.vault') } };
    const { settings } = await settingsOf(JSON.stringify({ all: { hosts: { h1: variables } } }), await vault());
    expect(settings.get('h1')?.connection.password?.reveal()).toBe('S3cret-Become!');
  });

  it('is not decrypted where the value is not needed', async () => {
    const { said: problems } = await settingsOf(inventoryWith({ other: 'value-1.1.vault' }), new Vault([]));
    expect(problems).toBe('');
  });

  it(supported('Vault', 'a password that is missing or wrong is an error at the place of the value'), async () => {
    const text = inventoryWith({ ansible_password: 'value-1.2.vault' });
    expect(
      (await settingsOf(text, new Vault([]))).said,
    ).toBe(`hosts.yaml:5:32: error: ansible_password is encrypted with ansible-vault, and no password was given (with the id "prod")
    Give it with --vault-password-file FILE, --vault-id ID@FILE, -J to be asked, or in PORTFW_VAULT_PASSWORD`);
    const wrong = new Vault([new VaultSecret('pord', Buffer.from('x'))]);
    expect(
      (await settingsOf(text, wrong)).said,
    ).toBe(`hosts.yaml:5:32: error: ansible_password is encrypted with ansible-vault, and the password that was given does not fit (with the id "prod"), or the text was changed since
    Give the password that it was encrypted with, as --vault-id prod@FILE. Did you mean "pord"?`);
    const used = inventoryWith({ secret: 'value-1.1.vault' }, '      ansible_user: "{{ secret }}"\n');
    expect((await settingsOf(used, new Vault([]))).said).toContain(
      'hosts.yaml:6:22: error: ansible_user of the host "h1", which needs secret, cannot be evaluated: secret is encrypted',
    );
  });

  it(supported('Vault', 'inventories, `group_vars` and `host_vars` that are encrypted as a whole'), async () => {
    const copy = path.join(folder, 'whole');
    cpSync(path.join(FIXTURES, 'whole'), copy, { recursive: true });
    const own = await vault();
    const inventory = await loadInventory(path.join(copy, 'hosts.yaml'), { decrypt: own.decryptFile.bind(own) });
    const resolved = await resolveInventory(inventory, { vault: own, variables: VARIABLES, environment: {} });
    const { settings, problems } = readSettings(resolved);
    expect(problems).toEqual([]);
    expect(settings.get('h1')?.vips).toEqual(['203.0.113.77', '203.0.113.78']);
    expect(settings.get('h1')?.become.password?.reveal()).toBe('Gr0up-S3cret');
    await expect(
      loadInventory(path.join(copy, 'hosts.yaml'), {
        decrypt: () => new Vault([]).decryptFile(fixture('long.vault'), 'F'),
      }),
    ).rejects.toThrow('F:1:1: error: this file is encrypted with ansible-vault, and no password was given');
    // Of what comes from there nothing is shown.
    expect(concealed('vip 203.0.113.77/32, 203.0.113.770, Gr0up-S3cret')).toBe(
      'vip [secret]/32, 203.0.113.770, [secret]',
    );
  });
});

describe('what comes from a vault', () => {
  it('is in no message about it, also not through a template', async () => {
    const vault = await openVault(sources({ passwordFiles: [at('default.password')] }));
    const names = [
      ...[
        'ansible_host',
        'ansible_port',
        'ansible_user',
        'ansible_connection',
        'ansible_become_method',
        'ansible_timeout',
      ],
      ...['portfw_vips', 'portfw_private', 'portfw_extra_rules', 'portfw_cluster', 'portfw_allow_from', 'portfw_peers'],
      ...['portfw_management', 'portfw_interfaces', 'portfw_roles', 'portfw_managed', 'portfw_addresses'],
    ];
    const forms = ['"{{ secret }}"', '["{{ secret }}"]', '"x {{ secret }}"', '{ "a": "{{ secret }}" }'];
    const hosts = names.flatMap((name) =>
      forms.map(
        (form, index) => `    ${name}-${index}: { ansible_host: 192.0.2.1, ansible_become: true, ${name}: ${form} }`,
      ),
    );
    const text = inventoryWith({ secret: 'value-1.1.vault' }).replace('  hosts:\n    h1:', '  vars:');
    const variables = text.replace(/^ {6}/gm, '    ').replace('    ansible_host: 192.0.2.1\n', '');
    const all = await settingsOf(
      `${variables}  hosts:\n${hosts.join('\n').replaceAll('ansible_host: 192.0.2.1, ansible_become: true, ansible_host', 'ansible_become: true, ansible_host')}\n`,
      vault,
    );
    expect(all.said.match(/comes from a vault/g)?.length).toBeGreaterThan(50);
    expect(all.said).not.toMatch(/S3cret|Become!/);
    const { said: problems } = await settingsOf(inventoryWith({ ansible_port: 'value-1.1.vault' }), vault);
    expect(
      problems,
    ).toBe(`hosts.yaml:5:28: error: the value of ansible_port comes from a vault, and is not right (bad port)
    It is not shown; look at it with "ansible-vault view" or "ansible-vault decrypt", and correct it`);
  }, 60_000);

  it('is concealed in every form that an address can take', async () => {
    const vault = await openVault(sources({ passwordFiles: [at('default.password')] }));
    const extra = '      portfw_management: ["{{ secret[:0] }}2001:DB8::0:1", "{{ secret[:0] }}192.0.2.0/24"]\n';
    const { said: problems } = await settingsOf(inventoryWith({ secret: 'value-1.1.vault' }, extra), vault);
    expect(problems).toBe('');
    expect(concealed('2001:db8::1, 2001:db8::1/128, 2001:DB8::0:1, 192.0.2.0/24')).toBe(
      '[secret], [secret]/128, [secret], [secret]',
    );
  });

  it.each([
    ['text', 'S3cret-Become!', 'password S3cret-Become! here', 'password [secret] here'],
    ['JSON', 'a"b\\c d', JSON.stringify({ text: 'a"b\\c d' }), '{"text":"[secret]"}'],
    ['XML', 'a<b>&"c', '<x>a&lt;b&gt;&amp;&quot;c</x>', '<x>[secret]</x>'],
    ['base64', 'S3cret-Become!', Buffer.from('S3cret-Become!').toString('base64'), '[secret]='],
    ['text that is cut off', 'a rather long secret that goes on', '"a rather long secret th…"', '"[secret]…"'],
    ['several lines', 'first line\nsecond line', 'first line / second line', '[secret] / [secret]'],
    ['what begins alike', ['secret', 'secretive'], 'secretive secret', '[secret] [secret]'],
    ['lists and mappings', { a: ['hidden-one'], b: 'hidden-two' }, 'hidden-one hidden-two', '[secret] [secret]'],
  ])('is concealed as %s', (_what, value, text, shown) => {
    concealValue(value, 'anywhere');
    expect(concealed(text)).toBe(shown);
  });

  it.each([
    ['short text', 'abc'],
    ['a port', '5060'],
    ['a number', 22],
    ['a yes', true],
    ['a yes in words', 'true'],
    ['root', 'root'],
  ])('leaves the output readable: %s is not taken out of it', (_what, value) => {
    concealValue(value, 'as a word');
    expect(concealed('root abc true 5060 22')).toBe('root abc true 5060 22');
  });

  it('is concealed however many there are, and quickly', () => {
    for (let host = 0; host < 5000; host += 1) {
      concealValue(`10.${host >> 8}.${host & 255}.7`, 'as a word');
      concealValue(`a password that is long enough ${host} ${'x'.repeat(host % 90)}`, 'anywhere');
    }
    const line = 'web1 opens tcp/5060 to 10.99.0.7, 10.3.200.7 and 10.3.200.70\n';
    const start = performance.now();
    const text = concealed(`${line.repeat(10_000)}a password that is long enough 4999 xxx…`);
    expect(performance.now() - start).toBeLessThan(3000);
    expect(text.slice(0, 60)).toBe('web1 opens tcp/5060 to 10.99.0.7, [secret] and 10.3.200.70\nw');
    expect(text.endsWith('\n[secret]…')).toBe(true);
  });

  it('is concealed next to characters beyond the 16-bit ones, and never halves one', () => {
    concealValue('admin', 'as a word');
    concealValue('🔑'.repeat(12), 'anywhere');
    expect(concealed(`𝒳admin admin𝒳 🔑admin ${'🔑'.repeat(9)}🔒`)).toBe('𝒳admin admin𝒳 🔑[secret] [secret]');
  });

  it('is concealed when it is a password of digits, but not when it is a number', () => {
    concealValue('20250917', 'as a word');
    concealValue('48151623', 'anywhere');
    concealValue('5060', 'anywhere');
    expect(concealed('20250917 48151623 5060')).toBe('20250917 [secret] 5060');
  });

  it('is a word of its own, unless it is a password', () => {
    concealValue('10.0.0.1', 'as a word');
    concealValue('admin', 'as a word');
    concealValue('hunter2', 'anywhere');
    expect(concealed('10.0.0.1 10.0.0.10 110.0.0.1 admin administrator xhunter2x')).toBe(
      '[secret] 10.0.0.10 110.0.0.1 [secret] administrator x[secret]x',
    );
  });
});
