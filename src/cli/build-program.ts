import { Command, InvalidArgumentError, Option } from 'commander';
import { COMMAND_HELP, foldedHelp, PROGRAM_HELP } from './help.ts';
import { inventorySources } from './inventory-sources.ts';
import { LOOK_FLAGS, MOST_FORKS } from './run-flags.ts';

const SSH_CONFIG = "read this file instead of the user's and the system's ssh_config; none: read no file";

const ACCEPT_LOCKOUT = 'continue with this host although its plan would cut SSH; a host name; may be repeated';

const ACCEPT_FORWARDING_STOP =
  'continue with this host although its plan stops traffic that is forwarded now; a host name; may be repeated';

const INVENTORY = 'Ansible inventories: files (YAML, INI), executables, folders, or host names with commas';

const INVENTORY_FLAG = 'an inventory, as with Ansible; may be repeated; read after the arguments';

/** The values of a flag that may be repeated. */
function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

/** Takes the exit code of a command. */
type Done = (code: number) => void;

/** All commands with their flags. Each loads its own code only when it runs. */
export function buildProgram(version: string, done: Done): Command {
  const program = new Command('portfw')
    .description(
      'Configures firewalld over SSH, so that exactly the ports of a reviewed port matrix are open on your hosts.',
    )
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand('help [command]', 'show the help of a command')
    .addHelpText('after', () => foldedHelp(PROGRAM_HELP, process.stdout.columns))
    .showHelpAfterError('    Run "portfw COMMAND --help" for examples and all flags')
    .exitOverride();

  showCommands(program, done);
  lookCommands(program, done);
  changeCommands(program, done);
  fileCommands(program, done);
  toolCommands(program, done, version);

  for (const command of program.commands) {
    // Settings of the program reach only commands that are made after them.
    command.copyInheritedSettings(program).helpOption('-h, --help', 'show this help');
    const help = COMMAND_HELP[command.name()];
    if (help !== undefined) command.addHelpText('after', () => foldedHelp(help, process.stdout.columns));
  }
  return program;
}

/** What files say, without any host. */
function showCommands(program: Command, done: Done): void {
  const inventory = program
    .command('inventory')
    .description('show the hosts, groups and variables of an inventory, as Ansible reads them')
    .argument('[inventory...]', INVENTORY)
    .option('-i, --inventory <source>', INVENTORY_FLAG, collect)
    .addOption(
      new Option('--list', 'print the document of ansible-inventory --list').conflicts(['graph', 'host', 'settings']),
    )
    .addOption(new Option('--graph', 'print groups and hosts as a tree (the default)').conflicts(['host', 'settings']))
    .addOption(new Option('--host <name>', 'print the variables of one host').conflicts(['settings']))
    .option(
      '--settings [host]',
      'print every setting that counts, of the run and of each host, and where it comes from',
    );
  vaultFlags(inventory).action(async (files, flags) => {
    if (flags.settings !== undefined)
      return done(await (await import('./commands/settings.ts')).showSettings(files, flags));
    const sources = await inventorySources(files, flags);
    done(await (await import('./commands/inventory.ts')).showInventory(sources, flags));
  });

  program
    .command('matrix')
    .description('show a port matrix, or compare two')
    .argument('[name]', 'a matrix that ships with portfw, or a file; without it, lists those that ship')
    .option('--json', 'print a JSON array, one row per line')
    .option('--compare <name-or-file>', 'show how another matrix differs')
    .option('--role <name>', 'show only the rows of this role; may be repeated', collect)
    .option('--no-color', 'no colours')
    .action(async (name, flags) => done((await import('./commands/matrix.ts')).showMatrix(name ?? null, flags)));
}

/** What hosts say, and what a run would do. */
function lookCommands(program: Command, done: Done): void {
  fleetCommand(program, 'facts', 'show the facts of the hosts').action(async (files, flags) =>
    done(await (await import('./commands/facts.ts')).facts(await inventorySources(files, flags), flags)),
  );
  fleetCommand(program, 'detect', 'show which roles the hosts play, with the evidence').action(async (files, flags) =>
    done(await (await import('./commands/detect.ts')).detect(await inventorySources(files, flags), flags)),
  );
  fleetCommand(program, 'plan', 'show what apply would change, and why; changes nothing')
    .option('--detailed-exitcode', 'exit with code 2 when changes are pending')
    .option('--accept-lockout <host>', ACCEPT_LOCKOUT, collect)
    .option('--accept-forwarding-stop <host>', ACCEPT_FORWARDING_STOP, collect)
    .action(async (files, flags) =>
      done(await (await import('./commands/plan.ts')).plan(await inventorySources(files, flags), flags)),
    );
}

