import { isIP } from 'node:net';
import { contains, normaliseAddress, parseAddress, parseNetwork } from '../../core/addresses.ts';
import { Problem, type SourceLocation } from '../../core/problem.ts';
import { shown } from '../../core/shown.ts';
import { terminalLine } from '../../core/terminal-text.ts';
import type { SshConfigFiles } from './ssh-config-files.ts';
import type { Criterion, ParsedConfig } from './ssh-config-parse.ts';
import { matchesPatternList, matchesPatterns } from './ssh-config-patterns.ts';
import { expandTokens, type SshEnvironment, type Tokens, tokensOf } from './ssh-config-tokens.ts';
import type { Setting } from './ssh-options.ts';

/**
 * What ssh_config says about one host, by OpenSSH's rules: the first value of an option counts, and key files add up. No
 * program is run: a `Match exec` block is skipped, and reported where its settings would have counted.
 */

/** The settings that count for one host. */
export class SshSettings {
  readonly identityFiles: Setting[] = [];
  readonly certificateFiles: Setting[] = [];
  readonly #single = new Map<string, Setting>();

  /** The setting of an option, by the manual's name; `undefined` where nothing sets it. */
  get(name: string): Setting | undefined {
    return this.#single.get(name);
  }

  /** The first word of its value. */
  word(name: string): string | undefined {
    return this.#single.get(name)?.words[0];
  }

