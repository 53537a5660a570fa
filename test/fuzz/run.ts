/**
 * `npm run fuzz -- [--seconds 30] [--runs 100000] [--seed N] [--target NAME …]`: mutated inventories, playbooks, matrices, SSH
 * files and patterns against the parsers. It runs in a process with a small heap, so that a parser that hoards memory dies.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { fuzz } from './fuzz.ts';

/** The heap of the process that fuzzes, in MiB. */
const HEAP = 256;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '30' },
    runs: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    target: { type: 'string', multiple: true, default: [] },
  },
});

if (process.env['PORTFW_FUZZ_CHILD'] === undefined) {
  const args = [`--max-old-space-size=${HEAP}`, ...process.execArgv, ...process.argv.slice(1)];
  const seed = values.seed;
  const given = process.argv.some((argument) => argument.startsWith('--seed'));
  const { status, signal } = spawnSync(process.execPath, given ? args : [...args, '--seed', seed], {
    stdio: 'inherit',
    env: { ...process.env, PORTFW_FUZZ_CHILD: '1' },
  });
  if (signal !== null || (status !== 0 && status !== 1))
    console.log(`The process died (${signal ?? status}); seed ${seed}`);
  process.exitCode = status ?? 1;
} else {
  const seed = Number(values.seed);
  let peak = 0;
  let findings = 0;
  let total = 0;
  console.log(`seed ${seed}, heap ${HEAP} MiB, ${values.seconds} s for each target at most`);
  for (const target of values.target.length === 0 ? TARGETS() : values.target) {
    for (const result of fuzz(seed, { runs: Number(values.runs), seconds: Number(values.seconds) }, [target])) {
      peak = Math.max(peak, process.memoryUsage().rss);
      total += result.runs;
      console.log(
        `${result.target.padEnd(26)} ${String(result.runs).padStart(8)} runs in ${result.seconds.toFixed(1)} s, ` +
          `${result.accepted} without a problem, slowest ${result.slowest.toFixed(0)} ms, ` +
          `memory ${(process.memoryUsage().rss / 2 ** 20).toFixed(0)} MiB`,
      );
      if (result.finding !== null) {
        findings += 1;
        console.log(result.finding);
      }
    }
  }
  const most = process.resourceUsage().maxRSS / 1024;
  console.log(`${total} runs, ${findings} findings, at most ${most.toFixed(0)} MiB`);
  process.exitCode = findings === 0 ? 0 : 1;
}

function TARGETS(): readonly string[] {
  return [
    ...[
      'inventory.yaml',
      'inventory.ini',
      'site/group_vars/all.yaml',
      'playbook.yaml',
      'matrix.yaml',
      'limit',
      'patterns',
    ],
    ...['ssh_config', 'known_hosts', 'ansible_ssh_common_args'],
  ];
}
