import type { Command, Option } from 'commander';
import { hasUnshowable } from '../../core/shown.ts';
import { suggestion } from '../../core/suggest.ts';
import { terminalLine } from '../../core/terminal-text.ts';
import { complete, completeForBash } from '../complete.ts';
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

/** How a shell asks for candidates at the cursor: the words that are typed, or for bash the line as it is. */
interface AskedFlags {
  readonly line?: string;
  readonly breaks?: string;
}

/** `portfw __complete`: prints candidates, one a line, and nothing at all when anything goes wrong. */
export async function printCandidates(words: readonly string[], flags: AskedFlags, program: Command): Promise<number> {
  try {
    const lines =
      flags.line === undefined
        ? (await complete(program, words)).map(({ word, about }) => `${word}\t${about}`)
        : await completeForBash(program, flags.line, flags.breaks ?? '');
    // A name with control characters must not reach a terminal, and one with a line break would be two.
    process.stdout.write(
      lines
        .filter((line) => !hasUnshowable(line.replace('\t', '')))
        .map((line) => `${line}\n`)
        .join(''),
    );
  } catch {
    // A completion that fails must not disturb the line that is being typed.
  }
  return EXIT.done;
}

interface DescribedFlag {
  readonly short: string | null;
  readonly long: string;
  readonly description: string;
  /** What its value is called: `file`, `seconds`, …; `null` for a switch. */
  readonly value: string | null;
  /** Whether it may be given several times. */
  readonly repeated: boolean;
}

interface DescribedCommand {
  readonly name: string;
  readonly description: string;
  /** Whether its arguments are files, or words from this list. */
  readonly words: readonly string[] | null;
  readonly flags: readonly DescribedFlag[];
}

const REPEATED = new Set([
  '--accept-lockout',
  '--accept-forwarding-stop',
  '--inventory',
  '--role',
  '--vault-id',
  '--vault-password-file',
]);

const HELP_FLAG: DescribedFlag = {
  short: '-h',
  long: '--help',
  description: 'show this help',
  value: null,
  repeated: false,
};

function describe(program: Command): readonly DescribedCommand[] {
  const shownCommands = program.commands.filter((command) => !command.name().startsWith('__'));
  return shownCommands.map((command) => ({
    name: command.name(),
    description: command.description(),
    words: command.name() === 'completion' ? Object.keys(SHELLS) : null,
    flags: [...command.options.filter((option) => !option.hidden).map(describeFlag), HELP_FLAG],
  }));
}

function describeFlag(option: Option): DescribedFlag {
  const value = /[<[]([^>\]]+)[>\]]/.exec(option.flags)?.[1] ?? null;
  // What collects its values or counts them has a parser of its own, and numbers have one too.
  const repeated = option.long === '--verbose' || REPEATED.has(option.long ?? '');
  return { short: option.short ?? null, long: option.long!, description: option.description, value, repeated };
}

function names(flag: DescribedFlag): readonly string[] {
  return flag.short === null ? [flag.long] : [flag.short, flag.long];
}

function takesFile(flag: DescribedFlag): boolean {
  return /file|source/.test(flag.value ?? '');
}

/** The flags whose values portfw itself knows: hosts, groups, roles, what ships, and fixed words. */
const ASKED = [
  '--limit',
  '-l',
  '--accept-lockout',
  '--accept-forwarding-stop',
  '--host',
  '--playbook',
  '--compare',
  '--role',
  '--confirm',
  '--revert-after',
];
/** The commands whose argument is one of a few names. */
const ASKED_COMMANDS = ['matrix', 'schema'];

