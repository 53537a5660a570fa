import { expect, it } from 'vitest';
import { rollbackProof } from '../../../src/plan/lockout/rollback-proof.ts';
import type { RehearsedName, RehearsedState } from '../../../src/plan/rehearsal.ts';
import { INTERFACES, layer } from './helpers/proof-case.ts';

const RULES = { nft: '{"nftables": []}', save4: '', save6: '', ipsets: '' };
const GENERATION = '20260301T221500Z-3f2a07';

function broken(name: RehearsedName, ...files: readonly string[]): RehearsedState {
  return { name, loads: false, slow: false, why: 'INVALID_IPSET: office', said: [], files, together: false };
}

function loaded(name: RehearsedName): RehearsedState {
  const nothing = { modules: [], lost: [], said: [], failed: [], packets: [] };
  return { name, loads: true, seconds: 0.2, rules: RULES, ...nothing };
}

function refusals(...states: readonly RehearsedState[]) {
  const held = layer({});
  return rollbackProof({
    facts: { controllerPath: null, interfaces: INTERFACES, sockets: [] },
    firewalld: {
      version: '1.3.3',
      defaultZone: 'public',
      zoneDrifting: false,
      files: [],
      networkManager: [],
      runtime: { direct: [] },
    },
    observed: { runtime: held, permanent: held, zoneFiles: new Set(), zoneFolders: new Map(), broken: [] },
    ways: [],
    trials: { ways: [], samples: [] },
    rehearsal: { kind: 'rehearsed', now: RULES, ways: [], states },
    generation: GENERATION,
    windowSeconds: 60,
  }).refusals.map(({ code, what, solve }) => `${code}: ${what} / ${solve}`);
}

it('a generation that does not load is refused, and another one is advised', () => {
  expect(refusals(loaded('disk'), broken('boot'))).toEqual([
    `would-not-load: firewalld cannot load the files of generation ${GENERATION}: INVALID_IPSET: office / choose another generation with --to; \`portfw history\` lists them`,
  ]);
});

it('a file of others that keeps each generation from loading is named: another generation would not help', () => {
  expect(refusals(broken('disk', 'policies/edge.xml'), broken('boot'))).toEqual([
    expect.stringMatching(
      /^cannot-reload: .*its current files: INVALID_IPSET: office; without \/etc\/firewalld\/policies\/edge\.xml it would load \/ fix that file/,
    ),
  ]);
});

it('a rollback that mends what does not load today is not refused', () => {
  expect(refusals(broken('disk'), loaded('boot'))).toEqual([]);
});
