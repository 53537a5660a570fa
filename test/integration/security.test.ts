import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readServiceXml } from '../../src/firewalld/kinds/service.ts';
import type { LabHost } from '../lab/host.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import { STATE_HOME } from '../set-up/state-home.ts';
import { writeInventory } from './helpers/lab-inventory.ts';
import type { CliResult } from './helpers/portfw-cli.ts';

const ROOT = join(import.meta.dirname, '../..');
/** The password of admin, and the passphrase of a key: texts that occur nowhere else. */
const PASSWORD = 'Zq7-host-password-Xk2';
const PHRASE = 'Zq7-key-phrase-Wm4';
const SECRETS = [PASSWORD, PHRASE];

/** What an inventory may say that people read, and that must mean nothing to anything but people. */
const TEXTS = [
  '"; touch /pwned; #',
  '$(touch /pwned) `touch /pwned`',
  "'; touch /pwned; '",
  '</short></service><port port="1-65535" protocol="tcp"/>',
  '&amp; &#38; ]]> <!-- %s \\n {0}',
  'PORTFW_END_OF_PROGRAM',
];

/** Where an attacker on the host would like to have been before us. */
const PREDICTABLE = [
  '/run/portfw',
  '/run/portfw/lock',
  '/var/lib/portfw',
  '/etc/firewalld/zones/portfw-public.xml',
  '/etc/firewalld/services/.portfw-x',
  '/etc/systemd/system/portfw-settle.service',
  '/etc/cron.d/portfw-settle',
];

let lab: Lab;
let inventory: string;
let planted: readonly string[];
let seenHere = '';
const runs: Record<'apply' | 'status' | 'confirm' | 'rollback' | 'again', CliResult> = {} as never;
const modes: Record<'held' | 'kept' | 'rolledBack', string[]> = { held: [], kept: [], rolledBack: [] };
let units: readonly string[] = [];
let written: readonly string[] = [];
let described: readonly string[] = [];
let asked: readonly string[] = [];

/** Runs the built command with the secrets where they belong: in its environment. */
function portfw(...args: readonly string[]): Promise<CliResult> {
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: '/nonexistent',
    XDG_STATE_HOME: STATE_HOME,
    USER: '"; touch /pwned; #',
    PORTFW_BECOME_PASSWORD: PASSWORD,
    PORTFW_SSH_PASSWORD: PASSWORD,
    PORTFW_KEY_PASSPHRASE: PHRASE,
  };
  return new Promise((resolve, reject) => {
    const argv = [join(ROOT, 'dist/cli/main.js'), ...args];
    execFile(
      process.execPath,
      argv,
      { cwd: ROOT, env, timeout: 60_000, maxBuffer: 2 ** 26 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : error.code;
        if (typeof code === 'number') resolve({ exitCode: code, stdout, stderr });
        else reject(error);
      },
    );
  });
}

/** Keeps what every process of this machine has for arguments. */
function watchHere(): NodeJS.Timeout {
  return setInterval(() => {
    for (const name of readdirSync('/proc')) {
      if (!/^\d+$/.test(name)) continue;
      try {
        const line = readFileSync(`/proc/${name}/cmdline`, 'utf8');
        if (SECRETS.some((secret) => line.includes(secret))) seenHere += line;
      } catch {
        // It ended in the meantime.
      }
    }
  }, 80);
}

/** Writes down, on the host, what anybody there may read of processes: their arguments, ten times a second. */
const WATCH = `
  touch /srv/start
  systemd-run --quiet --unit=watch sh -c '
    while :; do cat /proc/[0-9]*/cmdline /proc/[0-9]*/comm 2>/dev/null; sleep 0.08; done >/srv/watched'`;

