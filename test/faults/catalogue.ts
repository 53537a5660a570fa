import type { Drill, Fault } from './drill.ts';
import { FAULTS } from './faults.ts';
import { KINDS, type Kind } from './kinds.ts';
import type { Scenario } from './stand.ts';

/** The boundaries of an apply, in their order; `verifying` is the controller's own, between two requests. */
export const APPLY_STEPS = [
  'locked',
  'saved',
  'armed',
  'staged',
  'defined',
  'reloading',
  'reloaded',
  'behaving',
  'behaves',
  'verifying',
  'making permanent',
  'permanent in part',
  'permanent',
  'deciding',
  'decided',
] as const;
/** Those of a rollback. */
const ROLLBACK_STEPS = ['locked', 'saved', 'armed', 'restoring', 'restored', 'deciding', 'decided'] as const;
/** Where the host itself waits; it has no portfw process while the controller verifies. */
const ON_THE_HOST = APPLY_STEPS.filter((step) => step !== 'verifying');

type Planned = (host: number) => readonly Drill[];

/** On every host. Scenarios take turns. */
function everywhere(fault: Fault, steps: readonly string[], ...scenarios: readonly Scenario[]): Planned {
  return () => steps.map((step, index) => ({ fault, step, scenario: scenarios[index % scenarios.length]! }));
}

/** Each step on one of the three hosts, in turn. @param first which host has the first step */
function inTurn(fault: Fault, first: number, steps: readonly string[], ...scenarios: readonly Scenario[]): Planned {
  return (host) =>
    steps.flatMap((step, index) =>
      (index + first) % 3 === host ? [{ fault, step, scenario: scenarios[index % scenarios.length]! }] : [],
    );
}

