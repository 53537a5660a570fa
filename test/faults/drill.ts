import type { HostOutcome } from '../../src/fleet/events.ts';
import type { Controller, Ended } from './controller.ts';
import { pause, RUNTIME_ONLY, type Scenario, type Stand } from './stand.ts';
import { differences, look, type State } from './state.ts';
import type { OutsideWatch } from './watch.ts';

/** Beyond its window a host has this long to be whole again. */
const GRACE_SECONDS = 10;
/** The window of runs that may go on to a good end. */
const PATIENT_SECONDS = 20;
const LONGEST_WINDOW_SECONDS = 90;
const REACH_SECONDS = 90;
const CONTROLLER_END_SECONDS = 60;

/** What a fault sees of the run that it is injected into. */
export interface Scene {
  readonly stand: Stand;
  readonly scenario: Scenario;
  readonly step: string;
  readonly controller: Controller;
  /** The process on the host that waits at the boundary; `null` where the controller itself does. */
  readonly process: number | null;
  readonly window: number;
  readonly watch: OutsideWatch;
  /** Lets the run go on; done after the injection unless the fault has. */
  readonly release: () => Promise<void>;
  /** Whatever a fault has to remember from its injection to its end; a word for each thing. */
  readonly notes: Map<string, string>;
}

/** One kind of fault. */
export interface Fault {
  readonly name: string;
  /** How it is injected, for the document. */
  readonly how: string;
  /** Before the run begins. */
  readonly prepare?: (stand: Stand) => Promise<void>;
  /** At the boundary, while the run waits there. Returns when the fault has done all that it does by itself. */
  readonly inject: (scene: Scene) => Promise<void>;
  /** Ends a fault that lasts "for good": after the host was seen, by the engine, to be whole behind it. */
  readonly end?: (scene: Scene) => Promise<void>;
  /** Whether the fault itself lays the host open, until it is whole again. */
  readonly opens?: boolean;
  /** Whether the fault itself keeps SSH out for a while, whatever the firewall says: until the next login. */
  readonly shutsOut?: boolean;
  /** Seconds that the host may take beyond its window, where that is more than usual. */
  readonly grace?: number;
  /** Whether logins fail until {@link end}. */
  readonly deaf?: boolean;
  /** Whether the host starts again: then what others had at runtime only is gone, as it is without portfw. */
  readonly boots?: boolean;
  /**
   * Steps at which the fault leaves firewalld down or hanging and portfw has no part in it: before its first write, and after
   * its decision. The suite then starts the daemon, as the host's own people would.
   */
  readonly leavesFirewalldDown?: readonly string[];
  /** What may differ from the reference, line by line, because a foreign hand has put it there. */
  readonly foreign?: (scene: Scene) => Foreign;
  /** Which of portfw's builds runs, and against which inventory. */
  readonly blind?: boolean;
  /** Whether the controller's clock can be set. */
  readonly clock?: boolean;
  /** Whether the run can only end with the old configuration. */
  readonly onlyOld?: boolean;
  /** Further questions at the end; what is wrong, in words. */
  readonly questions?: (scene: Scene, ended: Ended) => Promise<readonly string[]>;
  /** Whether a run can go on behind the fault: it gets a longer window, so that a busy machine does not decide. */
  readonly patient?: boolean;
}

/** What another administrator did during the run, and the host must or may still have. */
export interface Foreign {
  /** Files of which the foreign hand's version must be there, with the line that says so. */
  readonly files: ReadonlyMap<string, string>;
  /** Lines that may be there or not. */
  readonly tolerated: RegExp | null;
}

/** One fault at one boundary of one scenario on one host, and what came of it. */
export interface Drill {
  readonly fault: Fault;
  /** A step of the host's, `verifying` (the controller's own), or `-` for faults that are in the plan itself. */
  readonly step: string;
  readonly scenario: Scenario;
}

export interface Result {
  /** The kind of host. */
  readonly kind: string;
  readonly fault: string;
  readonly step: string;
  readonly scenario: Scenario;
  readonly host: string;
  /** `neither` is a failure, and `problems` says why. */
  readonly outcome: 'old' | 'new' | 'neither';
  /** From the injection until the host was whole and, but for faults that keep everybody out, answered SSH. */
  readonly seconds: number;
  /** Seconds of `--revert-after`: longer than usual where a fault lets the run go on, or the host was too busy for less. */
  readonly window: number;
  /** The longest that SSH (or the way to a machine behind) was seen shut from outside, but for what the fault accounts for. */
  readonly shut: number;
  /** How often each port was looked at from outside. */
  readonly looks: number;
  readonly said: string;
  readonly problems: readonly string[];
  /** It had failed in a full run, portfw was mended, and it was injected again. */
  readonly again?: boolean;
}

