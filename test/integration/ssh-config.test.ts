import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ConnectOutcome, Target } from '../../src/transport/connection.ts';
import { openTransport } from '../../src/transport/open-transport.ts';
import { SshConfigFiles } from '../../src/transport/ssh-config/ssh-config-files.ts';
import { createTarget, type ReachableHost } from '../../src/transport/target.ts';
import { requireOpenSsh } from '../helpers/openssh.ts';
import { supported } from '../helpers/supported.ts';
import type { LabHost } from '../lab/host.ts';
import { makeKeyPair } from '../lab/keys.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import { connected, ended, eventually, run, startSshd } from './helpers/transport-lab.ts';

/** Each option of ssh_config, written as a user would, against real servers. */

let lab: Lab;
let web: LabHost;
let gate: LabHost;
let port: number;
const transport = openTransport({ passphrase: null, ask: null });

beforeAll(async () => {
  requireOpenSsh();
  lab = await startLab({
    name: 'sshconfig',
    hosts: [
      { name: 'web', suite: 'trixie', firewalld: 'stopped' },
      { name: 'gate', suite: 'bookworm', firewalld: 'stopped' },
    ],
  });
  [web, gate] = [lab.host('web'), lab.host('gate')];
  port = await startSshd(web, 'PerSourcePenalties no\nMaxAuthTries 3');
});
afterAll(async () => {
  await transport.close();
  await lab?.stop();
});

/** One of OpenSSH's own tools: `keygen`, `agent`, `add`. */
const tool = (name: string) => `ssh-${name}`;
const file = (name: string) => join(lab.directory, name);
let written = 0;

/** Writes a configuration; returns what a run with it knows. */
function config(text: string): SshConfigFiles {
  const name = file(`config-${++written}`);
  writeFileSync(name, text, { mode: 0o600 });
  return new SshConfigFiles({ home: lab.directory, file: name });
}

interface Changes {
  readonly address?: string;
  readonly commonArgs?: string;
  readonly agentSocket?: string;
  readonly acceptNewHostKeys?: boolean;
}

/** The target of an inventory host without any connection variable but the given ones. */
function targetBy(files: SshConfigFiles, changes: Changes = {}): Target {
  const { address = 'alias', commonArgs = null, agentSocket = null, acceptNewHostKeys = false } = changes;
  const host: ReachableHost = {
    name: 'alias',
    connection: {
      kind: 'ssh',
      address,
      port: null,
      user: null,
      privateKeyFile: null,
      commonArgs,
      timeoutSeconds: null,
    },
    become: { enabled: false, user: 'root', method: 'sudo', password: null },
  };
  const made = createTarget(host, {
    acceptNewHostKeys,
    becomePassword: null,
    sshPassword: null,
    agentSocket,
    localUser: 'nobody-there',
    sshConfig: files,
  });
  if (made.target === null) throw new Error(JSON.stringify(made.problems));
  return made.target;
}

/** Connects and closes. */
async function attempt(text: string, changes: Changes = {}): Promise<ConnectOutcome> {
  const outcome = await transport.connect(targetBy(config(text), changes));
  if (outcome.kind === 'connected') await outcome.connection.close();
  return outcome;
}

/** What a program says on the host that a configuration leads to. */
async function says(text: string, program: string, changes: Changes = {}): Promise<string> {
  const connection = connected(await transport.connect(targetBy(config(text), changes)));
  try {
    return ended(await run(connection, program)).stdout.trim();
  } finally {
    await connection.close();
  }
}

/** The lines that lead to the web host; options under test come before or after. */
const usual = () => `
  HostName ${web.publicAddress}
  Port ${port}
  User root
  IdentityFile ${lab.privateKeyFile}
  UserKnownHostsFile ${lab.knownHostsFile}
`;
const WHERE = `echo "$(id -un) $(hostname) \${SSH_CONNECTION##* }"`;
/** Says who is connected to the host. */
const FROM = `echo "\${SSH_CONNECTION%% *}"`;
const key = (host: LabHost, type: string) => host.hostKeys.find((line) => line.startsWith(type))!;

