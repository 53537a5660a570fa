import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ssh2, { type Prompt, type Connection as ServerConnection } from 'ssh2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { Secret } from '../../src/core/secret.ts';
import type { ConnectOutcome, Target, Transport } from '../../src/transport/connection.ts';
import type { LoginQuestion } from '../../src/transport/logins.ts';
import { NodeSshTransport } from '../../src/transport/ssh2/adapter.ts';
import { supported } from '../helpers/supported.ts';
import type { LabHost } from '../lab/host.ts';
import { makeKeyPair } from '../lab/keys.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import { portfw } from './helpers/portfw-cli.ts';
import { TerminalRun } from './helpers/terminal-run.ts';
import { eventually, startSshd, targetOf, transport } from './helpers/transport-lab.ts';

let lab: Lab;
let host: LabHost;

beforeAll(async () => {
  lab = await startLab({ name: 'logins', hosts: [{ name: 'host', suite: 'trixie', firewalld: 'stopped' }] });
  host = lab.host('host');
  await host.run('mkdir', '-p', '/root/.ssh');
});
afterAll(() => lab?.stop());

const file = (name: string): string => join(lab.directory, name);
/** One of OpenSSH's own tools. */
const toolPath = (tool: 'keygen' | 'agent' | 'add'): string => `ssh-${tool}`;
const openssh = (tool: 'keygen' | 'agent' | 'add', args: readonly string[], environment: NodeJS.ProcessEnv = {}) =>
  execFileSync(toolPath(tool), args, {
    encoding: 'utf8',
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
const target = (port: number, changes: Partial<Target> = {}): Target =>
  targetOf(lab, host, { port, hostKeyAlias: host.publicAddress, ...changes });

async function attempt(to: Target, by: Transport = transport): Promise<ConnectOutcome> {
  const outcome = await by.connect(to);
  if (outcome.kind === 'connected') await outcome.connection.close();
  return outcome;
}

/** A transport with somebody at the terminal, who gives these answers; and what was asked. */
function asked(...answers: readonly (string | null)[]): { by: NodeSshTransport; questions: LoginQuestion[] } {
  const questions: LoginQuestion[] = [];
  const left = [...answers];
  const by = new NodeSshTransport({ passphrase: null, ask: null }, (question) => {
    questions.push(question);
    const answer = left.shift() ?? null;
    return Promise.resolve(answer === null ? null : new Secret(answer));
  });
  return { by, questions };
}

const QUIET = 'PerSourcePenalties no';
const admin = { user: 'admin', privateKeyFiles: [] as string[], password: new Secret('portfw-lab') };

describe('several methods one after the other', () => {
  it(
    supported('Logging in', 'AuthenticationMethods of the host: a key and then a password, both ways of asking for it'),
    async () => {
      const withPassword = await startSshd(
        host,
        `AuthenticationMethods publickey,password\nPasswordAuthentication yes\n${QUIET}`,
      );
      const withQuestion = await startSshd(
        host,
        `AuthenticationMethods publickey,keyboard-interactive\nKbdInteractiveAuthentication yes\n${QUIET}`,
      );
      for (const port of [withPassword, withQuestion]) {
        const to = target(port, { ...admin, privateKeyFiles: [lab.privateKeyFile] });
        expect((await attempt(to)).kind).toBe('connected');
        expect(await attempt({ ...to, password: null })).toMatchObject({ kind: 'auth-failed' });
      }
      // The question that could not be answered is told.
      const lonely = target(withQuestion, { ...admin, privateKeyFiles: [lab.privateKeyFile], password: null });
      expect(await attempt(lonely)).toMatchObject({
        kind: 'auth-failed',
        what: expect.stringMatching(/admin@host is asked "Password:" at the login, and no password was given/),
        solve: expect.stringContaining('PORTFW_SSH_PASSWORD'),
        shared: { what: expect.stringMatching(/^admin is asked "Password:" at the login/), own: host.publicAddress },
        details: expect.arrayContaining(['agent: none, as SSH_AUTH_SOCK is not set']),
      });
    },
  );

  it('a question first, then the key that was shown too early', async () => {
    const port = await startSshd(
      host,
      `AuthenticationMethods keyboard-interactive,publickey\nKbdInteractiveAuthentication yes\n${QUIET}`,
    );
    expect((await attempt(target(port, { ...admin, privateKeyFiles: [lab.privateKeyFile] }))).kind).toBe('connected');
  });

  it('two keys', async () => {
    const port = await startSshd(host, `AuthenticationMethods publickey,publickey\n${QUIET}`);
    const second = makeKeyPair();
    writeFileSync(file('second'), second.private, { mode: 0o600 });
    await host.sh('printf "%s\\n" "$1" >>/etc/ssh/lab_authorized_keys', second.public);
    const to = target(port, { privateKeyFiles: [lab.privateKeyFile, file('second')] });
    expect((await attempt(to)).kind).toBe('connected');
    expect((await attempt({ ...to, privateKeyFiles: [file('second')] })).kind).toBe('auth-failed');
  });
});

describe('keyboard-interactive', () => {
  it(supported('Logging in', 'a password that has expired is told as such'), async () => {
    const port = await startSshd(host, `PasswordAuthentication no\nKbdInteractiveAuthentication yes\n${QUIET}`);
    await host.run('chage', '-d', '0', 'nosudo');
    const outcome = await attempt(target(port, { ...admin, user: 'nosudo' }));
    await host.run('chage', '-d', '20000', 'nosudo');
    expect(outcome).toMatchObject({
      kind: 'auth-failed',
      what: expect.stringContaining('the password has expired'),
    });
  });

  /** An SSH server with questions of its own. Returns its port; it notes the answers. */
  async function questioner(rounds: readonly (readonly Prompt[])[], answers: string[]): Promise<number> {
    const key = makeKeyPair().private;
    const server = new ssh2.Server({ hostKeys: [key] }, (client: ServerConnection) => {
      client.on('error', () => undefined);
      client.on('authentication', (context) => {
        if (context.method !== 'keyboard-interactive') {
          context.reject(['keyboard-interactive']);
          return;
        }
        const next = (round: number): void => {
          const prompts = rounds[round];
          if (prompts === undefined) context.accept();
          else
            context.prompt([...prompts], 'Two-step login\u001b[31m', 'Take your token', (given) => {
              answers.push(...given);
              next(round + 1);
            });
        };
        next(0);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    servers.push(server);
    return (server.address() as { port: number }).port;
  }
  const servers: InstanceType<typeof ssh2.Server>[] = [];
  afterAll(() => servers.forEach((server) => void server.close()));
  const here = (port: number, changes: Partial<Target> = {}): Target =>
    target(port, {
      ...admin,
      address: '127.0.0.1',
      hostKeyAlias: null,
      knownHostsFiles: [file('questioners')],
      acceptNewHostKeys: true,
      ...changes,
    });
  const code = { prompt: 'Verification\u202e code\u0007: ', echo: false };

  it(
    supported(
      'Logging in',
      'questions of a second factor are asked on the terminal, one after the other, hidden or shown',
    ),
    async () => {
      const given: string[] = [];
      const port = await questioner(
        [[{ prompt: 'Password: ', echo: false }, code], [{ prompt: 'Site: ', echo: true }]],
        given,
      );
      const { by, questions } = asked('123456', 'north');
      expect((await attempt(here(port), by)).kind).toBe('connected');
      expect(given).toEqual(['portfw-lab', '123456', 'north']);
      expect(questions).toEqual([
        {
          account: 'admin@host',
          instructions: 'Two-step login: Take your token',
          prompt: 'Verification code:',
          hidden: true,
        },
        { account: 'admin@host', instructions: 'Two-step login: Take your token', prompt: 'Site:', hidden: false },
      ]);
    },
  );

  it(supported('Logging in', 'without a terminal a second factor is a failure that quotes the question'), async () => {
    const given: string[] = [];
    const port = await questioner([[{ prompt: 'Password: ', echo: false }], [code]], given);
    expect(await attempt(here(port))).toMatchObject({
      kind: 'auth-failed',
      what: expect.stringContaining('admin@host is asked "Verification code:" at the login'),
      solve: expect.stringContaining('terminal'),
    });
    expect(given).toEqual(['portfw-lab']);
    expect((await attempt(here(port), asked(null).by)).kind).toBe('auth-failed');
  });

  it('a host that asks for the password again does not get it again', async () => {
    const given: string[] = [];
    const again = { prompt: 'Password: ', echo: false };
    const port = await questioner([[again], [again]], given);
    expect(await attempt(here(port), asked('more').by)).toMatchObject({
      kind: 'auth-failed',
      what: expect.stringContaining('once more: the password was refused'),
    });
    expect(given).toEqual(['portfw-lab']);
  });

  it('reach the person at the terminal while a run goes on', async () => {
    const given: string[] = [];
    const port = await questioner([[code], [{ prompt: 'Site: ', echo: true }]], given);
    const inventory = file('asking.yaml');
    writeFileSync(
      inventory,
      stringify({ all: { hosts: { asking: { ansible_host: '127.0.0.1', ansible_port: port, ansible_user: 'me' } } } }),
    );
    const run = new TerminalRun('facts', inventory, '--known-hosts', file('asking'), '--accept-new-host-keys');
    await run.shows(/me@asking asks: "Verification code:"/);
    run.type('123456\r');
    await run.shows(/me@asking asks: "Site:"/);
    run.type('northx\u007f\r');
    await eventually('both answers are in', () => given.length === 2);
    expect(given).toEqual(['123456', 'north']);
    expect(await run.exitCode).not.toBe(0);
    expect(run.raw).not.toContain('123456');
    expect(run.raw).toContain('north');
    // Ctrl-C at a question is one for the run.
    const abandoned = new TerminalRun('facts', inventory, '--known-hosts', file('asking'));
    await abandoned.shows(/asks: "Verification code:"/);
    abandoned.type('\u0003');
    expect(await abandoned.exitCode).toBe(130);
  });

  it('waits longer for a person than for a server', async () => {
    const port = await questioner([[code]], []);
    const slow = new NodeSshTransport({ passphrase: null, ask: null }, async () => {
      await new Promise((resolve) => setTimeout(resolve, 1500));
      return new Secret('123456');
    });
    expect((await attempt(here(port, { connectTimeoutMs: 1000 }), slow)).kind).toBe('connected');
  });
});

describe('keys', () => {
  it(
    supported('Logging in', 'keys in OpenSSH, PEM and PKCS#8 format, plain or encrypted: Ed25519, ECDSA, RSA'),
    async () => {
      const pem = { type: 'pkcs8', format: 'pem' } as const;
      const locked = { cipher: 'aes-256-cbc', passphrase: 'open' } as const;
      const made = {
        ed25519: generateKeyPairSync('ed25519').privateKey.export(pem),
        'ed25519-locked': generateKeyPairSync('ed25519').privateKey.export({ ...pem, ...locked }),
        ec: generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey.export(pem),
        'ec-sec1-locked': generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
          type: 'sec1',
          format: 'pem',
          ...locked,
        }),
        rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export(pem),
        'rsa-locked': generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ ...pem, ...locked }),
        'rsa-pkcs1-locked': generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({
          type: 'pkcs1',
          format: 'pem',
          ...locked,
        }),
      };
      const by = new NodeSshTransport({ passphrase: new Secret('open'), ask: null });
      for (const [name, text] of Object.entries(made)) {
        writeFileSync(file(name), text, { mode: 0o600 });
        const publicKey = await publicHalf(name);
        await host.sh('printf "%s\\n" "$1" >>/root/.ssh/authorized_keys', publicKey);
        expect((await attempt(target(22, { privateKeyFiles: [file(name)] }), by)).kind, name).toBe('connected');
      }
    },
  );

  /** As OpenSSH's own tool reads it; it does not take Ed25519 as PKCS#8, where ours has to do. */
  async function publicHalf(name: string): Promise<string> {
    if (!name.startsWith('ed25519')) return openssh('keygen', ['-y', '-P', 'open', '-f', file(name)]).trim();
    const { createPublicKey } = await import('node:crypto');
    const { x = '' } = createPublicKey({
      key: readFileSync(file(name), 'utf8'),
      passphrase: 'open',
      format: 'pem',
    } as never).export({ format: 'jwk' });
    const field = (value: Buffer) => Buffer.concat([Buffer.from([0, 0, 0, value.length]), value]);
    const blob = Buffer.concat([field(Buffer.from('ssh-ed25519')), field(Buffer.from(x, 'base64url'))]);
    return `ssh-ed25519 ${blob.toString('base64')}`;
  }

  it(
    supported('Logging in', 'a key that cannot be used is said once, with exit code 4, before any host is contacted'),
    async () => {
      const inventory = file('unusable.yaml');
      const vars = { ansible_ssh_private_key_file: file('nowhere') };
      // Whoever contacts them waits for long: nobody answers there.
      const hosts = { one: { ansible_host: '192.0.2.1' }, two: { ansible_host: '192.0.2.2' } };
      writeFileSync(inventory, stringify({ all: { vars, hosts } }));
      const startedAt = performance.now();
      const { exitCode, stdout, stderr } = await portfw('facts', inventory);
      expect(exitCode).toBe(4);
      expect((stdout + stderr).match(/does not exist/g)).toHaveLength(1);
      expect(stdout + stderr).toContain('(for one, two)');
      expect(performance.now() - startedAt).toBeLessThan(8000);
    },
  );

  it(
    supported('Logging in', 'the passphrase of a key is asked once for all hosts and jump hosts that it opens'),
    async () => {
      const key = makeKeyPair({ passphrase: 'open', cipher: 'aes256-ctr', rounds: 4 });
      writeFileSync(file('shared'), key.private, { mode: 0o600 });
      await host.sh('printf "%s\\n" "$1" >>/root/.ssh/authorized_keys', key.public);
      const names: string[] = [];
      const by = new NodeSshTransport({
        passphrase: null,
        ask: (name) => {
          names.push(name);
          return Promise.resolve(new Secret('open'));
        },
      });
      const { route, name, kind, become, ...hop } = target(22, { privateKeyFiles: [file('shared')] });
      const behind = { ...hop, name, kind, become, route: { kind: 'jump', hops: [hop] } } as const;
      expect(await by.unlockKeys([behind, { ...behind, name: 'another', route }])).toEqual([]);
      expect(names).toEqual([file('shared')]);
      const outcomes = await Promise.all([attempt(behind, by), attempt({ ...behind, route }, by)]);
      expect(outcomes.map((outcome) => outcome.kind)).toEqual(['connected', 'connected']);
      expect(names).toHaveLength(1);
      by.close();
    },
  );
});

describe('an agent', () => {
  let agent: ChildProcess;
  const socket = () => file('agent');
  beforeAll(async () => {
    agent = spawn(toolPath('agent'), ['-D', '-a', socket()], { stdio: 'ignore' });
    await eventually('the agent listens', () => existsSync(socket()));
    for (const name of ['other', 'signed']) {
      openssh('keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', file(name)]);
    }
    openssh('keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file('authority')]);
    openssh('keygen', ['-q', '-s', file('authority'), '-I', 'me', '-n', 'root', file('signed.pub')]);
  });
  afterAll(() => agent?.kill());
  const add = (...names: readonly string[]) => openssh('add', ['-q', ...names], { SSH_AUTH_SOCK: socket() });
  const empty = () => openssh('add', ['-q', '-D'], { SSH_AUTH_SOCK: socket() });

  it(
    supported(
      'Logging in',
      'named keys first, then the other keys of the agent, unless IdentitiesOnly keeps them back',
    ),
    async () => {
      empty();
      add(lab.privateKeyFile);
      const to = target(22, { privateKeyFiles: [file('other')], agentSocket: socket() });
      expect((await attempt(to)).kind).toBe('connected');
      expect(await attempt({ ...to, identitiesOnly: true })).toMatchObject({
        kind: 'auth-failed',
        tried: [expect.stringContaining(file('other'))],
      });
      // Where a named key is in the agent, its file is not needed: the public half is enough.
      writeFileSync(file('held.pub'), openssh('keygen', ['-y', '-f', lab.privateKeyFile]));
      for (const name of ['held', 'held.pub']) {
        const only = { ...to, privateKeyFiles: [file(name)], identitiesOnly: true };
        expect((await attempt(only)).kind).toBe('connected');
      }
    },
  );

  it('and a second factor after its key', async () => {
    const port = await startSshd(
      host,
      `AuthenticationMethods publickey,keyboard-interactive\nKbdInteractiveAuthentication yes\n${QUIET}`,
    );
    empty();
    add(file('other'), lab.privateKeyFile);
    expect((await attempt(target(port, { ...admin, agentSocket: socket() }))).kind).toBe('connected');
  });

  it(
    supported('Logging in', 'certificates are recognised and said before the attempt; the key beside one is offered'),
    async () => {
      empty();
      // ssh-add loads the certificate beside a key as a key of its own.
      add(file('signed'));
      openssh('add', ['-q', '-d', file('signed')], { SSH_AUTH_SOCK: socket() });
      openssh('add', ['-q', file('signed')], { SSH_AUTH_SOCK: socket() });
      const named = target(22, { privateKeyFiles: [file('signed')] });
      const by = new NodeSshTransport({ passphrase: null, ask: null });
      expect(await by.unlockKeys([named])).toMatchObject([
        {
          severity: 'warning',
          what: expect.stringContaining(`The certificate ${file('signed-cert.pub')} cannot be used`),
        },
      ]);
      expect(await attempt(named)).toMatchObject({
        kind: 'auth-failed',
        what: expect.stringContaining('certificate'),
      });
    },
  );
});

/** Some packages of Ansible bring a file for the whole system, in which nothing is set. */
const ANSIBLE_CFG = existsSync('/etc/ansible/ansible.cfg')
  ? '/etc/ansible/ansible\\.cfg'
  : 'no ansible\\.cfg \\(looked for .*\\)';

describe('many hosts that fail alike', () => {
  let port: number;
  beforeAll(async () => {
    port = await startSshd(host, QUIET);
  });
  const vars = () => ({
    ansible_host: host.publicAddress,
    ansible_port: port,
    ansible_ssh_common_args: `-o HostKeyAlias=${host.publicAddress}`,
    ansible_user: 'admin',
    ansible_ssh_private_key_file: lab.privateKeyFile,
    portfw_playbook: 'portaswitch',
    portfw_roles: ['web-admin'],
    portfw_interfaces: { public: host.publicAddress, private: host.privateAddress },
  });
  /** An inventory whose hosts one and two are the same machine. */
  function inventoryOf(name: string, changes: Readonly<Record<string, unknown>>): string {
    const inventory = file(name);
    writeFileSync(inventory, stringify({ all: { vars: { ...vars(), ...changes }, hosts: { one: null, two: null } } }));
    return inventory;
  }
  const run = (command: string, inventory: string, ...flags: readonly string[]) =>
    portfw(command, inventory, '--ssh-config', 'none', '--known-hosts', lab.knownHostsFile, ...flags);
  /** The message for both hosts, without the events before it and the table after it. */
  function messageIn(stdout: string): readonly string[] {
    const lines = stdout.split('\n');
    const from = lines.findIndex((line) => line.startsWith('2 hosts (one, two): '));
    return lines.slice(from, lines.indexOf('', from)).map((line) => line.trim());
  }

  it.each(['detect', 'plan', 'apply'])(
    '%s: a refused key is one message, with where all of it comes from',
    async (command) => {
      openssh('keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file(`strange-${command}`)]);
      const inventory = inventoryOf('refused.yaml', { ansible_ssh_private_key_file: file(`strange-${command}`) });
      const { exitCode, stdout } = await run(command, inventory, ...(command === 'apply' ? ['--yes'] : []));
      expect(exitCode).toBe(3);
      expect(stdout.match(/To solve it/g)).toHaveLength(1);
      expect(messageIn(stdout)).toEqual([
        expect.stringMatching(
          /^2 hosts \(one, two\): unreachable: the login as admin was refused \(tried key .*strange-.* \(SHA256:.*\)/,
        ),
        `one  ${host.publicAddress}`,
        `two  ${host.publicAddress}`,
        `user admin: ansible_user at ${inventory}:6:19`,
        `key ${file(`strange-${command}`)}: ansible_ssh_private_key_file at ${inventory}:7:35`,
        'agent: none, as SSH_AUTH_SOCK is not set',
        expect.stringMatching(new RegExp(`^looked at: the inventory .*refused\\.yaml; ${ANSIBLE_CFG}; no ssh_config$`)),
        expect.stringMatching(/^To solve it: Check ansible_user, and that this key is in ~admin/),
      ]);
      expect(stdout).toMatch(/^one +unreachable .* auth-failed: the login as admin was refused/m);
      expect(stdout).toMatch(/^two +unreachable .* as one$/m);
    },
  );

  it('no key at all says so, and that there is none of the default files', async () => {
    const { stdout } = await run('detect', inventoryOf('keyless.yaml', { ansible_ssh_private_key_file: null }));
    expect(messageIn(stdout).slice(3)).toEqual([
      expect.stringMatching(/^user admin: /),
      'key: none is named, and there is none of the default files: ~/.ssh/id_ed25519, id_ecdsa, id_rsa',
      'agent: none, as SSH_AUTH_SOCK is not set',
      expect.stringMatching(/^looked at: /),
      expect.stringMatching(
        /^To solve it: Add --private-key FILE to this command, or set ansible_ssh_private_key_file/,
      ),
    ]);
  });

  it('no root is one message, and says that nothing turns become on', async () => {
    const { exitCode, stdout } = await run('plan', inventoryOf('rootless.yaml', {}));
    expect(exitCode).toBe(1);
    expect(messageIn(stdout)).toEqual([
      expect.stringMatching(/^2 hosts \(one, two\): refused: the account has no root rights on the host/),
      expect.stringMatching(/^user admin: ansible_user at .*rootless\.yaml:6:19$/),
      'become is off: nothing turns it on',
      expect.stringMatching(/^looked at: /),
      expect.stringMatching(/^To solve it: add --become to this command/),
    ]);
  });

  it('an unknown host key is one message, whose command makes both known', async () => {
    const inventory = inventoryOf('unknown.yaml', { ansible_ssh_common_args: '-C' });
    const known = file('keys-to-come');
    const facts = () => portfw('facts', inventory, '--ssh-config', 'none', '--known-hosts', known);
    const { exitCode, stdout } = await facts();
    expect(exitCode).toBe(3);
    const message = messageIn(stdout);
    expect(message[0]).toBe('2 hosts (one, two): unreachable: the host key is unknown');
    expect(message[1]).toMatch(new RegExp(`^one  \\[${host.publicAddress}\\]:${port} ssh-ed25519 SHA256:\\S+$`));
    const command = `ssh-keyscan -p ${port} ${host.publicAddress} >> ${known}`;
    expect(message.at(-1)).toBe(command);
    execFileSync('sh', ['-c', command], { stdio: 'ignore' });
    expect((await facts()).exitCode).toBe(0);
  });
});
