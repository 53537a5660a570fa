import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseFacts } from '../../src/facts/parse-facts.ts';
import { firewalldProgram, installProgram, probeProgram, reachProgram } from '../../src/host/programs.ts';
import { wrappedProgram } from '../../src/transport/program-framing.ts';
import {
  CANARY,
  changed,
  GOOD,
  HOSTILE,
  isTakenAway,
  type Json,
  placesOf,
  RUN_ID,
  valueAt,
  type Way,
  withMore,
} from '../helpers/hostile-requests.ts';
import type { LabHost } from '../lab/host.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import { writeInventory } from './helpers/lab-inventory.ts';
import { outcomeOf, portfw, portfwJson } from './helpers/portfw-cli.ts';
import { ended, runOn, targetOf } from './helpers/transport-lab.ts';

/**
 * The account that `portfw sudoers` limits has been taken over: somebody runs the listed programs with requests of their own.
 * NetworkManager runs on both hosts, so that its connections can be attacked too.
 */
let lab: Lab;
const SUITES = ['bullseye', 'trixie'] as const;
const onAll = <T>(work: (host: LabHost) => Promise<T>) => Promise.all(lab.hosts.map(work));

/** Runs a program with many inputs as the account, over sudo, some at a time; prints the answers, one a line. */
const ASKER = `
import concurrent.futures, json, subprocess, sys
program = open("/srv/ops/" + sys.argv[1], "rb").read()
seconds = sys.argv[2]
def ask(data):
    data = data.encode()
    head = "%d %d %s\\n" % (len(program), len(data), seconds)
    done = subprocess.run(["sudo", "-n", "/usr/local/libexec/portfw-run", "", "0123abcd"], input=head.encode() + program + data,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return done.stdout.decode("utf-8", "replace").split("portfw:0123abcd:begin\\n")[-1].split("portfw:0123abcd:end:")
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    for answer in pool.map(ask, [line.strip() for line in open("/srv/ops/inputs")]):
        print(json.dumps(answer))
`;

/** Writes a file of any size. */
async function put(host: LabHost, path: string, text: string): Promise<void> {
  expect(ended(await runOn(targetOf(lab, host), `cat >${path}`, { data: text })).exitCode).toBe(0);
}

/** What the account gets for each input: what the program printed and its exit code. */
async function asOps(
  host: LabHost,
  program: string,
  inputs: readonly string[],
  seconds = 60,
): Promise<[string, number][]> {
  const encoded = inputs.map((text) => Buffer.from(text).toString('base64'));
  await put(host, '/srv/ops/inputs', `${encoded.join('\n')}\n`);
  const said = await host.exec(['su', 'ops', '-c', `python3 /srv/ops/ask.py ${program} ${seconds}`]);
  expect(said.exitCode, said.stderr).toBe(0);
  return said.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as string[])
    .map(([text = '', code = '-1']) => [text, Number(code)]);
}

interface Said {
  readonly kind: string;
  readonly why?: string;
  readonly step?: string;
  readonly aftermath?: { readonly kind: string };
}

async function answersOf(host: LabHost, requests: readonly Json[]): Promise<Said[]> {
  const said = await asOps(
    host,
    'steps',
    requests.map((request) => JSON.stringify(request)),
  );
  return said.map(([text, code], index) => {
    // A program that was stopped has said nothing: then it matters which request it was.
    if (text.trim() === '') throw new Error(`no answer (${code}) to ${JSON.stringify(requests[index]).slice(0, 500)}`);
    return JSON.parse(text) as Said;
  });
}

/** Everything that somebody who became root could have left: files with their sums and modes, units, processes, rules. */
const LOOK = `
  find /etc /root /usr/local /var/lib/portfw /var/spool/cron /run/systemd/system /run/NetworkManager/system-connections /srv \\
    ! -path '/srv/ops/*' ! -name audit.log -type f -printf '%m %U:%G %p ' -exec sha256sum {} ';' 2>/dev/null | sort -k 3
  find /etc /srv -type l -printf '%p -> %l\\n' | sort
  find / -xdev -perm -4000 -type f 2>/dev/null | sort
  find /tmp /var/tmp /dev/shm -mindepth 1 -maxdepth 1 ! -name 'systemd-private-*' | sort
  systemctl list-units --all --no-legend --plain 'portfw*'
  nft list ruleset
  nmcli -g UUID,NAME connection show | sort`;

beforeAll(async () => {
  lab = await startLab({
    name: 'requests',
    hosts: SUITES.map((suite) => ({ name: suite, suite, networkManager: true })),
  });
  const printed = await portfw('sudoers', 'ops');
  await onAll(async (host) => {
    await host.sh('useradd -m ops; mkdir /srv/ops');
    await host.writeFile('/root/setup.sh', printed.stdout);
    await host.sh('sh /root/setup.sh');
    await host.writeFile('/srv/ops/ask.py', ASKER);
    for (const [name, program] of [
      ['steps', firewalldProgram()],
      ['install', installProgram()],
      ['reach', reachProgram()],
      ['probe', probeProgram()],
    ] as const)
      await put(host, `/srv/ops/${name}`, wrappedProgram(program).toString('utf8'));
  });
}, 120_000);
afterAll(() => lab?.stop());

