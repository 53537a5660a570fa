import { type AddressRanges, intersect, networksOf, subtract } from '../core/address-ranges.ts';
import type { HostFacts } from '../facts/facts.ts';
import { isOurs } from '../firewalld/model.ts';
import type { ObservedFirewalld } from '../firewalld/observed.ts';
import type { PolicyNote, PolicyRefusal } from '../policy/desired.ts';
import { relevantDirectRules } from './proof-direct.ts';
import type { Filter, Refusal } from './proof-dispatch.ts';
import { zoneOfInterface } from './proof-dispatch.ts';
import { type FilterFacts, filtersOf } from './proof-filters.ts';
import { controllerWays, type ManagementSource, managementWays, type Place, shutOut, type Way } from './proof-ways.ts';
import type { StepOutcome } from './step-outcome.ts';

export type { ManagementSource } from './proof-ways.ts';

export interface LockoutInput {
  readonly facts: Pick<HostFacts, 'controllerPath' | 'interfaces'> & Partial<Pick<HostFacts, 'sockets'>>;
  readonly firewalld: FilterFacts;
  readonly observed: ObservedFirewalld;
  /** What the plan's steps lead to. */
  readonly outcome: StepOutcome;
  /** Whether the plan reloads firewalld, which puts into force what is pending in the files of others. */
  readonly reload: boolean;
  /** Whether the plan starts firewalld: until then everything gets in, and then the files decide. */
  readonly starts?: boolean;
  /** Whether the plan changes anything: one that does not can lock nobody out, and is never refused. */
  readonly changes: boolean;
  /** `portfw_management`, resolved. */
  readonly management: readonly ManagementSource[];
}

/** What the proof came to. */
export interface LockoutVerdict {
  /** Why the plan must not be carried out, each with the rule that would cut SSH and the line to add. */
  readonly refusals: readonly PolicyRefusal[];
  /** What cannot be proved either way, and what would cut SSH with or without the plan. */
  readonly notes: readonly PolicyNote[];
}

/** A moment at which SSH must get in, beside what it was before. */
interface Stage {
  readonly when: '' | ' after a reload or reboot';
  readonly after: Filter;
  /** `null`: nothing was filtered. */
  readonly before: Filter | null;
}

/** One finding: a rule that keeps some sources of a way out at one stage. */
interface Finding {
  readonly way: Way;
  readonly stage: Stage;
  readonly refusal: Refusal & { readonly place: Place };
}

/**
 * The proof before the first write: whether our own way in and every address of `portfw_management` still get in by SSH,
 * right after the change, and after a reload or reboot. Pure; from facts and plan alone.
 *
 * Our own way is refused where a zone of ours would cut it, or anything else that lets it in now. A management address is
 * refused wherever it would not get in. What facts cannot tell (a MAC, a rate, direct rules) is a refusal where the plan
 * makes it so, and a note where it is so already.
 */
export function lockout(input: LockoutInput): LockoutVerdict {
  const filters = filtersOf(input);
  const start: Stage = { when: '', after: filters.boot.after, before: null };
  const stages: Stage[] =
    input.starts === true
      ? [start]
      : [
          {
            when: '',
            after: input.reload ? (filters.reloaded ?? filters.boot.after) : filters.now.after,
            before: filters.now.before,
          },
          {
            when: ' after a reload or reboot',
            after: filters.boot.after,
            // A reload puts into force what waits in the files: whatever was let in at runtime only ends with it.
            before: input.reload ? filters.now.before : filters.boot.before,
          },
        ];
  const { ways, doubts } = managementWays(input.facts, input.management);
  const refused: Finding[] = [];
  const notes: PolicyNote[] = doubts.map((text) => warning('management-unknown', `portfw_management: ${text}`));
  for (const way of [...controllerWays(input.facts), ...ways]) {
    for (const stage of stages) {
      const judged = judge(way, stage, input.changes);
      refused.push(...judged.refused);
      notes.push(...judged.notes);
      // What is cut at once is cut after a reboot as well: said once.
      if (judged.refused.length > 0) break;
    }
  }
  return { refusals: grouped(refused, input), notes: [...unique(notes), ...directNotes(input)] };
}

function judge(way: Way, stage: Stage, changes: boolean): { refused: Finding[]; notes: PolicyNote[] } {
  const cut = shutOut(way, stage.after, false);
  const refused: Finding[] = [];
  const notes: PolicyNote[] = [];
  // What got in before, for certain; of a way that is guessed nothing follows from it.
  let before: AddressRanges | null = null;
  const lost = (ranges: AddressRanges): boolean => {
    before ??= gotIn(way, stage, false);
    return intersect(ranges, before).length > 0;
  };
  for (const refusal of cut.refusals) {
    const finding = { way, stage, refusal };
    const counts = way.kind === 'management' || isOurs(refusal.owner) || lost(refusal.ranges);
    if (counts && changes && !way.guessed) refused.push(finding);
    else notes.push(warning(way.guessed ? 'entrance-unknown' : 'lockout', outlook(finding)));
  }
  if (way.guessed) return { refused, notes };
  const doubtful = shutOut(way, stage.after, true);
  const sure = gotIn(way, stage, true);
  for (const refusal of doubtful.refusals) {
    const ranges = subtract(refusal.ranges, cut.missing);
    if (ranges.length === 0) continue;
    const finding = { way, stage, refusal: { ...refusal, ranges } };
    if (changes && intersect(ranges, sure).length > 0) refused.push(finding);
    else
      notes.push(
        warning(
          'lockout-unproved',
          `${outlook(finding)}; whether that rule is about them cannot be worked out from the facts`,
        ),
      );
  }
  return { refused, notes };
}

