import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { configName } from '../ansible/config/config-name.ts';
import type { AnsibleSettings, Configured } from '../ansible/config/config-types.ts';
import type { Inventory } from '../ansible/inventory.ts';
import { matchLimit, requireHosts } from '../ansible/patterns/patterns.ts';
import { SECRET_VARIABLES, type SecretName, secretFromEnvironment } from '../core/environment.ts';
import { three } from '../core/lists.ts';
import { InputError, type Problem } from '../core/problem.ts';
import type { Secret } from '../core/secret.ts';
import { suggestion } from '../core/suggest.ts';
import { terminalLine } from '../core/terminal-text.ts';
import { type FilesRead, recordingFiles } from '../documents/read-file.ts';
import type { FleetContext } from '../fleet/books.ts';
import type { HostJob } from '../fleet/operations.ts';
import type { Play } from '../matrix/matrix.ts';
import { probePeers } from '../matrix/probe-peers.ts';
import { type LeftOut, leftOut, leftOutText } from '../settings/left-out.ts';
import type { HostSettings } from '../settings/settings-types.ts';
import type { Target } from '../transport/connection.ts';
import { openTransport } from '../transport/open-transport.ts';
import { createTarget, sshConfigFiles, type TargetOptions } from '../transport/target.ts';
import { usableConfig } from './ansible-config.ts';
import { hostKeyWarnings } from './host-key-checking.ts';
import { localUser } from './local-user.ts';
import { loginProblems, QuestionDesk } from './logins.ts';
import { lookedLines } from './looked.ts';
import { promptSecret } from './prompt-secret.ts';
import { readFiles } from './read-files.ts';
import type { RunFlags } from './run-flags.ts';
import { UsageError } from './usage-error.ts';
import { vaultFrom } from './vault-flags.ts';

/** Everything that is decided before the first host is contacted. */
export interface PreparedRun {
  readonly context: Omit<FleetContext, 'signal'>;
  /** The files of the inventory, the playbooks and the matrices, with their digests. */
  readonly files: FilesRead;
  /** Warnings about the files, which do not stop the run. */
  readonly warnings: readonly Problem[];
  /** The hosts of `--limit` that the run is not for, because of their connection. */
  readonly leftOut: readonly LeftOut[];
  /** Through which servers ask the user during a login. */
  readonly questions: QuestionDesk;
  /** Logs out of the jump hosts that the hosts' connections shared. */
  close(): Promise<void>;
}

/**
 * From the command line to the jobs of a run: reads and validates every file, picks the hosts (those that are managed and
 * that `--limit` leaves), asks for passwords and passphrases, and works out how each host is reached.
 *
 * @param matrix whether every host needs a play
 * @throws InputError with every problem of every file; UsageError when a password cannot be had
 */
export async function prepareRun(
  sources: readonly string[],
  flags: RunFlags,
  matrix: 'required' | 'optional',
): Promise<PreparedRun> {
  const config = usableConfig();
  const vault = flags.vault ?? (await vaultFrom(flags));
  const { value: read, files } = await recordingFiles(() =>
    readFiles(sources, flags.playbook ?? null, matrix, vault, flags),
  );
  const { inventory, settings, plays, problems } = read;
  const errors = problems.filter((problem) => problem.severity === 'error');
  if (inventory === null || errors.length > 0) throw new InputError(problems);
  const { hosts, leftOut } = chosenHosts(inventory, settings, flags, sources);
  const acceptLockout = acceptedHosts('--accept-lockout', flags.acceptLockout, hosts);
  const acceptForwardingStop = acceptedHosts('--accept-forwarding-stop', flags.acceptForwardingStop, hosts);

  const options = await targetOptions(flags, config.settings);
  const targets = new Map<string, Target>();
  const targetProblems: Problem[] = [];
  for (const host of hosts) {
    const created = createTarget(host, options);
    targetProblems.push(...created.problems);
    if (created.target !== null) targets.set(host.name, targetWithFlags(created.target, flags));
  }
  // Probes may come from hosts that --limit leaves out.
  const peerTargets = new Map<string, Target>();
  for (const host of probingPeers(hosts, inventory, settings, plays)) {
    const created = createTarget(host, options);
    targetProblems.push(...created.problems);
    if (created.target !== null) peerTargets.set(host.name, targetWithFlags(created.target, flags));
  }
  const unchecked = flags.acceptNewHostKeys === true ? [] : hostKeyWarnings(config.settings);
  const warnings = [...unique([...unchecked, ...problems, ...targetProblems])];
  if (warnings.some((problem) => problem.severity === 'error')) throw new InputError(warnings);

  const questions = new QuestionDesk();
  const transport = openTransport(
    {
      passphrase: secretFromEnvironment('keyPassphrase'),
      ask: process.stdin.isTTY === true ? (keyFile) => askPassphrase(keyFile) : null,
    },
    process.stdin.isTTY === true ? (question) => questions.ask(question) : null,
  );
  // Questions are asked before the live view starts. A key that cannot be used is reported once, before any host is
  // contacted.
  const logins = loginProblems(await transport.unlockKeys([...targets.values(), ...peerTargets.values()]));
  warnings.push(...logins);
  if (logins.some((problem) => problem.severity === 'error')) throw new InputError(warnings);

  const jobs = new Map<string, HostJob>();
  for (const host of hosts) {
    const target = targets.get(host.name)!;
    jobs.set(host.name, { host: host.name, settings: host, play: plays.get(host.name) ?? null, target, transport });
  }
  const context = {
    inventory,
    settings,
    jobs,
    peers: new Map([...peerTargets].map(([name, target]) => [name, { target, transport }])),
    looked: lookedLines(sources, config, flags.sshConfig),
    // It is written down on hosts, line by line: the names may come from the environment.
    holder: terminalLine(`${localUser()}@${hostname()}`),
    today: new Date().toISOString().slice(0, 10),
    acceptLockout,
    acceptForwardingStop,
  };
  return { context, files, leftOut, warnings, questions, close: () => transport.close() };
}

