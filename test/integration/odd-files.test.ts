import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RESTART_FIREWALLD } from '../lab/firewalld.ts';
import type { LabHost } from '../lab/host.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import { stateOf } from './helpers/host-state.ts';
import { writeInventory } from './helpers/lab-inventory.ts';
import { type JsonRun, outcomeOf, portfw, portfwJson } from './helpers/portfw-cli.ts';

/**
 * What administrators have below /etc/firewalld: links, folders, other encodings, backups, files that are mounted. firewalld
 * reads more of it than one sees at first, each version a little differently; a plan has to know what the next reload brings.
 */
let lab: Lab;
let inventory: string;
let managed: string;

beforeAll(async () => {
  lab = await startLab({
    name: 'odd-files',
    hosts: [
      { name: 'old', suite: 'bullseye' },
      { name: 'mid', suite: 'bookworm' },
      { name: 'young', suite: 'trixie' },
    ],
  });
  const wishes = { portfw_playbook: 'portaswitch', portfw_roles: [] };
  const write = (name: string, more: Readonly<Record<string, unknown>>) =>
    writeInventory(lab, name, {
      hosts: Object.fromEntries(lab.hosts.map((host) => [host.name, { ...wishes, ...more }])),
    });
  inventory = await write('inventory', {});
  managed = await write('managed', { portfw_management: ['198.18.0.0/15'] });
  await each((host) => host.run('cp', '-a', '/etc/firewalld', '/root/firewalld'));
});

afterAll(() => lab?.stop());

function each<T>(work: (host: LabHost) => Promise<T>): Promise<T[]> {
  return Promise.all(lab.hosts.map(work));
}

/** Each host on its own, so that none waits for another one's batch. */
async function onEach(command: string, ...more: readonly string[]): Promise<ReadonlyMap<string, JsonRun>> {
  return new Map(
    await each(
      async (host) => [host.name, await portfwJson(command, inventory, ...more, '--limit', host.name)] as const,
    ),
  );
}

/** A daemon that sees what is mounted now: it may live in a mount namespace of its own. */
const RESTART = `systemctl reset-failed firewalld; ${RESTART_FIREWALLD}`;

/** The configuration that the package brought, and nothing of ours. */
const PRISTINE = `
  for path in $(awk '$5 ~ "^/etc/firewalld" {print $5}' /proc/self/mountinfo); do umount "$path"; done
  rm -rf /etc/firewalld /srv/fw /var/lib/portfw
  cp -a /root/firewalld /etc/firewalld; mkdir -p /srv/fw /etc/firewalld/zones /etc/firewalld/services
  ${RESTART}
  cd /etc/firewalld`;

const EDGE = (outside: string) =>
  `printf '<?xml version="1.0" encoding="iso-8859-1"?>\\n<zone>\\n  <short>B\\374ro</short>\\n  <interface name="${outside}"/>\\n  <service name="ssh"/>\\n  <port port="7777" protocol="tcp"/>\\n</zone>\\n'`;
/** A link, whose target is in Latin-1 and belongs to somebody, and a zone in UTF-16 that another file is mounted on. */
function linkedAndMounted(host: LabHost): string {
  const { public: outside = '', private: inside = '' } = host.interfaces;
  return `${PRISTINE}
    ${EDGE(outside)} >/srv/fw/edge.xml; chmod 640 /srv/fw/edge.xml; chown 1000:1000 /srv/fw/edge.xml
    ln -s /srv/fw/edge.xml zones/edge.xml
    printf '<?xml version="1.0" encoding="utf-16"?>\\r\\n<zone>\\r\\n  <short>In</short>\\r\\n  <interface name="${inside}"/>\\r\\n  <service name="ssh"/>\\r\\n</zone>\\r\\n' | iconv -f utf-8 -t utf-16 >/srv/fw/inner.xml
    : >zones/inner.xml; mount --bind /srv/fw/inner.xml zones/inner.xml
    ${RESTART}`;
}

