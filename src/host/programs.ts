import { readFileSync } from 'node:fs';

/** The Python files that make up each program, in order. */
const COLLECTOR = ['observe.py', 'kinds.py', 'files.py', 'runs.py', 'network_manager.py', 'offline.py', 'collect.py'];
const STEPS = [
  'observe.py',
  'kinds.py',
  'files.py',
  'runs.py',
  'generations.py',
  'journal.py',
  'released.py',
  'network_manager.py',
  'foreign_rules.py',
  'kernel_rules.py',
  'offline.py',
  'in_place.py',
  'bans.py',
  'daemon.py',
  'restore.py',
  'alarm.py',
  'arming.py',
  'guard.py',
  'steps.py',
  'ensure.py',
  'history.py',
  'flows.py',
  'namespaces.py',
  'candidates.py',
  'trial_packets.py',
  'rehearsal.py',
  'door.py',
  'request.py',
];

function text(name: string): string {
  return readFileSync(new URL(`remote/${name}`, import.meta.url), 'utf8');
}

/**
 * A Python file as it is sent: without blank lines and comment lines, and indented by single spaces. To Python both are the
 * same; a test compares them.
 */
function condensed(python: string): string {
  let quoted = false;
  const kept = python.split('\n').flatMap((line) => {
    const whole = quoted;
    if (line.split('"""').length % 2 === 0) quoted = !quoted;
    if (whole) return [line];
    return /^\s*(?:#|$)/.test(line) ? [] : [line.replace(/^ +/, (blanks) => ' '.repeat(Math.ceil(blanks.length / 4)))];
  });
  return `${kept.join('\n')}\n`;
}

/** The shell function that prints a Python program; the delimiter is quoted, so the shell expands nothing in the text. */
function firewalldFunction(parts: readonly string[]): string {
  const program = parts.map((name) => condensed(text(name))).join('');
  return `firewalld_program() {\ncat <<'PORTFW_END_OF_PROGRAM'\n${program}PORTFW_END_OF_PROGRAM\n}\n`;
}

let probe: string | undefined;
let firewalld: string | undefined;
let install: string | undefined;
let reach: string | undefined;

/** The read-only program that gathers facts: probe.sh with the collector. */
export function probeProgram(): string {
  probe ??= firewalldFunction(COLLECTOR) + text('probe.sh');
  return probe;
}

/** The program that carries out one request on firewalld: firewalld.sh with the steps. */
export function firewalldProgram(): string {
  firewalld ??= firewalldFunction(STEPS) + text('firewalld.sh');
  return firewalld;
}

/** The program that installs the package firewalld: install.sh. */
export function installProgram(): string {
  install ??= text('install.sh');
  return install;
}

/** The program that tries a TCP connection from a host: reach.sh. */
export function reachProgram(): string {
  reach ??= text('reach.sh');
  return reach;
}
