import { describe, expect, it } from 'vitest';
import type { Failure } from '../../../src/core/failure.ts';
import type { FleetEvent, HostOutcome, RunSummary } from '../../../src/fleet/events.ts';
import { Publisher } from '../../../src/report/json/publish.ts';
import { LiveReport } from '../../../src/report/terminal/live.ts';
import { PlainReport } from '../../../src/report/terminal/plain.ts';
import { PLAIN_STYLE } from '../../../src/report/terminal/style.ts';
import { closingTable } from '../../../src/report/terminal/table.ts';
import { OUTCOMES, Written } from './helpers/outcomes.ts';

const SOLVE = 'Compare the fingerprints, then record the keys as below';

function unknownKey(number: number, before = 'ssh-keyscan'): HostOutcome {
  const address = `192.0.2.${number}`;
  return {
    kind: 'unreachable',
    failure: {
      code: 'host-key-unknown',
      what: `The host key of ${address} is unknown (ssh-ed25519 SHA256:${number})`,
      details: [],
      solve: `Record it: ${before} ${address} >> /kh`,
      shared: {
        what: 'the host key is unknown',
        own: `${address} ssh-ed25519 SHA256:${number}`,
        solve: SOLVE,
        command: { before, word: address, after: '>> /kh' },
      },
    },
  };
}

function refused(user: string, details: readonly string[] = []): HostOutcome {
  const solve = `Check ansible_user`;
  const shared = { what: `the login as ${user} was refused`, own: '', solve };
  const failure: Failure = { code: 'auth-failed', what: `${user}@192.0.2.1 refused the login`, details, solve, shared };
  return { kind: 'unreachable', failure };
}

const finished = (host: string, outcome: HostOutcome): FleetEvent => ({
  kind: 'host-finished',
  host,
  outcome,
  durationMs: 100,
  at: 100,
});

function runOf(outcomes: ReadonlyMap<string, HostOutcome>): readonly FleetEvent[] {
  const summary: RunSummary = { command: 'detect', outcomes, durationMs: 1000, interrupted: false };
  return [
    { kind: 'run-started', command: 'detect', hosts: [...outcomes.keys()], at: 0 },
    ...[...outcomes].map(([host, outcome]) => finished(host, outcome)),
    { kind: 'run-finished', summary, at: 1000 },
  ];
}

function plain(outcomes: ReadonlyMap<string, HostOutcome>, verbosity = 0): string {
  const output = new Written();
  const report = new PlainReport(output, verbosity);
  for (const event of runOf(outcomes)) report.event(event);
  return output.text;
}

const THREE = new Map<string, HostOutcome>([
  ['web1', unknownKey(11)],
  ['sip1', OUTCOMES.get('failed1')!],
  ['web2', unknownKey(12)],
  ['gate', unknownKey(13, 'ssh-keyscan -p 2222')],
]);

