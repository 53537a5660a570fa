import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { InputError } from '../core/problem.ts';
import { terminalText } from '../core/terminal-text.ts';
import { EXIT } from './exit-codes.ts';
import { COMMAND_HELP, PROGRAM_HELP } from './help.ts';
import { openTerminal } from './terminal.ts';
import { UsageError } from './usage-error.ts';

/**
 * Runs portfw with its arguments, and shows whatever goes wrong.
 *
 * @param argv the arguments without node and the script
 * @returns the exit code
 */
export async function runProgram(argv: readonly string[], version: string): Promise<number> {
  // The reader of a pipe may leave (`| head`) or a disk fill up while hosts are still being worked on: that must stop nothing.
  let unwritten = false;
  const onError = (error: NodeJS.ErrnoException): void => {
    if (error.code === 'EPIPE' || unwritten) return;
    unwritten = true;
    process.stderr.write(`error: the output cannot be written: ${error.code ?? error.message}; the run goes on\n`);
  };
  for (const stream of [process.stdout, process.stderr]) stream.on('error', onError);
  if (argv.some((argument) => /^--ask-(?:become-)?pass=/.test(argument))) {
    // Refused before commander quotes it: the value is a password.
    return showError(new UsageError('a password never goes on the command line', PASSWORD_HINT), argv);
  }
  let code: number = EXIT.done;
  const program = buildProgram(version, (result) => {
    code = result;
  });
  try {
    await program.parseAsync(argv, { from: 'user' });
    // The errors of the last writes come with the next turn of the event loop.
    await new Promise((resolve) => setImmediate(resolve));
    return unwritten && (code === EXIT.done || code === EXIT.pending) ? EXIT.failed : code;
  } catch (error) {
    return showError(error, argv);
  }
}

/** Enough to hide the round trips, and no burden for this machine. */
const DEFAULT_FORKS = 20;

const PASSWORD_HINT = 'Give -k or -K without a value to be asked, or set PORTFW_SSH_PASSWORD or PORTFW_BECOME_PASSWORD';

const ACCEPT_LOCKOUT = 'go on with this host though its plan would cut SSH; by name, may be repeated';

/** The values of a flag that may be repeated. */
function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