/**
 * The names of the hosts that a command over this inventory is for. It asks for nothing and contacts no host.
 *
 * @throws InputError, UsageError as {@link prepareRun}
 */
export async function hostsOfRun(sources: readonly string[], flags: RunFlags): Promise<readonly string[]> {
  const { inventory, settings, problems } = await readFiles(
    sources,
    flags.playbook ?? null,
    'optional',
    await vaultFrom(flags),
    flags,
  );
  if (inventory === null || problems.some(({ severity }) => severity === 'error')) throw new InputError(problems);
  return chosenHosts(inventory, settings, flags, sources).hosts.map(({ name }) => name);
}

/** The managed hosts that `--limit` leaves, in the inventory's order, and those that it names in vain. */
function chosenHosts(
  inventory: Inventory,
  settings: ReadonlyMap<string, HostSettings>,
  flags: RunFlags,
  sources: readonly string[],
): { readonly hosts: readonly HostSettings[]; readonly leftOut: readonly LeftOut[] } {
  // An unset variable in a script must not turn one host into all of them.
  if (flags.limit?.trim() === '')
    throw new UsageError('--limit is empty', 'Name hosts or groups, or leave it out to mean all');
  const limited = flags.limit === undefined ? null : new Set(requireHosts(matchLimit(inventory, flags.limit)));
  const chosen = [...inventory.hosts.keys()].flatMap((name) =>
    limited === null || limited.has(name) ? (settings.get(name) ?? []) : [],
  );
  const managed = chosen.filter((host) => host.managed);
  const hosts = managed.filter(({ name }) => flags.hosts?.has(name) !== false);
  if (hosts.length > 0) return { hosts, leftOut: leftOut(chosen) };
  if (managed.length > 0)
    throw new UsageError(
      limited === null
        ? `no host of the saved plan is in ${terminalLine(sources.join(', '))}`
        : `no host of "${terminalLine(flags.limit!)}" is in the saved plan`,
      'See the hosts of the saved plan with "portfw show"',
    );
  throw new UsageError(
    limited === null
      ? `${terminalLine(sources.join(', '))} has no host to manage`
      : `no host of "${terminalLine(flags.limit!)}" is managed`,
    whyNone(chosen),
  );
}

/** Why none of some hosts is managed, and how to have it otherwise. */
function whyNone(hosts: readonly HostSettings[]): string {
  const out = leftOut(hosts);
  if (hosts.length === 0) return 'Add hosts, or see the hosts with "portfw inventory"';
  if (out.length === 0) return 'These hosts have portfw_managed: false; portfw never logs in to them';
  const local = out.filter(({ why }) => why === 'local-among-remote').map(({ host }) => terminalLine(host));
  const one = local.length === 1 ? three(local) : `one of ${three(local)}`;
  return [
    `Left out: ${leftOutText(out)}`,
    ...(out.length < hosts.length ? ['The others have portfw_managed: false'] : []),
    ...(local.length < out.length ? ['portfw manages hosts over ssh only'] : []),
    ...(local.length === 0 ? [] : [`To have portfw configure this machine, write portfw_managed: true for ${one}`]),
  ].join('. ');
}

