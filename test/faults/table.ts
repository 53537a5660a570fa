import { VERSIONS } from './bench.ts';
import { APPLY_STEPS } from './catalogue.ts';
import type { Fault, Result } from './drill.ts';
import { FAULTS } from './faults.ts';
import { KINDS, type Kind } from './kinds.ts';

const ROLLBACK_ONLY = ['restoring', 'restored'];

/** What a full run came to, as the part of docs/evidence/faults.md that is generated. */
export function resultText(results: readonly Result[], run: RunFigures, planned: number): string {
  const hosts = Object.keys(VERSIONS).filter((host) => results.some((result) => result.host === host));
  const bad = results.filter((result) => result.problems.length > 0);
  return [
    summary(results, bad, run, planned),
    '',
    '### By fault',
    '',
    byFault(results),
    '',
    '### By stand',
    '',
    byKind(results),
    '',
    '### Every fault',
    '',
    'For each scenario and step: the configuration at the end, and the seconds from the injection until the host was whole.',
    '',
    `| stand | fault | ${hosts.map((host) => `firewalld ${VERSIONS[host]}`).join(' | ')} |`,
    `| --- | --- | ${hosts.map(() => '---').join(' | ')} |`,
    ...rowsOf(results).map(
      ([{ kind, fault }, those]) =>
        `| ${kind} | ${fault} | ${hosts.map((host) => cell(those.filter((result) => result.host === host))).join(' | ')} |`,
    ),
    ...(bad.length === 0 ? [] : ['', '### What went wrong', '', ...bad.flatMap(wrong)]),
  ].join('\n');
}

/** What is known of a run beside its results. */
export interface RunFigures {
  /** Seconds of `--revert-after`. */
  readonly window: number;
  readonly minutes: number;
  readonly cores: number;
  /** `YYYY-MM-DD`. */
  readonly day: string;
}

function summary(
  results: readonly Result[],
  bad: readonly Result[],
  { window, minutes, cores, day }: RunFigures,
  planned: number,
): string {
  const count = (outcome: Result['outcome']): number => results.filter((result) => result.outcome === outcome).length;
  const again = results.filter((result) => result.again === true).length;
  const seconds = results.map((result) => result.seconds).sort((a, b) => a - b);
  const share = (part: number): string =>
    (seconds[Math.min(seconds.length - 1, Math.floor(seconds.length * part))] ?? 0).toFixed(1);
  return [
    `Run of ${day}, on ${cores} cores, in ${minutes.toFixed(0)} minutes, with a window of ${window} s, of 20 s if the run can go on after the fault, and of more if the host was too busy for that (${results.filter((result) => result.window > Math.max(window, 25)).length} of them).`,
    '',
    `**${results.length} faults: ${count('old')} hosts ended on the old configuration, ${count('new')} on the new one, ${count('neither')} on neither.**`,
    `${bad.length === 0 ? 'No assertion failed.' : `In ${bad.length} of them an assertion failed: see the end of the page.`}`,
    ...(results.length < planned ? [`The run was stopped early, after ${results.length} of ${planned} faults.`] : []),
    ...(again === 0
      ? []
      : [
          `${again} of them had failed in that run; portfw or the suite was fixed, and they were injected again: they are marked †.`,
        ]),
    `From outside each port was tried ${results.reduce((sum, { looks }) => sum + looks, 0)} times. SSH, or the connection to a machine behind, was shut for at most ${Math.max(...results.filter(({ fault }) => !CUTS.includes(fault)).map(({ shut }) => shut)).toFixed(1)} s, apart from what the fault itself shut; under a plan that cuts SSH, for at most ${Math.max(0, ...results.filter(({ fault }) => CUTS.includes(fault)).map(({ shut }) => shut)).toFixed(1)} s.`,
    `Half of the hosts were whole after ${share(0.5)} s, nine in ten after ${share(0.9)} s, all after ${share(1)} s.`,
  ].join('\n');
}

/** Faults of a plan that shuts SSH: it is shut until the host is back. */
const CUTS: readonly string[] = Object.values<Fault>(FAULTS).flatMap(({ name, blind }) =>
  blind === true ? [name] : [],
);

function byFault(results: readonly Result[]): string {
  return byName('fault', results, ({ fault }) => fault);
}

function byKind(results: readonly Result[]): string {
  return byName('stand', results, ({ kind }) => kind);
}

function byName(what: string, results: readonly Result[], nameOf: (result: Result) => string): string {
  const names = [...new Set(results.map(nameOf))];
  const rows = names.map((name) => {
    const those = results.filter((result) => nameOf(result) === name);
    const seconds = those.map((result) => result.seconds).sort((a, b) => a - b);
    const count = (outcome: Result['outcome']): number => those.filter((result) => result.outcome === outcome).length;
    const failed = those.filter((result) => result.problems.length > 0).length;
    const median = seconds[Math.floor(seconds.length / 2)]!;
    return `| ${name} | ${those.length} | ${count('old')} | ${count('new')} | ${failed} | ${median.toFixed(1)} | ${seconds.at(-1)!.toFixed(1)} | ${Math.max(...those.map(({ shut }) => shut)).toFixed(1)} |`;
  });
  return [
    `| ${what} | injected | old | new | failed | median s | longest s | SSH shut s |`,
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}

/** The results of each stand and fault, all in the order of the catalogue. */
function rowsOf(results: readonly Result[]): readonly (readonly [Result, readonly Result[]])[] {
  const kinds = Object.values<Kind>(KINDS).map(({ name }) => name);
  const faults = Object.values(FAULTS).map(({ name }) => name);
  const steps: readonly string[] = [...ROLLBACK_ONLY, ...APPLY_STEPS];
  const place = ({ kind, fault, scenario, step }: Result): number =>
    kinds.indexOf(kind) * 1_000_000 +
    faults.indexOf(fault) * 1000 +
    (scenario === 'rollback' ? 500 : 0) +
    steps.indexOf(step) * 10 +
    scenario.length;
  const rows = new Map<string, [Result, Result[]]>();
  for (const result of [...results].sort((a, b) => place(a) - place(b))) {
    const name = `${result.kind}, ${result.fault}`;
    const row = rows.get(name);
    if (row === undefined) rows.set(name, [result, [result]]);
    else row[1].push(result);
  }
  return [...rows.values()];
}

function cell(results: readonly Result[]): string {
  return results
    .map(
      ({ scenario, step, problems, outcome, seconds, again }) =>
        `${scenario}, ${step}: ${problems.length > 0 ? '**failed** ' : ''}${outcome} ${seconds.toFixed(1)} s${again === true ? ' †' : ''}`,
    )
    .join('; ');
}

function wrong({ kind, fault, step, scenario, host, problems }: Result): string[] {
  return [
    `- ${kind}: ${fault}, ${scenario}, at ${step}, firewalld ${VERSIONS[host]}:`,
    ...problems.map((line) => `  - \`${line.replaceAll('`', "'")}\``),
  ];
}

/** How each fault is injected, as a table. */
export function faultText(faults: readonly Fault[]): string {
  return [
    '| fault | how it is injected |',
    '| --- | --- |',
    ...faults.map(({ name, how }) => `| ${name} | ${how} |`),
  ].join('\n');
}

/** The kinds of host, as a table. */
export function kindText(kinds: readonly Kind[]): string {
  return ['| stand | what it has |', '| --- | --- |', ...kinds.map(({ name, about }) => `| ${name} | ${about} |`)].join(
    '\n',
  );
}
