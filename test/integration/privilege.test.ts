import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { supported } from '../helpers/supported.ts';
import type { LabHost } from '../lab/host.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import { writeInventory } from './helpers/lab-inventory.ts';
import { outcomeOf, portfw, portfwJson } from './helpers/portfw-cli.ts';
import { ended, runOn, sudo, targetOf } from './helpers/transport-lab.ts';

/** How root's rights are gained, and what login shells do to a command: on the oldest sudo that we know and on the newest. */
const suites = ['bullseye', 'trixie'] as const;
let lab: Lab;

beforeAll(async () => {
  lab = await startLab({ name: 'privilege', hosts: suites.map((suite) => ({ name: suite, suite })) });
});
afterAll(() => lab?.stop());

const host = (name: string): LabHost => lab.host(name);
const target = (name: string, changes: Parameters<typeof targetOf>[2] = {}) => targetOf(lab, host(name), changes);
const onAll = (action: (host: LabHost) => Promise<unknown>) => Promise.all(suites.map((suite) => action(host(suite))));

/** Adds an account that may log in with the lab's key. */
const account = (on: LabHost, name: string, shell = '/bin/sh') =>
  on.sh(`id "$1" 2>/dev/null || useradd -m -s "$2" "$1"; echo "$1:portfw-lab" | chpasswd`, name, shell);

const program = 'id -u; cat; echo complaint >&2; exit 7';
const answer = { exitCode: 7, stdout: '0\ndätä', stderr: 'complaint\n' };
const run = (suite: string, user: string, password: string | null) =>
  runOn(target(suite, { user, become: sudo(password) }), program, { data: 'dätä' });

describe('a sudo that insists on a terminal', () => {
  beforeAll(() =>
    onAll(async (on) => {
      await account(on, 'ttyonly');
      await account(on, 'ttyfree');
      await on.writeFile(
        '/etc/sudoers.d/tty',
        'Defaults:ttyonly,ttyfree requiretty\nDefaults:ttyonly timestamp_timeout=0\nttyonly ALL=(ALL) ALL\nttyfree ALL=(ALL) NOPASSWD: ALL\n',
        '440',
      );
    }),
  );

  it(
    supported('sudo and login shells', '`requiretty` in sudoers: sudo is given a terminal, and the bytes stay whole'),
    async () => {
      for (const suite of suites) {
        expect(ended(await run(suite, 'ttyfree', null))).toEqual(answer);
        const big = '\u0003\u0004\r\n\0x'.repeat(50_000);
        const become = sudo(null);
        const same = await runOn(target(suite, { user: 'ttyfree', become }), 'cat', { data: big });
        expect(ended(same).stdout).toBe(big);
        // The host is remembered: sudo is not asked in vain again.
        const before = await host(suite).sh(
          'journalctl -q -t sudo --no-pager -n 400 | grep -c "no tty\\|tty required" || true',
        );
        expect(ended(await runOn(target(suite, { user: 'ttyfree', become }), 'id -u')).stdout).toBe('0\n');
        const after = await host(suite).sh(
          'journalctl -q -t sudo --no-pager -n 400 | grep -c "no tty\\|tty required" || true',
        );
        expect(after).toBe(before);
      }
    },
  );

  it(supported('sudo and login shells', '`requiretty` with a password'), async () => {
    for (const suite of suites) {
      expect(ended(await run(suite, 'ttyonly', lab.sudoPassword))).toEqual(answer);
      expect(await run(suite, 'ttyonly', 'wrong')).toMatchObject({ kind: 'become-failed', reason: 'password-wrong' });
      expect(await run(suite, 'ttyonly', null)).toMatchObject({ kind: 'become-failed', reason: 'password-required' });
    }
  });

  it('lets a program be stopped at its deadline there too', async () => {
    const slow = 'sleep 63.5 & sleep 63.5';
    const outcome = await runOn(target('trixie', { user: 'ttyfree', become: sudo(null) }), slow, { deadlineMs: 600 });
    expect(outcome.kind).toBe('deadline');
    expect((await host('trixie').exec(['pgrep', '-f', 'sleep 63.5'])).exitCode).toBe(1);
  });
});