/** Carries out one drill. What the host or portfw does wrong is a value; it throws when the suite itself cannot go on. */
export async function carryOut(stand: Stand, drill: Drill, defaultWindow: number): Promise<Result> {
  const { fault } = drill;
  let window = Math.max(defaultWindow, stand.kind.window ?? 0, fault.patient === true ? PATIENT_SECONDS : 0);
  for (;;) {
    try {
      return await carriedOutWithin(window, stand, drill);
    } catch (error) {
      if (!(error instanceof TooShort) || error.seconds > LONGEST_WINDOW_SECONDS) throw error;
      window = Math.max(error.seconds, window) + 5;
    }
  }
}

async function carriedOutWithin(window: number, stand: Stand, { fault, step, scenario }: Drill): Promise<Result> {
  await stand.reset(scenario);
  await fault.prepare?.(stand);
  if (step !== '-' && step !== 'verifying') await stand.hold(step);
  const run = fault.blind === true ? ['apply', stand.inventories.lockout] : stand.runOf(scenario);
  const build = fault.blind === true ? stand.builds.blind : stand.builds.holding;
  const watch = await stand.watch();
  watch.mark('the run began');
  const controller = stand.start(build, run, window, fault.clock === true);
  try {
    const result = await seenThrough(stand, { fault, step, scenario }, controller, window, watch);
    // A plan that cuts SSH cuts it until the window is over and the host is back.
    const { looks, shut, problems } = await watch.end(window + (fault.blind === true ? GRACE_SECONDS : 0));
    return { ...result, window, looks, shut, problems: [...result.problems, ...problems] };
  } catch (error) {
    await watch.end(window).catch(() => undefined);
    throw error;
  } finally {
    controller.signal('SIGKILL');
  }
}

async function seenThrough(
  stand: Stand,
  drill: Drill,
  controller: Controller,
  window: number,
  watch: OutsideWatch,
): Promise<Omit<Result, 'window' | 'shut' | 'looks'>> {
  const { fault, step, scenario } = drill;
  const problems: string[] = [];
  const process = await reach(stand, controller, step);
  const scene: Scene = {
    stand,
    scenario,
    step,
    controller,
    process,
    window,
    watch,
    notes: new Map(),
    release: async () => {
      scene.notes.set('released', 'yes');
      if (step === 'verifying') controller.signal('SIGCONT');
      else await stand.release();
    },
  };
  const before = performance.now();
  watch.mark('the injection');
  await fault.inject(scene);
  if (step === '-' && controller.over) {
    // A fault in the plan itself waits for nothing, and a run that was refused has not come to it.
    const short = tooShort((await controller.ended).outcome);
    if (short !== null) throw short;
  }
  // A fault in the plan itself is there when the host behaves by it, and not yet when the run begins.
  const injected = step === '-' ? performance.now() : before;
  if (!scene.notes.has('released')) await scene.release();
  // A fault that lasts, such as a pause longer than the window, leaves the host as long after its end.
  const deadline = Math.max(injected + window * 1000, performance.now()) + (fault.grace ?? GRACE_SECONDS) * 1000;

  const found = await recover(scene, fault, deadline);
  watch.mark('the host was whole');
  if (fault.opens === true) watch.excuseOpen(before, performance.now());
  if (found.outcome === 'neither') problems.push(...found.why);
  if (fault.deaf === true) await fault.end?.(scene);
  const mute = await awaitLogin(stand, fault.deaf === true ? performance.now() + GRACE_SECONDS * 1000 : deadline);
  if (mute !== null) problems.push(`logins fail: ${mute}`);
  const seconds = (performance.now() - injected) / 1000;
  if (fault.deaf === true || fault.shutsOut === true || fault.boots === true)
    watch.excuseShut(before, performance.now());
  if (fault.deaf !== true) await fault.end?.(scene);

  const wasOver = controller.over;
  const last = await endOf(controller);
  if (last === null) problems.push(`the controller had not ended ${CONTROLLER_END_SECONDS} s later`);
  else problems.push(...dishonest(last, found.outcome), ...((await fault.questions?.(scene, last)) ?? []));
  if (fault.onlyOld === true && found.outcome === 'new') problems.push('only the old configuration would do');
  // It may have settled the host once more on its way out.
  if (found.outcome !== 'neither' && !wasOver) {
    const again = judge(scene, fault, await look(stand.host));
    if (again.outcome !== found.outcome)
      problems.push(`it was ${found.outcome}, and is ${again.outcome} after the controller ended`, ...again.why);
  }
  watch.mark('the next apply began');
  problems.push(...(await converge(scene, fault)));
  return {
    kind: stand.kind.name,
    fault: fault.name,
    step,
    scenario,
    host: stand.host.name,
    outcome: found.outcome,
    seconds,
    said: last === null ? 'nothing' : saidBy(last),
    problems,
  };
}

