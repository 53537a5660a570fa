import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { HostSpec } from '../lab/host.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import type { Say } from '../lab/say.ts';
import { instrument } from './instrument.ts';
import { KINDS, type Kind, OUTSIDE } from './kinds.ts';
import { type Scenario, Stand } from './stand.ts';
import { writeWishes } from './wishes.ts';

const DIST = join(import.meta.dirname, '../../dist');

/** Hosts by the firewalld that they have. */
export const VERSIONS: Readonly<Record<string, string>> = { old: '0.9.3', middle: '1.3.3', young: '2.3.1' };

const SUITES = { old: 'bullseye', middle: 'bookworm', young: 'trixie' } as const;

function hostsOf({ host, outside }: Kind): readonly HostSpec[] {
  return [
    // One network each: the engine gives two interfaces other names with every start, which no configuration survives.
    ...Object.entries(SUITES).map(([name, suite]): HostSpec => ({ name, suite, networks: ['public'], ...host })),
    ...(outside === true
      ? [{ name: OUTSIDE, suite: 'bookworm', networks: ['public'], firewalld: 'stopped' } as const]
      : []),
  ];
}

/** Hosts that faults can be injected into. */
export interface Bench {
  readonly lab: Lab;
  readonly stands: readonly Stand[];
}

/**
 * Starts a host of each version, all of one kind, and prepares them.
 *
 * @param dist the built portfw that is put to the test
 */
export async function startBench(
  scenarios: readonly Scenario[],
  dist: string = DIST,
  kind: Kind = KINDS.plain,
  say?: Say,
): Promise<Bench> {
  if (!existsSync(join(dist, 'cli/main.js'))) throw new Error(`${dist} is missing: run \`npm run build\` first`);
  const lab = await startLab({ name: 'faults', hosts: hostsOf(kind), ...(say === undefined ? {} : { say }) });
  try {
    const hosts = Object.keys(VERSIONS).map((name) => lab.host(name));
    const builds = await instrument(lab.directory, dist);
    const inventories = await writeWishes(lab, hosts, kind);
    const stands = hosts.map((host) => new Stand(lab, host, builds, inventories, kind));
    await Promise.all(stands.map((stand) => stand.prepare(scenarios)));
    return { lab, stands };
  } catch (error) {
    await lab.stop();
    throw error;
  }
}
