import { type PortRange, type Protocol, parsePortRange } from '../core/ports.ts';
import { Problem } from '../core/problem.ts';
import { shown } from '../core/shown.ts';
import { suggestion } from '../core/suggest.ts';
import type { YamlFile, YamlPath } from '../documents/yaml-document.ts';
import type { Detector, MatrixRole } from './matrix.ts';
import type { DetectorEntry, RoleEntry, RuleGroup } from './matrix-schema.ts';
import {
  checkOverlaps,
  expandGroups,
  formatRulePort,
  type KnownNames,
  type RowContext,
  type RuleDraft,
  ruleKey,
  withIds,
} from './rules.ts';
import type { Checked } from './schema-problems.ts';

/** The file whose role is resolved. */
export interface RoleContext {
  readonly matrix: string;
  /** Whether the file extends another matrix. */
  readonly extending: boolean;
  readonly baseRoles: readonly string[];
  readonly yaml: YamlFile;
  readonly checked: Checked;
  readonly known: KnownNames;
  readonly problems: Problem[];
}

const CHANGES = ['add', 'replace', 'drop'] as const;

/**
 * Merges a file's role with the base's role of that name, if there is one.
 *
 * `rules` replaces all the base's rules; `drop`, `replace` and `add` change them, in this order. Everything else that the
 * file leaves out (title, detectors, …) is inherited from the base.
 */
export function mergeRole(name: string, entry: RoleEntry, base: MatrixRole | null, context: RoleContext): MatrixRole {
  const at = ['roles', name];
  const { problems, yaml, checked } = context;
  if (base === null) checkNewRole(name, entry, context);
  else if (entry.rules !== undefined && CHANGES.some((key) => entry[key] !== undefined)) {
    problems.push(
      new Problem({
        severity: 'error',
        code: 'contradiction',
        what: `the role ${shown(name)} has both "rules", which replaces all rules, and a change to them`,
        solve: 'Keep "rules", or use only "add", "replace" and "drop"',
        location: yaml.locate([...at, 'rules'], 'key'),
      }),
    );
  }
  const rowContext: RowContext = { matrix: context.matrix, role: name, yaml, checked, known: context.known, problems };
  const expand = (key: 'rules' | 'add' | 'replace'): RuleDraft[] => {
    const groups: readonly RuleGroup[] | undefined = entry[key];
    return groups === undefined || !checked.usable([...at, key]) ? [] : expandGroups(groups, [...at, key], rowContext);
  };

  let rules: RuleDraft[] = entry.rules === undefined ? [...(base?.rules ?? [])] : expand('rules');
  if (base !== null && entry.rules === undefined) {
    rules = dropRules(rules, entry.drop ?? [], [...at, 'drop'], base, context);
    rules = replaceRules(rules, expand('replace'), problems);
    rules.push(...expand('add'));
  }
  checkOverlaps(rules, problems);
  return {
    name,
    title: entry.title ?? base?.title ?? name,
    everyHost: entry.every_host ?? base?.everyHost ?? false,
    appliance: entry.appliance ?? base?.appliance ?? false,
    interfaceChoices: entry.interface_choices ?? base?.interfaceChoices ?? [],
    detectors:
      entry.detectors === undefined
        ? (base?.detectors ?? [])
        : readDetectors(entry.detectors, [...at, 'detectors'], context),
    rules: withIds(rules),
  };
}

function checkNewRole(name: string, entry: RoleEntry, context: RoleContext): void {
  const at = ['roles', name];
  const change = CHANGES.find((key) => entry[key] !== undefined);
  if (change !== undefined) {
    context.problems.push(
      new Problem({
        severity: 'error',
        code: 'nothing-to-change',
        what: context.extending
          ? `the base has no role ${shown(name)} whose rules "${change}" could change`
          : `"${change}" changes the rules of a base, but this matrix has no base`,
        solve: context.extending
          ? suggestion(name, context.baseRoles, 'roles')
          : 'Write the rules under "rules", or name the base with "extends"',
        location: context.yaml.locate([...at, change], 'key'),
      }),
    );
    return;
  }
  for (const key of ['title', 'rules'] as const) {
    if (entry[key] !== undefined) continue;
    context.problems.push(
      new Problem({
        severity: 'error',
        code: 'missing-key',
        what: `the role ${shown(name)} has no ${shown(key)}`,
        solve:
          key === 'title'
            ? 'Say what people call the component'
            : 'List its rules; "rules: []" is a role that opens nothing',
        location: context.yaml.locate(at, 'key'),
      }),
    );
  }
}

