import { execFile } from 'node:child_process';
import { copyFile, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SavedPlan } from '../../src/saved/saved-plan.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import { encrypt, PASSWORD } from '../unit/ansible/helpers/encrypt.ts';
import { writeInventory } from './helpers/lab-inventory.ts';
import { filesBelow, withoutTimes } from './helpers/observed-host.ts';
import { outcomeOf, portfw, portfwJson } from './helpers/portfw-cli.ts';

/** The life of one saved plan: made, read, signed, refused where a host or a file has drifted, and applied. */
const run = promisify(execFile);

let lab: Lab;
let inventory: string;
let plan: string;
const at = (name: string) => join(lab.directory, name);
const keygen = (...args: readonly string[]) => run('ssh-keygen', [...args]);

async function saved(file: string): Promise<SavedPlan> {
  return JSON.parse(await readFile(file, 'utf8')) as SavedPlan;
}

function inventoryWith(name: string, ocs: Record<string, unknown> = {}): Promise<string> {
  const common = { portfw_playbook: 'portaswitch-ocs' };
  return writeInventory(lab, name, { hosts: { ocs1: { ...common, ...ocs }, ocs2: common } });
}

/** Puts a value that is encrypted in the place of `@@`. */
async function vaultIn(file: string, value: string): Promise<void> {
  const [, indent = ''] = /^( *)[^\n]*@@/m.exec(await readFile(file, 'utf8')) ?? [];
  const block = encrypt(value).trimEnd().replaceAll('\n', `\n${indent}  `);
  await writeFile(file, (await readFile(file, 'utf8')).replace(/"?@@"?/, `!vault |\n${indent}  ${block}`));
}

function vault(): readonly string[] {
  return ['--vault-password-file', at('vault-password')];
}

beforeAll(async () => {
  lab = await startLab({
    name: 'saved',
    hosts: [
      { name: 'ocs1', suite: 'bookworm', daemons: ['ocs'] },
      { name: 'ocs2', suite: 'trixie', daemons: ['ocs'] },
    ],
  });
  inventory = await inventoryWith('inventory');
  plan = at('change.plan.json');
  await writeFile(at('vault-password'), PASSWORD, { mode: 0o600 });
});

afterAll(async () => {
  await lab?.stop();
});

describe('plan --out', () => {
  it('saves the plan of every host with what it is bound to, for the owner alone', async () => {
    const result = await portfw('plan', inventory, '--out', plan);
    expect(result.exitCode, result.stdout + result.stderr).toBe(0);
    expect(result.stdout).toContain(`Apply it with: portfw apply ${plan}`);
    expect((await stat(plan)).mode & 0o777).toBe(0o600);
    const { hosts, digest, inputs } = await saved(plan);
    expect(result.stdout).toContain(digest);
    expect(hosts.map(({ host }) => host)).toEqual(['ocs1', 'ocs2']);
    expect(inputs.map(({ path }) => path)).toContain('portfw:matrices/portaswitch-ocs.yaml');
    for (const one of hosts) {
      if (one.kind !== 'plan') throw new Error(JSON.stringify(one.without));
      expect(one.plan.changes.length).toBeGreaterThan(0);
      expect(one.firewalld).toMatch(/^[12]\.3/);
      const keys = await lab.host(one.host).run('sh', '-c', 'for key in /etc/ssh/*.pub; do ssh-keygen -lf $key; done');
      expect(keys).toContain(one.identity?.fingerprint);
      expect(one.seen.filter((line) => /^permanent zone \S+: service ssh$/.test(line))).not.toEqual([]);
    }
  });

  it('gives the same bytes again', async () => {
    const again = at('again.plan.json');
    await portfw('plan', inventory, '--out', again);
    expect(await readFile(again, 'utf8')).toBe(await readFile(plan, 'utf8'));
  });

  it('does not overwrite a file that is no saved plan', async () => {
    const before = await readFile(inventory, 'utf8');
    const result = await portfw('plan', inventory, '--out', inventory);
    expect(result.exitCode).toBe(4);
    expect(result.stderr).toContain('exists, and is no saved plan');
    expect(await readFile(inventory, 'utf8')).toBe(before);
  });

  it('holds no password, no key and nothing out of a vault', async () => {
    const secrets = await inventoryWith('secrets', {
      ansible_user: 'admin',
      ansible_become: true,
      ansible_become_password: '@@',
      ansible_password: 'planted-ssh-password',
    });
    await vaultIn(secrets, lab.sudoPassword);
    const file = at('secrets.plan.json');
    const result = await portfw('plan', secrets, '--out', file, '--limit', 'ocs1', ...vault());
    expect(result.exitCode, result.stdout + result.stderr).toBe(0);
    const written = await readFile(file, 'utf8');
    expect((await saved(file)).hosts[0]?.kind).toBe('plan');
    for (const secret of [lab.sudoPassword, 'planted', lab.privateKeyFile, 'admin@'])
      expect(written, secret).not.toContain(secret);
  });
});