/** The hosts that the plays' probes connect from, without those that the run is for. */
function probingPeers(
  hosts: readonly HostSettings[],
  inventory: Inventory,
  settings: ReadonlyMap<string, HostSettings>,
  plays: ReadonlyMap<string, Play>,
): readonly HostSettings[] {
  const names = new Set<string>();
  for (const { name } of hosts) {
    for (const probe of plays.get(name)?.probes ?? []) {
      for (const peer of probePeers(inventory, settings, probe, name)) names.add(peer);
    }
  }
  for (const { name } of hosts) names.delete(name);
  return [...names].flatMap((name) => settings.get(name) ?? []);
}

/** The hosts of a flag that accepts what a plan cuts off: names only, no patterns: each such host may become unreachable. */
function acceptedHosts(
  flag: string,
  given: readonly string[] | undefined,
  hosts: readonly HostSettings[],
): ReadonlySet<string> {
  const known = hosts.map((host) => host.name);
  for (const name of given ?? []) {
    if (known.includes(name)) continue;
    throw new UsageError(
      `${flag} names ${JSON.stringify(terminalLine(name))}, which is no host of this run`,
      `It takes the name of one host, never a group or a pattern, and may be repeated. ${suggestion(name, known, 'hosts')}`,
    );
  }
  return new Set(given ?? []);
}

/** What the command line insists on, for the host and for every machine on the way to it. */
function targetWithFlags(target: Target, flags: RunFlags): Target {
  const { route } = target;
  const insisted = {
    ...(flags.knownHosts === undefined ? {} : { knownHostsFiles: [resolve(flags.knownHosts)] }),
    ...(flags.connectTimeout === undefined ? {} : { connectTimeoutMs: flags.connectTimeout * 1000 }),
  };
  const hops = route.kind === 'jump' ? route.hops.map((hop) => ({ ...hop, ...insisted })) : [];
  return { ...target, ...insisted, route: route.kind === 'jump' ? { ...route, hops } : route };
}

async function targetOptions(flags: RunFlags, configured: AnsibleSettings): Promise<TargetOptions> {
  return {
    acceptNewHostKeys: flags.acceptNewHostKeys === true,
    sshPassword: await secret(
      'sshPassword',
      asker(flags.askPass, '-k', configured.askPass),
      'SSH password: ',
      flags.asked,
    ),
    becomePassword: await secret(
      'becomePassword',
      asker(flags.askBecomePass, '-K', configured.becomeAskPass),
      'Password for sudo: ',
      flags.asked,
    ),
    // Set but empty means no agent, as to OpenSSH.
    agentSocket: process.env['SSH_AUTH_SOCK'] || null,
    localUser: localUser(),
    sshConfig: sshConfigFiles(flags.sshConfig ?? null),
  };
}

/** What asks for a password: a flag, or a setting of Ansible's configuration. */
interface Asker {
  readonly name: string;
  readonly isFlag: boolean;
}

function asker(flag: boolean | undefined, name: string, configured: Configured<boolean> | null): Asker | null {
  if (flag === true) return { name, isFlag: true };
  return configured?.value === true ? { name: configName(configured.origin), isFlag: false } : null;
}

/**
 * A password from a prompt when something asks for it, else from the environment, which only a flag wins over.
 *
 * @param asked what was entered before in this run of the program, which is not asked for again
 */
async function secret(
  name: SecretName,
  asker: Asker | null,
  prompt: string,
  asked: Map<SecretName, Secret> | undefined,
): Promise<Secret | null> {
  const entered = asked?.get(name);
  if (entered !== undefined) return entered;
  const given = secretFromEnvironment(name);
  if (asker === null || (given !== null && !asker.isFlag)) return given;
  const outcome = await promptSecret(prompt);
  switch (outcome.kind) {
    case 'entered':
      asked?.set(name, outcome.secret);
      return outcome.secret;
    case 'no-terminal':
      if (given !== null) return given;
      throw new UsageError(
        'there is no terminal to ask for a password on',
        `${asker.name} wants one: set ${SECRET_VARIABLES[name]} instead`,
      );
    case 'cancelled':
      throw new UsageError('no password was entered', `Run again, or leave ${asker.name} out`);
  }
}

async function askPassphrase(keyFile: string): Promise<Secret | null> {
  const outcome = await promptSecret(`Passphrase for ${terminalLine(keyFile)}: `);
  if (outcome.kind === 'cancelled')
    throw new UsageError('no passphrase was entered', 'Run again, or load the key into an agent with ssh-add');
  return outcome.kind === 'entered' ? outcome.secret : null;
}

function unique(problems: readonly Problem[]): readonly Problem[] {
  return [...new Map(problems.map((problem) => [JSON.stringify(problem), problem])).values()];
}
