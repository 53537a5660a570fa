import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LabHost } from '../lab/host.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import { changeTexts } from './helpers/change-texts.ts';
import { writeInventory } from './helpers/lab-inventory.ts';
import { filesBelow, withoutTimes } from './helpers/observed-host.ts';
import { outcomeOf, portfw, portfwJson } from './helpers/portfw-cli.ts';

/**
 * Hosts on which firewalld does not run, or is not there at all: portfw starts it, with the configuration that it is to
 * have, under the same guard as any other change.
 */
let lab: Lab;
let inventory: string;
let careful: string;

/** Makes a package of the installed firewalld, takes firewalld away, and leaves a package source that has that package. */
const TAKE_AWAY = `
  build=/srv/package; repository=/srv/repository
  mkdir -p "$build/DEBIAN" "$repository"
  dpkg-query -s firewalld | sed -e '/^Status:/d' -e '/^Conffiles:/,/^[^ ]/{/^Conffiles:/d;/^ /d;}' >"$build/DEBIAN/control"
  for part in preinst postinst prerm postrm conffiles; do
    if [ -e "/var/lib/dpkg/info/firewalld.$part" ]; then cp "/var/lib/dpkg/info/firewalld.$part" "$build/DEBIAN/$part"; fi
  done
  dpkg -L firewalld | while read -r path; do
    if [ -d "$path" ] && [ ! -L "$path" ]; then mkdir -p "$build$path"; elif [ -e "$path" ]; then cp -a "$path" "$build$path"; fi
  done
  dpkg-deb --build --root-owner-group -Znone "$build" "$repository/firewalld.deb" >/dev/null
  cd "$repository"
  {
    dpkg-deb -f firewalld.deb
    printf 'Filename: ./firewalld.deb\\nSize: %s\\nSHA256: %s\\n' "$(stat -c %s firewalld.deb)" "$(sha256sum firewalld.deb | cut -d ' ' -f 1)"
  } >Packages
  rm -rf /etc/apt/sources.list /etc/apt/sources.list.d
  mkdir /etc/apt/sources.list.d
  echo 'deb [trusted=yes] file:/srv/repository ./' >/etc/apt/sources.list.d/lab.list
  systemctl stop firewalld.service
  DEBIAN_FRONTEND=noninteractive dpkg --purge --force-depends firewalld >/dev/null 2>&1
  rm -rf /etc/firewalld
  test ! -e /usr/sbin/firewalld`;

beforeAll(async () => {
  lab = await startLab({
    name: 'ensure',
    hosts: [
      { name: 'down', suite: 'bookworm', firewalld: 'stopped' },
      { name: 'bare', suite: 'trixie' },
    ],
  });
  await Promise.all([lab.host('bare').sh(TAKE_AWAY), lab.host('down').run('systemctl', 'mask', 'firewalld.service')]);
  const variables = { portfw_playbook: 'portaswitch', portfw_roles: ['web-admin'] };
  const management = ['198.18.0.0/15'];
  inventory = await writeInventory(lab, 'ensure', {
    hosts: {
      down: { ...variables, portfw_ensure_firewalld: 'running', portfw_management: management },
      bare: { ...variables, portfw_ensure_firewalld: 'installed', portfw_management: management },
    },
  });
  careful = await writeInventory(lab, 'careful', {
    hosts: { down: variables, bare: { ...variables, portfw_ensure_firewalld: 'running' } },
  });
}, 300_000);

afterAll(() => lab?.stop());

/** Whether firewalld runs, whether it is enabled, and the tables of its own in the kernel. */
async function stateOf(host: LabHost): Promise<string> {
  const said = await host.sh(`
    systemctl is-active firewalld.service || true
    systemctl is-enabled firewalld.service 2>/dev/null || true
    nft list tables | grep firewalld || true`);
  return said.trim().split('\n').join(', ');
}

