import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadInventory } from '../../../src/ansible/inventory.ts';
import { resolveInventory } from '../../../src/ansible/templates/resolve.ts';
import { Vault } from '../../../src/ansible/vault/vault.ts';
import { hostAddresses, resolveSources } from '../../../src/settings/addresses-of-hosts.ts';
import { CONNECTION_NAMES, connectionKind } from '../../../src/settings/connection-kinds.ts';
import { leftOut, leftOutText } from '../../../src/settings/left-out.ts';
import { readSettings } from '../../../src/settings/read-settings.ts';
import { VARIABLES } from '../../../src/settings/schema.ts';

/** The settings of inventories of one run, each given by its text. */
async function read(...texts: readonly string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'portfw-unmanaged-'));
  try {
    const files = texts.map((text, index) => {
      const file = join(folder, `hosts${index}${text.startsWith('all:') ? '.yaml' : ''}`);
      writeFileSync(file, text);
      return file;
    });
    const loaded = await loadInventory(files);
    const inventory = await resolveInventory(loaded, {
      vault: new Vault([]),
      variables: VARIABLES,
      environment: {},
    });
    const { settings, partial, problems } = readSettings(inventory);
    const reasons = Object.fromEntries(
      [...settings].map(([name, host]) => {
        expect(host.managed).toBe(host.unmanaged === null);
        return [name, host.unmanaged?.kind ?? 'managed'];
      }),
    );
    const said = problems.map(
      ({ severity, code, what, solve, location }) =>
        `${location?.line}:${location?.column}: ${severity} ${code}: ${what} | ${solve}`,
    );
    return { inventory, settings, partial, said, reasons };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const MIXED = `[linux]
web1 ansible_host=192.0.2.1

[win]
w1 ansible_host=192.0.2.2

[win:vars]
ansible_connection=winrm
ansible_user=Administrator

[net]
sw1 ansible_host=192.0.2.3 ansible_connection=ansible.netcommon.network_cli

[control]
localhost ansible_connection=local
`;

describe('a host that is not for portfw', () => {
  it('is one with another connection, and this machine among remote hosts', async () => {
    const { settings, said, reasons } = await read(MIXED);
    expect(said).toEqual([]);
    expect(reasons).toEqual({
      web1: 'managed',
      w1: 'connection',
      sw1: 'connection',
      localhost: 'local-among-remote',
    });
    expect(settings.get('sw1')?.unmanaged).toMatchObject({
      connection: 'ansible.netcommon.network_cli',
      location: { line: 12, column: 47 },
    });
    expect(settings.get('localhost')?.unmanaged).toMatchObject({ connection: 'local', location: { line: 15 } });
  });

  it.each([
    'winrm',
    'psrp',
    'network_cli',
    'httpapi',
    'docker',
    'community.docker.docker',
    'lxd',
    'kubectl',
    'chroot',
    'jail',
    'my.own.plugin',
  ])('is one with %s', async (connection) => {
    const { said, reasons } = await read(`web1\nx ansible_connection=${connection}\n`);
    expect(said).toEqual([]);
    expect(reasons).toEqual({ web1: 'managed', x: 'connection' });
  });

  it.each([
    'ssh',
    'smart',
    'paramiko',
    'paramiko_ssh',
    'ansible.builtin.ssh',
    'ansible.legacy.ssh',
    'ansible.builtin.paramiko_ssh',
  ])('is none with %s', async (connection) => {
    const { said, reasons } = await read(`x ansible_connection=${connection}\n`);
    expect([said, reasons]).toEqual([[], { x: 'managed' }]);
  });

  it.each([
    ['shh', 'Did you mean "ssh"? Or write portfw_managed: false for a host that is not for portfw'],
    ['ansible.builtin.shh', 'Did you mean "ssh"? Or write'],
    ['SSH', 'Did you mean "ssh"?'],
    ['wimrn', 'Did you mean "winrm"?'],
    ['locale', 'Did you mean "local"?'],
    ['netcommon.network_cli', 'Did you mean "network_cli"?'],
    ['quite-another-thing', 'Write ssh, or portfw_managed: false for a host that is not for portfw'],
  ])('is none by a mistake: %s is an error', async (connection, solve) => {
    const { said, partial } = await read(`web1\nx ansible_connection=${connection}\n`);
    const what = `ansible_connection is "${connection}", which is no known connection | ${solve}`;
    expect(said).toEqual([expect.stringContaining(`2:22: error connection-kind: ${what}`)]);
    expect(partial.get('x')?.managed).toBe(true);
    // Who has said that the host is not for portfw is not asked how it is reached.
    expect((await read(`web1\nx ansible_connection=${connection} portfw_managed=False\n`)).said).toEqual([]);
  });

  it('raises no problem by its other variables, whatever they hold', async () => {
    const { settings, said, reasons } = await read(`all:
  hosts:
    web1: { ansible_host: 192.0.2.1 }
    w1:
      ansible_host: 192.0.2.2
      ansible_connection: "{{ way }}"
      way: winrm
      ansible_user: 'CORP\\some one'
      ansible_password: "{{ from_a_vault_that_is_not_there }}"
      ansible_port: 5986 or so
      ansible_become: perhaps
      ansible_become_method: runas
      ansible_become_user: Administrator
      ansible_timeout: none
      ansible_winrm_transport: ntlm
    c1: { ansible_connection: docker, ansible_host: /srv/root of c1 }
    c2: { ansible_connection: docker, ansible_host: "{{ nothing }}" }
    localhost: { ansible_connection: local, ansible_become_method: doas, ansible_become: true }
`);
    expect(said).toEqual([]);
    expect(reasons).toMatchObject({ w1: 'connection', c1: 'connection', c2: 'connection' });
    expect(settings.get('w1')?.connection.password).toBeUndefined();
    expect(['w1', 'c1', 'c2'].map((name) => hostAddresses(settings.get(name)!))).toEqual([['192.0.2.2'], [], []]);
  });

  it('is a peer with its addresses all the same', async () => {
    const { inventory, settings } = await read(MIXED);
    expect(resolveSources(['win', 'net', 'control'], inventory, settings)).toEqual({
      addresses: ['192.0.2.2/31'],
      unknown: ['localhost'],
    });
  });

  it('keeps a misspelt portfw variable as an error', async () => {
    const { said } = await read('web1\nx ansible_connection=winrm portfw_rolse=sip\n');
    expect(said).toEqual([expect.stringContaining('error unknown-variable')]);
  });
});

describe('this machine (ansible_connection: local)', () => {
  it.each([
    ['alone', 'localhost ansible_connection=local\n', 'managed'],
    ['with other names of itself', 'localhost ansible_connection=local\nme ansible_connection=local\n', 'managed'],
    [
      'with peers that nobody logs in to',
      'localhost ansible_connection=local\noffice portfw_managed=False\n',
      'managed',
    ],
    ['among remote hosts', 'localhost ansible_connection=local\nweb1\n', 'local-among-remote'],
    [
      'by the name with the collection',
      'localhost ansible_connection=ansible.builtin.local\nweb1\n',
      'local-among-remote',
    ],
    [
      'among hosts with other connections',
      'localhost ansible_connection=local\nw ansible_connection=winrm\n',
      'local-among-remote',
    ],
    ['where it is wanted', 'localhost ansible_connection=local portfw_managed=True\nweb1\n', 'managed'],
    ['where it is not', 'localhost ansible_connection=local portfw_managed=False\nweb1\n', 'declared'],
  ])('%s', async (_name, text, reason) => {
    const { said, reasons, settings } = await read(text);
    expect(said).toEqual([]);
    expect(reasons['localhost']).toBe(reason);
    if (reason === 'managed') expect(settings.get('localhost')?.connection.kind).toBe('local');
  });

  it('is among the hosts of all inventories of the run', async () => {
    expect((await read('localhost ansible_connection=local\n', 'web1\n')).reasons).toEqual({
      localhost: 'local-among-remote',
      web1: 'managed',
    });
  });
});

describe('portfw_managed: true', () => {
  it('is an error, at its place, for a connection that portfw does not speak', async () => {
    const { said, settings } = await read(
      'web1\n[win]\nw1\nw2\n[win:vars]\nansible_connection=winrm\nportfw_managed=True\n',
    );
    expect(said).toEqual([
      '7:16: error connection-kind: portfw_managed is true, but ansible_connection is "winrm": portfw manages hosts over ssh, and the machine that it runs on (local) | Write portfw_managed: false for hosts with this connection, or ansible_connection: ssh',
    ]);
    expect([...settings.keys()]).toEqual(['web1']);
  });
});

describe('the hosts that are left out', () => {
  it('never stop a run by what is wrong with them, unless the others have it too', async () => {
    const own = await read('web1\nw1 ansible_connection=winrm portfw_private=perhaps\n');
    expect(own.said).toEqual([expect.stringMatching(/^2:\d+: warning .*"perhaps"/)]);
    expect([...own.settings.keys()]).toEqual(['web1', 'w1']);
    // What may have been meant to have it managed is no warning: it would be left out, and nobody would know.
    for (const wrong of [
      'localhost ansible_connection=local portfw_managed=true',
      'w1 ansible_connection=winrm portfw_managed=yes',
    ])
      expect((await read(`web1\n${wrong}\n`)).said).toEqual([expect.stringMatching(/^2:\d+: error .*portfw_managed/)]);
    for (const order of ['web1\nw1 ansible_connection=winrm\n', 'w1 ansible_connection=winrm\nweb1\n'])
      expect((await read(`${order}[all:vars]\nportfw_private=perhaps\n`)).said).toEqual([
        expect.stringMatching(/^4:\d+: error .*"perhaps"/),
      ]);
  });

  it('are those that nobody has declared, on one line', async () => {
    const many = Array.from({ length: 12 }, (_, index) => `w${index + 1} ansible_connection=winrm\n`).join('');
    const { settings } = await read(`web1\n${many}p1 portfw_managed=False\nlocalhost ansible_connection=local\n`);
    const hosts = leftOut(settings.values());
    expect(hosts.length).toBe(13);
    expect(hosts.at(-1)).toEqual({ host: 'localhost', why: 'local-among-remote', connection: 'local' });
    expect(leftOutText(hosts)).toBe(
      'w1, w2, w3 and 9 more (ansible_connection: winrm); localhost (ansible_connection: local, this machine)',
    );
  });
});

describe('connections', () => {
  it('are known by their short names, each by one', () => {
    expect(new Set(CONNECTION_NAMES).size).toBe(CONNECTION_NAMES.length);
    expect(CONNECTION_NAMES.filter((name) => connectionKind(name) === 'unknown')).toEqual([]);
  });

  it.each([
    '',
    'a.b',
    '.a.b.c',
    'a.b.c ',
    'a..c',
    'ansible.builtin.',
    'ansible.builtin.x.y',
    'win rm',
    'a.b.\u001b[31mc',
    'ansible.builtn.ssh',
    'ansble.builtin.ssh',
    'ansible.netcommon.paramiko',
  ])('%j is unknown', (name) => {
    expect(connectionKind(name)).toBe('unknown');
  });
});