/** Attempts of a user without rights to be there first; prints what succeeded. */
const PLANT = `
  for place; do
    ln -s /srv/canary "$place" 2>/dev/null && echo "$place"
    mkdir "$place.d" 2>/dev/null && echo "$place.d"
  done
  for name in portfw .portfw portfw-lock portfw.lock portfw.tmp; do ln -s /srv/canary "/tmp/$name"; done
  true`;

const MODES = "find /var/lib/portfw /run/portfw -printf '%y %m %U:%G %p\\n'";

beforeAll(async () => {
  lab = await startLab({
    name: 'security',
    hosts: [
      { name: 'loose', suite: 'bullseye' },
      { name: 'strict', suite: 'trixie' },
    ],
  });
  const key = ssh2.utils.generateKeyPairSync('ed25519', { passphrase: PHRASE, cipher: 'aes256-ctr', rounds: 4 });
  const keyFile = join(lab.directory, 'locked-key');
  await writeFile(keyFile, key.private, { mode: 0o600 });
  const places = await Promise.all(
    lab.hosts.map(async (host) => {
      await host.sh(
        `echo "admin:$1" | chpasswd
        usermod --shell /bin/bash admin
        echo "umask $2" >/home/admin/.bashrc
        # Whatever the account's mask is, sudo leaves it.
        echo 'Defaults umask=0777' >/etc/sudoers.d/umask
        mkdir -p /home/admin/.ssh
        printf '%s\\n' "$3" >/home/admin/.ssh/authorized_keys
        chown -R admin /home/admin/.ssh
        echo untouched >/srv/canary
        chmod 666 /srv/canary`,
        PASSWORD,
        host.name === 'loose' ? '000' : '077',
        key.public,
      );
      const { stdout } = await host.exec(['sh', '-c', PLANT, 'sh', ...PREDICTABLE], { user: 'nosudo' });
      await host.sh(WATCH);
      return stdout.trim();
    }),
  );
  planted = places.filter((place) => place !== '');
  await writeFile(join(lab.directory, 'at-once.yaml'), '- hosts: all\n  matrix: portaswitch\n');
  const usual = {
    ansible_user: 'admin',
    ansible_become: true,
    portfw_playbook: 'at-once.yaml',
    portfw_roles: ['web-admin'],
    portfw_extra_rules: TEXTS.map((text, index) => ({
      name: `text-${index}`,
      interface: 'public',
      protocol: 'tcp',
      port: 7000 + index,
      owner: text,
      reason: text,
    })),
  };
  inventory = await writeInventory(lab, 'fleet', {
    hosts: {
      loose: { ...usual, ansible_ssh_private_key_file: keyFile },
      strict: { ...usual, ansible_ssh_private_key_file: null },
    },
  });
  const onAll = async (look: (host: LabHost) => Promise<string>) =>
    (await Promise.all(lab.hosts.map(look))).flatMap((text) => text.split('\n').filter((line) => line !== ''));
  const watching = watchHere();
  runs.apply = await portfw('apply', inventory, '--yes', '-vv', '--confirm', 'manual', '--revert-after', '120s');
  modes.held = await onAll((host) => host.sh(MODES));
  units = await onAll((host) =>
    host.sh("find /etc/systemd/system -name 'portfw-*.service' -type f -printf '%m %U:%G\\n'"),
  );
  runs.status = await portfw('status', inventory, '--json');
  runs.confirm = await portfw('confirm', inventory, '-vv');
  modes.kept = await onAll((host) => host.sh(MODES));
  written = await onAll((host) =>
    host.sh("find /etc/firewalld -name '*portfw*' -not -name '*.old' -printf '%y %m %U:%G %f\\n'"),
  );
  described = await onAll((host) =>
    host.sh('cd /etc/firewalld/services; for each in portfw-extra-*; do base64 -w0 "$each"; echo; done'),
  );
  asked = await onAll((host) =>
    host.run('firewall-cmd', '--permanent', '--service=portfw-extra-text-4', '--get-description'),
  );
  runs.again = await portfw('rollback', inventory, '--yes', '--to', '../../../etc');
  runs.rollback = await portfw('rollback', inventory, '--yes', '--json');
  modes.rolledBack = await onAll((host) => host.sh(MODES));
  clearInterval(watching);
  // The looking itself would be seen otherwise.
  await onAll((host) => host.sh('systemctl stop watch.service; test -s /srv/watched'));
});