const f = FAULTS;
/** Boundaries where every version is tried with a fault of which the others are tried in turn. */
const DEEP = ['defined', 'reloading', 'reloaded', 'behaves', 'verifying', 'permanent'];
/** One of two boundaries: with some thirty faults and seven kinds of host, not each of them can be at each. */
function half(steps: readonly string[], first: 0 | 1 = 0): readonly string[] {
  return steps.filter((_, index) => index % 2 === first);
}
const PLAIN: readonly Planned[] = [
  everywhere(f.lockout, ['-'], 'first'),
  everywhere(f.powerCut, ['defined', 'behaves', 'permanent in part', 'permanent', 'decided'], 'first', 'change'),
  everywhere(f.firewalldKilled, ['defined', 'behaves', 'permanent in part', 'permanent'], 'change', 'first'),
  everywhere(f.cutForGood, ['reloaded', 'permanent'], 'first', 'change'),
  everywhere(f.diskFull, ['staged', 'making permanent'], 'change', 'first'),
  everywhere(f.firewalldHung, ['behaving'], 'first'),
  everywhere(f.sshdKilled, ['behaves'], 'change'),
  everywhere(f.revertReadOnly, ['behaves'], 'change'),
  everywhere(f.twoControllers, ['armed'], 'first'),
  inTurn(
    f.cutForGood,
    0,
    half(APPLY_STEPS.filter((step) => step !== 'reloaded' && step !== 'permanent')),
    'change',
    'first',
  ),
  inTurn(
    f.firewalldHung,
    1,
    half(
      APPLY_STEPS.filter((step) => step !== 'behaving'),
      1,
    ),
    'first',
    'change',
  ),
  inTurn(
    f.diskFull,
    2,
    half(APPLY_STEPS.filter((step) => step !== 'staged' && step !== 'making permanent')),
    'first',
    'change',
  ),
  inTurn(
    f.powerCut,
    0,
    half([
      'locked',
      'saved',
      'armed',
      'staged',
      'reloading',
      'reloaded',
      'behaving',
      'verifying',
      'making permanent',
      'deciding',
    ]),
    'change',
    'first',
  ),
  everywhere(f.controllerKilled, DEEP, 'change', 'first'),
  inTurn(
    f.controllerKilled,
    0,
    APPLY_STEPS.filter((step) => !DEEP.includes(step)),
    'first',
    'change',
  ),
  inTurn(f.operationKilled, 1, half(ON_THE_HOST), 'first', 'change'),
  inTurn(
    f.firewalldKilled,
    2,
    half([
      'locked',
      'saved',
      'armed',
      'staged',
      'reloading',
      'reloaded',
      'behaving',
      'verifying',
      'making permanent',
      'deciding',
      'decided',
    ]),
    'first',
    'change',
  ),
  inTurn(f.firewalldStopped, 0, half(APPLY_STEPS), 'change', 'first'),
  inTurn(f.controllerKilled, 1, ROLLBACK_STEPS, 'rollback'),
  inTurn(f.sshdKilled, 2, half(APPLY_STEPS, 1), 'first', 'change'),
  inTurn(f.cutForAWhile, 0, half(APPLY_STEPS, 1), 'first', 'change'),
  inTurn(f.twoControllers, 1, ['saved', 'behaves', 'verifying'], 'change', 'first'),
  inTurn(f.ourZoneEdited, 2, half(APPLY_STEPS), 'change'),
  inTurn(f.foreignZoneEdited, 0, ['armed', 'reloading', 'permanent'], 'first', 'change'),
  inTurn(f.runtimePortAdded, 1, ['armed', 'reloading', 'behaves', 'permanent'], 'change', 'first'),
  inTurn(f.revertKilled, 2, ['defined', 'behaves', 'permanent'], 'first', 'change'),
  inTurn(f.revertReadOnly, 0, ['defined', 'reloaded', 'permanent'], 'first'),
  inTurn(f.revertReloadDenied, 1, ['reloaded', 'behaves', 'permanent'], 'change', 'first'),
  inTurn(f.paused, 2, ['armed', 'reloading', 'verifying', 'deciding'], 'first', 'change'),
  inTurn(f.clockForward, 0, ['locked', 'behaves', 'deciding'], 'first', 'change'),
  inTurn(f.clockBack, 1, ['locked', 'behaves', 'deciding'], 'change', 'first'),
  inTurn(f.clockForwardKilled, 2, ['armed', 'behaves', 'permanent'], 'first', 'change'),
  inTurn(f.clockBackKilled, 0, ['armed', 'behaves', 'permanent'], 'change', 'first'),
  inTurn(f.rebooted, 1, ['armed', 'defined', 'reloading', 'behaves', 'permanent', 'decided'], 'first', 'change'),
  inTurn(f.sshdDaemonKilled, 2, ['saved', 'behaves', 'permanent'], 'change', 'first'),
  inTurn(f.sshdStopped, 0, ['armed', 'behaving', 'verifying', 'permanent', 'deciding'], 'first', 'change'),
  inTurn(f.controllerStopped, 1, ['behaving', 'verifying', 'permanent'], 'change', 'first'),
  inTurn(f.lockoutKilled, 2, ['reloaded', 'behaves', 'verifying'], 'first', 'change'),
  inTurn(f.lockout, 0, ['-', '-', '-'], 'change'),
  inTurn(f.powerCut, 1, ['restoring', 'restored', 'decided'], 'rollback'),
  inTurn(f.firewalldKilled, 2, ['armed', 'restoring', 'restored'], 'rollback'),
  inTurn(f.operationKilled, 0, ['armed', 'restoring', 'restored'], 'rollback'),
  inTurn(f.cutForGood, 1, ['armed', 'restoring', 'restored'], 'rollback'),
  everywhere(f.cannotLoadKilled, ['behaves'], 'first'),
  inTurn(f.cannotLoadKilled, 0, ['reloaded', 'making permanent', 'permanent'], 'change', 'first'),
  everywhere(f.cannotStart, ['reloaded'], 'change'),
  inTurn(f.cannotStart, 1, ['defined', 'behaves', 'permanent'], 'first', 'change'),
  inTurn(f.cannotReload, 2, ['armed', 'defined', 'reloading'], 'change', 'first'),
  everywhere(f.cannotLoadBooted, ['behaves'], 'change'),
  inTurn(f.cannotLoadBooted, 0, ['defined', 'reloaded', 'permanent'], 'first', 'change'),
  everywhere(f.laterEdits, ['permanent'], 'first'),
  inTurn(f.laterEdits, 1, ['defined', 'reloaded', 'behaves'], 'first'),
];

/** What is tried on every other kind of host. */
const ELSEWHERE: readonly Planned[] = [
  everywhere(f.controllerKilled, ['behaves'], 'first'),
  everywhere(f.firewalldKilled, ['reloading'], 'change'),
  inTurn(f.powerCut, 0, ['defined', 'behaves', 'permanent'], 'first', 'change'),
  inTurn(f.cannotLoadKilled, 2, ['reloaded', 'behaves', 'permanent'], 'first', 'change'),
];
const AS_FAST: readonly Planned[] = [
  ...ELSEWHERE,
  inTurn(f.firewalldHung, 1, ['reloaded', 'behaving', 'making permanent'], 'change', 'first'),
  inTurn(f.cutForGood, 2, ['armed', 'reloaded', 'permanent'], 'first', 'change'),
  inTurn(f.diskFull, 0, ['staged', 'behaves', 'making permanent'], 'change', 'first'),
  inTurn(f.operationKilled, 1, ['reloading', 'behaves', 'permanent'], 'first', 'change'),
  inTurn(f.laterEdits, 0, ['reloaded', 'behaves', 'permanent'], 'first'),
];

/** Every drill of a full run on the host of that number, from 0, of that kind, in their order. */
export function fullRun(host: number, kind: Kind): readonly Drill[] {
  const plan = kind === KINDS.plain ? PLAIN : kind === KINDS.many ? ELSEWHERE : AS_FAST;
  return plan.flatMap((planned) => planned(host));
}
