import { type Command, InvalidArgumentError, Option } from 'commander';
import { MOST_FORKS } from './run-flags.ts';

export const SSH_CONFIG = "read this file instead of the user's and the system's ssh_config; none: read no file";

export const INVENTORY = 'Ansible inventories: files (YAML, INI), executables, folders, or host names with commas';

export const INVENTORY_FLAG = 'an inventory, as with Ansible; may be repeated; read after the arguments';

/** The values of a flag that may be repeated. */
export function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

/** Takes the exit code of a command. */
export type Done = (code: number) => void;

/** A command over the hosts of an inventory, with the flags that all of them share. */
export function fleetCommand(program: Command, name: string, description: string): Command {
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
export function vaultFlags(command: Command): Command {
  return command
    .option('--vault-password-file <file>', 'a file with the vault password, or an executable that prints it', collect)
    .addOption(new Option('--vault-pass-file <file>').argParser(collect).hideHelp())
    .option('--vault-id <[id@]source>', 'a vault id with its file, or with "prompt"; may be repeated', collect)
    .option('-J, --ask-vault-pass', 'ask for the vault password')
    .addOption(new Option('--ask-vault-password').hideHelp());
}

export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
  };
}
