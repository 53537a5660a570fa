import { describe, expect, it } from 'vitest';
import { loadMatrix } from '../../../src/matrix/load-matrix.ts';
import { compareMatrices, matrixRows } from '../../../src/matrix/rows.ts';
import { fixture } from './helpers/fixtures.ts';

const base = loadMatrix(fixture('extends', 'base.yaml'));
const changed = loadMatrix(fixture('extends', 'changed.yaml'));
const replaced = loadMatrix(fixture('extends', 'replaced.yaml'));

function ids(matrix: typeof base, role: string): string[] {
  return matrix.roles.get(role)?.rules.map((rule) => `${rule.matrix} ${rule.id}`) ?? [];
}

describe('a matrix that changes another', () => {
  it('drops, replaces in place and adds at the end', () => {
    expect(ids(changed, 'web')).toEqual([
      'base web/public/tcp/443',
      'changed web/public/tcp/8903-8904',
      'base web/public/udp/443',
      'changed web/private/tcp/873',
    ]);
  });

  it('gives rules of several senders ids that tell them apart', () => {
    expect(ids(changed, 'db')).toEqual([
      'changed db/private/tcp/3306/from-office',
      'changed db/private/tcp/3306/from-partners',
      'base db/private/tcp/3307',
    ]);
  });

  it('drops roles, keeps their order and adds its own at the end', () => {
    expect([...changed.roles.keys()]).toEqual(['web', 'db', 'cache']);
  });

  it('keeps what it does not say', () => {
    expect(changed.roles.get('web')?.title).toBe('Web server');
    expect(changed.roles.get('web')?.detectors).toEqual([{ kind: 'unit', unit: 'httpd.service', weight: 0.7 }]);
    expect(changed.roles.get('db')?.interfaceChoices).toEqual(['private', 'public']);
    expect(changed.print).toEqual(base.print);
    expect([changed.name, changed.title, changed.extends]).toEqual(['changed', 'Changed system', 'base']);
  });

  it('adds features and peer sets, and may describe those of the base anew', () => {
    expect([...changed.features.keys()]).toEqual(['tls', 'backup']);
    expect([...changed.peers.values()].map((peer) => `${peer.name}: ${peer.description}`)).toEqual([
      'office: Our two offices',
      'databases: The databases',
      'partners: Partners',
    ]);
  });

  it('takes clusters over, without the roles that it drops, and may drop them or write them anew', () => {
    const cluster = (name: string, description: string, roles: string[], feature: string | null, filtered: boolean) => [
      name,
      { name, description, roles, feature, filtered },
    ];
    expect([...base.clusters]).toEqual([
      cluster('front', 'Front end', ['web', 'mail'], null, false),
      cluster('queue', 'Queue', ['mail'], null, false),
      cluster('data', 'Database pair', ['db'], null, true),
      cluster('spare', 'Spare pair', ['web'], 'tls', false),
    ]);
    expect([...changed.clusters]).toEqual([
      cluster('front', 'Front end', ['web'], null, false),
      cluster('data', 'Database and cache', ['db', 'cache'], 'backup', false),
    ]);
    expect([...replaced.clusters]).toEqual([...changed.clusters]);
  });

  it('leaves the base unchanged', () => {
    expect(matrixRows(loadMatrix(fixture('extends', 'base.yaml')))).toEqual(matrixRows(base));
    expect(ids(base, 'web')).toHaveLength(5);
  });
});

describe('a matrix that replaces a role', () => {
  it('replaces all of its rules, through several files', () => {
    expect(ids(replaced, 'web')).toEqual(['replaced web/public/tcp/8443']);
    expect(replaced.roles.get('web')?.title).toBe('Web server');
    expect(replaced.print.edition).toBe('second');
  });

  it('keeps the rules of a role that it only describes', () => {
    expect(ids(replaced, 'db')).toEqual(ids(changed, 'db'));
    expect(replaced.roles.get('db')?.title).toBe('Database cluster');
    expect(replaced.roles.get('db')?.interfaceChoices).toEqual([]);
  });
});

describe('the shipped matrices', () => {
  it('say which roles form clusters', () => {
    const clusters = (name: string) =>
      [...loadMatrix(name).clusters.values()].map(
        ({ roles, feature, filtered }) =>
          `${roles.join(' ')}${feature === null ? '' : ` with ${feature}`}${filtered ? ', filtered' : ''}`,
      );
    const first = ['dispatching-node processing-node', 'master-db replica-db, filtered'];
    expect(clusters('portaswitch')).toEqual(first);
    expect(clusters('portaswitch-ocs')).toEqual([...first, 'ocs with diameter-cluster']);
    expect(clusters('img-gcems')).toEqual([]);
  });
});

describe('two matrices compared', () => {
  const comparison = compareMatrices(base, changed);
  const key = (row: { role: string; interface: string; protocol: string; port: string; from: string }): string =>
    `${row.role}/${row.interface}/${row.protocol}/${row.port} from ${row.from}`;

  it('shows what is in only one', () => {
    expect(comparison.onlyLeft.map(key)).toEqual([
      'web/public/tcp/80 from any',
      'web/private/tcp/443 from any',
      'db/private/tcp/3306 from any',
      'mail/public/tcp/25 from any',
    ]);
    expect(comparison.onlyRight.map(key)).toEqual([
      'db/private/tcp/3306 from office',
      'db/private/tcp/3306 from partners',
      'web/private/tcp/873 from any',
      'cache/private/tcp/6379 from any',
    ]);
  });

  it('shows what is said differently, column by column', () => {
    expect(comparison.different.map(({ left, right, columns }) => [key(left), key(right), columns])).toEqual([
      ['web/public/tcp/8903-8904 from any', 'web/public/tcp/8903-8904 from partners', ['from', 'purpose']],
    ]);
    expect(comparison.same).toBe(3);
  });

  it('finds a matrix the same as itself', () => {
    expect(compareMatrices(base, base)).toEqual({ onlyLeft: [], onlyRight: [], different: [], same: 8 });
  });

  it('shows what the second PortaSwitch table changes', () => {
    const tables = compareMatrices(loadMatrix('portaswitch'), loadMatrix('portaswitch-ocs'));
    expect(tables.onlyLeft.map(key)).toEqual(['dispatching-node/vip/udp/5070 from any']);
    expect(tables.onlyRight.map(key)).toEqual([
      'configuration/private/tcp/80 from any',
      'web-admin/private/udp/5405 from any',
      ...[9442, 9443, 9444, 9445, 9446, 9447, 9448, 9449, 9600, 9601].map(
        (port) => `dispatching-sbc/public/tcp/${port} from any`,
      ),
      ...[1812, 1813].map((port) => `ocs/public/udp/${port} from any`),
      'ocs/public/tcp/3868 from any',
      'ocs/public/udp/5060 from any',
      'ocs/private/udp/5405 from any',
    ]);
  });
});
