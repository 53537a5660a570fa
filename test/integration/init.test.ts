import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Lab, startLab } from '../lab/lab.ts';
import { portfw } from './helpers/portfw-cli.ts';

let lab: Lab;
const folder = mkdtempSync(join(tmpdir(), 'portfw-init-'));

beforeAll(async () => {
  lab = await startLab({ name: 'init', hosts: [{ name: 'web1', suite: 'bookworm', daemons: ['web-admin'] }] });
});
afterAll(async () => {
  await lab?.stop();
  rmSync(folder, { recursive: true, force: true });
});

it('init beside an INI inventory leads to a plan: lint, detect and plan take what it wrote', async () => {
  const { addresses } = lab.host('web1');
  const hosts = join(folder, 'hosts.ini');
  const added = join(folder, 'portfw.yaml');
  const ini = [
    '[web]',
    `web1 ansible_host=${addresses.public?.v4} ansible_user=root ansible_ssh_private_key_file=${lab.privateKeyFile}`,
    '[all:vars]',
    `ansible_ssh_common_args=-o UserKnownHostsFile=${lab.knownHostsFile}`,
    '',
  ].join('\n');
  writeFileSync(hosts, ini);
  const sides = ['--public', addresses.public?.v4 ?? '', '--private', addresses.private?.v4 ?? ''];
  const written = await portfw(
    'init',
    added,
    '--from',
    hosts,
    '--yes',
    '--playbook',
    'portaswitch',
    ...sides,
    '--management',
    '198.18.0.0/15',
  );
  expect(written).toMatchObject({ exitCode: 0, stderr: '' });
  const next = written.stdout.split('\n').filter((line) => /^ {2}portfw (?:lint|detect|plan) /.test(line));
  expect(next).toHaveLength(3);
  const [lint, detect, plan] = next.map((line) => line.trim().split(' ').slice(1));
  expect(await portfw(...lint!, '--strict')).toMatchObject({ exitCode: 0 });
  expect(await portfw(...detect!)).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('web-admin') });
  const planned = await portfw(...plan!, '--detailed-exitcode');
  expect(planned).toMatchObject({ exitCode: 2, stdout: expect.stringMatching(/443\/tcp|tcp\/443/) });
  expect(readFileSync(hosts, 'utf8')).toBe(ini);
});
