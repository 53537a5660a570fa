import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Lab } from '../../lab/lab.ts';

/** Variables of a host or a group, as an inventory has them. */
export type Variables = Readonly<Record<string, unknown>>;

/** What an inventory of a lab says beyond how to reach its hosts. */
interface LabInventory {
  /** The lab's hosts that are in it, by name, with their variables. */
  readonly hosts: Readonly<Record<string, Variables>>;
  /** Machines that portfw never logs in to, by name. */
  readonly others?: Readonly<Record<string, Variables>>;
  readonly groups?: Readonly<Record<string, readonly string[]>>;
}

/**
 * Writes an inventory into the lab's folder and returns its path. Hosts are reached at their public address, or at the
 * private one where they have no other, as root with the lab's key; their interfaces are mapped by address, because a
 * restart may rename them.
 */
export async function writeInventory(lab: Lab, name: string, inventory: LabInventory): Promise<string> {
  const hosts = Object.fromEntries(
    Object.entries(inventory.hosts).map(([host, variables]) => {
      const { addresses } = lab.host(host);
      const own = {
        ansible_host: addresses.public?.v4 ?? addresses.private?.v4,
        portfw_interfaces: {
          ...(addresses.public === undefined ? {} : { public: addresses.public.v4 }),
          ...(addresses.private === undefined ? {} : { private: addresses.private.v4 }),
        },
        portfw_addresses: addresses.private === undefined ? {} : { private: addresses.private.v4 },
      };
      return [host, { ...own, ...variables }];
    }),
  );
  const others = Object.entries(inventory.others ?? {}).map(([host, variables]) => [
    host,
    { portfw_managed: false, ...variables },
  ]);
  const document = {
    all: {
      vars: {
        ansible_user: 'root',
        ansible_ssh_private_key_file: lab.privateKeyFile,
        ansible_ssh_common_args: `-o UserKnownHostsFile=${lab.knownHostsFile}`,
      },
      hosts: { ...hosts, ...Object.fromEntries(others) },
      children: Object.fromEntries(
        Object.entries(inventory.groups ?? {}).map(([group, members]) => [
          group,
          { hosts: Object.fromEntries(members.map((member) => [member, {}])) },
        ]),
      ),
    },
  };
  const file = join(lab.directory, `${name}.yaml`);
  await writeFile(file, stringify(document));
  return file;
}