afterAll(() => lab?.stop());

describe('secrets', () => {
  it('the runs used them, and went well', () => {
    const codes = Object.entries(runs).map(([name, { exitCode }]) => [name, exitCode]);
    expect(Object.fromEntries(codes), JSON.stringify(runs)).toEqual({
      apply: 0,
      status: 0,
      confirm: 0,
      rollback: 0,
      again: 1,
    });
  });

  it('are in no output, with -vv or as JSON', () => {
    for (const { stdout, stderr } of Object.values(runs)) {
      for (const secret of SECRETS) expect(stdout + stderr).not.toContain(secret);
    }
  });

  it('are never among the arguments of a process here', () => {
    expect(seenHere).toBe('');
  });

  it('are nowhere on the host: arguments, journal, logs, what we leave, what firewalld has, temporary files', async () => {
    for (const host of lab.hosts) {
      const found = await host.sh(
        `journalctl --no-pager >/srv/journal 2>&1 || true
        for secret; do
          grep -raFl -- "$secret" /srv /var/lib/portfw /run/portfw /run/systemd /etc/firewalld /etc/systemd /etc/cron.d \\
            /var/log /tmp /var/tmp /home /root || true
        done`,
        ...SECRETS,
      );
      expect(found, host.name).toBe('');
    }
  });
});

describe('files on the host', () => {
  it.each(['held', 'kept', 'rolledBack'] as const)(
    'are for root alone while the run is %s, whatever mask the login has',
    (when) => {
      expect(modes[when].length).toBeGreaterThan(8);
      expect(modes[when].filter((line) => !/^(?:d 700|f 600) 0:0 /.test(line))).toEqual([]);
    },
  );

  it('that others read have the modes of their kind', () => {
    expect(units).toEqual(Array.from({ length: units.length }, () => '644 0:0'));
    expect(units.length).toBeGreaterThanOrEqual(2);
    expect(written.length).toBeGreaterThan(10);
    expect(written.filter((line) => !/^f 644 0:0 portfw-[a-z0-9-]+\.xml$/.test(line))).toEqual([]);
  });

  it('no other account can create the files first, and none is in a folder that others can write to', async () => {
    expect(planted).toEqual([]);
    for (const host of lab.hosts) {
      expect(await host.sh('cat /srv/canary')).toBe('untouched\n');
      const ours =
        "find /tmp /var/tmp /dev/shm -mindepth 1 -newer /srv/start -not -user nosudo -not -path '/tmp/systemd-*'";
      expect(await host.sh(ours), host.name).toBe('');
      const denied = await host.exec(['ls', '/var/lib/portfw', '/run/portfw'], { user: 'nosudo' });
      expect([denied.exitCode, denied.stdout]).toEqual([2, '']);
    }
  });
});

describe('texts of the inventory', () => {
  it('are texts on the host, whatever they look like', async () => {
    const wanted = lab.hosts.flatMap(() => TEXTS.map((text) => `${text}. Managed by portfw.`));
    const read = described.map((text) => readServiceXml('x', Buffer.from(text, 'base64').toString('utf8')).description);
    expect(read.sort()).toEqual(wanted.sort());
    // firewalld's own reader finds the same.
    expect(asked).toEqual(lab.hosts.map(() => `${TEXTS[4]}. Managed by portfw.`));
    for (const host of lab.hosts) expect((await host.exec(['test', '-e', '/pwned'])).exitCode).toBe(1);
  });

  it('name no generation by a path', () => {
    expect(runs.again.stdout).toContain('there is no such generation');
  });
});
