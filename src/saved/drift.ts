import { canonical } from '../core/canonical.ts';
import { describeChange } from '../plan/change-words.ts';
import type { Change, ReviewedPlan } from '../plan/plan.ts';
import type { HostIdentity, HostLook, SavedHostPlan, SavedInput } from './saved-plan.ts';

/** Lines of one part of a diff that are shown; the others are counted. */
const MOST_LINES = 20;

/** What differs between a saved plan and the host as it is now, in lines that people read; none if nothing does. */
export function driftOf(saved: SavedHostPlan, now: HostLook, plan: ReviewedPlan | null): readonly string[] {
  const observed = plan === null ? seenAlone(saved, now) : seenDrift(saved, now, plan.observedHash);
  return [
    ...identityDrift(saved.identity, now.identity),
    ...(saved.firewalld === now.firewalld
      ? []
      : [`firewalld: ${saved.firewalld ?? 'not installed'} → ${now.firewalld ?? 'not installed'}`]),
    ...observed,
    ...(plan === null ? [] : [...planDrift(saved.plan, plan, observed.length > 0), ...proofDrift(saved.plan, plan)]),
  ];
}

/** Whether the host is as the saved plan would leave it, with nothing left to do. */
export function isAlreadyApplied(saved: ReviewedPlan, now: ReviewedPlan): boolean {
  if (saved.kind === 'rollback' && now.kind === 'rollback')
    return (
      saved.disruption.kind !== 'none' &&
      now.disruption.kind === 'none' &&
      canonical(saved.generation) === canonical(now.generation)
    );
  return (
    saved.kind === 'apply' &&
    now.kind === 'apply' &&
    saved.changes.length > 0 &&
    now.changes.length === 0 &&
    canonical(saved.result) === canonical(now.result)
  );
}

/** Another host key, with both fingerprints. */
export function identityDrift(saved: HostIdentity | null, now: HostIdentity | null): readonly string[] {
  if (saved?.fingerprint === now?.fingerprint) return [];
  return [`host key: ${keyText(saved)} → ${keyText(now)}`];
}

function keyText(key: HostIdentity | null): string {
  return key === null ? 'none (this machine)' : `${key.type} ${key.fingerprint}`;
}

/** What is seen to differ where no plan could be made anew; nothing where firewalld could not be read either. */
function seenAlone(saved: HostLook, now: HostLook): readonly string[] {
  return now.seen.length === 0 ? [] : diffLines(saved.seen, now.seen);
}

function seenDrift(saved: SavedHostPlan, now: HostLook, hash: string): readonly string[] {
  if (saved.plan.observedHash === hash) return [];
  const lines = diffLines(saved.seen, now.seen);
  return lines.length > 0 ? lines : ['the state of firewalld differs in what portfw does not list'];
}

/** Warnings without which the plan was reviewed: that SSH gets in afterwards is proved in another way now, or not at all. */
const PROOF: ReadonlySet<string> = new Set(['not-rehearsed', 'lockout-accepted']);

function proofDrift(saved: ReviewedPlan, now: ReviewedPlan): readonly string[] {
  const had = new Set(saved.notes.map(({ code }) => code));
  return now.notes.flatMap(({ code, text }) =>
    PROOF.has(code) && !had.has(code) ? [`+ the plan: warning: ${text}`] : [],
  );
}

/** What a new plan sends that the saved one does not, and the other way round. */
function planDrift(saved: ReviewedPlan, now: ReviewedPlan, explained: boolean): readonly string[] {
  if (saved.kind !== now.kind) return ['the plan is of another kind'];
  const other = generationDrift(saved, now);
  // Where the saved rollback does nothing, it does not matter what a new one would do.
  if (other.length > 0 || (saved.kind === 'rollback' && saved.disruption.kind === 'none')) return other;
  const texts = (changes: readonly Change[]) => changes.map(describeChange);
  const lines = diffLines(texts(saved.changes), texts(now.changes)).map(
    (line) => `${line[0]} the plan: ${line.slice(2)}`,
  );
  if (lines.length > 0) return lines;
  const sent = (plan: ReviewedPlan) =>
    canonical(plan.kind === 'apply' ? [plan.changes, plan.steps, plan.result] : plan.changes);
  return explained || sent(saved) === sent(now)
    ? []
    : ['the plan has the same changes, with other reasons or other steps'];
}

function generationDrift(saved: ReviewedPlan, now: ReviewedPlan): readonly string[] {
  if (saved.kind !== 'rollback' || now.kind !== 'rollback') return [];
  if (saved.generation.id !== now.generation.id) return [`generation: ${saved.generation.id} → ${now.generation.id}`];
  return canonical(saved.generation) === canonical(now.generation)
    ? []
    : [`generation ${saved.generation.id} is not the one that was saved: its contents differ`];
}

/**
 * What became of the files that the plans were made from.
 *
 * @param moved whether other inventories were named than when the plan was saved: then a file is also the same in another folder
 */
export function inputDrift(
  saved: readonly SavedInput[],
  now: readonly SavedInput[],
  moved: boolean,
): readonly string[] {
  const current = new Map(now.map((input) => [input.path, input.sha256]));
  const before = new Map(saved.map((input) => [input.path, input.sha256]));
  const nameOf = (path: string) => path.slice(path.lastIndexOf('/') + 1);
  const places = (inputs: readonly SavedInput[]) =>
    new Set(inputs.map(({ path, sha256 }) => `${nameOf(path)} ${sha256}`));
  const [placesBefore, placesNow] = [places(saved), places(now)];
  const isAmong = (among: ReadonlySet<string>, { path, sha256 }: SavedInput) =>
    moved && among.has(`${nameOf(path)} ${sha256}`);
  return [
    ...saved.flatMap((input) => {
      const sha256 = current.get(input.path);
      if (sha256 === input.sha256 || isAmong(placesNow, input)) return [];
      return [sha256 === undefined ? `- file ${input.path}: no longer read` : `~ file ${input.path}: it has changed`];
    }),
    ...now.flatMap((input) =>
      before.has(input.path) || isAmong(placesBefore, input)
        ? []
        : [`+ file ${input.path}: not read when the plan was saved`],
    ),
  ];
}

/** `- line` for what is gone, `+ line` for what is new; the first ones, and how many more there are. */
function diffLines(before: readonly string[], after: readonly string[]): readonly string[] {
  const [was, is] = [new Set(before), new Set(after)];
  const lines = [
    ...before.filter((line) => !is.has(line)).map((line) => `- ${line}`),
    ...after.filter((line) => !was.has(line)).map((line) => `+ ${line}`),
  ];
  const more = lines.length - MOST_LINES;
  return more > 0 ? [...lines.slice(0, MOST_LINES), `~ and ${more} more lines`] : lines;
}
