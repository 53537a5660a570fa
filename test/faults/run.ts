import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { openSession } from '../lab/owner.ts';
import { LAB_DIRECTORY } from '../lab/paths.ts';
import { setUpLab } from '../set-up/lab.ts';
import { startBench, VERSIONS } from './bench.ts';
import { fullRun } from './catalogue.ts';
import { carryOut, type Drill, type Result } from './drill.ts';
import { FAULTS } from './faults.ts';
import { KINDS, type Kind } from './kinds.ts';
import type { Stand } from './stand.ts';
import { faultText, kindText, type RunFigures, resultText } from './table.ts';

/**
 * `npm run faults`: every fault of the catalogue at every boundary that it is for, on a host of each firewalld version at
 * once. Writes docs/evidence/faults.md unless `--only` or `--hosts` leaves some out, and ends with 1 when anything that is asserted failed.
 */
const { values } = parseArgs({
  options: {
    /** A regular expression over `fault, scenario, step`. */
    only: { type: 'string' },
    /** A regular expression over the kinds of host. */
    kinds: { type: 'string' },
    /** Hosts, with commas: old (firewalld 0.9.3), middle (1.3.3), young (2.3.1). */
    hosts: { type: 'string' },
    /** Seconds of `--revert-after`. */
    window: { type: 'string', default: '6' },
    /** The built portfw to test. */
    dist: { type: 'string' },
    /** Stop beginning new faults after so many minutes. */
    minutes: { type: 'string', default: '90' },
    /** Inject again what failed in the last full run, and publish that run with it, marked. */
    again: { type: 'boolean', default: false },
    /** Go on with a full run that was ended before its time. */
    rest: { type: 'boolean', default: false },
  },
});

/** The results of the last full run, for `--again`. */
const KEPT = join(LAB_DIRECTORY, 'faults.json');
const PAGE = join(import.meta.dirname, '../../docs/evidence/faults.md');

async function main(): Promise<number> {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  openSession();
  await setUpLab(say);
  const window = Number(values.window);
  const before = values.again || values.rest ? (JSON.parse(await readFile(KEPT, 'utf8')) as Kept) : null;
  const whole = values.only === undefined && values.hosts === undefined && values.kinds === undefined;
  const stages = Object.values<Kind>(KINDS)
    .filter(({ name }) => values.kinds === undefined || new RegExp(values.kinds).test(name))
    .map((kind) => ({
      kind,
      drillsOf: new Map(
        Object.keys(VERSIONS).map((host, index) => [
          host,
          fullRun(index, kind).filter((drill) => isWanted(drill, host, kind, before)),
        ]),
      ),
    }))
    .filter(({ drillsOf }) => [...drillsOf.values()].some((drills) => drills.length > 0));
  const all = stages.flatMap(({ drillsOf }) => [...drillsOf.values()].flat()).length;
  if (all === 0) {
    say('no fault of the catalogue is of that kind: nothing was tried');
    return 4;
  }
  say(`${all} faults`);
  const planned = Object.values<Kind>(KINDS)
    .flatMap((kind) => Object.keys(VERSIONS).map((_, index) => fullRun(index, kind).length))
    .reduce((sum, count) => sum + count);
  const began = performance.now();
  const end = began + Number(values.minutes) * 60_000;
  const results: Result[] = [];
  const day = new Date().toISOString().slice(0, 10);
  const keep = async (): Promise<Kept> => {
    const kept: Kept = {
      results: [
        ...stillPlanned(before?.results ?? []).filter((old) => !results.some((result) => same(old, result))),
        ...results,
      ],
      run: {
        ...(before?.run ?? { window, cores: cpus().length, day }),
        minutes: (before?.run.minutes ?? 0) + (values.again ? 0 : (performance.now() - began) / 60_000),
      },
    };
    if (whole) {
      await mkdir(LAB_DIRECTORY, { recursive: true });
      await writeFile(KEPT, JSON.stringify(kept, null, 1));
    }
    return kept;
  };
  const stage = async ({ kind, drillsOf }: (typeof stages)[number]): Promise<void> => {
    const scenarios = [...new Set([...drillsOf.values()].flat().map(({ scenario }) => scenario))];
    const dist = values.dist === undefined ? undefined : resolve(values.dist);
    const bench = await startBench(scenarios, dist, kind).catch((error: unknown) => {
      // One kind of host that cannot be made must not end the run of the others; it is a failure all the same.
      for (const [host, drills] of drillsOf)
        for (const drill of drills) results.push(stumbled(drill, kind, host, window, error));
      say(`${kind.name}: ${String(error)}`);
      return null;
    });
    if (bench === null) return;
    try {
      await Promise.all(
        bench.stands.map((stand) =>
          through(stand, drillsOf.get(stand.host.name) ?? [], window, end, (result) => {
            results.push(values.again ? { ...result, again: true } : result);
            say(line(result, results.length, all));
            // A run that is ended before its time has not been for nothing.
            if (results.length % 20 === 0) void keep();
          }),
        ),
      );
    } finally {
      await bench.lab.stop();
    }
    await keep();
  };
  // Most of a drill is waiting: the many drills of the plain hosts and those of the other kinds go side by side.
  const lanes = [stages.filter(({ kind }) => kind === KINDS.plain), stages.filter(({ kind }) => kind !== KINDS.plain)];
  await Promise.all(
    lanes.map(async (lane) => {
      for (const one of lane) await stage(one);
    }),
  );
  const kept = await keep();
  const text = resultText(kept.results, kept.run, planned);
  if (whole) await publish(text);
  process.stdout.write(`${text}\n`);
  return results.some(({ problems }) => problems.length > 0) ? 1 : 0;
}