/** portfw has measured that a load takes too long for the window: on a busy machine it needs a longer one. */
class TooShort extends Error {
  readonly seconds: number;

  constructor(seconds: number) {
    super(`the window has to be ${seconds} s`);
    this.seconds = seconds;
  }
}

function tooShort(outcome: HostOutcome | null): TooShort | null {
  if (outcome?.kind !== 'refused' || outcome.failure.code !== 'window-too-short') return null;
  const seconds = /--revert-after (\d+)s/.exec(outcome.failure.solve)?.[1];
  return seconds === undefined ? null : new TooShort(Number(seconds));
}

/** Waits until the run is at the boundary; the process that waits there, `null` where it is the controller. */
async function reach(stand: Stand, controller: Controller, step: string): Promise<number | null> {
  if (step === '-') return null;
  const process =
    step === 'verifying'
      ? await controller
          .sees((event) => event.kind === 'host-phase' && event.phase === 'verifying')
          .then((seen) => {
            controller.signal('SIGSTOP');
            return seen ? 0 : null;
          })
      : await stand.held(step, controller.ended, REACH_SECONDS);
  if (process === null) {
    controller.signal('SIGKILL');
    const { outcome, stderr } = await controller.ended;
    const short = tooShort(outcome);
    if (short !== null) throw short;
    throw new Error(`${stand.host.name}: the run did not come to "${step}": ${JSON.stringify(outcome)}\n${stderr}`);
  }
  return process === 0 ? null : process;
}

interface Verdict {
  readonly outcome: 'old' | 'new' | 'neither';
  readonly why: readonly string[];
}

/** Looks at the host until it is whole, or its time is over. */
async function recover(scene: Scene, fault: Fault, deadline: number): Promise<Verdict> {
  const { stand } = scene;
  for (;;) {
    await stand.awaitQuiet(deadline);
    if (fault.leavesFirewalldDown?.includes(scene.step) === true) await stand.startFirewalld(scene.watch);
    const found = judge(scene, fault, await look(stand.host));
    if (found.outcome !== 'neither' || performance.now() > deadline) return found;
    await pause(0.3);
  }
}

/** Whether a host is exactly what it was, or exactly what it was to become, with nothing left of any run. */
export function judge(scene: Scene, fault: Fault, is: State): Verdict {
  const why = [...is.left.map((item) => `left: ${item}`)];
  if (is.firewalld !== 'RUNNING') why.push(`firewalld: ${is.firewalld}`);
  const { old, oldBooted, new: changed, newBooted } = scene.stand.references(scene.scenario);
  const down = fault.leavesFirewalldDown?.includes(scene.step) === true;
  // After a boot, or a start by another program, nothing is set at runtime only.
  const candidates: readonly (readonly ['old' | 'new', State])[] = [
    // One that only hung goes on as it was.
    ...(fault.boots === true ? [] : ([['old', old]] as const)),
    ...(fault.boots === true || down ? ([['old', oldBooted]] as const) : []),
    ['new', changed],
    // Definitions that nothing uses any more stay in the daemon's memory until its next reload.
    ['new', newBooted],
  ];
  const foreign = fault.foreign?.(scene) ?? { files: new Map(), tolerated: null };
  let nearest: readonly string[] | null = null;
  for (const [outcome, state] of candidates) {
    const found = differences(is.lines, withFiles(state.lines, foreign.files), foreign.tolerated);
    if (found.length === 0 && why.length === 0) return { outcome, why: [] };
    if (nearest === null || found.length < nearest.length)
      nearest = [...found.map((line) => `${outcome}, but ${line}`)];
  }
  return { outcome: 'neither', why: [...why, ...(nearest ?? [])].slice(0, 12) };
}

/** A state with the files of a foreign hand in the place of its own. */
function withFiles(lines: readonly string[], files: ReadonlyMap<string, string>): readonly string[] {
  if (files.size === 0) return lines;
  const kept = lines.filter((line) => ![...files.keys()].some((path) => line.startsWith(`file ${path} `)));
  return [...kept, ...files.values()];
}

