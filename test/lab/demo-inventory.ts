import type { HostSpec } from './host.ts';
import type { Lab } from './lab.ts';

/** A host of the demo, with what it takes to judge the result. */
export interface DemoHost extends HostSpec {
  readonly matrix: 'portaswitch' | 'portaswitch-ocs' | 'img-gcems';
  /** The roles that portfw has to find, sorted; every host also plays `server` where the matrix has it. */
  readonly roles: readonly string[];
  readonly features?: readonly string[];
}

/** Six hosts of different roles, two on each firewalld: 0.9.3 (bullseye), 1.3.3 (bookworm) and 2.3.1 (trixie). */
export const DEMO_HOSTS: readonly DemoHost[] = [
  {
    name: 'web1',
    suite: 'bookworm',
    daemons: ['configuration', 'web-admin'],
    matrix: 'portaswitch',
    roles: ['configuration', 'server', 'web-admin'],
  },
  { name: 'bill1', suite: 'bullseye', daemons: ['radius'], matrix: 'portaswitch', roles: ['radius', 'server'] },
  {
    name: 'sip1',
    suite: 'trixie',
    daemons: ['dispatching-node'],
    matrix: 'portaswitch',
    roles: ['dispatching-node', 'server'],
  },
  {
    name: 'db1',
    suite: 'bullseye',
    daemons: ['master-db'],
    networks: ['private'],
    matrix: 'portaswitch',
    roles: ['master-db', 'server'],
  },
  {
    name: 'ocs1',
    suite: 'trixie',
    daemons: ['ocs'],
    matrix: 'portaswitch-ocs',
    roles: ['ocs', 'server'],
    features: ['diameter'],
  },
  { name: 'gcems1', suite: 'bookworm', daemons: ['gcems'], matrix: 'img-gcems', roles: ['gcems'] },
];

/** What the inventory needs to know of the machine that runs portfw and of the one that plays the gateway. */
export interface DemoMachines {
  /** The address by which portfw reaches the private network. */
  readonly controller: string;
  /** The gateway's address on the control network. */
  readonly gateway: string;
}

/** The demo's inventory: one plain Ansible file in which all three matrices are in use. */
export function demoInventory(lab: Lab, machines: DemoMachines): string {
  const { networks } = lab;
  return `# The demo's fleet. It is a plain Ansible inventory; the variables of portfw begin with portfw_.
all:
  vars:
    # How to log in, with Ansible's variables: a key, an account, sudo.
    ansible_user: operator
    ansible_become: true
    ansible_ssh_private_key_file: ${lab.privateKeyFile}
    ansible_ssh_common_args: -o UserKnownHostsFile=${lab.knownHostsFile}
    # Which interface is which, by the networks that they are on.
    portfw_interfaces:
      public: [${networks.public.subnet}]
      private: [${networks.private.subnet}]

  children:
    # A PortaSwitch site after the vendor's first table. No role is declared: portfw finds them.
    site_a:
      vars:
        portfw_playbook: portaswitch
        portfw_site: site_a
      hosts:
        web1: { ansible_host: ${lab.host('web1').privateAddress} }
        bill1: { ansible_host: ${lab.host('bill1').privateAddress} }
        sip1:
          ansible_host: ${lab.host('sip1').privateAddress}
          # The address that floats to this node: SIP is open only on this address.
          portfw_vips: [${lab.vip(0).v4}]
        db1:
          ansible_host: ${lab.host('db1').privateAddress}
          # It is only on the private network, which is trusted on other hosts. Here only the table's ports are open ...
          portfw_interfaces: { private: [${networks.private.subnet}] }
          portfw_private: matrix
          # ... and SSH from the site's own servers. The machine that runs portfw is not one of them.
          portfw_extra_rules:
            - name: admin-ssh
              interface: private
              protocol: tcp
              port: 22
              from: [${machines.controller}]
              owner: demo@example.net
              reason: The machine that portfw runs on

    # An OCS of a site after the second table, with an optional row turned on.
    site_b:
      vars:
        portfw_playbook: portaswitch-ocs
        portfw_site: site_b
        portfw_features: [diameter]
      hosts:
        ocs1: { ansible_host: ${lab.host('ocs1').publicAddress} }

    # A GCEMS server. Its private network is where the gateways are; most ports open only to them.
    media:
      vars:
        portfw_playbook: img-gcems
      hosts:
        gcems1:
          ansible_host: ${lab.host('gcems1').publicAddress}
          portfw_interfaces:
            public: [${networks.public.subnet}]
            control: [${networks.private.subnet}]
          portfw_peers:
            clientview: [192.0.2.21]
            support: [192.0.2.32/27]
            # VNC and the GCEMS application open to nobody else; the vendor advises a VPN.
            remote-access: [192.0.2.64/28]
        # A gateway is an appliance: portfw needs its address, and never logs in to it.
        img1:
          portfw_managed: false
          portfw_roles: [img]
          portfw_addresses: { control: [${machines.gateway}] }
`;
}
