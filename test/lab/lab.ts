import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { leaveUntracked, trackAgain } from './conntrack.ts';
import { connect, type Docker } from './engine.ts';
import { awaitSsh, type HostSpec, type LabHost, startHost } from './host.ts';
import { ensureImages, type ImageName } from './images.ts';
import { makeKeyPair } from './keys.ts';
import { type Address, addressOn, createNetworks, type LabNetwork, SIDES, type Side } from './network.ts';
import { IMAGE_DIRECTORY, LAB_DIRECTORY } from './paths.ts';
import { ignoreGone, removeNetwork } from './removal.ts';
import { type Say, sayOnStderr } from './say.ts';
import { type Scanner, startScanner } from './scanner.ts';

/** Hosts of a lab have the numbers 11, 12, … on both networks, in the order of the specification. */
const FIRST_HOST = 11;
/** Floating addresses have the numbers 200, 201, … on the public network. */
const FIRST_VIP = 200;

/** What a lab is to hold. */
export interface LabSpec {
  /** Short, of lower-case letters and dashes; part of container names. */
  readonly name: string;
  readonly hosts: readonly HostSpec[];
  /** Whether to start the machine that scans. */
  readonly scanner?: boolean;
  readonly say?: Say;
}

/** A running lab. */
export interface Lab {
  readonly id: string;
  readonly networks: Readonly<Record<Side, LabNetwork>>;
  /** By name. Throws for a name that the lab does not have. */
  host(name: string): LabHost;
  readonly hosts: readonly LabHost[];
  /** Throws when the lab was started without one. */
  readonly scanner: Scanner;
  /** A folder of its own for files, removed with the lab. */
  readonly directory: string;
  /** A private key (ed25519, no passphrase) that may log in as root, admin, operator and nosudo on every host. */
  readonly privateKeyFile: string;
  /** Holds the real host keys of every host under all its addresses. */
  readonly knownHostsFile: string;
  /** The sudo password of `admin`; `operator` needs none, and `nosudo` may not. */
  readonly sudoPassword: string;
  /** The n-th (from 0) floating public address; no host has it before `addAddress`. */
  vip(n: number): Address;
  /** An address of the networks that no machine of the lab has, by number (100 to 199). */
  spareAddress(side: Side, number: number): Address;
  /** Removes every container, network and file of the lab. */
  stop(): Promise<void>;
}

/**
 * Starts a lab: networks, hosts (all at once), scanner. On any failure whatever was started is removed again.
 *
 * Needs a running engine (see engine.ts); builds the images it needs if they are missing.
 */