function bash(commands: readonly DescribedCommand[]): string {
  const cases = commands.map((command) => {
    const valued = command.flags.filter((flag) => flag.value !== null);
    // Readline completes file names where we offer nothing (complete -o default); a number or a generation is no file.
    const other = valued.filter((flag) => !takesFile(flag) && !ASKED.includes(flag.long)).flatMap(names);
    const values = [
      other.length === 0
        ? ''
        : `      case $prev in ${other.join('|')}) compopt +o default 2>/dev/null; return ;; esac\n`,
      valued.length === 0 ? '' : `      case $prev in ${valued.flatMap(names).join('|')}) return ;; esac\n`,
    ].join('');
    const words = command.flags.flatMap(names).join(' ');
    const args =
      command.words === null ? '' : `      COMPREPLY=($(compgen -W '${command.words.join(' ')}' -- "$cur"))\n`;
    return `    ${command.name})
${values}      if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '${words}' -- "$cur")); return; fi
${args}      ;;`;
  });
  return `# bash completion for portfw; load it with: source <(portfw completion bash)
_portfw_ask() {
  local word
  while IFS= read -r word; do COMPREPLY+=("$word"); done < <(
    command "\${COMP_WORDS[0]}" __complete --breaks "$COMP_WORDBREAKS" --line "$1" 2>/dev/null </dev/null
  )
}
_portfw() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} line
  COMPREPLY=()
  line=\${COMP_LINE:0:COMP_POINT}
  local asked='[[:space:]]((${ASKED.join('|')})(=|[[:space:]]+)|-l)[^[:space:]-][^[:space:]]*$|[[:space:]](${ASKED.join('|')})(=|[[:space:]]+)$'
  local named='^[^[:space:]]+[[:space:]]+(${ASKED_COMMANDS.join('|')})[[:space:]]+[^[:space:]-]*$'
  if [[ $line =~ $asked || $line =~ $named ]]; then
    _portfw_ask "$line"
    return
  fi
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
      const action = ASKED.includes(flag.long) ? '_portfw_ask' : takesFile(flag) ? '_files' : '';
      const value = flag.value === null ? '' : `:${plain(flag.value)}:${action}`;
      const repeated = flag.repeated ? '*' : '';
      // A long flag takes its value as "--flag value" or "--flag=value", a short one as "-f value" or "-fvalue".
      const joined = (name: string): string => (flag.value === null ? '' : name.startsWith('--') ? '=' : '+');
      return names(flag)
        .map((name) => `      '${repeated}${name}${joined(name)}[${plain(flag.description)}]${value}'`)
        .join(' \\\n');
    });
    const rest =
      command.words !== null
        ? `      '1:shell:(${command.words.join(' ')})'`
        : ASKED_COMMANDS.includes(command.name)
          ? "      '1:name:_portfw_ask'"
          : "      '*:file:_files'";
    return `    ${command.name}) _arguments \\\n${[...specs, rest].join(' \\\n')} ;;`;
  });
  return `#compdef portfw
# zsh completion for portfw; save it as _portfw in a folder of $fpath
_portfw_ask() {
  local -a typed found
  typed=("\${(@Q)words[1,CURRENT-1]}" "\${(Q)IPREFIX}\${(Q)PREFIX}")
  found=("\${(@f)$(command $portfw __complete -- "\${typed[@]}" 2>/dev/null </dev/null)}")
  found=("\${(@)found%%$'\\t'*}")
  if [[ -n "\${found[1]}" ]]; then
    compadd -a found
  elif [[ $1 == files || $portfw_files == yes ]]; then
    _files
  else
    return 1
  fi
}
_portfw() {
  local -a commands
  local portfw=$words[1] portfw_files=no
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
  const asked = " -a '(__portfw_ask)'";
  const lines = commands.flatMap((command) => {
    const here = `-n '__fish_seen_subcommand_from ${command.name}'`;
    const flags = command.flags.map((flag) => {
      const short = flag.short === null ? '' : ` -s ${flag.short.slice(1)}`;
      const files = takesFile(flag);
      const own = ASKED.includes(flag.long) ? asked : '';
      const value = flag.value === null ? '' : `${files ? ' -r -F' : ' -x'}${own}`;
      return `complete -c portfw ${here}${short} -l ${flag.long.slice(2)}${value} -d ${quote(flag.description)}`;
    });
    const words =
      command.words !== null
        ? [`complete -c portfw ${here} -f -a ${quote(command.words.join(' '))}`]
        : ASKED_COMMANDS.includes(command.name)
          ? [`complete -c portfw ${here}${asked}`]
          : [];
    return [
      `complete -c portfw -f -n __fish_use_subcommand -a ${command.name} -d ${quote(command.description)}`,
      ...words,
      ...flags,
    ];
  });
  return `# fish completion for portfw; save it as ~/.config/fish/completions/portfw.fish
function __portfw_ask
    set -l typed (commandline -opc)
    set -l current (commandline -ct | string replace -r '^[\\'"]' '')
    command $typed[1] __complete -- $typed[2..-1] "$current" 2>/dev/null </dev/null
end
${lines.join('\n')}
`;
}
