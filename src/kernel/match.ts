import { type AddressRanges, holds, intersect, subtract, uniteAll } from '../core/address-ranges.ts';
import { type Flow, hasPorts, type Stage, type Translation, tracked } from './flow.ts';
import type { Field, Match } from './ruleset.ts';
import type { Content } from './sets.ts';
import { interfaceNumber, one } from './values.ts';

/** The sources of a flow for which a match is true: certainly, and possibly. */
export interface Certainty {
  readonly must: AddressRanges;
  readonly may: AddressRanges;
}

/** The value of a packet's field: one of these values, its source, something unknown, or no such field. */
type Found = AddressRanges | 'source' | 'unknown' | 'absent';

/** The sources of a flow for which a match is true. */
export function matched(match: Match, flow: Flow, stage: Stage): Certainty {
  const { every } = stage.setting;
  if (match.kind !== 'match') return { must: [], may: every };
  const found = match.fields.map((field) => valueIn(field, flow, stage));
  // A match of a field is never true for packets without it, not even a negated one.
  if (found.includes('absent')) return { must: [], may: [] };
  const [first] = found;
  if (match.fields[0]?.name === 'fib saddr type' && match.fields.length === 1) return sourceType(match, stage);
  if (match.test === 'any-bit' || match.test === 'no-bit' || match.mask !== null) {
    return certainty(masked(match, first!), every);
  }
  const content = stage.sets.of(match.values, stage.table, match.fields.length);
  const inside = content === null ? { must: [], may: every } : within(content, found, every);
  return match.test === 'not-in' ? { must: subtract(every, inside.may), may: subtract(every, inside.must) } : inside;
}

const MULTICAST_NETWORK = {
  ipv4: [{ first: 14n << 28n, last: (15n << 28n) - 1n }],
  ipv6: [{ first: 0xffn << 120n, last: (1n << 128n) - 1n }],
};

/** The sources of an address type (`fib`): the host's own, multicast, and, as far as is known here, the others. */
function sourceType({ values, test }: Match & { readonly kind: 'match' }, { setting }: Stage): Certainty {
  const { approach, every, local } = setting;
  if (values.kind !== 'ranges') return { must: [], may: every };
  const multicast = MULTICAST_NETWORK[approach.family];
  const inside = uniteAll([
    holds(values.ranges, BigInt(LOCAL_TYPE)) ? local : [],
    holds(values.ranges, BigInt(MULTICAST_TYPE)) ? multicast : [],
    holds(values.ranges, BigInt(UNICAST_TYPE)) ? subtract(subtract(every, local), multicast) : [],
  ]);
  const ranges = test === 'not-in' ? subtract(every, inside) : inside;
  return { must: ranges, may: ranges };
}

/** Whether a match names a set that does not exist, so that its meaning is unknown. */
export function namesNothing(match: Match, stage: Stage): boolean {
  return match.kind === 'match' && stage.sets.of(match.values, stage.table, match.fields.length) === null;
}

/** The sources of a flow that are keys of a map. */
export function keyed(keys: Content, fields: readonly Field[], flow: Flow, stage: Stage): Certainty {
  const found = fields.map((field) => valueIn(field, flow, stage));
  return found.includes('absent') ? { must: [], may: [] } : within(keys, found, stage.setting.every);
}

type Answer = 'yes' | 'no' | 'perhaps';

function certainty(answer: Answer, every: AddressRanges): Certainty {
  return { must: answer === 'yes' ? every : [], may: answer === 'no' ? [] : every };
}

function within(content: Content, found: readonly Found[], every: AddressRanges): Certainty {
  switch (content.kind) {
    case 'ranges': {
      const [value] = found;
      if (value === 'source') return content;
      if (value === undefined || typeof value === 'string') return { must: [], may: every };
      const answer = among(value, content.must);
      return certainty(answer !== 'yes' && among(value, content.may) !== 'no' ? 'perhaps' : answer, every);
    }
    case 'boxes': {
      const must: AddressRanges[] = [];
      const may: AddressRanges[] = [];
      for (const { box, lasting } of content.boxes) {
        const hit = inBox(box, found, every);
        if (hit.may.length === 0) continue;
        may.push(hit.may);
        if (lasting) must.push(hit.must);
      }
      return { must: uniteAll(must), may: uniteAll(may) };
    }
    case 'open':
      return { must: uniteAll(content.must.map((box) => inBox(box, found, every).must)), may: every };
  }
}

function inBox(box: AddressRanges, found: readonly Found[], every: AddressRanges): Certainty {
  let must = every;
  let may = every;
  for (const [index, range] of box.entries()) {
    const value = found[index];
    if (value === 'source') {
      must = intersect(must, [range]);
      may = intersect(may, [range]);
      continue;
    }
    const answer = value === undefined || typeof value === 'string' ? 'perhaps' : among(value, [range]);
    if (answer === 'no') return { must: [], may: [] };
    if (answer === 'perhaps') must = [];
  }
  return { must, may };
}

/** Whether one of several possible values is in a set. */
function among(possible: AddressRanges, set: AddressRanges): Answer {
  const [value, ...others] = possible;
  if (value !== undefined && others.length === 0 && value.first === value.last) {
    return holds(set, value.first) ? 'yes' : 'no';
  }
  if (intersect(possible, set).length === 0) return 'no';
  return subtract(possible, set).length === 0 ? 'yes' : 'perhaps';
}

