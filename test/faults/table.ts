import { VERSIONS } from './bench.ts';
import { APPLY_STEPS } from './catalogue.ts';
import type { Fault, Result } from './drill.ts';
import { FAULTS } from './faults.ts';

const ROLLBACK_ONLY = ['restoring', 'restored'];

/** What a full run came to, as the part of docs/faults.md that is generated. */
export function resultText(results: readonly Result[], run: RunFigures): string {
  const hosts = Object.keys(VERSIONS).filter((host) => results.some((result) => result.host === host));
  const bad = results.filter((result) => result.problems.length > 0);
  return [
    summary(results, bad, run),
    '',
    '### By fault',
    '',
    byFault(results),
    '',
    '### Every fault',
    '',
    'Each cell says which configuration the host has in the end, and after how many seconds it was whole, counted from the injection. An empty cell: that step was tried on another version.',
    '',
    `| fault | scenario | step | ${hosts.map((host) => `firewalld ${VERSIONS[host]}`).join(' | ')} |`,
    `| --- | --- | --- | ${hosts.map(() => '---').join(' | ')} |`,
    ...rowsOf(results).map(
      (row) =>
        `| ${row.fault} | ${row.scenario} | ${row.step} | ${hosts.map((host) => cell(results, row, host)).join(' | ')} |`,
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
): string {
  const count = (outcome: Result['outcome']): number => results.filter((result) => result.outcome === outcome).length;
  const again = results.filter((result) => result.again === true).length;
  const seconds = results.map((result) => result.seconds).sort((a, b) => a - b);
  const share = (part: number): string =>
    (seconds[Math.min(seconds.length - 1, Math.floor(seconds.length * part))] ?? 0).toFixed(1);
  return [
    `Run of ${day}, on ${cores} cores, in ${minutes.toFixed(0)} minutes, with a window of ${window} s.`,
    '',
    `**${results.length} faults: ${count('old')} hosts ended on the old configuration, ${count('new')} on the new one, ${count('neither')} on neither.**`,
    `${bad.length === 0 ? 'Nothing that is asserted failed.' : `In ${bad.length} of them something that is asserted failed: see the end of the page.`}`,
    ...(again === 0
      ? []
      : [
          `${again} of them had failed in that run; portfw or the suite was mended, and they were injected again: they are marked †.`,
        ]),
    `Half of the hosts were whole after ${share(0.5)} s, nine in ten after ${share(0.9)} s, all after ${share(1)} s.`,
  ].join('\n');
}

function byFault(results: readonly Result[]): string {
  const names = [...new Set(results.map((result) => result.fault))];
  const rows = names.map((name) => {
    const those = results.filter((result) => result.fault === name);
    const seconds = those.map((result) => result.seconds).sort((a, b) => a - b);
    const count = (outcome: Result['outcome']): number => those.filter((result) => result.outcome === outcome).length;
    const failed = those.filter((result) => result.problems.length > 0).length;
    const median = seconds[Math.floor(seconds.length / 2)]!;
    return `| ${name} | ${those.length} | ${count('old')} | ${count('new')} | ${failed} | ${median.toFixed(1)} | ${seconds.at(-1)!.toFixed(1)} |`;
  });
  return [
    '| fault | injected | old | new | failed | median s | longest s |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}

type Row = Pick<Result, 'fault' | 'scenario' | 'step'>;

/** What was injected on any host, faults and steps in the order of the catalogue. */
function rowsOf(results: readonly Result[]): Row[] {
  const rows = new Map<string, Row>();
  for (const { fault, scenario, step } of results)
    rows.set(`${fault}, ${scenario}, ${step}`, { fault, scenario, step });
  const faults = Object.values(FAULTS).map(({ name }) => name);
  const steps: readonly string[] = [...ROLLBACK_ONLY, ...APPLY_STEPS];
  const place = ({ fault, scenario, step }: Row): number =>
    faults.indexOf(fault) * 1000 + (scenario === 'rollback' ? 500 : 0) + steps.indexOf(step) * 10 + scenario.length;
  return [...rows.values()].sort((a, b) => place(a) - place(b));
}

function cell(results: readonly Result[], row: Row, host: string): string {
  const found = results.filter(
    (result) =>
      result.host === host &&
      result.fault === row.fault &&
      result.step === row.step &&
      result.scenario === row.scenario,
  );
  return found
    .map(
      ({ problems, outcome, seconds }) =>
        `${problems.length > 0 ? '**failed** ' : ''}${outcome} ${seconds.toFixed(1)} s`,
    )
    .join(', ');
}

function wrong({ fault, step, scenario, host, problems }: Result): string[] {
  return [
    `- ${fault}, ${scenario}, at ${step}, firewalld ${VERSIONS[host]}:`,
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
