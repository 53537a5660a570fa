import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Answer, parseAnswer } from '../../../src/host/answers.ts';
import { runningFirewalld } from '../facts/helpers/probe-text.ts';

const LOCK = { holder: 'ops@controller', since: '2026-03-01T10:00:00Z', id: '20260301T100000Z-0123ab' };
const RESTORED = { kind: 'restored', generation: 'g1', by: 'timer' } as const;
const PENDING = {
  id: LOCK.id,
  holder: LOCK.holder,
  what: 'apply telephony',
  since: LOCK.since,
  confirm: 'manual',
  proved: true,
  decision: 'open',
  secondsLeft: 12,
  step: 'waiting for a confirmation',
  alive: true,
} as const;
const LAST = {
  id: LOCK.id,
  outcome: 'reverted',
  by: 'boot',
  why: 'w',
  at: LOCK.since,
  what: 'apply telephony',
  holder: LOCK.holder,
} as const;

/** One well-formed answer of each kind, as a host sends it, with what it reads as. */
const ANSWERS: readonly (readonly [unknown, Answer])[] = [
  [
    { kind: 'begun', generation: 'g1', reloaded: true },
    { kind: 'begun', generation: 'g1', reloads: 1 },
  ],
  [
    { kind: 'begun', generation: 'g1', reloaded: false },
    { kind: 'begun', generation: 'g1', reloads: 0 },
  ],
  [{ kind: 'kept' }, { kind: 'kept', generation: null, drifted: false, unwritten: null }],
  [
    { kind: 'kept', generation: 'g1', drifted: true, unwritten: 'no\u001b[31m space' },
    { kind: 'kept', generation: 'g1', drifted: true, unwritten: 'no space' },
  ],
  [
    { kind: 'journal', texts: ['{"a":1}\n'], head: '{}', trouble: ['a\u0000b'] },
    { kind: 'journal', journal: { texts: ['{"a":1}\n'], head: '{}', trouble: ['ab'] } },
  ],
  [
    { kind: 'held', pending: PENDING },
    { kind: 'held', pending: PENDING },
  ],
  [
    { kind: 'nothing-pending', last: null },
    { kind: 'nothing-pending', last: null },
  ],
  [
    { kind: 'status', lock: { ...LOCK, step: 'armed' }, pending: [PENDING], last: LAST },
    { kind: 'status', lock: LOCK, pending: [PENDING], last: LAST },
  ],
  [
    { kind: 'status', lock: null, pending: [], last: null },
    { kind: 'status', lock: null, pending: [], last: null },
  ],
  [{ kind: 'drifted', hash: 'x' }, { kind: 'drifted' }],
  [{ kind: 'absent' }, { kind: 'absent' }],
  [
    { kind: 'flows-cut', ended: 3, left: 0, tracked: true },
    { kind: 'flows-cut', ended: 3, left: 0, tracked: true },
  ],
  [
    { kind: 'settled', aftermath: { kind: 'untouched' } },
    { kind: 'settled', aftermath: { kind: 'untouched' } },
  ],
  [
    { kind: 'settled', aftermath: { kind: 'kept', generation: 'g1' } },
    { kind: 'settled', aftermath: { kind: 'kept', generation: 'g1' } },
  ],
  [
    { kind: 'failed', step: 'reload', why: 'INVALID_SERVICE', aftermath: { ...RESTORED, proof: {} } },
    { kind: 'failed', step: 'reload', why: 'INVALID_SERVICE', aftermath: RESTORED },
  ],
  [
    {
      kind: 'failed',
      step: 'reload',
      why: 'x',
      aftermath: { kind: 'restore-failed', generation: 'g1', why: 'disk full' },
    },
    {
      kind: 'failed',
      step: 'reload',
      why: 'x',
      aftermath: { kind: 'restore-failed', generation: 'g1', why: 'disk full' },
    },
  ],
  [
    { kind: 'locked', lock: LOCK },
    { kind: 'locked', lock: LOCK, pending: null },
  ],
  [
    { kind: 'locked', lock: LOCK, pending: PENDING },
    { kind: 'locked', lock: LOCK, pending: PENDING },
  ],
  [
    { kind: 'stopped', reason: 'not running' },
    { kind: 'stopped', reason: 'not running' },
  ],
  [
    { kind: 'refused', why: 'the request.id: expected \u001b[2Ja run' },
    { kind: 'refused', why: 'the request.id: expected a run' },
  ],
  [{ kind: 'plan-only' }, { kind: 'plan-only' }],
  [
    { kind: 'same', generation: 'g1', hash: 'h' },
    { kind: 'same', generation: 'g1', hash: 'h' },
  ],
  [
    { kind: 'rolled-back', generation: 'g1', hash: 'h', whole: true, runtime: false },
    { kind: 'rolled-back', generation: 'g1', hash: 'h', whole: true, runtime: false },
  ],
  [
    { kind: 'no-generation', why: 'w', known: ['g1', 'g2'] },
    { kind: 'no-generation', why: 'w', known: ['g1', 'g2'] },
  ],
  [
    { kind: 'history', generations: [], pending: [] },
    { kind: 'history', generations: [], pending: [] },
  ],
];