describe('an alias', () => {
  it(supported('ssh_config', '`HostName`, `Port`, `User` and `IdentityFile` of an alias'), async () => {
    const text = `Host alias\n${usual()}\nHost *\n  User wrong\n  Port 1\n  HostName 192.0.2.1\n`;
    expect(await says(text, WHERE)).toBe(`root web ${port}`);
    expect(await attempt(text.replace('User root', 'User mallory'))).toMatchObject({ kind: 'auth-failed' });
  });

  it(supported('ssh_config', '`Include` and `Match host`'), async () => {
    mkdirSync(file('.ssh/conf.d'), { recursive: true, mode: 0o700 });
    writeFileSync(file('.ssh/conf.d/lab.conf'), `Match host ${web.publicAddress}\n  User root\n  Port ${port}\n`, {
      mode: 0o600,
    });
    const text = `Host al*s !other\n  HostName ${web.publicAddress}\nInclude conf.d/*.conf\nHost *\n  User wrong\n  IdentityFile ${lab.privateKeyFile}\n  UserKnownHostsFile ${lab.knownHostsFile}\n`;
    expect(await says(text.replace('\nInclude', '\nMatch all\nInclude'), WHERE)).toBe(`root web ${port}`);
  });

  it('is known by the arguments of the inventory, before any file', async () => {
    const commonArgs = `-F ${file('by-args')} -l root -o UserKnownHostsFile=${lab.knownHostsFile} -i ${lab.privateKeyFile}`;
    writeFileSync(file('by-args'), `Host alias\n  HostName ${web.publicAddress}\n  Port ${port}\n  User wrong\n`);
    expect(await says('Host alias\n  HostName 192.0.2.1\n  Port 1\n', WHERE, { commonArgs })).toBe(`root web ${port}`);
  });
});

describe('keys', () => {
  let agent: ChildProcess;
  const socket = () => file('agent.sock');
  beforeAll(async () => {
    agent = spawn(tool('agent'), ['-D', '-a', socket()], { stdio: 'ignore' });
    await eventually('the agent listens', () => existsSync(socket()));
    const add = (name: string) =>
      execFileSync(tool('add'), ['-q', name], { env: { ...process.env, SSH_AUTH_SOCK: socket() }, stdio: 'ignore' });
    // More keys that the host does not know than it has patience for, and then the right one.
    for (let number = 1; number <= 4; number++) {
      writeFileSync(file(`wrong-${number}`), makeKeyPair().private, { mode: 0o600 });
      add(file(`wrong-${number}`));
    }
    writeFileSync(file('right'), readFileSync(lab.privateKeyFile), { mode: 0o600 });
    add(file('right'));
    const publicHalf = execFileSync(tool('keygen'), ['-y', '-f', lab.privateKeyFile], { encoding: 'utf8' });
    writeFileSync(file('held.pub'), publicHalf);
    chmodSync(file('right'), 0o600);
  });
  afterAll(() => agent?.kill());

  const withoutKey = () => usual().replace(/^ {2}IdentityFile.*$/m, '');

  it(supported('ssh_config', '`IdentitiesOnly` keeps the other keys of the agent back'), async () => {
    // The key is in the agent; of the named file only the public half is here.
    const text = (only: string) =>
      `Host alias\n${withoutKey()}\n  IdentityFile ${file(only === 'yes' ? 'held' : 'wrong-1')}\n  IdentitiesOnly ${only}\n`;
    expect((await attempt(text('yes'), { agentSocket: socket() })).kind).toBe('connected');
    const refused = await attempt(text('no'), { agentSocket: socket() });
    expect(refused.kind).not.toBe('connected');
    expect(refused).toMatchObject({ kind: 'auth-failed' });
  });

  it(supported('ssh_config', '`IdentityAgent`: another agent than SSH_AUTH_SOCK, or none'), async () => {
    const text = `Host alias\n${withoutKey()}\n  IdentityFile ${file('held')}\n  IdentitiesOnly yes\n  IdentityAgent`;
    expect((await attempt(`${text} "${socket()}"\n`, { agentSocket: file('nowhere') })).kind).toBe('connected');
    expect((await attempt(`${text} ~/agent.sock\n`)).kind).toBe('connected');
    expect((await attempt(`${text} none\n`, { agentSocket: socket() })).kind).not.toBe('connected');
  });

  it('of several are tried in their order, those that are not there left out', async () => {
    const text = `Host alias\n  IdentityFile ${file('absent')}\n  IdentityFile ${file('wrong-1')}\n${usual()}`;
    expect((await attempt(text)).kind).toBe('connected');
  });

  it(
    supported('ssh_config', '`PubkeyAuthentication no`, `PreferredAuthentications`: only those ways are tried'),
    async () => {
      for (const line of ['PubkeyAuthentication no', 'PreferredAuthentications password,keyboard-interactive']) {
        const refused = await attempt(`Host alias\n${usual()}\n  ${line}\n`);
        expect(refused).toMatchObject({ kind: 'auth-failed', tried: [] });
      }
    },
  );
});

