import { resolve } from 'node:path';
import { expandHome } from '../../core/home.ts';
import { Problem, type SourceLocation } from '../../core/problem.ts';
import { shown } from '../../core/shown.ts';
import type { Keepalive, LoginMethod, SetOption, SshEndpoint } from '../connection.ts';
import { RECORD_HOST_KEYS } from '../logins.ts';
import { defaultGlobalKnownHostsFiles, defaultUserKnownHostsFiles } from '../ssh2/known-hosts-files.ts';
import { isNone, type SshSettings, tokenProblem } from './ssh-config.ts';
import { expandTokens, type SshEnvironment, type Tokens } from './ssh-config-tokens.ts';
import type { Setting } from './ssh-options.ts';
import { chooseHostKeyAlgorithms } from './ssh-options-algorithms.ts';

/** What holds where neither the inventory nor ssh_config sets it. */
export interface EndpointDefaults {
  readonly agentSocket: string | null;
  /** New host keys may be recorded even against ssh_config (`--accept-new-host-keys`). */
  readonly acceptNewHostKeys: boolean;
  readonly connectTimeoutMs: number;
  readonly keepalive: Keepalive;
  /** Whether a file exists: key files of ssh_config need not. */
  readonly fileExists: (file: string) => boolean;
  /** Is told of each key that the inventory or a flag names, and where; those of ssh_config need not exist. */
  readonly onNamedKey?: NamedKeyListener;
}

/** Takes a private key file (absolute) and the place of the value that names it. */
export type NamedKeyListener = (file: string, location: SourceLocation | null) => void;

/** Everything of an endpoint that its settings say, without its address, which is known by then. */
export type EndpointSettings = Omit<SshEndpoint, 'address' | 'port' | 'user' | 'password'>;

/**
 * Turns settings into what a connection needs: tokens replaced, files absolute, numbers read.
 *
 * Problems are added for what cannot be understood or would leave no way to log in.
 */
export function endpointSettings(
  settings: SshSettings,
  tokens: Tokens,
  environment: SshEnvironment,
  defaults: EndpointDefaults,
  problems: Problem[],
): EndpointSettings {
  return new EndpointReader(settings, tokens, environment, defaults, problems).read();
}

class EndpointReader {
  readonly #settings: SshSettings;
  readonly #tokens: Tokens;
  readonly #environment: SshEnvironment;
  readonly #defaults: EndpointDefaults;
  readonly #problems: Problem[];
  /** The files that IdentityFile names. */
  readonly #keys = new Map<Setting, string>();
  /** Settings that would switch off the check of host keys. */
  readonly #notFollowed: Setting[] = [];

  constructor(
    settings: SshSettings,
    tokens: Tokens,
    environment: SshEnvironment,
    defaults: EndpointDefaults,
    problems: Problem[],
  ) {
    this.#settings = settings;
    this.#tokens = tokens;
    this.#environment = environment;
    this.#defaults = defaults;
    this.#problems = problems;
  }

  read(): EndpointSettings {
    const settings = this.#settings;
    const keys = this.#keyFiles();
    const known = this.#knownHostsFiles();
    const acceptsNew = this.#defaults.acceptNewHostKeys || this.#acceptsNew();
    this.#reportNotFollowed();
    const methods = this.#loginMethods();
    const algorithms = this.#hostKeyAlgorithms();
    const family = settings.word('AddressFamily');
    const bindAddress = settings.word('BindAddress');
    const options = this.#options();
    return {
      privateKeyFiles: keys.files,
      identitiesOnly: settings.word('IdentitiesOnly') === 'yes',
      agentSocket: this.#agentSocket(),
      knownHostsFiles: known.files,
      hostKeyAlias: this.#hostKeyAlias(),
      acceptNewHostKeys: known.mayRecord && acceptsNew,
      connectTimeoutMs: this.#seconds('ConnectTimeout') ?? this.#defaults.connectTimeoutMs,
      keepalive: this.#keepalive(),
      ...(keys.noDefaults ? { noDefaultKeys: true } : {}),
      ...(methods === null ? {} : { loginMethods: methods }),
      ...(algorithms === null ? {} : { hostKeyAlgorithms: algorithms }),
      ...(settings.word('HashKnownHosts') === 'yes' ? { hashKnownHosts: true } : {}),
      ...(family === 'inet' ? { addressFamily: 4 as const } : family === 'inet6' ? { addressFamily: 6 as const } : {}),
      ...(bindAddress === undefined ? {} : { bindAddress }),
      ...(options.length === 0 ? {} : { options }),
    };
  }

