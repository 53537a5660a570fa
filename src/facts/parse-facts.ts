import type { HostFacts } from './facts.ts';
import { collectedJson, parseFirewalld, parseInstalledVersion } from './firewalld-facts.ts';
import { parseFlows } from './flows.ts';
import { parseForwarding, parseInterfaces, parseRpc, parseSockets } from './network.ts';
import { parseCarriers, parseDefaultRoutes, parseRouteTable } from './routes.ts';
import { splitSections } from './sections.ts';
import { activeWriters, parseFiles, parsePackages, parseProcesses, parseUnits } from './services.ts';
import { parseLastRun, parseLock, parseRemembered, parseUnfinished } from './state.ts';
import { parseOsRelease, parseSshConnection, parseSystem } from './system.ts';
import { Unreadable } from './unreadable.ts';

/** The probe's answer, parsed or not. `notes` are sentences on what the host could not report. */
export type ParsedFacts =
  | { readonly kind: 'facts'; readonly facts: HostFacts; readonly notes: readonly string[] }
  | { readonly kind: 'unreadable'; readonly section: string; readonly why: string };

/** What is unknown if a program is missing. */
const WITHOUT: Readonly<Record<string, string>> = {
  ip: 'addresses and interfaces are unknown',
  ss: 'listening sockets are unknown',
  systemctl: 'systemd units are unknown',
};

/**
 * Reads the output of `src/host/remote/probe.sh`. Pure; never throws: the text is untrusted, and an invalid one gives
 * `unreadable` with the invalid section.
 */
export function parseFacts(text: string): ParsedFacts {
  try {
    return parseSections(text);
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return { kind: 'unreadable', section: error.section, why: error.message };
  }
}

function parseSections(text: string): ParsedFacts {
  const sections = splitSections(text);
  const system = parseSystem(sections.system);
  const sockets = parseSockets(sections.sockets);
  const units = parseUnits(sections.units);
  const rpc = parseRpc(sections.rpc);
  const installed = parseInstalledVersion(sections['firewalld-version']);
  const collected = installed === null ? null : collectedJson(sections.firewalld);
  const notes = Object.entries(WITHOUT)
    .filter(([program]) => sections.missing.includes(program))
    .map(([program, unknown]) => `The program ${program} is not installed: ${unknown}`);
  if (!system.root) notes.push('The probe did not run as root: owners of sockets and most of firewalld are unknown');
  for (const [what, { unread }] of Object.entries({ sockets, units, 'RPC registrations': rpc })) {
    if (unread > 0) notes.push(`${unread} line${unread === 1 ? '' : 's'} of the list of ${what} could not be read`);
  }
  const facts: HostFacts = {
    ...system,
    os: parseOsRelease(sections.os),
    controllerPath: parseSshConnection(sections.ssh),
    interfaces: parseInterfaces(sections.interfaces),
    ...(sections.routes === null ? {} : { defaultRoutes: parseDefaultRoutes(sections.routes) }),
    ...(sections['route-table'] === null ? {} : { routeTable: parseRouteTable(sections['route-table']) }),
    ...(sections.carriers === null ? {} : { carriers: parseCarriers(sections.carriers) }),
    forwarding: parseForwarding(sections.forwarding),
    sockets: sockets.rows,
    flows: parseFlows(sections.flows),
    units: units.rows,
    processes: parseProcesses(sections.processes),
    packages: parsePackages(sections.packages),
    files: parseFiles(sections.files),
    rpc: rpc.rows,
    writers: { units: activeWriters(units.rows) },
    firewalld: parseFirewalld(installed, collected, system.root),
    remembered: parseRemembered(sections.state),
    lock: parseLock(sections.lock),
    unfinished: parseUnfinished(collected),
    lastRun: parseLastRun(sections['last-run']),
  };
  return { kind: 'facts', facts, notes };
}
