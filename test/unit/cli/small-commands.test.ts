import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { BuiltPortfw } from './helpers/portfw.ts';

const portfw = new BuiltPortfw();
afterAll(() => portfw.remove());

const DOUBTFUL = 'test/fixtures/lint/empty-group/inventory.yaml';

describe.concurrent('portfw lint', { timeout: 60_000 }, () => {
  it('ends with 0 for doubts alone, and with 4 under --strict', async () => {
    const lenient = await portfw.run(['lint', DOUBTFUL]);
    expect(lenient.code).toBe(0);
    expect(lenient.stdout).toMatch(/inventory\.yaml:5:5: warning: no host is in the group "databases"\n {4}Add/);
    expect(lenient.stdout.trimEnd()).toMatch(/\n1 warning$/);
    expect(await portfw.run(['lint', '--strict', DOUBTFUL])).toEqual({ ...lenient, code: 4 });
  });

  it('has codes in --json', async () => {
    const { stdout } = await portfw.run(['lint', DOUBTFUL, '--json']);
    expect(JSON.parse(stdout)).toMatchObject({
      severity: 'warning',
      code: 'empty-group',
      location: { line: 5, column: 5 },
    });
  });

  it('takes several inventories as one with -i', async () => {
    const site = 'test/fixtures/lint/folder/site';
    const each = await portfw.run(['lint', `${site}/inventory.yaml`, `${site}/more.yaml`]);
    // By itself the second one says nothing of a playbook.
    expect(each).toMatchObject({ code: 4, stdout: expect.stringContaining('has no playbook') });
    const together = await portfw.run(['lint', '-i', `${site}/inventory.yaml`, '-i', `${site}/more.yaml`]);
    expect(together).toMatchObject({ code: 0, stdout: expect.stringContaining('"web2" is reached at 203.0.113.11') });
  });

  it('says what to name when nothing is named', async () => {
    expect(await portfw.run(['lint'])).toMatchObject({ code: 4, stderr: expect.stringContaining('nothing is named') });
  });

  it('is silent in plans: doubts are for lint', async () => {
    const { stderr } = await portfw.run(['facts', 'test/fixtures/lint/same-address/inventory.yaml', '--limit', 'web4']);
    expect(stderr).not.toContain('is reached at');
  });
});

describe.concurrent('portfw schema', { timeout: 60_000 }, () => {
  it('lists the schemas with their files, and prints one', async () => {
    const { stdout } = await portfw.run(['schema']);
    const rows = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ {2,}/));
    expect(rows.map(([name]) => name)).toEqual(['events', 'inventory', 'matrix', 'plan', 'playbook', 'review', 'vars']);
    for (const [name = '', file = ''] of rows) {
      const shown = await portfw.run(['schema', name]);
      expect(shown).toEqual({ code: 0, stdout: readFileSync(file, 'utf8'), stderr: '' });
      expect(JSON.parse(shown.stdout)).toHaveProperty('$schema');
    }
  });

  it('knows what was meant', async () => {
    expect(await portfw.run(['schema', 'playbok'])).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('"playbook"'),
    });
  });
});

describe.concurrent('portfw matrix --role', { timeout: 60_000 }, () => {
  it('shows the rows of these roles alone', async () => {
    const { stdout } = await portfw.run([
      'matrix',
      'portaswitch',
      '--role',
      'master-db',
      '--role',
      'replica-db',
      '--json',
    ]);
    expect(JSON.parse(stdout).map((row: { role: string; port: string }) => `${row.role} ${row.port}`)).toEqual([
      'master-db 3306',
      'replica-db 3307',
    ]);
    const compared = await portfw.run([
      'matrix',
      'portaswitch',
      '--compare',
      'portaswitch-ocs',
      '--role',
      'master-db',
      '--json',
    ]);
    expect(JSON.parse(compared.stdout)).toMatchObject({ onlyLeft: [], onlyRight: [], different: [], same: 1 });
  });

  it('knows what was meant', async () => {
    const wrong = await portfw.run(['matrix', 'portaswitch', '--role', 'web-admn']);
    expect(wrong).toMatchObject({ code: 4, stderr: expect.stringContaining('Did you mean "web-admin"?') });
    expect(await portfw.run(['matrix', '--role', 'web-admin'])).toMatchObject({ code: 4 });
  });
});
