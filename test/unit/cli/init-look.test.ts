import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Ask, GaveUp, initAnswers } from '../../../src/cli/init-answers.ts';
import { type AnswerContext, foundAnswers, withAnswers } from '../../../src/cli/init-look-answers.ts';
import { lookText } from '../../../src/cli/init-look-text.ts';
import type { InitWorld } from '../../../src/cli/init-readers.ts';
import { screenText } from '../../../src/cli/init-screen.ts';
import type { InitAnswers } from '../../../src/cli/init-text.ts';
import type { HostOutcome } from '../../../src/fleet/events.ts';
import { loadPlaybook } from '../../../src/matrix/load-playbook.ts';
import type { Proposal } from '../../../src/propose/proposals.ts';
import { createStyle } from '../../../src/report/terminal/style.ts';
import { BuiltPortfw } from './helpers/portfw.ts';

const WORLD: InitWorld = {
  existing: { hosts: new Set(['web1', 'web2']), groups: new Set(['web', 'office']) },
  playbooks: ['img-gcems', 'portaswitch'],
  loadPlaybook: (name) => loadPlaybook(name),
};

const SAID: AnswerContext = { insists: false, membersOf: (group) => (group === 'web' ? ['web1', 'web2'] : []) };
const PROPOSALS: readonly Proposal[] = [
  {
    kind: 'line',
    scope: { kind: 'all' },
    setting: { variable: 'portfw_playbook', playbook: 'portaswitch' },
    evidence: ['its roles were found'],
    check: null,
  },
  {
    kind: 'line',
    scope: { kind: 'all' },
    setting: { variable: 'portfw_interfaces', public: ['203.0.113.0/24'], private: ['198.51.100.0/24'] },
    evidence: ['the default route'],
    check: null,
  },
  {
    kind: 'line',
    scope: { kind: 'host', name: 'web2' },
    setting: { variable: 'portfw_vips', vips: ['203.0.113.45'] },
    evidence: ['web2 holds it'],
    check: null,
  },
  {
    kind: 'line',
    scope: { kind: 'all' },
    setting: { variable: 'portfw_management', sources: ['192.0.2.9'] },
    evidence: ['portfw comes from here'],
    check: 'from where else?',
  },
  {
    kind: 'choice',
    scope: { kind: 'host', name: 'web1' },
    variable: 'portfw_roles',
    question: 'which roles?',
    options: [
      { variable: 'portfw_roles', roles: ['web-admin'] },
      { variable: 'portfw_roles', roles: ['radius', 'web-admin'] },
    ],
    evidence: ['tcp/443'],
  },
];

/** Answers questions in order, and notes what was asked. */
function answering(...answers: readonly (string | null)[]): { readonly ask: Ask; readonly asked: string[] } {
  const left = [...answers];
  const asked: string[] = [];
  return {
    asked,
    ask: (question, fallback) => {
      asked.push(`${question} [${fallback}]`);
      const next = left.shift();
      if (next === undefined) throw new Error(`there is no answer to ${question}`);
      return Promise.resolve(next);
    },
  };
}

