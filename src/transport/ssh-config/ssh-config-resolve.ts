import { isIP } from 'node:net';
import { Problem } from '../../core/problem.ts';
import { shown } from '../../core/shown.ts';
import type { Route, SshEndpoint } from '../connection.ts';
import { isNone, lookUp, type SshSettings, tokenProblem } from './ssh-config.ts';
import { type EndpointDefaults, endpointSettings } from './ssh-config-endpoint.ts';
import type { SshConfigFiles } from './ssh-config-files.ts';
import { expandTokens, type SshEnvironment, type Tokens, tokensOf } from './ssh-config-tokens.ts';
import { unmetProblems } from './ssh-config-unmet.ts';
import { type Setting, settingOf } from './ssh-options.ts';
import { isSafeUserName, type JumpSpec, parseJump } from './ssh-options-jump.ts';

/** What all hosts of a run have in common. */
export interface Surroundings {
  readonly files: SshConfigFiles;
  readonly environment: SshEnvironment;
  readonly defaults: EndpointDefaults;
}

/** One host as its variables, SSH arguments and ssh_config describe it. */
export interface ResolvedHost {
  readonly endpoint: SshEndpoint;
  readonly route: Route;
  readonly problems: readonly Problem[];
}

/**
 * Works out how a host is reached.
 *
 * @param originalHost `ansible_host`, or the inventory's name: what Ansible would pass to `ssh`
 * @param given the connection variables and SSH arguments; the first value of an option counts
 * @param ownFile the file of `-F`; `null` for none
 */
export function resolveHost(
  originalHost: string,
  given: readonly Setting[],
  ownFile: string | null,
  surroundings: Surroundings,
): ResolvedHost {
  const resolver = new Resolver(ownFile, surroundings);
  const { endpoint, route } = resolver.resolve(originalHost, given, []);
  return { endpoint, route, problems: [...resolver.problems] };
}

/** More machines than this on one way are a mistake. */
const MOST_HOPS = 16;

/** A word that no shell changes. */
const SHELL_WORD = /^[\p{L}\p{N}_.@%+:=,/][\p{L}\p{N}_.@%+:=,/-]*$/u;

/** What is written to known_hosts and sent to the network: must be neither a pattern nor an option. */
const ADDRESS = /^[\p{L}\p{N}_:][\p{L}\p{N}_.:%+-]{0,254}$/u;

class Resolver {
  readonly problems: Problem[] = [];
  readonly #ownFile: string | null;
  readonly #surroundings: Surroundings;

  constructor(ownFile: string | null, surroundings: Surroundings) {
    this.#ownFile = ownFile;
    this.#surroundings = surroundings;
  }

