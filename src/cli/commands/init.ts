import { existsSync, linkSync, mkdirSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { type Inventory, loadInventory } from '../../ansible/inventory.ts';
import { Vault } from '../../ansible/vault/vault.ts';
import { shown } from '../../core/shown.ts';
import { terminalLine } from '../../core/terminal-text.ts';
import { loadPlaybook } from '../../matrix/load-playbook.ts';
import { shippedNames, shippedSchemaFile } from '../../matrix/shipped.ts';
import { problemsText } from '../../report/terminal/problems-text.ts';
import { readSettings } from '../../settings/read-settings.ts';
import { usableConfig } from '../ansible-config.ts';
import { EXIT } from '../exit-codes.ts';
import { type Ask, GaveUp, type InitFlags, initAnswers } from '../init-answers.ts';
import { initText, isVariablesFile, nextCommands } from '../init-text.ts';
import { inventoryOptions } from '../inventory-options.ts';
import { openTerminal, type Terminal } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';
import { vaultFrom } from '../vault-flags.ts';
import { lintFiles } from './lint.ts';

/**
 * `portfw init [FILE] [--from INVENTORY]`: writes a first inventory, or what an Ansible inventory that is there lacks, beside it.
 * What is there stays as it is: nothing is overwritten without `--force`, and the file appears whole or not at all.
 */
export async function init(name: string | null, flags: InitFlags): Promise<number> {
  const terminal = openTerminal(true);
  const from = flags.from ?? [];
  const file = name ?? (from.length === 0 ? 'inventory.yaml' : 'portfw.yaml');
  checkPlace(file, from, flags);
  usableConfig();
  // Nothing of a first inventory is encrypted: no password is asked for.
  const vault = from.length === 0 ? new Vault([]) : await vaultFrom(flags);
  const inventory = from.length === 0 ? null : await load(from, vault);
  const playbooks = shippedNames('playbook');
  const asking = flags.yes !== true && terminal.interactive ? openQuestions(terminal) : null;
  try {
    const answers = await initAnswers(
      flags,
      { existing: inventory === null ? null : namesOf(inventory), playbooks, loadPlaybook: (one) => loadPlaybook(one) },
      asking?.ask ?? null,
    );
    const addresses = inventory === null ? [] : addressesOf(inventory);
    const text = initText(answers, { file, from, schema: schemaFor(file), playbooks, addresses });
    write(file, text, flags.force === true);
  } catch (error) {
    if (!(error instanceof GaveUp)) throw error;
    terminal.error('\nnothing was written\n');
    return EXIT.interrupted;
  } finally {
    asking?.close();
  }
  return report(file, from, vault, terminal);
}

function load(from: readonly string[], vault: Vault): Promise<Inventory> {
  return loadInventory(from, { ...inventoryOptions(), decrypt: vault.decryptFile.bind(vault) });
}

/** Refuses a place where the file would hide or replace something. */
function checkPlace(file: string, from: readonly string[], flags: InitFlags): void {
  if (existsSync(file) && flags.force !== true) {
    throw new UsageError(
      `${shown(file)} already exists`,
      'Name another file, or give --force to overwrite it; nothing was written',
    );
  }
  if (from.some((source) => resolve(source) === resolve(file)))
    throw new UsageError('the inventory to start from is never overwritten', 'Name another file for what portfw adds');
  if (!isVariablesFile(file)) return;
  if (flags.role !== undefined || flags.vip !== undefined) {
    throw new UsageError(
      `--role and --vip cannot be used with ${shown(file)}: its variables are for all hosts`,
      'Leave the file name out: portfw then writes a separate inventory',
    );
  }
  if (from.length === 0) {
    throw new UsageError(
      `${shown(file)} is a file of variables, and there is no inventory beside it`,
      'Name an inventory with --from, or another file',
    );
  }
  // Ansible takes the folder "all" and passes over "all.yaml" from then on.
  const folder = dirname(file);
  const hidden = ['yml', 'yaml', 'json'].map((ending) => `${folder}.${ending}`).find((path) => existsSync(path));
  if (hidden !== undefined && !existsSync(folder)) {
    throw new UsageError(
      `the folder ${shown(folder)} would hide ${shown(hidden)} from Ansible`,
      'Move that file into the folder first, or leave the file name out: portfw then writes a separate inventory',
    );
  }
}

function namesOf(inventory: Inventory) {
  return { hosts: new Set(inventory.hosts.keys()), groups: new Set(inventory.groups.keys()) };
}

/** Where the hosts are reached, unless a vault says it; a host whose variables are wrong is left to lint. */
function addressesOf(inventory: Inventory): readonly string[] {
  const { settings, partial } = readSettings(inventory);
  return [...settings.values(), ...partial.values()].flatMap((host) => {
    const places = [host.locate(['ansible_ssh_host']), host.locate(['ansible_host'])];
    const isSecret = places.some((place) => place !== null && place.secret !== null);
    return isSecret ? [] : [host.connection.address];
  });
}

/** The schema's path: relative where it lies beside the file (a clone, say), else absolute. */
function schemaFor(file: string): string {
  const schema = shippedSchemaFile(isVariablesFile(file) ? 'vars' : 'inventory');
  const near = relative(dirname(resolve(file)), schema);
  return near.startsWith('../../..') || near.length > 80 ? schema : near;
}

/** Writes beside the place and moves it there at once; a file that has appeared meanwhile stays. */
function write(file: string, text: string, force: boolean): void {
  const folder = dirname(resolve(file));
  mkdirSync(folder, { recursive: true });
  const temporary = join(realpathSync(folder), `.${basename(file)}.${process.pid}.tmp`);
  try {
    writeFileSync(temporary, text, { mode: 0o644, flag: 'wx' });
    if (force) renameSync(temporary, file);
    else linkSync(temporary, file);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new UsageError(
      `${shown(file)} cannot be written (${code})`,
      'Check the folder and its rights, or name another file',
    );
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** Says what was written, what lint thinks of it, and what to do next. */
async function report(file: string, from: readonly string[], vault: Vault, terminal: Terminal): Promise<number> {
  terminal.out(`${terminalLine(file)} is written\n`);
  const sources = isVariablesFile(file) ? from : [...from, file];
  const today = new Date().toISOString().slice(0, 10);
  const { problems } = await lintFiles([], { today, vault, together: sources });
  if (problems.length > 0) terminal.out(`\n${problemsText(problems, terminal.style)}`);
  terminal.out(
    `\nNext:\n${nextCommands(file, from)
      .map((command) => `  ${terminalLine(command)}\n`)
      .join('')}`,
  );
  return problems.some((problem) => problem.severity === 'error') ? EXIT.usage : EXIT.done;
}

function openQuestions(terminal: Terminal): { readonly ask: Ask; close(): void } {
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  let closed = false;
  const ask: Ask = (question, fallback) =>
    new Promise((resolve) => {
      if (closed) {
        resolve(null);
        return;
      }
      const giveUp = (): void => resolve(null);
      lines.once('close', giveUp);
      const shownFallback = fallback === '' ? '' : ` [${fallback}]`;
      lines.question(`${terminal.style.bold(question)}${shownFallback} `, (answer) => {
        lines.off('close', giveUp);
        resolve(answer);
      });
    });
  lines.on('SIGINT', () => lines.close());
  lines.on('close', () => {
    closed = true;
  });
  return { ask, close: () => lines.close() };
}
