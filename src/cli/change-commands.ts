import type { Command } from 'commander';
import { collect, type Done, fleetCommand } from './command-flags.ts';
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
    .action(async (files, flags) =>
      done(await (await import('./commands/plan.ts')).plan(await inventorySources(files, flags), flags, version)),
    );
  journaled(fleetCommand(program, 'apply', 'configure the hosts as the matrix says'))
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
    .action(async (files, flags) =>
      done(await (await import('./commands/apply.ts')).apply(await inventorySources(files, flags), flags, version)),
    );
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
    .action(async (files, flags) =>
      done(await (await import('./commands/history.ts')).history(await inventorySources(files, flags), flags)),
    );
  journaled(fleetCommand(program, 'rollback', 'restore a saved generation on the hosts'))
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

/** The flags that say how a review is shown. */
function shownAs(command: Command): Command {
  return command.option('--details', DETAILS).addOption(formatOption()).option('--raw', RAW);
}
