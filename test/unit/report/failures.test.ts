import stringWidth from 'string-width';
import { describe, expect, it } from 'vitest';
import type { Failure } from '../../../src/core/failure.ts';
import type { FleetEvent } from '../../../src/fleet/events.ts';
import { failureKey, groupOf } from '../../../src/report/failure-groups.ts';
import { outcomeView } from '../../../src/report/outcome-view.ts';
import { LiveReport } from '../../../src/report/terminal/live.ts';
import { PlainReport } from '../../../src/report/terminal/plain.ts';
import { PLAIN_STYLE } from '../../../src/report/terminal/style.ts';
import { wrapped } from '../../../src/report/terminal/wrap.ts';
import { tick } from '../fleet/helpers/fakes.ts';
import { Written } from './helpers/outcomes.ts';

const HOSTS = ['web1', 'web2', 'web3', 'web4', 'web5'];

/** What refuses five hosts alike, as portfw words it; `$ADDRESS` is each host's own, `$HOST` its name. */
const REFUSALS: Readonly<Record<string, Failure>> = {
  'no role': {
    code: 'no-roles',
    what: 'no role was found on the host and none is declared',
    details: [],
    solve: 'declare the roles in portfw_roles; an empty list means only the roles of every host',
  },
  'an ambiguous interface class': {
    code: 'class-not-mapped',
    what: 'master-db/private/tcp/3306 needs a private interface, and none is mapped',
    details: [],
    solve:
      'add private: [INTERFACE] to portfw_interfaces; the host has eth0 ($ADDRESS/24), eth1 ($PRIVATE/24, fe80::$LAST/64)',
  },
  'an unknown host key': {
    code: 'host-key-unknown',
    what: 'the host key of $ADDRESS is not recorded',
    details: ['it is SHA256:$FINGERPRINT (ssh-ed25519)'],
    solve: 'compare it, and record it: `ssh-keyscan -t ed25519 $ADDRESS >> ~/.ssh/known_hosts`',
  },
  'no root': {
    code: 'not-root',
    what: 'the account has no root rights on the host, and only root may read and change firewalld',
    details: [],
    solve: 'log in as root, or set ansible_become: true with sudo rights',
  },
  'a lockout': {
    code: 'lockout',
    what: 'zone portfw-public would not let SSH in again: 198.51.100.2 to $ADDRESS port 22/tcp on eth0; no rule accepts it',
    details: ['zone portfw-private would not either (name the network)'],
    solve: 'add 198.51.100.2 to portfw_management; --accept-lockout $HOST continues anyway',
  },
};

function of(failure: Failure, host: string): Failure {
  const number = HOSTS.indexOf(host) + 1;
  const own = (text: string): string =>
    text
      .replaceAll('$ADDRESS', `203.0.113.1${number}`)
      .replaceAll('$PRIVATE', `2001:db8::${number}`)
      .replaceAll('$FINGERPRINT', `${'abcdefghijklmnopqrstuvwxyz'.repeat(2).slice(number, 43 + number)}`)
      .replaceAll('$LAST', `${number}`)
      .replaceAll('$HOST', host);
  return { code: failure.code, what: own(failure.what), details: failure.details.map(own), solve: own(failure.solve) };
}

function refused(failure: Failure, host: string): FleetEvent {
  return { kind: 'host-finished', host, outcome: { kind: 'refused', failure }, durationMs: 300, at: 1 };
}

function failedHost(failure: Failure, host: string) {
  return { host, durationMs: 300, outcome: outcomeView({ kind: 'refused', failure }) };
}

async function live(columns: number, events: readonly FleetEvent[]): Promise<string> {
  const output = new Written();
  const report = new LiveReport(Object.assign(output, { columns, rows: 24 }), PLAIN_STYLE, 0);
  report.event({ kind: 'run-started', command: 'plan', hosts: HOSTS, at: 0 });
  for (const event of events) report.event(event);
  await report.rest();
  return output.text
    .replaceAll(/\u001b\[\d*[A-Za-z]|\r/g, '')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('plan '))
    .join('\n');
}

