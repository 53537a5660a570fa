import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inspect } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { redacted, Secret } from '../../../src/core/secret.ts';
import type { FleetEvent } from '../../../src/fleet/events.ts';
import { NdjsonReport } from '../../../src/report/json/ndjson.ts';
import type { Report } from '../../../src/report/report.ts';
import type { ReviewInput } from '../../../src/report/review-input.ts';
import { summaryView } from '../../../src/report/summary/summary-view.ts';
import { LiveReport } from '../../../src/report/terminal/live.ts';
import { PlainReport } from '../../../src/report/terminal/plain.ts';
import { plansText } from '../../../src/report/terminal/plan-text.ts';
import { resultsText } from '../../../src/report/terminal/results-text.ts';
import { PLAIN_STYLE } from '../../../src/report/terminal/style.ts';
import { summaryText } from '../../../src/report/terminal/summary-text.ts';
import { closingTable } from '../../../src/report/terminal/table.ts';
import { LocalTransport } from '../../../src/transport/local.ts';
import { NodeSshTransport } from '../../../src/transport/ssh2/adapter.ts';
import { createTarget } from '../../../src/transport/target.ts';
import { makeKeyPair } from '../../lab/keys.ts';
import { readInventory } from '../policy/helpers/cases.ts';
import { runFake } from './helpers/fake-host.ts';

const BECOME = 'Become-s3cret-7f3a';
const LOGIN = 'Login-s3cret-91bc';
const PHRASE = 'Phrase-s3cret-55de';
const SECRETS = [BECOME, LOGIN, PHRASE];
const ANY = new RegExp(
  SECRETS.flatMap((secret) => [secret, Buffer.from(secret).toString('base64').slice(0, 16)]).join('|'),
);

const host = (address: string) => ({
  ansible_host: address,
  ansible_user: 'operator',
  ansible_become: true,
  ansible_become_password: BECOME,
  portfw_roles: ['proxy'],
  portfw_interfaces: { public: 'eth0', private: 'eth1' },
});

/** Hosts that end in as many ways as there are, most of which quote what the host says; some say the password. */
function fleet() {
  return runFake({
    sshPassword: new Secret(LOGIN),
    hosts: {
      good: host('192.0.2.1'),
      talkative: host('192.0.2.2'),
      refusing: host('192.0.2.3'),
      strange: host('192.0.2.4'),
      failing: host('192.0.2.5'),
    },
    behaviours: {
      talkative: { complaint: `+ sudo -S <<< ${BECOME}\n` },
      refusing: { refusal: `\nsudo: account validation failure for "${BECOME}"\n` },
      strange: {
        answer: ({ operation }) => (operation === 'begin' ? `${BECOME}: not JSON` : undefined),
        complaint: `Traceback: KeyError('${BECOME}')`,
      },
      failing: { answer: ({ operation }) => (operation === 'begin' ? '{"kind":"absent"}' : undefined) },
    },
  });
}

/** What a report makes of a run. */
async function shown(
  events: readonly FleetEvent[],
  report: (write: (text: string) => void) => Report,
): Promise<string> {
  let written = '';
  const one = report((text) => {
    written += text;
  });
  for (const event of events) one.event(event);
  await one.rest();
  return written;
}