describe('a failure that several hosts have', () => {
  it('is one message, with the list of the hosts and lines to paste, after the hosts that fail alone', () => {
    const lines = plain(THREE).split('\n');
    expect(lines[1]).toMatch(/^sip1: failed/);
    expect(lines.slice(2)).toEqual([
      '3 hosts (web1, web2, gate): unreachable: the host key is unknown',
      '      web1  192.0.2.11 ssh-ed25519 SHA256:11',
      '      web2  192.0.2.12 ssh-ed25519 SHA256:12',
      '      gate  192.0.2.13 ssh-ed25519 SHA256:13',
      `    To solve it: ${SOLVE}`,
      '      ssh-keyscan 192.0.2.11 192.0.2.12 >> /kh',
      '      ssh-keyscan -p 2222 192.0.2.13 >> /kh',
      '',
    ]);
  });

  it('is said the same on a terminal', async () => {
    const output = new Written();
    const report = new LiveReport(output, PLAIN_STYLE, 0);
    for (const event of runOf(THREE)) report.event(event);
    await report.rest();
    expect(output.text.match(/the host key is unknown/g)).toHaveLength(1);
    expect(output.text).toContain('\n      ssh-keyscan 192.0.2.11 192.0.2.12 >> /kh\n');
    expect(output.text).not.toContain('Record it');
  });

  it('is said before a question, which rest() announces', async () => {
    for (const report of [new PlainReport(new Written(), 0), new LiveReport(new Written(), PLAIN_STYLE, 0)]) {
      const said: string[] = [];
      report.say = (text) => said.push(text);
      for (const event of runOf(THREE).slice(0, -1)) report.event(event);
      expect(said.join()).not.toContain('3 hosts (');
      await report.rest();
      expect(said.join()).toContain('3 hosts (web1, web2, gate): unreachable: the host key is unknown');
      await report.rest();
      expect(said.join().match(/3 hosts \(/g)).toHaveLength(1);
    }
  });

  it('lists the hosts as the inventory does, in whatever order they end', () => {
    const output = new Written();
    const report = new PlainReport(output, 0);
    const [started, ...rest] = runOf(THREE);
    for (const event of [started!, ...rest.slice(0, -1).reverse(), rest.at(-1)!]) report.event(event);
    expect(output.text).toMatch(/ web1 .*\n +web2 .*\n +gate /);
  });

  it('of one host keeps the words for one', () => {
    const text = plain(new Map([['web1', unknownKey(11)]]));
    expect(text).toBe(
      'detect: 1 host\nweb1: unreachable (0.1 s): The host key of 192.0.2.11 is unknown (ssh-ed25519 SHA256:11); To solve it: Record it: ssh-keyscan 192.0.2.11 >> /kh\n',
    );
  });

  it('is only shared by hosts with the same reason', () => {
    const text = plain(
      new Map([
        ['a', refused('op')],
        ['b', refused('op')],
        ['c', refused('root')],
      ]),
    );
    expect(text).toContain('2 hosts (a, b): unreachable: the login as op was refused\n    To solve it: ');
    expect(text).toMatch(/^c: unreachable .*root@192\.0\.2\.1 refused the login/m);
  });

  it('has the details that all hosts have, or else those of the first, and with -v those of each', () => {
    const at = (line: number) => [`user op: ansible_user at hosts.yaml:${line}:1`, 'agent: none'];
    const lines = (verbosity: number, ...details: string[][]) =>
      plain(new Map(details.map((one, index) => [`h${index}`, refused('op', one)])), verbosity)
        .split('\n')
        .slice(2, -2);
    const indented = (...texts: string[]) => texts.map((line) => `      ${line}`);
    expect(lines(0, at(3), at(3))).toEqual(indented(...at(3)));
    expect(lines(0, at(3), at(4))).toEqual(indented('of h0 (-v shows those of the others, which differ):', ...at(3)));
    expect(lines(1, at(3), at(4))).toEqual(indented('of h0:', ...at(3), 'of h1:', ...at(4)));
  });

  it('of a large fleet lists a screen of hosts, all with -v, and a command for all', () => {
    const fleet = new Map(Array.from({ length: 60 }, (_, index) => [`h${index + 1}`, unknownKey(index + 1)] as const));
    const text = plain(fleet);
    expect(text).toContain('      and 20 more (-v shows them)\n');
    expect(text).not.toContain('SHA256:41\n');
    expect(text).toMatch(/^ {6}ssh-keyscan 192\.0\.2\.1 .* 192\.0\.2\.60 >> \/kh$/m);
    expect(plain(fleet, 1)).toContain('SHA256:60\n');
  });

  it('is named in the rows of the closing table, and not said again', () => {
    const summary: RunSummary = { command: 'detect', outcomes: THREE, durationMs: 1, interrupted: false };
    const rows = closingTable(summary, new Map(), { style: PLAIN_STYLE, width: null }).split('\n');
    expect(rows[1]).toMatch(/^web1 .* host-key-unknown: the host key is unknown$/);
    const alone = closingTable({ ...summary, outcomes: new Map([['web1', unknownKey(11)]]) }, new Map(), {
      style: PLAIN_STYLE,
      width: null,
    });
    expect(alone).toContain('host-key-unknown: The host key of 192.0.2.11 is unknown (ssh-ed25519 SHA256:11)');
  });

  it('shows no control character of a name', () => {
    const text = plain(
      new Map([
        ['a\u001b[31m', refused('op')],
        ['b', refused('op')],
      ]),
    );
    expect(text).not.toContain('\u001b');
  });

  it('is published for each host as before', () => {
    const publisher = new Publisher();
    const published = runOf(THREE).flatMap((event) => publisher.publish(event));
    expect(published.filter(({ kind }) => kind === 'host-finished')).toHaveLength(4);
    expect(JSON.stringify(published)).not.toContain('"shared"');
    expect(JSON.stringify(published)).toContain('Record it: ssh-keyscan 192.0.2.11');
  });
});
