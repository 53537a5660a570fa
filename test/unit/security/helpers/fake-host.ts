import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { stringify } from 'yaml';

import type { Secret } from '../../../../src/core/secret.ts';
import type { FleetEvent } from '../../../../src/fleet/events.ts';
import { createHostOperations } from '../../../../src/fleet/host-operations.ts';
import type { HostJob } from '../../../../src/fleet/operations.ts';
import { type FleetCommand, runFleet } from '../../../../src/fleet/run.ts';
import { firewalldProgram, probeProgram } from '../../../../src/host/programs.ts';
import type { Request } from '../../../../src/host/requests.ts';
import { loadMatrix } from '../../../../src/matrix/load-matrix.ts';
import type { Play } from '../../../../src/matrix/matrix.ts';
import type { Become, Connection, Target, Transport } from '../../../../src/transport/connection.ts';
import { Accounts } from '../../../../src/transport/program/account.ts';
import {
  type ProcessEvents,
  runProgram,
  type StartProcess,
} from '../../../../src/transport/program/program-session.ts';
import { createTarget } from '../../../../src/transport/target.ts';
import { probeOf } from '../../adversarial/helpers/worlds.ts';
import { Firewalld } from '../../plan/helpers/simulator.ts';
import { readInventory } from '../../policy/helpers/cases.ts';

/** What one host of these tests does otherwise than a good one. */
export interface Behaviour {
  /** Printed on standard error by every program, before it ends. */
  readonly complaint?: string;
  /** The answer to a request, in place of the right one. */
  readonly answer?: (request: Request) => string | undefined;
  /** What sudo says on its standard error when it got the password, in place of letting us in. */
  readonly refusal?: string;
  /** What the probe says, by section. */
  readonly says?: Parameters<typeof probeOf>[2];
}

/**
 * A host as the transport sees it: a process that is started with a command line, reads its standard input and writes back.
 * It records every byte that reaches it, and carries out the requests on a simulated firewalld.
 */
export class FakeHost {
  /** The command lines that were run. */
  readonly lines: string[] = [];
  /** The first line that the shell reads, the program and its data, for each run. */
  readonly runs: { readonly bootstrap: string; readonly program: string; readonly data: string }[] = [];
  readonly firewalld: Firewalld;
  readonly #behaviour: Behaviour;
  readonly #accounts = new Accounts();

  constructor(behaviour: Behaviour = {}, firewalld: Firewalld = new Firewalld()) {
    this.#behaviour = behaviour;
    this.firewalld = firewalld;
  }

  /** Everything that an unprivileged user of the host could read in the list of processes. */
  get visible(): string {
    return [...this.lines, ...this.runs.map(({ bootstrap }) => bootstrap)].join('\n');
  }

