import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { loadInventory } from '../../../src/ansible/inventory.ts';
import type { Failure } from '../../../src/core/failure.ts';
import type { HostJob, RunContext } from '../../../src/fleet/operations.ts';
import { peerLogins, runProbes } from '../../../src/fleet/probes.ts';
import { loadPlaybook } from '../../../src/matrix/load-playbook.ts';
import { readSettings } from '../../../src/settings/read-settings.ts';
import type { ConnectOutcome, Target, Transport } from '../../../src/transport/connection.ts';
import { openTransport } from '../../../src/transport/open-transport.ts';
import { createTarget } from '../../../src/transport/target.ts';
import { tick } from './helpers/fakes.ts';

/** Real sockets and programs; the peers are this machine, over the transport for local hosts. */
let folder: string;
let open: Server;
let open6: Server | null;
let openPort: number;
let closedPort: number;
let knocks = 0;

function listen(host: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      knocks += 1;
      socket.on('error', () => undefined);
      socket.destroy();
    });
    server.on('error', reject);
    server.listen(0, host, () => resolve(server));
  });
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'portfw-probes-'));
  open = await listen('127.0.0.1');
  openPort = portOf(open);
  open6 = await listen('::1').catch(() => null);
  const gone = await listen('127.0.0.1');
  closedPort = portOf(gone);
  await new Promise((resolve) => gone.close(resolve));
  const hosts = Object.fromEntries(
    ['sip1', 'sip2', 'sip3'].map((name) => [name, { ansible_connection: 'local', ansible_host: '127.0.0.1' }]),
  );
  writeFileSync(path.join(folder, 'inventory.yaml'), stringify({ all: { hosts } }));
});
afterAll(() => {
  open.close();
  open6?.close();
  rmSync(folder, { recursive: true });
});
afterEach(() => {
  delete process.env['PORTFW_SSH_PASSWORD'];
});

const real: Transport = openTransport({ passphrase: null, ask: null });

interface Look {
  readonly failure: Failure | null;
  readonly phases: readonly string[];
  readonly notes: readonly string[];
  readonly connects: readonly Target[];
}

/** What the probes say of sip1. */
async function look(
  probes: readonly object[],
  when: 'before' | 'after' = 'after',
  transport: Transport = real,
  shared = peerLogins(),
): Promise<Look> {
  const file = path.join(folder, 'playbook.yaml');
  writeFileSync(file, stringify([{ hosts: 'all', matrix: 'portaswitch', ...(probes.length > 0 ? { probes } : {}) }]));
  const play = loadPlaybook(file).plays[0]!;
  const inventory = await loadInventory(path.join(folder, 'inventory.yaml'));
  const { settings } = readSettings(inventory);
  const connects: Target[] = [];
  const watched: Transport = {
    connect: (target, signal) => {
      connects.push(target);
      return transport.connect(target, signal);
    },
  };
  const job = (host: string): HostJob => {
    const own = settings.get(host)!;
    const target = createTarget(own, {
      acceptNewHostKeys: false,
      becomePassword: null,
      sshPassword: null,
      agentSocket: null,
      localUser: 'ops',
    }).target!;
    const become = { kind: 'sudo', password: null } as const;
    return { host, settings: own, play, target: { ...target, become }, transport: watched };
  };
  const jobs = new Map<string, HostJob>();
  for (const host of ['sip1', 'sip2']) jobs.set(host, job(host));
  const phases: string[] = [];
  const notes: string[] = [];
  const context: RunContext = {
    inventory,
    settings,
    // sip3 is left out by --limit.
    jobs,
    peers: new Map([['sip3', job('sip3')]]),
    holder: 'ops@desk',
    today: '2026-01-31',
    signal: AbortSignal.abort(),
    peerLogins: shared,
    phase: (_host, phase) => phases.push(phase),
    note: (_host, _severity, text) => notes.push(text),
  };
  return { failure: await runProbes(job('sip1'), context, when), phases, notes, connects };
}

