import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const HOST = path.join(import.meta.dirname, '../../../src/host/remote');

const scratch = mkdtempSync(path.join(tmpdir(), 'portfw-python-'));
afterAll(() => rmSync(scratch, { recursive: true }));

/** Runs a Python text, which is longer than an argument may be. */
function python(text: string, args: readonly string[], input: string): string {
  const file = path.join(scratch, 'program.py');
  writeFileSync(file, text);
  return execFileSync('python3', [file, ...args], { input, encoding: 'utf8' });
}

/** Calls a pure function of a program for the hosts, as firewalld's own interpreter would. */
function call(files: readonly string[], name: string, ...args: readonly unknown[]): unknown {
  const text = files.map((file) => readFileSync(path.join(HOST, file), 'utf8')).join('\n\n');
  const program = `${text}\n\n_name, _args = json.load(sys.stdin)\njson.dump(globals()[_name](*_args), sys.stdout)\n`;
  return JSON.parse(python(program, [], JSON.stringify([name, args])));
}

describe("the zone in a profile of NetworkManager's, while it does not run", () => {
  const UUID = '0a6d1e5c-8f0b-4d7a-9a44-0c8b5f1e2d3c';
  const KEYFILE = ['connection', 'uuid', 'zone'];
  const IFCFG = ['', 'UUID', 'ZONE'];
  const rewritten = (text: string, zone: string, keys: readonly string[], uuid = UUID) =>
    call(['observe.py', 'network_manager.py'], 'with_zones', text, { [uuid]: zone }, keys);
  const keyfile = (zone: string) =>
    `# mine\n[connection]\n${zone}id=Büro\nuuid=${UUID}\n\n[wifi-security]\npsk=zone=portfw-x\nzone=portfw-y\n`;

  it.each([
    ['goes', keyfile('zone=portfw-public\n'), '', KEYFILE, keyfile('')],
    ['changes', keyfile('zone=portfw-public\n'), 'home', KEYFILE, keyfile('zone=home\n')],
    ['comes back', keyfile(''), 'portfw-public', KEYFILE, keyfile('zone=portfw-public\n')],
    ['of somebody else stays', keyfile('zone=home\n'), 'work', KEYFILE, keyfile('zone=home\n')],
    ['that is right stays', keyfile('zone=portfw-a\n'), 'portfw-a', KEYFILE, keyfile('zone=portfw-a\n')],
    ['is never a line of its own making', keyfile(''), 'portfw-a\nautoconnect=no', KEYFILE, keyfile('')],
    [
      'may be one that firewalld names with a slash',
      keyfile('zone=portfw-a\n'),
      'büro/eins',
      KEYFILE,
      keyfile('zone=büro/eins\n'),
    ],
    ['goes in the older format', `UUID="${UUID}"\nZONE=portfw-a\nX=1`, '', IFCFG, `UUID="${UUID}"\nX=1`],
    ['comes back in the older format', `UUID=${UUID}`, 'portfw-a', IFCFG, `UUID=${UUID}\nZONE=portfw-a\n`],
  ])('%s', (_, text, zone, keys, expected) => {
    expect(rewritten(text, zone, keys)).toBe(expected);
  });

  it.each([
    'portfw-x;touch /pwned',
    'portfw-$(id)',
    'portfw-`id`',
    'portfw-a b',
    'portfw-"x',
    "portfw-'x",
    'portfw-a&&id',
    'portfw-a>x',
    '-portfw-',
    'portfw-aaaaaaaaaaa',
  ])('is never more than a name, where a shell reads the profile: %s', (zone) => {
    const held = `UUID=${UUID}\nZONE=portfw-a\n`;
    expect(rewritten(held, zone, IFCFG)).toBe(held);
  });

  it('of an unsaved connection is given up when portfw set it', () => {
    const other = '1b7e2f6d-9a1c-4e8b-8b55-1d9c6a2f3e4d';
    expect(rewritten(keyfile('zone=portfw-public\n'), 'x', KEYFILE, other)).toBe(keyfile(''));
    expect(rewritten(keyfile('zone=home\n'), 'x', KEYFILE, other)).toBe(keyfile('zone=home\n'));
  });
});

