import { writeFileSync } from 'node:fs';
import { startLab } from './lab/lab.ts';
const lab = await startLab({ name: 'dev', scanner: true, hosts: [
  { name: 'web1', suite: 'bookworm', daemons: ['web-admin', 'configuration', 'decoy'] },
  { name: 'sip1', suite: 'bullseye', daemons: ['dispatching-node', 'decoy'] },
  { name: 'gcems1', suite: 'trixie', daemons: ['gcems', 'decoy'] },
]});
const inv: any = { all: { vars: { ansible_user: 'root', ansible_ssh_private_key_file: lab.privateKeyFile, ansible_ssh_common_args: `-o UserKnownHostsFile=${lab.knownHostsFile}` }, children: { porta: { vars: { portfw_playbook: 'portaswitch' }, hosts: {} }, ims: { vars: { portfw_playbook: 'img-gcems' }, hosts: {} } } } };
for (const h of lab.hosts) {
  const ifs: any = { public: h.publicAddress, private: h.privateAddress };
  const v: any = { ansible_host: h.publicAddress, portfw_interfaces: ifs, portfw_addresses: { private: h.privateAddress } };
  if (h.name === 'sip1') v.portfw_vips = [lab.vip(0).v4, (lab.vip(0) as any).v6];
  if (h.name === 'gcems1') { v.portfw_interfaces = { public: h.publicAddress, control: h.privateAddress }; v.portfw_peers = { img: [lab.spareAddress('private', 150).v4], support: [lab.networks.public.subnet], clientview: ['192.0.2.0/24'] }; inv.all.children.ims.hosts[h.name] = v; }
  else inv.all.children.porta.hosts[h.name] = v;
}
writeFileSync('/tmp/dev/inventory.yaml', JSON.stringify(inv, null, 2));
console.log(JSON.stringify(lab.hosts.map((h) => [h.name, h.publicAddress, h.privateAddress, h.interfaces])));
console.log('ready');
process.stdin.resume();
process.on('SIGTERM', () => void lab.stop().then(() => process.exit(0)));
setInterval(() => {}, 100000);
