import { randomBytes } from 'node:crypto';
import type { Become } from './connection.ts';

/**
 * How a program reaches a host's shell and how its output comes back.
 *
 * The command line is fixed text that sh, csh and fish read alike; only a random hexadecimal nonce in it varies. Everything
 * else is sent on standard input:
 *
 *   1. one line, the bootstrap, which `/bin/sh` reads and evaluates: it empties the environment, starts the deadline
 *      (`timeout`) and a second shell,
 *   2. the program: the second shell checks its length before it evaluates anything, so that a broken connection never
 *      runs a part of it,
 *   3. the data, base64, checked in the same way; the program gets it decoded on its own standard input, so that neither
 *      it nor its children read more, and no temporary file is needed.
 *
 * Standard input stays open while the program runs, and a line on it stops the program: sshd refuses to deliver signals
 * to root's sessions and to what sudo started. An end of file stops nothing, because a program in the middle of a change
 * should finish it although the connection is lost; the host's own deadline ends a hanging program.
 * Output counts only between two markers with the nonce, so a banner that a profile prints is not read as an answer.
 */

/** The environment's `PATH` for every program. */
export const PROGRAM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The time between TERM at the deadline and KILL. */
export const KILL_AFTER_MS = 2000;

/** The marker strings of one run. They cannot be guessed, so only the host's root can forge them. */
export interface Markers {
  /** On standard output and standard error, before the program begins. */
  readonly begin: string;
  /** On standard output, after the program; the exit code and a line feed follow. */
  readonly end: string;
  /** sudo's prompt. */
  readonly passwordPrompt: string;
  /** On standard error, once sudo has started root's shell and it reads its input. */
  readonly becomeDone: string;
  /** The same from the helper, which takes lengths instead of a bootstrap. */
  readonly helperDone: string;
  /** The line on standard input that stops the program. */
  readonly stop: string;
  readonly nonce: string;
}

/** Makes the markers of one run; `nonce` is given only by tests. */
export function createMarkers(nonce: string = randomBytes(16).toString('hex')): Markers {
  return {
    nonce,
    begin: `portfw:${nonce}:begin\n`,
    end: `portfw:${nonce}:end:`,
    passwordPrompt: `[portfw:${nonce}:password]`,
    becomeDone: `[portfw:${nonce}:ready]`,
    helperDone: `[portfw:${nonce}:listed]`,
    stop: `portfw:${nonce}:stop\n`,
  };
}

const READ_BOOTSTRAP = 'IFS= read -r line && eval "$line"';

/**
 * The program on a host that an account may run with sudo instead of a shell: it runs only listed programs. If it is
 * installed, it is used. Made by `sudo-helper.ts` in `src/host/`.
 */
export const SUDO_HELPER = '/usr/local/libexec/portfw-run';

/** The command of root's shell. The same text for every run, so that sudo's log is uniform. $2 is the nonce. */
const ROOT_SHELL = `printf "[portfw:%s:ready]" "$2" >&2; ${READ_BOOTSTRAP}`;

/**
 * The command of the account's own sh: sudo, with the helper if there is one. $1 SSH_CONNECTION, $2 the nonce, $3 the command
 * of root's shell; the rest are sudo's flags, before which a terminal may be inserted.
 */
const CALL_SUDO = [
  'c=$1 n=$2 i=$3; shift 3',
  `if [ -x ${SUDO_HELPER} ]; then set -- "$@" -- ${SUDO_HELPER} "$c" "$n"; else set -- "$@" -- /bin/sh -c "$i" portfw "$c" "$n"; fi`,
].join('; ');

/**
 * Starts a command with a controlling terminal and unchanged standard streams: this satisfies `requiretty`, but no bytes pass
 * through the terminal. The parent keeps the terminal open until the command ends.
 */
const WITH_TERMINAL =
  'import fcntl,os,sys,termios;m,s=os.openpty();p=os.fork();' +
  'p or (os.setsid(),fcntl.ioctl(s,termios.TIOCSCTTY,0),os.execvp(sys.argv[1],sys.argv[1:]));' +
  'r=os.waitpid(p,0)[1];os._exit(128+(r&127) if r&127 else r>>8)';
/** One of them exists on every host with firewalld. */
const PYTHONS = '/usr/bin/python3 /usr/libexec/platform-python /usr/local/bin/python3 /usr/bin/python';

/**
 * The command line for the host: fixed, except for the nonce.
 *
 * `"$SSH_CONNECTION"` is expanded by the login shell and passed as an argument, because sudo removes the variable and
 * programs need the addresses of the session. The first word is `env`, which a restricted shell may run too; it also sets
 * LC_ALL for sudo, whose messages are parsed.
 *
 * @param terminal whether sudo is given a terminal, because sudoers has `requiretty`
 */
export function commandLine(become: Become, markers: Markers, terminal = false): string {
  if (become.kind === 'none') return `env /bin/sh -c '${READ_BOOTSTRAP}' portfw "$SSH_CONNECTION"`;
  const run = terminal
    ? `${CALL_SUDO}; for p in ${PYTHONS}; do if [ -x "$p" ]; then exec "$p" -c "$t" sudo "$@"; fi; done; exec sudo "$@"`
    : `${CALL_SUDO}; exec sudo "$@"`;
  const flags = become.password === null ? '-n' : `-S -p '${markers.passwordPrompt}'`;
  const outer = terminal ? `t=$1; shift; ${run}` : run;
  const words = terminal ? `'${WITH_TERMINAL}' ` : '';
  return `env LC_ALL=C /bin/sh -c '${outer}' portfw ${words}"$SSH_CONNECTION" ${markers.nonce} '${ROOT_SHELL}' ${flags}`;
}

