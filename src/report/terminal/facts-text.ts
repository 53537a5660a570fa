import { terminalLine } from '../../core/terminal-text.ts';
import { otherRun, otherRunText } from '../../decide/other-runs.ts';
import type { HostFacts, SocketFacts } from '../../facts/facts.ts';
import { oneLine } from '../clean.ts';
import { columnLines } from './layout.ts';
import type { Style } from './style.ts';

/** The main facts of a host; `--json` has all of them. */
export function factsText(host: string, facts: HostFacts, style: Style): string {
  const lines = [style.bold(terminalLine(host)), ...columnLines(headRows(facts))];
  lines.push(...section('interfaces', columnLines(interfaceRows(facts))));
  lines.push(...section('listening', columnLines(socketRows(facts.sockets))));
  const units = facts.units.filter((unit) => unit.active === 'active').map((unit) => oneLine(unit.name));
  lines.push(...section('active units', wrapped(units)));
  lines.push(...section('packages looked for', wrapped(facts.packages.map(oneLine))));
  lines.push(...section('files looked for', wrapped(facts.files.map(oneLine))));
  const rpc = facts.rpc.map((one) =>
    oneLine(`${one.service === '' ? one.program : one.service} ${one.protocol}/${one.port}`),
  );
  lines.push(...section('rpc programs', wrapped([...new Set(rpc)])));
  return `${lines.join('\n')}\n`;
}

function headRows(facts: HostFacts): { text: string }[][] {
  const rows: [string, string][] = [
    ['system', `${facts.os.prettyName}, kernel ${facts.kernel}`],
    ['hostname', facts.hostname],
    ['firewalld', firewalldDetails(facts)],
    ['other firewall tools', writersText(facts)],
    ['forwarding', forwardingText(facts)],
    ['connection', wayIn(facts)],
    ['remembered', rememberedText(facts)],
  ];
  if (!facts.root) rows.push(['root', 'no: without root most facts are missing']);
  const other = otherRun(facts);
  if (other !== null) rows.push(['other run', otherRunText(other)]);
  else if (facts.lock !== null) rows.push(['locked by', `${facts.lock.holder} since ${facts.lock.since}`]);
  return rows.map(([name, value]) => [{ text: `  ${name}` }, { text: oneLine(value) }]);
}

function firewalldDetails(facts: HostFacts): string {
  const { firewalld } = facts;
  if (firewalld.kind === 'stopped' && !facts.root) return `${firewalld.version}; only root can see whether it runs`;
  if (firewalld.kind === 'stopped') return `${firewalld.version} stopped: ${firewalld.reason}`;
  if (firewalld.kind === 'absent') return 'not installed';
  const zones = Object.keys(firewalld.runtime.zones).length;
  const panic = firewalld.panicMode ? ', PANIC MODE' : '';
  return `${firewalld.version} ${firewalld.state.toLowerCase()}, ${firewalld.backend}, default zone ${firewalld.defaultZone}, ${zones} zones${panic}`;
}

function writersText({ writers, firewalld }: HostFacts): string {
  const connections = firewalld.kind === 'running' ? firewalld.networkManager : [];
  const managed = connections.flatMap((one) =>
    one.interfaces.map((name) => `${name}${one.zone === '' ? '' : ` (zone ${one.zone})`}`),
  );
  const parts = [...writers.units, ...(managed.length === 0 ? [] : [`NetworkManager on ${managed.join(', ')}`])];
  return parts.length === 0 ? 'none' : parts.join(', ');
}

function forwardingText({ forwarding: { ipv4, ipv6 } }: HostFacts): string {
  const parts = [
    ...(ipv4.length === 0 ? [] : [`IPv4 from ${ipv4.join(', ')}`]),
    ...(ipv6 === 'all' ? ['IPv6'] : ipv6.length === 0 ? [] : [`IPv6 from ${ipv6.join(', ')}`]),
  ];
  return parts.length === 0 ? 'off' : parts.join('; ');
}

function wayIn({ controllerPath }: HostFacts): string {
  if (controllerPath === null) return 'local';
  const { clientAddress, serverAddress, serverPort } = controllerPath;
  return `from ${clientAddress} to ${serverAddress} port ${serverPort}`;
}

function rememberedText({ remembered }: HostFacts): string {
  if (remembered === null) return 'nothing: portfw has not changed this host yet';
  return `matrix ${remembered.matrix}, roles ${remembered.roles.join(', ')}, applied ${remembered.appliedAt}`;
}

function interfaceRows(facts: HostFacts): { text: string }[][] {
  return facts.interfaces
    .filter((one) => !one.loopback)
    .map((one) => {
      const addresses = one.addresses.map(({ address, prefix }) => `${address}/${prefix}`).join(', ');
      const link = one.kind === undefined ? '' : `${one.kind}${one.parent === undefined ? '' : ` on ${one.parent}`}`;
      const said = [link, addresses, defaultRouteText(facts, one.name)].filter((text) => text !== '').join('; ');
      return [{ text: `    ${oneLine(one.name)}` }, { text: one.up ? 'up' : 'down' }, { text: oneLine(said) }];
    });
}

function defaultRouteText({ defaultRoutes = [] }: HostFacts, name: string): string {
  const own = defaultRoutes.filter((route) => route.interface === name);
  const tables = own.map(
    ({ family, table }) => `${FAMILY_NAMES[family]}${table === 'main' ? '' : ` in table ${table}`}`,
  );
  return own.length === 0 ? '' : `default route (${tables.join(', ')})`;
}

const FAMILY_NAMES = { ipv4: 'IPv4', ipv6: 'IPv6' } as const;

function socketRows(sockets: readonly SocketFacts[]): { text: string }[][] {
  return sockets.map((socket) => [
    { text: `    ${socket.protocol}/${socket.port}` },
    { text: oneLine(socket.address) },
    { text: oneLine(socket.processes.join(', ')) },
  ]);
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [`  ${title}`, ...lines];
}

/** Joins words into lines of about 100 columns. */
function wrapped(words: readonly string[]): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of words) {
    if (line !== '' && line.length + word.length > 100) {
      lines.push(`    ${line}`);
      line = '';
    }
    line += line === '' ? word : `, ${word}`;
  }
  if (line !== '') lines.push(`    ${line}`);
  return lines;
}
