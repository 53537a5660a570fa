import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildProgram } from '../../../src/cli/build-program.ts';
import { complete, shellWords } from '../../../src/cli/complete.ts';
import { BuiltPortfw } from './helpers/portfw.ts';
import { InteractiveShell, requireShells, run, SHELLS, type Shell } from './helpers/shells.ts';

const FOLDER = 'test/fixtures/completion';
const HOSTS = `${FOLDER}/hosts.yaml`;
const ROOT = join(import.meta.dirname, '../../..');

const program = buildProgram('0.0.0', () => {});

async function words(...typed: readonly string[]): Promise<string[]> {
  return (await complete(program, typed)).map(({ word }) => word);
}

describe('what may stand at the cursor', () => {
  it.each([
    [
      ['plan', HOSTS, '--limit', 'w'],
      ['web', 'web1.example.net', 'web2.example.net'],
    ],
    [
      ['plan', HOSTS, '-l', 'bill'],
      ['billing', 'bill1'],
    ],
    [
      ['plan', HOSTS, '-lbill'],
      ['billing', 'bill1'],
    ],
    [
      ['plan', HOSTS, '--limit=bill'],
      ['billing', 'bill1'],
    ],
    [['apply', '-i', HOSTS, '--limit', 'web:&pr'], ['web:&prod']],
    [['apply', '-i', HOSTS, '--limit', 'web,bill1,!pr'], ['web,bill1,!prod']],
    [['apply', '--limit', '2001:d', '-i', HOSTS, '--limit', '2001:d'], ['2001:db8::a1']],
    [['apply', HOSTS, '--limit', 'web:2001:'], ['web:2001:db8::a1']],
    [
      ['apply', HOSTS, '--limit', 'web1.example.net,web'],
      ['web1.example.net,web', 'web1.example.net,web2.example.net'],
    ],
    [
      ['apply', HOSTS, '--accept-lockout', 'web'],
      ['web1.example.net', 'web2.example.net'],
    ],
    [['apply', HOSTS, '--accept-lockout', 'web1.example.net', '--accept-lockout', 'web'], ['web2.example.net']],
    [
      ['plan', HOSTS, '--accept-forwarding-stop', 'web1.example.net', '--accept-forwarding-stop', 'web'],
      ['web2.example.net'],
    ],
    [['inventory', HOSTS, '--host', 'b'], ['bill1']],
    [
      ['inventory', HOSTS, '--settings', 'bi'],
      ['billing', 'bill1'],
    ],
    [
      ['plan', HOSTS, '--playbook', 'porta'],
      ['portaswitch', 'portaswitch-ocs'],
    ],
    [
      ['matrix', ''],
      ['img-gcems', 'portaswitch', 'portaswitch-ocs'],
    ],
    [['matrix', 'portaswitch', '--compare', 'i'], ['img-gcems']],
    [
      ['matrix', 'portaswitch', '--role', 'r'],
      ['radius', 'replica-db'],
    ],
    [['matrix', 'portaswitch', '--role', 'radius', '--role', 'r'], ['replica-db']],
    [
      ['schema', 'p'],
      ['plan', 'playbook'],
    ],
    [['init', '--host', 'web/web1=192.0.2.1', '--role', 'w'], ['web1=']],
    [['init', '--from', HOSTS, '--role', 'bil'], ['bill1=']],
    [['init', '--playbook', 'img-gcems', '--role', 'gw1=g'], ['gw1=gcems']],
    // Several inventories, and the flags between them.
    [
      ['plan', '-b', HOSTS, '-f', '5', 'inventories/portaswitch/inventory.yaml', '--limit', 'b'],
      ['billing', 'backup', 'backup1.example.net', 'bill1', 'billing1.example.net'],
    ],
    [['plan', HOSTS, '--', '--limit', 'w'], []],
    [['plan', 'inventories/'], []],
    [
      ['apply', HOSTS, '--confirm', ''],
      ['auto', 'manual'],
    ],
    [['apply', HOSTS, '--confirm=m'], ['manual']],
    [
      ['rollback', HOSTS, '--revert-after', '1'],
      ['10m', '1h'],
    ],
    // The generations are on the hosts, and completion contacts none.
    [['rollback', HOSTS, '--to', ''], []],
    [['plan', HOSTS, '--limit', 'nobody'], []],
    [['plan', 'no-such-file', '--limit', 'w'], []],
    [['nonsense', HOSTS, '--limit', 'w'], []],
  ])('%j: %j', async (typed, expected) => {
    expect((await words(...typed)).sort()).toEqual([...expected].sort());
  });

  it('completes the hosts of an inventory whose files of variables are encrypted', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'portfw-completion-'));
    mkdirSync(join(folder, 'group_vars/all'), { recursive: true });
    writeFileSync(join(folder, 'hosts'), '[web]\nweb1\nweb2\n');
    const encrypted = readFileSync('test/fixtures/inventory/vault/value-1.1.vault');
    writeFileSync(join(folder, 'group_vars/all/vault.yml'), encrypted);
    expect(await words('plan', folder, '--limit', 'web')).toEqual(['web', 'web1', 'web2']);
    rmSync(folder, { recursive: true });
  });

  it('never runs an inventory program, and takes the other files of its folder', async () => {
    expect(await words('plan', `${FOLDER}/program.sh`, '--limit', '')).toEqual([]);
    expect(await words('plan', FOLDER, '--limit', 'bill')).toEqual(['billing', 'bill1']);
    expect(existsSync(`${FOLDER}/was-run`)).toBe(false);
  });

  it.each([
    ["portfw plan 'a b' --limit 'web:&pr", ['portfw', 'plan', 'a b', '--limit', 'web:&pr'], 0],
    ['portfw plan a\\ b --limit=', ['portfw', 'plan', 'a b', '--limit='], null],
    ['portfw plan "x\\"y" ', ['portfw', 'plan', 'x"y', ''], null],
    ["portfw plan --limit='we", ['portfw', 'plan', '--limit=we'], 8],
    ['portfw plan $(touch /tmp/x) `y', ['portfw', 'plan', '$(touch', '/tmp/x)', '`y'], null],
  ])('takes the line %s apart', (line, expected, quotedFrom) => {
    expect(shellWords(line)).toEqual({ words: expected, quotedFrom });
  });
});