// Must not contain a single quote. $1 the nonce, $2 the program's length in bytes, $3 the data's in base64 characters.
const RECEIVE = [
  'n=$1 l=$2 m=$3',
  'p=$(head -c "$l"); d=',
  'if [ "$m" -gt 0 ]; then d=$(head -c "$m"); fi',
  `if [ "\${#p}" -ne "$l" ] || [ "\${#d}" -ne "$m" ]; then echo "portfw: the program did not arrive whole" >&2; exit 96; fi`,
].join('; ');
const CARRY_OUT = [
  'run() { set --; unset n l m d w; eval "$p"; }',
  // $PPID is `timeout`, which passes TERM on to everything that the program started, and then sends KILL.
  'exec 3<&0 </dev/null',
  '{ IFS= read -r s; if [ "$s" = "portfw:$n:stop" ]; then kill -TERM "$PPID"; fi; } <&3 >/dev/null 2>&1 & w=$!',
  'exec 3<&-',
  'printf "portfw:%s:begin\\n" "$n" >&2',
  'printf "portfw:%s:begin\\n" "$n"',
  'if [ "$m" -gt 0 ]; then printf %s "$d" 2>/dev/null | base64 -d 2>/dev/null | ( run ); else ( run ); fi',
  // bash would report the end of the watcher.
  'r=$?; exec 2>/dev/null; kill "$w"',
  'printf "portfw:%s:end:%s\\n" "$n" "$r"',
  'exit "$r"',
].join('; ');

/**
 * The shell text that runs a program from standard input; its arguments are the nonce and the two lengths.
 *
 * @param check commands between reading and running; the program's text is in `$p`. Must not contain single quotes
 */
export function runningShell(check = ''): string {
  return `${RECEIVE}; ${check === '' ? '' : `${check}; `}${CARRY_OUT}`;
}

/** The environment that every program gets, as arguments of `env`; `$1` is SSH_CONNECTION. */
export const PROGRAM_ENVIRONMENT = `-i LC_ALL=C PATH=${PROGRAM_PATH} HOME="\${HOME:-/}" SSH_CONNECTION="$1"`;

/**
 * A program as the host's shell evaluates it: a function, so that the shell reads the whole text before it runs the first
 * command. No line feed at the end: the command substitution that receives it would remove it, and the length would not
 * match.
 *
 * @throws TypeError for a text with NUL characters
 */
export function wrappedProgram(program: string): Buffer {
  if (program.includes('\0')) throw new TypeError('A program cannot contain NUL characters');
  return Buffer.from(`portfw_program() {\n${program}\n}\nunset p; portfw_program`, 'utf8');
}

/** The standard input of one run, for each kind of reader on the host. */
export interface ProgramInput {
  /** For a shell. */
  readonly shell: readonly Buffer[];
  /** For the helper: the lengths and the deadline as a line of numbers instead of the bootstrap. */
  readonly helper: readonly Buffer[];
}

/**
 * The standard input of one run.
 *
 * @param program POSIX sh text without NUL characters.
 * @param data the program's standard input.
 * @param deadlineMs when the host itself stops the program.
 */
export function programInput(
  program: string,
  data: string | Uint8Array,
  deadlineMs: number,
  markers: Markers,
): ProgramInput {
  const wrapped = wrappedProgram(program);
  const encoded = Buffer.from(data).toString('base64');
  const seconds = (milliseconds: number): string => (Math.max(1, Math.ceil(milliseconds)) / 1000).toString();
  const bootstrap = [
    'umask 022',
    'cd /',
    [
      `exec env ${PROGRAM_ENVIRONMENT}`,
      `timeout -k ${seconds(KILL_AFTER_MS)} ${seconds(deadlineMs)}`,
      `/bin/sh -c '${runningShell()}' portfw ${markers.nonce} ${wrapped.length} ${encoded.length}`,
    ].join(' '),
  ].join('; ');
  const rest = [wrapped, Buffer.from(encoded, 'latin1')];
  const numbers = `${wrapped.length} ${encoded.length} ${seconds(deadlineMs)}\n`;
  return { shell: [Buffer.from(`${bootstrap}\n`), ...rest], helper: [Buffer.from(numbers), ...rest] };
}

/** The parsed output of a run. */
export type Unframed =
  /** With the end marker: the output is complete. */
  | { readonly kind: 'complete'; readonly exitCode: number; readonly stdout: Buffer; readonly stderr: Buffer }
  /** The program began; the end marker is missing. */
  | { readonly kind: 'partial'; readonly stdout: Buffer; readonly stderr: Buffer }
  /** Without a begin marker: the output is not from the program. */
  | { readonly kind: 'none'; readonly stdout: Buffer; readonly stderr: Buffer };

/** Extracts the program's output from everything that the host sent. */
export function unframe(stdout: Buffer, stderr: Buffer, markers: Markers): Unframed {
  const begin = stdout.indexOf(markers.begin);
  const stderrBegin = stderr.indexOf(markers.begin);
  const programStderr = stderrBegin === -1 ? stderr : stderr.subarray(stderrBegin + markers.begin.length);
  if (begin === -1) return { kind: stderrBegin === -1 ? 'none' : 'partial', stdout, stderr: programStderr };
  const programStdout = stdout.subarray(begin + markers.begin.length);
  const end = programStdout.lastIndexOf(markers.end);
  if (end === -1) return { kind: 'partial', stdout: programStdout, stderr: programStderr };
  const exitCode = /^(\d{1,3})\n/.exec(programStdout.toString('latin1', end + markers.end.length));
  if (exitCode === null) return { kind: 'partial', stdout: programStdout.subarray(0, end), stderr: programStderr };
  return {
    kind: 'complete',
    exitCode: Number(exitCode[1]),
    stdout: programStdout.subarray(0, end),
    stderr: programStderr,
  };
}