/** Files that firewalld does not read, or reads without any harm: none of them may stop a run, or cost it much. */
const NEIGHBOURS = `
  printf x >"zones/$(printf 'b\\374ro').xml.bak"; mkfifo zones/fifo; printf x >"zones/$(printf 'a\\nb')"
  head -c 6000000 /dev/zero >zones/big.bin; ln -s /dev/zero zones/endless; ln -s / root
  mkdir services/backup.1; printf '<broken' >services/backup.1/ssh.xml; printf '<broken' >zones/edge.xml.bak
  mkdir zones/quarantine; printf '<zone><source address="192.0.2.1"/></zone>' >zones/quarantine/a.xml
  printf '<service><port port="4444" protocol="tcp"/></service>' >/srv/fw/mine.xml; ln -s /srv/fw/mine.xml services/mine.xml
  { printf '<zone><source address="192.0.2.2"/><description>'; head -c 5000000 /dev/zero | tr '\\0' x; printf '</description></zone>'; } >zones/long.xml
  firewall-cmd --quiet --reload`;

/** Everything that a run could touch, wherever links lead. */
async function standing(host: LabHost): Promise<unknown> {
  const elsewhere = await host.sh(
    `find /srv -exec sh -c 'for f; do printf "%s %s %s\\n" "$f" "$(stat -c "%F %a %u:%g" "$f")" "$(sha256sum 2>/dev/null <"$f")"; done' sh {} + | sort
    find -L /etc/firewalld/zones /etc/firewalld/services -name '*portfw*' | sort; awk '$5 ~ "^/etc/firewalld" {print $5}' /proc/self/mountinfo`,
  );
  return { ...(await stateOf(host)), elsewhere };
}

describe('zone files that are links, mounted, and in other encodings', () => {
  let before: unknown[];

  it('are planned as what they are, beside files that firewalld does not read', async () => {
    await each((host) => host.sh(linkedAndMounted(host) + NEIGHBOURS));
    before = await each(standing);
    const { stdout, exitCode } = await portfw('plan', inventory, '--details');
    expect(exitCode, stdout).toBe(0);
    expect(stdout.match(/edits zone edge, which lists this interface now/g)).toHaveLength(3);
    expect(stdout.match(/edits zone inner, which lists this interface now/g)).toHaveLength(3);
    expect(stdout.match(/closes 7777\/tcp, which is open on it in zone edge now/g)).toHaveLength(3);
    expect(stdout).not.toMatch(/exists at runtime only|puts into force/);
  });

  it('lose their interfaces and no other byte, and nothing is left to do', async () => {
    for (const [name, run] of await onEach('apply', '--yes', '--revert-after', '60s')) {
      const host = lab.host(name);
      expect(outcomeOf(run, name, 'changed').reloads).toBe(1);
      const line = (side: 'public' | 'private') => `  <interface name="${host.interfaces[side]}"/>`;
      expect(await host.sh('cat /srv/fw/edge.xml | iconv -f latin1 -t utf-8')).toBe(
        (await host.sh(`${EDGE(host.interfaces.public!)} | iconv -f latin1 -t utf-8`)).replace(
          `${line('public')}\n`,
          '',
        ),
      );
      expect(await host.sh('iconv -f utf-16 -t utf-8 /srv/fw/inner.xml')).toMatch(
        /^<\?xml .*\?>\r\n<zone>\r\n {2}<short>In<\/short>\r\n {2}<service name="ssh"\/>\r\n<\/zone>\r\n$/,
      );
      expect(await host.sh('readlink /etc/firewalld/zones/edge.xml; stat -c "%a %u:%g" /srv/fw/edge.xml')).toBe(
        '/srv/fw/edge.xml\n640 1000:1000\n',
      );
    }
    for (const [name, run] of await onEach('apply', '--yes')) outcomeOf(run, name, 'unchanged');
  });

  it('come back byte by byte with a rollback', async () => {
    for (const [name, run] of await onEach('rollback', '--yes')) expect(run.exitCode, `${name}: ${run.stdout}`).toBe(0);
    expect(await each(standing)).toEqual(before);
  });
});