describe.each(Object.entries(REFUSALS))('%s on five hosts', (_name, failure) => {
  const events = HOSTS.map((host) => refused(of(failure, host), host));

  it('is said once on a terminal, with the hosts, within its width', async () => {
    const text = await live(80, events);
    const said = text.replaceAll(/\n +/g, ' ');
    expect(said).toMatch(/^5 hosts \(web1, web2, web3, web4, web5\): refused: /);
    for (const once of ['5 hosts', 'To solve it: ', of(failure, 'web1').what]) expect(said.split(once)).toHaveLength(2);
    for (const line of text.split('\n').filter((one) => !one.includes('ssh-keyscan')))
      expect(stringWidth(line)).toBeLessThanOrEqual(80);
  });

  it('loses nothing that a host has of its own, but for link-local addresses', async () => {
    const text = await live(80, events);
    expect(text).not.toContain('fe80::2');
    for (const host of HOSTS) {
      const { what, details, solve } = of(failure, host);
      const own = [what, ...details, solve].join(' ').match(/203\.0\.113\.\d+|2001:db8::\d|SHA256:\w+/g) ?? [];
      for (const value of own) expect(text).toContain(value);
    }
  });

  it('is one line a host in a log, and says how to solve it once, unless each needs something else', () => {
    const output = new Written();
    const report = new PlainReport(output, 0);
    for (const event of events) report.event(event);
    const lines = output.text.trimEnd().split('\n');
    expect(lines.map((line) => line.slice(0, 'web1: refused (0.3 s)'.length))).toEqual(
      HOSTS.map((host) => `${host}: refused (0.3 s)`),
    );
    const apart = /ADDRESS|PRIVATE/.test(failure.solve);
    expect(lines.filter((line) => line.includes('To solve it: '))).toHaveLength(apart ? 5 : 1);
    expect(lines.filter((line) => line.includes(', as web1: '))).toHaveLength(apart ? 0 : 4);
    for (const [index, line] of lines.entries()) expect(line).toContain(of(failure, HOSTS[index]!).what);
  });
});

describe('failures on a terminal', () => {
  const lockout = REFUSALS['a lockout']!;

  it('that come later than others like them point to these, with what is their own', async () => {
    const output = new Written();
    const report = new LiveReport(Object.assign(output, { columns: 200, rows: 24 }), PLAIN_STYLE, 0);
    report.event({ kind: 'run-started', command: 'plan', hosts: HOSTS, at: 0 });
    report.event(refused(of(lockout, 'web1'), 'web1'));
    await tick(900);
    expect(output.text).toContain('web1: refused (0.3 s): zone portfw-public');
    for (const host of ['web2', 'web3']) report.event(refused(of(lockout, host), host));
    report.event(refused(REFUSALS['no root']!, 'web4'));
    await report.rest();
    expect(output.text).toContain('2 hosts (web2, web3): refused, as web1: zone portfw-public');
    expect(output.text).toContain('\n      instead of 203.0.113.11: web2 203.0.113.12, web3 203.0.113.13\n');
    expect(output.text).toContain('web4: refused (0.3 s): the account has no root rights');
    expect(output.text.split('To solve it: ')).toHaveLength(3);
  });

  it('are shown before what the run says of them', async () => {
    const stop = {
      kind: 'batch-finished',
      play: 'web',
      batch: 1,
      batches: 2,
      stop: 'web1 was refused',
      at: 2,
    } as const;
    const text = await live(200, [refused(of(lockout, 'web1'), 'web1'), stop as unknown as FleetEvent]);
    expect(text.indexOf('web1: refused')).toBeLessThan(text.indexOf('No more batches'));
    expect(text).toContain('No more batches of this playbook: web1 was refused');
  });

  it('have the name of each host in no line that is for all of them', () => {
    const group = groupOf(HOSTS.map((host) => failedHost(of(lockout, host), host)));
    expect(group.solve).toBe('add 198.51.100.2 to portfw_management; --accept-lockout HOST continues anyway');
    expect(groupOf([failedHost(of(lockout, 'web1'), 'web1')]).solve).toContain('--accept-lockout web1 ');
  });
});