  /** What counts: a setting that is not followed does not, nor what a ProxyJump sets without anybody writing it. */
  #options(): readonly SetOption[] {
    return this.#settings
      .all()
      .filter((setting) => setting.spec.treatment === 'used' && setting.spec.name === setting.name)
      .filter((setting) => !this.#notFollowed.includes(setting))
      .map((setting) => ({
        option: setting.name,
        value: this.#keys.get(setting) ?? setting.words.join(' '),
        by: { name: setting.shown, location: setting.location },
      }));
  }

  #keyFiles(): { readonly files: readonly string[]; readonly noDefaults: boolean } {
    const named = this.#settings.identityFiles;
    const files: string[] = [];
    const absent: [Setting, string][] = [];
    for (const setting of named) {
      if (isNone(setting)) continue;
      const file = this.#file(setting, setting.words[0]!);
      if (file === null) continue;
      this.#keys.set(setting, file);
      // ssh_config may name keys that some machines lack. For a key in an agent the public half is enough.
      const optional = setting.source === 'user' || setting.source === 'system';
      if (!optional) this.#defaults.onNamedKey?.(file, setting.location);
      if (optional && !this.#defaults.fileExists(file) && !this.#defaults.fileExists(`${file}.pub`))
        absent.push([setting, file]);
      else files.push(file);
    }
    const [first] = absent;
    if (files.length === 0 && first !== undefined) {
      this.#problem(
        'warning',
        'no-key-file',
        `The key file ${shown(first[1])} does not exist, and no other one is named: no key file is offered`,
        'Correct IdentityFile, or leave it out to use the default files',
        first[0],
      );
    }
    return { files: [...new Set(files)], noDefaults: files.length === 0 && named.length > 0 };
  }

  #agentSocket(): string | null {
    const setting = this.#settings.get('IdentityAgent');
    if (setting === undefined) return this.#defaults.agentSocket;
    const [word = ''] = setting.words;
    if (isNone(setting)) return null;
    if (word === 'SSH_AUTH_SOCK') return this.#defaults.agentSocket;
    const variable = /^\$([A-Za-z_][A-Za-z0-9_]*)$/.exec(word)?.[1];
    if (variable !== undefined) return this.#environment.variable(variable) || null;
    return this.#file(setting, word);
  }

  /** The user's files, then the system's. A list that is not set has OpenSSH's own files. */
  #knownHostsFiles(): { readonly files: readonly string[]; readonly mayRecord: boolean } {
    const user = this.#usableUserFiles();
    const global = this.#settings.get('GlobalKnownHostsFile');
    if (user === undefined && global === undefined) return { files: [], mayRecord: true };
    const home = this.#environment.home;
    const userFiles =
      user === undefined
        ? defaultUserKnownHostsFiles(home)
        : isNone(user)
          ? []
          : user.words.flatMap((word) => this.#file(user, word) ?? []);
    const globalFiles =
      global === undefined
        ? defaultGlobalKnownHostsFiles()
        : isNone(global)
          ? []
          : global.words.map((word) => resolve(word));
    const files = [...userFiles, ...globalFiles];
    // An empty list would mean the usual files.
    return { files: files.length === 0 ? ['/dev/null'] : files, mayRecord: userFiles.length > 0 };
  }

  #usableUserFiles(): Setting | undefined {
    const setting = this.#settings.get('UserKnownHostsFile');
    if (setting === undefined) return undefined;
    const inFile = setting.source === 'user' || setting.source === 'system';
    const forgets = setting.words.includes('/dev/null');
    if (!forgets && (inFile || !isNone(setting))) return setting;
    this.#notFollowed.push(setting);
    return undefined;
  }

  #acceptsNew(): boolean {
    const setting = this.#settings.get('StrictHostKeyChecking');
    if (setting?.words[0] === 'no') this.#notFollowed.unshift(setting);
    return setting?.words[0] === 'accept-new';
  }

  /** One warning a place: the two settings are usually written together. */
  #reportNotFollowed(): void {
    for (const setting of this.#notFollowed) {
      const together = this.#notFollowed.filter(({ location }) => location === setting.location);
      if (setting !== together[0]) continue;
      const texts = together.map(({ shown, words }) => `${shown} ${words.join(' ')}`);
      const forgets = together.some(({ name }) => name === 'UserKnownHostsFile');
      this.#problem(
        'warning',
        'host-keys-unchecked',
        `${texts.join(' and ')} ${texts.length === 1 ? 'is' : 'are'} not followed: host keys are checked all the same${forgets ? ', with the usual known_hosts files' : ''}`,
        RECORD_HOST_KEYS,
        setting,
      );
    }
  }

  #hostKeyAlias(): string | null {
    const setting = this.#settings.get('HostKeyAlias');
    const [word] = setting?.words ?? [];
    if (setting === undefined || word === undefined) return null;
    // It becomes the first word of a line in the user's known_hosts file.
    if (/^[A-Za-z0-9_.:%[\]-]{1,255}$/.test(word)) return word.toLowerCase();
    const what = `${setting.shown} ${shown(word)} is not a host name`;
    this.#problem('error', 'bad-ssh-config', what, 'Write the name that the key is recorded under', setting);
    return null;
  }

  #keepalive(): Keepalive {
    const interval = this.#seconds('ServerAliveInterval');
    if (interval === null) return this.#defaults.keepalive;
    const count = Number(this.#settings.word('ServerAliveCountMax') ?? 3);
    return { intervalMs: interval, countMax: count > 0 ? count : 3 };
  }

  /** Milliseconds; `null` for nothing, `none` and 0. */
  #seconds(name: string): number | null {
    const seconds = Number(this.#settings.word(name));
    // Timers hold at most 2^31 - 1 milliseconds.
    return seconds > 0 ? Math.min(seconds * 1000, 2_147_483_647) : null;
  }

  #loginMethods(): readonly LoginMethod[] | null {
    const preferred = this.#settings.get('PreferredAuthentications');
    const switches: readonly [LoginMethod, string][] = [
      ['publickey', 'PubkeyAuthentication'],
      ['password', 'PasswordAuthentication'],
      ['keyboard-interactive', 'KbdInteractiveAuthentication'],
    ];
    const off = switches.filter(([, name]) => this.#settings.word(name) === 'no');
    if (preferred === undefined && off.length === 0) return null;
    const wanted = preferred === undefined ? switches.map(([method]) => method) : preferred.words[0]!.split(',');
    const methods = [...new Set(wanted)].filter((method): method is LoginMethod =>
      switches.some(([known]) => known === method && !off.some(([other]) => other === known)),
    );
    if (methods.length > 0) return methods;
    this.#problem(
      'error',
      'no-login-method',
      'The SSH configuration allows no login method that portfw supports: publickey, keyboard-interactive or password',
      'Allow one of them for this host; Kerberos (GSSAPI) and host-based logins are not supported',
      preferred ?? this.#settings.get(off[0]![1])!,
    );
    return [];
  }

  #hostKeyAlgorithms(): readonly string[] | null {
    const setting = this.#settings.get('HostKeyAlgorithms');
    if (setting === undefined) return null;
    const algorithms = chooseHostKeyAlgorithms(setting.words[0]!);
    if (algorithms.length > 0) return algorithms;
    this.#problem(
      'error',
      'no-host-key-algorithm',
      `${setting.shown} ${shown(setting.words[0]!)} leaves no host key algorithm that portfw can check`,
      'Add ssh-ed25519, ecdsa-sha2-nistp256, rsa-sha2-512 or rsa-sha2-256',
      setting,
    );
    return null;
  }

  /** A file name with its tokens replaced, absolute; `null` after a problem. */
  #file(setting: Setting, text: string): string | null {
    if (/^~[^/]/.test(text)) {
      const solve = 'Write the path out; only your own ~ is replaced';
      this.#problem('error', 'bad-ssh-config', `${setting.shown} uses another user's home folder`, solve, setting);
      return null;
    }
    const { home, variable } = this.#environment;
    const expanded = expandTokens(expandHome(text, home), this.#tokens, variable);
    if (expanded.kind === 'text') return resolve(expanded.text);
    this.#problems.push(tokenProblem(setting, expanded.what));
    return null;
  }

  #problem(severity: Problem['severity'], code: string, what: string, solve: string, at: Setting): void {
    this.#problems.push(new Problem({ severity, code, what, solve, location: at.location }));
  }
}