  readonly transport: Transport = {
    connect: (target) => Promise.resolve({ kind: 'connected', connection: this.#connection(target), connectMs: 0 }),
  };

  #connection(target: Target): Connection {
    return {
      target,
      hostKey: null,
      endpoints: null,
      notes: [],
      run: (command) => runProgram(this.#start(target.become), this.#accounts.of(target), command),
      close: () => Promise.resolve(),
    };
  }

  #start(become: Become): StartProcess {
    return (line, events) => {
      this.lines.push(line);
      let input = Buffer.alloc(0);
      let isRoot = become.kind === 'none';
      const prompt = /-p '([^']*)'/.exec(line)?.[1] ?? '';
      const ready = `[portfw:${/ ([0-9a-f]{32}) /.exec(line)?.[1] ?? ''}:ready]`;
      if (!isRoot) setImmediate(() => events.onStderr(Buffer.from(prompt)));
      return {
        write: (bytes) => {
          input = Buffer.concat([input, bytes]);
          if (!isRoot) {
            input = Buffer.alloc(0);
            if (this.#behaviour.refusal !== undefined) {
              events.onStderr(Buffer.from(this.#behaviour.refusal));
              end(events, 1);
              return;
            }
            isRoot = true;
            events.onStderr(Buffer.from(ready));
            return;
          }
          if (this.#read(input, events)) input = Buffer.alloc(0);
        },
        abandon: () => undefined,
      };
    };
  }

  /** Runs the program as soon as all of it has arrived; says whether it has. */
  #read(input: Buffer, events: ProcessEvents): boolean {
    const lineEnd = input.indexOf('\n');
    const bootstrap = input.toString('utf8', 0, lineEnd);
    const [, nonce = '', length, dataLength] = / portfw ([0-9a-f]{32}) (\d+) (\d+)$/.exec(bootstrap) ?? [];
    const dataFrom = lineEnd + 1 + Number(length);
    if (lineEnd === -1 || input.length < dataFrom + Number(dataLength)) return false;
    const program = input.toString('utf8', lineEnd + 1, dataFrom);
    const data = Buffer.from(input.toString('latin1', dataFrom), 'base64').toString('utf8');
    this.runs.push({ bootstrap, program, data });
    const out = (text: string) => events.onStdout(Buffer.from(text));
    events.onStderr(Buffer.from(`portfw:${nonce}:begin\n${this.#behaviour.complaint ?? ''}`));
    out(`portfw:${nonce}:begin\n`);
    out(program.includes(firewalldProgram()) ? this.#carryOut(JSON.parse(data) as Request) : this.#facts());
    out(`portfw:${nonce}:end:0\n`);
    end(events, 0);
    return true;
  }

  #facts(): string {
    const way = { clientAddress: '203.0.113.7', clientPort: 40_000, serverAddress: '192.0.2.10', serverPort: 22 };
    return probeOf(this.firewalld, way, this.#behaviour.says);
  }

  #carryOut(request: Request): string {
    const answer = this.#behaviour.answer?.(request);
    if (answer !== undefined) return answer;
    switch (request.operation) {
      case 'begin':
        this.firewalld.begin(request);
        return JSON.stringify({ kind: 'begun', generation: request.id, reloaded: request.reload });
      case 'permanent':
        this.firewalld.permanent(request);
        return JSON.stringify({ kind: 'permanent', observed: this.firewalld.facts() });
      case 'keep':
        return JSON.stringify({ kind: 'kept', generation: request.id, drifted: false });
      default:
        return JSON.stringify({ kind: 'settled', aftermath: { kind: 'untouched' } });
    }
  }
}

function end(events: ProcessEvents, code: number): void {
  setImmediate(() => {
    events.onExit(code, null);
    events.onClose(null);
  });
}

/** What a run over fake hosts is made from. */
export interface FleetSpec {
  /** Host name → its variables. */
  readonly hosts: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly groups?: Readonly<Record<string, unknown>>;
  readonly behaviours?: Readonly<Record<string, Behaviour>>;
  readonly sshPassword?: Secret;
  readonly holder?: string;
  /** A matrix file's content; the example of the roles' tests when left out. */
  readonly matrix?: object;
  readonly command?: FleetCommand;
}

const EXAMPLE = path.join(import.meta.dirname, '../../../fixtures/roles/example.yaml');

/** Runs a command (`apply` by default) over fake hosts with the real readers, stages and transport framing. */
export async function runFake(
  spec: FleetSpec,
): Promise<{ events: FleetEvent[]; hosts: ReadonlyMap<string, FakeHost> }> {
  const { inventory, settings } = readInventory({ all: { hosts: spec.hosts, children: spec.groups ?? {} } });
  const play: Play = {
    name: 'p',
    hosts: 'all',
    matrix: matrixOf(spec.matrix),
    private: null,
    features: [],
    serial: [],
    maxFailPercentage: null,
    onFailure: 'keep-good',
    probes: [],
    location: { file: 'p', line: 1, column: 1, secret: null },
  };
  const hosts = new Map<string, FakeHost>();
  const jobs = new Map<string, HostJob>();
  for (const own of settings.values()) {
    if (!own.managed) continue;
    const fake = new FakeHost(spec.behaviours?.[own.name]);
    const { target } = createTarget(own, {
      acceptNewHostKeys: false,
      becomePassword: null,
      sshPassword: spec.sshPassword ?? null,
      agentSocket: null,
      localUser: 'operator',
    });
    hosts.set(own.name, fake);
    jobs.set(own.name, { host: own.name, settings: own, play, target: target!, transport: fake.transport });
  }
  const events: FleetEvent[] = [];
  await runFleet(
    spec.command ?? { kind: 'apply', review: () => Promise.resolve(true) },
    {
      inventory,
      settings,
      jobs,
      holder: spec.holder ?? 'operator@controller',
      today: '2026-03-01',
      signal: new AbortController().signal,
    },
    createHostOperations(),
    { forks: 4, emit: (event) => events.push(event) },
  );
  return { events, hosts };
}

function matrixOf(document: object | undefined): Play['matrix'] {
  if (document === undefined) return loadMatrix(EXAMPLE);
  const folder = mkdtempSync(path.join(tmpdir(), 'portfw-security-'));
  try {
    writeFileSync(path.join(folder, 'matrix.yaml'), stringify(document));
    return loadMatrix(path.join(folder, 'matrix.yaml'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The fixed texts of the programs that may reach a host. */
export const PROGRAMS: readonly string[] = [probeProgram(), firewalldProgram()];