describe('failures are the same', () => {
  const base = REFUSALS['no root']!;
  const key = (failure: Failure, host = 'web1') => failureKey(failedHost(failure, host));

  it.each([
    ['another code', { ...base, code: 'other' }],
    ['another text', { ...base, what: 'something else' }],
    ['another remedy', { ...base, solve: 'something else' }],
    ['a detail more', { ...base, details: ['a detail'] }],
    ['another port', { ...base, what: `${base.what} 22` }],
  ])('not with %s', (_name, other) => {
    expect(key(other)).not.toBe(key(base));
    expect(key(other, 'web2')).toBe(key(other));
  });

  it.each(['a.b', 'x+y', 'a|b', '[x', '203.0.113.9', 'web-1'])('whatever the hosts are called: %s', (host) => {
    const about = (name: string): Failure => ({ ...base, what: `${name} is not what 203.0.113.7 says, nor ${name}x` });
    const texts = [host, 'other'].map((name) => ({ ...about(name), what: about(name).what.replace(`${name}x`, '') }));
    expect(key(texts[0]!, host)).toBe(key(texts[1]!, 'other'));
  });
});

describe('text that is wrapped', () => {
  const lines = (text: string, columns: number): readonly string[] => wrapped(text, columns).split('\n');

  it('goes on with an indentation, at blanks, and has the same words', () => {
    const text = `    To solve it: ${'some words of a long text '.repeat(12)}\n  short`;
    const found = lines(text, 60);
    for (const line of found) expect(stringWidth(line)).toBeLessThanOrEqual(60);
    expect(found[1]).toMatch(/^ {6}\S/);
    expect(found.at(-1)).toBe('  short');
    expect(found.join(' ').split(/\s+/)).toEqual(text.split(/\s+/));
  });

  it('is as it was for what is no terminal, and where nothing is too wide', () => {
    const text = `${'x '.repeat(100)}\n    y`;
    expect(wrapped(text, null)).toBe(text);
    expect(wrapped(text, 300)).toBe(text);
  });

  it.each([
    'Set `portfw_management: [192.0.2.0/28]` and then run it again with a flag',
    'Write it with "portfw init --from hosts.ini --from more.ini"; or by hand',
    'Make it readable for you alone: chmod 600 /home/op/keys/site; then run it again',
    'name them there, as in portfw_peers: { clientview: [192.0.2.7] } for all hosts',
    'Name them as one inventory: portfw lint -i hosts.ini -i portfw.yaml',
    'add portfw_extra_rules: [{ name: ssh-22, from: [192.0.2.7], owner: YOU }, { name: more }] to the inventory',
    'run `portfw rollback --limit web1 --to 20260131T221500Z-3f2a` when it is over',
    `open it: firewall-cmd --zone=public --add-rich-rule='rule family="ipv4" source address="192.0.2.7" accept'; then again`,
    // In two pieces: it is a text here, and one-place.test.ts finds whoever calls a package manager.
    ['install it: apt', 'get install firewalld python3-firewall; then run it again'].join('-'),
    'the generation before is 20260131T221500Z-3f2a20260131T221500Z-3f2a20260131T221500Z-3f2a',
  ])('has what people paste on one line: %s', (text) => {
    const pasted =
      /firewall-cmd [^;]+|`[^`]+`|"[^"]+"|chmod 600 [^;]+|portfw_peers: \{[^}]+\}|portfw_extra_rules: .*\}\]|portfw lint .*|apt-get [^;]+|\d{8}T\S+/.exec(
        text,
      )![0];
    for (let columns = 20; columns < 90; columns += 1) expect(lines(text, columns).join('\n')).toContain(pasted);
  });

  it('counts columns as a terminal does, and not the escape sequences of colours', () => {
    const red = '\u001b[31m東京 東京\u001b[39m 東京 東京 東京 東京 東京';
    const found = lines(red, 24);
    expect(found).toEqual(['\u001b[31m東京 東京\u001b[39m 東京 東京 東京', '  東京 東京']);
  });
});
