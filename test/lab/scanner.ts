import { GenericContainer, type StartedTestContainer, Wait } from 'testcontainers';
import type { Docker } from './engine.ts';
import { type ExecResult, execIn } from './exec.ts';
import { endpoint } from './host.ts';
import { type LabNetwork, OWNER_LABEL } from './network.ts';
import { session } from './owner.ts';
import { type ScanPorts, type ScanResult, scanFrom } from './scan.ts';

/** The number of the scanner on each network. */
export const SCANNER_MACHINE = 5;

/** A scan would fill the scanner's own connection table as well (see conntrack.ts); names are looked up over lo. */
const UNTRACKED = [
  'add table inet scanner',
  'add chain inet scanner prerouting { type filter hook prerouting priority raw; }',
  'add chain inet scanner output { type filter hook output priority raw; }',
  'add rule inet scanner prerouting iifname != "lo" notrack',
  'add rule inet scanner output oifname != "lo" notrack',
].join('; ');

class ScannerContainer extends GenericContainer {
  readonly #docker: Docker;
  readonly #networks: readonly LabNetwork[];

  constructor(docker: Docker, image: string, networks: readonly LabNetwork[]) {
    super(image);
    this.#docker = docker;
    this.#networks = networks;
    const [first] = networks;
    if (first === undefined) throw new Error('The scanner needs a network');
    this.createOpts.NetworkingConfig = { EndpointsConfig: { [first.name]: endpoint(first, SCANNER_MACHINE) } };
    this.withNetworkMode(first.name)
      .withAddedCapabilities('NET_ADMIN', 'NET_RAW')
      .withAutoRemove(true)
      .withWaitStrategy(Wait.forSuccessfulCommand('true'));
  }

  protected override async containerCreated(containerId: string): Promise<void> {
    for (const network of this.#networks.slice(1)) {
      await this.#docker
        .getNetwork(network.id)
        .connect({ Container: containerId, EndpointConfig: endpoint(network, SCANNER_MACHINE) });
    }
  }
}

/** The machine on both networks that looks at hosts from outside; it plays a peer as well. */
export class Scanner {
  readonly containerId: string;
  readonly #docker: Docker;

  constructor(docker: Docker, container: StartedTestContainer) {
    this.#docker = docker;
    this.containerId = container.getId();
  }

  /** Scans an address from the network it is on: all TCP ports unless `ports` says otherwise, and the UDP ports given. */
  scan(address: string, ports: ScanPorts = {}): Promise<ScanResult> {
    return scanFrom(this.#docker, this.containerId, address, ports);
  }

  /** Runs a program on it as root: curl, ssh, ping, nmap. */
  exec(argv: readonly string[]): Promise<ExecResult> {
    return execIn(this.#docker, this.containerId, argv);
  }

  /** Takes the machine away for good. */
  async stop(): Promise<void> {
    await this.#docker.getContainer(this.containerId).remove({ force: true, v: true });
  }
}

/** Starts the scanner on the given networks. */
export async function startScanner(
  docker: Docker,
  labId: string,
  image: string,
  networks: readonly LabNetwork[],
): Promise<Scanner> {
  const container = await new ScannerContainer(docker, image, networks)
    .withName(`portfw-${labId}-scanner`)
    .withHostname('scanner')
    .withLabels({ [OWNER_LABEL]: session() })
    .start();
  const scanner = new Scanner(docker, container);
  const { exitCode, stderr } = await scanner.exec(['nft', UNTRACKED]);
  if (exitCode !== 0) throw new Error(`The scanner cannot stop tracking its own connections:\n${stderr}`);
  return scanner;
}