describe('what iptables is given back after a reload', () => {
  const missing = (before: string, now: string) =>
    call(['observe.py', 'foreign_rules.py'], 'missing_rules', before, now);
  const docker = [
    '*filter',
    ':INPUT ACCEPT [0:0]',
    ':FORWARD DROP [7:420]',
    ':DOCKER - [0:0]',
    '-A INPUT -j f2b-sshd',
    '-A FORWARD -j DOCKER',
    '-A DOCKER -d 172.17.0.2/32 -j ACCEPT',
    '-A DOCKER -d 172.17.0.2/32 -j ACCEPT',
    'COMMIT',
    '',
  ].join('\n');

  it('is nothing while everything is there', () => {
    expect(missing(docker, docker)).toBe('');
  });

  it('is all of it, in its order, after tables were emptied', () => {
    const now = '*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\nCOMMIT\n';
    expect(missing(docker, now)).toBe(docker.replace(/:(?:INPUT|FORWARD) .*\n/g, '').replace('[0:0]', '[0:0]'));
  });

  it('is no second copy of what its owner has written again by then', () => {
    const now = docker.replace('-A DOCKER -d 172.17.0.2/32 -j ACCEPT\n', '').replace('-A INPUT -j f2b-sshd\n', '');
    expect(missing(docker, now)).toBe('*filter\n-A INPUT -j f2b-sshd\n-A DOCKER -d 172.17.0.2/32 -j ACCEPT\nCOMMIT\n');
  });

  it("leaves out what firewalld's direct interface writes by itself", () => {
    const direct =
      '*filter\n:INPUT_direct - [0:0]\n-A INPUT -j INPUT_direct\n-A INPUT_direct -p tcp -j ACCEPT\nCOMMIT\n';
    expect(missing(direct, '')).toBe('');
  });
});

describe('what iptables is given back where firewalld filters with it too', () => {
  const frame = '-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED,DNAT -j ACCEPT\n-A INPUT -j INPUT_POLICIES\n';
  const zone = ['IN_dmz', 'IN_dmz_log', 'IN_dmz_deny', 'IN_dmz_allow', 'IN_dmz_pre', 'IN_dmz_post'];
  const chains = ['INPUT', 'INPUT_POLICIES', ...zone].map((name) => `:${name} - [0:0]\n`).join('');
  const own = '-A INPUT_POLICIES -j IN_dmz\n-A IN_dmz_allow -p tcp -m tcp --dport 7777 -j ACCEPT\n';
  const table = (first: string, last: string, names = '') =>
    `*filter\n${chains}${names}${first}${frame}${last}${own}COMMIT\n`;
  const missing = (before: string, now: string, direct: readonly string[] = []) =>
    call(['observe.py', 'foreign_rules.py'], 'missing_rules', before, now, direct);

  it('is nothing of firewalld: a port that is closed now stays closed', () => {
    expect(missing(table('', ''), '*filter\n:INPUT - [0:0]\nCOMMIT\n')).toBe('');
  });

  it('goes back in front of what firewalld writes, where it was', () => {
    const ban = '-A INPUT -p tcp -j f2b-sshd\n-A INPUT -s 192.0.2.9/32 -j DROP\n';
    const before = table(ban, '-A INPUT -s 192.0.2.8/32 -j DROP\n', ':f2b-sshd - [0:0]\n');
    expect(missing(before, table('', ''))).toBe(
      '*filter\n:f2b-sshd - [0:0]\n-A INPUT -s 192.0.2.8/32 -j DROP\n-I INPUT -s 192.0.2.9/32 -j DROP\n-I INPUT -p tcp -j f2b-sshd\nCOMMIT\n',
    );
  });

  it('is no chain of the direct interface, which goes with a reload', () => {
    const before = table('-A INPUT -p tcp -j f2b-sshd\n', '', ':f2b-sshd - [0:0]\n');
    expect(missing(before, table('', ''), ['f2b-sshd'])).toBe('');
  });
});