describe('questions', () => {
  it('show what was found as their default, and Enter takes it', async () => {
    const { ask, asked } = answering('', '', '', '', '');
    const answers = await initAnswers({}, WORLD, ask, foundAnswers(PROPOSALS));
    expect(asked.slice(1)).toEqual([
      'Public networks, addresses or interfaces (commas between several, such as 203.0.113.0/24, 2001:db8:b::/64; "none": each host\'s only interface)? [203.0.113.0/24]',
      'Private networks, addresses or interfaces, between the servers (commas between several, such as 198.51.100.0/24, eth1; "none": none)? [198.51.100.0/24]',
      'Virtual addresses, as GROUP=ADDRESS or HOST=ADDRESS (commas between several, such as sip=203.0.113.45, web=203.0.113.46; "none": none)? [web2=203.0.113.45]',
      'Sources from which SSH must always work: networks, addresses, groups or hosts (commas between several, such as 192.0.2.0/24, 198.51.100.7; "none": not set)? [192.0.2.9]',
    ]);
    expect(answers).toMatchObject({
      playbook: 'portaswitch',
      public: ['203.0.113.0/24'],
      private: ['198.51.100.0/24'],
      vips: [{ on: 'host', name: 'web2', address: '203.0.113.45' }],
      management: ['192.0.2.9'],
    });
    expect(withAnswers(PROPOSALS, answers, SAID)).toEqual(PROPOSALS);
    // Without a terminal the same is taken.
    expect(await initAnswers({}, WORLD, null, foundAnswers(PROPOSALS))).toEqual(answers);
  });

  it('are not asked where a flag answers; the answer takes the place of what was found', async () => {
    const { ask, asked } = answering('', 'none', 'web=203.0.113.99', '192.0.2.0/24, office');
    const flags = { public: ['eth0'], role: ['web1=radius'] };
    const answers = await initAnswers(flags, WORLD, ask, foundAnswers(PROPOSALS));
    expect(asked).toHaveLength(4);
    const after = withAnswers(PROPOSALS, answers, SAID);
    const lines = after.flatMap((one) => (one.kind === 'line' ? [[one.scope, one.setting]] : []));
    expect(lines).toEqual([
      [{ kind: 'all' }, { variable: 'portfw_playbook', playbook: 'portaswitch' }],
      [{ kind: 'all' }, { variable: 'portfw_interfaces', public: ['eth0'], private: [] }],
      [{ kind: 'all' }, { variable: 'portfw_management', sources: ['192.0.2.0/24', 'office'] }],
      [
        { kind: 'group', name: 'web' },
        { variable: 'portfw_vips', vips: ['203.0.113.99'] },
      ],
      [
        { kind: 'host', name: 'web1' },
        { variable: 'portfw_roles', roles: ['radius'] },
      ],
    ]);
    expect(after.filter(({ kind }) => kind === 'choice')).toEqual([]);
  });

  it('leave the playbook alone where each host has one, unless a flag insists', async () => {
    const others = PROPOSALS.slice(1);
    const { ask, asked } = answering('', '', '', '');
    const answers = await initAnswers({}, WORLD, ask, foundAnswers(others));
    expect(asked).toHaveLength(4);
    expect(withAnswers(others, answers, SAID)).toEqual(others);
    const setting = { variable: 'portfw_playbook', playbook: 'portaswitch' };
    expect(withAnswers(others, answers, { ...SAID, insists: true })).toContainEqual(
      expect.objectContaining({ setting }),
    );
  });

  it('are asked again, with the reason, until the answer can be', async () => {
    const wrong = ['./no-such.yaml', '203.0.113.0/33', 'eth 0/1', 'weeb=203.0.113.4', '10.1', 'ofice'];
    const { ask, asked } = answering(
      wrong[0]!,
      '',
      wrong[1]!,
      '',
      wrong[2]!,
      '',
      wrong[3]!,
      '',
      wrong[4]!,
      wrong[5]!,
      '',
    );
    await initAnswers({}, WORLD, ask);
    const reasons = asked.flatMap((question) => /^(.*)\.\n/s.exec(question)?.[1] ?? []);
    expect(reasons).toEqual([
      expect.stringContaining('no-such.yaml'),
      expect.stringContaining('/33'),
      expect.stringContaining('"0/1"'),
      'there is no group "weeb", and no host; Did you mean "web"?',
      expect.stringContaining('10.1'),
      'no group and no host is named "ofice"; Did you mean "office"?',
    ]);
  });

  it('of a new inventory check hosts, groups and the account too', async () => {
    const world: InitWorld = { ...WORLD, existing: null };
    const wrong = ['all/web1', 'web1, web1', 'sip[2:1]', 'web1=203.0.113.300', 'web/web', 'a b'];
    const { ask, asked } = answering(
      '',
      ...wrong,
      'web/web1=198.51.100.20, sip[1:2]',
      '',
      '',
      'a b',
      'ops',
      '',
      '',
      '',
    );
    const { hosts, user } = await initAnswers({}, world, ask);
    expect(hosts.map(({ name }) => name)).toEqual(['web1', 'sip[1:2]']);
    expect(user).toBe('ops');
    expect(asked.filter((question) => question.includes('.\n'))).toHaveLength(wrong.length + 1);
  });

  it('end when the user gives up', async () => {
    await expect(initAnswers({}, WORLD, answering('', null).ask, foundAnswers(PROPOSALS))).rejects.toThrow(GaveUp);
  });
});

