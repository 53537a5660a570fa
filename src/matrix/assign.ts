import { dirname } from 'node:path';
import type { Inventory } from '../ansible/inventory.ts';
import { matchHosts } from '../ansible/patterns/patterns.ts';
import { threeShown } from '../core/lists.ts';
import { Problem, type SourceLocation } from '../core/problem.ts';
import { shellWord } from '../core/shell-word.ts';
import { shown } from '../core/shown.ts';
import { sortProblems } from '../core/sort-problems.ts';
import { terminalLine } from '../core/terminal-text.ts';
import { isLeftOut } from '../settings/left-out.ts';
import type { HostSettings } from '../settings/settings-types.ts';
import { checkSettings } from './check-settings.ts';
import { readPlaybook } from './load-playbook.ts';
import type { Matrix, Play, Playbook } from './matrix.ts';
import { checkProbePeers } from './probe-peers.ts';
import { shippedNames } from './shipped.ts';

/** A play with the managed hosts that it covers, in the inventory's order. */
export interface PlayHosts {
  readonly play: Play;
  readonly hosts: readonly string[];
}

/** The play of each managed host, and the problems of playbooks, matrices and settings together. */
export interface PlayAssignment {
  /** Every managed host that exactly one play covers. */
  readonly plays: ReadonlyMap<string, Play>;
  /** The plays that cover a managed host: playbook by playbook as hosts first name them, and within one as it lists them. */
  readonly order: readonly PlayHosts[];
  readonly problems: readonly Problem[];
}

/** A playbook of the run, with the hosts that name it. */
interface Use {
  readonly playbook: Playbook;
  readonly hosts: ReadonlySet<string>;
  /** For a playbook with errors, its matrices that are known only in part; `null` for one without errors. */
  readonly incomplete: ReadonlySet<Matrix> | null;
}

/**
 * Assigns each host its play and checks its settings against the play's matrix.
 *
 * A host's playbook is the one of `--playbook`, or else its `portfw_playbook`. Hosts that are not managed get no play,
 * but their settings are checked against the play that covers them.
 *
 * @param playbookOverride `--playbook`: a shipped playbook's name, or a path relative to the working directory
 */
export function assignPlays(
  inventory: Inventory,
  settings: ReadonlyMap<string, HostSettings>,
  playbookOverride: string | null,
): PlayAssignment {
  const problems = new ProblemList();
  const plays = new Map<string, Play>();
  const order: PlayHosts[] = [];
  for (const { playbook, hosts, incomplete } of usedPlaybooks(inventory, settings, playbookOverride, problems)) {
    const covering = coveringPlays(inventory, playbook, hosts, settings, problems);
    // A play that cannot be read, or whose pattern is broken, may be the one that covers them.
    const broken = playbook.plays.some((play) => matchHosts(inventory, play.hosts).problems.length > 0);
    if (incomplete === null && !broken) {
      reportUncovered(
        playbook,
        [...hosts].filter((host) => settings.get(host)?.managed === true && !covering.has(host)),
        inventory,
        problems,
      );
    }
    for (const [host, play] of covering) {
      const own = settings.get(host);
      if (own === undefined) continue;
      const complete = incomplete?.has(play.matrix) !== true;
      problems.add(...checkSettings(own, play.matrix, inventory.hosts.get(host)?.location ?? null, complete));
      if (own.managed && incomplete === null) plays.set(host, play);
    }
    for (const play of playbook.plays) {
      const managed = [...hosts].filter((host) => plays.get(host) === play);
      if (managed.length > 0) order.push({ play, hosts: managed });
      problems.add(...checkProbePeers(inventory, settings, play));
    }
  }
  return { plays, order, problems: sortProblems(problems.all) };
}

/** Problems without repetition: a wrong variable of a group is reported once, not for each of its hosts. */
class ProblemList {
  readonly all: Problem[] = [];
  readonly #seen = new Set<string>();

