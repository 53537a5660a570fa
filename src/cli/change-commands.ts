import type { Command } from 'commander';
import { collect, type Done, fleetCommand, wholeNumber } from './command-flags.ts';
import { inventorySources } from './inventory-sources.ts';
import { formatOption } from './review-formats.ts';

const METRICS = 'write metrics for Prometheus to this file (*.prom, for the textfile collector of the node exporter)';

const ACCEPT_LOCKOUT = 'continue with this host although its plan would cut SSH; a host name; may be repeated';

const DETAILS = 'show each change of each host below the summary; -v shows complete lists, too';

const RAW = "show the differences of firewalld's XML files, too";

const ACCEPT_FORWARDING_STOP =
  'continue with this host although its plan stops traffic that is forwarded now; a host name; may be repeated';

/** Adds the flags of a command that writes in the controller's journal. */
function journaled(command: Command): Command {
  return command
    .option('--journal <file>', 'write the run to this journal instead of the one in your state folder')
    .option('--no-journal', 'keep no journal of this run on this machine');
}

/** Commands that plan and make changes, and that show the state afterwards. */
export function changeCommands(program: Command, done: Done, version: string): void {
  shownAs(fleetCommand(program, 'plan', 'show what apply would change, and why; changes nothing'))
    .option('--detailed-exitcode', 'exit with code 2 when changes are pending')
    .option('--metrics <file>', METRICS)
    .option('--accept-lockout <host>', ACCEPT_LOCKOUT, collect)
    .option('--accept-forwarding-stop <host>', ACCEPT_FORWARDING_STOP, collect)
    .option('--out <file>', 'save the plan, for "portfw show" and "portfw apply"')
    .option('--sign <key>', 'with --out: sign it with this OpenSSH key; FILE.pub for a key of the agent')
    .action(async (files, flags) => {
      const { plan } = await import('./commands/plan.ts');
      done(await plan(await inventorySources(files, flags), flags, version));
    });
  journaled(shownAs(fleetCommand(program, 'apply', 'configure the hosts as the matrix says')))
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
    .option('--metrics <file>', METRICS)
    .option('--detailed-exitcode', 'with --dry-run: exit with code 2 when changes are pending')
    .option('--accept-lockout <host>', ACCEPT_LOCKOUT, collect)
    .option('--accept-forwarding-stop <host>', ACCEPT_FORWARDING_STOP, collect)
    .option('--only-current', 'of a saved plan: change the hosts where it still fits, although others have drifted')
    .option(
      '--require-signature <allowed-signers>',
      'of a saved plan: it must be signed by somebody in this allowed_signers file of OpenSSH',
    )
    .option('--signatures <number>', 'how many different people must have signed it (1)', wholeNumber(1, 32))
    .action(async (files, flags) => {
      const { applySaved, savedPlanAmong } = await import('./apply-saved.ts');
      const saved = savedPlanAmong(files, flags);
      if (saved !== null) return done(await applySaved(saved, flags, version));
      const { apply } = await import('./commands/apply.ts');
      done(await apply(await inventorySources(files, flags), flags, version));
    });
  savedPlanCommands(program, done);
  laterCommands(program, done, version);
}

/** What is done about a change afterwards. */
function laterCommands(program: Command, done: Done, version: string): void {
  journaled(fleetCommand(program, 'confirm', 'confirm runs that were started with apply --confirm manual'))
    .option('--revert', 'roll the hosts back now instead')
    .action(async (files, flags) =>
      done(await (await import('./commands/confirm.ts')).confirmRuns(await inventorySources(files, flags), flags)),
    );
  fleetCommand(program, 'status', 'show runs that have not ended, and how the last run ended').action(
    async (files, flags) =>
      done(await (await import('./commands/status.ts')).status(await inventorySources(files, flags), flags)),
  );
  fleetCommand(program, 'history', 'list the generations saved on the hosts, or the runs in the journal')
    .option('--runs', 'show the runs in the journal of this machine instead; contacts no host')
    .option('--check', 'say whether anything is missing in the journals of this machine and of the hosts')
    .option('--journal <file>', 'read this journal instead of the one in your state folder')
    .action(async (files, flags) => {
      const { history, isAboutAllRuns } = await import('./commands/history.ts');
      done(await history(isAboutAllRuns(files, flags) ? [] : await inventorySources(files, flags), flags));
    });
  rollbackCommand(program, done, version);
}

function rollbackCommand(program: Command, done: Done, version: string): void {
  const words =
    'show what a saved generation would change, and restore it; repeated without --to, it undoes the last rollback';
  journaled(shownAs(fleetCommand(program, 'rollback', words)))
    .option(
      '--to <generation>',
      'the generation (see "portfw history"); without it, the newest that differs from the current state',
    )
    .option(
      '--revert-after <time>',
      'restore the current state automatically unless the rollback is kept within this time (60s)',
    )
    .option('-y, --yes', 'roll back without asking')
    .option('--dry-run', 'only show what the rollback would change')
    .option('--out <file>', 'with --dry-run: save the plan, for "portfw show" and "portfw apply"')
    .option('--sign <key>', 'with --out: sign it with this OpenSSH key; FILE.pub for a key of the agent')
    .option('--detailed-exitcode', 'with --dry-run: exit with code 2 when changes are pending')
    .option(
      '--accept-lockout <host>',
      'continue with this host although the generation would cut SSH; a host name; may be repeated',
      collect,
    )
    .action(async (files, flags) =>
      done(
        await (await import('./commands/rollback.ts')).rollback(await inventorySources(files, flags), flags, version),
      ),
    );
}

/** What is done with a saved plan without any host. */
function savedPlanCommands(program: Command, done: Done): void {
  shownAs(program.command('show'))
    .description('show a saved plan; reads only this file and its signatures')
    .argument('<file>', 'a file that "portfw plan --out" has written')
    .option('-v, --verbose', 'show more', (_value, count: number) => count + 1, 0)
    .option('--no-color', 'no colours')
    .action(async (file, flags) => done(await (await import('./commands/show.ts')).show(file, flags)));
  program
    .command('sign')
    .description('sign a saved plan with an OpenSSH key')
    .argument('<file>', 'a file that "portfw plan --out" has written')
    .requiredOption('--key <file>', 'the private key; FILE.pub for a key of the agent')
    .option('--name <name>', 'write FILE.NAME.sig instead of FILE.sig, beside the signatures of others')
    .action(async (file, flags) => done(await (await import('./commands/sign.ts')).sign(file, flags)));
}

/** The flags that say how a review is shown. */
function shownAs(command: Command): Command {
  return command.option('--details', DETAILS).addOption(formatOption()).option('--raw', RAW);
}