describe('a run that knows passwords', () => {
  const ran = fleet();

  it('ends as the hosts make it end', async () => {
    const { events } = await ran;
    const ends = events.flatMap((event) =>
      event.kind === 'host-finished'
        ? [[event.host, event.outcome.kind, 'failure' in event.outcome ? event.outcome.failure.code : ''].join(' ')]
        : [],
    );
    expect(ends.sort()).toEqual([
      'failing refused firewalld-absent',
      'good changed ',
      'refusing failed become-other',
      'strange failed answer-unreadable',
      'talkative changed ',
    ]);
  });

  it('sends them to nobody but sudo: no command line, no program and no data has one', async () => {
    for (const [name, { visible, runs }] of (await ran).hosts) {
      expect(visible, name).not.toMatch(ANY);
      expect(JSON.stringify(runs), name).not.toMatch(ANY);
    }
    expect(process.argv.join(' ')).not.toMatch(ANY);
  });

  it('has them in no event, however deep one looks', async () => {
    const { events } = await ran;
    expect(events.length).toBeGreaterThan(20);
    expect(inspect(events, { depth: null, showHidden: true, getters: true, maxStringLength: null })).not.toMatch(ANY);
    expect(JSON.stringify(events)).not.toMatch(ANY);
  });

  it('shows them in no report: JSON, plain with -vv, live with -vv, table and plans', async () => {
    const { events } = await ran;
    const silent = { write: () => true };
    const reports: ((write: (text: string) => void) => Report)[] = [
      (write) => new NdjsonReport({ write }, silent),
      (write) => new PlainReport({ write }, 2),
      (write) => new LiveReport({ write, columns: 400, rows: 50 }, PLAIN_STYLE, 2),
    ];
    for (const report of reports) {
      const text = await shown(events, report);
      expect(text).toContain('refusing');
      expect(text).not.toMatch(ANY);
    }
    const last = events.at(-1);
    if (last?.kind !== 'run-finished') throw new Error('The run has no end');
    const { summary } = last;
    expect(resultsText(summary, PLAIN_STYLE)).not.toMatch(ANY);
    const plans = [...summary.outcomes.values()].flatMap((outcome) => ('plan' in outcome ? [outcome.plan] : []));
    expect(plansText(plans, { style: PLAIN_STYLE, verbosity: 2 })).not.toMatch(ANY);
    const input: ReviewInput = { action: 'apply', plans, without: [], groups: new Map(), digest: null };
    const review = summaryText(summaryView(input), { style: PLAIN_STYLE, width: 400, details: null });
    expect(review).not.toMatch(ANY);
    expect(closingTable(summary, new Map(), { style: PLAIN_STYLE, width: 400 })).not.toMatch(ANY);
  });

  it('says what a host said, without the password that was in it', async () => {
    const { events } = await ran;
    const text = JSON.stringify(events);
    expect(text).toContain('account validation failure for \\"[secret]\\"');
    expect(text).toContain("KeyError('[secret]')");
  });
});

describe('what is decided before a run', () => {
  const { settings } = readInventory({ all: { hosts: { h: host('192.0.2.1') } } });
  const created = createTarget(settings.get('h')!, {
    acceptNewHostKeys: false,
    becomePassword: new Secret(BECOME),
    sshPassword: new Secret(LOGIN),
    agentSocket: null,
    localUser: 'me',
  });

  it.each([
    ['settings', settings],
    ['a target', created],
  ])('prints no password with %s', (_what, value) => {
    expect(inspect(value, { depth: null, showHidden: true })).not.toMatch(ANY);
    expect(JSON.stringify(value)).not.toMatch(ANY);
  });
});

describe('a password in the inventory', () => {
  it.each(['ansible_become_password', 'ansible_become_pass'])(
    'that cannot be used as it stands in %s is not shown',
    (name) => {
      for (const value of [`{{${BECOME}`, `${BECOME}{%`, [BECOME], { a: BECOME }, true]) {
        const variables = { ...host('192.0.2.1'), ansible_become_password: null, [name]: value };
        let said = '';
        try {
          readInventory({ all: { hosts: { h: variables } } });
        } catch (error) {
          said = (error as Error).message;
        }
        expect(said).toMatch(new RegExp(`${name}|a password must be text`));
        expect(said).not.toMatch(ANY);
      }
    },
  );
});