describe('folders that are links', () => {
  it('are written through, and nothing is left behind when the run is rolled back', async () => {
    await each((host) =>
      host.sh(`${linkedAndMounted(host)}
        umount zones/inner.xml; mv /etc/firewalld/zones /srv/fw/zones; ln -s /srv/fw/zones /etc/firewalld/zones
        mv /etc/firewalld /srv/fw/etc; ln -s /srv/fw/etc /etc/firewalld; rm /etc/firewalld/zones/inner.xml
        firewall-cmd --quiet --reload`),
    );
    const before = await each(standing);
    for (const [name, run] of await onEach('apply', '--yes', '--confirm', 'manual', '--revert-after', '60s'))
      expect(run.exitCode, `${name}: ${run.stdout}`).toBe(0);
    await each(async (host) =>
      expect(await host.sh('cat /srv/fw/zones/portfw-public.xml; ! grep -c "<interface" /srv/fw/edge.xml')).toContain(
        `<interface name="${host.interfaces.public}"/>`,
      ),
    );
    expect(await each(standing)).not.toEqual(before);
    await onEach('confirm', '--revert');
    expect(await each(standing)).toEqual(before);
  });
});

const ZONE = '<zone><source address="203.0.113.0/24"/><service name="ssh"/></zone>';

describe('a zone file that cannot be written', () => {
  it('ends a run before its first write, with the reason', async () => {
    await each((host) =>
      host.sh(`${linkedAndMounted(host)}
        mount -o remount,bind,ro /etc/firewalld/zones/inner.xml; ${RESTART}`),
    );
    const before = await each(standing);
    for (const [name, run] of await onEach('apply', '--yes')) {
      const { failure, aftermath } = outcomeOf(run, name, 'failed');
      expect(failure.what).toBe(
        'the file zones/inner.xml: it cannot be written: it is mounted read-only, or protected by an attribute',
      );
      expect(aftermath.kind).toBe('untouched');
    }
    expect(await each(standing)).toEqual(before);
  });
});

/** Files that no plan can be made with, what is said of them, and the hosts on which it is so: every version has its own rules. */
const BROKEN: readonly (readonly [script: string, text: RegExp, hosts?: readonly string[]])[] = [
  [
    `mkdir zones/250610.backup; printf '${ZONE}' >zones/250610.backup/edge.xml`,
    /250610\.backup.* no folder of zones like/,
  ],
  ['mkdir zones/.git', /zones\/\.git: firewalld before 1\.0 cannot load/, ['old']],
  [`printf '${ZONE}' >zones/a.b.xml`, /a\.b\.xml: firewalld takes no name like a\.b/, ['mid', 'young']],
  [`printf '${ZONE}' >"zones/$(printf 'b\\374ro').xml"`, /b\\xfcro\.xml: firewalld ends when/],
  ['mkfifo zones/pipe.xml', /pipe\.xml: it is a FIFO/],
  ['ln -s /nowhere zones/gone.xml', /gone\.xml: it is a link to \/nowhere, which does not exist/],
  ['ln -s . zones/loop', /zones\/loop: it is a link to a folder that contains it/],
  ['ln -s /etc/shadow zones/secret.xml', /secret\.xml: it is not XML/],
  [
    `{ printf '<zone><description>'; head -c 9000000 /dev/zero | tr '\\0' x; printf '</description></zone>'; } >zones/huge.xml`,
    /huge\.xml: it is larger than 8 MiB/,
  ],
  [
    `printf '<!DOCTYPE zone [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><zone><short>&b;</short></zone>' >zones/laughs.xml`,
    /laughs\.xml: it declares the entity/,
  ],
  [
    `printf '<zone target="DROP"><rule><tcp-mss-clamp/></rule><service name="ssh"/></zone>' >zones/public.xml`,
    /public\.xml: PARSE_ERROR: Unexpected element tcp-mss-clamp/,
    ['old'],
  ],
  [
    `printf '<zone><source address="192.0.2.3"/><rule family="ipv4"><source address="192.0.2.1"/><source address="192.0.2.2"/><drop/></rule></zone>' >zones/part.xml`,
    /part\.xml: (?:it ignores part of it: Invalid rule|INVALID_RULE): More than one source/,
  ],
  [
    `printf '<zone/>' >/srv/fw/x.xml; ln -s /srv/fw/x.xml zones/portfw-public.xml`,
    /portfw-public\.xml: it is a link to \/srv\/fw\/x\.xml/,
  ],
];