describe('an account that is limited to what portfw runs', () => {
  let inventory: string;

  beforeAll(async () => {
    for (const [user, flags] of [
      ['careful', ['--password']],
      ['ops', ['--planner', 'looker']],
    ] as const) {
      const printed = await portfw('sudoers', user, ...flags);
      expect(printed.exitCode).toBe(0);
      await onAll(async (on) => {
        await account(on, user);
        if (user === 'ops') await account(on, 'looker');
        await on.writeFile('/root/setup.sh', printed.stdout);
        expect(await on.sh('sh /root/setup.sh')).toContain(`${user} may run portfw`);
        // One sudoers file an account; the script is for one.
        await on.sh('mv /etc/sudoers.d/portfw "/etc/sudoers.d/portfw-$1"', user);
      });
    }
    const hosts = Object.fromEntries(
      suites.map((suite) => [
        suite,
        { ansible_user: 'ops', ansible_become: true, portfw_playbook: 'portaswitch', portfw_roles: ['web-admin'] },
      ]),
    );
    inventory = await writeInventory(lab, 'limited', { hosts });
  }, 120_000);
  afterAll(() => onAll((on) => on.run('rm', '-f', '/usr/local/libexec/portfw-run')));

  it(
    supported(
      'sudo and login shells',
      'a sudoers file limited to what portfw runs (`portfw sudoers ACCOUNT`): plan, apply, history and rollback',
    ),
    async () => {
      const apply = await portfwJson('apply', inventory, '--yes');
      for (const suite of suites) outcomeOf(apply, suite, 'changed');
      const again = await portfwJson('plan', inventory, '--detailed-exitcode');
      expect(again.exitCode).toBe(0);
      const back = await portfwJson('rollback', inventory, '--yes');
      for (const suite of suites) outcomeOf(back, suite, 'rolled-back');
    },
  );

  it(
    supported('sudo and login shells', 'an account that may only plan (`portfw sudoers ACCOUNT --planner ACCOUNT`)'),
    async () => {
      const saved = async (): Promise<string> => {
        const files = 'find /etc/firewalld /var/lib/portfw -type f -exec sha256sum {} + 2>/dev/null | sort';
        return JSON.stringify(await onAll((on) => on.sh(files)));
      };
      const before = await saved();
      const hosts = Object.fromEntries(
        suites.map((suite) => [
          suite,
          { ansible_user: 'looker', ansible_become: true, portfw_playbook: 'portaswitch', portfw_roles: ['web-admin'] },
        ]),
      );
      const looking = await writeInventory(lab, 'looking', { hosts });
      const plan = await portfwJson('plan', looking, '--detailed-exitcode');
      expect(plan.exitCode).toBe(2);
      expect((await portfwJson('history', looking)).exitCode).toBe(0);
      for (const suite of suites) {
        // One by one: after the first failure the play stops.
        const apply = await portfwJson('apply', looking, '--limit', suite, '--yes');
        const back = await portfwJson('rollback', looking, '--limit', suite, '--yes');
        for (const run of [apply, back]) expect(outcomeOf(run, suite, 'failed').failure.code).toBe('plan-only');
      }
      expect(await saved()).toBe(before);
    },
  );

  it('gives that account nothing else', async () => {
    for (const suite of suites) {
      const outcome = await runOn(target(suite, { user: 'ops', become: sudo(null) }), 'touch /root/gained');
      expect(outcome).toMatchObject({ kind: 'not-run', mayHaveRun: false });
      expect((outcome as { solve: string }).solve).toContain('portfw sudoers ops');
      for (const command of ['cat /etc/shadow', '/bin/sh -c id', 'firewall-cmd --state', '-e /etc/sudoers']) {
        const tried = await host(suite).exec(['su', 'ops', '-c', `sudo -n ${command}`]);
        expect(tried.exitCode).not.toBe(0);
      }
      expect((await host(suite).exec(['test', '-e', '/root/gained'])).exitCode).toBe(1);
      await host(suite).run('visudo', '-c');
    }
  });

  it(
    supported(
      'sudo and login shells',
      'the same with the password of the account (`portfw sudoers ACCOUNT --password`)',
    ),
    async () => {
      const hosts = {
        trixie: { ansible_user: 'careful', ansible_become: true, ansible_become_password: lab.sudoPassword },
      };
      const facts = await portfwJson('facts', await writeInventory(lab, 'careful', { hosts }));
      outcomeOf(facts, 'trixie', 'facts');
    },
  );
});