describe('in a real shell', { timeout: 240_000 }, () => {
  const portfw = new BuiltPortfw();
  const bin = mkdtempSync(join(tmpdir(), 'portfw-bin-'));
  const shells = new Map<Shell, InteractiveShell>();

  beforeAll(() => {
    requireShells();
    writeFileSync(join(bin, 'portfw'), `#!/bin/sh\nexec '${process.execPath}' '${portfw.main}' "$@"\n`);
    chmodSync(join(bin, 'portfw'), 0o755);
    for (const shell of SHELLS) {
      const script = execFileSync(join(bin, 'portfw'), ['completion', shell], { encoding: 'utf8' });
      shells.set(shell, new InteractiveShell(shell, script, bin, ROOT));
    }
  }, 240_000);
  afterAll(() => {
    for (const shell of shells.values()) shell.remove();
    rmSync(bin, { recursive: true, force: true });
    portfw.remove();
  });

  const lines: readonly [typed: string, completed: string][] = [
    [`portfw plan ${HOSTS} --limit bil`, `portfw plan ${HOSTS} --limit bill`],
    [`portfw plan ${HOSTS} --limit billi`, `portfw plan ${HOSTS} --limit billing`],
    [`portfw plan ${HOSTS} -l pr`, `portfw plan ${HOSTS} -l prod`],
    [`portfw plan ${HOSTS} --limit=pr`, `portfw plan ${HOSTS} --limit=prod`],
    [`portfw plan ${HOSTS} --limit web:pr`, `portfw plan ${HOSTS} --limit web:prod`],
    [`portfw plan ${HOSTS} --limit bill1,pr`, `portfw plan ${HOSTS} --limit bill1,prod`],
    [
      `portfw apply ${HOSTS} --accept-lockout web1.example.net --accept-lockout web`,
      `portfw apply ${HOSTS} --accept-lockout web1.example.net --accept-lockout web2.example.net`,
    ],
    [`portfw inventory ${HOSTS} --host bi`, `portfw inventory ${HOSTS} --host bill1`],
    ['portfw matrix portaswitch --role rad', 'portfw matrix portaswitch --role radius'],
    ['portfw matrix img', 'portfw matrix img-gcems'],
    ['portfw plan x --playbook img', 'portfw plan x --playbook img-gcems'],
    ['portfw roll', 'portfw rollback'],
    ['portfw apply x --confirm man', 'portfw apply x --confirm manual'],
    ['portfw apply x --confirm=man', 'portfw apply x --confirm=manual'],
    // Generations and numbers are no files.
    ['portfw rollback x --to packa', 'portfw rollback x --to packa'],
    ['portfw plan x --forks packa', 'portfw plan x --forks packa'],
    ['portfw plan x --private-key packag', 'portfw plan x --private-key package'],
    ['portfw plan --detailed', 'portfw plan --detailed-exitcode'],
    // File names are the shell's own.
    [`portfw plan ${FOLDER}/host`, `portfw plan ${HOSTS}`],
    [`portfw lint ${FOLDER}/host`, `portfw lint ${HOSTS}`],
  ];

  it.each(SHELLS.flatMap((shell) => lines.map(([typed, completed]) => ({ shell, typed, completed }))))(
    '$shell: $typed',
    async ({ shell, typed, completed }) => {
      expect(await shells.get(shell)!.tab(typed)).toBe(completed);
    },
  );

  it.each([
    // Within quotes, with the quote that ends it or without.
    ['bash', `portfw plan ${HOSTS} --limit 'web:&pr`, `portfw plan ${HOSTS} --limit 'web:&prod'`],
    ['zsh', `portfw plan ${HOSTS} --limit 'web:&pr`, `portfw plan ${HOSTS} --limit 'web:&prod'`],
    ['fish', `portfw plan ${HOSTS} --limit 'web:&pr`, `portfw plan ${HOSTS} --limit 'web:&prod'`],
    ['bash', `portfw plan ${HOSTS} --limit 2001:`, `portfw plan ${HOSTS} --limit 2001:db8::a1`],
    ['zsh', `portfw plan ${HOSTS} --limit 2001:`, `portfw plan ${HOSTS} --limit 2001:db8::a1`],
    ['fish', `portfw plan ${HOSTS} --limit 2001:`, `portfw plan ${HOSTS} --limit 2001:db8::a1`],
    ['bash', `portfw plan ${HOSTS} --limit web:\\&pr`, `portfw plan ${HOSTS} --limit web:\\&prod`],
  ] as const)('%s completes %s', async (shell, typed, completed) => {
    expect(await shells.get(shell)!.tab(typed)).toBe(completed);
  });

  it('fish shows what each word is', () => {
    const script = execFileSync(join(bin, 'portfw'), ['completion', 'fish'], { encoding: 'utf8' });
    const asked = `${script}\ncomplete -C 'portfw plan ${HOSTS} --limit b'`;
    const { stdout } = run('fish', ['--no-config', '-c', asked], { PATH: `${bin}:${process.env['PATH'] ?? ''}` });
    expect(stdout.trimEnd().split('\n').sort()).toEqual(['bill1\thost', 'billing\tgroup of 1']);
  });

  it('is quick', () => {
    // The processor's time, which other work on the machine hardly changes; nothing is waited for.
    const timed = `TIMEFORMAT='%U %S'; time portfw __complete -- plan ${HOSTS} --limit web`;
    const took = Array.from({ length: 3 }, () => {
      const { stdout, stderr } = spawnSync('bash', ['-c', timed], {
        encoding: 'utf8',
        cwd: ROOT,
        env: { ...process.env, PATH: `${bin}:${process.env['PATH'] ?? ''}` },
      });
      expect(stdout).toContain('web1.example.net\thost\n');
      const [user = Number.NaN, system = Number.NaN] = stderr.trim().split(' ').map(Number);
      return user + system;
    });
    expect(Math.min(...took)).toBeLessThan(0.5);
  });

  it('is silent about what is wrong', () => {
    const asked = spawnSync(join(bin, 'portfw'), ['__complete', '--', 'plan', '/no/such/file', '--limit', ''], {
      encoding: 'utf8',
    });
    expect([asked.stdout, asked.stderr, asked.status]).toEqual(['', '', 0]);
  });
});
