import type { Command } from 'commander';
import { collect, type Done, fleetCommand } from './command-flags.ts';
import { inventorySources } from './inventory-sources.ts';

const METRICS = 'write metrics for Prometheus to this file (*.prom, for the textfile collector of the node exporter)';

const ACCEPT_LOCKOUT = 'continue with this host although its plan would cut SSH; a host name; may be repeated';

const DETAILS = 'show each change of each host below the summary; -v shows complete lists, too';

const ACCEPT_FORWARDING_STOP =
  'continue with this host although its plan stops traffic that is forwarded now; a host name; may be repeated';

/** Commands that plan and make changes, and that show the state afterwards. */
export function changeCommands(program: Command, done: Done, version: string): void {
  fleetCommand(program, 'plan', 'show what apply would change, and why; changes nothing')
    .option('--details', DETAILS)
    .option('--detailed-exitcode', 'exit with code 2 when changes are pending')
    .option('--metrics <file>', METRICS)
    .option('--accept-lockout <host>', ACCEPT_LOCKOUT, collect)
    .option('--accept-forwarding-stop <host>', ACCEPT_FORWARDING_STOP, collect)
    .action(async (files, flags) =>
      done(await (await import('./commands/plan.ts')).plan(await inventorySources(files, flags), flags, version)),
    );
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
    .option('--details', DETAILS)
    .option('--dry-run', 'only plan: the same as "portfw plan"')
    .option('--metrics <file>', METRICS)
    .option('--detailed-exitcode', 'with --dry-run: exit with code 2 when changes are pending')
    .option('--accept-lockout <host>', ACCEPT_LOCKOUT, collect)
    .option('--accept-forwarding-stop <host>', ACCEPT_FORWARDING_STOP, collect)
    .action(async (files, flags) =>
      done(await (await import('./commands/apply.ts')).apply(await inventorySources(files, flags), flags, version)),
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
  rollbackCommand(program, done);
}

function rollbackCommand(program: Command, done: Done): void {
  fleetCommand(
    program,
    'rollback',
    'show what a saved generation would change, and restore it; repeated without --to, it undoes the last rollback',
  )
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
    .option('--details', DETAILS)
    .option('--detailed-exitcode', 'with --dry-run: exit with code 2 when changes are pending')
    .option(
      '--accept-lockout <host>',
      'continue with this host although the generation would cut SSH; a host name; may be repeated',
      collect,
    )
    .action(async (files, flags) =>
      done(await (await import('./commands/rollback.ts')).rollback(await inventorySources(files, flags), flags)),
    );
}
