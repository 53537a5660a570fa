import type { InventoryHost } from '../ansible/inventory.ts';

/** What an `ansible_connection` is to portfw: `other` reaches a host by something that portfw does not speak. */
export type ConnectionKind = 'ssh' | 'local' | 'other' | 'unknown';

const SSH = ['ssh', 'smart', 'paramiko', 'paramiko_ssh'];

/**
 * The connection plugins of Ansible and of the collections that come with it, without those of `SSH` and `local`. Ansible
 * finds most of them by the short name too.
 */
const OTHER = [
  ...['winrm', 'psrp'],
  ...['grpc', 'httpapi', 'libssh', 'napalm', 'netconf', 'network_cli', 'persistent'],
  ...['buildah', 'docker', 'docker_api', 'nsenter', 'podman', 'kubectl', 'oc'],
  ...['chroot', 'incus', 'iocage', 'jail', 'libvirt_lxc', 'libvirt_qemu', 'lxc', 'lxd', 'qubes', 'wsl', 'zone'],
  ...['aws_ssm', 'funcd', 'saltstack', 'vmware_tools'],
];

/** The short names of all connection plugins that portfw knows: for suggestions. */
export const CONNECTION_NAMES: readonly string[] = [...SSH, 'local', ...OTHER];

/**
 * What a connection plugin's name means. A short name must be a known one, so that a misspelt `ssh` is not taken for
 * another connection; a name with a collection (`a.b.c`) may be anybody's.
 */
export function connectionKind(name: string): ConnectionKind {
  const own = /^ansible\.(?:builtin|legacy)\.(.*)$/s.exec(name)?.[1];
  const short = own ?? name;
  if (SSH.includes(short)) return 'ssh';
  if (short === 'local') return 'local';
  if (OTHER.includes(short)) return 'other';
  // A host must not be left out for a misspelt "ansible.builtin.ssh".
  const misspelt = /^(?:ansible\.\w+|\w+\.builtin)\.(\w+)$/.exec(name)?.[1] ?? '';
  if (SSH.includes(misspelt)) return 'unknown';
  return own === undefined && /^\w+\.\w+\.\w+(?:\.\w+)*$/.test(name) ? 'other' : 'unknown';
}

/** The same of a host, before its variables are checked. */
export function connectionKindOf(host: InventoryHost): ConnectionKind {
  const given = host.variables.get('ansible_connection')?.plain ?? 'ssh';
  return typeof given === 'string' ? connectionKind(given) : 'unknown';
}