interface Kept {
  readonly results: readonly Result[];
  readonly run: RunFigures;
}

/** Without what the catalogue has given up since. */
function stillPlanned(results: readonly Result[]): readonly Result[] {
  return results.filter((result) =>
    Object.values<Kind>(KINDS).some((kind) =>
      fullRun(Object.keys(VERSIONS).indexOf(result.host), kind).some((drill) =>
        same({ ...drill, fault: drill.fault.name, host: result.host, kind: kind.name }, result),
      ),
    ),
  );
}

function isWanted(drill: Drill, host: string, kind: Kind, before: Kept | null): boolean {
  if (!(values.hosts?.split(',').includes(host) ?? true)) return false;
  if (values.only !== undefined && !new RegExp(values.only).test(named(drill))) return false;
  const result = { ...drill, fault: drill.fault.name, host, kind: kind.name };
  if (before === null) return true;
  const old = before.results.find((one) => same(one, result));
  return values.rest ? old === undefined : old !== undefined && old.problems.length > 0;
}

function same(a: Where, b: Where): boolean {
  return (
    a.kind === b.kind && a.host === b.host && a.fault === b.fault && a.scenario === b.scenario && a.step === b.step
  );
}

type Where = Pick<Result, 'kind' | 'host' | 'fault' | 'scenario' | 'step'>;

function named({ fault, scenario, step }: Drill): string {
  return `${fault.name}, ${scenario}, ${step}`;
}

/** One host's drills, one after the other; what the suite itself stumbles over fails that drill alone. */
async function through(
  stand: Stand,
  drills: readonly Drill[],
  window: number,
  end: number,
  done: (result: Result) => void,
): Promise<void> {
  for (const drill of drills) {
    if (performance.now() > end) return;
    try {
      done(await carryOut(stand, drill, window));
    } catch (error) {
      done(stumbled(drill, stand.kind, stand.host.name, window, error));
      await stand.standUp();
    }
  }
}

/** What is known of a drill that the suite itself could not carry out. */
function stumbled({ fault, step, scenario }: Drill, kind: Kind, host: string, window: number, error: unknown): Result {
  const why = `the suite stumbled: ${error instanceof Error ? error.message : String(error)}`.slice(0, 1000);
  const nothing = { outcome: 'neither', seconds: 0, shut: 0, looks: 0, said: '' } as const;
  return { kind: kind.name, fault: fault.name, step, scenario, host, window, ...nothing, problems: [why] };
}

function line(
  { kind, fault, scenario, step, host, outcome, seconds, shut, said, problems }: Result,
  n: number,
  all: number,
): string {
  const head = `${n}/${all} ${kind}, ${host}: ${fault}, ${scenario}, ${step}: ${outcome} ${seconds.toFixed(1)} s, shut ${shut.toFixed(1)} s (${said})`;
  return [head, ...problems.map((text) => `    ! ${text}`)].join('\n');
}

async function publish(text: string): Promise<void> {
  const page = await readFile(PAGE, 'utf8');
  const part = (name: string, content: string, into: string): string =>
    into.replace(
      new RegExp(`<!-- ${name} -->[\\s\\S]*<!-- end of ${name} -->`),
      () => `<!-- ${name} -->\n\n${content}\n\n<!-- end of ${name} -->`,
    );
  await writeFile(
    PAGE,
    part(
      'results',
      text,
      part('faults', faultText(Object.values(FAULTS)), part('stands', kindText(Object.values(KINDS)), page)),
    ),
  );
}

process.exitCode = await main();