  /** The settings in the order in which they were found. */
  all(): readonly Setting[] {
    return [...this.#single.values(), ...this.identityFiles, ...this.certificateFiles];
  }

  /** Whether the setting would change anything. */
  counts(setting: Setting): boolean {
    const { name } = setting;
    if (name === 'IdentityFile') return !this.identityFiles.some((other) => sameFile(other, setting));
    if (name === 'CertificateFile') return !this.certificateFiles.some((other) => sameFile(other, setting));
    // ProxyJump and ProxyCommand set the same thing: the first of them counts.
    if (name === 'ProxyJump' && !isNone(setting) && this.#single.has('ProxyCommand')) return false;
    return !this.#single.has(name);
  }

  /** Adds a setting unless an earlier one counts. */
  apply(setting: Setting): void {
    if (!this.counts(setting)) return;
    if (setting.name === 'IdentityFile') this.identityFiles.push(setting);
    else if (setting.name === 'CertificateFile') this.certificateFiles.push(setting);
    else this.#single.set(setting.name, setting);
    if (setting.name === 'ProxyJump' && !isNone(setting))
      this.#single.set('ProxyCommand', { ...setting, name: 'ProxyCommand', words: ['none'] });
  }
}

/** Whether a setting's value is the word `none`. */
export function isNone(setting: Setting | undefined): boolean {
  return setting?.words[0]?.toLowerCase() === 'none';
}

/** Whether an option changes how we connect. */
function matters({ spec }: Setting): boolean {
  return spec.treatment === 'used';
}

function sameFile(a: Setting, b: Setting): boolean {
  return a.words[0] === b.words[0] && (a.source === 'system') === (b.source === 'system');
}

/** The result for one host. */
export interface SshLookup {
  readonly settings: SshSettings;
  /** The name or address to connect to: HostName with its tokens replaced, in lower case. */
  readonly host: string;
  readonly problems: readonly Problem[];
}

/** The host to look up. */
export interface LookupInput {
  /** The name that was asked for: the argument of `ssh`. */
  readonly originalHost: string;
  /** What counts before any file: the SSH arguments and connection variables. */
  readonly given: readonly Setting[];
  readonly files: SshConfigFiles;
  /** The file of `-F` among the arguments; `null` for none. */
  readonly ownFile: string | null;
  readonly environment: SshEnvironment;
}

/** Looks a host up in the configuration files, as `ssh -G` would. */
export function lookUp(input: LookupInput): SshLookup {
  const walk = new Walk(input);
  for (const setting of input.given) walk.settings.apply(setting);
  const sources = input.files.sources(input.ownFile);
  for (const { config, source } of sources) walk.walk(config, source, true, 0);
  let host = walk.hostName();
  const canonicalise = walk.settings.word('CanonicalizeHostname');
  if (walk.wantsFinalPass || canonicalise === 'yes' || canonicalise === 'always') {
    walk.startFinalPass(host);
    for (const { config, source } of sources) walk.walk(config, source, true, 0);
    host = walk.host;
  }
  return { settings: walk.settings, host, problems: [...walk.problems] };
}

/** Include within Include ends here, as with OpenSSH. */
const MOST_INCLUDES = 16;

class Walk {
  readonly settings = new SshSettings();
  readonly problems = new Set<Problem>();
  wantsFinalPass = false;
  /** What Host lines are compared with. */
  host: string;
  readonly #input: LookupInput;
  #final = false;
  #tooDeep = false;
  readonly #reported = new Set<string>();

  constructor(input: LookupInput) {
    this.#input = input;
    this.host = input.originalHost;
  }

  startFinalPass(host: string): void {
    this.#final = true;
    this.host = host;
  }

  /** @param mayMatch whether the line that included the file counts */
  walk(config: ParsedConfig, source: 'user' | 'system', mayMatch: boolean, depth: number): void {
    for (const problem of config.problems) this.problems.add(problem);
    let active = mayMatch;
    // A block that a command of the user could have switched on.
    let undecided: SourceLocation | null = null;
    const { statements, blockEnds } = config;
    for (let index = 0; index < statements.length; index++) {
      const statement = statements[index]!;
      switch (statement.kind) {
        case 'host':
          active = mayMatch && matchesPatterns(statement.patterns, this.host);
          undecided = null;
          if (!active) index = blockEnds[index]! - 1;
          break;
        case 'match': {
          const matched = this.#matches(statement.criteria);
          active = mayMatch && matched === true;
          undecided = mayMatch && matched === 'undecided' ? statement.location : null;
          if (!active && undecided === null) index = blockEnds[index]! - 1;
          break;
        }
        case 'option':
          if (active) this.settings.apply(statement.setting);
          else if (undecided !== null && matters(statement.setting) && this.settings.counts(statement.setting)) {
            this.#problem('warning', UNDECIDED, undecided);
            undecided = null;
          }
          break;
        case 'unknown':
          this.#unknown(statement.name, statement.location);
          break;
        case 'include':
          this.#include(statement.patterns, statement.location, source, active, depth);
          break;
        default:
          statement satisfies never;
      }
    }
  }

  /** HostName with `%h` replaced; the name itself without HostName. */
  hostName(): string {
    const setting = this.settings.get('HostName');
    const { originalHost } = this.#input;
    if (setting === undefined) return normalisedHost(originalHost);
    const expanded = expandTokens(setting.words[0]!, { h: originalHost }, null);
    if (expanded.kind === 'text') return normalisedHost(expanded.text);
    this.problems.add(tokenProblem(setting, expanded.what));
    return normalisedHost(originalHost);
  }

  #unknown(name: string, location: SourceLocation): void {
    const ignored = this.settings.word('IgnoreUnknown');
    if (ignored !== undefined && matchesPatternList(ignored.toLowerCase(), name.toLowerCase())) return;
    const what = `${shown(name)} is not an option that portfw knows; it is ignored`;
    const solve = 'Correct its spelling; if a newer OpenSSH knows it, name it in IgnoreUnknown';
    this.#problem('warning', { code: 'unknown-ssh-option', what: what, solve }, location);
  }

  #include(
    patterns: readonly string[],
    location: SourceLocation,
    source: 'user' | 'system',
    active: boolean,
    depth: number,
  ): void {
    if (this.#tooDeep) return;
    if (depth >= MOST_INCLUDES) {
      // Two files that include each other twice would be read without end.
      this.#tooDeep = true;
      this.#problem('error', TOO_DEEP, location);
      return;
    }
    for (const pattern of patterns) {
      const expanded = expandTokens(pattern, this.#tokens(), this.#input.environment.variable);
      const files = expanded.kind === 'text' ? this.#input.files.include(expanded.text, source) : null;
      if (files === null) {
        const what = `Include cannot use the path ${shown(pattern)}`;
        const solve = 'Write an absolute path, or one relative to ~/.ssh (in the system file: to /etc/ssh)';
        this.#problem('error', { code: 'bad-ssh-config', what, solve }, location);
        continue;
      }
      for (const file of files) this.walk(file, source, active, depth + 1);
    }
  }

  #tokens(): Tokens {
    const { originalHost, environment } = this.#input;
    return tokensOf(
      {
        originalHost,
        host: this.#currentHost(),
        port: Number(this.settings.word('Port') ?? 22),
        user: this.settings.word('User') ?? environment.localUser,
        hostKeyAlias: this.settings.word('HostKeyAlias') ?? this.#currentHost(),
        jumpHost: '',
      },
      environment,
    );
  }

  /** The name that `Match host` looks at: HostName as far as it is known by now. */
  #currentHost(): string {
    if (this.#final) return this.host;
    const expanded = expandTokens(this.settings.word('HostName') ?? '%h', { h: this.host }, null);
    return expanded.kind === 'text' ? expanded.text : this.host;
  }

  #matches(criteria: readonly Criterion[]): boolean | 'undecided' {
    let result: boolean | 'undecided' = true;
    for (const criterion of criteria) {
      if (criterion.kind === 'final' && !criterion.negated && !this.#final) this.wantsFinalPass = true;
      if (criterion.kind === 'undecidable') {
        if (result === true) result = 'undecided';
      } else if (this.#holds(criterion) === criterion.negated) result = false;
    }
    return result;
  }

  #holds(criterion: Exclude<Criterion, { kind: 'undecidable' }>): boolean {
    const { environment, originalHost } = this.#input;
    switch (criterion.kind) {
      case 'all':
        return true;
      case 'final':
      case 'canonical':
        return this.#final;
      case 'host':
        return matchesPatternList(criterion.pattern.toLowerCase(), this.#currentHost().toLowerCase());
      case 'originalhost':
        return matchesPatternList(criterion.pattern.toLowerCase(), originalHost.toLowerCase());
      case 'user':
        return matchesPatternList(criterion.pattern, this.settings.word('User') ?? environment.localUser);
      case 'localuser':
        return matchesPatternList(criterion.pattern, environment.localUser);
      case 'localnetwork':
        return environment.localAddresses().some((address) => inNetworks(address, criterion.pattern));
      case 'tagged':
        return hasTag(criterion.pattern, this.settings.word('Tag') ?? '');
      case 'sessiontype':
        return matchesPatternList(criterion.pattern, 'exec');
      default: {
        const unreachable: never = criterion;
        return unreachable;
      }
    }
  }

  #problem(
    severity: Problem['severity'],
    text: Pick<Problem, 'code' | 'what' | 'solve'>,
    location: SourceLocation,
  ): void {
    // Problems at the same place are the same: a second pass finds them again.
    const key = `${text.code}:${location.line}:${location.file}`;
    if (this.#reported.has(key)) return;
    this.#reported.add(key);
    this.problems.add(new Problem({ severity, ...text, location }));
  }
}

const UNDECIDED = {
  code: 'ssh-config-undecidable',
  what: 'portfw runs no command to evaluate this Match line: the block is ignored',
  solve: 'Use criteria such as host or user instead of exec, or set what the block says in the inventory',
};

const TOO_DEEP = {
  code: 'bad-ssh-config',
  what: `Include is nested more than ${MOST_INCLUDES} files deep`,
  solve: 'Look for files that include each other',
};

/** The problem of an option whose tokens cannot be replaced. */
export function tokenProblem(setting: Setting, what: string): Problem {
  return new Problem({
    severity: 'error',
    code: 'bad-ssh-config',
    what: terminalLine(`${setting.shown} uses ${what}`),
    solve: 'Write the value out: ssh_config(5), TOKENS, says what each option takes',
    location: setting.location,
  });
}

/** Names in lower case, IPv6 addresses in their short form. */
function normalisedHost(host: string): string {
  return isIP(host) === 0 ? host.toLowerCase() : (normaliseAddress(host) ?? host);
}

/** A missing tag is matched only by the empty pattern, not by `*`. */
function hasTag(pattern: string, tag: string): boolean {
  return tag === '' ? pattern === '' : matchesPatternList(pattern, tag);
}

/** Whether an address is in one of the networks `a,b,!c`. */
function inNetworks(address: string, list: string): boolean {
  const own = parseAddress(address);
  if (own === null) return false;
  let found = false;
  for (const entry of list.split(',')) {
    const network = parseNetwork(entry.replace(/^!/, ''));
    if (network === null || !contains(network, own)) continue;
    if (entry.startsWith('!')) return false;
    found = true;
  }
  return found;
}
