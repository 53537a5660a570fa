import { type ChildProcessWithoutNullStreams, type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requireProgram } from '../../../set-up/provide.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

const PATIENCE_MS = 30_000;
const CONTROL_X = '\u0018';
const CONTROL_U = '\u0015';

/** Throws when a shell is missing: the set-up installs them, before any test. */
export function requireShells(): void {
  for (const shell of SHELLS) requireProgram(shell, shell);
}

/** Runs a program to its end, with a limit of three minutes. */
export function run(
  program: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv = {},
): SpawnSyncReturns<string> {
  const env = { ...process.env, ...environment };
  return spawnSync(program, args, { encoding: 'utf8', env, timeout: 180_000 });
}

/** How each shell starts with our completion loaded, and how it shows the line that is being typed: `<<line>>` on Ctrl-X. */
const SET_UP: Readonly<Record<Shell, (folder: string, script: string) => { argv: string; files: [string, string][] }>> =
  {
    bash: (folder, script) => ({
      argv: `bash --noprofile --rcfile ${folder}/rc -i`,
      files: [
        [
          'rc',
          `PS1='READY> '; bind 'set enable-bracketed-paste off'; bind 'set bell-style none'\n${script}\n` +
            `show() { printf '<<%s>>' "$READLINE_LINE"; }; bind -x '"\\C-x": show'\n`,
        ],
      ],
    }),
    zsh: (folder, script) => ({
      argv: `env ZDOTDIR=${folder} zsh -i`,
      files: [
        ['_portfw', script],
        [
          '.zshrc',
          `PS1='READY> '; unset zle_bracketed_paste; setopt no_beep\nfpath=(${folder} $fpath)\nautoload -Uz compinit; compinit -u -d ${folder}/dump\n` +
            `show() { print -n -r -- "<<$BUFFER>>" }; zle -N show; bindkey '^X' show\n`,
        ],
      ],
    }),
    fish: (folder, script) => ({
      argv: `env XDG_CONFIG_HOME=${folder} XDG_DATA_HOME=${folder} fish -i`,
      files: [
        ['fish/completions/portfw.fish', script],
        // Where this folder is missing, fish starts a program that fills it, and that outlives the shell.
        ['fish/generated_completions/none', ''],
        [
          'fish/config.fish',
          `set -g fish_greeting; set -g fish_autosuggestion_enabled 0; set -g fish_color_command normal\n` +
            `function fish_prompt; echo -n 'READY> '; end\nfunction show; printf '<<%s>>' (commandline); end\nbind \\cx show\n`,
        ],
      ],
    }),
  };

/** An interactive shell on a terminal, with portfw's completion as users load it. */
export class InteractiveShell {
  readonly #folder = mkdtempSync(join(tmpdir(), 'portfw-shell-'));
  readonly #shell: Shell;
  readonly #argv: string;
  readonly #path: string;
  readonly #cwd: string;
  #child: ChildProcessWithoutNullStreams | null = null;
  #shown = '';

  /** @param bin the folder that holds the command `portfw` */
  constructor(shell: Shell, script: string, bin: string, cwd: string) {
    this.#shell = shell;
    this.#cwd = cwd;
    this.#path = `${bin}:${process.env['PATH'] ?? ''}`;
    const { argv, files } = SET_UP[shell](this.#folder, script);
    this.#argv = argv;
    for (const [name, text] of files) {
      mkdirSync(join(this.#folder, name, '..'), { recursive: true });
      writeFileSync(join(this.#folder, name), text);
    }
  }

  /** Types a line, presses Tab, and gives the line as it is then, without the blank that a finished word gets. */
  async tab(typed: string): Promise<string> {
    this.#child ??= await this.#start();
    this.#shown = '';
    this.#child.stdin.write(`${typed}\t`);
    this.#child.stdin.write(CONTROL_X);
    const [, line = ''] = await this.#seen(/<<(.*?)>>/s);
    this.#child.stdin.write(CONTROL_U);
    return line.trimEnd();
  }

  async #start(): Promise<ChildProcessWithoutNullStreams> {
    const command = `stty columns 200; ${this.#argv}`;
    const child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
      cwd: this.#cwd,
      env: { ...process.env, PATH: this.#path, TERM: 'xterm', HOME: this.#folder, HISTFILE: '/dev/null' },
    });
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#shown += text;
    });
    await this.#seen(/READY> /);
    return child;
  }

  async #seen(what: RegExp): Promise<RegExpMatchArray> {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      const match = what.exec(this.#shown);
      if (match !== null) return match;
      if (Date.now() > end) throw new Error(`${this.#shell} never showed ${what}: ${JSON.stringify(this.#shown)}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  remove(): void {
    this.#child?.kill('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
