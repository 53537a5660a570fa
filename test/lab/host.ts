import { createConnection } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { GenericContainer, type StartedTestContainer, Wait } from 'testcontainers';
import type { Docker } from './engine.ts';
import { type ExecResult, execIn } from './exec.ts';
import type { Suite } from './images.ts';
import { type Address, addressOn, type LabNetwork, OWNER_LABEL, type Side } from './network.ts';
import { session } from './owner.ts';
import { type PortRange, respondOn } from './responder.ts';

/** What a host of the lab is to be. */
export interface HostSpec {
  readonly name: string;
  readonly suite: Suite;
  /** Bundles (a role's name) or systemd units, both from image/daemons.json. */
  readonly daemons?: readonly string[];
  /** Which networks it is on; both by default. */
  readonly networks?: readonly Side[];
  /** `running` by default; `absent` purges the package. */
  readonly firewalld?: 'running' | 'stopped' | 'absent';
  /** Whether its kernel passes packets on, IPv4 and IPv6; whatever the engine has set for IPv4 alone by default. */
  readonly forwarding?: boolean;
  /** Whether NetworkManager runs and manages its interfaces, each by a profile of its own; it does not by default. */
  readonly networkManager?: boolean;
  /** `systemd` by default; `plain` runs the bus, firewalld and sshd without any service manager, and no daemons. */
  readonly init?: 'systemd' | 'plain';
}

/** Where a host's container comes from, apart from its {@link HostSpec}. */
export interface HostSetting {
  readonly docker: Docker;
  readonly labId: string;
  readonly image: string;
  readonly networks: readonly LabNetwork[];
  /** Its number on each network: the last part of its addresses. */
  readonly machine: number;
  readonly units: readonly string[];
  /** The public key that may log in as every user. */
  readonly authorizedKey: string;
}

/** A container that runs systemd as PID 1 and stands on one or two networks with addresses of our choice. */
class HostContainer extends GenericContainer {
  readonly #docker: Docker;
  readonly #others: readonly LabNetwork[];
  readonly #machine: number;

  constructor(docker: Docker, image: string, networks: readonly LabNetwork[], machine: number, forwarding: boolean) {
    super(image);
    const [first, ...others] = networks;
    if (first === undefined) throw new Error('A lab host needs a network');
    this.#docker = docker;
    this.#others = others;
    this.#machine = machine;
    Object.assign(this.hostConfig, { CgroupnsMode: 'host' }); // systemd sees the cgroups that it is given
    this.hostConfig.Sysctls = {
      // Refusals at full speed, so that a scan gets an answer for every port instead of waiting for those not sent.
      'net.ipv4.icmp_ratemask': '0',
      'net.ipv6.icmp.ratelimit': '0',
      'net.ipv6.icmp.ratemask': '127', // an unused type: a limit for no message that is ever sent
      ...(forwarding ? { 'net.ipv4.ip_forward': '1', 'net.ipv6.conf.all.forwarding': '1' } : {}),
    };
    this.createOpts.NetworkingConfig = { EndpointsConfig: { [first.name]: endpoint(first, machine) } };
    this.withNetworkMode(first.name)
      .withAddedCapabilities('NET_ADMIN', 'SYS_ADMIN', 'NET_RAW')
      .withSecurityOpt('seccomp=unconfined', 'apparmor=unconfined')
      .withBindMounts([{ source: '/sys/fs/cgroup', target: '/sys/fs/cgroup', mode: 'rw' }])
      .withTmpFs({ '/run': 'rw', '/run/lock': 'rw', '/tmp': 'rw' })
      .withEnvironment({ container: 'docker' })
      .withAutoRemove(true)
      .withWaitStrategy(Wait.forSuccessfulCommand('true'));
  }