async function awaitLogin(stand: Stand, deadline: number): Promise<string | null> {
  for (;;) {
    const why = await stand.loginFails();
    if (why === null || performance.now() > deadline) return why;
    await pause(0.2);
  }
}

async function endOf(controller: Controller): Promise<Ended | null> {
  const ended = await Promise.race([controller.ended, pause(CONTROLLER_END_SECONDS).then(() => null)]);
  if (ended === null) controller.signal('SIGKILL');
  return ended;
}

/** What a controller says of a host that is otherwise; a killed one says nothing. */
function dishonest({ exitCode, outcome, stderr }: Ended, is: Verdict['outcome']): string[] {
  if (exitCode === null) return [];
  if (outcome === null)
    return [`the controller ended with ${exitCode} and said nothing of the host: ${stderr.slice(0, 400)}`];
  const says = claimed(outcome);
  const wrong = says !== 'nothing' && is !== 'neither' && says !== is;
  return [
    ...(wrong ? [`the controller says ${outcome.kind}, which is ${says}, and the host is ${is}`] : []),
    ...((exitCode === 0) === (outcome.kind === 'changed' || outcome.kind === 'rolled-back')
      ? []
      : [`exit code ${exitCode} with the outcome ${outcome.kind}`]),
  ];
}

function claimed(outcome: HostOutcome): 'old' | 'new' | 'nothing' {
  if (outcome.kind === 'changed' || outcome.kind === 'rolled-back') return 'new';
  if (outcome.kind === 'refused' || outcome.kind === 'unreachable') return 'old';
  if (outcome.kind !== 'failed') return 'nothing';
  const { kind } = outcome.aftermath;
  if (kind === 'restored' || kind === 'untouched') return 'old';
  return kind === 'still-changed' ? 'new' : 'nothing';
}

function saidBy({ exitCode, outcome }: Ended): string {
  if (exitCode === null) return 'killed';
  if (outcome === null) return 'nothing';
  if (outcome.kind === 'failed') return `failed (${outcome.phase}): ${outcome.aftermath.kind}`;
  return outcome.kind === 'refused' ? `refused: ${outcome.failure.code}` : outcome.kind;
}

/**
 * What the way to the new configuration decides, and not the configuration: others' ports of the runtime only, and the order of
 * the elements in a zone file that the daemon has written; what the elements are is compared all the same.
 */
const AS_IT_CAME = new RegExp(`${RUNTIME_ONLY.source}|^file /etc/firewalld/zones/portfw-`);

/** The next run brings the host to where it ought to be; one that finds nothing to do has to be right in that. */
async function converge(scene: Scene, fault: Fault): Promise<string[]> {
  const { stand, scenario } = scene;
  const { inventory, wanted } = stand.convergence(scenario);
  const { exitCode, outcome, stderr } = await stand.start(stand.builds.plain, ['apply', inventory], 120).ended;
  if (exitCode !== 0 || (outcome?.kind !== 'changed' && outcome?.kind !== 'unchanged'))
    return [`the next apply ended with ${exitCode}: ${JSON.stringify(outcome)?.slice(0, 600)} ${stderr.slice(0, 200)}`];
  const is = await look(stand.host);
  const files = new Map([...(fault.foreign?.(scene).files ?? [])].filter(([path]) => !path.includes('portfw-')));
  // What nothing uses any more may be in the daemon's memory still, as after a run that nothing disturbed.
  const wrong = wanted
    .map(({ lines }) => differences(withoutInert(is.lines, lines), withFiles(lines, files), AS_IT_CAME))
    .reduce((least, found) => (found.length < least.length ? found : least));
  return [
    ...is.left.map((item) => `left after the next apply: ${item}`),
    ...wrong.slice(0, 8).map((line) => `after the next apply (${outcome.kind}), ${line}`),
  ];
}

/** portfw's services and ipsets in the daemon's memory, and their sets in the kernel, that no file and no zone has any more. */
function withoutInert(lines: readonly string[], wanted: readonly string[]): readonly string[] {
  const known = new Set(wanted.flatMap((line) => INERT.exec(line)?.[1] ?? []));
  let ofSet = false;
  return lines.filter((line) => {
    const name = INERT.exec(line)?.[1];
    // A set's own lines follow the one that names it.
    if (/^rule table .*:$/.test(line)) ofSet = name !== undefined && !known.has(name);
    return !(ofSet && line.startsWith('rule ')) && (name === undefined || known.has(name));
  });
}

const INERT = /^(?:runtime (?:service|ipset)|rule table .* set) (portfw-[^\s:]+)/;