  add(...problems: readonly Problem[]): void {
    for (const problem of problems) {
      const at = problem.location;
      const key = JSON.stringify([problem.code, problem.what, at?.file, at?.line, at?.column]);
      if (this.#seen.has(key)) continue;
      this.#seen.add(key);
      this.all.push(problem);
    }
  }
}

function usedPlaybooks(
  inventory: Inventory,
  settings: ReadonlyMap<string, HostSettings>,
  override: string | null,
  problems: ProblemList,
): Use[] {
  const uses = new Map<string, { location: SourceLocation | null; hosts: Set<string> }>();
  const without: string[] = [];
  for (const host of inventory.hosts.keys()) {
    const own = settings.get(host);
    if (own === undefined) continue;
    const reference = override ?? own.playbook;
    if (reference === null) {
      if (own.managed) without.push(host);
      continue;
    }
    const location = override === null ? own.locate(['portfw_playbook']) : null;
    const use = uses.get(reference) ?? { location, hosts: new Set<string>() };
    use.hosts.add(host);
    uses.set(reference, use);
  }
  if (without.length > 0) {
    const location = inventory.hosts.get(without[0] ?? '')?.location ?? null;
    problems.add(
      new Problem({
        severity: 'error',
        code: 'no-playbook',
        what: `${threeShown(without)} ${without.length === 1 ? 'has' : 'have'} no playbook`,
        solve: `${uses.size > 0 ? 'Set' : `${initHint(inventory, location)}; or set`} portfw_playbook (${shippedNames('playbook').join(', ')}, or a path), or name one with --playbook`,
        location,
      }),
    );
  }
  const found: Use[] = [];
  for (const [reference, { location, hosts }] of uses) {
    const reading = readPlaybook(reference, process.cwd(), location);
    problems.add(...reading.problems);
    if (reading.playbook !== null) found.push({ playbook: reading.playbook, hosts, incomplete: null });
    else if (reading.partial !== undefined) found.push({ ...reading.partial, hosts });
  }
  return found;
}

/** More files than this are named by their folder. */
const MOST_FILES = 4;

/** How to write what portfw needs beside these files, and to read it with them: it may be there already, and not be named. */
function initHint({ files }: Inventory, location: SourceLocation | null): string {
  const named = files.length <= MOST_FILES || location === null ? files : [dirname(location.file)];
  const words = named.map((file) => terminalLine(shellWord(file), 300));
  const write = `Write portfw's own settings with "portfw init${words.map((word) => ` --from ${word}`).join('')}"`;
  return words.length === 0
    ? write
    : `${write}, and name its file too ("${words.map((word) => `-i ${word} `).join('')}-i portfw.yaml")`;
}

/** The one play that covers each host of a playbook; a host in two plays is a problem. */
function coveringPlays(
  inventory: Inventory,
  playbook: Playbook,
  hosts: ReadonlySet<string>,
  settings: ReadonlyMap<string, HostSettings>,
  problems: ProblemList,
): Map<string, Play> {
  const covering = new Map<string, Play>();
  const twice = new Map<Play, string[]>();
  for (const play of playbook.plays) {
    const match = matchHosts(inventory, play.hosts, play.location);
    problems.add(...match.problems);
    const own = match.hosts.filter((host) => hosts.has(host));
    if (own.length === 0 && match.problems.length === 0) {
      problems.add(
        new Problem({
          severity: 'warning',
          code: 'idle-play',
          what: `the play ${shown(play.name)} covers none of the hosts that use this playbook`,
          solve: 'Correct its "hosts", or set portfw_playbook for those that it is meant for',
          location: play.location,
        }),
      );
    }
    for (const host of own) {
      if (!covering.has(host)) covering.set(host, play);
      // No play reaches a host that is left out, so two of them do not contradict each other.
      else if (!isLeftOut(settings.get(host)?.unmanaged ?? null)) twice.set(play, [...(twice.get(play) ?? []), host]);
    }
  }
  for (const [play, names] of twice) {
    const first = covering.get(names[0] ?? '');
    problems.add(
      new Problem({
        severity: 'error',
        code: 'host-in-two-plays',
        what: `${threeShown(names)} ${names.length === 1 ? 'is' : 'are'} in two plays, ${shown(first?.name)} and ${shown(play.name)}`,
        solve: 'A host belongs to one play: remove it from one, for example with ":!host" in "hosts"',
        location: play.location,
      }),
    );
  }
  return covering;
}

function reportUncovered(
  playbook: Playbook,
  hosts: readonly string[],
  inventory: Inventory,
  problems: ProblemList,
): void {
  if (hosts.length === 0) return;
  problems.add(
    new Problem({
      severity: 'error',
      code: 'no-play',
      what: `${threeShown(hosts)} ${hosts.length === 1 ? 'is' : 'are'} in no play of the playbook ${shown(playbook.name)}`,
      solve: `Add ${hosts.length === 1 ? 'it' : 'them'} to the "hosts" of a play in ${playbook.file}, or set portfw_managed: false`,
      location: inventory.hosts.get(hosts[0] ?? '')?.location ?? null,
    }),
  );
}