  protected override async containerCreated(containerId: string): Promise<void> {
    for (const network of this.#others) {
      await this.#docker
        .getNetwork(network.id)
        .connect({ Container: containerId, EndpointConfig: endpoint(network, this.#machine) });
    }
  }
}

/** The settings that give a container its own address on a network. */
export function endpoint(network: LabNetwork, machine: number): object {
  const { v4, v6 } = addressOn(network, machine);
  return { IPAMConfig: { IPv4Address: v4, ...(v6 === null ? {} : { IPv6Address: v6 }) } };
}

/** A running host of the lab. */
export class LabHost {
  readonly name: string;
  readonly suite: Suite;
  readonly containerId: string;
  /** Its address on the public network; IPv4. */
  readonly publicAddress: string;
  /** Its address on the private network; IPv4. */
  readonly privateAddress: string;
  /** Both families, by network; a network that it is not on is missing. */
  readonly addresses: Readonly<Partial<Record<Side, Address>>>;
  readonly #docker: Docker;
  #interfaces: Readonly<Partial<Record<Side, string>>> = {};
  #hostKeys: readonly string[] = [];

  constructor(spec: HostSpec, setting: HostSetting, container: StartedTestContainer) {
    this.name = spec.name;
    this.suite = spec.suite;
    this.containerId = container.getId();
    this.#docker = setting.docker;
    this.addresses = Object.fromEntries(
      setting.networks.map((network) => [network.side, addressOn(network, setting.machine)]),
    );
    this.publicAddress = this.addresses.public?.v4 ?? '';
    this.privateAddress = this.addresses.private?.v4 ?? '';
  }

  /** The names of its interfaces by network, found by address; they may change when it starts again. */
  get interfaces(): Readonly<Partial<Record<Side, string>>> {
    return this.#interfaces;
  }

  /** Its public SSH host keys, each as `type base64`. */
  get hostKeys(): readonly string[] {
    return this.#hostKeys;
  }

  /** Runs a program on it as root (or `user`) through the engine, not over SSH, whatever its firewall says. */
  exec(argv: readonly string[], options: { readonly user?: string } = {}): Promise<ExecResult> {
    return execIn(this.#docker, this.containerId, argv, options);
  }

  /** {@link exec} that throws unless the program ends with 0, and returns its stdout. */
  async run(...argv: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.exec(argv);
    if (exitCode !== 0) throw new Error(`${this.name}: ${argv.join(' ')} ended with ${exitCode}:\n${stderr}${stdout}`);
    return stdout;
  }

  /** Runs a POSIX shell script on it as root; throws unless it ends with 0, and returns its stdout. */
  sh(script: string, ...args: readonly string[]): Promise<string> {
    return this.run('/bin/sh', '-eu', '-c', script, 'sh', ...args);
  }

  /** Writes a file of up to 90 kB as root, with that octal mode, making its folder if need be. */
  async writeFile(path: string, content: string, mode = '644'): Promise<void> {
    const encoded = Buffer.from(content, 'utf8').toString('base64');
    await this.sh('mkdir -p "$(dirname "$1")"; printf %s "$2" | base64 -d >"$1"; chmod "$3" "$1"', path, encoded, mode);
  }

  /** Adds an address of its network to an interface, as a cluster manager does with a floating one. */
  async addAddress(side: Side, address: string): Promise<void> {
    const prefix = address.includes(':') ? 64 : 24;
    await this.run('ip', 'address', 'replace', `${address}/${prefix}`, 'dev', this.#interface(side));
  }

  /** Takes an address away again. */
  async removeAddress(side: Side, address: string): Promise<void> {
    const prefix = address.includes(':') ? 64 : 24;
    await this.run('ip', 'address', 'delete', `${address}/${prefix}`, 'dev', this.#interface(side));
  }

  /**
   * Answers, from outside the firewall's view, on every port of these ranges that no daemon listens on: a scan then
   * shows exactly what the firewall lets through. A second call replaces the first; an empty list ends it.
   */
  listenOn(ranges: readonly PortRange[]): Promise<void> {
    return respondOn(this, ranges);
  }

  /** Stops every process where it stands; connections hang, as with a dead line. */
  async pause(): Promise<void> {
    await this.#docker.getContainer(this.containerId).pause();
  }

  /** Lets a paused host go on. */
  async unpause(): Promise<void> {
    await this.#docker.getContainer(this.containerId).unpause();
  }

  /** Shuts it down in order; its disk stays. */
  async shutDown(): Promise<void> {
    await this.#docker.getContainer(this.containerId).stop({ t: 20 });
  }

  /** Cuts its power: every process ends at once; its disk stays. */
  async powerOff(): Promise<void> {
    await this.#docker.getContainer(this.containerId).kill();
  }

  /** Starts it again after {@link shutDown} or {@link powerOff} and waits until it has booted. */
  async powerOn(): Promise<void> {
    await this.#docker.getContainer(this.containerId).start();
    await this.awaitBoot();
  }

  /** A reboot in order. */
  async restart(): Promise<void> {
    await this.shutDown();
    await this.powerOn();
  }

  /** Takes the host away for good. */
  async stop(): Promise<void> {
    await this.#docker.getContainer(this.containerId).remove({ force: true, v: true });
  }

  /** Prepares a freshly made host: boot, firewalld, daemons; then reads what the lab needs to know. */
  async provision(firewalld: string, units: readonly string[]): Promise<void> {
    this.#hostKeys = (await this.run('/opt/lab/provision.sh', firewalld, ...units))
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split(' ').slice(0, 2).join(' '));
    await this.#lookAround();
  }

  /** Waits until systemd has booted the host and sshd greets. */
  async awaitBoot(): Promise<void> {
    await this.run('/opt/lab/provision.sh', 'as-is');
    await this.#lookAround();
  }

  async #lookAround(): Promise<void> {
    const links = JSON.parse(await this.run('ip', '-json', 'address')) as readonly {
      readonly ifname: string;
      readonly addr_info: readonly { readonly local: string }[];
    }[];
    this.#interfaces = Object.fromEntries(
      Object.entries(this.addresses).flatMap(([side, address]) => {
        const link = links.find(({ addr_info }) => addr_info.some(({ local }) => local === address.v4));
        return link === undefined ? [] : [[side, link.ifname]];
      }),
    );
  }

  #interface(side: Side): string {
    const name = this.#interfaces[side];
    if (name === undefined) throw new Error(`${this.name} is not on the ${side} network`);
    return name;
  }
}

/** Makes, starts and prepares one host. Throws when it does not boot. */
export async function startHost(spec: HostSpec, setting: HostSetting): Promise<LabHost> {
  const { docker, image, networks, machine } = setting;
  const container = new HostContainer(docker, image, networks, machine, spec.forwarding === true)
    .withName(`portfw-${setting.labId}-${spec.name}`)
    .withHostname(spec.name)
    .withLabels({ [OWNER_LABEL]: session() })
    .withCopyContentToContainer([
      { target: '/etc/ssh/lab_authorized_keys', content: `${setting.authorizedKey}\n`, mode: 0o644 },
      { target: '/etc/lab/addresses.json', content: addressesFile(setting), mode: 0o644 },
    ]);
  if (spec.init === 'plain') container.withCommand(['/opt/lab/plain-init.sh']).withEnvironment({ container: '' });
  const host = new LabHost(spec, setting, await container.start());
  if (spec.init === 'plain') {
    await host.provision('plain', []);
    return host;
  }
  const networkManager = spec.networkManager === true ? ['NetworkManager.service'] : [];
  await host.provision(spec.firewalld ?? 'running', [...networkManager, ...setting.units]);
  return host;
}

/** What the fake daemons read to bind to one network's addresses. */
function addressesFile(setting: HostSetting): string {
  const entries = setting.networks.map((network) => {
    const { v4, v6 } = addressOn(network, setting.machine);
    return [network.side, v6 === null ? [v4] : [v4, v6]];
  });
  return `${JSON.stringify(Object.fromEntries(entries))}\n`;
}

/** Waits until an SSH server greets at an address; throws after `milliseconds`. */
export async function awaitSsh(address: string, milliseconds = 20_000): Promise<void> {
  const end = performance.now() + milliseconds;
  while (!(await greets(address))) {
    if (performance.now() > end) throw new Error(`No SSH server greets at ${address}`);
    await sleep(50);
  }
}

function greets(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: address, port: 22, timeout: 2_000 });
    const finish = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.on('data', (data) => finish(data.toString('latin1').startsWith('SSH-')));
    socket.on('timeout', () => finish(false));
    socket.on('error', () => finish(false));
    socket.on('close', () => finish(false));
  });
}
