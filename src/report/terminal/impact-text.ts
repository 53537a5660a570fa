import { counted } from '../../core/lists.ts';
import type { Comers } from '../../firewalld/filter/comers.ts';
import type { FlowImpact, Impact, SocketImpact } from '../../plan/impact-types.ts';
import { oneLine } from './change-text.ts';
import type { Style } from './style.ts';

interface Options {
  readonly style: Style;
  readonly verbosity: number;
}

/** As many rows of a kind as a reader looks at; -v shows all. */
const FEW = 4;

/** The flag that ends flows whose permission goes. */
export const CUT_FLAG = '--cut-revoked';

/** What a plan does to listening sockets and established flows; no line where it does nothing to them. */
export function impactLines(impact: Impact, { style, verbosity }: Options): readonly string[] {
  const most = verbosity > 0 ? Number.POSITIVE_INFINITY : FEW;
  const sockets = (title: string, rows: readonly SocketImpact[], sign: string): readonly string[] =>
    rows.length === 0
      ? []
      : [
          `  ${title}`,
          ...few([...new Set(rows.map((row) => `${sign} ${socketText(row, differs(row, impact))}`))], most).map(
            (text) => `    ${text}`,
          ),
        ];
  return [
    ...sockets('listening sockets that fewer can reach', impact.closed, style.red('-')),
    ...sockets('listening sockets that more can reach', impact.opened, style.green('+')),
    ...impact.unheard.map(({ interface: name, ports }) => {
      const listed = few(ports.map(oneLine), most * 3).join(', ');
      return style.dim(`  nothing listens on these ports that are opened on ${oneLine(name)}: ${listed}`);
    }),
    ...flowLines(impact, most, style),
  ];
}

function few(texts: readonly string[], most: number): readonly string[] {
  if (texts.length <= most + 1) return texts;
  return [...texts.slice(0, most), `and ${texts.length - most} more (-v shows them)`];
}

/** `443, 8442-8449/tcp httpd on eth1: anybody → 192.0.2.0/24`. */
function socketText(socket: SocketImpact, byFamily: boolean): string {
  const ports = few(socket.ports, 12).join(', ');
  const owner = socket.processes.length === 0 ? '' : ` ${socket.processes.join(', ')}`;
  const at = socket.destinations.length === 0 ? '' : ` (${socket.destinations.join(', ')})`;
  const who = `${comersText(socket.before)} → ${comersText(socket.after)}`;
  const family = byFamily ? `, ${socket.address === '::' ? 'IPv6' : 'IPv4'}` : '';
  return oneLine(`${ports}/${socket.protocol}${family}${owner} on ${socket.interface}${at}: ${who}`);
}

/** Whether a socket of one family fares otherwise than its like of the other one, so that its line has to name the family. */
function differs(socket: SocketImpact, { closed, opened }: Impact): boolean {
  if (socket.address !== '::' && socket.address !== '0.0.0.0') return false;
  const key = ({ protocol, ports, interface: name, processes }: SocketImpact) =>
    JSON.stringify([protocol, ports, name, processes]);
  const who = ({ before, after }: SocketImpact) => JSON.stringify([before, after]);
  return [...closed, ...opened].some(
    (other) => other.address !== socket.address && key(other) === key(socket) && who(other) !== who(socket),
  );
}

const MOST_SOURCES = 5;

/** `anybody`, `192.0.2.0/24, 198.51.100.7`, `anybody but 192.0.2.66`, `nobody`. */
function comersText({ who, sources, more }: Comers): string {
  if (who === 'anybody' || who === 'nobody') return who;
  const left = sources.length - MOST_SOURCES + more;
  const listed = sources.slice(0, MOST_SOURCES).join(', ');
  const rest = left > 0 ? ` and ${counted(left, 'further network')}` : '';
  return `${who === 'these' ? '' : 'anybody but '}${listed}${rest}`;
}

function flowLines({ flows, closed }: Impact, most: number, style: Style): readonly string[] {
  const rows = (kinds: readonly FlowImpact[]) => few(kinds.map(flowText), most).map((text) => `      ${text}`);
  const lines: string[] = [];
  if (flows.cut.length > 0) {
    const what = `${counted(total(flows.cut), 'established flow')} that the kernel does not track`;
    lines.push(style.red(`    the plan cuts ${what}:`), ...rows(flows.cut));
  }
  if (flows.outlive.length > 0) {
    const count = total(flows.outlive);
    const live = `${counted(count, 'flow')} ${count === 1 ? 'lives' : 'live'} on without what let ${count === 1 ? 'it' : 'them'} in`;
    lines.push(
      style.yellow(`    ${live} (apply ${CUT_FLAG} ends ${count === 1 ? 'it' : 'them'}):`),
      ...rows(flows.outlive),
    );
  }
  if (flows.source === null && closed.length > 0) lines.push('    not known: the host could not tell');
  if (flows.source !== null && flows.unseen !== 0 && closed.length > 0) {
    const more = flows.unseen === null ? 'an unknown number of' : flows.unseen;
    lines.push(`    ${more} further flows were not looked at: the host has too many`);
  }
  return lines.length === 0 ? [] : ['  established flows', ...lines];
}

const LOST: Readonly<Record<FlowImpact['lost'], string>> = {
  permission: '',
  'forward-port': ' (by a forward port)',
  masquerade: ' (masqueraded)',
};

/** `3 × 443/tcp from 192.0.2.7 to 203.0.113.10`. */
function flowText(flow: FlowImpact): string {
  const ends = `from ${flow.opener} to ${flow.address}`;
  return oneLine(`${flow.count} × ${flow.port}/${flow.protocol} ${ends}${LOST[flow.lost]}`);
}

function total(flows: readonly FlowImpact[]): number {
  return flows.reduce((sum, flow) => sum + flow.count, 0);
}
