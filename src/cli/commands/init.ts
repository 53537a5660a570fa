import { existsSync, mkdirSync, realpathSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { type Inventory, loadInventory } from '../../ansible/inventory.ts';
import { Vault } from '../../ansible/vault/vault.ts';
import { shown } from '../../core/shown.ts';
import { terminalLine } from '../../core/terminal-text.ts';
import { loadPlaybook } from '../../matrix/load-playbook.ts';
import { shippedNames, shippedSchemaFile } from '../../matrix/shipped.ts';
import { problemsText } from '../../report/terminal/problems-text.ts';
import { wrapped } from '../../report/terminal/wrap.ts';
import { isLeftOut, leftOut, leftOutText } from '../../settings/left-out.ts';
import { readSettings } from '../../settings/read-settings.ts';
import { sshConfigFiles } from '../../transport/target.ts';
import { usableConfig } from '../ansible-config.ts';
import { EXIT, exitCodeOf } from '../exit-codes.ts';
import { type Ask, GaveUp, type InitFlags, initAnswers } from '../init-answers.ts';
import { type Look, look, lookFlags, type PlanLook, planAll } from '../init-look.ts';
import { foundAnswers, withAnswers } from '../init-look-answers.ts';
import { type LookText, lookText } from '../init-look-text.ts';
import { type InitWorld, readPlaybook } from '../init-readers.ts';
import { screenText } from '../init-screen.ts';
import { type InitFile, initText, isVariablesFile, nextCommands } from '../init-text.ts';
import { inventoryOptions } from '../inventory-options.ts';
import { ADDITIONS } from '../inventory-sources.ts';
import { LOOK_FLAGS, type RunFlags } from '../run-flags.ts';
import { openTerminal, type Terminal } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';
import { vaultFrom } from '../vault-flags.ts';
import { writeWholeFile } from '../whole-file.ts';
import { lintFiles } from './lint.ts';

/**
 * `portfw init [FILE] [--from INVENTORY [--look]]`: writes a first inventory, or what an Ansible inventory that is there lacks,
 * beside it; with `--look` from what the hosts show. What is there stays as it is: nothing is overwritten without `--force`, and
 * the file appears whole or not at all.
 */
export async function init(name: string | null, flags: InitFlags): Promise<number> {
  const terminal = openTerminal(flags.color ?? true);
  const from = flags.from ?? [];
  const file = name ?? (from.length === 0 ? 'inventory.yaml' : ADDITIONS);
  checkPlace(file, from, flags);
  checkLook(file, flags);
  usableConfig();
  // Nothing of a first inventory is encrypted: no password is asked for.
  const vault = from.length === 0 ? new Vault([]) : await vaultFrom(flags);
  const inventory = from.length === 0 ? null : await load(from, vault);
  const playbooks = shippedNames('playbook');
  const world: InitWorld = {
    existing: inventory === null ? null : namesOf(inventory),
    playbooks,
    loadPlaybook: (one) => loadPlaybook(one),
  };
  const run = lookFlags(flags, vault);
  const seen = flags.look === true ? await look(from, run, triedPlaybooks(flags, world)) : null;
  if (seen !== null && (seen.interrupted || seen.seen === 0)) return nothingSeen(seen, terminal);
  const context: InitFile = {
    file,
    from,
    schema: schemaFor(file),
    playbooks,
    ...(inventory === null ? { addresses: [], leftOut: [] } : knownOf(inventory)),
  };
  const asking = flags.yes !== true && terminal.interactive ? openQuestions(terminal) : null;
  let written: LookText | null = null;
  try {
    const found = seen === null ? undefined : foundAnswers(seen.proposals);
    const answers = await initAnswers(flags, world, asking?.ask ?? null, found);
    if (seen !== null)
      written = lookText(
        withAnswers(seen.proposals, answers, {
          insists: flags.playbook !== undefined,
          membersOf: (group) => inventory?.groups.get(group)?.allHosts ?? [],
        }),
        answers,
        context,
      );
    write(file, written?.text ?? initText(answers, context), flags.force === true);
  } catch (error) {
    if (!(error instanceof GaveUp)) throw error;
    terminal.error('\nnothing was written\n');
    return EXIT.interrupted;
  } finally {
    asking?.close();
  }
  terminal.out(`${written === null ? '' : '\n'}${writtenText(context)}`);
  return written === null ? report(file, from, vault, terminal) : closeLook(context, written, run, vault, terminal);
}

/** Refuses `--look` where it has nothing to look at or no place to write, and its flags without it. */
function checkLook(file: string, flags: InitFlags): void {
  if (flags.look !== true) {
    const alone = LOOK_FLAGS.filter((flag) => flag !== 'color' && flag !== 'forks' && flag !== 'verbose').find(
      (flag) => flags[flag] !== undefined,
    );
    if (alone === undefined) return;
    const written = `--${alone.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    throw new UsageError(`${written} is only for --look`, 'Add --look to contact the hosts, or leave it out');
  }
  if (flags.from === undefined)
    throw new UsageError('--look needs an inventory to look at', 'Name it: portfw init --from hosts.ini --look');
  if (isVariablesFile(file)) {
    throw new UsageError(
      `--look cannot write ${shown(file)}: its variables are for all hosts, and hosts may differ`,
      'Leave the file name out: portfw then writes a separate inventory',
    );
  }
}

/** The playbooks that the hosts are held against: that of the flag, or all that ship. */
function triedPlaybooks(flags: InitFlags, world: InitWorld): readonly string[] {
  if (flags.playbook === undefined) return world.playbooks;
  const read = readPlaybook(flags.playbook, world);
  if (typeof read === 'string') throw new UsageError(`--playbook: ${read}`, 'Correct it, or leave it out');
  return [read.playbook];
}

/** Says what was written, and which hosts are marked in it as not for portfw: a file of variables has no place for that. */
function writtenText({ file, leftOut: out }: InitFile): string {
  const marked =
    out.length === 0 || isVariablesFile(file) ? '' : `portfw_managed: false is written for ${leftOutText(out)}\n`;
  return `${terminalLine(file)} is written\n${marked}`;
}

/** The run has said of each host why. */
function nothingSeen({ interrupted }: Look, terminal: Terminal): number {
  terminal.error(
    interrupted
      ? '\nnothing was written\n'
      : wrapped(
          '\nNo host could be looked at: nothing was written. Without --look, init contacts no host.\n',
          terminal.errorWidth,
        ),
  );
  return interrupted ? EXIT.interrupted : EXIT.unreachable;
}

/** Lints and plans what was written, and says what is left to decide. */
async function closeLook(
  { file, from }: InitFile,
  written: LookText,
  run: RunFlags,
  vault: Vault,
  terminal: Terminal,
): Promise<number> {
  terminal.out('\n');
  const today = new Date().toISOString().slice(0, 10);
  const sources = [...from, file];
  const sshConfig = sshConfigFiles(run.sshConfig ?? null);
  const { problems } = await lintFiles([], { today, vault, together: sources, sshConfig });
  const errors = problems.filter((problem) => problem.severity === 'error');
  const plan: PlanLook = errors.length > 0 ? { kind: 'not-planned', problems: [] } : await planAll(sources, run);
  const next = nextCommands(file, from);
  const closing = screenText({ file, written, problems, plan, next }, terminal.style);
  terminal.out(`\n${wrapped(closing, terminal.width)}`);
  return plan.kind === 'planned' ? exitCodeOf(plan.summary, false) : EXIT.usage;
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

/**
 * Where the hosts are reached, unless a vault says it, and which of them are not for portfw; a host whose variables are wrong
 * is left to lint.
 */
function knownOf(inventory: Inventory): Pick<InitFile, 'addresses' | 'leftOut'> {
  const { settings, partial } = readSettings(inventory);
  const addresses = [...settings.values(), ...partial.values()].flatMap((host) => {
    const places = [host.locate(['ansible_ssh_host']), host.locate(['ansible_host'])];
    const isSecret = places.some((place) => place !== null && place.secret !== null);
    return isSecret || isLeftOut(host.unmanaged) ? [] : [host.connection.address];
  });
  return { addresses, leftOut: leftOut(settings.values()) };
}

/** The schema's path: relative where it lies beside the file (a clone, say), else absolute. */
function schemaFor(file: string): string {
  const schema = shippedSchemaFile(isVariablesFile(file) ? 'vars' : 'inventory');
  const near = relative(dirname(resolve(file)), schema);
  return near.startsWith('../../..') || near.length > 80 ? schema : near;
}

/** Writes the file as a whole; without `force`, one that has appeared meanwhile stays. */
function write(file: string, text: string, force: boolean): void {
  const folder = dirname(resolve(file));
  try {
    mkdirSync(folder, { recursive: true });
    writeWholeFile(join(realpathSync(folder), basename(file)), text, null, !force);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new UsageError(
      `${shown(file)} cannot be written (${code})`,
      'Check the folder and its rights, or name another file',
    );
  }
}

/** Says what was written, what lint thinks of it, and what to do next. */
async function report(file: string, from: readonly string[], vault: Vault, terminal: Terminal): Promise<number> {
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
      const prompt = wrapped(`${terminal.style.bold(question)}${shownFallback}`, terminal.width);
      lines.question(`${prompt} `, (answer) => {
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