/** The sources that got in before the change. */
function gotIn(way: Way, { before }: Stage, worst: boolean): AddressRanges {
  return before === null ? way.sources : subtract(way.sources, shutOut(way, before, worst).missing);
}

function outlook({ way, stage, refusal }: Finding): string {
  return `${refusal.kind} ${refusal.owner} may not let SSH in${stage.when}: ${wayText(way, refusal)}; ${refusal.what}`;
}

/** `203.0.113.7 to 192.0.2.10 port 22/tcp on eth0`. */
function wayText(way: Way, { ranges, place }: Finding['refusal']): string {
  const sources = few(networksOf(ranges, way.family));
  const named =
    way.kind === 'controller' || sources === way.given ? sources : `${sources} (of ${way.given} in portfw_management)`;
  return `${named} to ${place.destination} port ${place.port}/tcp on ${place.interface}`;
}

/** One refusal a rule, however many it cuts. */
function grouped(findings: readonly Finding[], input: LockoutInput): PolicyRefusal[] {
  const byRule = new Map<string, Finding[]>();
  for (const finding of findings) {
    const { refusal, stage } = finding;
    const key = [refusal.kind, refusal.owner, refusal.what, refusal.place.port, stage.when].join('\n');
    byRule.set(key, [...(byRule.get(key) ?? []), finding]);
  }
  return [...byRule.values()].map((group): PolicyRefusal => {
    const { refusal, stage } = group[0]!;
    const loads =
      input.starts === true ? 'the plan has to start firewalld, and ' : 'the plan has to reload firewalld, and ';
    const because = (input.reload || input.starts === true) && !isOurs(refusal.owner) ? loads : '';
    const asIs = because === '' ? '' : ', as its file has it,';
    const ways = few([...new Set(group.map(({ way, refusal: one }) => wayText(way, one)))], '; ');
    return {
      code: 'lockout',
      text: `${because}${refusal.kind} ${refusal.owner}${asIs} would not let SSH in again${stage.when}: ${ways}; ${refusal.what}`,
      hint: hintFor(group, input),
    };
  });
}

/** How many sources the proposed line names at most. */
const LONGEST_LINE = 8;

/** What lets them in again: a line for the inventory where it is a zone of ours, else a command for the host. */
function hintFor(group: readonly Finding[], input: LockoutInput): string {
  const { refusal, stage } = group[0]!;
  const { owner, kind, place } = refusal;
  const cut = [...new Set(group.flatMap(({ way, refusal: one }) => networksOf(one.ranges, way.family)))];
  // A rule that cuts holes into a network would make a line that nobody reads: then it is the whole entry.
  const from = cut.length > LONGEST_LINE ? [...new Set(group.map(({ way }) => way.given))] : cut;
  const missing = refusal.what.startsWith('it does not open');
  const filter = stage.after;
  if (kind === 'zone' && isOurs(owner) && missing) {
    const short = input.outcome.permanent.zones.get(owner)?.short ?? '';
    return `add to the inventory: ${extraRule(place.port, sideOf(short), from)}`;
  }
  const layer = stage.when === '' && !input.reload ? '' : ' --permanent';
  if (kind === 'zone' && missing) {
    const opening = place.port === 22 ? '--add-service=ssh' : `--add-port=${place.port}/tcp`;
    const open = `on the host: firewall-cmd${layer} --zone=${owner} ${opening}`;
    if (zoneOfInterface(filter, place.interface) !== owner) return open;
    return `what lets SSH in now is not in the zone's file, or another zone takes its place: add to the inventory portfw_interfaces: { public: [${place.interface}] } and ${extraRule(place.port, 'public', from)}; or ${open}`;
  }
  return `change that on the host: ${kind} ${owner} is ${isOurs(owner) ? 'ours, but not this rule' : 'not ours'}, and an exception for ${few(from)} has to come before it`;
}

/** The line of the inventory that lets sources reach a port. */
export function extraRule(port: number, side: string, from: readonly string[]): string {
  const quoted = from.map((item) => (item.includes(':') ? `'${item}'` : item));
  return `portfw_extra_rules: [{ name: ssh-${port}, interface: ${side}, protocol: tcp, port: ${port}, from: [${quoted.join(', ')}], owner: YOU, reason: administration }]`;
}

function sideOf(short: string): string {
  return short.replace(/^portfw /, '').split(', ')[0] || 'public';
}

function directNotes(input: LockoutInput): PolicyNote[] {
  if (!input.changes) return [];
  const rules = relevantDirectRules(input.firewalld);
  if (rules.length === 0) return [];
  const text = `direct rules come before all zones, and what they do to SSH is not part of the proof: ${few(rules)}`;
  return [warning('lockout-unproved', text)];
}

function warning(code: string, text: string): PolicyNote {
  return { severity: 'warning', code, text };
}

function unique(notes: readonly PolicyNote[]): PolicyNote[] {
  return [...new Map(notes.map((note) => [note.text, note])).values()];
}

/** As many as a reader takes in. */
function few(items: readonly string[], separator = ', '): string {
  return items.length > 5 ? `${items.slice(0, 4).join(separator)} and ${items.length - 4} more` : items.join(separator);
}