function dropRules(
  rules: RuleDraft[],
  selectors: readonly string[],
  at: YamlPath,
  base: MatrixRole,
  context: RoleContext,
): RuleDraft[] {
  let rest = rules;
  if (!context.checked.usable(at)) return rest;
  for (const [index, selector] of selectors.entries()) {
    if (!context.checked.sound([...at, index])) continue;
    const matches = (rule: RuleDraft): boolean =>
      ruleKey(rule) === selector || `${rule.protocol}/${formatRulePort(rule.port)}` === selector;
    const left = rest.filter((rule) => !matches(rule));
    if (left.length === rest.length) {
      context.problems.push(
        new Problem({
          severity: 'error',
          code: 'nothing-to-drop',
          what: `the role ${shown(base.name)} has no rule ${shown(selector)} to drop`,
          solve: dropHint(selector, rest),
          location: context.yaml.locate([...at, index]),
        }),
      );
    }
    rest = left;
  }
  return rest;
}

function dropHint(selector: string, rules: readonly RuleDraft[]): string {
  const parts = selector.split('/');
  const port = Number(parts.at(-1));
  const range = rules.find(
    ({ protocol, port: other }) =>
      other.kind === 'range' &&
      protocol === parts.at(-2) &&
      other.range.first < other.range.last &&
      other.range.first <= port &&
      port <= other.range.last,
  );
  if (range !== undefined)
    return `The port lies within ${shown(ruleKey(range))}: drop that range and add what should stay`;
  return suggestion(selector, rules.map(ruleKey), 'rules');
}

/** Replaces each rule of the base by the new one for the same interface, protocol and port. */
function replaceRules(
  rules: readonly RuleDraft[],
  replacements: readonly RuleDraft[],
  problems: Problem[],
): RuleDraft[] {
  const byKey = new Map<string, RuleDraft[]>();
  for (const rule of replacements) byKey.set(ruleKey(rule), [...(byKey.get(ruleKey(rule)) ?? []), rule]);
  for (const [key, [first]] of byKey) {
    if (first === undefined || rules.some((rule) => ruleKey(rule) === key)) continue;
    problems.push(
      new Problem({
        severity: 'error',
        code: 'nothing-to-replace',
        what: `the role ${shown(first.role)} has no rule ${shown(key)} to replace`,
        solve: `A new rule goes under "add". ${suggestion(key, rules.map(ruleKey), 'rules')}`,
        location: first.location,
      }),
    );
  }
  const done = new Set<string>();
  return rules.flatMap((rule) => {
    const key = ruleKey(rule);
    const replacement = byKey.get(key);
    if (replacement === undefined) return [rule];
    if (done.has(key)) return [];
    done.add(key);
    return replacement;
  });
}

const SOCKET = /^(tcp|udp)\/(.+)$/;

function readDetectors(entries: readonly DetectorEntry[], at: YamlPath, context: RoleContext): Detector[] {
  if (!context.checked.usable(at)) return [];
  return entries.flatMap((entry, index) => {
    if (!context.checked.sound([...at, index])) return [];
    const detector = readDetector(entry);
    if (typeof detector !== 'string') return [detector];
    context.problems.push(
      new Problem({
        severity: 'error',
        code: 'bad-detector',
        what: detector,
        solve: 'Give one of "socket", "process", "unit", "package" and "file"; "process" may be combined with "socket"',
        location: context.yaml.locate([...at, index]),
      }),
    );
    return [];
  });
}

/** The detector, or a sentence that says what is wrong with it. */
function readDetector(entry: DetectorEntry): Detector | string {
  const { weight } = entry;
  const kinds = (['socket', 'unit', 'package', 'file'] as const).filter((key) => entry[key] !== undefined);
  const names = entry.process === undefined ? [] : typeof entry.process === 'string' ? [entry.process] : entry.process;
  const [kind, second] = kinds;
  if (second !== undefined) return `a detector checks one thing, but this one has "${kind}" and "${second}"`;
  if (kind === undefined) return names.length > 0 ? { kind: 'process', names, weight } : 'the detector checks nothing';
  const text = entry[kind] ?? '';
  if (kind === 'socket') {
    const [, protocol, port] = SOCKET.exec(text) ?? [];
    const range: PortRange | string =
      port === undefined ? `${shown(text)} is not a socket such as "udp/5060"` : parsePortRange(port);
    if (typeof range === 'string') return range;
    return { kind, protocol: protocol as Protocol, port: range, processes: names, weight };
  }
  if (names.length > 0) return `"process" cannot be combined with "${kind}"`;
  switch (kind) {
    case 'unit':
      return { kind, unit: text, weight };
    case 'package':
      return { kind, package: text, weight };
    case 'file':
      return { kind, path: text, weight };
  }
}
