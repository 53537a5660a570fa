import { describe, expect, it } from 'vitest';
import { InputError } from '../../../src/core/problem.ts';
import { loadMatrix } from '../../../src/matrix/load-matrix.ts';
import { loadPlaybook, readPlaybook } from '../../../src/matrix/load-playbook.ts';
import { ruleSelectors } from '../../../src/matrix/selectors.ts';
import { shippedNames } from '../../../src/matrix/shipped.ts';

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
      location: { file: 'inventories/own-matrix/playbook.yaml', line: 9, column: 3 },
    });
  });

  it('leaves what a play does not say open', () => {
    expect(playbook.plays[0]).toMatchObject({ private: null, features: [], serial: [], maxFailPercentage: null });
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