const DROP = '<zone target="DROP"><source address="198.18.0.0/15"/></zone>';

/** Other states that no run may begin on: how they are made, and what the plan says, on which hosts. */
const REFUSED: readonly {
  readonly title: string;
  readonly script: string;
  readonly code: string;
  readonly text: RegExp;
  readonly hosts?: readonly string[];
}[] = [
  {
    title: 'a pattern that would be asked first',
    script: `printf '<zone><interface name="eth+"/><service name="ssh"/></zone>' >zones/work.xml; firewall-cmd --quiet --reload`,
    code: 'interface-pattern',
    text: /zone work binds the pattern eth\+, which covers eth\d/,
    hosts: ['old', 'mid'],
  },
  {
    title: 'a backup of a zone, which is a zone as well',
    script: `mkdir zones/backup; printf '<zone><interface name="eth0"/><interface name="eth1"/></zone>' >zones/backup/edge.xml`,
    code: 'zone-folder',
    text: /reads the zone backup from \/etc\/firewalld\/zones\/backup\/edge\.xml, which binds eth\d/,
  },
  {
    title: 'the lockdown of firewalld',
    script: `printf '<whitelist/>' >lockdown-whitelist.xml; firewall-cmd --quiet --reload; firewall-cmd --quiet --lockdown-on || true`,
    code: 'lockdown',
    text: /^firewalld is in lockdown/,
    hosts: ['old', 'mid'],
  },
  {
    title: 'a firewalld that reads another folder',
    script: `cp -a /etc/firewalld /srv/fw/other; mkdir -p /run/systemd/system/firewalld.service.d
      printf '[Service]\\nExecStart=\\nExecStart=/usr/sbin/firewalld --nofork --nopid --system-config /srv/fw/other\\n' >/run/systemd/system/firewalld.service.d/odd.conf
      systemctl daemon-reload; ${RESTART_FIREWALLD}; rm -r /run/systemd/system/firewalld.service.d; systemctl daemon-reload`,
    code: 'other-folder',
    text: /was started with --system-config \/srv\/fw\/other/,
  },
  {
    title: 'a zone that waits behind a link and would lock us out',
    script: `printf '${DROP}' >/srv/fw/q.xml; ln -s /srv/fw/q.xml zones/quarantine.xml`,
    code: 'lockout',
    text: /quarantine/,
  },
  {
    title: 'a zone that waits in a folder and would lock us out',
    script: `mkdir zones/quarantine; printf '${DROP}' >zones/quarantine/a.xml`,
    code: 'lockout',
    text: /quarantine/,
  },
];

describe('a plan is refused, and nothing is written, where there is', () => {
  it('any file that cannot be used, and all of them are named', async () => {
    await each((host) => host.sh([PRISTINE, ...BROKEN.map(([script]) => script)].join('\n')));
    const run = await portfwJson('plan', inventory);
    for (const host of lab.hosts) {
      const { failure } = outcomeOf(run, host.name, 'refused');
      expect(failure.code).toBe('broken-xml');
      const said = [failure.what, ...failure.details].join('\n');
      for (const [script, text, hosts = [host.name]] of BROKEN) {
        if (hosts.includes(host.name)) expect(said, `${host.name}: ${script}`).toMatch(text);
        else expect(said, `${host.name}: ${script}`).not.toMatch(text);
      }
    }
  });

  it.each(REFUSED)('$title', async ({ script, code, text, hosts = lab.hosts.map(({ name }) => name) }) => {
    await each((host) => host.sh(`${PRISTINE}\n${script}`));
    const run = await portfwJson('plan', managed);
    for (const host of lab.hosts) {
      if (hosts.includes(host.name)) {
        const { failure } = outcomeOf(run, host.name, 'refused');
        expect(failure.code, `${host.name}: ${failure.what}`).toBe(code);
        expect(failure.what, host.name).toMatch(text);
      } else outcomeOf(run, host.name, 'planned');
    }
  });
});