describe("the kernel's rules of before", () => {
  const files = ['observe.py', 'kinds.py', 'runs.py', 'generations.py', 'foreign_rules.py', 'kernel_rules.py'];
  const rules = (...input: readonly string[]) => ({
    tables: {
      'inet firewalld': [
        'table inet firewalld {',
        '\tset s {',
        `\t\telements = { ${input[0]} }`,
        '\t}',
        '\tchain nat_PREROUTING {',
        '\t\ttype nat hook prerouting priority dstnat + 10; policy accept;',
        '\t}',
        '\tchain filter_INPUT {',
        '\t\ttype filter hook input priority filter + 10; policy accept;',
        ...input.slice(1).map((line) => `\t\t${line}`),
        '\t}',
        '\tchain filter_IN_left {',
        '\t\ttcp dport 9 accept',
        '\t}',
        '}',
      ].join('\n'),
    },
    iptables: {},
    ipset: '',
  });
  const before = rules('192.0.2.1, 192.0.2.2', 'ip saddr @s drop', 'tcp dport 22 accept', 'tcp dport 80 accept');

  it.each([
    [
      'in another order where it says nothing',
      ['192.0.2.2, 192.0.2.1', 'ip saddr @s drop', 'tcp dport 80 accept', 'tcp dport 22 accept'],
      true,
    ],
    ['with one less', ['192.0.2.1, 192.0.2.2', 'ip saddr @s drop', 'tcp dport 22 accept'], false],
    [
      'with another element',
      ['192.0.2.1, 192.0.2.3', 'ip saddr @s drop', 'tcp dport 22 accept', 'tcp dport 80 accept'],
      false,
    ],
    [
      'in an order that matters',
      ['192.0.2.1, 192.0.2.2', 'tcp dport 22 accept', 'ip saddr @s drop', 'tcp dport 80 accept'],
      false,
    ],
  ])('are the same or not: %s', (_, now, same) => {
    const differ = call(files, 'rules_that_differ', before, rules(...now));
    expect(Array.isArray(differ) && differ.length === 0).toBe(same);
  });

  it('are the same where others have changed their own in iptables, with either backend', () => {
    const firewalld = [':INPUT_ZONES - [0:0]', '-A INPUT -j INPUT_ZONES'];
    const text = (...lines: string[]) =>
      ['*filter', ':INPUT ACCEPT [0:0]', ':f2b - [0:0]', ...lines, 'COMMIT'].join('\n');
    const own = (...lines: string[]) =>
      call(files, 'own_rules', { ...before, iptables: { 'iptables-restore': text(...lines) } });
    const ban = '-A f2b -s 203.0.113.9/32 -j DROP';
    expect(own(ban)).toEqual(own());
    expect(own(...firewalld, ban)).toEqual(own(...firewalld));
    expect(own(...firewalld)).not.toEqual(own());
    expect(own(...firewalld, '-A INPUT_ZONES -p tcp -j ACCEPT')).not.toEqual(own(...firewalld));
  });

  it('are held narrower than they are only where iptables cannot say them to nft, and not for longer than a load', () => {
    const filter = '*filter\n:INPUT_ZONES - [0:0]\n-A INPUT -m set --match-set none src -j INPUT_ZONES\nCOMMIT';
    expect(call(files, 'holds_less', before)).toBe(false);
    expect(call(files, 'holds_less', { tables: {}, iptables: { 'iptables-restore': filter }, ipset: '' })).toBe(true);
  });

  it('are held by what lets a packet in or not, and by nothing else', () => {
    const text = call(
      files,
      'hold_text',
      rules(
        '192.0.2.1',
        'ip saddr @s drop',
        'ct helper set "helper-ftp"',
        'meta l4proto { tcp, udp } flow add @fastpath',
        'tcp dport 22 accept',
      ),
    );
    expect(text).toBe(
      [
        'table inet portfw_hold {',
        'set s {',
        'elements = { 192.0.2.1 }',
        '}',
        'chain filter_INPUT {',
        'type filter hook input priority filter + 10; policy accept;',
        'ip saddr @s drop',
        'tcp dport 22 accept',
        '}',
        '}',
      ].join('\n'),
    );
  });
});

