import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { forksOf } from '../../../src/cli/run-flags.ts';
import { configOf } from '../ansible/helpers/config-world.ts';
import { BuiltPortfw } from './helpers/portfw.ts';

/** What commands make of an `ansible.cfg`, through the program itself. */

const folder = mkdtempSync(path.join(tmpdir(), 'portfw-cli-cfg-'));
let built: BuiltPortfw;
beforeAll(() => {
  built = new BuiltPortfw();
}, 60_000);
afterAll(() => {
  built.remove();
  rmSync(folder, { recursive: true });
});

const INVENTORY = `web:
  hosts:
    w1: {ansible_host: 192.0.2.1}
  vars: {portfw_playbook: img-gcems, portfw_roles: [gcems], m: {a: 1}}
`;
const CFG = '[defaults]\ninventory = hosts.yaml\n';

/** A repository with this ansible.cfg, as the environment names it. */
function repository(name: string, cfg: string, files: Readonly<Record<string, string>> = {}) {
  const root = path.join(folder, name);
  for (const [file, text] of Object.entries({ 'ansible.cfg': cfg, 'hosts.yaml': INVENTORY, ...files })) {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    writeFileSync(path.join(root, file), text);
  }
  const run = async (args: readonly string[], environment: NodeJS.ProcessEnv = {}) => {
    const { code, stdout, stderr } = await built.run(args, { ANSIBLE_CONFIG: root, ...environment });
    return { code, stdout: stdout.replaceAll(root, 'R'), stderr: stderr.replaceAll(root, 'R') };
  };
  return { root, run };
}

describe('an ansible.cfg', { timeout: 60_000 }, () => {
  it('names the inventory of every command that is given none', async () => {
    const { run } = repository('default', CFG);
    const inventory = await run(['inventory']);
    expect(inventory).toMatchObject({ code: 0, stderr: '' });
    expect(inventory.stdout).toContain('--w1');
    expect((await run(['lint'])).stdout).toContain('R/hosts.yaml:');
    expect((await run(['__complete', '--', 'plan', '--limit', 'w'])).stdout).toMatch(/^w1\b/m);
    // A named one is the only one.
    writeFileSync(path.join(folder, 'other.yaml'), 'db: {hosts: {d1: }}\n');
    const other = await run(['inventory', '-i', path.join(folder, 'other.yaml')]);
    expect(other.stdout).toContain('--d1');
    expect(other.stdout).not.toContain('--w1');
  });

  it('that names none is said when no inventory is named', async () => {
    const { run } = repository('silent', '[defaults]\nforks = 5\n');
    const { code, stderr } = await run(['plan']);
    expect(code).toBe(4);
    expect(stderr).toContain('no inventory is named, and R/ansible.cfg names none');
  });

  it('that Ansible refuses stops every command, with the place', async () => {
    const { root, run } = repository('broken', `${CFG}inventory = twice\n`);
    const expected = 'R/ansible.cfg:3:1: error: "inventory" stands twice in [defaults]';
    const hosts = path.join(root, 'hosts.yaml');
    for (const args of [['plan'], ['facts', hosts], ['inventory', hosts], ['init', '--from', hosts]]) {
      const { code, stderr } = await run(args);
      expect([code, stderr.split('\n')[0]], args.join(' ')).toEqual([4, expected]);
    }
    const linted = await run(['lint', hosts]);
    expect([linted.code, linted.stdout.split('\n')[0]]).toEqual([4, expected]);
    expect((await run(['__complete', '--', 'plan', '--limit', ''])).code).toBe(0);
  });

  it('says who becomes root, and lint and plan refuse what cannot be done', async () => {
    const { run } = repository('become', `${CFG}[privilege_escalation]\nbecome = yes\nbecome_method = su\n`);
    const expected =
      'R/ansible.cfg:5:17: error: [privilege_escalation] become_method is "su", and only sudo is supported';
    expect((await run(['lint'])).stdout).toContain(expected);
    expect((await run(['plan'])).stderr).toContain(expected);
  });

  it('names the files of vault passwords, relative to itself', async () => {
    const { run } = repository('vault', `${CFG}vault_password_file = secret/pass\n`);
    const { code, stderr } = await run(['plan']);
    expect(code).toBe(4);
    expect(
      stderr,
    ).toBe(`R/ansible.cfg:3:23: error: [defaults] vault_password_file: "R/secret/pass": there is no such file
    Check the path
1 error
`);
  });

  it('says what asks for a password where there is no terminal, and takes one of the environment', async () => {
    const { run } = repository('ask', `${CFG}ask_pass = yes\nprivate_key_file = missing\n`);
    const { code, stderr } = await run(['plan']);
    expect([code, stderr]).toEqual([
      4,
      'error: there is no terminal to ask for a password on\n    [defaults] ask_pass wants one: set PORTFW_SSH_PASSWORD instead\n',
    ]);
    const given = await run(['plan'], { PORTFW_SSH_PASSWORD: 'x' });
    expect(given.stderr).toContain('The private key R/missing does not exist');
  });

  it('merges mappings where it says so', async () => {
    const cfg = `${CFG}hash_behaviour = merge\n`;
    const { run } = repository('merge', cfg, { 'host_vars/w1.yaml': 'm: {b: 2}\n' });
    const merged = JSON.parse((await run(['inventory', '--host', 'w1'])).stdout);
    expect(merged.m).toEqual({ a: 1, b: 2 });
    const replaced = await run(['inventory', '--host', 'w1'], { ANSIBLE_HASH_BEHAVIOUR: 'replace' });
    expect(JSON.parse(replaced.stdout).m).toEqual({ b: 2 });
  });
});

describe('forks', () => {
  it('are those of the flag, then of ansible.cfg, then 20', () => {
    const { settings } = configOf({ cfg: '[defaults]\nforks = 7\n' });
    expect(forksOf({ forks: 3 }, settings)).toBe(3);
    expect(forksOf({}, settings)).toBe(7);
    expect(forksOf({}, configOf({}).settings)).toBe(20);
    expect(forksOf({}, configOf({ environment: { ANSIBLE_FORKS: '5000' } }).settings)).toBe(1000);
  });
});
