import { readFileSync } from 'node:fs';

function text(name: string): string {
  return readFileSync(new URL(name, import.meta.url), 'utf8');
}

/** The shell function that prints firewalld.py; the delimiter is quoted, so the shell reads nothing into the text. */
function firewalldFunction(): string {
  return `firewalld_program() {\ncat <<'PORTFW_END_OF_PROGRAM'\n${text('firewalld.py')}PORTFW_END_OF_PROGRAM\n}\n`;
}

let probe: string | undefined;
let firewalld: string | undefined;

/** The read-only program that gathers facts: probe.sh. */
export function probeProgram(): string {
  probe ??= firewalldFunction() + text('probe.sh');
  return probe;
}

/** The program that carries out one request on firewalld: firewalld.sh. */
export function firewalldProgram(): string {
  firewalld ??= firewalldFunction() + text('firewalld.sh');
  return firewalld;
}
