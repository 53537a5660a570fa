import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { START_FIREWALLD } from '../../lab/firewalld.ts';
import type { LabHost } from '../../lab/host.ts';
import { type Lab, startLab } from '../../lab/lab.ts';
import { type Variables, writeInventory } from './lab-inventory.ts';
import { type JsonRun, outcomeOf, portfwJson } from './portfw-cli.ts';

/** One host of each line of firewalld. */
const SUITES = { old9: 'bullseye', mid1: 'bookworm', new2: 'trixie' } as const;
export type Name = keyof typeof SUITES;
const NAMES = Object.keys(SUITES) as Name[];

/** Another machine of the site, from where SSH comes where it does not come from here. */
const OFFICE = 'office';

/** Nothing on the public side lets SSH in. */
const SHUT_MATRIX = `matrix: shut
title: SSH on the private side alone
extends: portaswitch
roles:
  server:
    drop: [public/tcp/22]
`;

/** Greets the SSH servers of its arguments, each `ADDRESS PORT`, with a new connection. */
const GREET = `
import socket, sys
found = []
for address, port in zip(sys.argv[1::2], sys.argv[2::2]):
    try:
        one = socket.create_connection((address, int(port)), 4)
        one.settimeout(6)
        found.append("in" if one.recv(4) == b"SSH-" else "no SSH")
    except OSError:
        found.append("shut out")
print("\\n".join(found))
`;

/** Three hosts, and an office that SSH may come from; every scene begins with firewalld as its package has it. */
export class Stand {
  readonly lab: Lab;
  readonly hosts: readonly LabHost[];
  readonly office: LabHost;
  #count = 0;

  private constructor(lab: Lab) {
    this.lab = lab;
    this.hosts = NAMES.map((name) => lab.host(name));
    this.office = lab.host(OFFICE);
  }

  static async start(name: string): Promise<Stand> {
    const lab = await startLab({
      name,
      hosts: [
        ...NAMES.map((host) => ({ name: host, suite: SUITES[host] })),
        { name: OFFICE, suite: 'bookworm', networks: ['public'], firewalld: 'stopped' },
      ],
    });
    const stand = new Stand(lab);
    await writeFile(join(lab.directory, 'shut-matrix.yaml'), SHUT_MATRIX);
    await writeFile(join(lab.directory, 'shut.yaml'), '- hosts: all\n  matrix: shut-matrix.yaml\n');
    await Promise.all([
      stand.office.writeFile('/root/greet.py', GREET),
      ...stand.hosts.map(async (host) => {
        await host.writeFile('/root/greet.py', GREET);
        await host.sh('cp -a /etc/firewalld /root/firewalld-as-packaged');
      }),
    ]);
    return stand;
  }

  /** Runs a script on every host. */
  async everywhere(script: (host: LabHost) => string): Promise<string[]> {
    return Promise.all(this.hosts.map((host) => host.sh(script(host))));
  }

  /** firewalld as it was packaged, and nothing of earlier runs. */
  async reset(): Promise<void> {
    await this.everywhere(
      () => `
      systemctl stop firewalld
      rm -rf /etc/firewalld /var/lib/portfw
      cp -a /root/firewalld-as-packaged /etc/firewalld
      nft flush ruleset
      ${START_FIREWALLD}`,
    );
  }

  /** Lets the hosts' keys be found under another address. */
  async know(host: LabHost, address: string, port = 22): Promise<void> {
    const name = port === 22 ? address : `[${address}]:${port}`;
    await appendFile(this.lab.knownHostsFile, host.hostKeys.map((key) => `${name} ${key}\n`).join(''));
  }

  /** SSH arguments that lead through a command on another machine. */
  through(address: string, command: string): string {
    const { privateKeyFile: key, knownHostsFile: known } = this.lab;
    const proxy = `ssh -F none -i ${key} -o BatchMode=yes -o IdentitiesOnly=yes -o UserKnownHostsFile=${known} ${command} root@${address}`;
    return `-o UserKnownHostsFile=${known} -o ProxyCommand="${proxy}"`;
  }

  /** SSH arguments that lead through the office. */
  throughOffice(): string {
    return this.through(this.office.publicAddress, '-W [%h]:%p');
  }

  async inventory(variables: (host: LabHost) => Variables): Promise<string> {
    this.#count += 1;
    return writeInventory(this.lab, `scene-${this.#count}`, {
      hosts: Object.fromEntries(
        this.hosts.map((host) => [host.name, { portfw_playbook: 'portaswitch', portfw_roles: [], ...variables(host) }]),
      ),
    });
  }

  async plan(variables: (host: LabHost) => Variables): Promise<JsonRun> {
    return portfwJson('plan', await this.inventory(variables));
  }

  /** An apply that the hosts undo by themselves if a new connection does not get through. */
  async apply(variables: (host: LabHost) => Variables, ...flags: readonly string[]): Promise<JsonRun> {
    return portfwJson('apply', await this.inventory(variables), '--yes', '--revert-after', '40s', ...flags);
  }

  /** What a new connection to an SSH server comes to, as seen from a machine. */
  async greets(from: LabHost, address: string, port = 22): Promise<string> {
    return (await from.run('python3', '/root/greet.py', address, String(port))).trim();
  }
}

/** What one of our refusals says, all of its sentences. */
export function refusedWith(run: JsonRun, host: string): { readonly code: string; readonly text: string } {
  const { failure } = outcomeOf(run, host, 'refused');
  return { code: failure.code, text: [failure.what, failure.solve, ...failure.details].join('\n') };
}

/** The notes of a plan that was not refused, each as `code: text`. */
export function notesOf(run: JsonRun, host: string): string[] {
  const { plan } = outcomeOf(run, host, 'planned');
  return plan.notes.map(({ code, text }) => `${code}: ${text}`);
}