/** Commands that change hosts, and that show the state afterwards. */
function changeCommands(program: Command, done: Done): void {
  fleetCommand(program, 'apply', 'configure the hosts as the matrix says')
    .option('-y, --yes', 'apply without asking')
    .option(
      '--revert-after <time>',
      'roll back automatically unless the change is kept within this time (60s; 10m with --confirm manual)',
    )
    .option(
      '--confirm <who>',
      'auto keeps the change when a new connection has verified it; manual waits for "portfw confirm"',
    )
    .option('--cut-revoked', 'after the change is kept, end established flows that it no longer allows')
    .option('--dry-run', 'only plan: the same as "portfw plan"')
    .option('--detailed-exitcode', 'with --dry-run: exit with code 2 when changes are pending')
    .option('--accept-lockout <host>', ACCEPT_LOCKOUT, collect)
    .option('--accept-forwarding-stop <host>', ACCEPT_FORWARDING_STOP, collect)
    .action(async (files, flags) =>
      done(await (await import('./commands/apply.ts')).apply(await inventorySources(files, flags), flags)),
    );
  fleetCommand(program, 'confirm', 'confirm runs that were started with apply --confirm manual')
    .option('--revert', 'roll the hosts back now instead')
    .action(async (files, flags) =>
      done(await (await import('./commands/confirm.ts')).confirmRuns(await inventorySources(files, flags), flags)),
    );
  fleetCommand(program, 'status', 'show runs that have not ended, and how the last run ended').action(
    async (files, flags) =>
      done(await (await import('./commands/status.ts')).status(await inventorySources(files, flags), flags)),
  );
  fleetCommand(program, 'history', 'list the generations saved on the hosts').action(async (files, flags) =>
    done(await (await import('./commands/history.ts')).history(await inventorySources(files, flags), flags)),
  );
  fleetCommand(program, 'rollback', 'restore a saved generation on the hosts')
    .option('--to <generation>', 'the generation; without it, the newest that differs from the current state')
    .option(
      '--revert-after <time>',
      'restore the current state automatically unless the rollback is kept within this time (60s)',
    )
    .option('-y, --yes', 'roll back without asking')
    .option(
      '--accept-lockout <host>',
      'continue with this host although the generation would cut SSH; a host name; may be repeated',
      collect,
    )
    .action(async (files, flags) =>
      done(await (await import('./commands/rollback.ts')).rollback(await inventorySources(files, flags), flags)),
    );
}

/** What checks or writes files. */
function fileCommands(program: Command, done: Done): void {
  const lint = program
    .command('lint')
    .description('check inventories, playbooks and matrices: shows all errors and warnings at once')
    .argument('[file...]', 'inventories, playbooks, matrices, files of variables, or folders of them')
    .option('-i, --inventory <source>', 'inventories that belong together; may be repeated', collect)
    .option('--playbook <name-or-file>', 'check the inventories against this playbook instead of their own')
    .option('--strict', 'exit with code 4 for warnings too')
    .option('--ssh-config <file>', SSH_CONFIG)
    .option('--json', 'print one JSON object per problem')
    .option('-v, --verbose', 'list the files that were passed over')
    .option('--no-color', 'no colours');
  vaultFlags(lint).action(async (files, flags) => done(await (await import('./commands/lint.ts')).lint(files, flags)));

  const init = program
    .command('init')
    .description('write a first inventory, or a file with additions to an Ansible inventory')
    .argument('[file]', 'the file to write: inventory.yaml, or portfw.yaml with --from')
    .option('--from <inventory>', 'an existing Ansible inventory; it is not changed; may be repeated', collect)
    .option('--look', 'with --from: contact the hosts, read-only, and propose what they show')
    .option('--playbook <name-or-file>', 'the playbook: one that ships with portfw, or a file')
    .option('--public <interface>', 'a public interface, address or network; may be repeated', collect)
    .option('--private <interface>', 'a private interface, address or network; may be repeated', collect)
    .option('--host <host>', 'a host, as [GROUP/]NAME[=ADDRESS]; may be repeated', collect)
    .option('--role <host=role>', 'a role that a host plays, instead of detecting it; may be repeated', collect)
    .option('--vip <name=address>', 'a virtual address that floats in a group, or to a host; may be repeated', collect)
    .option('--management <source>', 'a source from which SSH must always work; may be repeated', collect)
    .option('-u, --user <name>', 'log in as this user')
    .option('-b, --become', 'become root with sudo')
    .option('--no-become', 'log in as root, without sudo')
    .option('-y, --yes', 'ask nothing: use the defaults for flags that are not given')
    .option('--force', 'overwrite the file if it exists');
  // How to log in is said as to every command over hosts.
  const login = new Set<string>(LOOK_FLAGS);
  const shared = program.commands.find((command) => command.name() === 'facts')?.options ?? [];
  for (const option of shared) if (login.has(option.attributeName())) init.addOption(option);
  vaultFlags(init).action(async (file, flags) =>
    done(await (await import('./commands/init.ts')).init(file ?? null, flags)),
  );
}