const FIREWALLD = runningFirewalld();

describe('what a host answers', () => {
  it.each(ANSWERS.map(([given, wanted]) => [JSON.stringify(given), wanted] as const))('%s', (text, wanted) => {
    expect(parseAnswer(text)).toEqual(wanted);
  });

  it('is read with the state of its firewalld once that is permanent', () => {
    const answer = parseAnswer(JSON.stringify({ kind: 'permanent', observed: FIREWALLD }));
    expect(answer).toMatchObject({ kind: 'permanent', firewalld: { kind: 'running', version: '1.3.3' } });
    const stopped = parseAnswer(JSON.stringify({ kind: 'permanent', observed: { kind: 'stopped', reason: 'x' } }));
    expect(stopped).toEqual({ kind: 'unreadable', why: 'firewalld is not running' });
  });

  it.each([
    ['', 'not valid JSON'],
    ['{', 'not valid JSON'],
    ['null', 'is not an object'],
    ['[]', 'is not an object'],
    ['"kept"', 'is not an object'],
    ['{}', 'kind is not text'],
    ['{"kind":"kept2"}', 'unknown answer kept2'],
    ['{"kind":"__proto__"}', 'unknown answer'],
    ['{"kind":"begun","generation":1,"reloaded":true}', 'generation is not text'],
    ['{"kind":"begun","generation":"g","reloaded":"yes"}', 'reloaded is not true or false'],
    ['{"kind":"settled"}', 'aftermath is not an object'],
    ['{"kind":"failed","step":"a","why":"b","aftermath":{"kind":"restored"}}', 'generation is not text'],
    ['{"kind":"locked","lock":{"holder":"a","since":"b"}}', 'id is not text'],
    [JSON.stringify({ kind: 'held', pending: { ...PENDING, secondsLeft: 1.5 } }), 'secondsLeft is not a whole number'],
    [JSON.stringify({ kind: 'status', lock: null, pending: [{}], last: null }), 'is not'],
    [JSON.stringify({ kind: 'status', lock: null, pending: [], last: {} }), 'outcome is not text'],
    ['{"kind":"history","generations":[{"id":"a"}]}', 'is not'],
    ['{"kind":"no-generation","why":"a","known":"b"}', 'is not'],
    ['{"kind":"permanent","observed":{"kind":"running"}}', 'is not'],
  ])('is a value where it is not what it should be: %s', (text, why) => {
    expect(parseAnswer(text)).toEqual({ kind: 'unreadable', why: expect.stringContaining(why) });
  });

  it('has no text in it that would move the cursor of a terminal', () => {
    const nasty = 'a\u001b[2J\nb\u202ec\u0000';
    const lock = { holder: nasty, since: nasty, id: nasty };
    for (const given of [
      { kind: 'locked', lock },
      { kind: 'held', pending: { ...PENDING, id: nasty, holder: nasty, what: nasty, since: nasty, step: nasty } },
      { kind: 'nothing-pending', last: { ...LAST, id: nasty, by: nasty, why: nasty, at: nasty, what: nasty } },
      { kind: 'stopped', reason: nasty },
      { kind: 'failed', step: nasty, why: nasty, aftermath: { kind: 'restore-failed', generation: nasty, why: nasty } },
      { kind: 'no-generation', why: nasty, known: [nasty] },
      { kind: nasty },
    ]) {
      expect(JSON.stringify(parseAnswer(JSON.stringify(given)))).not.toMatch(/\\u00[01]|\\n|[\p{Cc}\u202e]/u);
    }
  });

  it('never throws, whatever JSON it is', () => {
    const kinds = fc.constantFrom(...ANSWERS.map(([given]) => (given as { kind: string }).kind), 'permanent');
    const hostile = fc
      .tuple(
        kinds,
        fc.dictionary(
          fc.constantFrom(
            'generation',
            'reloaded',
            'aftermath',
            'lock',
            'generations',
            'observed',
            'known',
            'why',
            'step',
            'reason',
            'hash',
            'whole',
          ),
          fc.jsonValue(),
        ),
      )
      .map(([kind, rest]) => ({ ...rest, kind }));
    fc.assert(
      fc.property(fc.oneof(hostile, fc.jsonValue()), (given) => {
        expect(typeof parseAnswer(JSON.stringify(given)).kind).toBe('string');
      }),
      { numRuns: 500 },
    );
  });

  it('never throws where it is cut off or a part of it is something else', () => {
    const whole = [...ANSWERS.map(([given]) => given), { kind: 'permanent', observed: FIREWALLD }].map((given) =>
      JSON.stringify(given),
    );
    fc.assert(
      fc.property(fc.constantFrom(...whole), fc.nat(), (text, at) => {
        const cut = text.slice(0, at % text.length);
        expect(parseAnswer(cut).kind).toBe('unreadable');
      }),
      { numRuns: 300 },
    );
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(...Object.keys(FIREWALLD)), (value, key) => {
        const answer = parseAnswer(JSON.stringify({ kind: 'permanent', observed: { ...FIREWALLD, [key]: value } }));
        expect(['permanent', 'unreadable']).toContain(answer.kind);
      }),
      { numRuns: 300 },
    );
  });
});