describe('show', () => {
  it('reads the file alone', async () => {
    const copy = at('copy.plan.json');
    await copyFile(plan, copy);
    const { stdout, exitCode } = await portfw('show', copy);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('ocs1');
    expect(stdout).toContain(`Digest: ${(await saved(plan)).digest}`);
    expect(stdout).toContain('Not signed');
  });

  it('refuses an edited file, and so does apply', async () => {
    const edited = at('edited.plan.json');
    await writeFile(edited, (await readFile(plan, 'utf8')).replace('"ocs1"', '"ocs9"'));
    for (const command of [
      ['show', edited],
      ['apply', edited, '--yes'],
    ]) {
      const result = await portfw(...command);
      expect(result.exitCode).toBe(4);
      expect(result.stderr).toContain('somebody has edited the file');
    }
  });
});

describe('signatures', () => {
  const allowed = () => at('allowed_signers');

  beforeAll(async () => {
    for (const name of ['ann', 'bob', 'eve']) await keygen('-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', at(name));
    const line = async (name: string, key: string) =>
      `${name}@example.net ${(await readFile(at(`${key}.pub`), 'utf8')).trim()}\n`;
    await writeFile(allowed(), (await line('ann', 'ann')) + (await line('bob', 'bob')) + (await line('anna', 'ann')));
  });

  it('are made by keys that exist, and none is overwritten', async () => {
    const unsigned = await portfw('apply', plan, '--yes', '--require-signature', allowed());
    expect(unsigned.exitCode).toBe(4);
    expect(unsigned.stderr).toContain('nobody who may sign has signed it');
    expect((await portfw('sign', plan, '--key', at('ann'))).exitCode).toBe(0);
    const other = await portfw('sign', plan, '--key', at('bob'));
    expect(other.exitCode).toBe(4);
    expect(other.stderr).toContain('by another key');
    expect((await portfw('sign', plan, '--key', at('ann'))).exitCode).toBe(0);
    const { stdout } = await portfw('show', plan);
    const fingerprint = (await keygen('-lf', at('ann.pub'))).stdout.split(' ')[1]!;
    expect(stdout).toContain(`Signed by ED25519 ${fingerprint}`);
  });

  it('count people, not names or files', async () => {
    const twice = ['apply', plan, '--dry-run', '--require-signature', allowed(), '--signatures', '2'];
    await copyFile(`${plan}.sig`, `${plan}.again.sig`);
    expect((await portfw('sign', plan, '--key', at('eve'), '--name', 'eve')).exitCode).toBe(0);
    const one = await portfw(...twice);
    expect(one.exitCode).toBe(4);
    expect(one.stderr).toContain('2 different people must');
    expect((await portfw('sign', plan, '--key', at('bob'), '--name', 'bob')).exitCode).toBe(0);
    const both = await portfw(...twice);
    expect(both.exitCode, both.stderr).toBe(0);
    expect(both.stdout).toMatch(/Signed by ann@example\.net .*, bob@example\.net/);
  });

  it('are of the very bytes', async () => {
    const reformatted = at('reformatted.plan.json');
    await writeFile(reformatted, JSON.stringify(await saved(plan)));
    await copyFile(`${plan}.sig`, `${reformatted}.sig`);
    expect((await portfw('show', reformatted)).stdout).toContain('is no signature of this file');
    const result = await portfw('apply', reformatted, '--yes', '--require-signature', allowed());
    expect(result.exitCode).toBe(4);
    expect(result.stderr).toContain('it does not fit the file');
  });
});