describe('a TCP probe from the controller', () => {
  it('passes when a program listens, and is a connection of its own', async () => {
    knocks = 0;
    const { failure, phases } = await look([{ tcp: openPort }, { tcp: `sip2:${openPort}` }]);
    expect(failure).toBeNull();
    expect(phases).toEqual(['probing']);
    await expect.poll(() => knocks).toBe(2);
  });

  it('names the probe, its place, from where and what happened', async () => {
    const { failure } = await look([{ tcp: openPort }, { name: 'SIP', tcp: closedPort }]);
    expect(failure).toMatchObject({
      code: 'probe-failed',
      what: `the probe "SIP" fails after the change: the controller cannot connect to 127.0.0.1 port ${closedPort}: connection refused`,
      details: [],
    });
    expect(failure?.solve).toMatch(/playbook\.yaml:5\)$/);
  });

  it('reports an unknown name', async () => {
    const began = performance.now();
    const { failure } = await look([{ tcp: 'no-such-host.invalid:80', timeout: 3 }]);
    expect(failure?.what).toMatch(/cannot connect to no-such-host\.invalid port 80: (the name|no answer)/);
    expect(performance.now() - began).toBeLessThan(4000);
  });

  it('reaches IPv6 addresses, where the machine has any', async () => {
    const { failure } = await look(open6 === null ? [] : [{ tcp: `[::1]:${portOf(open6)}` }]);
    expect(failure).toBeNull();
  });
});

describe('a TCP probe from a peer', () => {
  it('is made there, over one login without root for all of them', async () => {
    knocks = 0;
    const { failure, connects } = await look([
      { tcp: openPort, from: 'sip2' },
      { name: 'again', tcp: `127.0.0.1:${openPort}`, from: 'sip2' },
      ...(open6 === null ? [] : [{ tcp: `[::1]:${portOf(open6)}`, from: 'sip2' }]),
    ]);
    expect(failure).toBeNull();
    await expect.poll(() => knocks).toBe(open6 === null ? 2 : 3);
    expect(connects.map(({ name, become }) => [name, become.kind])).toEqual([['sip2', 'none']]);
  });

  it('names the peer that does not get through', async () => {
    const { failure, connects } = await look([{ tcp: closedPort, from: 'all' }]);
    expect(connects.map(({ name }) => name).sort()).toEqual(['sip2', 'sip3']);
    expect(failure?.what).toBe(
      `the probe "tcp ${closedPort} from all" fails after the change: sip2 cannot connect to 127.0.0.1 port ${closedPort}: Connection refused`,
    );
    expect(failure?.details).toEqual([
      `the probe "tcp ${closedPort} from all" also fails: sip3 cannot connect to 127.0.0.1 port ${closedPort}: Connection refused`,
    ]);
  });

  it.each<[string, ConnectOutcome | Error, string]>([
    ['cannot be reached', { kind: 'unreachable', what: 'no answer', solve: 'wait' }, 'no answer'],
    ['breaks portfw', new Error('boom\u001b[31m'), 'boom'],
  ])('fails when the peer %s', async (_name, outcome, why) => {
    const transport: Transport = {
      connect: async () => {
        if (outcome instanceof Error) throw outcome;
        return outcome;
      },
    };
    const { failure } = await look([{ tcp: openPort, from: 'sip2' }], 'after', transport);
    expect(failure?.what).toBe(
      `the probe "tcp ${openPort} from sip2" fails after the change: the peer sip2 could not run the probe: ${why}`,
    );
  });

  it('is asked by many hosts at once, with few logins under way', async () => {
    const failing: ConnectOutcome = { kind: 'unreachable', what: 'no answer', solve: 'wait' };
    let under = 0;
    let most = 0;
    const transport: Transport = {
      connect: async () => {
        under += 1;
        most = Math.max(most, under);
        await tick(5);
        under -= 1;
        return failing;
      },
    };
    const shared = peerLogins();
    const looks = await Promise.all(
      Array.from({ length: 20 }, () => look([{ tcp: openPort, from: 'sip3' }], 'after', transport, shared)),
    );
    expect(looks.map(({ failure }) => failure?.code)).toEqual(Array.from({ length: 20 }, () => 'probe-failed'));
    expect(most).toBe(4);
  });

  it('is left out, with a note, on the host that is its only peer', async () => {
    const { failure, notes, connects } = await look([{ tcp: closedPort, from: 'sip1' }]);
    expect(failure).toBeNull();
    expect(connects).toEqual([]);
    expect(notes).toEqual([`the probe "tcp ${closedPort} from sip1" was skipped: its only peer is this host itself`]);
  });
});

