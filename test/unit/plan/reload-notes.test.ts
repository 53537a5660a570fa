import { expect, it } from 'vitest';
import { reloadNotes } from '../../../src/plan/notes/reload-notes.ts';
import { NOTHING_RUNS } from './helpers/nothing.ts';
import { layer } from './helpers/proof-case.ts';

const RULE = "rule ipv4 filter INPUT 0 ['-s', '192.0.2.1', '-j', 'DROP']";

/** What a reload is said to lose, with entries of an ipset and a direct rule that are at runtime only. */
function notes(conf: string): string[] {
  const held = layer({});
  const bans = (entries: readonly string[]) =>
    new Map([
      [
        'bans',
        { name: 'bans', short: '', description: '', type: 'hash:net', family: 'ipv4' as const, options: {}, entries },
      ],
    ]);
  const observed = {
    runtime: { ...held, ipsets: bans(['192.0.2.1']) },
    permanent: { ...held, ipsets: bans([]) },
    zoneFiles: new Set<string>(),
    zoneFolders: new Map(),
    broken: [],
  };
  const files = [{ path: 'firewalld.conf', text: conf, mode: '0644', owner: '0:0', sha256: 'a' }];
  const runtime = { ...NOTHING_RUNS, direct: [RULE] };
  return reloadNotes(observed, { files, runtime }, new Set()).map(({ text }) => text);
}

it('entries of ipsets and direct rules that exist only at runtime are lost by a reload, unless firewalld is set to keep them', () => {
  expect(notes('FlushAllOnReload=yes\n')).toEqual([
    'ipset bans: the reload removes these runtime-only settings: 192.0.2.1',
    'the direct interface: the reload removes these runtime-only settings: rule ipv4 filter INPUT 0 -s 192.0.2.1 -j DROP',
  ]);
  expect(notes('FlushAllOnReload=no\n')).toEqual([]);
});