/** What install.sh leaves when it is killed after the package's own scripts have enabled firewalld. */
const HELD_BACK = '/etc/systemd/system/firewalld.service.d/portfw-installing.conf';
const CUT_OFF = `
  mkdir -p "$(dirname ${HELD_BACK})"
  printf '[Unit]\\nConditionPathExists=!/\\n' >${HELD_BACK}
  systemctl daemon-reload
  systemctl enable --quiet firewalld.service`;

const RUNNING = 'active, enabled, table inet firewalld';

describe('a host whose firewalld does not run', () => {
  it('is refused where nobody allowed that it is started, or installed, or where it is masked', async () => {
    const refused = await portfwJson('plan', careful);
    expect(outcomeOf(refused, 'down', 'refused').failure.code).toBe('firewalld-stopped');
    expect(outcomeOf(refused, 'bare', 'refused').failure).toMatchObject({
      code: 'firewalld-absent',
      solve: expect.stringContaining('portfw_ensure_firewalld: installed'),
    });
    const masked = await portfwJson('plan', inventory, '--limit', 'down');
    expect(outcomeOf(masked, 'down', 'refused').failure.code).toBe('firewalld-masked');
    await lab.host('down').run('systemctl', 'unmask', 'firewalld.service');
  });

  it('has it started, and stopped again where the run is not kept', async () => {
    const host = lab.host('down');
    await host.sh(CUT_OFF);
    await host.exec(['systemctl', 'start', 'firewalld.service']);
    // Nothing starts it with the stock configuration, not even a person who does not know of the installation.
    expect(await stateOf(host)).toBe('inactive, enabled');
    const files = withoutTimes(await filesBelow(host, '/etc/firewalld'));
    const applied = await portfwJson('apply', inventory, '--limit', 'down', '--yes', '--confirm', 'manual');
    expect(outcomeOf(applied, 'down', 'awaiting').pending.proved).toBe(true);
    // A reboot alone brings the host back: it is enabled when the run is kept, and not before.
    expect(await stateOf(host)).toBe('active, disabled, table inet firewalld');
    const { stdout } = await portfw('confirm', inventory, '--limit', 'down', '--revert');
    expect(stdout).toContain('down: reverted');
    expect(await stateOf(host)).toBe('inactive, disabled');
    expect(await host.sh(`ls ${HELD_BACK} 2>/dev/null || true`)).toBe('');
    expect(withoutTimes(await filesBelow(host, '/etc/firewalld'))).toEqual(files);
    expect(await host.sh('ls /var/lib/portfw/guard /etc/systemd/system | grep portfw- || true')).toBe('');
  });

  it('gets exactly what the plan shows: started where it is stopped, installed first where it is missing', async () => {
    const planned = await portfwJson('plan', inventory);
    const shown = (name: string) => changeTexts(outcomeOf(planned, name, 'planned').plan);
    expect(shown('down')[0]).toBe('start firewalld');
    expect(shown('bare')[0]).toBe('install firewalld');
    expect(shown('bare').slice(1, 4)).toEqual(shown('down').slice(1, 4));
    expect(await lab.host('bare').sh('ls /usr/sbin/firewalld 2>/dev/null || true')).toBe('');

    const applied = await portfwJson('apply', inventory, '--yes', '--confirm', 'manual');
    for (const name of ['down', 'bare']) {
      outcomeOf(applied, name, 'awaiting');
      // Not to be there after a boot before somebody has said yes, not even where the package enables what it installs.
      expect(await stateOf(lab.host(name))).toBe('active, disabled, table inet firewalld');
    }
    const confirmed = await portfwJson('confirm', inventory, '--limit', 'down,bare');
    for (const name of ['down', 'bare']) {
      outcomeOf(confirmed, name, 'confirmed');
      expect(await stateOf(lab.host(name))).toBe(RUNNING);
      expect(
        await lab.host(name).sh('find /run/systemd/system /etc/systemd/system -lname /dev/null -name "firewalld*"'),
      ).toBe('');
      expect(await lab.host(name).sh(`ls ${HELD_BACK} 2>/dev/null || true`)).toBe('');
    }
    const again = await portfwJson('plan', inventory);
    for (const name of ['down', 'bare']) outcomeOf(again, name, 'unchanged');
  }, 150_000);
});