  /** @param path the machines that are being resolved, to notice one that is reached through itself */
  resolve(
    originalHost: string,
    given: readonly Setting[],
    path: readonly string[],
  ): { readonly endpoint: SshEndpoint; readonly route: Route } {
    const { files, environment, defaults } = this.#surroundings;
    const found = lookUp({ originalHost, given, files, ownFile: this.#ownFile, environment });
    const { settings } = found;
    this.problems.push(...found.problems, ...unmetProblems(settings, found.host));
    const host = this.#checkedHost(found.host, settings);
    const port = Number(settings.word('Port') ?? 22);
    const jump = settings.get('ProxyJump');
    const hops = jump === undefined ? [] : (parseJump(jump.words[0]!) ?? []);
    const describes = {
      originalHost,
      host,
      port,
      hostKeyAlias: settings.word('HostKeyAlias')?.toLowerCase() ?? null,
      jumpHost: hops.at(-1)?.host ?? '',
    };
    const user = this.#user(settings, (name) => tokensOf({ ...describes, user: name }, environment));
    const tokens = tokensOf({ ...describes, user }, environment);
    const read = endpointSettings(settings, tokens, environment, defaults, this.problems);
    const endpoint: SshEndpoint = { ...read, address: host, port, user, password: null };
    const refusal = settings.get('RefuseConnection');
    if (refusal !== undefined)
      this.#problem(
        refusal,
        'refused-by-ssh-config',
        `RefuseConnection: ${shown(refusal.words[0]!)}`,
        'Ask its author',
      );
    if (jump !== undefined && hops.length > 0)
      return { endpoint, route: this.#jumpRoute(endpoint, jump, hops, [...path, originalHost]) };
    const route = this.#commandRoute(settings, tokens);
    if (path.length === 0 && route.kind === 'direct') this.#checkFamily(endpoint, settings);
    return { endpoint, route };
  }

  #checkedHost(host: string, settings: SshSettings): string {
    const setting = settings.get('HostName');
    if (setting === undefined || ADDRESS.test(host)) return host;
    const what = `HostName ${shown(host)} is neither an address nor a host name`;
    this.#problem(setting, 'bad-ssh-config', what, 'Correct it');
    return host;
  }

  /** An address is not looked up, so its family is checked here. */
  #checkFamily({ address, addressFamily }: SshEndpoint, settings: SshSettings): void {
    const family = isIP(address);
    if (addressFamily === undefined || family === 0 || family === addressFamily) return;
    this.#problem(
      settings.get('AddressFamily')!,
      'address-family',
      `AddressFamily allows only IPv${addressFamily}, but the host has the address ${address}`,
      'Correct AddressFamily, or the address',
    );
  }

  /** The account, with the tokens of a User line replaced. */
  #user(settings: SshSettings, tokens: (user: string) => Tokens): string {
    const setting = settings.get('User');
    const { localUser, variable } = this.#surroundings.environment;
    if (setting === undefined) return localUser;
    const [word = ''] = setting.words;
    if (setting.source === 'variable' || !/%|\$\{/.test(word)) return word;
    const { r: _user, C: _hash, ...allowed } = tokens(localUser);
    const expanded = expandTokens(word, allowed, variable);
    if (expanded.kind === 'text' && isSafeUserName(expanded.text)) return expanded.text;
    this.problems.push(
      tokenProblem(setting, expanded.kind === 'bad' ? expanded.what : 'tokens whose value is no name for an account'),
    );
    return word;
  }

  #commandRoute(settings: SshSettings, tokens: Tokens): Route {
    const setting = settings.get('ProxyCommand');
    if (setting === undefined || isNone(setting)) return { kind: 'direct' };
    const [command = ''] = setting.words;
    if (settings.word('ProxyUseFdpass') === 'yes' || command === '-') {
      this.#problem(
        settings.get('ProxyUseFdpass') ?? setting,
        'unsupported-ssh-option',
        'A ProxyCommand that passes on an open socket (ProxyUseFdpass, or "-") is not supported',
        'Let the command relay the bytes, as "ssh -W %h:%p JUMPHOST" does, or use ProxyJump',
      );
    }
    const { h, k, n, p, r } = tokens as Record<'h' | 'k' | 'n' | 'p' | 'r', string>;
    const used = { h, k, n, p, r };
    // The command is run by a shell: what replaces a token must be a word there.
    const unsafe = [...command.matchAll(/%(.)/gs)]
      .map(([, letter]) => letter as keyof typeof used)
      .find((letter) => Object.hasOwn(used, letter) && !SHELL_WORD.test(used[letter]));
    const expanded = expandTokens(command, used, null);
    if (expanded.kind === 'text' && unsafe === undefined) return { kind: 'command', command: expanded.text };
    if (unsafe !== undefined) {
      this.#problem(
        setting,
        'unsafe-proxy-command',
        `${setting.shown} would put ${shown(used[unsafe])} into a shell's command line (%${unsafe})`,
        'Correct the name: letters, digits and . _ - : @ % + = , / are allowed',
      );
    } else if (expanded.kind === 'bad') this.problems.push(tokenProblem(setting, expanded.what));
    return { kind: 'direct' };
  }

  /**
   * As OpenSSH does it: it starts itself for the last machine, with the others as its `-J`. So only the nearest machine
   * uses its own jump hosts of ssh_config; each takes all other settings from there, and none from the host's own.
   */
  #jumpRoute(host: SshEndpoint, jump: Setting, specs: readonly JumpSpec[], path: readonly string[]): Route {
    const hops: SshEndpoint[] = [];
    let firstRoute: Route = { kind: 'direct' };
    for (const [index, spec] of specs.entries()) {
      const own = `${spec.user ?? ''}@${spec.host}:${spec.port ?? ''}`;
      if (path.length > MOST_HOPS || (index === 0 && path.includes(own))) {
        this.#loop(jump, spec);
        return { kind: 'direct' };
      }
      const given = [
        ...(spec.user === null ? [] : [settingOf('User', spec.user, jump.location, jump.shown)]),
        ...(spec.port === null ? [] : [settingOf('Port', String(spec.port), jump.location, jump.shown)]),
        // Each one after the nearest is reached through those before it, even against ssh_config.
        ...(index === 0 ? [] : [settingOf('ProxyJump', 'none', jump.location, jump.shown), NO_COMMAND]),
      ];
      const hop = this.resolve(spec.host, given, [...path, own]);
      if (index === 0) firstRoute = hop.route;
      hops.push(hop.endpoint);
    }
    const last = specs.at(-1)!;
    if (last.host === host.address && (last.port ?? 22) === host.port && (last.user ?? host.user) === host.user)
      this.#loop(jump, last);
    switch (firstRoute.kind) {
      case 'direct':
        return { kind: 'jump', hops };
      case 'jump':
        return { ...firstRoute, hops: [...firstRoute.hops, ...hops] };
      case 'command':
        return { kind: 'jump', hops, firstHopCommand: firstRoute.command };
      default: {
        const unreachable: never = firstRoute;
        return unreachable;
      }
    }
  }

  #loop(jump: Setting, spec: JumpSpec): void {
    const host = isIP(spec.host) === 6 ? `[${spec.host}]` : spec.host;
    this.#problem(
      jump,
      'jump-loop',
      `${jump.shown} leads through ${shown(host)} to ${shown(host)} itself`,
      'Exempt the jump host: "Host JUMPHOST" with "ProxyJump none" before the block, or "Host * !JUMPHOST"',
    );
  }

  #problem(setting: Setting, code: string, what: string, solve: string): void {
    this.problems.push(new Problem({ severity: 'error', code, what, solve, location: setting.location }));
  }
}

const NO_COMMAND = settingOf('ProxyCommand', 'none', null, 'ProxyCommand');
