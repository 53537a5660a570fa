import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { rulesInForce } from '../integration/helpers/host-state.ts';
import type { LabHost } from '../lab/host.ts';

const LOOK = readFileSync(join(import.meta.dirname, 'look.py'), 'utf8');
const LOGIN_MS = 4_000;

/** The table by which the suite cuts a host off; it is none of the host's. */
export const CUT_TABLE = 'labfault';

/** A host at one moment, looked at by the engine, whatever its firewall says. */
export interface State {
  /** firewalld's own word, `down`, or that it gave no answer. */
  readonly firewalld: string;
  /**
   * The configuration, one line a fact: every file below /etc/firewalld with mode, owner and SHA-256, the remembered roles,
   * runtime and permanent settings as the daemon says them, the kernel's rules in force.
   */
  readonly lines: readonly string[];
  /** What is left of runs: records, units, timers, processes, unfinished files, the lock. Empty when nothing is armed. */
  readonly left: readonly string[];
}

/** Looks at a host. Throws when the engine cannot run a program on it. */
export async function look(host: LabHost): Promise<State> {
  const said = (await host.run('/usr/bin/python3', '-c', LOOK)).split('\n');
  const those = (kind: string): string[] =>
    said.filter((line) => line.startsWith(`${kind} `)).map((line) => line.slice(kind.length + 1));
  const facts = said.filter((line) => /^(?:file|elements|remembered|runtime|permanent) /.test(line)).sort();
  const rules = helpersInSomeOrder(rulesInForce(withoutTables(those('rule')))).map((line) => `rule ${line}`);
  return { firewalld: those('firewalld')[0] ?? 'unknown', lines: [...facts, ...rules], left: those('left') };
}

/**
 * In a chain that only accepts and sets helpers, the order says one thing: whether a helper is set before its port is
 * accepted. It differs otherwise between rules that were added one by one and rules that were loaded together.
 */
function helpersInSomeOrder(rules: readonly string[]): readonly string[] {
  const blocks: string[][] = [];
  for (const line of rules) {
    if (line.endsWith(':')) blocks.push([line]);
    else blocks.at(-1)?.push(line);
  }
  return blocks.flatMap(([name, ...content]) => {
    // A chain that iptables has made and that says nothing is as good as none.
    if (content.length === 1 && /^type .* hook .* policy accept;$/.test(content[0]!)) return [];
    if (
      !content.some((line) => HELPER.test(line)) ||
      !content.every((line) => / accept$/.test(line) || HELPER.test(line))
    )
      return [name!, ...content];
    const told = content.map((line, index) => {
      const port = HELPER.exec(line)?.[1];
      const accepted = content.findIndex(
        (other) => port !== undefined && other.startsWith(`${port} `) && other.endsWith(' accept'),
      );
      return port === undefined ? line : `${line} (${accepted === -1 || accepted > index ? 'in time' : 'too late'})`;
    });
    return [name!, ...told.sort()];
  });
}

/** `udp dport 69 ct helper set "helper-tftp-udp"`, with the match alone in the group. */
const HELPER = /^(\S+ dport \S+) ct helper set \S+$/;

/** The suite's own table, and the one in which the engine of the containers answers for DNS: firewalld may flush that. */
const NOT_THE_HOSTS = [`table inet ${CUT_TABLE} {`, 'table ip nat {'];

function withoutTables(rules: readonly string[]): string[] {
  let inside = false;
  return rules.filter((line) => {
    if (line.startsWith('table ')) inside = NOT_THE_HOSTS.includes(line);
    return !inside;
  });
}

/** Lines that only one of two states has, in words; empty when the configurations are the same. */
export function differences(
  is: readonly string[],
  wanted: readonly string[],
  tolerated: RegExp | null = null,
): readonly string[] {
  const counts = new Map<string, number>();
  const relevant = (lines: readonly string[]) => lines.filter((line) => tolerated === null || !tolerated.test(line));
  for (const line of relevant(is)) counts.set(line, (counts.get(line) ?? 0) + 1);
  for (const line of relevant(wanted)) counts.set(line, (counts.get(line) ?? 0) - 1);
  const found = [...counts].flatMap(([line, count]) => (count === 0 ? [] : [`${count > 0 ? 'is' : 'lacks'}: ${line}`]));
  if (found.length > 0) return found;
  // The same lines in another order: only the order of rules means something.
  const ordered = (lines: readonly string[]) => relevant(lines).filter((line) => line.startsWith('rule '));
  const [a, b] = [ordered(is), ordered(wanted)];
  const index = a.findIndex((line, position) => line !== b[position]);
  return index === -1 ? [] : [`the order differs: ${a[index]} where ${b[index]} should be`];
}

/** A fresh login over the network and a command run by it, as a person would; `null` when it works, else why not. */
export function loginFails(address: string, privateKey: string): Promise<string | null> {
  return new Promise((resolve) => {
    const client = new ssh2.Client();
    let settled = false;
    const finish = (why: string | null): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      client.destroy();
      resolve(why);
    };
    const timer = setTimeout(() => finish(`no login within ${LOGIN_MS / 1000} s`), LOGIN_MS);
    client.on('error', (error) => finish(error.message));
    client.on('close', () => finish('the connection was closed'));
    client.on('ready', () =>
      client.exec('true', (error, channel) => {
        if (error !== undefined) return finish(error.message);
        channel.on('exit', (code: number | null) => finish(code === 0 ? null : `"true" ended with ${code}`));
        channel.resume();
      }),
    );
    client.connect({ host: address, username: 'root', privateKey, readyTimeout: LOGIN_MS });
  });
}
