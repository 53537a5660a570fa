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
 * A sudo that is limited to portfw's programs: a small program on the host, `portfw-run`, runs only programs whose SHA-256 is
 * in its list, and a sudoers file allows the account only this program. The account can then do with firewalld what portfw
 * can do, but has no root shell.
 */

/** Refuses unlisted programs; `$p` is the text to be evaluated. Contains no single quotes. */
const CHECK = [
  'h=$(printf %s "$p" | sha256sum); h=$' + '{h%% *}',
  'case " $listed " in *" $h "*) ;; *) echo "portfw-run: this program is not listed" >&2; exit 95 ;; esac',
  'unset h listed',
].join('; ');

/** The SHA-256 of every program that portfw runs on hosts, in the form that the host's shell receives. */
export function listedPrograms(): readonly string[] {
  return [probeProgram(), firewalldProgram(), reachProgram(), installProgram()].map(listed);
}

/** Those that a plan takes. Of the requests, `request.py` refuses a planner those that change something. */
function planningPrograms(): readonly string[] {
  return [probeProgram(), firewalldProgram()].map(listed);
}

function listed(program: string): string {
  return createHash('sha256').update(wrappedProgram(program)).digest('hex');
}

/** Who may do what with portfw on a host. Names of accounts are those that useradd accepts. */
export interface SudoAccounts {
  /** May do all that portfw does. */
  readonly user: string;
  /** May plan, and read history and status; `null` for none. */
  readonly planner: string | null;
  /** Whether sudo asks for the account's password. */
  readonly password: boolean;
}

/** The text of `portfw-run` for this version's programs. */
export function sudoHelper(version: string, planner: string | null = null): string {
  const template = readFileSync(new URL('remote/portfw-run.sh', import.meta.url), 'utf8');
  // Functions, because `$` is special in a replacement text.
  return template
    .replace('@VERSION@', () => version)
    .replace('@PATH@', () => PROGRAM_PATH)
    .replace('@LISTED@', () => listedPrograms().join(' '))
    .replace('@PLANNER@', () => planner ?? '')
    .replace('@LISTED_TO_PLANNER@', () => planningPrograms().join(' '))
    .replace('@ENVIRONMENT@', () => PROGRAM_ENVIRONMENT)
    .replace('@SHELL@', () => runningShell(CHECK));
}

/** The sudoers file (`/etc/sudoers.d/portfw`, mode 0440). */
export function sudoersFile({ user, planner, password }: SudoAccounts): string {
  const line = (account: string): string => `${account} ALL=(root) ${password ? '' : 'NOPASSWD: '}${SUDO_HELPER}`;
  return [
    `# ${user} may run portfw's own programs as root, and nothing else.`,
    `Defaults!${SUDO_HELPER} !requiretty, env_reset, always_set_home`,
    line(user),
    ...(planner === null ? [] : [`# ${planner} may only plan: portfw-run says what that is.`, line(planner)]),
    '',
  ].join('\n');
}

/**
 * A script that installs both; read it, then run it as root on each host. It may be run again, and changes nothing unless
 * sudo accepts the new file.
 */
export function sudoersSetup(accounts: SudoAccounts, version: string): string {
  const { user, planner, password } = accounts;
  const flags = `${planner === null ? '' : ` --planner ${planner}`}${password ? ' --password' : ''}`;
  const also = planner === null ? '' : `, and ${planner} may plan with it`;
  return `#!/bin/sh
# Lets ${user} run portfw ${version} with sudo, and nothing else. Run it as root on each host:
#   portfw sudoers ${user}${flags} | ssh root@host.example.net sh
set -eu
umask 022
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT

cat >"$new/portfw-run" <<'PORTFW_RUN'
${sudoHelper(version, planner)}PORTFW_RUN
cat >"$new/sudoers" <<'PORTFW_SUDOERS'
${sudoersFile(accounts)}PORTFW_SUDOERS

mkdir -p ${SUDO_HELPER.slice(0, SUDO_HELPER.lastIndexOf('/'))}
PATH=$PATH:/usr/sbin:/sbin
visudo -cqf "$new/sudoers"
install -o root -g root -m 0755 "$new/portfw-run" ${SUDO_HELPER}
install -o root -g root -m 0440 "$new/sudoers" /etc/sudoers.d/portfw
echo "${user} may run portfw ${version} here${also}"
`;
}
