/**
 * What each variable means, in one sentence or two: for editors. `docs/reference/inventory-variables.md` says the same in the same words,
 * and a test compares them.
 */
export const VARIABLE_DESCRIPTIONS: Readonly<Record<string, string>> = {
  portfw_playbook: 'The playbook gives the host its matrix. A plain name is one that ships with portfw',
  portfw_managed: "`false` is a machine that portfw never logs in to: an appliance, an office's gateway, a PC.",
  portfw_roles: 'Declared roles win over detection.',
  portfw_features: 'Turns on rows that the vendor calls optional or disabled by default.',
  portfw_addresses: "The host's addresses as its peers see them, if they differ from the one that portfw logs in to.",
  portfw_interfaces:
    "Which interface is which. An entry is an interface's name, an address on it, or a network that one of its addresses lies in.",
  portfw_vips: 'Virtual addresses that may float to this host.',
  portfw_role_interfaces:
    'For roles whose table leaves the choice: databases use the private interface unless this says `public`.',
  portfw_private: 'What private interfaces accept',
  portfw_sides_checked: '`true` confirms that public and private are not mixed up on this host.',
  portfw_zone_target: 'What happens to a flow that no rule accepts',
  portfw_site: 'The group of servers that belong together, for `portfw_private`.',
  portfw_cluster:
    'The group of nodes between which nothing is ever filtered, on any interface, and which are never changed at the same time.',
  portfw_peers: "The hosts and addresses that are in a matrix's peer sets.",
  portfw_allow_from: 'Limits who may use an existing rule; it never opens anything.',
  portfw_extra_rules: 'Rules that are in no port table.',
  portfw_management: 'The sources from which the host must always stay reachable by SSH.',
  portfw_ensure_firewalld: 'What portfw may do about a host on which firewalld does not run',
  ansible_host: 'where the host is reached',
  ansible_ssh_host: 'where the host is reached',
  ansible_port: 'the port of its sshd',
  ansible_ssh_port: 'the port of its sshd',
  ansible_user: 'the account',
  ansible_ssh_user: 'the account',
  ansible_private_key_file:
    'the key to offer first, before those of ssh_config and, unless `IdentitiesOnly` is set, of the agent',
  ansible_ssh_private_key_file:
    'the key to offer first, before those of ssh_config and, unless `IdentitiesOnly` is set, of the agent',
  ansible_ssh_common_args: 'options for OpenSSH',
  ansible_ssh_extra_args: 'options for OpenSSH',
  ansible_ssh_args: 'options for OpenSSH',
  ansible_timeout: 'seconds for connecting, 1 to 3600',
  ansible_ssh_timeout: 'seconds for connecting, 1 to 3600',
  ansible_connection: '`ssh` and similar ones (`smart`, `paramiko`), or `local`',
  ansible_become: 'become root with sudo',
  ansible_become_user: 'only `root`',
  ansible_become_method: 'only `sudo`',
  ansible_become_password: "sudo's password; better: `PORTFW_BECOME_PASSWORD` or `-K`",
  ansible_password: 'the login password; better: a key, `PORTFW_SSH_PASSWORD` or `-k`',
  ansible_ssh_pass: 'the login password; better: a key, `PORTFW_SSH_PASSWORD` or `-k`',
  ansible_ssh_password: 'the login password; better: a key, `PORTFW_SSH_PASSWORD` or `-k`',
  ansible_become_pass: "sudo's password; better: `PORTFW_BECOME_PASSWORD` or `-K`",
};