describe('the record of a run whose rollback is armed', () => {
  const files = [
    'observe.py',
    'kinds.py',
    'files.py',
    'runs.py',
    'generations.py',
    'network_manager.py',
    'foreign_rules.py',
    'kernel_rules.py',
    'in_place.py',
    'daemon.py',
    'restore.py',
    'alarm.py',
    'arming.py',
    'guard.py',
  ];
  const record = {
    holder: 'h',
    what: 'w',
    since: '',
    confirm: 'auto',
    state: null,
    window: 60,
    armedAt: 1.5,
    boot: 'x',
  };
  const { armedAt: _, ...older } = record;

  it.each([
    ['whole', record, true],
    ['empty', {}, false],
    ['a list', [], false],
    ['of another version', older, false],
    ['with a time that is none', { ...record, window: '60' }, false],
  ])('is usable or not: %s', (_name, text, usable) => {
    expect(call(files, 'is_record', text)).toBe(usable);
  });

  it('has no time left after a boot, whatever the monotonic clock says then', () => {
    const left = call(files, 'seconds_left', { ...record, armedAt: 1e9 });
    expect(left).toBeLessThanOrEqual(-15);
    const { boot: _boot, ...here } = record;
    expect(call(files, 'seconds_left', { ...here, armedAt: 1e9 })).toBeGreaterThan(0);
  });
});

it('a step is ended by the rollback with all it started, except what has its own session', () => {
  const files = [
    'observe.py',
    'kinds.py',
    'files.py',
    'runs.py',
    'generations.py',
    'network_manager.py',
    'foreign_rules.py',
    'kernel_rules.py',
    'in_place.py',
    'daemon.py',
    'restore.py',
    'alarm.py',
    'arming.py',
    'guard.py',
  ];
  const text = files.map((file) => readFileSync(path.join(HOST, file), 'utf8')).join('\n\n');
  const family = `
import subprocess, sys, time
print(subprocess.Popen(["sleep", "30"]).pid, subprocess.Popen(["sleep", "30"], start_new_session=True).pid, flush=True)
time.sleep(30)
`;
  const program = `${text}
parent = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE, start_new_session=True)
child, free = [int(word) for word in parent.stdout.readline().split()]
end_process(parent.pid)
parent.wait()
def runs(process):
    try:
        return read_bytes("/proc/%d/stat" % process).rsplit(b")", 1)[1].split()[0] != b"Z"
    except OSError:
        return False
end = time.monotonic() + 5
while runs(child) and time.monotonic() < end:
    time.sleep(0.01)
print(json.dumps([parent.returncode, runs(child), runs(free)]))
os.kill(free, signal.SIGKILL)
`;
  const answer = python(program, [family], '');
  expect(JSON.parse(answer)).toEqual([-9, false, true]);
});

describe('saved generations', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'portfw-generations-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('are in the order in which the host saved them, whatever time their names claim', () => {
    const names = ['99991231T235959Z-aaaaaa', '20260301T100000Z-000001', '20260228T100000Z-000002'];
    for (const [index, name] of names.entries()) {
      mkdirSync(path.join(folder, name));
      writeFileSync(path.join(folder, name, 'meta.json'), '{}');
      utimesSync(path.join(folder, name, 'meta.json'), 1000 + index, 1000 + index);
    }
    const program = ['observe.py', 'kinds.py', 'files.py', 'runs.py', 'generations.py']
      .map((file) => readFileSync(path.join(HOST, file), 'utf8'))
      .join('\n\n');
    const asked = `${program}\nGENERATIONS = json.load(sys.stdin)\njson.dump(generation_ids(), sys.stdout)\n`;
    const answer = python(asked, [], JSON.stringify(folder));
    expect(JSON.parse(answer)).toEqual(names);
  });
});
