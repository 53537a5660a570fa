import { type AddressRanges, intersect, networksOf, oneAddress, subtract } from '../../core/address-ranges.ts';
import type { CodedFault } from '../../core/failure.ts';
import { few } from '../../core/lists.ts';
import { relevantDirectRules } from '../../firewalld/filter/direct.ts';
import { isOurs } from '../../firewalld/model.ts';
import type { PolicyNote } from '../../policy/desired.ts';
import { hintFor } from './lockout-hints.ts';
import type { Finding, LockoutInput, LockoutVerdict, Stage } from './lockout-types.ts';
import { shutOut, sshPorts, type Way } from './proof-ways.ts';
import { inRanges, type Tried, triedFor } from './trials.ts';

/**
 * The proof before the first write: whether the controller and every address of `portfw_management` still get in by SSH, and
 * what SSH depends on (the carrier of a tunnel, a lease) too: right after the change, after a reload or reboot, and after a
 * rollback. From the kernel's rules and real packets if the host rehearsed the plan, else from facts and plan. Pure.
 *
 * The plan is refused if a portfw zone would cut the controller, or if it gets in now and would not any more. It is refused
 * if a management address would not get in. What cannot be known (a MAC, a rate) is a refusal if the plan causes it, and a
 * note if it is so already.
 */
export function lockout(input: LockoutInput): LockoutVerdict {
  const refused: Finding[] = [];
  const notes: PolicyNote[] = [];
  const proved: Way[] = [];
  const stages = stagesOf(input);
  for (const way of input.ways) {
    let sound = !way.guessed;
    for (const stage of stages) {
      const judged = judge(way, stage, input);
      notes.push(...judged.notes);
      if (stage.when === ' while the plan is carried out') {
        notes.push(...judged.refused.map((finding) => warning('shut-for-a-moment', outlook(finding))));
        continue;
      }
      refused.push(...judged.refused);
      sound &&= judged.refused.length + judged.notes.length === 0;
      // What is cut at once is cut after a reboot as well: reported once.
      if (judged.refused.length > 0) break;
    }
    if (sound) proved.push(way);
  }
  return {
    refusals: grouped(refused, input),
    notes: [...unique(notes, ({ text }) => text), ...directNotes(input)],
    proved,
  };
}

function stagesOf(input: LockoutInput): Stage[] {
  const { now, boot, reloaded } = input.filters;
  if (input.starts === true) return [{ when: '', after: boot.after, before: null, state: 'boot' }];
  const { reload, kernels } = input;
  const stages: Stage[] = [
    { when: '', after: reload ? (reloaded ?? boot.after) : now.after, before: now.before, state: 'running' },
    // A reload puts the files into force: what was let in at runtime only is lost.
    {
      when: ' after a reload or reboot',
      after: boot.after,
      before: reload ? now.before : boot.before,
      state: 'boot',
    },
  ];
  if (!reload) return stages;
  // Without a rehearsal it is unknown what gets in between the reload and the calls after it.
  if (kernels?.reload !== undefined)
    stages.unshift({
      when: ' while the plan is carried out',
      after: { ...now.before, kernel: kernels.reload },
      before: now.before,
      state: 'reload',
    });
  return [...stages, { when: ' after a rollback', after: boot.before, before: now.before, state: 'disk' }];
}

function judge(way: Way, stage: Stage, input: LockoutInput): { refused: Finding[]; notes: PolicyNote[] } {
  const ports = sshPorts(input.facts);
  const cut = shutOut(way, stage.after, false, ports);
  const tried = triedFor(way, stage.state, input.trials, input.rehearsal);
  const refused: Finding[] = [];
  const notes: PolicyNote[] = [];
  // What certainly got in before; not used for a guessed way.
  let before: AddressRanges | null = null;
  const lost = (ranges: AddressRanges): boolean => {
    before ??= gotIn(way, stage, false, ports);
    return intersect(ranges, before).length > 0;
  };
  const settle = (finding: Finding): void => {
    const { refusal } = finding;
    if (way.minor === true) {
      if (lost(refusal.ranges)) notes.push(warning('lease', outlook(finding)));
      return;
    }
    // A rollback and the moment of the reload need not let in what does not get in today.
    if ((stage.state === 'disk' || stage.state === 'reload') && !lost(refusal.ranges)) return;
    const must = way.kind === 'management' || (way.kind === 'controller' && isOurs(refusal.owner));
    if ((must || lost(refusal.ranges)) && input.changes && !way.guessed) refused.push(finding);
    else if (way.kind === 'controller' || way.kind === 'management')
      notes.push(warning(way.guessed ? 'entrance-unknown' : 'lockout', outlook(finding)));
  };
  for (const refusal of cut.refusals) {
    const packets = tried.filter(({ source }) => inRanges(source, refusal.ranges));
    // One address, and its packet got in: the packet is right.
    if (isOne(refusal.ranges) && packets.some(({ result }) => result === 'open')) continue;
    settle({ way, stage, refusal, tried: packets });
  }
  for (const packet of tried) {
    if (packet.result === 'open' || inRanges(packet.source, cut.missing)) continue;
    const finding = unexplained(way, stage, packet);
    if (packet.sound) settle(finding);
    else
      notes.push(
        warning(
          'trial-failed',
          `${outlook(finding)}; it got in in no other state either, so the test itself may be wrong`,
        ),
      );
  }
  if (way.guessed) return { refused, notes };
  for (const text of cut.unknown)
    notes.push(
      warning('rules-unknown', `whether SSH gets in depends on a kernel rule that portfw does not understand: ${text}`),
    );
  const doubtful = shutOut(way, stage.after, true, ports);
  const sure = gotIn(way, stage, true, ports);
  for (const refusal of doubtful.refusals) {
    const ranges = subtract(refusal.ranges, cut.missing);
    if (ranges.length === 0) continue;
    const finding: Finding = { way, stage, refusal: { ...refusal, ranges }, tried: [] };
    if (way.minor === true) continue;
    if (input.changes && intersect(ranges, sure).length > 0) refused.push(finding);
    else if (way.kind === 'controller' || way.kind === 'management')
      notes.push(
        warning(
          'lockout-unproved',
          `${outlook(finding)}; whether that rule applies to them cannot be known in advance`,
        ),
      );
  }
  return { refused, notes };
}