const folder = mkdtempSync(path.join(tmpdir(), 'portfw-secrets-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('this machine as a host', () => {
  it('starts its programs without our environment of secrets', async () => {
    const seen = path.join(folder, 'environment');
    writeFileSync(path.join(folder, 'sudo'), `#!/bin/sh\nenv >${seen}\n`, { mode: 0o755 });
    const { PATH = '' } = process.env;
    const variables = { PORTFW_BECOME_PASSWORD: BECOME, PORTFW_SSH_PASSWORD: LOGIN, PORTFW_KEY_PASSPHRASE: PHRASE };
    Object.assign(process.env, variables, { PATH: `${folder}:${PATH}`, PORTFW_OTHER: 'stays' });
    try {
      const { settings } = readInventory({
        all: { hosts: { h: { ...host('localhost'), ansible_connection: 'local' } } },
      });
      const options = { acceptNewHostKeys: false, becomePassword: null, sshPassword: null, agentSocket: null };
      const { target } = createTarget(settings.get('h')!, { ...options, localUser: 'me' });
      const outcome = await new LocalTransport().connect(target!);
      if (outcome.kind !== 'connected') throw new Error(outcome.what);
      await outcome.connection.run({ program: 'true', data: '', deadlineMs: 5000, outputLimitBytes: 1000 });
    } finally {
      process.env['PATH'] = PATH;
      for (const name of [...Object.keys(variables), 'PORTFW_OTHER']) delete process.env[name];
    }
    const environment = readFileSync(seen, 'utf8');
    expect(environment).toContain('PORTFW_OTHER=stays');
    expect(environment).not.toMatch(ANY);
  });
});

describe('a passphrase', () => {
  it('that does not fit is not in what is said about it', async () => {
    const key = makeKeyPair({ passphrase: 'another', cipher: 'aes256-ctr', rounds: 4 });
    const file = path.join(folder, 'key');
    writeFileSync(file, key.private, { mode: 0o600 });
    const transport = new NodeSshTransport({ passphrase: new Secret(PHRASE), ask: null });
    const { settings } = readInventory({
      all: { hosts: { h: { ansible_host: '192.0.2.1', ansible_ssh_private_key_file: file } } },
    });
    const { target } = createTarget(settings.get('h')!, {
      acceptNewHostKeys: false,
      becomePassword: null,
      sshPassword: new Secret(LOGIN),
      agentSocket: null,
      localUser: 'me',
    });
    const outcome = await transport.connect({ ...target!, knownHostsFiles: [path.join(folder, 'none')] });
    expect(outcome.kind).toBe('local-problem');
    expect(inspect(outcome, { depth: null })).not.toMatch(ANY);
    expect(inspect(await transport.unlockKeys([target!]), { depth: null })).not.toMatch(ANY);
    expect(inspect(transport, { depth: null, showHidden: true })).not.toMatch(ANY);
  });
});

describe('the command itself', () => {
  it('has no flag that takes a secret, and hands none on to a program that it starts', () => {
    const root = path.join(import.meta.dirname, '../../..');
    const found = execFileSync('grep', ['-rnE', 'reveal\\(\\)', path.join(root, 'src')], { encoding: 'utf8' });
    const files = new Set(
      found
        .trim()
        .split('\n')
        .map((line) => path.relative(root, line.split(':')[0]!)),
    );
    // Whoever opens a secret is named here: the code that sends it to sudo or to sshd, or that takes it out of a text.
    expect([...files].sort()).toEqual([
      'src/ansible/vault/vault.ts',
      'src/core/secret.ts',
      'src/transport/program/program-session.ts',
      'src/transport/ssh2/keyboard-interactive.ts',
      'src/transport/ssh2/private-keys.ts',
      'src/transport/ssh2/ssh-authentication.ts',
    ]);
  });
});

describe('redacted', () => {
  it.each([
    ['a pass and a pass', 'pass', 'a [secret] and a [secret]'],
    ['passpass', 'pass', '[secret][secret]'],
    ['nothing', 'pass', 'nothing'],
    ['pässwörd!', 'pässwörd', '[secret]!'],
    ['too short to matter: abc', 'abc', 'too short to matter: abc'],
    ['', 'pass', ''],
  ])('%s', (text, secret, shown) => {
    expect(redacted(Buffer.from(text), new Secret(secret)).toString()).toBe(shown);
    expect(redacted(Buffer.from(text), null).toString()).toBe(text);
  });
});