/** Places in which people write texts: whatever stands there is a text, so that such a request is carried out. */
const isText = (way: Way) => /holder|what|why|short|description|signers/.test(way.join('.'));

describe('a request of somebody who wants more', () => {
  const hostile: Json[] = [];
  const texts: Json[] = [];

  beforeAll(() => {
    const odd = HOSTILE.filter((value) => typeof value !== 'string' || value.length < 1000);
    let turn = 0;
    for (const request of GOOD) {
      const places = placesOf(request).filter(([key]) => key !== 'operation');
      for (const way of places) {
        const held = valueAt(request, way);
        // On hosts each place meets some of the values, in turn; door.test.ts has all of them everywhere.
        for (let many = 0; many < 2; many += 1) {
          const value = odd[turn++ % odd.length]!;
          const given = changed(request, way, value);
          if (isText(way)) texts.push(given);
          else if (typeof value === 'string' && value !== '' && typeof held === 'string' && !isTakenAway(request, way))
            hostile.push(given);
        }
        hostile.push(changed(request, way, { $: `x;touch ${CANARY}` }));
      }
      hostile.push(withMore(request, []));
    }
    const evil = 'x;cd var;cd tmp;cp $(command -v bash) rootbash;chmod 4755 rootbash;#';
    hostile.push(changed(GOOD.find(({ operation }) => operation === 'rollback')!, ['id'], evil));
  });

  it('is refused before the lock is taken, and nothing comes of it', async () => {
    expect(hostile.length).toBeGreaterThan(200);
    await onAll(async (host) => {
      const before = await host.sh(LOOK);
      // Whatever waits for the operation's lock would not come back.
      await host.sh(
        'mkdir -p -m 700 /run/portfw; systemd-run --quiet --unit=holder flock /run/portfw/operation sleep 600',
      );
      const mine = hostile.filter((_, index) => index % 2 === lab.hosts.indexOf(host) || index === hostile.length - 1);
      const answers = await answersOf(host, mine);
      await host.sh('systemctl stop holder.service');
      const others = answers.flatMap(({ kind }, index) =>
        kind === 'refused' ? [] : [[kind, JSON.stringify(mine[index])]],
      );
      expect(others).toEqual([]);
      expect(await host.sh(LOOK)).toBe(before);
    });
  }, 400_000);

  it('has texts that are texts', async () => {
    expect(texts.length).toBeGreaterThan(15);
    await onAll(async (host) => {
      const before = await host.sh(LOOK);
      const answers = await answersOf(
        host,
        texts.filter((_, index) => index % 2 === lab.hosts.indexOf(host)),
      );
      expect(answers.map(({ kind }) => kind).filter((kind) => kind === 'begun' || kind === 'rolled-back')).toEqual([]);
      expect(new Set(answers.map(({ kind }) => kind))).toContain('drifted');
      expect(await host.sh(LOOK)).toBe(before);
    });
  }, 200_000);
});

describe('the other programs', () => {
  it('install nothing where firewalld is, and leave it running and enabled', async () => {
    await onAll(async (host) => {
      const before = await host.sh(LOOK);
      expect(await asOps(host, 'install', [''])).toEqual([['', 0]]);
      expect(await host.sh('systemctl is-enabled firewalld; systemctl is-active firewalld')).toBe('enabled\nactive\n');
      expect(await host.sh(LOOK)).toBe(before);
    });
  });

  it('hand no flag to dpkg-query, and no path to anybody', async () => {
    await onAll(async (host) => {
      const before = await host.sh(LOOK);
      const inputs = [`package --admindir=/srv\npackage -f\npackage bash\nfile ../etc/shadow\nfile /etc/shadow\n`];
      const [[said]] = (await asOps(host, 'probe', inputs)) as [[string, number]];
      const section = (name: string) => new RegExp(`\\n@@${name}\\n([\\s\\S]*?)(?=\\n@@)`).exec(said)?.[1]?.trim();
      expect(section('packages')).toBe('bash installed');
      expect(section('files')).toBe('/etc/shadow');
      const [[answer, code]] = (await asOps(host, 'reach', [`--help\n22\n1\n`])) as [[string, number]];
      expect([answer, code]).toEqual(['not an address, a port and a time\n', 1]);
      expect(await host.sh(LOOK)).toBe(before);
    });
  });
});

