import { resolve } from 'node:path';
import { fileItself, InputError, Problem, type SourceLocation } from '../../core/problem.ts';
import type { ProgramOutcome, ProgramRun } from '../../core/run-program.ts';
import { safeText, shown } from '../../core/shown.ts';
import { parseJson } from '../../documents/json-document.ts';
import { parseYaml } from '../../documents/yaml-document.ts';
import type { YamlFile } from '../../documents/yaml-view.ts';
import { type GatheredSource, problem, type Unread } from './detect-format.ts';
import { hostsToAskFor, outputView } from './script-source.ts';

/** A source with a program's output in it, and what the program had to say besides. */
export interface ProgramSource {
  readonly source: GatheredSource;
  /** What a program that succeeded wrote to its error output, or an empty text. */
  readonly remarks: string;
}

/** The most that a program may print. */
const MAX_OUTPUT_BYTES = 32 * 1024 * 1024;
/** How many programs are asked about hosts at once. */
const ASKED_AT_ONCE = 8;

/**
 * Runs what a source needs: an inventory program, or `ansible-inventory` for a plugin.
 *
 * @param earlier the sources before it, for plugins that work on their hosts
 * @throws InputError saying what went wrong, with what the program wrote
 */
export async function runForSource(
  unread: Unread,
  earlier: readonly string[],
  timeoutMs: number,
): Promise<ProgramSource> {
  return unread.kind === 'program'
    ? runScript(unread.file, timeoutMs)
    : runAnsible(unread, unread.takesEarlier ? earlier : [], timeoutMs);
}

async function runScript(file: string, timeoutMs: number): Promise<ProgramSource> {
  const ask = async (args: readonly string[]): Promise<{ text: string; remarks: string }> => {
    const call = { argv: [resolve(file), ...args] as const, timeoutMs, maxBytes: MAX_OUTPUT_BYTES };
    return answerOf(await run(call as ProgramRun), call as ProgramRun, fileItself(file));
  };
  const { text, remarks } = await ask(['--list']);
  const command = `${file} --list`;
  const list = outputView(parseJson(text, command), command);
  const names = hostsToAskFor(list);
  const hosts = new Map<string, YamlFile>();
  const waiting = [...(names ?? [])];
  const work = async (): Promise<void> => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      const answer = await ask(['--host', name]);
      const hostCommand = `${file} --host ${name.replaceAll('/', '…')}`;
      hosts.set(name, outputView(parseYaml(answer.text, safeText(hostCommand)), hostCommand));
    }
  };
  try {
    await Promise.all(Array.from({ length: ASKED_AT_ONCE }, work));
  } finally {
    // After one failure, no further host is requested.
    waiting.length = 0;
  }
  return { source: { kind: 'script', output: { file, list, hosts } }, remarks };
}

/**
 * What Ansible makes of one source, in a form that keeps the variables of groups apart (`--export`). portfw reads the
 * files of variables itself, so that they take their place in the order of all sources, and whole encrypted ones can be
 * decrypted.
 */
async function runAnsible(
  unread: Extract<Unread, { kind: 'for-ansible' }>,
  earlier: readonly string[],
  timeoutMs: number,
): Promise<ProgramSource> {
  const { file, location } = unread;
  const sources = [...earlier, resolve(file)].flatMap((source) => ['-i', source]);
  const call: ProgramRun = {
    argv: ['ansible-inventory', ...sources, '--list', '--export'],
    timeoutMs,
    maxBytes: MAX_OUTPUT_BYTES,
    environment: {
      ANSIBLE_VARS_ENABLED: 'none',
      ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED: 'true',
      ANSIBLE_NOCOLOR: 'true',
    },
  };
  const outcome = await run(call);
  if (outcome.kind === 'not-started' && outcome.errno === 'ENOENT') {
    throw new InputError([
      new Problem({
        severity: 'error',
        code: 'inventory-plugin',
        what: `ansible-inventory is needed ${unread.need}, and it is not installed`,
        solve: 'Install ansible-core, or give portfw what "ansible-inventory -i FILE --list --yaml" prints elsewhere',
        location,
      }),
    ]);
  }
  const failure = 'said' in outcome ? pluginFailure(outcome.said) : null;
  if (outcome.kind === 'exited' && outcome.exitCode !== 0 && failure !== null) {
    const solve = `Try it with "ansible-inventory -i ${safeText(file)} --list"`;
    const what = `Ansible cannot use this inventory: ${failure}`;
    throw new InputError([new Problem({ severity: 'error', code: 'inventory-plugin', what, solve, location })]);
  }
  const { text, remarks } = answerOf(outcome, call, location);
  const command = `${file} through ansible-inventory --list --export`;
  const list = outputView(parseJson(text, command), command);
  return { source: { kind: 'plugin', output: { file, list, hosts: new Map() } }, remarks };
}

