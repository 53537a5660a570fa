import { describe, expect, it } from 'vitest';
import type { CodedFault } from '../../../src/core/failure.ts';
import { rehearsalNotes, rehearsalRefusals } from '../../../src/plan/notes/rehearsal-refusals.ts';
import type { Rehearsal, RehearsedName, RehearsedState } from '../../../src/plan/rehearsal.ts';
import type { PolicyNote } from '../../../src/policy/desired.ts';

const RULES = { nft: '{"nftables": []}', save4: '', save6: '', ipsets: '' };

function loaded(name: RehearsedName, more: Partial<Extract<RehearsedState, { loads: true }>> = {}): RehearsedState {
  return {
    name,
    loads: true,
    seconds: 0.2,
    modules: [],
    lost: [],
    said: [],
    failed: [],
    rules: RULES,
    packets: [],
    ...more,
  };
}

type Broken = Extract<RehearsedState, { loads: false }>;

function broken(name: RehearsedName, why: string, ...files: readonly string[]): Broken {
  return { name, loads: false, slow: false, why, said: [], files, together: false };
}

function of(...states: readonly RehearsedState[]): Rehearsal {
  return { kind: 'rehearsed', now: RULES, ways: [], states };
}

const shown = (items: readonly (CodedFault | PolicyNote)[]) =>
  items.map((item) => ('what' in item ? `${item.code}: ${item.what} / ${item.solve}` : `${item.code}: ${item.text}`));

describe('what the host says keeps a plan from being carried out', () => {
  it('files that do not load, with the reason and the file', () => {
    const rehearsal = of(broken('disk', 'INVALID_IPSET: office', 'policies/edge.xml'), loaded('boot'));
    expect(shown(rehearsalRefusals(rehearsal, 60, false))).toEqual([
      expect.stringMatching(
        /^cannot-reload: .*its current files: INVALID_IPSET: office; without \/etc\/firewalld\/policies\/edge\.xml it would load \/ fix that file/,
      ),
    ]);
  });

  it('files that the plan would leave so', () => {
    const rehearsal = of(loaded('disk'), loaded('running'), broken('boot', 'INVALID_PORT: 99999'));
    expect(shown(rehearsalRefusals(rehearsal, 60, false))).toEqual([
      expect.stringMatching(/^would-not-load: .*INVALID_PORT/),
    ]);
  });

  it('files that load longer than the time limit, without an error in them', () => {
    const slow: Broken = { ...broken('disk', 'it does not end within 240 s'), slow: true };
    expect(shown(rehearsalRefusals(of(slow, loaded('boot')), 600, false))).toEqual([
      expect.stringMatching(
        /^cannot-reload: firewalld takes too long to load its current files: it does not end within 240 s \/ .*fewer interfaces/,
      ),
    ]);
  });

  it('each call that fails', () => {
    const rehearsal = of(loaded('disk'), loaded('running', { failed: ['add-service public x: INVALID_SERVICE'] }));
    expect(shown(rehearsalRefusals(rehearsal, 60, false))).toEqual([
      expect.stringMatching(/^step-would-fail: .*INVALID_SERVICE/),
    ]);
  });

  it('a reload that may take longer than the host waits, and only a reload', () => {
    const rehearsal = of(loaded('disk'), loaded('running', { seconds: 30.4 }));
    expect(shown(rehearsalRefusals(rehearsal, 60, true))).toEqual([
      expect.stringMatching(/^window-too-short: .*takes 30 s.*may need 94 s.*after 60 s \/ .*--revert-after 94s/),
    ]);
    expect(rehearsalRefusals(rehearsal, 94, true)).toEqual([]);
    expect(rehearsalRefusals(rehearsal, 60, false)).toEqual([]);
  });

  it('is nothing where it could not rehearse, which is said', () => {
    const rehearsal: Rehearsal = { kind: 'not-rehearsed', why: 'unshare: Operation not permitted' };
    expect(rehearsalRefusals(rehearsal, 1, true)).toEqual([]);
    expect(shown(rehearsalNotes(rehearsal))).toEqual([
      expect.stringMatching(/^not-rehearsed: .*unshare: Operation not permitted/),
    ]);
  });

  it('is not that what runs cannot be copied: that part is worked out', () => {
    const rehearsal = of(loaded('disk'), broken('running', 'a zone is missing'), loaded('boot'));
    expect(rehearsalRefusals(rehearsal, 60, false)).toEqual([]);
    expect(shown(rehearsalNotes(rehearsal))).toEqual([
      expect.stringMatching(/^not-rehearsed: .*running configuration could not be rehearsed \(a zone is missing\)/),
    ]);
  });
});

it('a reviewer is told which kernel modules the plan brings, and what firewalld complains of', () => {
  const rehearsal = of(
    loaded('disk', { modules: ['nf_conntrack'], said: ['ERROR: a', 'WARNING: b'] }),
    loaded('boot', { modules: ['nf_conntrack', 'nf_conntrack_tftp'] }),
  );
  expect(shown(rehearsalNotes(rehearsal))).toEqual([
    'modules: firewalld will load kernel modules: nf_conntrack_tftp',
    'firewalld-complains: firewalld reports while loading its current files: ERROR: a',
  ]);
});
