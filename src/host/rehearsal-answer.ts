import { inflateSync } from 'node:zlib';
import { terminalLine } from '../core/terminal-text.ts';
import { JsonObject } from '../facts/json-shape.ts';
import { Unreadable } from '../facts/unreadable.ts';
import type { RulesText } from '../kernel/rules-text.ts';
import type { Rehearsal, RehearsedName, RehearsedState, TrialResult, TrialWay } from '../plan/rehearsal.ts';

const SECTION = 'rehearsal';
/** The form of a generation's id, as in the host's program. */
export const GENERATION_ID = /^\d{8}T\d{6}Z-[0-9a-f]{6}$/;
const NAMES: readonly RehearsedName[] = ['disk', 'reload', 'running', 'boot'];
const RESULTS: readonly TrialResult[] = ['open', 'refused', 'silent'];
/** A ruleset of 100,000 entries in three sets takes about 30 MB as JSON; parsed, it takes at most twenty times as much. */
const MOST_BYTES = 64 * 1024 * 1024;
/** For all rulesets together: a megabyte may unpack to a gigabyte. */
const MOST_BYTES_TOGETHER = 5 * MOST_BYTES;
const MOST_PACKED = 64 * 1024 * 1024;
const LONGEST_LOAD_MS = 3_600_000;

/**
 * Reads the host's answer to a rehearsal (`src/host/remote/rehearsal.py`). Texts for people are safe to show; rules are as the kernel
 * wrote them, and untrusted.
 *
 * @param ways the requested ways
 * @param names the requested states: an answer without one of them, or with another, is invalid
 */
export function parseRehearsal(text: string, ways: readonly TrialWay[], names: readonly RehearsedName[]): Rehearsal {
  try {
    const answer = JsonObject.parse(SECTION, [text]);
    const kind = answer.text('kind');
    if (kind === 'unrehearsed') return { kind: 'not-rehearsed', why: line(answer, 'why') };
    if (kind === 'refused') return { kind: 'not-rehearsed', why: line(answer, 'why') };
    if (kind !== 'rehearsed') throw new Unreadable(SECTION, `unknown answer ${terminalLine(kind, 40)}`);
    const room = { bytes: MOST_BYTES_TOGETHER };
    const now = rulesText(answer.object('now'), room);
    const states = answer.objects('states', NAMES.length).map((state) => readState(state, ways.length, room));
    const told = states.map(({ name }) => name);
    if (told.length !== names.length || names.some((name) => !told.includes(name)))
      throw new Unreadable(SECTION, `it reports ${told.join(', ') || 'nothing'}, not ${names.join(', ')}`);
    return { kind, now, states, ways };
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return { kind: 'not-rehearsed', why: `the host's answer cannot be understood: ${error.message}` };
  }
}

/**
 * Reads the answer to the rehearsal of a rollback, with the generation that it would return to. `null` if the host has nothing
 * to rehearse: its answer to the rollback itself gives the reason.
 */
export function parseRollbackRehearsal(
  text: string,
  ways: readonly TrialWay[],
): { readonly generation: string | null; readonly rehearsal: Rehearsal } | null {
  const rehearsal = parseRehearsal(text, ways, ['disk', 'boot']);
  try {
    const answer = JsonObject.parse(SECTION, [text]);
    const kind = answer.text('kind');
    if (kind === 'rehearsed')
      return { generation: answer.matching('generation', GENERATION_ID, 'a generation', 64), rehearsal };
    return kind === 'unrehearsed' || kind === 'refused' ? { generation: null, rehearsal } : null;
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    const why = `the host's answer cannot be understood: ${error.message}`;
    return { generation: null, rehearsal: { kind: 'not-rehearsed', why } };
  }
}

/** How many bytes may still be unpacked. */
interface Room {
  bytes: number;
}

function readState(state: JsonObject, ways: number, room: Room): RehearsedState {
  const name = NAMES.find((one) => one === state.text('name'));
  if (name === undefined) throw new Unreadable(SECTION, 'a state has an unknown name');
  const said = lines(state, 'said');
  if (!state.flag('loads')) {
    const files = state.has('files') ? state.texts('files', 1000, 4096).map((path) => terminalLine(path, 200)) : [];
    const slow = state.has('slow') && state.flag('slow');
    const together = state.has('together') && state.flag('together');
    return { name, loads: false, slow, why: line(state, 'why'), said, files, together };
  }
  const packets = state.texts('packets', 64, 16).map((result) => {
    const known = RESULTS.find((one) => one === result);
    if (known === undefined) throw new Unreadable(SECTION, 'a packet has an unknown result');
    return known;
  });
  if (packets.length !== ways) throw new Unreadable(SECTION, 'not every connection was tried');
  return {
    name,
    loads: true,
    seconds: milliseconds(state) / 1000,
    modules: lines(state, 'modules'),
    lost: lines(state, 'lost'),
    said,
    failed: state.has('failed') ? lines(state, 'failed') : [],
    rules: rulesText(state.object('rules'), room),
    packets,
  };
}

function milliseconds(state: JsonObject): number {
  return state.integer('milliseconds', 0, LONGEST_LOAD_MS);
}

function line(object: JsonObject, key: string): string {
  return terminalLine(object.text(key, 20_000), 600);
}

function lines(object: JsonObject, key: string): readonly string[] {
  return object.texts(key, 1000, 2000).map((text) => terminalLine(text, 300));
}

function rulesText(rules: JsonObject, room: Room): RulesText {
  return {
    nft: unpacked(rules, 'nft', room),
    save4: unpacked(rules, 'save4', room),
    save6: unpacked(rules, 'save6', room),
    ipsets: unpacked(rules, 'ipsets', room),
  };
}

function unpacked(rules: JsonObject, key: string, room: Room): string {
  const text = rules.text(key, MOST_PACKED);
  if (text === '') return '';
  let bytes: Buffer;
  try {
    bytes = inflateSync(Buffer.from(text, 'base64'), {
      maxOutputLength: Math.min(MOST_BYTES, Math.max(1, room.bytes)),
    });
  } catch {
    throw new Unreadable(SECTION, `${key} cannot be unpacked`);
  }
  room.bytes -= bytes.length;
  return bytes.toString('utf8');
}
