import path from 'node:path';
import type { HostFacts } from '../../../../src/facts/facts.ts';
import type { HostJob } from '../../../../src/fleet/operations.ts';
import { beginRequest, permanentRequest } from '../../../../src/host/requests.ts';
import { loadMatrix } from '../../../../src/matrix/load-matrix.ts';
import type { Matrix, Play } from '../../../../src/matrix/matrix.ts';
import type { HostPlan } from '../../../../src/plan/plan.ts';
import type { PrivateMode } from '../../../../src/settings/settings-types.ts';
import type { Firewalld } from '../../plan/helpers/simulator.ts';
import { interfacesOf, readInventory } from '../../policy/helpers/cases.ts';
import { decidedFromFacts } from './decided.ts';

const FIXTURES = path.join(import.meta.dirname, '../../../fixtures');
export const HOST = 'web1.example.net';

/** What the inventory, the playbook and the host say at one time; what is left out is as at the time before. */
export interface Situation {
  /** A shipped matrix, or a file of the losses' fixtures; the policy's matrix when left out. */
  readonly matrix?: string;
  readonly roles?: readonly string[];
  readonly features?: readonly string[];
  readonly private?: PrivateMode;
  readonly today?: string;
  /** Further variables of the host. */
  readonly variables?: Readonly<Record<string, unknown>>;
  readonly others?: Readonly<Record<string, unknown>>;
  readonly groups?: Readonly<Record<string, readonly string[]>>;
  /** Interfaces besides eth0, and addresses; `null` for one that the host does not have. */
  readonly interfaces?: Readonly<Record<string, readonly string[] | null>>;
  /** `portfw_interfaces` besides eth0 (public) and eth1 (private). */
  readonly mapped?: Readonly<Record<string, unknown>>;
  readonly rpc?: readonly string[];
  readonly helpers?: readonly string[];
}

const KNOWN = new Map<string, Matrix>();

/** A matrix of the fixtures, or a shipped one. */
export function matrixOf(reference: string | undefined): Matrix {
  const file = reference === undefined ? 'policy/matrix.yaml' : `losses/${reference}`;
  const name = file.endsWith('.yaml') ? path.join(FIXTURES, file) : reference!;
  const known = KNOWN.get(name) ?? loadMatrix(name);
  KNOWN.set(name, known);
  return known;
}

/** A situation with what changes in it. */
export function after(before: Situation, change: Situation): Situation {
  return {
    ...before,
    ...change,
    interfaces: { ...before.interfaces, ...change.interfaces },
    mapped: { ...before.mapped, ...change.mapped },
  };
}

/** The plan for a simulated host in a situation, all the way from its facts. */
export function planned(given: Situation, host: Firewalld, remembered: HostFacts['remembered']): HostPlan {
  const mapped = Object.entries({ public: 'eth0', private: 'eth1', ...given.mapped });
  const { inventory, settings } = readInventory({
    all: {
      hosts: {
        [HOST]: {
          ansible_host: '192.0.2.10',
          portfw_roles: given.roles ?? [],
          portfw_interfaces: Object.fromEntries(mapped.filter(([, value]) => value !== null)),
          ...given.variables,
        },
        'db1.example.net': { ansible_host: '198.51.100.20' },
        ...given.others,
      },
      children: Object.fromEntries(
        Object.entries(given.groups ?? {}).map(([name, hosts]) => [
          name,
          { hosts: Object.fromEntries(hosts.map((member) => [member, {}])) },
        ]),
      ),
    },
  });
  const interfaces = Object.entries({ eth0: ['192.0.2.10/24'], eth1: ['198.51.100.10/24'], ...given.interfaces });
  const there = interfaces.flatMap(([name, addresses]) => (addresses === null ? [] : [[name, addresses] as const]));
  const facts: HostFacts = {
    os: { id: 'debian', versionId: '12', prettyName: 'Debian' },
    kernel: '6.1',
    hostname: 'web1',
    root: true,
    controllerPath: null,
    interfaces: interfacesOf(Object.fromEntries(there)),
    sockets: [],
    flows: null,
    units: [],
    processes: [],
    packages: [],
    files: [],
    rpc: (given.rpc ?? []).map((line) => {
      const [program, version, protocol, port, service = ''] = line.split(' ');
      return {
        program: Number(program),
        version: Number(version),
        protocol: protocol === 'tcp' ? 'tcp' : 'udp',
        port: Number(port),
        service,
      };
    }),
    writers: { units: [] },
    forwarding: { ipv4: [], ipv6: [] },
    firewalld: { ...host.facts(), helpers: given.helpers ?? ['ftp', 'tftp'] },
    remembered,
    lock: null,
    unfinished: { runs: [], busy: false },
    lastRun: null,
  };
  const play: Play = {
    name: 'p',
    hosts: 'all',
    matrix: matrixOf(given.matrix),
    private: given.private ?? null,
    features: given.features ?? [],
    serial: [],
    maxFailPercentage: null,
    onFailure: 'keep-good',
    probes: [],
    location: { file: 'p', line: 1, column: 1, secret: null },
  };
  const job = { host: HOST, settings: settings.get(HOST)! } as HostJob;
  const context = { inventory, settings, today: given.today ?? '2026-03-01', acceptLockout: new Set([HOST]) };
  const decision = decidedFromFacts(job, play, facts, context);
  if (decision.kind === 'refused') throw new Error(`${decision.failure.what}\n${decision.failure.details.join('\n')}`);
  return decision.plan;
}

/** Carries a plan out on a simulated host; what the host remembers of it then. */
export function applied(plan: HostPlan, host: Firewalld): NonNullable<HostFacts['remembered']> {
  const guard = { windowSeconds: 60, confirm: 'auto' } as const;
  const input = { id: 'i', holder: 'h', plan, guard, at: '2026-03-01T10:00:00.000Z' };
  host.begin(beginRequest(input));
  host.permanent(permanentRequest(input));
  const roles = plan.roles.map(({ role }) => role);
  return { format: 1, matrix: plan.matrix, roles, generation: 'g', appliedAt: '2026-03-01T10:00:00Z' };
}
