import { counted } from '../../core/lists.ts';
import { terminalLine } from '../../core/terminal-text.ts';
import { confirm } from '../confirm.ts';
import { requireConsent, runOverFleet } from '../fleet-command.ts';
import { type GuardFlags, guardSettings } from '../guard-flags.ts';
import type { RunFlags } from '../run-flags.ts';

interface RollbackFlags extends RunFlags, Pick<GuardFlags, 'revertAfter'> {
  readonly to?: string;
  readonly yes?: boolean;
}

/** `portfw rollback INVENTORY [--to GENERATION] [--yes]`. */
export function rollback(sources: readonly string[], flags: RollbackFlags): Promise<number> {
  requireConsent(flags, 'rollback');
  const generation = flags.to ?? null;
  const guard = guardSettings(flags);
  return runOverFleet(sources, flags, {
    matrix: 'optional',
    journaledAs: 'rollback',
    context: { guard },
    confirm: async (hosts, { terminal, interruption }) => {
      if (flags.yes === true) return true;
      const to =
        generation === null
          ? 'the newest saved generation that differs from the current state'
          : `generation ${terminalLine(generation)}`;
      const names = hosts.slice(0, 20).map((host) => terminalLine(host));
      terminal.out(`${names.join(', ')}${hosts.length > names.length ? ', …' : ''}\n`);
      return confirm(`Return ${counted(hosts.length, 'host')} to ${to}? Type "yes" to continue: `, interruption);
    },
    command: () => ({ kind: 'rollback', generation }),
  });
}