function masked(match: Match & { readonly kind: 'match' }, value: Found): Answer {
  const { mask, test, values } = match;
  // Masks over addresses that are no networks: each possible value is tried.
  if (typeof value === 'string' || values.kind !== 'ranges' || value.some(({ first, last }) => first !== last)) {
    return 'perhaps';
  }
  const results = new Set(
    value.map(({ first }) => {
      const number = mask === null ? first : first & mask;
      if (test === 'any-bit' || test === 'no-bit') {
        return ((number & (values.ranges[0]?.first ?? 0n)) !== 0n) === (test === 'any-bit');
      }
      return holds(values.ranges, number) === (test === 'in');
    }),
  );
  return results.size === 2 ? 'perhaps' : results.has(true) ? 'yes' : 'no';
}

const INVALID = 1;
const ESTABLISHED = 2;
const NEW = 8;
const UNTRACKED = 64;
const SEEN_REPLY = 2;
const ASSURED = 4;
const CONFIRMED = 8;
const DNAT = 32;
const SYN = 2;
const PSH = 8;
const ACK = 16;
/** The flags of a client that offers ECN. */
const ECN = 64 + 128;

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: one case a field, nearly all of one line; the compiler holds it complete
function valueIn(field: Field, flow: Flow, stage: Stage): Found {
  const { setting, base } = stage;
  const { approach, protocol } = setting;
  if (field.family !== null && field.family !== approach.family) return 'absent';
  if (field.protocols !== null) {
    if (protocol === null) return 'unknown';
    if (!field.protocols.includes(protocol)) return 'absent';
  }
  const isNew = approach.state === 'new';
  const known = tracked(stage);
  const marked = (mark: bigint | null): Found => (mark === null ? 'unknown' : [one(mark)]);
  switch (field.name) {
    case 'saddr':
      return flow.masked ? 'unknown' : 'source';
    case 'daddr':
      return flow.translation?.destination ?? setting.destination;
    case 'original daddr':
      return known && !flow.untracked ? setting.destination : 'absent';
    case 'sport':
      return hasPorts(setting) ? setting.sourcePort : 'absent';
    case 'dport':
      return hasPorts(setting) ? (flow.translation?.port ?? setting.port) : 'absent';
    case 'original dport':
      return known && !flow.untracked && hasPorts(setting) ? setting.port : 'absent';
    case 'tcp flags':
      return isNew ? [one(SYN), one(SYN | ECN)] : [one(ACK), one(ACK | PSH)];
    case 'icmp type':
      return typeof approach.icmpType === 'number' ? [one(approach.icmpType)] : 'unknown';
    case 'l4proto':
      return protocol === null ? 'unknown' : [one(protocol)];
    case 'nfproto':
      return [one(approach.family === 'ipv4' ? 2 : 10)];
    case 'ethertype':
      return [one(approach.family === 'ipv4' ? 0x0800 : 0x86dd)];
    case 'iifname':
      // Older kernels no longer know it there.
      return base.hook === 'postrouting' ? 'unknown' : [one(interfaceNumber(approach.interface))];
    case 'oifname':
      return stage.out === null ? 'unknown' : [one(interfaceNumber(stage.out))];
    case 'mark':
      return marked(flow.mark);
    case 'ct mark':
      return !known || flow.untracked ? 'absent' : marked(flow.ctMark);
    case 'ct state':
      return [one(flow.untracked ? UNTRACKED : !known ? INVALID : isNew ? NEW : ESTABLISHED)];
    case 'ct status':
      if (!known || flow.untracked) return 'absent';
      if (isNew) return statusOf(flow.translation);
      return [one(SEEN_REPLY | CONFIRMED), one(SEEN_REPLY | ASSURED | CONFIRMED)];
    case 'ct direction':
      // It is not known which side began an established flow.
      return !known || flow.untracked ? 'absent' : isNew ? [one(0)] : [{ first: 0n, last: 1n }];
    case 'pkttype':
      return [one(castOf(stage))];
    case 'fib daddr type':
      return typeOf(flow, stage);
    case 'fib saddr type':
      return 'unknown';
    case 'reverse path':
      // Assumed: packets arrive by the interface of the host's route back to their source.
      return [one(1)];
    case 'unknown':
      return 'unknown';
  }
}

function statusOf(translation: Translation | null): AddressRanges {
  switch (translation?.changes) {
    case 'yes':
      return [one(DNAT)];
    case 'perhaps':
      return [one(0), one(DNAT)];
    default:
      return [one(0)];
  }
}

const HOST = 0;
const BROADCAST = 1;
const MULTICAST = 2;

function castOf({ setting: { destination, approach } }: Stage): number {
  const [range] = destination;
  if (approach.family === 'ipv4' && range?.first === 0xffffffffn) return BROADCAST;
  return isMulticast(destination, approach.family === 'ipv4') ? MULTICAST : HOST;
}

function isMulticast(destination: AddressRanges, ipv4: boolean): boolean {
  return destination.every(({ first }) => (ipv4 ? first >> 28n === 14n : first >> 120n === 0xffn));
}

const UNICAST_TYPE = 1;
const LOCAL_TYPE = 2;
const BROADCAST_TYPE = 3;
const MULTICAST_TYPE = 5;

/** The address type of the destination, as far as its addresses are known. */
function typeOf(flow: Flow, { setting }: Stage): Found {
  const destination = flow.translation?.destination ?? setting.destination;
  const ipv4 = setting.approach.family === 'ipv4';
  const local = among(destination, setting.local);
  if (local === 'perhaps') return 'unknown';
  if (local === 'yes') return [one(LOCAL_TYPE)];
  if (isMulticast(destination, ipv4)) return [one(MULTICAST_TYPE)];
  return [one(ipv4 && destination[0]?.first === 0xffffffffn ? BROADCAST_TYPE : UNICAST_TYPE)];
}

/** Whether a destination is one of the host's own. */
export function isLocal(destination: AddressRanges, local: AddressRanges): Answer {
  return among(destination, local);
}
