import type { Command, Option } from 'commander';
import { suggestion } from '../../core/suggest.ts';
import { terminalLine } from '../../core/terminal-text.ts';
import { EXIT } from '../exit-codes.ts';
import { UsageError } from '../usage-error.ts';

const SHELLS = { bash, zsh, fish };

/** `portfw completion bash|zsh|fish`: the script is made from the commands themselves, so it cannot fall behind them. */
export function completion(shell: string, program: Command): number {
  if (!Object.hasOwn(SHELLS, shell)) {
    throw new UsageError(
      `there is no completion for "${terminalLine(shell)}"`,
      suggestion(shell, Object.keys(SHELLS), 'shells'),
    );
  }
  process.stdout.write(SHELLS[shell as keyof typeof SHELLS](describe(program)));
  return EXIT.done;
}

interface DescribedFlag {
  readonly short: string | null;
  readonly long: string;
  readonly description: string;
  /** What its value is called: `file`, `seconds`, …; `null` for a switch. */
  readonly value: string | null;
}

interface DescribedCommand {
  readonly name: string;
  readonly description: string;
  /** Whether its arguments are files, or words from this list. */
  readonly words: readonly string[] | null;
  readonly flags: readonly DescribedFlag[];
}

const HELP_FLAG: DescribedFlag = { short: '-h', long: '--help', description: 'show this help', value: null };

function describe(program: Command): readonly DescribedCommand[] {
  return program.commands.map((command) => ({
    name: command.name(),
    description: command.description(),
    words: command.name() === 'completion' ? Object.keys(SHELLS) : null,
    flags: [...command.options.map(describeFlag), HELP_FLAG],
  }));
}

function describeFlag(option: Option): DescribedFlag {
  const value = /[<[]([^>\]]+)[>\]]/.exec(option.flags)?.[1] ?? null;
  return { short: option.short ?? null, long: option.long!, description: option.description, value };
}

function names(flag: DescribedFlag): readonly string[] {
  return flag.short === null ? [flag.long] : [flag.short, flag.long];
}

function takesFile(flag: DescribedFlag): boolean {
  return flag.value?.includes('file') === true;
}

function bash(commands: readonly DescribedCommand[]): string {
  const cases = commands.map((command) => {
    const valued = command.flags.filter((flag) => flag.value !== null);
    // Readline completes file names where we offer nothing (complete -o default).
    const values =
      valued.length === 0 ? '' : `      case $prev in ${valued.flatMap(names).join('|')}) return ;; esac\n`;
    const words = command.flags.flatMap(names).join(' ');
    const args =
      command.words === null ? '' : `      COMPREPLY=($(compgen -W '${command.words.join(' ')}' -- "$cur"))\n`;
    return `    ${command.name})
${values}      if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '${words}' -- "$cur")); return; fi
${args}      ;;`;
  });
  return `# bash completion for portfw; load it with: source <(portfw completion bash)
_portfw() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]}
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W '${commands.map((command) => command.name).join(' ')} help --help --version' -- "$cur"))
    return
  fi
  case \${COMP_WORDS[1]} in
${cases.join('\n')}
  esac
}
complete -o default -F _portfw portfw
`;
}

function zsh(commands: readonly DescribedCommand[]): string {
  const quote = (text: string): string => text.replaceAll("'", "'\\''");
  const plain = (text: string): string => quote(text).replaceAll(/[[\]:]/g, (character) => `\\${character}`);
  const list = commands.map((command) => `    '${command.name}:${plain(command.description)}'`).join('\n');
  const cases = commands.map((command) => {
    const specs = command.flags.map((flag) => {
      const value = flag.value === null ? '' : `:${plain(flag.value)}:${takesFile(flag) ? '_files' : ''}`;
      const repeated = ['--verbose', '--accept-lockout'].includes(flag.long) ? '*' : '';
      return names(flag)
        .map((name) => `      '${repeated}${name}[${plain(flag.description)}]${value}'`)
        .join(' \\\n');
    });
    const rest = command.words === null ? "      '*:file:_files'" : `      '1:shell:(${command.words.join(' ')})'`;
    return `    ${command.name}) _arguments \\\n${[...specs, rest].join(' \\\n')} ;;`;
  });
  return `#compdef portfw
# zsh completion for portfw; save it as _portfw in a folder of $fpath
_portfw() {
  local -a commands
  commands=(
${list}
  )
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
${cases.join('\n')}
  esac
}
if [[ $funcstack[1] == _portfw ]]; then _portfw "$@"; else compdef _portfw portfw; fi
`;
}

function fish(commands: readonly DescribedCommand[]): string {
  const quote = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const lines = commands.flatMap((command) => {
    const here = `-n '__fish_seen_subcommand_from ${command.name}'`;
    const flags = command.flags.map((flag) => {
      const short = flag.short === null ? '' : ` -s ${flag.short.slice(1)}`;
      const value = flag.value === null ? '' : takesFile(flag) ? ' -r -F' : ' -x';
      return `complete -c portfw ${here}${short} -l ${flag.long.slice(2)}${value} -d ${quote(flag.description)}`;
    });
    const words = command.words === null ? [] : [`complete -c portfw ${here} -f -a ${quote(command.words.join(' '))}`];
    return [
      `complete -c portfw -f -n __fish_use_subcommand -a ${command.name} -d ${quote(command.description)}`,
      ...words,
      ...flags,
    ];
  });
  return `# fish completion for portfw; save it as ~/.config/fish/completions/portfw.fish\n${lines.join('\n')}\n`;
}
