import { RUNTIME_OBJECTS, type RunningFirewalld, type RuntimeObjects } from '../facts/facts.ts';
import { EMPTY_ZONE, type ZoneConfig } from './kinds/zone.ts';
import { isOurs } from './model.ts';
import { type ObservedFirewalld, observedFirewalld } from './observed.ts';
import { STOCK_DEFAULT_ZONE } from './stock.ts';

/**
 * A host whose firewalld does not run, in the form that plans are made from. Its files are what will run. Until then everything
 * gets in, so the plan closes all that it does not open.
 */
export function offlineObserved(firewalld: RunningFirewalld): ObservedFirewalld {
  const observed = observedFirewalld(firewalld);
  const { permanent } = observed;
  const zones = [...permanent.zones].map(([name, zone]): [string, ZoneConfig] => [
    name,
    // The zone accepts everything and opens nothing else: otherwise the plan would list each opening as closed.
    isOurs(name)
      ? zone
      : { ...EMPTY_ZONE, name, short: zone.short, description: zone.description, ...bound(zone), target: 'ACCEPT' },
  ]);
  // No policy is in force.
  return { ...observed, runtime: { ...permanent, zones: new Map(zones), policies: new Map() } };
}

function bound({ interfaces, sources }: ZoneConfig): Pick<ZoneConfig, 'interfaces' | 'sources'> {
  return { interfaces, sources };
}

const UNKNOWN_HASH = '0'.repeat(64);

/**
 * firewalld as packages install it, for a host that does not have it. What a distribution does differently is seen after the
 * installation, before firewalld is started.
 */
export function stockFirewalld(): RunningFirewalld {
  return {
    kind: 'running',
    version: '1.0',
    state: 'RUNNING',
    backend: 'nftables',
    defaultZone: STOCK_DEFAULT_ZONE,
    panicMode: false,
    zoneDrifting: false,
    ipsetsUsable: true,
    helpers: ['ftp', 'tftp'],
    hash: UNKNOWN_HASH,
    permanentHash: UNKNOWN_HASH,
    runtimeHash: UNKNOWN_HASH,
    files: [],
    builtin: [
      {
        path: `zones/${STOCK_DEFAULT_ZONE}.xml`,
        text: '<zone><service name="ssh"/><service name="dhcpv6-client"/><forward/></zone>',
      },
      { path: 'services/ssh.xml', text: '<service><port port="22" protocol="tcp"/></service>' },
      {
        path: 'services/dhcpv6-client.xml',
        text: '<service><port port="546" protocol="udp"/><destination ipv6="fe80::/64"/></service>',
      },
    ],
    runtime: { ...(Object.fromEntries(RUNTIME_OBJECTS.map((kind) => [kind, {}])) as RuntimeObjects), direct: [] },
    networkManager: [],
  };
}
