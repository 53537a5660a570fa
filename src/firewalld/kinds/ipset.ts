import { normaliseStrings } from '../normalise.ts';
import { attribute, children, escapeXml, parseXml } from '../xml.ts';
import { type BusSettings, busStrings, busText, busTitles, plainText } from './bus-parts.ts';
import type { Fields, OurKind } from './kind.ts';
import { byTag, documentText, required, textOf, titleLines, titlesIn } from './xml-parts.ts';

/** firewalld.ipset(5). Entries are normalised and sorted. */
export interface IpsetConfig {
  readonly name: string;
  readonly short: string;
  readonly description: string;
  readonly type: string;
  readonly family: 'ipv4' | 'ipv6';
  readonly options: Readonly<Record<string, string>>;
  readonly entries: readonly string[];
}

/** An entry of nothing but what addresses, MACs and interfaces are written with, and the space behind it. */
const PLAIN_ENTRY = /<entry>([\w \t\r\n.:/,+-]*)<\/entry>[ \t\r\n]*/y;
/** What no plain entry holds. */
const MARK = '~';
const LONG_RUN = 8;

/**
 * A file with long runs of plain entries cut down to one entry for each run: a set may have 100,000, and a tree of that many
 * elements takes seconds. The file is malformed, or not, as it was. One with anything in which an element is no element
 * (comments, CDATA, a DOCTYPE) is left as it is.
 */
function withoutRuns(text: string): { readonly short: string; readonly runs: ReadonlyMap<string, readonly string[]> } {
  const runs = new Map<string, readonly string[]>();
  if (text.includes('<!') || text.includes('<?', 1) || text.includes(MARK)) return { short: text, runs };
  let short = '';
  let copied = 0;
  let begin = text.indexOf('<entry>');
  while (begin !== -1) {
    const run: string[] = [];
    let end = begin + 1;
    PLAIN_ENTRY.lastIndex = begin;
    for (let found = PLAIN_ENTRY.exec(text); found !== null; found = PLAIN_ENTRY.exec(text)) {
      run.push(found[1]!.trim());
      end = PLAIN_ENTRY.lastIndex;
    }
    if (run.length >= LONG_RUN) {
      const name = `${MARK}${runs.size}`;
      runs.set(name, run);
      short += `${text.slice(copied, begin)}<entry>${name}</entry>`;
      copied = end;
    }
    begin = text.indexOf('<entry>', end);
  }
  return { short: short + text.slice(copied), runs };
}

/** Reads an ipset file. @throws XmlError when it is malformed or lacks what firewalld needs */
export function readIpsetXml(name: string, text: string): IpsetConfig {
  const { short, runs } = withoutRuns(text);
  const root = parseXml(short, 'ipset');
  const of = byTag(children(root));
  const options: Record<string, string> = {};
  for (const element of of('option')) options[required(element, 'name')] = attribute(element, 'value') ?? '';
  const entries: string[] = [];
  for (const entry of of('entry').map(textOf)) for (const one of runs.get(entry) ?? [entry]) entries.push(one);
  return {
    name,
    ...titlesIn(of),
    type: required(root, 'type'),
    family: familyIn(options),
    options,
    entries: normaliseStrings(entries),
  };
}

function familyIn(options: Readonly<Record<string, string>>): IpsetConfig['family'] {
  return options['family'] === 'inet6' ? 'ipv6' : 'ipv4';
}

/** A portfw ipset as a file. */
export function writeIpsetXml(ipset: IpsetConfig): string {
  const lines = titleLines(ipset);
  for (const [name, value] of Object.entries(ipset.options)) {
    lines.push(`<option name="${escapeXml(name)}" value="${escapeXml(value)}"/>`);
  }
  for (const entry of ipset.entries) lines.push(`<entry>${escapeXml(entry)}</entry>`);
  return documentText(`<ipset type="${escapeXml(ipset.type)}">`, lines, '</ipset>');
}

function readIpsetBus(name: string, settings: BusSettings): IpsetConfig {
  const given = settings['options'];
  const options: Record<string, string> = {};
  if (typeof given === 'object' && given !== null) {
    for (const [key, value] of Object.entries(given)) options[key] = plainText(value, key);
  }
  return {
    name,
    ...busTitles(settings),
    type: busText(settings, 'type'),
    family: familyIn(options),
    options,
    entries: busStrings(settings, 'entries'),
  };
}

/** Without the entries: who gets in by a set is a change of its own. */
function fields(ipset: IpsetConfig): Fields {
  return new Map([
    ['type', ipset.type],
    ['family', ipset.family],
    ['options', otherOptions(ipset).join(' ')],
    ['short', ipset.short],
    ['description', ipset.description],
  ]);
}

/** Options besides the family, which has a field of its own. */
function otherOptions(ipset: IpsetConfig): string[] {
  return Object.entries(ipset.options)
    .filter(([name]) => name !== 'family')
    .map(([name, value]) => `${name}=${value}`)
    .sort();
}

export const IPSET: OurKind<'ipsets', 'ipset', IpsetConfig, IpsetConfig, IpsetConfig> = {
  folder: 'ipsets',
  object: 'ipset',
  fileName: /^[\p{L}\p{N}_:.-]+$/u,
  readXml: readIpsetXml,
  writeXml: writeIpsetXml,
  readBus: readIpsetBus,
  refersTo: () => ({}),
  settingsOf: (ipset) => ipset,
  ofSettings: (settings) => settings,
  fields,
  // 0.9 refuses every set where the program `ipset` is missing.
  lacks: ({ ipsetsUsable }) =>
    ipsetsUsable
      ? null
      : {
          code: 'ipsets-unusable',
          what: 'firewalld on the host refuses every ipset, and the policy needs some',
          solve: 'install the package ipset on the host and restart firewalld',
        },
};
