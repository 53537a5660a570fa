import { describe, expect, it } from 'vitest';
import type { PermanentFile, RunningFirewalld } from '../../../src/facts/facts.ts';
import { loadedFile } from '../../../src/firewalld/loaded.ts';
import { observedFirewalld } from '../../../src/firewalld/observed.ts';
import { NOTHING_RUNS } from '../plan/helpers/nothing.ts';

describe('what firewalld makes of a path', () => {
  it.each([
    ['zones/edge.xml', 'zone edge', 'zone edge'],
    ['zones/büro.xml', 'zone büro', 'zone büro'],
    ['zones/quarantine/a.xml', 'zone quarantine', 'zone quarantine'],
    ['zones/a/b/x.xml', 'zone b', 'zone b'],
    ['zones/edge.xml.bak', 'ignored', 'ignored'],
    ['zones/edge.bak.xml', 'ignored', 'broken'],
    ['zones/.edge.xml', 'ignored', 'broken'],
    ['zones/.xml', 'ignored', 'broken'],
    ['zones/a-name-of-18-chars.xml', 'ignored', 'broken'],
    ['zones/archive/edge.3.xml', 'ignored', 'broken'],
    ['zones/archive/a-name-of-more-than-17-characters.xml', 'zone archive', 'zone archive'],
    ['zones/250610.backup/edge.xml', 'broken', 'broken'],
    ['zones/old ones/edge.xml', 'broken', 'broken'],
    ['zones/b\\xfcro.xml', 'broken', 'broken'],
    ['services/mine.xml', 'services mine', 'services mine'],
    ['services/backup/mine.xml', 'ignored', 'ignored'],
    ['ipsets/a.b:c.xml', 'ipsets a.b:c', 'ipsets a.b:c'],
    ['helpers/a.b.xml', 'helpers a.b', 'helpers a.b'],
    ['policies/a.b.xml', 'ignored', 'broken'],
    ['elsewhere/edge.xml', 'ignored', 'ignored'],
    ['direct.xml', 'single', 'single'],
    ['firewalld.conf', 'ignored', 'ignored'],
  ])('%s: %s before 1.0, %s since', (path, before, since) => {
    const said = (version: string) => {
      const file = loadedFile(path, version);
      return file.kind === 'loaded' ? `${file.folder === 'zones' ? 'zone' : file.folder} ${file.name}` : file.kind;
    };
    expect([said('0.9.3'), said('1.3.3'), said('2.3.1')]).toEqual([before, since, since]);
  });
});

describe('the permanent configuration', () => {
  const observed = (version: string, files: readonly Partial<PermanentFile>[]) =>
    observedFirewalld({
      version,
      files: files.map((file) => ({ text: '', ...file })),
      builtin: [{ path: 'zones/public.xml', text: '<zone><service name="ssh"/></zone>' }],
      runtime: NOTHING_RUNS,
    } as unknown as RunningFirewalld);
  const A = {
    path: 'zones/in/a.xml',
    text: '<zone target="DROP"><source address="192.0.2.1"/><port port="1" protocol="tcp"/></zone>',
  };
  const B = { path: 'zones/in/b.xml', text: '<zone><short>B</short><source address="192.0.2.2"/><forward/></zone>' };
  const OWN = { path: 'zones/in.xml', text: '<zone target="DROP"><service name="http"/></zone>' };

  it('unites the files in a folder to one zone, which never has a target of its own', () => {
    const { permanent, zoneFiles, zoneFolders } = observed('1.3.3', [A, B]);
    expect(permanent.zones.get('in')).toMatchObject({
      short: '',
      target: 'default',
      sources: ['192.0.2.1', '192.0.2.2'],
      ports: [{ protocol: 'tcp', range: { first: 1, last: 1 } }],
      forward: true,
    });
    expect([...zoneFiles]).toEqual([]);
    expect([...zoneFolders]).toEqual([['in', ['zones/in/a.xml', 'zones/in/b.xml']]]);
  });

  it('puts a folder in the place of a file of that name since 1.0, and beside it before', () => {
    expect(observed('1.3.3', [A, OWN]).permanent.zones.get('in')).toMatchObject({ target: 'default', services: [] });
    expect(observed('0.9.3', [A, OWN]).permanent.zones.get('in')).toMatchObject({
      target: 'DROP',
      services: ['http'],
      sources: ['192.0.2.1'],
    });
    const shadow = { ...A, path: 'zones/public/a.xml' };
    for (const version of ['0.9.3', '1.3.3'])
      expect(observed(version, [shadow]).permanent.zones.get('public')?.services).toEqual([]);
  });

  it('names a file that cannot be read only where firewalld would read it', () => {
    const broken = (version: string, file: Partial<PermanentFile>) =>
      observed(version, [file]).broken.map(({ why }) => why);
    expect(broken('1.3.3', { path: 'zones/x.xml', unreadable: 'it is a FIFO' })).toEqual(['it is a FIFO']);
    expect(broken('1.3.3', { path: 'zones/loop', unreadable: 'it leads back' })).toEqual(['it leads back']);
    expect(broken('0.9.3', { path: 'zones/a.b.xml', unreadable: 'it is a FIFO' })).toEqual([]);
    expect(broken('1.3.3', { path: 'services/x/y.xml', unreadable: 'it is a FIFO' })).toEqual([]);
    expect(broken('0.9.3', { path: 'zones/.git', folder: true })).toHaveLength(1);
    expect(broken('1.3.3', { path: 'zones/.git', folder: true })).toEqual([]);
  });

  it('takes no file of ours that is a link, or that something is mounted on', () => {
    const ours = { path: 'zones/portfw-public.xml', text: '<zone/>' };
    expect(observed('1.3.3', [{ ...ours, link: '/srv/x.xml' }]).broken).toMatchObject([
      { why: expect.stringMatching(/a link to \/srv/) },
    ]);
    expect(observed('1.3.3', [{ ...ours, mounted: true }]).broken).toMatchObject([
      { why: expect.stringMatching(/mounted/) },
    ]);
    const theirs = { path: 'zones/edge.xml', text: '<zone/>', link: '/srv/x.xml', mounted: true };
    expect(observed('1.3.3', [ours, theirs]).broken).toEqual([]);
  });
});