describe('a command', () => {
  const sh = (script: string, more: object = {}): object => ({ name: 'check', command: ['sh', '-c', script], ...more });

  it('runs beside the playbook, and knows the host but not our passwords', async () => {
    process.env['PORTFW_SSH_PASSWORD'] = 'hunter2';
    const file = path.join(folder, 'check.sh');
    writeFileSync(
      file,
      `#!/bin/sh\n[ "$PORTFW_HOST $PORTFW_ADDRESS $1" = 'sip1 127.0.0.1 $(a b)' ] && [ -z "\${PORTFW_SSH_PASSWORD+set}" ]\n`,
    );
    chmodSync(file, 0o755);
    expect((await look([{ command: ['./check.sh', '$(a b)'] }])).failure).toBeNull();
    expect((await look([{ command: ['./check.sh', 'a'] }])).failure?.what).toContain(
      './check.sh ended with exit code 1',
    );
  });

  it.each([
    ['exit code 3', sh('exit 3'), 'sh ended with exit code 3'],
    ['a signal', sh('kill -KILL $$'), 'sh was ended by SIGKILL'],
    ['its timeout', sh('sleep 20', { timeout: 0.2 }), 'sh did not end within 0.2 s'],
    ['no program', { name: 'check', command: ['./nowhere'] }, './nowhere cannot be started: there is no such program'],
  ])('fails by %s', async (_name, probe, what) => {
    const began = performance.now();
    const { failure } = await look([probe]);
    expect(failure?.what).toBe(`the probe "check" fails after the change: ${what}`);
    expect(performance.now() - began).toBeLessThan(5000);
  });

  it('has its output shown, the end of it, cleaned', async () => {
    const script = `yes filler | head -n 100000; printf 'red \\033[31mtext\\n\\nlast \\342\\200\\256line\\n' >&2; exit 1`;
    const { failure } = await look([sh(script)]);
    expect(failure?.details).toHaveLength(8);
    expect(failure?.details.slice(-3)).toEqual(['filler', 'red text', 'last line']);
  });

  it('does not wait for what a program leaves behind', async () => {
    const began = performance.now();
    expect((await look([sh('sleep 20 & exit 0')])).failure).toBeNull();
    expect(performance.now() - began).toBeLessThan(3000);
  });
});

describe('several probes', () => {
  it('run at the same time; the first of the playbook that fails is the failure, the others are its details', async () => {
    const slow = (name: string): object => ({ name, command: ['sh', '-c', 'sleep 0.7; exit 1'] });
    const began = performance.now();
    const { failure } = await look([slow('one'), slow('two'), { tcp: openPort }, slow('three')]);
    expect(performance.now() - began).toBeLessThan(1400);
    expect(failure?.what).toContain('"one"');
    expect(failure?.details.map((line) => /"(\w+)" also fails/.exec(line)?.[1])).toEqual(['two', 'three']);
  });

  it('are none for most plays', async () => {
    expect(await look([])).toMatchObject({ failure: null, phases: [] });
  });
});

describe('before the change', () => {
  it('a probe that fails already is no fault of the change', async () => {
    const { failure } = await look([{ tcp: closedPort }], 'before');
    expect(failure?.code).toBe('probe-fails-already');
    expect(failure?.what).toMatch(/fails already, before anything was changed: the controller cannot connect/);
    expect(failure?.solve).toContain('`before: may-fail`');
  });

  it('one that may fail then is not run at all', async () => {
    const probes = [{ tcp: closedPort, before: 'may-fail' }];
    expect(await look(probes, 'before')).toMatchObject({ failure: null, phases: [] });
    expect((await look(probes)).failure?.code).toBe('probe-failed');
  });
});
