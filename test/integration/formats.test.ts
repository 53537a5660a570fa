import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OUR_KINDS, type OurFolder } from '../../src/firewalld/kinds/kinds.ts';
import { isOurs } from '../../src/firewalld/model.ts';
import type { RawFile } from '../../src/plan/plan.ts';
import { publishedReview } from '../../src/report/json/review-schema.ts';
import type { LabHost } from '../lab/host.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import { writeInventory } from './helpers/lab-inventory.ts';
import { portfw } from './helpers/portfw-cli.ts';

/** What a plan, and a rollback's, say of firewalld's files (`--raw`) is what the host then has: 0.9.3, 1.3.3 and 2.3.1. */
const HOSTS = { old: 'bullseye', middle: 'bookworm', young: 'trixie' } as const;
const NAMES = Object.keys(HOSTS);

let lab: Lab;
let first: string;
let second: string;

beforeAll(async () => {
  lab = await startLab({ name: 'formats', hosts: Object.entries(HOSTS).map(([name, suite]) => ({ name, suite })) });
  await writeFile(join(lab.directory, 'book.yaml'), '- hosts: all\n  matrix: portaswitch\n');
  const written = (name: string, roles: readonly string[]) =>
    writeInventory(lab, name, {
      hosts: Object.fromEntries(NAMES.map((host) => [host, { portfw_playbook: 'book.yaml', portfw_roles: roles }])),
    });
  first = await written('first', ['web-admin']);
  second = await written('second', ['radius']);
});

afterAll(() => lab?.stop());

/** The XML files below /etc/firewalld, by path. */
async function filesOf(host: LabHost): Promise<ReadonlyMap<string, string>> {
  const listed = await host.run('sh', '-c', "cd /etc/firewalld && find . -name '*.xml' | sort");
  const paths = listed.split('\n').filter((line) => line !== '');
  const texts = await Promise.all(paths.map((path) => host.run('cat', `/etc/firewalld/${path}`)));
  return new Map(paths.map((path, at) => [path.replace('./', ''), texts[at]!]));
}

async function reviewed(...args: readonly string[]): Promise<ReadonlyMap<string, readonly RawFile[]>> {
  const { exitCode, stdout, stderr } = await portfw(...args, '--raw', '--format', 'json');
  expect(exitCode, stderr).toBe(0);
  const { hosts } = publishedReview.parse(JSON.parse(stdout));
  return new Map(hosts.map((one) => [one.host, one.kind === 'planned' ? one.plan.raw! : []]));
}

/** What firewalld makes of a file; the text itself of a foreign one. */
function meaning(path: string, text: string | undefined): unknown {
  const [folder, file = ''] = path.split('/');
  const name = file.replace(/\.xml$/, '');
  return text === undefined || !isOurs(name)
    ? (text?.trimEnd() ?? null)
    : OUR_KINDS[folder as OurFolder].readXml(name, text);
}

async function changes(inventory: string): Promise<void> {
  const raw = await reviewed('plan', inventory);
  const before = new Map(await Promise.all(NAMES.map(async (name) => [name, await filesOf(lab.host(name))] as const)));
  const { exitCode, stdout, stderr } = await portfw('apply', inventory, '--yes');
  expect(exitCode, stdout + stderr).toBe(0);
  for (const name of NAMES) {
    const files = raw.get(name)!;
    expect(files.length, name).toBeGreaterThan(2);
    const after = await filesOf(lab.host(name));
    const told = new Map(files.map((file) => [file.path, file]));
    for (const path of new Set([...before.get(name)!.keys(), ...after.keys()])) {
      const expected = told.has(path) ? (told.get(path)!.after ?? undefined) : before.get(name)!.get(path);
      expect(meaning(path, after.get(path)), `${path} of ${name}`).toEqual(meaning(path, expected));
    }
  }
}

describe('--raw', { timeout: 300_000 }, () => {
  it('shows the files that a first apply writes, and the foreign one that it edits', () => changes(first));

  it('shows the files that another role changes and deletes', () => changes(second));

  it('shows the very bytes that a rollback restores', async () => {
    const raw = await reviewed('rollback', second, '--dry-run');
    const { exitCode, stdout, stderr } = await portfw('rollback', second, '--yes');
    expect(exitCode, stdout + stderr).toBe(0);
    for (const name of NAMES) {
      const after = await filesOf(lab.host(name));
      expect(raw.get(name)!.length, name).toBeGreaterThan(2);
      for (const file of raw.get(name)!)
        expect(after.get(file.path)?.trimEnd() ?? null, `${file.path} of ${name}`).toBe(file.after?.trimEnd() ?? null);
    }
  });

  it('is a patch in Markdown, and on the page', async () => {
    const markdown = await portfw('plan', second, '--raw', '--format', 'markdown');
    expect(markdown.stdout).toMatch(/\n--- (?:a\/|\/dev\/null).*\n\+\+\+ (?:b\/|\/dev\/null).*\n@@ -/);
    const html = await portfw('plan', second, '--raw', '--format', 'html');
    expect(html.stdout).toContain('<pre class="raw">');
  });
});