describe('what is not ours', () => {
  const OFFICE = '<zone>\n  <!-- mine -->\n  <interface name="lab9"/>\n  <service name="telnet"/>\n</zone>\n';
  const office = (host: LabHost) => host.sh('cat /etc/firewalld/zones/office.xml');
  const audit = { run: null, plan: null, file: null, signers: [], journal: null };
  const head = { holder: 'ops@desk', what: 'x', window: 60, confirm: 'auto', state: null, audit };
  let number = 0;

  beforeAll(() =>
    onAll(async (host) => {
      await host.writeFile('/etc/firewalld/zones/office.xml', OFFICE);
      await host.sh('firewall-cmd --reload');
    }),
  );

  async function begin(host: LabHost, changes: object): Promise<{ id: string; said: Said }> {
    const seen = parseFacts(
      ended(await runOn(targetOf(lab, host), probeProgram(), { outputLimitBytes: 2 ** 24 })).stdout,
    );
    if (seen.kind === 'unreadable' || seen.facts.firewalld.kind !== 'running') throw new Error('no facts');
    number += 1;
    const id = `${RUN_ID.slice(0, -2)}${String(number).padStart(2, '0')}`;
    const base = {
      operation: 'begin',
      id,
      ...head,
      files: [],
      reload: false,
      reloadSeconds: 0,
      calls: [],
      foreign: [],
    };
    const [said] = await answersOf(host, [{ ...base, observedHash: seen.facts.firewalld.hash, ...changes }]);
    return { id, said: said! };
  }

  it('is neither saved nor restored for a run that moves no interface out of it', async () => {
    for (const host of lab.hosts) {
      const { said } = await begin(host, { foreign: ['zones/office.xml'] });
      expect(said).toMatchObject({ kind: 'failed', aftermath: { kind: 'untouched' } });
      expect(said.why).toContain('binds no interface that moves to a zone of portfw');
    }
  });

  it('loses no interface that does not move to us, and no connection that the run did not move gets a zone', async () => {
    for (const host of lab.hosts) {
      const uuid = (await host.sh('nmcli -g UUID connection show --active | head -1')).trim();
      const zone = () => host.sh('nmcli -g connection.zone connection show "$1"', uuid);
      const before = await zone();
      for (const more of [
        { releases: [{ zone: 'office', interfaces: ['lab9'] }] },
        { connections: [[uuid, 'portfw-public']] },
        { connections: [[uuid, '']] },
      ]) {
        const { id, said } = await begin(host, {});
        expect(said.kind).toBe('begun');
        const request = {
          operation: 'permanent',
          id,
          zones: {},
          services: {},
          ipsets: {},
          releases: [],
          deletions: [],
          connections: [],
          ...more,
        };
        const [answer] = await answersOf(host, [request]);
        expect(answer).toMatchObject({ kind: 'failed', aftermath: { kind: 'restored' } });
        expect(answer!.why).toMatch(/the run did not announce that it edits|was not moved to/);
        expect(await office(host)).toBe(OFFICE);
        expect(await zone()).toBe(before);
      }
    }
  });

  it('keeps what its owner has changed since, when the account rolls back', async () => {
    const hosts = Object.fromEntries(
      SUITES.map((suite) => [
        suite,
        { ansible_user: 'ops', ansible_become: true, portfw_playbook: 'portaswitch', portfw_roles: ['web-admin'] },
      ]),
    );
    const inventory = await writeInventory(lab, 'limited', { hosts });
    const name = (host: LabHost) => host.interfaces.public!;
    const file = (host: LabHost, service: string, bound: boolean) =>
      `<zone>\n  <!-- mine -->\n  <service name="${service}"/>\n${bound ? `  <interface name="${name(host)}"/>\n` : ''}</zone>\n`;
    await onAll(async (host) => {
      await host.writeFile('/etc/firewalld/zones/office.xml', file(host, 'ssh', true));
      await host.sh(
        'nmcli -g UUID connection show --active | while read -r uuid; do nmcli connection modify uuid "$uuid" connection.zone ""; done; firewall-cmd --reload',
      );
    });
    const applied = await portfwJson('apply', inventory, '--yes');
    for (const suite of SUITES) outcomeOf(applied, suite, 'changed');
    await onAll(async (host) => {
      expect(await office(host)).toBe(file(host, 'ssh', false));
      // The owner closes one thing and opens another.
      await host.writeFile('/etc/firewalld/zones/office.xml', file(host, 'https', false));
    });
    const back = await portfwJson('rollback', inventory, '--yes');
    for (const suite of SUITES) outcomeOf(back, suite, 'rolled-back');
    await onAll(async (host) => expect(await office(host)).toBe(file(host, 'https', true)));
  });
});

it('every program that a host is sent stands in the walk', () => {
  const listed = readFileSync(join(import.meta.dirname, '../../src/host/sudo-helper.ts'), 'utf8');
  expect(/return \[(.*)\]\.map/.exec(listed)?.[1]).toBe(
    'probeProgram(), firewalldProgram(), reachProgram(), installProgram()',
  );
});
