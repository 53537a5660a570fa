import type { Vault } from '../ansible/vault/vault.ts';
import type { SecretName } from '../core/environment.ts';
import { InputError, type Problem } from '../core/problem.ts';
import type { Secret } from '../core/secret.ts';
import type { HostOutcome, RunSummary } from '../fleet/events.ts';
import { assignPlays } from '../matrix/assign.ts';
import { loadPlaybook } from '../matrix/load-playbook.ts';
import type { Candidate, MissedHost, Proposal, SeenHost } from '../propose/proposals.ts';
import { propose } from '../propose/propose.ts';
import { leftOut } from '../settings/left-out.ts';
import type { HostSettings } from '../settings/settings-types.ts';
import { runOverFleet, type TakenRun } from './fleet-command.ts';
import type { InitFlags } from './init-answers.ts';
import type { RunFlags } from './run-flags.ts';

/** What a look at the hosts gave. */
export interface Look {
  readonly proposals: readonly Proposal[];
  readonly seen: number;
  readonly interrupted: boolean;
}

/** The flags for the runs over the hosts: how to log in, and what this process knows already. */
export function lookFlags(flags: InitFlags, vault: Vault): RunFlags {
  const { verbose = 0, color = true } = flags;
  // What goes into the file is not for the runs: they read it there.
  const { playbook: _playbook, ...login } = flags;
  return { ...login, verbose, color, vault, asked: new Map<SecretName, Secret>() };
}

/**
 * Contacts the hosts of an inventory, reads their facts (nothing is changed), and works out what to write.
 *
 * @param playbooks those to try; a host's own one is tried too
 * @throws InputError when a file is wrong
 */
export async function look(from: readonly string[], flags: RunFlags, playbooks: readonly string[]): Promise<Look> {
  const lookFor = playbooks.flatMap((name) => loadPlaybook(name).plays.map((play) => play.matrix));
  const taken: TakenRun[] = [];
  await runOverFleet(from, flags, {
    matrix: 'optional',
    context: { lookFor },
    command: () => ({ kind: 'facts' }),
    take: (run) => {
      taken.push(run);
    },
  });
  const { summary, context } = taken[0]!;
  const { inventory, settings, jobs } = context;
  const hosts: SeenHost[] = [];
  const missed: MissedHost[] = [];
  for (const [name, outcome] of summary.outcomes) {
    const job = jobs.get(name)!;
    const through = job.target.kind === 'ssh' && job.target.route.kind !== 'direct';
    if (outcome.kind === 'facts')
      hosts.push({ name, settings: job.settings, facts: outcome.facts, throughOther: through });
    else missed.push({ name, settings: job.settings, why: whyOf(outcome, job.settings) });
  }
  const own = [...settings.values()].flatMap(({ managed, playbook }) => (managed ? (playbook ?? []) : []));
  const candidates = [...new Set([...playbooks, ...own])].map((name): Candidate => {
    const { plays } = assignPlays(inventory, settings, name);
    return { name, playOf: (host) => plays.get(host) ?? null };
  });
  const groups = [...inventory.groups].filter(([name]) => name !== 'all' && name !== 'ungrouped');
  const proposals = propose({
    hosts,
    missed,
    groups: new Map(groups.map(([name, { allHosts }]) => [name, allHosts])),
    leftOut: leftOut(settings.values()),
    playbooks: candidates,
  });
  return { proposals, seen: hosts.length, interrupted: summary.interrupted };
}

function whyOf(outcome: HostOutcome, settings: HostSettings): string {
  // The reason may hold the address, and the file that it is written into is not encrypted.
  const places = [settings.locate(['ansible_ssh_host']), settings.locate(['ansible_host'])];
  if (places.some((place) => place !== null && place.secret !== null)) return `it ended as ${outcome.kind}`;
  switch (outcome.kind) {
    case 'unreachable':
    case 'refused':
    case 'failed':
      return outcome.failure.what;
    case 'skipped':
      return outcome.because;
    default:
      return `it ended as ${outcome.kind}`;
  }
}

/** What a plan of the hosts says, or why there is none. */
export type PlanLook =
  | { readonly kind: 'planned'; readonly summary: RunSummary }
  | { readonly kind: 'not-planned'; readonly problems: readonly Problem[] };

/** Plans all hosts (read-only) without showing the plans. */
export async function planAll(sources: readonly string[], flags: RunFlags): Promise<PlanLook> {
  const taken: TakenRun[] = [];
  try {
    await runOverFleet(sources, flags, {
      matrix: 'required',
      command: () => ({ kind: 'plan' }),
      take: (run) => {
        taken.push(run);
      },
    });
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { kind: 'not-planned', problems: error.problems };
  }
  return { kind: 'planned', summary: taken[0]!.summary };
}
