import { isIPv6 } from 'node:net';
import { addressFamily } from '../core/addresses.ts';
import { Problem } from '../core/problem.ts';
import { shown } from '../core/shown.ts';
import type { YamlFile, YamlPath } from '../documents/yaml-document.ts';
import type { Probe } from './matrix.ts';
import type { PlayEntry, ProbeEntry } from './playbook-schema.ts';
import type { Checked } from './schema-problems.ts';

const DEFAULT_TIMEOUT_S = 5;
/** `from` for the machine that portfw runs on. */
const CONTROLLER = 'controller';
const TCP_HINT = 'Write a port from 1 to 65535, "HOST:PORT", or "[ADDRESS]:PORT" for an IPv6 address';
const HOST_NAME = /^[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9_])?$/;

/** A playbook that is being read. */
export interface PlayReading {
  /** Absolute: the playbook's own folder, where commands run. */
  readonly directory: string;
  readonly yaml: YamlFile;
  readonly checked: Checked;
  /** Gets what is wrong. */
  readonly problems: Problem[];
}

/**
 * Reads a play's `probes`. What the schema cannot check is checked here: exactly one of `tcp` and `command`, ports, names.
 *
 * @returns the valid probes
 */
export function readProbes(entry: PlayEntry, index: number, reading: PlayReading): readonly Probe[] {
  const { directory, yaml, checked, problems } = reading;
  if (entry.probes === undefined || !checked.usable([index, 'probes'])) return [];
  const names = new Set<string>();
  return entry.probes.flatMap((written, position): Probe[] => {
    const at: YamlPath = [index, 'probes', position];
    if (!checked.sound(at)) return [];
    const probe = readProbe(written, at, directory, yaml, problems);
    if (probe === null) return [];
    if (names.has(probe.name)) {
      problems.push(
        new Problem({
          severity: 'error',
          code: 'duplicate-probe',
          what: `two probes of the play are called ${shown(probe.name)}`,
          solve: 'Give each a "name" of its own',
          location: yaml.locate(written.name === undefined ? at : [...at, 'name']),
        }),
      );
    }
    names.add(probe.name);
    return [probe];
  });
}

function readProbe(
  written: ProbeEntry,
  at: YamlPath,
  directory: string,
  yaml: YamlFile,
  problems: Problem[],
): Probe | null {
  const wrong = (code: string, what: string, solve: string, path: YamlPath, part?: 'key'): null => {
    problems.push(new Problem({ severity: 'error', code, what, solve, location: yaml.locate(path, part) }));
    return null;
  };
  const common = {
    timeoutMs: Math.round((written.timeout ?? DEFAULT_TIMEOUT_S) * 1000),
    passesBefore: written.before !== 'may-fail',
    location: yaml.locate(at),
  };
  const { tcp, command, from } = written;
  if (tcp !== undefined && command !== undefined) {
    return wrong(
      'two-probes',
      'a probe has both "tcp" and "command"',
      'Split it into two probes',
      [...at, 'command'],
      'key',
    );
  }
  if (command !== undefined) {
    if (from !== undefined) {
      const solve = 'Leave it out: commands run on the controller';
      return wrong('misplaced-key', '"from" belongs to a probe with "tcp"', solve, [...at, 'from'], 'key');
    }
    const bad = command.findIndex((part) => part.includes('\0'));
    if (bad !== -1) {
      return wrong('bad-command', 'an argument cannot hold a NUL character', 'Remove it', [...at, 'command', bad]);
    }
    const [program = '', ...rest] = command;
    if (program.trim() === '') {
      return wrong('bad-command', 'the command has no program', 'Name one as its first entry', [...at, 'command', 0]);
    }
    return { kind: 'command', name: written.name ?? command.join(' '), ...common, argv: [program, ...rest], directory };
  }
  if (tcp === undefined) {
    return wrong('empty-probe', 'a probe has neither "tcp" nor "command"', 'Add "tcp" or "command"', at);
  }
  const goal = readGoal(tcp);
  if (typeof goal === 'string') return wrong('bad-probe-goal', goal, TCP_HINT, [...at, 'tcp']);
  const pattern = from === undefined || from.trim() === CONTROLLER ? null : from;
  const name = written.name ?? `tcp ${tcp}${pattern === null ? '' : ` from ${pattern}`}`;
  const peers = pattern === null ? null : { pattern, location: yaml.locate([...at, 'from']) };
  return { kind: 'tcp', name, ...common, ...goal, from: peers };
}

/** What `tcp` says, or what is wrong with it. */
function readGoal(tcp: number | string): { readonly host: string | null; readonly port: number } | string {
  const text = String(tcp).trim();
  const [, bracketed, plain, digits = ''] = /^(?:\[([^\]]*)\]:|(.*):)?([^:\]]*)$/s.exec(text) ?? [];
  const written = bracketed ?? plain ?? null;
  if (bracketed === undefined && isIPv6(text)) return `${shown(text)} is an address without a port`;
  if (plain?.includes(':')) return `${shown(text)} cannot be split into address and port`;
  if (!/^\d{1,9}$/.test(digits)) return `${shown(tcp)} is neither a port nor a host with a port`;
  const port = Number(digits);
  if (port < 1 || port > 65535) return `port ${port} is not between 1 and 65535`;
  if (written === null) return { host: null, port };
  const family = addressFamily(written);
  if (bracketed !== undefined && family !== 'ipv6') return `${shown(written)} is not an IPv6 address`;
  if (family === null && (/^[\d.]+$/.test(written) || !HOST_NAME.test(written))) {
    return `${shown(written)} is neither a host's name nor an address`;
  }
  return { host: written, port };
}
