import { Unreadable } from './unreadable.ts';

/** The sections that `src/host/remote/probe.sh` prints, in its order. */
export const SECTIONS = [
  'files',
  'missing',
  'system',
  'os',
  'ssh',
  'interfaces',
  'routes',
  'route-table',
  'forwarding',
  'sockets',
  'carriers',
  'flows',
  'units',
  'processes',
  'packages',
  'rpc',
  'state',
  'lock',
  'last-run',
  'firewalld-version',
  'firewalld',
] as const;

export type SectionName = (typeof SECTIONS)[number];

/** Sections that a probe of an earlier version did not print. */
const LATER = ['routes', 'route-table', 'carriers', 'flows'] as const satisfies readonly SectionName[];
type Later = (typeof LATER)[number];

/** Those of later versions are `null` in an answer of a probe that did not ask for them yet. */
export type Sections = Readonly<Record<Exclude<SectionName, Later>, readonly string[]>> &
  Readonly<Record<Later, readonly string[] | null>>;

/** Far above what any host says; more than this is not an answer but an attack or a mistake. */
const MAX_CHARACTERS = 64 * 1024 * 1024;

/**
 * Cuts the probe's output into its sections, content lines without the space that sets them off.
 *
 * Every section but the later ones must be there, once and in order, and the output must reach its end mark. Text before the
 * first header is passed over. Throws `Unreadable`.
 */
export function splitSections(text: string): Sections {
  if (text.length > MAX_CHARACTERS) throw new Unreadable('probe', 'the answer is longer than 64 MiB');
  const start = text.startsWith('@@portfw-facts\n') ? 0 : text.indexOf('\n@@portfw-facts\n');
  if (start === -1) throw new Unreadable('probe', 'the answer does not contain the header of the facts');
  const lines = text.slice(start).trimStart().split('\n').slice(1);
  const found = new Map<string, string[] | null>();
  let current: string[] | null = null;
  for (const [index, line] of lines.entries()) {
    if (line === '') continue;
    if (line.startsWith(' ') && current !== null) {
      current.push(line.slice(1));
    } else if (line === '@@end') {
      if (found.size < SECTIONS.length) break;
      if (lines.slice(index + 1).some((rest) => rest !== ''))
        throw new Unreadable('probe', 'text follows the end mark');
      return Object.fromEntries(found) as unknown as Sections;
    } else {
      for (const later of LATER) if (later === SECTIONS[found.size] && line !== `@@${later}`) found.set(later, null);
      const expected = SECTIONS[found.size];
      if (line !== `@@${expected}`) {
        throw new Unreadable(expected ?? 'end', `the section "${expected ?? 'end'}" does not begin where it should`);
      }
      current = [];
      found.set(line.slice(2), current);
    }
  }
  const missing = SECTIONS[found.size] ?? 'end';
  throw new Unreadable(missing, `the answer ends before the section "${missing}"`);
}
