import { formatPortRange, type PortRange, type Protocol, parsePortRange } from '../core/ports.ts';
import { Problem } from '../core/problem.ts';
import { shown } from '../core/shown.ts';
import { suggestion } from '../core/suggest.ts';
import type { YamlFile, YamlPath } from '../documents/yaml-document.ts';
import type { MatrixRule, RulePort } from './matrix.ts';
import type { PortRow, RuleGroup } from './matrix-schema.ts';
import type { Checked } from './schema-problems.ts';

/** The names that a rule may refer to. */
export interface KnownNames {
  readonly features: ReadonlySet<string>;
  readonly peers: ReadonlySet<string>;
}

/** The role whose rows are expanded. */
export interface RowContext {
  readonly matrix: string;
  readonly role: string;
  readonly yaml: YamlFile;
  readonly checked: Checked;
  readonly known: KnownNames;
  readonly problems: Problem[];
}

/** A rule without its `id`, which depends on the other rules of the role. */
export type RuleDraft = Omit<MatrixRule, 'id'>;

const PROTOCOLS: readonly Protocol[] = ['tcp', 'udp'];
const HELPERS = { ftp: 'tcp', tftp: 'udp' } as const;
const RPC = /^rpc:([a-z][a-z0-9_.-]{0,31})$/;

/** `8442`, `8903-8904` or `rpc:mountd`. */
export function formatRulePort(port: RulePort): string {
  return port.kind === 'rpc' ? `rpc:${port.program}` : formatPortRange(port.range);
}

/** `interface/protocol/port`: identifies a rule within its role, without its sender. */
export function ruleKey(rule: RuleDraft): string {
  return `${rule.interface}/${rule.protocol}/${formatRulePort(rule.port)}`;
}

/**
 * Turns groups of rows into rules, one protocol and one port or range each, in the order written.
 * Rows that the schema refused are left out; all other problems of a row are added to `context.problems`.
 */
export function expandGroups(groups: readonly RuleGroup[], at: YamlPath, context: RowContext): RuleDraft[] {
  const drafts: RuleDraft[] = [];
  for (const [index, group] of groups.entries()) {
    const path = [...at, index];
    if (!context.checked.usable(path)) continue;
    const own = ['interface', 'source', 'from', 'from_public', 'feature', 'note'].every((key) =>
      context.checked.sound([...path, key]),
    );
    if (!own || !context.checked.usable([...path, 'ports'])) continue;
    checkReferences(group, path, context);
    for (const [row, entry] of group.ports.entries()) {
      if (context.checked.sound([...path, 'ports', row]))
        drafts.push(...expandRow(entry, group, [...path, 'ports', row], context));
    }
  }
  return drafts;
}

function expandRow(row: PortRow, group: RuleGroup, path: YamlPath, context: RowContext): RuleDraft[] {
  checkReferences(row, path, context);
  const helper = checkHelper(row, path, context);
  const source = row.source ?? group.source;
  if (source === undefined) {
    report(
      context,
      'missing-key',
      'the row has no "source"',
      'Give the row or its group a "source": where the rule is printed, or who decided it',
      path,
    );
  }
  if (row.tcp === undefined && row.udp === undefined) {
    report(context, 'missing-key', 'the row names no port', 'Write "tcp: 8442" or "udp: 1812"', path);
  }
  const drafts: RuleDraft[] = [];
  for (const protocol of PROTOCOLS) {
    const written = row[protocol];
    if (written === undefined) continue;
    const list = Array.isArray(written) ? written : null;
    for (const [index, item] of (list ?? [written as number | string]).entries()) {
      const itemPath = list === null ? [...path, protocol] : [...path, protocol, index];
      const port = readPort(item);
      if (typeof port === 'string') {
        report(
          context,
          'bad-port',
          port,
          'Write a port from 1 to 65535, a range such as "8903-8904", or "rpc:mountd"',
          itemPath,
        );
        continue;
      }
      drafts.push({
        matrix: context.matrix,
        role: context.role,
        interface: group.interface,
        protocol,
        port,
        from: row.from ?? group.from ?? 'any',
        fromPublic: row.from_public ?? group.from_public ?? null,
        administration: row.administration ?? false,
        feature: row.feature ?? group.feature ?? null,
        helper,
        purpose: row.purpose,
        source: source ?? '',
        note: row.note ?? group.note ?? null,
        location: context.yaml.locate(itemPath),
      });
    }
  }
  return drafts;
}