describe('host keys', () => {
  const known = (name: string, ...lines: readonly string[]) => {
    writeFileSync(file(name), lines.map((line) => `${line}\n`).join(''), { mode: 0o600 });
    return file(name);
  };
  const withFiles = (lines: string) => `Host alias\n${usual().replace(/^ {2}UserKnownHostsFile.*$/m, '')}\n${lines}\n`;

  it(supported('Host keys', '`UserKnownHostsFile` and `GlobalKnownHostsFile`, several files'), async () => {
    const nothing = known('nothing', '# empty');
    const right = known('right-key', `[${web.publicAddress}]:${port} ${key(web, 'ssh-ed25519')}`);
    expect((await attempt(withFiles(`UserKnownHostsFile ${nothing} ${right}`))).kind).toBe('connected');
    expect((await attempt(withFiles(`UserKnownHostsFile ${nothing}\nGlobalKnownHostsFile ${right}`))).kind).toBe(
      'connected',
    );
    expect((await attempt(withFiles(`UserKnownHostsFile none\nGlobalKnownHostsFile ${right}`))).kind).toBe('connected');
    expect((await attempt(withFiles(`UserKnownHostsFile ${nothing}\nGlobalKnownHostsFile none`))).kind).toBe(
      'host-key-unknown',
    );
  });

  it(supported('Host keys', '`HostKeyAlias`: the key is looked up under that name alone'), async () => {
    const aliased = known(
      'aliased',
      `shared ${key(web, 'ssh-ed25519')}`,
      `${web.publicAddress} ${key(gate, 'ssh-ed25519')}`,
    );
    expect((await attempt(withFiles(`HostKeyAlias Shared\nUserKnownHostsFile ${aliased}`))).kind).toBe('connected');
    expect((await attempt(withFiles(`HostKeyAlias other\nUserKnownHostsFile ${aliased}`))).kind).toBe(
      'host-key-unknown',
    );
  });

  it(
    supported('Host keys', '`StrictHostKeyChecking accept-new` records a key once, `yes` and `ask` never'),
    async () => {
      const text = (checking: string) =>
        withFiles(`UserKnownHostsFile ${file('new')}\nHashKnownHosts yes\nStrictHostKeyChecking ${checking}`);
      for (const checking of ['yes', 'ask', 'no']) {
        expect((await attempt(text(checking))).kind).toBe('host-key-unknown');
        expect(existsSync(file('new'))).toBe(false);
      }
      expect((await attempt(text('accept-new'))).kind).toBe('connected');
      const name = `[${web.publicAddress}]:${port}`;
      expect(readFileSync(file('new'), 'utf8')).toMatch(/^\|1\|/);
      expect(execFileSync(tool('keygen'), ['-F', name, '-f', file('new')], { encoding: 'utf8' })).toContain('line 1');
      expect((await attempt(text('yes'))).kind).toBe('connected');
    },
  );

  it(
    supported('Host keys', 'A changed key is refused, with the file and the line that hold the other one'),
    async () => {
      const changed = known(
        'changed',
        '# one',
        '# two',
        `alias.example.net,${web.publicAddress} ${key(gate, 'ssh-ed25519')}`,
      );
      for (const checking of ['accept-new', 'no', 'yes']) {
        const lines = `UserKnownHostsFile ${known('none-here')} ${changed}\nStrictHostKeyChecking ${checking}\nPort 22\n`;
        expect(await attempt(`Port 22\n${withFiles(lines)}`)).toMatchObject({
          kind: 'host-key-changed',
          file: changed,
          line: 3,
          what: expect.stringContaining(`${changed} line 3`),
        });
      }
      expect(readFileSync(file('none-here'), 'utf8')).toBe('');
    },
  );

  it(supported('Host keys', '`@revoked` keys are refused, wherever they are recorded as known'), async () => {
    const ed25519 = key(web, 'ssh-ed25519');
    const revoked = known('revoked', `${web.publicAddress} ${ed25519}`);
    const global = known('revoked-global', `@revoked * ${ed25519}`);
    const text = withFiles(`UserKnownHostsFile ${revoked}\nGlobalKnownHostsFile ${global}`);
    expect(await attempt(text)).toMatchObject({ kind: 'host-key-revoked', file: global, line: 1 });
  });

  it(
    supported('Host keys', '`HostKeyAlgorithms`: only those are asked for; else the recorded types come first'),
    async () => {
      const lines = (algorithms: string, name: string) =>
        withFiles(
          `HostKeyAlgorithms ${algorithms}\nUserKnownHostsFile ${file(name)}\nStrictHostKeyChecking accept-new`,
        );
      expect((await attempt(lines('ecdsa-sha2-nistp256', 'ecdsa-only'))).kind).toBe('connected');
      expect(readFileSync(file('ecdsa-only'), 'utf8')).toContain(' ecdsa-sha2-nistp256 ');
      expect((await attempt(lines('-ssh-ed25519', 'not-ed25519'))).kind).toBe('connected');
      expect(readFileSync(file('not-ed25519'), 'utf8')).not.toContain(' ssh-ed25519 ');
      // Without a wish the recorded type is asked for, though the host would rather show another.
      expect((await attempt(withFiles(`UserKnownHostsFile ${file('ecdsa-only')}`))).kind).toBe('connected');
    },
  );
});

