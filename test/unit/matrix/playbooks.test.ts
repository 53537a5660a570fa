import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadInventory } from '../../../src/ansible/inventory.ts';
import { InputError } from '../../../src/core/problem.ts';
import { loadMatrix } from '../../../src/matrix/load-matrix.ts';
import { loadPlaybook, readPlaybook } from '../../../src/matrix/load-playbook.ts';
import type { Play, Probe } from '../../../src/matrix/matrix.ts';
import { checkProbePeers, probePeers } from '../../../src/matrix/probe-peers.ts';
import { ruleSelectors } from '../../../src/matrix/selectors.ts';
import { shippedNames } from '../../../src/matrix/shipped.ts';
import { readInventory } from '../policy/helpers/cases.ts';

describe('shipped playbooks', () => {
  it('are one for each shipped matrix', () => {
    expect(shippedNames('playbook')).toEqual(['img-gcems', 'portaswitch', 'portaswitch-ocs']);
    expect(shippedNames('matrix')).toEqual(shippedNames('playbook'));
  });

  it.each(shippedNames('playbook'))('%s gives its matrix to all hosts and stops at the first failure', (name) => {
    const { playbook, problems } = readPlaybook(name);
    expect(problems).toEqual([]);
    expect(playbook?.name).toBe(name);
    expect(playbook?.plays.map((play) => [play.hosts, play.matrix.name, play.maxFailPercentage])).toEqual([
      ['all', name, 0],
    ]);
    expect(playbook?.plays[0]?.serial[0]).toEqual({ kind: 'count', count: 1 });
    expect(playbook?.plays[0]?.features).toEqual([]);
  });
});

describe('a playbook of a user', () => {
  const playbook = loadPlaybook('inventories/own-matrix/playbook.yaml');

  it('finds its matrix beside itself, read once', () => {
    const [web, billing] = playbook.plays;
    expect(web?.matrix.name).toBe('own-site');
    expect(billing?.matrix).toBe(web?.matrix);
  });

  it('reads the options of a play', () => {
    expect(playbook.plays[1]).toMatchObject({
      name: 'Billing servers',
      hosts: 'billing',
      private: 'peers',
      features: ['diameter'],
      serial: [
        { kind: 'count', count: 1 },
        { kind: 'percent', percent: 50 },
      ],
      maxFailPercentage: 20,
      location: { file: 'inventories/own-matrix/playbook.yaml', line: 10, column: 10, secret: null },
    });
  });

  it('leaves what a play does not say open', () => {
    expect(playbook.plays[0]).toMatchObject({ private: null, features: [], serial: [], maxFailPercentage: null });
    expect(playbook.plays[0]).toMatchObject({ onFailure: 'keep-good', probes: [] });
  });
});

describe('probes', () => {
  const [play] = loadPlaybook('test/fixtures/matrix/probes.yaml').plays;
  const at = (line: number, column: number) => ({
    file: 'test/fixtures/matrix/probes.yaml',
    line,
    column,
    secret: null,
  });

  it('are read with their defaults, places and the folder that commands run in', () => {
    expect(play?.onFailure).toBe('revert-batch');
    const tcp = { kind: 'tcp', host: null, from: null, timeoutMs: 5000, passesBefore: true };
    expect(play?.probes).toEqual([
      { ...tcp, name: 'tcp 5060', port: 5060, location: at(5, 7) },
      { ...tcp, name: 'tcp 5061', port: 5061, location: at(6, 7) },
      { ...tcp, name: 'own', host: 'db1.example.net', port: 3306, passesBefore: false, location: at(7, 7) },
      {
        ...tcp,
        name: 'tcp [2001:db8::7]:443 from web:!web3',
        host: '2001:db8::7',
        port: 443,
        from: { pattern: 'web:!web3', location: at(8, 41) },
        timeoutMs: 1500,
        location: at(8, 7),
      },
      { ...tcp, name: 'tcp 198.51.100.7:80', host: '198.51.100.7', port: 80, location: at(9, 7) },
      {
        kind: 'command',
        name: './check.sh --all',
        argv: ['./check.sh', '--all'],
        directory: path.resolve('test/fixtures/matrix'),
        timeoutMs: 5000,
        passesBefore: true,
        location: at(10, 7),
      },
    ]);
  });

  it('come from other hosts, and from the changed one itself only towards third ones', async () => {
    const inventory = await loadInventory('test/fixtures/matrix/assign/peers.yaml');
    const from = (pattern: string, host: string | null): Probe =>
      ({ ...play?.probes[0], host, from: { pattern, location: at(1, 1) } }) as Probe;
    expect(probePeers(inventory, new Map(), from('web[0:2]', null), 'web02')).toEqual(['web01', 'web03']);
    expect(probePeers(inventory, new Map(), from('web[0:2]', '198.51.100.7'), 'web02')).toEqual([
      'web01',
      'web02',
      'web03',
    ]);
    expect(probePeers(inventory, new Map(), from('web02', null), 'web02')).toEqual([]);
    expect(probePeers(inventory, new Map(), play!.probes[0]!, 'web02')).toEqual([]);
    expect(probePeers(inventory, new Map(), play!.probes[5]!, 'web02')).toEqual([]);
  });

  it('come from no host that its connection leaves out, and from nowhere is an error', () => {
    const { inventory, settings } = readInventory({
      all: {
        hosts: {
          web1: {},
          web2: {},
          pc1: { ansible_connection: 'winrm' },
          localhost: { ansible_connection: 'local' },
          office: { portfw_managed: false },
        },
      },
    });
    const from = (pattern: string): Probe => ({ ...play?.probes[0], from: { pattern, location: at(1, 1) } }) as Probe;
    const wrong = (pattern: string) =>
      checkProbePeers(inventory, settings, { probes: [from(pattern)] } as unknown as Play).map(({ what }) => what);
    expect(probePeers(inventory, settings, from('all:!office'), 'web1')).toEqual(['web2']);
    expect(wrong('all:!office')).toEqual([]);
    expect(wrong('pc1')).toEqual(['a probe cannot run from "pc1", which has ansible_connection: winrm']);
    expect(wrong('localhost')).toEqual(['a probe cannot run from "localhost", which has ansible_connection: local']);
    expect(wrong('all')).toEqual(['a probe cannot run from "office", which has portfw_managed: false']);
  });
});

describe('loading what is broken', () => {
  it('throws every problem at once', () => {
    expect(() => loadPlaybook('test/fixtures/matrix/bad-playbooks/bad-serial.yaml')).toThrow(InputError);
    expect(() => loadMatrix('test/fixtures/matrix/bad-matrices/everything-at-once.yaml')).toThrow(
      /colour[\s\S]*"rules" must be a list/,
    );
  });
});

describe('selectors of portfw_allow_from', () => {
  it('name a rule, the most specific first', () => {
    const rule = loadMatrix('img-gcems')
      .roles.get('gcems')
      ?.rules.find(({ port }) => port.kind === 'rpc');
    expect(rule === undefined ? [] : ruleSelectors(rule)).toEqual([
      'gcems/control/udp/rpc:mountd',
      'gcems/udp/rpc:mountd',
      'gcems/rpc:mountd',
      'gcems',
    ]);
  });
});
