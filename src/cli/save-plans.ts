import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Inventory } from '../ansible/inventory.ts';
import { concealed } from '../core/concealed.ts';
import { InputError, Problem, type SourceLocation } from '../core/problem.ts';
import { terminalLine } from '../core/terminal-text.ts';
import type { FilesRead } from '../documents/read-file.ts';
import type { HostOutcome, RunSummary } from '../fleet/events.ts';
import { isPath, shippedName } from '../matrix/shipped.ts';
import {
  type HostLook,
  SAVED_FORMAT,
  type SavedContents,
  type SavedHost,
  type SavedInput,
  type SavedWithoutPlan,
} from '../saved/saved-plan.ts';
import type { RunFlags } from './run-flags.ts';

/** What a run that planned leaves to be saved. */
export interface ToSave {
  readonly kind: SavedContents['kind'];
  readonly version: string;
  readonly today: string;
  readonly sources: readonly string[];
  readonly flags: RunFlags;
  readonly files: FilesRead;
  readonly inventory: Inventory;
  readonly summary: RunSummary;
  /** What each plan was made of. */
  readonly looks: ReadonlyMap<string, HostLook>;
}

/** The contents of a saved plan, without what this machine or this moment would add. */
export function contentsToSave(given: ToSave): SavedContents {
  const { kind, version, today, sources, flags, files, inventory, summary, looks } = given;
  return {
    format: SAVED_FORMAT,
    kind,
    portfw: version,
    today,
    options: {
      inventory: sources.map(portable),
      playbook:
        flags.playbook === undefined ? null : isPath(flags.playbook) ? portable(flags.playbook) : flags.playbook,
      limit: flags.limit ?? null,
      acceptLockout: [...new Set(flags.acceptLockout)].sort(),
      acceptForwardingStop: [...new Set(flags.acceptForwardingStop)].sort(),
    },
    inputs: savedInputs(files),
    hosts: [...summary.outcomes].map(([host, outcome]) =>
      savedHost(host, inventory.hosts.get(host)?.groups ?? [], outcome, looks.get(host)),
    ),
  };
}

/** The files of a run as a saved plan has them, sorted. */
export function savedInputs(files: FilesRead): readonly SavedInput[] {
  const inputs = new Map([...files].map(([file, sha256]) => [shippedName(file) ?? portable(file), sha256]));
  return [...inputs].map(([file, sha256]) => ({ path: file, sha256 })).sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** A path as another machine has it, relative to the current folder; a list of hosts as it is. */
function portable(source: string): string {
  if (source.includes(',') && !existsSync(source)) return source;
  const relative = path.relative(process.cwd(), path.resolve(source));
  return relative === '' ? '.' : relative;
}

function savedHost(
  host: string,
  groups: readonly string[],
  outcome: HostOutcome,
  look: HostLook | undefined,
): SavedHost {
  if (outcome.kind === 'planned' || outcome.kind === 'unchanged') {
    if (look === undefined) throw new Error(`nothing is known of ${host}, whose plan is to be saved`);
    return { kind: 'plan', host, groups, ...look, plan: outcome.plan };
  }
  return { kind: 'without', host, groups, without: withoutOf(outcome) };
}

function withoutOf(outcome: HostOutcome): SavedWithoutPlan['without'] {
  switch (outcome.kind) {
    case 'refused':
    case 'unreachable':
    case 'failed': {
      const { code, what, details, solve } = outcome.failure;
      // Nobody applies these texts, so a secret in them may be left out, as on the terminal.
      return {
        kind: outcome.kind,
        code,
        what: concealed(what),
        details: details.map(concealed),
        solve: concealed(solve),
      };
    }
    case 'skipped':
      return { kind: 'skipped', code: 'skipped', what: concealed(outcome.because), details: [], solve: 'Plan again' };
    default:
      throw new Error(`a run that plans ended with ${outcome.kind}`);
  }
}

/** Keys whose values are digests: in their digits a short secret may be found by chance. */
const DIGESTS: ReadonlySet<string> = new Set(['sha256', 'digest', 'observedHash', 'permanentHash', 'fingerprint']);

/** A part of a saved plan that must not be shown. */
interface Found {
  readonly host: string | null;
  /** Where it is, by keys. */
  readonly at: string;
  readonly text: string;
}

/**
 * Makes sure that nothing in a plan comes out of a vault. The plan could not be saved without it: what is sent to the host would
 * be left out.
 *
 * @throws InputError that names the variables
 */
export function requireNoSecrets(contents: SavedContents, inventory: Inventory): void {
  const found = [
    ...secretsIn({ ...contents, hosts: [] }, ''),
    ...contents.hosts.flatMap((one) => secretsIn(one, '').map((each) => ({ ...each, host: one.host }))),
  ];
  const problems = new Map<string, Problem>();
  for (const each of found) {
    for (const { what, location } of blamed(each, inventory)) {
      const problem = new Problem({
        severity: 'error',
        code: 'secret-in-plan',
        what,
        solve:
          'A saved plan holds no secret. Take this value out of the vault if it is none; or apply without saving the plan',
        location,
      });
      problems.set(JSON.stringify([what, location]), problem);
    }
  }
  if (problems.size > 0) throw new InputError([...problems.values()]);
}

function secretsIn(value: unknown, at: string): readonly Found[] {
  if (typeof value === 'string') return concealed(value) === value ? [] : [{ host: null, at, text: value }];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) =>
    DIGESTS.has(key) ? [] : [...secretsIn(key, at), ...secretsIn(item, at === '' ? key : `${at}.${key}`)],
  );
}

/** The variables that a secret may have come from, or the place in the plan where none is known. */
function blamed(
  { host, at, text }: Found,
  inventory: Inventory,
): readonly { readonly what: string; readonly location: SourceLocation | null }[] {
  const hosts = host === null ? [...inventory.hosts.values()] : [inventory.hosts.get(host)].filter((one) => !!one);
  const names = hosts.flatMap((one) =>
    [...one.variables].flatMap(([name, variable]) => {
      const location = variable.locate();
      const secret = variable.evaluation?.secret === true || (location !== null && location.secret !== null);
      return secret && holds(variable.plain, text) ? [{ name, location }] : [];
    }),
  );
  const place = host === null ? 'the plan' : `the plan of ${terminalLine(host)}`;
  if (names.length === 0)
    return [{ what: `${place} would hold something that comes from a vault (${terminalLine(at)})`, location: null }];
  return names.map(({ name, location }) => ({
    what: `${place} would hold the value of ${terminalLine(name)}, which comes from a vault`,
    // The text says nothing of the value, so the place may be told.
    location: location === null ? null : { ...location, secret: null },
  }));
}

/** Whether a text holds a value, or a part of one. */
function holds(value: unknown, text: string): boolean {
  if (typeof value === 'string') return value.trim() !== '' && text.includes(value.trim());
  return typeof value === 'object' && value !== null && Object.values(value).some((item) => holds(item, text));
}
