import type { LabHost } from '../../lab/host.ts';

/** What somebody configured by hand before portfw came: valid for firewalld, and formatted as people write. */
export interface AdminFiles {
  /** The zone file that binds the public interface. */
  readonly zonePath: string;
  readonly zone: string;
  /** The same text without the line that binds it. */
  readonly zoneWithoutInterface: string;
}

const OFFICE = `<?xml version='1.0' encoding="UTF-8" ?>
<!-- people in the office; ask Ada before you touch this -->
<zone   target='ACCEPT' >
<short>Office</short>
      <source    address="203.0.113.0/24" />
   <source ipset = "office-vpn"/>
</zone>
`;

const LEGACY = `<?xml version="1.0"?>
<service>
\t<short>Legacy</short>
\t<description>An application that nobody dares to switch off</description>
\t<port protocol="tcp" port="7070"/><port protocol="udp" port="7071"/>
</service>
`;

const VPN = `<?xml version="1.0" encoding="utf-8"?>
<ipset type="hash:net">
  <!-- the addresses of the VPN -->
  <entry>192.0.2.200</entry>


  <entry>192.0.2.208/28</entry>
</ipset>`;

const DIRECT = `<?xml version="1.0" encoding="utf-8"?>
<direct>
  <!-- against the flood of last spring -->
  <rule ipv="ipv4" table="filter" chain="INPUT" priority="0">-s 192.0.2.66 -j DROP</rule>
</direct>
`;

/**
 * Puts files of an administrator on a host and makes firewalld load them: a zone that binds the public interface, one
 * that binds sources, a service, an ipset, a direct rule, a changed firewalld.conf, and copies that the daemon and an
 * editor left. Owners and modes are not the usual ones.
 */
export async function placeAdminFiles(host: LabHost): Promise<AdminFiles> {
  const line = `\t <interface   name='${host.interfaces.public}' />\n`;
  const zoneWithoutInterface = `<?xml version="1.0" encoding="utf-8"?>
<!-- The outside. -->
<zone>
  <short>Edge</short>
  <service name="ssh"/><service name="legacy"/>

     <!-- monitoring, until the end of the year -->
  <port port="7777" protocol="tcp"/>
</zone>
<!-- end -->
`;
  const zone = zoneWithoutInterface.replace('  <service name="ssh"/>', `${line}  <service name="ssh"/>`);
  const zonePath = '/etc/firewalld/zones/edge.xml';
  await host.writeFile(zonePath, zone, '640');
  await host.writeFile('/etc/firewalld/zones/office.xml', OFFICE, '600');
  await host.writeFile('/etc/firewalld/zones/edge.xml.old', zone.replace('7777', '7776'), '644');
  await host.writeFile('/etc/firewalld/services/legacy.xml', LEGACY, '644');
  await host.writeFile('/etc/firewalld/services/legacy.xml~', 'not even XML <', '644');
  await host.writeFile('/etc/firewalld/ipsets/office-vpn.xml', VPN, '644');
  await host.writeFile('/etc/firewalld/direct.xml', DIRECT, '644');
  await host.sh(
    `printf '\\n# Ada, 3 March: rejected packets are logged\\nLogDenied=unicast\\n' >>/etc/firewalld/firewalld.conf
    sed -i '/^LogDenied=off/d' /etc/firewalld/firewalld.conf
    chown 1000:0 "$1"; chown 1000:1000 /etc/firewalld/services/legacy.xml
    firewall-cmd --quiet --reload`,
    zonePath,
  );
  return { zonePath, zone, zoneWithoutInterface };
}