describe('login shells', () => {
  const shells = [
    [
      'fish',
      '/usr/bin/fish',
      '.config/fish/config.fish',
      'echo "Wëlcome; \\$PATH"; echo oops >&2; set -x LC_ALL de_DE.UTF-8',
    ],
    ['csh', '/bin/csh', '.cshrc', 'echo "Wëlcome"; setenv LC_ALL de_DE.UTF-8; alias env echo no'],
    ['tcsh', '/bin/tcsh', '.tcshrc', 'echo "Wëlcome"; setenv LANG de_DE.UTF-8'],
    ['rbash', '/bin/rbash', '.bashrc', 'echo "Wëlcome"; printf "no line feed" >&2; export LC_ALL=de_DE.UTF-8'],
    ['bash', '/bin/bash', '.bashrc', 'echo "portfw: Wëlcome"; export LANGUAGE=de LC_ALL=de_DE.UTF-8 IFS=x'],
  ] as const;

  beforeAll(() =>
    onAll(async (on) => {
      for (const [name, shell, profile, text] of shells) {
        const user = `u-${name}`;
        await account(on, user, shell);
        const aliasFree = text.replace('; alias env echo no', '');
        await on.sh(
          `mkdir -p "$(dirname "/home/$1/$2")"; printf '%s\\n' "$3" >"/home/$1/$2"; chown -R "$1" "/home/$1"`,
          user,
          profile,
          aliasFree,
        );
        await on.sh(`echo "$1 ALL=(root) NOPASSWD: ALL" >"/etc/sudoers.d/$1"`, user);
      }
    }),
  );

  it(
    supported(
      'sudo and login shells',
      'login shells fish, csh, tcsh and a restricted one (rbash), with a profile that prints',
    ),
    async () => {
      for (const suite of suites) {
        for (const [name] of shells) {
          const user = `u-${name}`;
          expect([name, ended(await run(suite, user, null))]).toEqual([name, answer]);
          const plain = await runOn(target(suite, { user }), 'id -un; echo "$LC_ALL"');
          expect([name, ended(plain).stdout]).toEqual([name, `${user}\nC\n`]);
        }
      }
    },
  );

  it('are stopped and report exit codes in the same way', async () => {
    for (const [name] of shells) {
      const outcome = await runOn(target('trixie', { user: `u-${name}`, become: sudo(null) }), 'sleep 64.5', {
        deadlineMs: 400,
      });
      expect([name, outcome.kind]).toEqual([name, 'deadline']);
    }
  });
});

describe('another language', () => {
  beforeAll(() =>
    onAll(async (on) => {
      await account(on, 'german', '/bin/bash');
      await on.writeFile('/etc/environment', 'LANG=de_DE.UTF-8\nLC_ALL=de_DE.UTF-8\nLANGUAGE=de\n');
      await on.writeFile(
        '/etc/sudoers.d/german',
        'Defaults:german timestamp_timeout=0\ngerman ALL=(root) ALL\n',
        '440',
      );
    }),
  );

  it(
    supported('sudo and login shells', 'hosts and accounts in another language: what sudo says is understood'),
    async () => {
      for (const suite of suites) {
        // The set-up is worth nothing unless sudo really speaks German there.
        const spoken = await host(suite).exec(['su', '-', 'german', '-c', 'sudo -n true']);
        expect(spoken.stderr).toMatch(/Passwort/);
        expect(ended(await run(suite, 'german', lab.sudoPassword))).toEqual(answer);
        expect(await run(suite, 'german', 'falsch')).toMatchObject({ kind: 'become-failed', reason: 'password-wrong' });
        expect(await run(suite, 'german', null)).toMatchObject({ kind: 'become-failed', reason: 'password-required' });
        expect(await run(suite, 'nosudo', lab.sudoPassword)).toMatchObject({
          kind: 'become-failed',
          reason: 'not-allowed',
        });
      }
    },
  );
});
