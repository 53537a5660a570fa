import type { Fault } from '../../core/failure.ts';
import { safeText, shown } from '../../core/shown.ts';

/**
 * Host names as inventories write them: an optional `:port`, and ranges such as `sip[01:12]`, `[a:f]` or `[0:10:2]`.
 * Behaviour: https://docs.ansible.com/ansible/latest/inventory_guide/intro_inventory.html#adding-ranges-of-hosts,
 * and where that says nothing, the observed behaviour of `ansible-inventory`.
 */

/** The most hosts that one inventory may hold. */
export const MAX_HOSTS = 65_536;

/** What one key under `hosts:` stands for. */
export interface HostNames {
  readonly names: readonly string[];
  /** The port written behind the name, or `null`. */
  readonly port: number | null;
}

const NUMERIC = String.raw`\[[0-9]+:[0-9]+(?::[0-9]+)?\]`;
const HEXADECIMAL = String.raw`\[[0-9a-f]+:[0-9a-f]+(?::[0-9]+)?\]`;
const ALPHANUMERIC = String.raw`\[(?:[a-z]:[a-z]|[0-9]+:[0-9]+)(?::[0-9]+)?\]`;
const WORD = String.raw`[\p{L}\p{N}_]`;
const LABEL = `(?:${WORD}|${ALPHANUMERIC})(?:${WORD}|-|${ALPHANUMERIC})*(?<![_-])`;
const HOST_NAME = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`, 'iu');
const V4_PART = `(?:[01]?[0-9]{1,2}|2[0-4][0-9]|25[0-5]|${NUMERIC})`;
const IPV4 = new RegExp(`^(?:${V4_PART}\\.){3}${V4_PART}$`, 'iu');
const V6_PART = `(?:[0-9a-f]{1,4}|${HEXADECIMAL})`;
// Ansible looks only at the beginning, so that `2001:db8::1*` is one pattern; and `db:fe` are two names, not an address.
const IPV6 = new RegExp(
  `^(?:::|(?:${V6_PART}:){1,6}:|(?:${V6_PART}:){7}${V6_PART}|(?:0:){6}(?:${V6_PART}\\.){3}${V6_PART}` +
    `|(?:0:){5}ffff:(?:${V6_PART}\\.){3}${V6_PART}$)`,
  'iu',
);
const BRACKETED_PORT = /^\[(.+)\]:([0-9]+)$/;
const PLAIN_PORT = /^((?:[^:[\]]|\[[^\]]*\])*):([0-9]+)$/;
const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** Whether a name is an address, which has no short form. */
export function looksLikeAddress(name: string): boolean {
  return IPV4.test(name) || IPV6.test(name);
}

/**
 * Expands one key under `hosts:`.
 *
 * @param room how many hosts may still be added
 * @returns the names in order with the port, or what is wrong
 */
export function expandHostNames(key: string, room: number): HostNames | Fault {
  if (key.length > 1000) return { what: 'the host name is longer than 1000 characters', solve: 'Shorten it' };
  const { pattern, port } = splitPort(key);
  if (port !== null && port > 65_535) {
    return { what: `port ${port} is not between 1 and 65535`, solve: 'Correct the number after the colon' };
  }
  const pieces = parseRanges(pattern);
  if (!Array.isArray(pieces)) return pieces;
  const count = pieces.reduce((product, piece) => product * (typeof piece === 'string' ? 1 : piece.length), 1);
  if (count > room) {
    if (count === 1) return { what: `the inventory holds more than ${MAX_HOSTS} hosts`, solve: 'Split the inventory' };
    return {
      what:
        room < MAX_HOSTS && count <= MAX_HOSTS
          ? `with the ${count} hosts of this range the inventory holds more than ${MAX_HOSTS}`
          : `the range has ${count} hosts; an inventory may hold ${MAX_HOSTS}`,
      solve: 'Shorten the range, or split the inventory',
    };
  }
  let names = [''];
  for (const piece of pieces) {
    names =
      typeof piece === 'string'
        ? names.map((name) => name + piece)
        : names.flatMap((name) => piece.map((part) => name + part));
  }
  return { names, port };
}

/** Whether text is one host name or address, perhaps with ranges and a port, rather than names joined by colons. */
export function isSingleHostName(text: string): boolean {
  const stripped = stripPort(text).pattern;
  return IPV4.test(stripped) || IPV6.test(stripped) || HOST_NAME.test(stripped);
}

/** Splits `name:port` and `[name]:port`; a name that is no valid host keeps its colon, as in Ansible. */
function splitPort(key: string): { pattern: string; port: number | null } {
  if (!isSingleHostName(key)) return { pattern: key, port: null };
  const { pattern, port } = stripPort(key);
  return { pattern, port: port === 0 ? null : port };
}

function stripPort(key: string): { pattern: string; port: number | null } {
  let pattern = key;
  let port: number | null = null;
  for (const form of [BRACKETED_PORT, PLAIN_PORT]) {
    const match = form.exec(pattern);
    if (match === null) continue;
    pattern = match[1]!;
    port = Number(match[2]);
  }
  return { pattern, port };
}

/** The literal pieces and ranges of a name, in order. */
function parseRanges(pattern: string): (string | string[])[] | Fault {
  const pieces: (string | string[])[] = [];
  let rest = pattern;
  for (let open = rest.indexOf('['); open !== -1; open = rest.indexOf('[')) {
    const close = rest.indexOf(']', open);
    if (close === -1)
      return {
        what: `the bracket of ${shown(rest.slice(open))} is never closed`,
        solve: 'Write [first:last] for a range; a section of an INI file is "[name]"',
      };
    const members = expandRange(rest.slice(open + 1, close));
    if (!Array.isArray(members)) return members;
    pieces.push(rest.slice(0, open), members);
    rest = rest.slice(close + 1);
  }
  pieces.push(rest);
  return pieces;
}

function expandRange(range: string): string[] | Fault {
  const wrong = (what: string, solve: string): Fault => ({
    what: `the range [${safeText(range.slice(0, 60))}] ${what}`,
    solve,
  });
  const bounds = range.split(':');
  if (bounds.length < 2) return wrong('has no colon', 'Write [first:last]');
  if (bounds.length > 3) return wrong('has too many parts', 'Write [first:last] or [first:last:step]');
  const first = bounds[0] === '' ? '0' : bounds[0]!;
  const last = bounds[1]!;
  const stepText = bounds[2] ?? '1';
  if (last === '') return wrong('has no end', 'Write [first:last]');
  const step = /^\d{1,9}$/.test(stepText) ? Number(stepText) : 0;
  if (step === 0) return wrong(`has the step ${shown(stepText)}`, 'Use a step of 1 or more');
  if (/^\d+$/.test(first) && /^\d{16,}$/.test(last)) {
    return wrong(`has far more than the ${MAX_HOSTS} hosts that an inventory may hold`, 'Shorten the range');
  }
  const letters = /^[a-zA-Z]$/.test(first) && /^[a-zA-Z]$/.test(last);
  if (!letters && !(/^\d{1,15}$/.test(first) && /^\d{1,15}$/.test(last))) {
    return wrong('is made of neither numbers nor single letters', 'Write [1:12], [01:12] or [a:f]');
  }
  if (!letters && first.startsWith('0') && first.length > 1 && first.length !== last.length) {
    return wrong(
      'has ends with different numbers of digits',
      'Write both ends with the same number of digits, such as [01:12]',
    );
  }
  const from = letters ? LETTERS.indexOf(first) : Number(first);
  const to = letters ? LETTERS.indexOf(last) : Number(last);
  if (from > to) return wrong('is reversed', `Write [${last}:${first}]`);
  const count = Math.floor((to - from) / step) + 1;
  if (count > MAX_HOSTS) {
    return wrong(`has ${count} hosts; an inventory may hold ${MAX_HOSTS}`, 'Shorten the range, or split the inventory');
  }
  const width = first.startsWith('0') && first.length > 1 ? first.length : 0;
  return Array.from({ length: count }, (_, index) => {
    const value = from + index * step;
    return letters ? LETTERS[value]! : String(value).padStart(width, '0');
  });
}
