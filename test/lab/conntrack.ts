import type { Docker } from './engine.ts';
import type { LabNetwork } from './network.ts';
import { ignoreGone } from './removal.ts';
import type { Say } from './say.ts';

/*
 * A full scan makes some 70,000 connections without an answer. Where the kernel filters bridged packets, the machine
 * that runs the engine would track each for two minutes; four scans fill its table, and then packets are lost
 * everywhere. So traffic between the machines of a lab, which needs no tracking there, is taken out of it. A container
 * in the engine's own network namespace does that, wherever the engine runs.
 */

/** Takes what lab machines say to each other out of the engine's connection tracking; goes on without when it cannot. */
export async function leaveUntracked(
  docker: Docker,
  say: Say,
  image: string,
  labId: string,
  networks: readonly LabNetwork[],
): Promise<void> {
  const table = tableOf(labId);
  const rules = networks.flatMap(({ subnet, subnet6 }) => {
    // Not the first address of a network: it is the engine's machine itself.
    const machines = `${subnet.replace('0/24', '2')}-${subnet.replace('0/24', '254')}`;
    const machines6 =
      subnet6 === null ? null : `${subnet6.replace('::/64', '::2')}-${subnet6.replace('::/64', '::ffff')}`;
    return [
      `add rule inet ${table} prerouting ip saddr ${machines} ip daddr ${machines} notrack`,
      ...(machines6 === null
        ? []
        : [`add rule inet ${table} prerouting ip6 saddr ${machines6} ip6 daddr ${machines6} notrack`]),
    ];
  });
  const result = await nftOnEngine(docker, image, [
    `add table inet ${table}`,
    `delete table inet ${table}`,
    `add table inet ${table}`,
    `add chain inet ${table} prerouting { type filter hook prerouting priority raw; }`,
    ...rules,
  ]);
  if (result !== 0) say('scans are tracked by this machine; too many in a row may fill its connection table');
}

/** Undoes {@link leaveUntracked}. */
export async function trackAgain(docker: Docker, image: string, labId: string): Promise<void> {
  const table = tableOf(labId);
  await nftOnEngine(docker, image, [`add table inet ${table}`, `delete table inet ${table}`]);
}

function tableOf(labId: string): string {
  return `portfw_lab_${labId.replaceAll('-', '_')}`;
}

async function nftOnEngine(docker: Docker, image: string, commands: readonly string[]): Promise<number> {
  const container = await docker.createContainer({
    Image: image,
    Cmd: ['nft', commands.join('; ')],
    HostConfig: { NetworkMode: 'host', CapDrop: ['ALL'], CapAdd: ['NET_ADMIN'] },
  });
  try {
    await container.start();
    const { StatusCode } = (await container.wait()) as { readonly StatusCode: number };
    return StatusCode;
  } finally {
    await ignoreGone(container.remove({ force: true }));
  }
}