/** All commands with their flags. Each loads its own code only when it runs. */
export function buildProgram(version: string, done: (code: number) => void): Command {
  const program = new Command('portfw')
    .description('Brings firewalld on a fleet of hosts, over SSH, to exactly what a reviewed port matrix says.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand('help [command]', 'show the help of a command')
    .addHelpText('after', PROGRAM_HELP)
    .showHelpAfterError('    Run "portfw COMMAND --help" for examples and all flags')
    .exitOverride();

  program
    .command('inventory')
    .description('show what an inventory says, as Ansible understands it')
    .argument('<file>', 'an Ansible YAML inventory, or a folder of them')
    .addOption(new Option('--list', 'print the document of ansible-inventory --list').conflicts(['graph', 'host']))
    .addOption(new Option('--graph', 'print groups and hosts as a tree (the default)').conflicts(['host']))
    .option('--host <name>', 'print the variables of one host')
    .action(async (file, flags) => done(await (await import('./commands/inventory.ts')).showInventory(file, flags)));

  program
    .command('matrix')
    .description('show a port matrix, or compare two')
    .argument('[name]', 'a matrix that ships with portfw, or a file; none lists those that ship')
    .option('--json', 'print a JSON array, one row a line')
    .option('--compare <name-or-file>', 'show how another matrix differs')
    .option('--no-color', 'no colours')
    .action(async (name, flags) => done((await import('./commands/matrix.ts')).showMatrix(name ?? null, flags)));

  fleetCommand(program, 'facts', 'show what the hosts say of themselves').action(async (file, flags) =>
    done(await (await import('./commands/facts.ts')).facts(file, flags)),
  );
  fleetCommand(program, 'detect', 'show which roles the hosts play, with the evidence').action(async (file, flags) =>
    done(await (await import('./commands/detect.ts')).detect(file, flags)),
  );
  fleetCommand(program, 'plan', 'show what apply would change, and why; changes nothing')
    .option('--detailed-exitcode', 'end with 2 when changes are pending')
    .option('--accept-lockout <host>', ACCEPT_LOCKOUT, collect)
    .action(async (file, flags) => done(await (await import('./commands/plan.ts')).plan(file, flags)));
  fleetCommand(program, 'apply', 'bring the hosts to what the matrix says')
    .option('-y, --yes', 'apply without asking')
    .option(
      '--revert-after <time>',
      'the host puts itself back unless it is kept within this time (60s; 10m with --confirm manual)',
    )
    .option('--confirm <who>', 'auto keeps what a fresh connection proves; manual waits for "portfw confirm"')
    .option('--cut-revoked', 'once kept, end established flows whose permission the change takes away')
    .option('--dry-run', 'only plan: the same as "portfw plan"')
    .option('--detailed-exitcode', 'with --dry-run: end with 2 when changes are pending')
    .option('--accept-lockout <host>', ACCEPT_LOCKOUT, collect)
    .action(async (file, flags) => done(await (await import('./commands/apply.ts')).apply(file, flags)));
  fleetCommand(program, 'confirm', 'say yes to runs that wait for it (apply --confirm manual)')
    .option('--revert', 'say no: put the hosts back now')
    .action(async (file, flags) => done(await (await import('./commands/confirm.ts')).confirmRuns(file, flags)));
  fleetCommand(program, 'status', 'show what is pending on the hosts, and how their last run ended').action(
    async (file, flags) => done(await (await import('./commands/status.ts')).status(file, flags)),
  );
  fleetCommand(program, 'history', 'list the generations saved on the hosts').action(async (file, flags) =>
    done(await (await import('./commands/history.ts')).history(file, flags)),
  );
  fleetCommand(program, 'rollback', 'return hosts to a saved generation')
    .option('--to <generation>', 'the generation; none takes the newest that differs from the present state')
    .option('--revert-after <time>', 'the host puts itself back unless it is kept within this time (60s)')
    .option('-y, --yes', 'roll back without asking')
    .action(async (file, flags) => done(await (await import('./commands/rollback.ts')).rollback(file, flags)));

  program
    .command('lint')
    .description('check inventories, playbooks and matrices: everything that is wrong, at once')
    .argument('<file...>', 'inventories, playbooks or matrices')
    .option('--playbook <name-or-file>', 'check the inventories against this playbook instead of their own')
    .option('--json', 'print one JSON object a problem')
    .option('--no-color', 'no colours')
    .action(async (files, flags) => done(await (await import('./commands/lint.ts')).lint(files, flags)));

  program
    .command('completion')
    .description('print a completion script for your shell')
    .argument('<shell>', 'bash, zsh or fish')
    .action(async (shell) => done((await import('./commands/completion.ts')).completion(shell, program)));

  for (const command of program.commands) {
    // Settings of the program reach only commands that are made after them.
    command.copyInheritedSettings(program).helpOption('-h, --help', 'show this help');
    const help = COMMAND_HELP[command.name()];
    if (help !== undefined) command.addHelpText('after', help);
  }
  return program;
}

/** A command over the hosts of an inventory, with the flags that all of them share. */
function fleetCommand(program: Command, name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .argument('<inventory>', 'an Ansible YAML inventory, or a folder of them')
    .option('-l, --limit <pattern>', 'only the hosts that this Ansible pattern matches')
    .option('--playbook <name-or-file>', 'this playbook for all hosts: one that ships with portfw, or a file')
    .option('-f, --forks <number>', 'how many hosts to work on at once', wholeNumber(1, 1000), DEFAULT_FORKS)
    .option('--json', 'print events as NDJSON, one JSON object a line')
    .option('-v, --verbose', 'say more; -vv also shows phases and stacks', (_value, count: number) => count + 1, 0)
    .option('-u, --user <name>', 'log in as this user where the inventory names none')
    .option('--private-key <file>', 'offer this key where the inventory names none')
    .option('-k, --ask-pass', 'ask for the SSH password')
    .option('-b, --become', 'become root with sudo')
    .option('-K, --ask-become-pass', 'ask for the password of sudo')
    .option('--accept-new-host-keys', 'record the keys of hosts never seen before; a changed key is always refused')
    .option('--known-hosts <file>', "check host keys against this file instead of the user's and the system's")
    .option('--connect-timeout <seconds>', 'give up connecting after this time', wholeNumber(1, 3600))
    .option('--no-color', 'no colours');
}

function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
  };
}

async function showError(error: unknown, argv: readonly string[]): Promise<number> {
  // Commander has printed its own message by now.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  const terminal = openTerminal(!argv.includes('--no-color'));
  if (error instanceof InputError) {
    const { problemsText } = await import('../report/problems-text.ts');
    terminal.error(problemsText(error.problems, terminal.errorStyle));
    return EXIT.usage;
  }
  if (error instanceof UsageError) {
    terminal.error(`${terminal.errorStyle.red('error')}: ${error.message}\n    ${error.hint}\n`);
    return EXIT.usage;
  }
  const verbose =
    argv.some((argument) => /^-vv+$/.test(argument)) || argv.filter((one) => /^(?:-v|--verbose)$/.test(one)).length > 1;
  const message = error instanceof Error ? error.message : String(error);
  const stack = error instanceof Error ? (error.stack ?? message) : message;
  terminal.error(
    verbose
      ? `internal error: ${terminalText(stack)}\n`
      : `internal error: ${terminalText(message)} (run again with -vv to see where)\n`,
  );
  return EXIT.failed;
}