export async function startLab(spec: LabSpec): Promise<Lab> {
  const say = spec.say ?? sayOnStderr;
  await useReaperOnlyIfThere();
  const docker = await connect();
  const names = new Set<ImageName>(spec.hosts.map((host) => host.suite));
  if (spec.scanner === true) names.add('scanner');
  const images = await ensureImages(docker, say, [...names]);
  const scannerImage = images.get('scanner') ?? '';
  const { id, networks } = await createNetworks(docker, say, spec.name);
  const hosts: LabHost[] = [];
  const directory = join(LAB_DIRECTORY, id);
  let scanner: Scanner | undefined;
  const stop = async () => {
    await Promise.all(
      [...hosts, ...(scanner === undefined ? [] : [scanner])].map((machine) => ignoreGone(machine.stop())),
    );
    await removeLeftovers(docker, id);
    if (spec.scanner === true) await trackAgain(docker, scannerImage, id);
    for (const side of SIDES) await removeNetwork(docker, networks[side].id);
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await mkdir(directory, { recursive: true });
    const key = makeKeyPair();
    const privateKeyFile = join(directory, 'id_ed25519');
    await writeFile(privateKeyFile, key.private, { mode: 0o600 });
    const daemons = await readDaemons();
    const order = (host: LabHost) => spec.hosts.findIndex(({ name }) => name === host.name);
    const both = SIDES.map((side) => networks[side]);
    const outcomes = await Promise.allSettled([
      ...spec.hosts.map(async (host, index) => {
        const started = await startHost(host, {
          docker,
          labId: id,
          image: images.get(host.suite) ?? '',
          networks: SIDES.filter((side) => (host.networks ?? SIDES).includes(side)).map((side) => networks[side]),
          machine: FIRST_HOST + index,
          units: unitsOf(daemons, host.daemons ?? []),
          authorizedKey: key.public,
        });
        hosts.push(started);
        await awaitSsh(started.publicAddress || started.privateAddress);
      }),
      ...(spec.scanner === true
        ? [
            startScanner(docker, id, scannerImage, both).then((started) => {
              scanner = started;
            }),
            leaveUntracked(docker, say, scannerImage, id, both),
          ]
        : []),
    ]);
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    hosts.sort((a, b) => order(a) - order(b));
    const knownHostsFile = join(directory, 'known_hosts');
    await writeFile(knownHostsFile, knownHosts(hosts));
    return {
      id,
      networks,
      hosts,
      directory,
      privateKeyFile,
      knownHostsFile,
      sudoPassword: 'portfw-lab',
      host: (name) => found(hosts, name),
      get scanner() {
        if (scanner === undefined) throw new Error('This lab was started without a scanner');
        return scanner;
      },
      vip: (n) => addressOn(networks.public, FIRST_VIP + n),
      spareAddress: (side, number) => addressOn(networks[side], number),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Without the reaper's image at hand testcontainers would fail on it; the lab cleans up by label in any case. */
async function useReaperOnlyIfThere(): Promise<void> {
  if (process.env['RYUK_CONTAINER_IMAGE'] === undefined) process.env['TESTCONTAINERS_RYUK_DISABLED'] = 'true';
}

/** Containers that failed on the way up are known to the engine alone. */
async function removeLeftovers(docker: Docker, id: string): Promise<void> {
  const containers = await docker.listContainers({ all: true, filters: { name: [`^/portfw-${id}-`] } });
  await Promise.all(
    containers.map((container) => ignoreGone(docker.getContainer(container.Id).remove({ force: true, v: true }))),
  );
}

function found(hosts: readonly LabHost[], name: string): LabHost {
  const host = hosts.find((candidate) => candidate.name === name);
  if (host === undefined) throw new Error(`This lab has no host ${name}`);
  return host;
}

function knownHosts(hosts: readonly LabHost[]): string {
  return hosts
    .flatMap((host) => {
      const names = Object.values(host.addresses).flatMap(({ v4, v6 }) => (v6 === null ? [v4] : [v4, v6]));
      return host.hostKeys.map((key) => `${[host.name, ...names].join(',')} ${key}\n`);
    })
    .join('');
}

/** One listening socket of a fake daemon, as image/daemons.json has it. */
export interface DaemonSocket {
  readonly protocol: 'tcp' | 'udp';
  /** Ports and ranges (`"8442-8449"`); 0 is whatever port is free. */
  readonly ports: readonly (number | string)[];
  readonly interface: 'any' | 'public' | 'private' | 'loopback';
  readonly answer?: 'ftp' | 'tftp';
  readonly rpc?: { readonly program: number; readonly versions: readonly number[] };
}

/** The fake daemons by systemd unit, and which of them make up a role. */
export interface Daemons {
  readonly daemons: Readonly<
    Record<string, { readonly description: string; readonly comm: string; readonly sockets: readonly DaemonSocket[] }>
  >;
  readonly bundles: Readonly<Record<string, readonly string[]>>;
}

/** Reads image/daemons.json. */
export async function readDaemons(): Promise<Daemons> {
  return JSON.parse(await readFile(join(IMAGE_DIRECTORY, 'daemons.json'), 'utf8')) as Daemons;
}

function unitsOf(daemons: Daemons, names: readonly string[]): string[] {
  const units = names.flatMap((name) => daemons.bundles[name] ?? (name in daemons.daemons ? [name] : [unknown(name)]));
  return [...new Set(units)];
}

function unknown(name: string): never {
  throw new Error(`image/daemons.json has neither a bundle nor a unit called ${name}`);
}
