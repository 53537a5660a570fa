import { counted } from '../../core/lists.ts';
import { firstOf, shortenedText } from '../shortened.ts';
import { grouped } from './alike.ts';
import type { HostNames, PortsLine, SummaryRow, SummaryTotals, VerdictPorts } from './summary-types.ts';

/** `web1, web2 and 3 more`. */
export function namesText({ shown, count }: HostNames, most: number): string {
  // A line that counts one name is no shorter than the name.
  const few = count <= most + 1 ? shown : shown.slice(0, most);
  return shortenedText({ shown: few, more: count - few.length });
}

/** `eth0 (public)`; an interface that no class names is said to have none. */
export function placeText({ interface: name, classes }: Pick<PortsLine, 'interface' | 'classes'>): string {
  return `${name} (${classes.length === 0 ? 'no class' : classes.join(', ')})`;
}

/** `22/tcp, IPv6 on eth0 (public): anybody → nobody`, without the reasons. @param most ports that are named */
export function portsLineText(line: PortsLine, most: number): string {
  const family = line.family === null ? '' : `, ${line.family}`;
  return `${portsText(line.ports, most)}${family} on ${placeText(line)}${partlyText(line)}: ${line.before} → ${line.after}`;
}

function portsText(ports: readonly string[], most: number): string {
  return shortenedText(ports.length <= most + 1 ? { shown: ports, more: 0 } : firstOf(ports, most));
}

function partlyText({ partly }: Pick<PortsLine, 'partly'>): string {
  return partly ? ' at some of its addresses' : '';
}

/**
 * `eth0 (public): +443/tcp, +5060/udp; still open: 22/tcp from 192.0.2.0/25`: `+` is opened or widened by the plan, and what is
 * still open may be narrowed by it. Nothing is left out.
 */
export function reachedText(lines: readonly VerdictPorts[]): string {
  return byInterface(lines, (all) => {
    const news = all.filter(({ changed }) => changed).map(reachedPorts);
    const rest = all.filter(({ changed }) => !changed).map(reachedPorts);
    return [...news, ...(rest.length === 0 ? [] : [`still open: ${rest.join('; ')}`])].join('; ');
  });
}

function reachedPorts(line: VerdictPorts): string {
  const where = `${line.family === null ? '' : ` over ${line.family}`}${partlyText(line)}`;
  const ports = line.ports.map((port) => `${line.changed ? '+' : ''}${port}`).join(', ');
  if (isWholeForAnybody(line)) return `${ports.toUpperCase()}${where} FROM ${line.from.replace('anybody', 'ANYBODY')}`;
  return `${ports}${where}${line.from === 'anybody' ? '' : ` from ${line.from}`}`;
}

/** Whether anybody, or anybody but a few, reaches all ports. */
export function isWholeForAnybody(line: VerdictPorts): boolean {
  return isWhole(line) && line.from.startsWith('anybody');
}

function isWhole({ ports: [first] }: Pick<PortsLine, 'ports'>): boolean {
  return first?.startsWith('all ') === true;
}

/** `eth1 (private) by anybody`. */
export function trustedText(lines: readonly VerdictPorts[]): string {
  return byInterface(lines, (all) =>
    all.map(({ from, family }) => `${from}${family === null ? '' : ` over ${family}`}`).join('; '),
  );
}

/** `eth0 (public): 192.0.2.0/25`. A port that is not 22 is named. */
export function sshText(lines: readonly VerdictPorts[]): string {
  return byInterface(lines, (all) =>
    all
      .map((line) => {
        const port = line.ports[0] === '22/tcp' ? '' : ` to ${line.ports.join(', ')}`;
        return `${line.from}${line.family === null ? '' : ` over ${line.family}`}${partlyText(line)}${port}`;
      })
      .join('; '),
  );
}

function byInterface(lines: readonly VerdictPorts[], text: (lines: readonly VerdictPorts[]) => string): string {
  return grouped(lines, placeText)
    .map((all) => `${placeText(all[0])}: ${text(all)}`)
    .join(' · ');
}

/** `6 hosts: 5 to change, 1 as it is`. */
export function hostsText(totals: SummaryTotals): string {
  const parts: readonly (readonly [number, string])[] = [
    [totals.changing, 'to change'],
    [totals.unchanged, totals.unchanged === 1 ? 'as it is' : 'as they are'],
    [totals.refused, 'refused'],
    [totals.unreachable, 'unreachable'],
    [totals.failed, 'failed'],
    [totals.skipped, 'skipped'],
  ];
  const said = parts.flatMap(([count, what]) => (count === 0 ? [] : [`${count} ${what}`]));
  return `${counted(totals.hosts, 'host')}: ${said.join(', ')}`;
}

