import { describe, expect, it } from 'vitest';
import type { OtherRun } from '../../../src/decide/other-runs.ts';
import { lockedBy, otherRun, otherRunText } from '../../../src/decide/other-runs.ts';
import { runNotes } from '../../../src/decide/run-notes.ts';
import type { HostFacts, LockFacts, PendingRun } from '../../../src/facts/facts.ts';
import type { HostOutcome } from '../../../src/fleet/events.ts';
import { type FleetCommand, runFleet } from '../../../src/fleet/run.ts';
import { contextOf, jobsOf, planOf, ScriptedOperations } from '../fleet/helpers/fakes.ts';

const LOCK: LockFacts = { holder: 'ann@desk', since: '2026-03-01T10:00:00Z', id: '20260301T100000Z-0123ab' };
const RUN: PendingRun = {
  ...LOCK,
  what: 'apply telephony',
  confirm: 'manual',
  proved: true,
  decision: 'open',
  secondsLeft: 580,
  step: 'waiting for a confirmation',
  alive: true,
};
type Seen = Pick<HostFacts, 'lock' | 'unfinished' | 'lastRun'>;
const seen = (runs: readonly PendingRun[], lock: LockFacts | null = LOCK, busy = false): Seen => ({
  lock,
  unfinished: { runs, busy },
  lastRun: null,
});

describe('what another run on the host means for a plan', () => {
  it.each<[string, Seen, OtherRun['kind'] | null, string | null, RegExp]>([
    ['nothing there', seen([], null), null, null, /^$/],
    [
      'waiting for a yes',
      seen([RUN]),
      'alive',
      'locked',
      /ann@desk .*verified and waits for `portfw confirm`.*9 min 40 s/,
    ],
    [
      'under way',
      seen([{ ...RUN, proved: false, step: 'behaves' }]),
      'alive',
      'locked',
      /it is in progress \(behaves\)/,
    ],
    ['being rolled back', seen([{ ...RUN, decision: 'revert' }]), 'alive', 'locked', /it is being rolled back/],
    ['just begun, without a record yet', seen([], LOCK, true), 'alive', 'locked', /ann@desk/],
    ['a step of somebody, without a lock', seen([], null, true), null, null, /^$/],
    ['a lock of a run that died before its first write', seen([]), null, 'lock-left', /ann@desk .*wrote nothing/],
    ['a dead run', seen([{ ...RUN, alive: false }]), 'left', 'run-left', /left unfinished: its window is over/],
    ['a dead run of before a boot', seen([{ ...RUN, alive: false }], null), 'left', 'run-left', /left unfinished/],
    [
      'a rollback that died',
      seen([{ ...RUN, decision: 'revert', alive: false }]),
      'left',
      'run-left',
      /left unfinished/,
    ],
    ['kept, being tidied up', seen([{ ...RUN, decision: 'keep' }]), null, null, /^$/],
    ['one dead and one alive', seen([{ ...RUN, alive: false }, RUN]), 'alive', 'locked', /waits for/],
  ])('%s', (_name, facts, kind, code, text) => {
    expect(otherRun(facts)?.kind ?? null).toBe(kind);
    const [note] = runNotes(facts);
    expect(note?.code ?? null).toBe(code);
    expect(note?.text ?? '').toMatch(text);
    if (kind !== null) expect(note?.severity).toBe('warning');
  });

  it.each<[string, PendingRun | null, RegExp]>([
    ['waiting', RUN, /portfw confirm`.*`portfw confirm --revert`/],
    ['under way', { ...RUN, confirm: 'auto', proved: false }, /^wait for that run/],
    ['being rolled back', { ...RUN, decision: 'revert' }, /^wait until the rollback has ended/],
    ['just begun', null, /^wait for that run/],
  ])('a run that is refused for one %s says how to go on', (_name, run, solve) => {
    const failure = lockedBy(LOCK, run);
    expect(failure).toMatchObject({
      code: 'locked',
      what: 'ann@desk has been changing this host since 2026-03-01T10:00:00Z',
    });
    expect(failure.solve).toMatch(solve);
    if (run !== null) expect(failure.details.join()).toContain('apply telephony');
  });
});

const ALIVE: OtherRun = { kind: 'alive', lock: LOCK, run: RUN };
const LEFT: OtherRun = { kind: 'left', runs: [{ ...RUN, alive: false }] };

/** Host operations whose plan was made beside another run. */
class BesideAnother extends ScriptedOperations {
  readonly #other: OtherRun;
  readonly #changes: number;

  constructor(other: OtherRun, changes: number) {
    super();
    this.#other = other;
    this.#changes = changes;
  }

  override async plan(...args: Parameters<ScriptedOperations['plan']>): ReturnType<ScriptedOperations['plan']> {
    const planned = await super.plan(...args);
    const plan = planOf(args[0].host, this.#changes);
    if (planned.kind === 'pending' && (this.#changes > 0 || this.#other.kind === 'left'))
      return { ...planned, plan, unsettled: this.#other };
    return { kind: 'finished', outcome: { kind: 'unchanged', plan, unsettled: this.#other } };
  }
}

describe('a run over a host that another run has not let go of', () => {
  const apply: FleetCommand = { kind: 'apply', review: async () => true };
  const ended = async (command: FleetCommand, operations: BesideAnother): Promise<HostOutcome> => {
    const options = { forks: 1, emit: () => {} };
    return (await runFleet(command, contextOf(jobsOf(['a'])), operations, options)).outcomes.get('a')!;
  };

  it.each([0, 2])('is refused where that one may still change it, with %i changes to make', async (changes) => {
    const operations = new BesideAnother(ALIVE, changes);
    expect(await ended(apply, operations)).toMatchObject({ kind: 'refused', failure: { code: 'locked' } });
    expect(operations.applied).toEqual([]);
    expect(operations.discarded).toHaveLength(changes === 0 ? 0 : 1);
  });

  it.each([0, 2])('goes on where that one is dead, with %i changes to make', async (changes) => {
    const operations = new BesideAnother(LEFT, changes);
    expect(await ended(apply, operations)).toMatchObject({ kind: 'changed' });
    expect(operations.applied).toEqual(['a']);
  });

  it.each([
    [ALIVE, 0, 'unchanged'],
    [ALIVE, 2, 'planned'],
    [LEFT, 0, 'unchanged'],
    [LEFT, 2, 'planned'],
  ])('is planned, and says so: %o, %i changes', async (other, changes, kind) => {
    expect(await ended({ kind: 'plan' }, new BesideAnother(other, changes))).toMatchObject({ kind, unsettled: other });
  });

  it('says of each run that is left what ends it', () => {
    expect(
      otherRunText({
        kind: 'left',
        runs: [
          { ...RUN, alive: false },
          { ...RUN, holder: 'bob@desk', alive: false },
        ],
      }),
    ).toMatch(/ann@desk.*portfw confirm --revert.*bob@desk/);
  });
});
