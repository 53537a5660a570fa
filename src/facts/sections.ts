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

/** Sections of later versions are `null` in answers of older probes. */
export type Sections = Readonly<Record<Exclude<SectionName, Later>, readonly string[]>> &
  Readonly<Record<Later, readonly string[] | null>>;

/** Far more than any host reports; a longer answer is an attack or a mistake. */
const MAX_CHARACTERS = 64 * 1024 * 1024;

/**
 * Splits the probe's output into sections; the leading space of content lines is removed.
 *
 * Every section except the later ones must exist, once and in order, and the output must have its end mark. Text before the
 * first header is ignored. Throws `Unreadable`.
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