/** What changes, in numbers: closing first. Empty where nothing changes. */
export function totalsText(totals: SummaryTotals): string {
  const { closing, narrowing, opening, widening, sidesClosing, sidesOpening } = totals;
  const ports = [
    closing === 0 ? '' : `${counted(closing, 'port')} ${closing === 1 ? 'closes' : 'close'}`,
    narrowing === 0 ? '' : `${counted(narrowing, 'port')} ${narrowing === 1 ? 'narrows' : 'narrow'}`,
    sidesClosing === 0 ? '' : `all ports narrow on ${counted(sidesClosing, 'interface')}`,
    opening === 0 ? '' : `${counted(opening, 'port')} ${opening === 1 ? 'opens' : 'open'}`,
    widening === 0 ? '' : `${counted(widening, 'port')} ${widening === 1 ? 'widens' : 'widen'}`,
    sidesOpening === 0 ? '' : `all ports open wider on ${counted(sidesOpening, 'interface')}`,
  ];
  return [...ports.filter((part) => part !== ''), ...effects(totals)].join('; ');
}

/** Live traffic and reloads, of a row or of all hosts. */
function effects({
  reloads,
  flowsCut,
  flowsOutlive,
  socketsFewer,
  longestHoldMs = 0,
}: Pick<SummaryRow, 'reloads' | 'flowsCut' | 'flowsOutlive' | 'socketsFewer'> & {
  readonly longestHoldMs?: number;
}): readonly string[] {
  const hold = longestHoldMs === 0 ? '' : ` (no new connections for up to about ${longestHoldMs} ms)`;
  return [
    flowsCut === 0 ? '' : `${counted(flowsCut, 'flow')} cut`,
    flowsOutlive === 0 ? '' : `${counted(flowsOutlive, 'flow')} no longer allowed but not cut`,
    socketsFewer === 0 ? '' : `${counted(socketsFewer, 'listening socket')} for fewer clients`,
    reloads === 0 ? '' : `${counted(reloads, 'reload')}${hold}`,
  ].filter((part) => part !== '');
}

/** `eth0: public → portfw-public`. */
export function interfacesText({ interfaces }: SummaryRow): string {
  return interfaces.map(({ interface: name, from, to }) => `${name}: ${from} → ${to}`).join(', ');
}

/** What a row does besides ports: interfaces, traffic, reloads, the rest. */
export function besidesText(row: SummaryRow): string {
  const { closes, opens, also, counts } = row;
  const silent = closes.length + opens.length + row.interfaces.length + also.length === 0;
  const nothing = silent ? [`${counted(counts.changes, 'change')} that open and close no port`] : [];
  return [...(row.interfaces.length === 0 ? [] : [interfacesText(row)]), ...effects(row), ...also, ...nothing].join(
    '; ',
  );
}

/** A row in one line: `4 ports closed or narrowed; 12 ports opened or widened; …`. */
export function rowText(row: SummaryRow): string {
  return [
    ...countedPorts(row.closes).map((what) => `${what} closed or narrowed`),
    ...countedPorts(row.opens).map((what) => `${what} opened or widened`),
    besidesText(row),
  ]
    .filter((part) => part !== '')
    .join('; ');
}

/** How many ports `eth0 22/tcp` and `eth0 10000-20000/udp` are together: a range is as many as it has. */
export function numberOfPorts(ports: Iterable<string>): number {
  let sum = 0;
  for (const port of ports) {
    const [, first = '0', last = first] = /(?:^| )(\d+)(?:-(\d+))?\/\w+$/.exec(port) ?? [];
    sum += Number(last) - Number(first) + 1;
  }
  return sum;
}

/** `all ports on 1 interface`, `4 ports`: how many ports lines name. All ports are never counted as some. */
export function countedPorts(lines: readonly PortsLine[]): readonly string[] {
  const whole = lines.filter(isWhole);
  const sides = new Set(whole.map((line) => line.interface)).size;
  // Once for each interface: a port may close for one address family and be narrowed for the other.
  const ports = lines.flatMap((line) => (isWhole(line) ? [] : line.ports.map((port) => `${line.interface} ${port}`)));
  const single = numberOfPorts(new Set(ports));
  return [
    ...(sides === 0 ? [] : [`${whole[0]!.ports[0]} on ${counted(sides, 'interface')}`]),
    ...(single === 0 ? [] : [counted(single, 'port')]),
  ];
}
