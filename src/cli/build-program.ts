import { Command, Option } from 'commander';
import { changeCommands } from './change-commands.ts';
import {
  collect,
  type Done,
  fleetCommand,
  INVENTORY,
  INVENTORY_FLAG,
  SSH_CONFIG,
  vaultFlags,
} from './command-flags.ts';
import { COMMAND_HELP, foldedHelp, PROGRAM_HELP } from './help.ts';
import { inventorySources } from './inventory-sources.ts';
import { lintFormatOption } from './lint-formats.ts';
import { LOOK_FLAGS } from './run-flags.ts';

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
  changeCommands(program, done, version);
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

/** What hosts say. */
function lookCommands(program: Command, done: Done): void {
  fleetCommand(program, 'facts', 'show the facts of the hosts').action(async (files, flags) =>
    done(await (await import('./commands/facts.ts')).facts(await inventorySources(files, flags), flags)),
  );
  fleetCommand(program, 'detect', 'show which roles the hosts play, with the evidence').action(async (files, flags) =>
    done(await (await import('./commands/detect.ts')).detect(await inventorySources(files, flags), flags)),
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
    .addOption(lintFormatOption())
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
    .description(
      'print a JSON Schema: of inventories, files of variables, playbooks, matrices, saved plans, reviews or events',
    )
    .argument(
      '[name]',
      'inventory, vars, playbook, matrix, plan, review or events; without it, lists them with their files',
    )
    .action(async (name) => done((await import('./commands/schema.ts')).showSchema(name ?? null)));

  program
    .command('sudoers')
    .description('print the script that limits an account to what portfw runs with sudo')
    .argument('<account>', 'the account that portfw logs in as')
    .option('--password', 'sudo asks for the password of the account')
    .option('--planner <account>', 'another account, which may only plan, for example that of a pipeline')
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
