import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DOMParser } from '@xmldom/xmldom';
import { afterAll, describe, expect, it } from 'vitest';
import { publishedReview } from '../../../src/report/json/review-schema.ts';
import { SARIF } from '../report/helpers/sarif-schema.ts';
import { BuiltPortfw } from './helpers/portfw.ts';

const portfw = new BuiltPortfw();
const folder = mkdtempSync(path.join(tmpdir(), 'portfw-formats-'));
const INVENTORY = path.join(folder, 'inventory.yaml');
// Nothing listens on this port, so the host is not reached at once.
writeFileSync(
  INVENTORY,
  'all:\n  vars:\n    portfw_playbook: portaswitch\n  hosts:\n    web1:\n      ansible_host: 127.0.0.1\n      ansible_port: 1\n      portfw_roles: [web-admin]\n',
);
afterAll(() => {
  portfw.remove();
  rmSync(folder, { recursive: true });
});

const plan = (...flags: readonly string[]) => portfw.run(['plan', INVENTORY, '--ssh-config', 'none', ...flags]);

describe.concurrent('--format of a plan', { timeout: 60_000 }, () => {
  const READERS: Readonly<Record<string, (stdout: string) => void>> = {
    json: (stdout) => {
      const { hosts } = publishedReview.parse(JSON.parse(stdout));
      expect(hosts).toMatchObject([{ host: 'web1', kind: 'unreachable' }]);
    },
    markdown: (stdout) => expect(stdout).toMatch(/^<!-- portfw:plan -->\n## Firewall plan for 1 host: 1 unreachable\n/),
    html: (stdout) => expect(stdout).toMatch(/^<!DOCTYPE html>\n[\s\S]*<\/html>\n$/),
    junit: (stdout) => {
      const [error] = new DOMParser().parseFromString(stdout, 'text/xml').getElementsByTagName('error');
      expect(error?.getAttribute('type')).toBe('unreachable');
    },
    sarif: (stdout) => {
      const [result] = SARIF.parse(JSON.parse(stdout)).runs[0].results;
      expect(result).toMatchObject({ level: 'error', ruleId: 'unreachable/unreachable' });
      expect(result!.locations![0]!.physicalLocation).toMatchObject({ region: { startLine: 5, startColumn: 5 } });
    },
  };

  it.each(Object.entries(READERS))('prints one document and nothing else: %s', async (format, read) => {
    const { code, stdout, stderr } = await plan('--format', format);
    expect(code).toBe(3);
    read(stdout);
    // What happens on the way is said beside it.
    expect(stderr).toContain('web1');
    expect(await plan('--format', format)).toMatchObject({ code: 3, stdout });
  });

  it('says which of --format and --json is for what, before any host is contacted', async () => {
    const { code, stdout, stderr } = await plan('--format', 'json', '--json');
    expect({ code, stdout }).toEqual({ code: 4, stdout: '' });
    expect(stderr).toContain(
      '--format cannot be used with --json\n    Use --format json for the review as one document',
    );
  });

  it('is not for a run that makes changes', async () => {
    for (const command of ['apply', 'rollback']) {
      const { code, stderr } = await portfw.run([command, INVENTORY, '--yes', '--format', 'markdown']);
      expect(code).toBe(4);
      expect(stderr).toContain('Add --dry-run');
    }
  });

  it('names the formats that there are', async () => {
    const { code, stderr } = await plan('--format', 'xml');
    expect(code).toBe(4);
    expect(stderr).toContain('text, json, markdown, html, junit, sarif');
  });
});

describe.concurrent('--format of lint', { timeout: 60_000 }, () => {
  const DOUBTFUL = 'test/fixtures/lint/empty-group/inventory.yaml';

  it('prints one document, with the same exit code as the text', async () => {
    const json = await portfw.run(['lint', DOUBTFUL, '--format', 'json']);
    expect(JSON.parse(json.stdout)).toMatchObject({ kind: 'lint', checked: 1, problems: [{ code: 'empty-group' }] });
    const sarif = await portfw.run(['lint', DOUBTFUL, '--format', 'sarif']);
    const [result] = SARIF.parse(JSON.parse(sarif.stdout)).runs[0].results;
    expect(result).toMatchObject({ ruleId: 'empty-group', level: 'warning' });
    expect(result!.locations![0]!.physicalLocation).toEqual({
      artifactLocation: { uri: DOUBTFUL, uriBaseId: '%SRCROOT%' },
      region: { startLine: 5, startColumn: 5 },
    });
    const junit = await portfw.run(['lint', DOUBTFUL, '--strict', '--format', 'junit']);
    expect(junit.stdout).toContain('<failure message=');
    expect([json.code, sarif.code, junit.code]).toEqual([0, 0, 4]);
  });

  it('cannot be used with --json', async () => {
    const { code, stderr } = await portfw.run(['lint', DOUBTFUL, '--format', 'json', '--json']);
    expect(code).toBe(4);
    expect(stderr).toContain('--json for one object per problem');
  });
});
