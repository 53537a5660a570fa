import { z } from 'zod';
import { holder, runEnd, unfinishedRun } from './run-schema.ts';

const text = z.string();
const texts = z.array(text);
const count = z.int().min(0);
const port = z.int().min(0).max(65_535);
const protocol = z.enum(['tcp', 'udp']);
const family = z.enum(['ipv4', 'ipv6']);

const interfaceFacts = z.object({
  name: text,
  up: z.boolean(),
  loopback: z.boolean(),
  kind: text.exactOptional().describe('the kind of a virtual link, as the kernel names it: vlan, bridge, dummy'),
  parent: text.exactOptional().describe('the parent interface of a macvlan, ipvlan or VLAN'),
  addresses: z.array(
    z.object({
      address: text,
      prefix: count,
      family,
      dynamic: z.literal(true).exactOptional().describe('a lease that runs out unless it is renewed'),
    }),
  ),
});

const flowKind = z.object({
  protocol,
  opener: text.describe('who sent the first packet'),
  address: text,
  port,
  count,
  forwardedTo: z.object({ address: text, port }).nullable(),
  disguisedAs: text.nullable(),
});

const permanentFile = z.object({
  path: text.describe('relative to /etc/firewalld'),
  text,
  mode: text,
  owner: text,
  sha256: text,
  link: text.exactOptional(),
  unreadable: text.exactOptional().describe('why firewalld or portfw cannot use it'),
  mounted: z.boolean().exactOptional(),
  folder: z.boolean().exactOptional(),
});

const settings = z.record(text, z.record(text, z.unknown()));

const running = z.object({
  kind: z.literal('running'),
  version: text,
  state: text,
  backend: text,
  defaultZone: text,
  panicMode: z.boolean(),
  zoneDrifting: z.boolean(),
  ipsetsUsable: z.boolean(),
  helpers: texts,
  hash: text.describe('the hash of the whole observed state; a plan is only valid for this state'),
  permanentHash: text,
  runtimeHash: text,
  files: z.array(permanentFile),
  builtin: z.array(z.object({ path: text, text })),
  runtime: z
    .object({ zones: settings, services: settings, ipsets: settings, policies: settings, direct: texts })
    .describe('as firewalld reports it over D-Bus, with its own keys'),
  otherFolder: text.exactOptional(),
  denies: z.boolean().exactOptional(),
  networkManager: z.array(
    z.object({ uuid: text, connection: text, zone: text, interfaces: texts, unsaved: z.boolean() }),
  ),
});

const firewalld = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('absent') }),
  z.object({
    kind: z.literal('stopped'),
    version: text,
    reason: text,
    offline: z.object({ firewalld: running, unit: text }).exactOptional(),
  }),
  running,
]);

/** What a host says of itself, as events have it. */
export const hostFacts = z
  .object({
    os: z.object({ id: text, versionId: text, prettyName: text }),
    kernel: text,
    hostname: text,
    root: z.boolean().describe('without root most of the rest is missing'),
    controllerPath: z
      .object({ clientAddress: text, clientPort: port, serverAddress: text, serverPort: port })
      .nullable()
      .describe('the SSH connection as the host sees it; null for a local one'),
    interfaces: z.array(interfaceFacts),
    defaultRoutes: z.array(z.object({ family, interface: text, table: text })).exactOptional(),
    routeTable: z
      .object({
        routes: z.array(z.object({ destination: text, interface: text })),
        policies: z.boolean(),
        cut: z.boolean(),
      })
      .exactOptional(),
    carriers: z.array(z.object({ interface: text, protocol, port })).exactOptional(),
    forwarding: z.object({ ipv4: texts, ipv6: z.union([z.literal('all'), texts]) }),
    sockets: z.array(z.object({ protocol, address: text, port, processes: texts })),
    flows: z
      .object({
        source: z.enum(['conntrack', 'sockets']),
        kinds: z.array(flowKind),
        omitted: count,
        cut: z.boolean(),
        untracked: z.array(flowKind),
      })
      .nullable(),
    units: z.array(z.object({ name: text, active: text })),
    processes: texts,
    packages: texts,
    files: texts,
    rpc: z.array(z.object({ program: count, version: count, protocol, port, service: text })),
    writers: z.object({ units: texts }),
    firewalld,
    remembered: z
      .object({ format: z.literal(1), matrix: text, roles: texts, generation: text, appliedAt: text })
      .nullable(),
    lock: holder.nullable(),
    unfinished: z.object({ runs: z.array(unfinishedRun), busy: z.boolean() }),
    lastRun: runEnd.nullable(),
  })
  .meta({ id: 'facts', description: 'what a host says of itself' });