describe('the line', () => {
  it(supported('ssh_config', '`ConnectTimeout`: a server that never answers is given up in time'), async () => {
    const silent = createServer((socket) => socket.on('error', () => undefined));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const startedAt = performance.now();
    const outcome = await attempt(
      `ConnectTimeout 1\nHostName 127.0.0.1\nPort ${(silent.address() as AddressInfo).port}\nIdentityFile ${lab.privateKeyFile}\n`,
    );
    expect(outcome.kind).toBe('unreachable');
    expect(performance.now() - startedAt).toBeGreaterThan(900);
    expect(performance.now() - startedAt).toBeLessThan(3500);
    silent.close();
  });

  it(supported('ssh_config', '`ServerAliveInterval` and `ServerAliveCountMax`: a dead line is noticed'), async () => {
    const us = web.publicAddress.replace(/\.\d+$/, '.1');
    const connect = async (lines: string) =>
      connected(await transport.connect(targetBy(config(`Host alias\n${usual()}\n${lines}`))));
    const [soon, late] = await Promise.all([
      connect('ServerAliveInterval 1\nServerAliveCountMax 1\n'),
      connect('ServerAliveInterval 60\n'),
    ]);
    const running = [soon, late].map((connection) => run(connection, 'sleep 60', { deadlineMs: 60_000 }));
    await web.run('ip', 'route', 'add', 'blackhole', us);
    const startedAt = performance.now();
    expect((await running[0]!).kind).toBe('lost');
    expect(performance.now() - startedAt).toBeLessThan(5000);
    const other = await Promise.race([
      running[1]!.then(() => 'ended'),
      new Promise((resolve) => setTimeout(resolve, 500, 'alive')),
    ]);
    expect(other).toBe('alive');
    await web.run('ip', 'route', 'del', 'blackhole', us);
    await Promise.all([soon.close(), late.close()]);
    expect((await running[1]!).kind).toBe('lost');
  });

  it(supported('ssh_config', '`BindAddress` and `AddressFamily`'), async () => {
    const ours = web.publicAddress.replace(/\.\d+$/, '.1');
    const outcome = await transport.connect(targetBy(config(`Host alias\n${usual()}\n  BindAddress ${ours}\n`)));
    expect(connected(outcome).endpoints?.localAddress).toBe(ours);
    await connected(outcome).close();
    expect((await attempt(`Host alias\n${usual()}\n  BindAddress 203.0.113.9\n`)).kind).not.toBe('connected');
    // A name with addresses of both families leads to the one that was asked for.
    let connections = 0;
    const server = createServer((socket) => {
      connections += 1;
      socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const local = `HostName localhost\nPort ${(server.address() as AddressInfo).port}\nIdentityFile ${lab.privateKeyFile}\n`;
    for (const [family, count] of [
      ['inet6', 0],
      ['inet', 1],
    ] as const) {
      expect((await attempt(`AddressFamily ${family}\n${local}`)).kind).not.toBe('connected');
      expect(connections).toBe(count);
    }
    server.close();
  });
});

describe('the way', () => {
  const gateLines = () =>
    `Host gate\n  HostName ${gate.publicAddress}\n  User root\nHost *\n  IdentityFile ${lab.privateKeyFile}\n  UserKnownHostsFile ${lab.knownHostsFile}\n`;

  it(supported('ssh_config', '`ProxyJump` to a machine that ssh_config knows'), async () => {
    const text = `Host alias\n  HostName ${web.privateAddress}\n  User root\n  ProxyJump gate\n${gateLines()}`;
    const from = await says(text, FROM);
    expect(from).toBe(gate.privateAddress);
  });

  it(supported('ssh_config', '`ProxyCommand`, with `ssh -W %h:%p` as its usual work'), async () => {
    writeFileSync(file('for-openssh'), gateLines());
    const command = `ssh -F ${file('for-openssh')} -o BatchMode=yes -W %h:%p gate`;
    const text = `Host alias\n  HostName ${web.privateAddress}\n  User root\n  ProxyCommand ${command}\n${gateLines()}`;
    expect(await says(text, FROM)).toBe(gate.privateAddress);
    const commonArgs = `-o ProxyCommand="${command.replace(' gate', ' -q root@gate')}" -l root`;
    const by = gateLines().replace(/^Host gate[^*]*/, '');
    expect(await says(by, FROM, { address: web.privateAddress, commonArgs })).toBe(gate.privateAddress);
  });
});