/** A port as a row writes it, or a sentence that says what is wrong with it. */
function readPort(item: number | string): RulePort | string {
  if (typeof item === 'string' && item.startsWith('rpc:')) {
    const program = RPC.exec(item)?.[1];
    return program === undefined ? `${shown(item)} names no RPC program` : { kind: 'rpc', program };
  }
  const text = String(item);
  if (/^0\d|-0\d/.test(text)) return `${shown(text)} is not a port: it has a leading zero`;
  const range: PortRange | string = parsePortRange(text);
  return typeof range === 'string' ? range : { kind: 'range', range };
}

function checkReferences(entry: RuleGroup | PortRow, path: YamlPath, context: RowContext): void {
  const { feature } = entry;
  for (const key of ['from', 'from_public'] as const) {
    const from = entry[key];
    if (from === undefined || from === 'any' || context.known.peers.has(from)) continue;
    const solve = suggestion(from, ['any', ...context.known.peers], 'senders');
    report(context, 'unknown-peer', `there is no peer set ${shown(from)}`, solve, [...path, key]);
  }
  if (feature !== undefined && !context.known.features.has(feature)) {
    const solve = suggestion(feature, context.known.features, 'features');
    report(context, 'unknown-feature', `there is no feature ${shown(feature)}`, solve, [...path, 'feature']);
  }
}

function checkHelper(row: PortRow, path: YamlPath, context: RowContext): 'ftp' | 'tftp' | null {
  const { helper } = row;
  if (helper === undefined) return null;
  if (helper !== 'ftp' && helper !== 'tftp') {
    const solve =
      helper === 'sip'
        ? 'Leave it out: a SIP server must not have one, it would rewrite the calls'
        : suggestion(helper, Object.keys(HELPERS), 'helpers');
    report(context, 'unknown-helper', `there is no helper ${shown(helper)} to use here`, solve, [...path, 'helper']);
    return null;
  }
  const wrong = HELPERS[helper] === 'tcp' ? 'udp' : 'tcp';
  if (row[wrong] !== undefined) {
    report(
      context,
      'wrong-helper',
      `the helper "${helper}" follows ${HELPERS[helper]} connections, and this row opens ${wrong}`,
      `Give the ${wrong} port a row of its own without "helper"`,
      [...path, 'helper'],
    );
  }
  return helper;
}

/** Reports duplicate rules of one role, and ranges that overlap on one interface for the same sender. */
export function checkOverlaps(rules: readonly RuleDraft[], problems: Problem[]): void {
  const seen = new Map<string, RuleDraft[]>();
  for (const rule of rules) {
    const place = `${rule.interface}/${rule.protocol}/${rule.from}`;
    const earlier = seen.get(place) ?? [];
    const other = earlier.find((candidate) => overlap(candidate.port, rule.port));
    if (other !== undefined) {
      const same = formatRulePort(other.port) === formatRulePort(rule.port);
      const what = `${rule.role}: ${rule.protocol} ${formatRulePort(rule.port)} on ${rule.interface} from ${rule.from}`;
      const where = `${other.location.file}:${other.location.line}`;
      problems.push(
        new Problem({
          severity: 'error',
          code: same ? 'duplicate-rule' : 'overlapping-rules',
          what: same ? `${what} is defined twice` : `${what} overlaps with ${formatRulePort(other.port)}`,
          solve: `Keep one; the other is at ${where}`,
          location: rule.location,
        }),
      );
    }
    seen.set(place, [...earlier, rule]);
  }
}

function overlap(a: RulePort, b: RulePort): boolean {
  if (a.kind === 'rpc' || b.kind === 'rpc') return a.kind === 'rpc' && b.kind === 'rpc' && a.program === b.program;
  return a.range.first <= b.range.last && b.range.first <= a.range.last;
}

/** Gives each rule its id: `role/interface/protocol/port`, and `/from-PEER` where several senders share the port. */
export function withIds(drafts: readonly RuleDraft[]): MatrixRule[] {
  const senders = new Map<string, number>();
  for (const draft of drafts) senders.set(ruleKey(draft), (senders.get(ruleKey(draft)) ?? 0) + 1);
  return drafts.map((draft) => {
    const id = `${draft.role}/${ruleKey(draft)}`;
    return { ...draft, id: (senders.get(ruleKey(draft)) ?? 0) > 1 ? `${id}/from-${draft.from}` : id };
  });
}

function report(context: RowContext, code: string, what: string, solve: string, path: YamlPath): void {
  context.problems.push(new Problem({ severity: 'error', code, what, solve, location: context.yaml.locate(path) }));
}
