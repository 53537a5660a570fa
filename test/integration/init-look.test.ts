import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { loadInventory } from '../../src/ansible/inventory.ts';
import { DEMO_HOSTS } from '../lab/demo-inventory.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import { portfw, portfwJson } from './helpers/portfw-cli.ts';
import { TerminalRun } from './helpers/terminal-run.ts';

const SITE = ['web1', 'bill1', 'sip1', 'db1'];

let lab: Lab;
let folder = '';

beforeAll(async () => {
  lab = await startLab({ name: 'look', hosts: DEMO_HOSTS.filter(({ name }) => SITE.includes(name)) });
});
afterAll(async () => lab?.stop());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'portfw-look-'));
  return () => rmSync(folder, { recursive: true, force: true });
});

/** An inventory as it comes with a site: names, addresses, and how to log in. */
function bareInventory(...more: readonly string[]): string {
  const file = join(folder, 'hosts.ini');
  const hosts = SITE.map((name) => `${name} ansible_host=${lab.host(name).privateAddress}`);
  const login = [
    'ansible_user=operator',
    'ansible_become=true',
    `ansible_ssh_private_key_file=${lab.privateKeyFile}`,
    `ansible_ssh_common_args=-o UserKnownHostsFile=${lab.knownHostsFile}`,
  ];
  writeFileSync(file, ['[site]', ...hosts, ...more, '[all:vars]', ...login, ''].join('\n'));
  return file;
}

/** A text on a screen, which may break it anywhere. */
function wrapped(text: string): RegExp {
  return new RegExp([...text].map((character) => character.replace(/[.[\]]/, '\\$&')).join('\\n?'));
}

describe('init --look', { timeout: 120_000 }, () => {
  it('leads from a bare inventory of four hosts to a plan that is not refused: two commands, no editing', async () => {
    // What a cluster manager gives the node that is active; its role opens SIP on such an address only.
    const vip = lab.vip(0).v4;
    await lab.host('sip1').addAddress('public', vip);
    const hosts = bareInventory();
    const added = join(folder, 'portfw.yaml');
    const looked = await portfw('init', added, '--from', hosts, '--look');
    const planned = await portfwJson('plan', '-i', hosts, '-i', added);
    expect(planned.exitCode, `${looked.stdout}${readFileSync(added, 'utf8')}`).toBe(0);
    expect([...planned.outcomes].map(([name, { kind }]) => [name, kind]).sort()).toEqual(
      SITE.map((name) => [name, 'planned']).sort(),
    );
    expect(looked).toMatchObject({ exitCode: 0, stderr: '' });
    const inventory = await loadInventory([hosts, added]);
    const of = (host: string, variable: string) => inventory.hosts.get(host)?.variables.get(variable)?.plain;
    const [outside, inside] = [lab.networks.public.subnet, lab.networks.private.subnet];
    for (const host of ['web1', 'bill1', 'sip1'])
      expect(of(host, 'portfw_interfaces')).toEqual({ public: [outside], private: [inside] });
    // It is on the private network alone, as the others show.
    expect(of('db1', 'portfw_interfaces')).toEqual({ private: [inside] });
    expect(of('sip1', 'portfw_playbook')).toBe('portaswitch');
    expect(of('sip1', 'portfw_management')).toEqual([inside.replace(/0\/24$/, '1')]);
    expect(of('sip1', 'portfw_vips')).toEqual([vip]);
    expect(of('web1', 'portfw_roles')).toBeUndefined();
  });

  it('on a terminal asks for the password once, and offers what it found as the answers', async () => {
    const hosts = bareInventory();
    writeFileSync(hosts, readFileSync(hosts, 'utf8').replace('ansible_user=operator', 'ansible_user=admin'));
    const added = join(folder, 'portfw.yaml');
    const run = new TerminalRun('init', added, '--from', hosts, '--look', '-K');
    await run.shows(/Password for sudo: /);
    run.type(`${lab.sudoPassword}\n`);
    const { public: outside, private: inside } = lab.networks;
    const vip = `sip1=${lab.vip(0).v4}`;
    for (const found of ['portaswitch', outside.subnet, inside.subnet, vip, inside.subnet.replace(/0\/24$/, '1')]) {
      await run.shows(wrapped(`[${found}] `));
      run.type('\n');
    }
    expect(await run.exitCode, run.text).toBe(0);
    expect(run.text).toContain('Plan: 4 hosts of 4 can be changed as the file says, none is refused');
    expect(run.raw.match(/Password for sudo/g)).toHaveLength(1);
    const { hosts: read } = await loadInventory([hosts, added]);
    expect(read.get('db1')?.variables.get('portfw_interfaces')?.plain).toEqual({
      private: [lab.networks.private.subnet],
    });
  });

  it('says which host it cannot reach and which are not for portfw, and goes on with the others', async () => {
    const away = lab.spareAddress('private', 150).v4;
    const local = 'localhost ansible_connection=local';
    const hosts = bareInventory(`gone ansible_host=${away}`, 'win1 ansible_connection=winrm', local);
    const added = join(folder, 'portfw.yaml');
    const looked = await portfw('init', added, '--from', hosts, '--look', '--connect-timeout', '2');
    const text = readFileSync(added, 'utf8');
    expect(looked.exitCode, looked.stdout).toBe(3);
    expect(looked.stdout).toContain('Plan: 4 hosts of 5 can be changed as the file says; 1 unreachable');
    const asked = /portfw\.yaml:(\d+): gone: nothing is known of this host/.exec(looked.stdout)?.[1];
    expect(text.split('\n')[Number(asked) - 1]).toMatch(/^ {6}# portfw_interfaces: \{ /);
    const inventory = await loadInventory([hosts, added]);
    const managed = (host: string) => inventory.hosts.get(host)?.variables.get('portfw_managed')?.plain;
    expect([managed('win1'), managed('localhost'), managed('gone'), managed('web1')]).toEqual([
      false,
      false,
      undefined,
      undefined,
    ]);
  });
});