/** What serves editors, sudo and shells. */
function toolCommands(program: Command, done: Done, version: string): void {
  program
    .command('schema')
    .description('print a JSON Schema for editors: of inventories, files of variables, playbooks or matrices')
    .argument('[name]', 'inventory, vars, playbook, matrix or events; without it, lists them with their files')
    .action(async (name) => done((await import('./commands/schema.ts')).showSchema(name ?? null)));

  program
    .command('sudoers')
    .description('print the script that limits an account to what portfw runs with sudo')
    .argument('<account>', 'the account that portfw logs in as')
    .option('--password', 'sudo asks for the password of the account')
    .action(async (account, flags) => done((await import('./commands/sudoers.ts')).sudoers(account, flags, version)));

  program
    .command('completion')
    .description('print a completion script for your shell')
    .argument('<shell>', 'bash, zsh or fish')
    .action(async (shell) => done((await import('./commands/completion.ts')).completion(shell, program)));

  program
    .command('__complete', { hidden: true })
    .argument('[words...]')
    .option('--line <line>')
    .option('--breaks <characters>')
    .action(async (words, flags) =>
      done(await (await import('./commands/completion.ts')).printCandidates(words, flags, program)),
    );
}

/** A command over the hosts of an inventory, with the flags that all of them share. */
function fleetCommand(program: Command, name: string, description: string): Command {
  const command = program
    .command(name)
    .description(description)
    .argument('[inventory...]', INVENTORY)
    .option('-i, --inventory <source>', INVENTORY_FLAG, collect)
    .option('-l, --limit <pattern>', 'only the hosts that this Ansible pattern matches')
    .option('--playbook <name-or-file>', 'use this playbook for all hosts: one that ships with portfw, or a file')
    .option(
      '-f, --forks <number>',
      'how many hosts to work on at once (20, or forks of ansible.cfg)',
      wholeNumber(1, MOST_FORKS),
    )
    .option('--json', 'print events as NDJSON, one JSON object per line')
    .option('-v, --verbose', 'show more; -vv also shows phases and stacks', (_value, count: number) => count + 1, 0)
    .option('-u, --user <name>', 'log in as this user where the inventory names none')
    .option('--private-key <file>', 'offer this key where the inventory names none')
    .option('-k, --ask-pass', 'ask for the SSH password')
    .option('-b, --become', 'become root with sudo')
    .option('-K, --ask-become-pass', 'ask for the sudo password')
    .option('--accept-new-host-keys', 'record the keys of hosts never seen before; a changed key is always refused')
    .option('--known-hosts <file>', "check host keys against this file instead of the user's and the system's")
    .option('--ssh-config <file>', SSH_CONFIG)
    .option('--connect-timeout <seconds>', 'stop connecting after this time', wholeNumber(1, 3600))
    .option('--no-color', 'no colours');
  return vaultFlags(command);
}

/** Where the passwords of vaults come from, as with Ansible. */
function vaultFlags(command: Command): Command {
  return command
    .option('--vault-password-file <file>', 'a file with the vault password, or an executable that prints it', collect)
    .addOption(new Option('--vault-pass-file <file>').argParser(collect).hideHelp())
    .option('--vault-id <[id@]source>', 'a vault id with its file, or with "prompt"; may be repeated', collect)
    .option('-J, --ask-vault-pass', 'ask for the vault password')
    .addOption(new Option('--ask-vault-password').hideHelp());
}

function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
  };
}
