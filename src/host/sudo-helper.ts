import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  PROGRAM_ENVIRONMENT,
  PROGRAM_PATH,
  runningShell,
  SUDO_HELPER,
  wrappedProgram,
} from '../transport/program-framing.ts';
import { firewalldProgram, installProgram, probeProgram, reachProgram } from './programs.ts';

/**
 * A sudo that is limited to what portfw runs: on the host a small program, `portfw-run`, which carries out only programs
 * whose SHA-256 it has listed, and a sudoers file that allows the account this program alone. Whoever has the account then
 * can do with firewalld what portfw can do, and does not have a shell as root.
 */

/** Refuses what is not listed; `$p` is the text that is about to be evaluated. Without single quotes. */
const CHECK = [
  'h=$(printf %s "$p" | sha256sum); h=$' + '{h%% *}',
  'case " $listed " in *" $h "*) ;; *) echo "portfw-run: this program is not listed" >&2; exit 95 ;; esac',
  'unset h listed',
].join('; ');

/** The SHA-256 of every program that portfw runs on hosts, in the form in which the host's shell gets it. */
export function listedPrograms(): readonly string[] {
  return [probeProgram(), firewalldProgram(), reachProgram(), installProgram()].map((program) =>
    createHash('sha256').update(wrappedProgram(program)).digest('hex'),
  );
}

/** The text of `portfw-run` for this version's programs. */
export function sudoHelper(version: string): string {
  const template = readFileSync(new URL('remote/portfw-run.sh', import.meta.url), 'utf8');
  // Functions, as a replacement text would have its `$` read.
  return template
    .replace('@VERSION@', () => version)
    .replace('@PATH@', () => PROGRAM_PATH)
    .replace('@LISTED@', () => listedPrograms().join(' '))
    .replace('@ENVIRONMENT@', () => PROGRAM_ENVIRONMENT)
    .replace('@SHELL@', () => runningShell(CHECK));
}

/**
 * The sudoers file (`/etc/sudoers.d/portfw`, mode 0440) for one account.
 *
 * @param password whether sudo asks for the account's password
 */
export function sudoersFile(user: string, password: boolean): string {
  return [
    `# ${user} may run portfw's own programs as root, and nothing else.`,
    `Defaults!${SUDO_HELPER} !requiretty, env_reset, always_set_home`,
    `${user} ALL=(root) ${password ? '' : 'NOPASSWD: '}${SUDO_HELPER}`,
    '',
  ].join('\n');
}

/**
 * A script that sets both up, to be read and then run as root on each host. It may be run again, and changes nothing
 * unless sudo finds the new file right.
 */
export function sudoersSetup(user: string, password: boolean, version: string): string {
  return `#!/bin/sh
# Lets ${user} run portfw ${version} with sudo, and nothing else. Run it as root on each host:
#   portfw sudoers ${user} | ssh root@host.example.net sh
set -eu
umask 022
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT

cat >"$new/portfw-run" <<'PORTFW_RUN'
${sudoHelper(version)}PORTFW_RUN
cat >"$new/sudoers" <<'PORTFW_SUDOERS'
${sudoersFile(user, password)}PORTFW_SUDOERS

mkdir -p ${SUDO_HELPER.slice(0, SUDO_HELPER.lastIndexOf('/'))}
PATH=$PATH:/usr/sbin:/sbin
visudo -cqf "$new/sudoers"
install -o root -g root -m 0755 "$new/portfw-run" ${SUDO_HELPER}
install -o root -g root -m 0440 "$new/sudoers" /etc/sudoers.d/portfw
echo "${user} may run portfw ${version} here"
`;
}