describe('the screen', () => {
  const ANSWERS = { user: null, become: null } satisfies Partial<InitAnswers>;
  const written = lookText(PROPOSALS, ANSWERS, {
    file: 'portfw.yaml',
    from: ['hosts.ini'],
    schema: 's.json',
    playbooks: ['portaswitch'],
    addresses: [],
    leftOut: [],
  });
  const failure = (code: string, what: string) => ({ code, what, details: [], solve: 'do this' });
  const screen = (outcomes: readonly (readonly [string, HostOutcome])[]): string =>
    screenText(
      {
        file: 'portfw.yaml',
        written,
        problems: [],
        plan: {
          kind: 'planned',
          summary: { command: 'plan', outcomes: new Map(outcomes), durationMs: 1, interrupted: false },
        },
        next: ['portfw plan -i hosts.ini -i portfw.yaml'],
      },
      createStyle(false),
    );

  it('numbers what is left, each with its line, and says no refusal twice', () => {
    const lines = written.text.split('\n');
    const roles = lines.findIndex((line) => line.includes('# portfw_roles: [web-admin]  # or [radius, web-admin]')) + 1;
    const management = lines.findIndex((line) => line.includes('portfw_management: [192.0.2.9]')) + 1;
    const web2 = lines.indexOf('    web2:') + 1;
    expect(Math.min(roles, management, web2)).toBeGreaterThan(0);
    const text = screen([
      ['web1', { kind: 'refused', failure: failure('roles-ambiguous', 'tcp/443 fits two roles') }],
      ['web2', { kind: 'refused', failure: failure('firewalld-absent', 'firewalld is not installed\u001b[2J') }],
      ['web3', { kind: 'refused', failure: failure('firewalld-absent', 'firewalld is not installed\u001b[2J') }],
    ]);
    expect(text).toBe(
      [
        'Plan: 0 hosts of 3 can be changed as the file says; 3 refused',
        '',
        'Left to decide:',
        `  1. portfw.yaml:${web2}: web2, web3: firewalld is not installed`,
        '     do this',
        `  2. portfw.yaml:${management}: from where else?`,
        `  3. portfw.yaml:${roles}: web1: which roles?`,
        '',
        'Next:',
        '  portfw plan -i hosts.ini -i portfw.yaml',
        '',
      ].join('\n'),
    );
  });

  it('stays one screen when every host is refused for a reason of its own', () => {
    const many = Array.from({ length: 200 }, (_, index): [string, HostOutcome] => [
      `h${index}`,
      { kind: 'refused', failure: failure('firewalld-absent', `reason ${index}`) },
    ]);
    const text = screen(many);
    expect(text.split('\n').length).toBeLessThan(34);
    expect(text).toContain('and 190 more');
  });
});

describe('a choice without options', () => {
  const open: Proposal = {
    kind: 'choice',
    scope: { kind: 'host', name: 'web1' },
    variable: 'portfw_vips',
    question: 'which virtual addresses may come to it?',
    options: [],
    evidence: ['nothing says so'],
  };

  it('is gone once the user has answered it for its host', async () => {
    const proposals = [PROPOSALS[0]!, open];
    const choices = async (vip: string) => {
      const answers = await initAnswers({}, WORLD, answering('', '', '', vip, '').ask, foundAnswers(proposals));
      return withAnswers(proposals, answers, SAID).filter(({ kind }) => kind === 'choice');
    };
    expect(await choices('web1=203.0.113.45')).toEqual([]);
    expect(await choices('web2=203.0.113.45')).toEqual([open]);
    expect(await choices('web=203.0.113.45')).toEqual([]);
  });

  it('leaves a line to edit for virtual addresses, and points to it', () => {
    const source = {
      file: 'portfw.yaml',
      from: ['hosts.ini'],
      schema: 's.json',
      playbooks: [],
      addresses: [],
      leftOut: [],
    };
    const written = lookText([...PROPOSALS.slice(0, 2), open], { user: null, become: null }, source);
    expect(written.text.split('\n')[written.open[0]!.line - 1]).toBe('      # portfw_vips: [ADDRESS]');
  });
});

describe('portfw init --look', { timeout: 60_000 }, () => {
  const portfw = new BuiltPortfw();
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'portfw-look-'));
    writeFileSync(path.join(folder, 'hosts.ini'), 'web1 ansible_host=127.0.0.1 ansible_port=1\n');
    mkdirSync(path.join(folder, 'group_vars'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  afterAll(() => portfw.remove());
  const at = (name: string): string => path.join(folder, name);

  it.each([
    [['x.yaml', '--look'], '--look needs an inventory'],
    [['group_vars/all/x.yaml', '--from', 'hosts.ini', '--look'], 'hosts may differ'],
    [['x.yaml', '--from', 'hosts.ini', '--private-key', 'id'], '--private-key is only for --look'],
    [['x.yaml', '--from', 'hosts.ini', '--look', '--playbook', 'portaswich'], 'did you mean "portaswitch"?'],
  ])('refuses %j, and writes nothing', async (args, message) => {
    const inFolder = args.map((arg) => (/\.(?:yaml|ini)$/.test(arg) ? at(arg) : arg));
    const { code, stderr } = await portfw.run(['init', ...inFolder, '--yes']);
    expect(stderr).toContain(message);
    expect(code).toBe(4);
    expect(existsSync(at('x.yaml'))).toBe(false);
  });

  it('writes nothing where no host can be reached, and says why', async () => {
    const { code, stderr } = await portfw.run(['init', at('x.yaml'), '--from', at('hosts.ini'), '--look']);
    expect(stderr).toContain('No host could be looked at: nothing was written');
    expect(code).toBe(3);
    expect(existsSync(at('x.yaml'))).toBe(false);
  });
});