/** The code that runs programs is loaded only if a program is needed. */
async function run(program: ProgramRun): Promise<ProgramOutcome> {
  const { runProgram } = await import('../../core/run-program.ts');
  return runProgram(program);
}

/** What a program printed, as text; an InputError when it did not succeed. */
function answerOf(
  outcome: ProgramOutcome,
  run: ProgramRun,
  location: SourceLocation,
): { text: string; remarks: string } {
  const said = 'said' in outcome ? lastWords(outcome.said) : '';
  const wrote = said === '' ? '' : `: ${said}`;
  const call =
    run.argv[0] === 'ansible-inventory' ? 'ansible-inventory' : `the program (${shown(run.argv.slice(1).join(' '))})`;
  const fail = (what: string, solve: string): InputError =>
    new InputError([
      new Problem({ severity: 'error', code: 'inventory-program', what: `${call} ${what}`, solve, location }),
    ]);
  switch (outcome.kind) {
    case 'not-started':
      throw fail(`cannot be started: ${startReason(outcome.errno, outcome.why)}`, 'Run it by hand to see why');
    case 'timeout':
      throw fail(
        `did not end within ${run.timeoutMs / 1000} seconds${wrote}`,
        'Set PORTFW_INVENTORY_TIMEOUT to more seconds, or make it quicker',
      );
    case 'too-much':
      throw fail(
        `printed more than ${MAX_OUTPUT_BYTES / 1024 / 1024} MiB${wrote}`,
        'Let it print fewer hosts or variables',
      );
    case 'killed':
      throw fail(`was ended by ${outcome.signal}${wrote}`, 'Run it by hand to see why');
    case 'exited':
      if (outcome.exitCode !== 0)
        throw fail(`ended with exit code ${outcome.exitCode}${wrote}`, 'Run it by hand to see more');
  }
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(outcome.stdout), remarks: said };
  } catch {
    throw problem(location.file, 'not-utf8', `what ${call} printed is not valid UTF-8`, 'Let it print UTF-8');
  }
}

/**
 * What Ansible says of the plugin that was meant, out of its wrapped warnings: those of the other kinds of file that it
 * tries (YAML, INI) are misleading.
 */
function pluginFailure(stderr: string): string | null {
  const text = safeText(stderr.replaceAll(/\s+/g, ' '));
  const found = /\* Failed to parse \S+ with (?:auto|toml) plugin: (.+?) ?(?:\[WARNING\]|ERROR!|$)/.exec(text)?.[1];
  return found === undefined ? null : found.slice(0, 500);
}

/** The last lines of what a program wrote to its error output, in one line. */
function lastWords(stderr: string): string {
  const lines = stderr
    .split(/\r?\n/)
    .map((line) => safeText(line.trim()))
    .filter((line) => line !== '');
  const text = lines.slice(-4).join(' / ');
  return text.length > 500 ? `…${text.slice(-500)}` : text;
}

function startReason(errno: string, why: string): string {
  switch (errno) {
    case 'ENOENT':
      return 'the interpreter in its first line does not exist';
    case 'EACCES':
      return 'it is not executable';
    default:
      return safeText(why);
  }
}