function isOne(ranges: AddressRanges): boolean {
  const [range, ...others] = ranges;
  return range !== undefined && others.length === 0 && range.first === range.last;
}

/** A packet that did not get in, though no rule says so. */
function unexplained(way: Way, stage: Stage, packet: Tried): Finding {
  const place = way.places[0]!;
  const ranges = oneAddress(packet.source, way.family);
  return {
    way,
    stage,
    refusal: { ranges, kind: 'rule', owner: 'kernel', what: 'no known rule explains it', place },
    tried: [packet],
  };
}

/** The sources that got in before the change. */
function gotIn(way: Way, { before }: Stage, worst: boolean, ports: readonly number[]): AddressRanges {
  return before === null ? way.sources : subtract(way.sources, shutOut(way, before, worst, ports).missing);
}

/** What the sources must be let in for. */
function whatFor({ way }: Finding): string {
  switch (way.kind) {
    case 'controller':
    case 'management':
      return 'let SSH in';
    case 'carrier':
      return `let in the connection that carries ${way.given}, the tunnel that SSH uses`;
    case 'lease':
      return `let in the answers that renew the address ${way.given}, which is lost when its lease expires`;
  }
}

function whose({ refusal }: Finding): string {
  return refusal.kind === 'rule' ? `the kernel's rules (${refusal.owner})` : `${refusal.kind} ${refusal.owner}`;
}

function outlook(finding: Finding): string {
  const { way, stage, refusal } = finding;
  return `${whose(finding)} might not ${whatFor(finding)}${stage.when}: ${wayText(way, refusal)}; ${refusal.what}${triedText([finding])}`;
}

/** `203.0.113.7 to 192.0.2.10 port 22/tcp on eth0`. */
function wayText(way: Way, { ranges, place }: Finding['refusal']): string {
  const sources = few(networksOf(ranges, way.family));
  const named =
    way.kind === 'management' && sources !== way.given ? `${sources} (of ${way.given} in portfw_management)` : sources;
  return `${named} to ${place.destination} port ${place.port}/${place.protocol} on ${place.interface}`;
}

/** The result of real packets, as the end of a sentence. */
function triedText(findings: readonly Finding[]): string {
  const packet = findings.flatMap(({ tried }) => tried).find(({ result }) => result !== 'open');
  if (packet === undefined) return '';
  return `; in the rehearsal a real packet from ${packet.source} was ${packet.result === 'refused' ? 'refused' : 'not answered'}`;
}

/** One refusal for each rule, however many ways it cuts. */
function grouped(findings: readonly Finding[], input: LockoutInput): CodedFault[] {
  const byRule = new Map<string, Finding[]>();
  for (const finding of findings) {
    const { refusal, stage, way } = finding;
    const key = [way.kind, refusal.kind, refusal.owner, refusal.what, refusal.place.port, stage.when].join('\n');
    byRule.set(key, [...(byRule.get(key) ?? []), finding]);
  }
  const refusals = [...byRule.values()].map((group): CodedFault => {
    const first = group[0]!;
    const { refusal, stage } = first;
    const loads =
      input.starts === true ? 'the plan must start firewalld, and ' : 'the plan must reload firewalld, and ';
    const because =
      (input.reload || input.starts === true) && refusal.kind !== 'rule' && !isOurs(refusal.owner) ? loads : '';
    const asIs = because === '' ? '' : ' (as in its file)';
    const ways = few([...new Set(group.map(({ way, refusal: one }) => wayText(way, one)))], '; ');
    const again = first.way.kind === 'controller' || first.way.kind === 'management' ? ' again' : '';
    return {
      code: 'lockout',
      what: `${because}${whose(first)}${asIs} would not ${whatFor(first)}${again}${stage.when}: ${ways}; ${refusal.what}${triedText(group)}`,
      solve: hintFor(group, input),
    };
  });
  // The controller's address may be in `portfw_management` too.
  return unique(refusals, ({ what }) => what);
}

function directNotes(input: LockoutInput): PolicyNote[] {
  // The kernel's rules include them.
  if (!input.changes || input.kernels !== null) return [];
  const rules = relevantDirectRules(input.firewalld);
  if (rules.length === 0) return [];
  const text = `direct rules are evaluated before all zones, and the proof does not cover what they do to SSH: ${few(rules)}`;
  return [warning('lockout-unproved', text)];
}

function warning(code: string, text: string): PolicyNote {
  return { severity: 'warning', code, text };
}

function unique<T>(said: readonly T[], text: (one: T) => string): T[] {
  return [...new Map(said.map((one) => [text(one), one])).values()];
}
