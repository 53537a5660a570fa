import { gzipSync } from 'node:zlib';
import { firewalldProgram } from '../../../src/host/programs.ts';
import { parseRehearsal } from '../../../src/host/rehearsal-answer.ts';
import { type RehearseRequest, rehearsedNames } from '../../../src/host/requests.ts';
import { readRules } from '../../../src/kernel/rules-text.ts';
import type { Ruleset } from '../../../src/kernel/ruleset.ts';
import type { Rehearsal, RehearsedState } from '../../../src/plan/rehearsal.ts';
import { type RulesDifference, rulesDifference } from '../../helpers/rules-difference.ts';
import type { LabHost } from '../../lab/host.ts';

const NOTHING: RehearseRequest = {
  operation: 'rehearse',
  starts: false,
  reload: false,
  files: [],
  ours: [],
  edits: [],
  calls: [],
  connections: [],
  ways: [],
  listen: [],
};

/** Brings the program of a request to a host, once, for {@link rehearsedOn}. */
export async function bringProgram(host: LabHost): Promise<void> {
  // An argument holds no more than 128 KiB.
  const packed = gzipSync(firewalldProgram()).toString('base64');
  await host.sh('printf %s "$1" | base64 -d | gunzip >/opt/portfw-request.sh', packed);
}

/**
 * What a host says of a rehearsal, without a plan: of its files as they are, above all.
 *
 * @param through a command that the program is started with
 */
export async function rehearsedOn(
  host: LabHost,
  more: Partial<RehearseRequest> = {},
  through: readonly string[] = [],
): Promise<Rehearsal> {
  const request = { ...NOTHING, ...more };
  const encoded = Buffer.from(JSON.stringify(request)).toString('base64');
  const script = 'run() { . /opt/portfw-request.sh; }; printf %s "$1" | base64 -d | run';
  const { stdout, stderr } = await host.exec([...through, '/bin/sh', '-c', script, 'sh', encoded]);
  if (stdout === '') throw new Error(`${host.name} does not answer:\n${stderr}`);
  return parseRehearsal(stdout, request.ways, rehearsedNames(request));
}

/** One state of a rehearsal; throws where there is none. */
export function stateOf(rehearsal: Rehearsal, name: RehearsedState['name']): RehearsedState {
  const state = rehearsal.kind === 'rehearsed' ? rehearsal.states.find((one) => one.name === name) : undefined;
  if (state === undefined) throw new Error(`no state ${name}: ${JSON.stringify(rehearsal).slice(0, 500)}`);
  return state;
}

/**
 * firewalld's own tables, and those that its direct rules stand in: what a load of it makes. Empty chains of iptables, which
 * earlier rules have left, and ipsets that no rule names are no part of that.
 */
export function ownTables(rules: Ruleset): Ruleset {
  const tables = rules.tables
    .filter(({ name }) => /^firewalld/.test(name) || ['filter', 'mangle', 'raw'].includes(name))
    .map((table) => {
      if (/^firewalld/.test(table.name)) return table;
      const chains = [...table.chains].filter(([, { base, rules: own }]) => base?.policy === 'drop' || own.length > 0);
      return { ...table, chains: new Map(chains), sets: new Map() };
    });
  return { ...rules, tables: tables.filter(({ chains }) => chains.size > 0) };
}

/**
 * The difference of two rulesets but for lines that only stand in another place: firewalld keeps some lists in Python's sets,
 * whose order is another one in each process.
 */
export function differenceInAnyOrder(before: Ruleset, after: Ruleset): RulesDifference | null {
  const found = rulesDifference(before, after);
  if (found === null) return null;
  const missing = found.missing.filter((line) => !found.added.includes(line));
  const added = found.added.filter((line) => !found.missing.includes(line));
  return missing.length + added.length === 0 ? null : { missing, added };
}

/** The rules in force on a host. */
export async function rulesInForce(host: LabHost): Promise<Ruleset> {
  const text = async (...argv: string[]) => (await host.exec(argv)).stdout;
  return readRules({
    nft: await text('nft', '-j', 'list', 'ruleset'),
    save4: await text('iptables-save'),
    save6: await text('ip6tables-save'),
    ipsets: '',
  });
}