describe('apply of a saved plan', () => {
  it('says how a host has drifted, and changes no host', async () => {
    const host = lab.host('ocs2');
    await host.run('firewall-cmd', '-q', '--zone=public', '--add-port=7999/tcp');
    const before = await filesBelow(lab.host('ocs1'), '/etc/firewalld');
    const applied = await portfwJson('apply', plan, '--yes');
    expect(applied.exitCode).toBe(1);
    const { failure } = outcomeOf(applied, 'ocs2', 'refused');
    expect(failure.code).toBe('plan-stale');
    expect(failure.details.join('\n')).toContain('+ runtime zone public: port 7999/tcp');
    expect(outcomeOf(applied, 'ocs1', 'skipped').because).toContain('--only-current');
    expect(withoutTimes(await filesBelow(lab.host('ocs1'), '/etc/firewalld'))).toEqual(withoutTimes(before));
  });

  it('names the files that have changed', async () => {
    const before = await readFile(inventory, 'utf8');
    await writeFile(inventory, `# a comment\n${before}`);
    const applied = await portfwJson('apply', plan, '--dry-run', '--limit', 'ocs1');
    expect(applied.exitCode).toBe(1);
    expect(outcomeOf(applied, 'ocs1', 'refused').failure.details.join('\n')).toMatch(
      /~ file \S*inventory\.yaml: it has changed/,
    );
    await writeFile(inventory, before);
  });

  it('says that a host has another key, with both fingerprints', async () => {
    const host = lab.host('ocs2');
    const known = at('known_hosts_new');
    await host.sh('mkdir /root/keys && mv /etc/ssh/ssh_host_* /root/keys && ssh-keygen -qA && systemctl restart ssh');
    const keys = (await host.sh('cat /etc/ssh/ssh_host_*.pub')).trim().split('\n');
    const lines = keys.map((key) => `${host.publicAddress} ${key.split(' ').slice(0, 2).join(' ')}`);
    await writeFile(known, `${lines.join('\n')}\n`);
    const now = await keygen('-lf', known);
    const applied = await portfwJson('apply', plan, '--yes', '--limit', 'ocs2', '--known-hosts', known);
    const { failure } = outcomeOf(applied, 'ocs2', 'refused');
    expect(failure.code).toBe('plan-stale');
    const [before, after] = [...failure.details.join('\n').matchAll(/SHA256:\S+/g)].map(([key]) => key);
    const planned = (await saved(plan)).hosts.find((one) => one.host === 'ocs2');
    expect(before).toBe(planned?.kind === 'plan' ? planned.identity?.fingerprint : '');
    expect(now.stdout).toContain(after);
    await host.sh('mv /root/keys/* /etc/ssh/ && systemctl restart ssh');
  });

  it('changes the other hosts with --only-current, as it was saved', async () => {
    const applied = await portfwJson('apply', plan, '--yes', '--only-current');
    expect(applied.exitCode).toBe(1);
    const outcome = outcomeOf(applied, 'ocs1', 'changed');
    const planned = (await saved(plan)).hosts[0];
    expect(planned?.kind === 'plan' && planned.plan.changes).toEqual(outcome.plan.changes);
    expect(outcomeOf(applied, 'ocs2', 'refused').failure.code).toBe('plan-stale');
  });

  it('takes a host that is done for done, and goes on when the drift is gone', async () => {
    await lab.host('ocs2').run('firewall-cmd', '-q', '--zone=public', '--remove-port=7999/tcp');
    const applied = await portfwJson('apply', plan, '--yes', '--require-signature', at('allowed_signers'));
    expect(applied.exitCode, applied.stdout).toBe(0);
    outcomeOf(applied, 'ocs1', 'unchanged');
    outcomeOf(applied, 'ocs2', 'changed');
    expect(applied.stdout).toContain('the saved plan is already applied');
  });

  it('is refused with flags that would make another plan, and where nothing is left to do it for', async () => {
    const flags = await portfw('apply', plan, '--yes', '--accept-lockout', 'ocs1');
    expect(flags.exitCode).toBe(4);
    expect(flags.stderr).toContain('--accept-lockout is part of a plan');
    const other = await inventoryWith('other');
    const without = (await readFile(other, 'utf8')).replace(/^ {4}ocs2:[\s\S]*?(?=^ {0,4}\S|(?![\s\S]))/m, '');
    await writeFile(other, without);
    const gone = await portfw('apply', plan, '--yes', '-i', other);
    expect(gone.exitCode, gone.stdout).toBe(4);
    expect(gone.stderr).toContain('"ocs2": in the saved plan, but the inventory has no such host');
  });
});

describe('a value out of a vault', () => {
  it('is not saved in a plan that would need it, and its variable is named', async () => {
    const file = await inventoryWith('vaulted', {
      portfw_extra_rules: [
        {
          name: 'probe',
          interface: 'public',
          protocol: 'tcp',
          port: 7443,
          from: '@@',
          owner: 'ann',
          reason: 'monitoring',
        },
      ],
    });
    await vaultIn(file, '203.0.113.77');
    const out = at('vaulted.plan.json');
    const result = await portfw('plan', file, '--out', out, '--limit', 'ocs1', ...vault());
    expect(result.exitCode, result.stdout + result.stderr).toBe(4);
    expect(result.stderr).toContain('portfw_extra_rules, which comes from a vault');
    await expect(stat(out)).rejects.toThrow('ENOENT');
  });
});
