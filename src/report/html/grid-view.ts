import type { AddressFamily } from '../../core/addresses.ts';
import { comparePorts, type PortRange, type Protocol, parsePortRange } from '../../core/ports.ts';
import type { Comers } from '../../firewalld/filter/comers.ts';
import type { AccessRow, AccessSide, HostAccess, Turn, WholeAccess } from '../../plan/access-types.ts';
import type { ReviewedPlan } from '../../plan/plan.ts';
import { cleaned, oneLine } from '../clean.ts';
import { reasonText } from '../reason-view.ts';
import type { Review } from '../review.ts';
import type { HostWithoutPlan } from '../review-input.ts';
import { facesInternet } from '../summary/port-lines.ts';

/**
 * The fleet as a grid, as data: a row for hosts that are alike, a column for each range of ports, and in each cell who gets in
 * there, before and after. Every text is one line and safe to show (`clean.ts`).
 */
export interface GridView {
  /** "All ports" first, then by protocol and port. */
  readonly columns: readonly GridColumn[];
  /** Each different cell once. */
  readonly cells: readonly GridCell[];
  /** Rows with changes first, hosts without a plan last. */
  readonly rows: readonly GridRow[];
  /** In the order of the inventory; hosts without a plan last. */
  readonly hosts: readonly GridHost[];
}

export interface GridColumn {
  readonly protocol: Protocol | 'all';
  readonly range: PortRange;
  /** `443/tcp`, `all ports`. */
  readonly label: string;
}

export interface GridCell {
  readonly turn: Turn;
  /** Whether anybody, or anybody but a few, gets in from the internet afterwards. */
  readonly internet: boolean;
  readonly lines: readonly AccessLine[];
}

/** Who reaches some ports at one interface, before and after. */
export interface AccessLine {
  readonly turn: Turn;
  readonly interface: string;
  readonly classes: readonly string[];
  /** `null` where IPv4 and IPv6 do not differ. */
  readonly family: 'IPv4' | 'IPv6' | null;
  /** The only family that it is about; `null` for both. */
  readonly only: AddressFamily | null;
  /** The interface's addresses that this is about; empty for all. */
  readonly addresses: readonly string[];
  readonly before: Comers;
  readonly after: Comers;
  readonly by: readonly string[];
  readonly why: readonly string[];
}

/** Hosts that are alike: the same cells and the same plan. */
export interface GridRow {
  /** Positions in `GridView.hosts`. */
  readonly hosts: readonly number[];
  /** For each column the position in `GridView.cells`, or `null` where nobody gets in, before or after. */
  readonly cells: readonly (number | null)[];
  /** The position in `PlansView.groups`, or `null`. */
  readonly plan: number | null;
  /** Why the hosts have no plan, if they have none. */
  readonly without: HostWithoutPlan['kind'] | null;
}

export interface GridHost {
  readonly name: string;
  readonly groups: readonly string[];
  readonly roles: readonly string[];
}

/** The grid of a review. Pure. */
export function gridView({ input, plans }: Review): GridView {
  const found = columnsOf(input.plans);
  const cells = new Cells();
  const planOf = plansByHost(plans.groups);
  const hosts: GridHost[] = [];
  const rows = new Map<string, GridRow & { hosts: number[] }>();
  const addHost = (host: string, roles: readonly string[], row: Omit<GridRow, 'hosts'>): void => {
    const key = JSON.stringify(row);
    const known = rows.get(key);
    if (known === undefined) rows.set(key, { ...row, hosts: [hosts.length] });
    else known.hosts.push(hosts.length);
    hosts.push(cleaned({ name: host, groups: input.groups.get(host) ?? [], roles }));
  };
  for (const plan of input.plans) {
    const roles = plan.kind === 'apply' ? plan.roles.map(({ role }) => role) : [];
    const row = cells.rowOf(plan.access, found);
    addHost(plan.host, roles, { cells: row, plan: planOf(oneLine(plan.host)), without: null });
  }
  const nothing = found.columns.map(() => null);
  for (const { host, kind } of input.without) addHost(host, [], { cells: nothing, plan: null, without: kind });
  const changing = (row: GridRow): number => {
    if (row.without !== null) return 2;
    return row.cells.some((cell) => cell !== null && cells.list[cell]!.turn !== 'same') ? 0 : 1;
  };
  return {
    columns: found.columns,
    cells: cells.list,
    rows: [...rows.values()].sort((a, b) => changing(a) - changing(b)),
    hosts,
  };
}

/** Ports with the same access: a line of the details, with the labels of its columns. */
export interface PortsWithLine {
  readonly ports: readonly string[];
  readonly line: AccessLine;
}

/** In which order turns are told: what closes first. */
export const TURN_ORDER: readonly Turn[] = ['closed', 'narrowed', 'changed', 'opened', 'widened', 'same'];

/** What a row says, with ports that have the same access on one line; what closes comes first. */
export function linesOf({ columns, cells }: GridView, row: GridRow): readonly PortsWithLine[] {
  const lines = new Map<string, { ports: string[]; line: AccessLine }>();
  row.cells.forEach((cell, index) => {
    if (cell === null) return;
    for (const line of cells[cell]!.lines) {
      const key = JSON.stringify({ ...line, by: [] });
      const label = columns[index]!.label;
      const known = lines.get(key);
      if (known === undefined) lines.set(key, { ports: [label], line });
      else known.ports.push(label);
    }
  });
  return [...lines.values()].sort((a, b) => TURN_ORDER.indexOf(a.line.turn) - TURN_ORDER.indexOf(b.line.turn));
}

interface Columns {
  readonly columns: readonly GridColumn[];
  /** The position of a column by protocol and ports. */
  readonly at: ReadonlyMap<string, number>;
}

const ALL: GridColumn = { protocol: 'all', range: { first: 1, last: 65_535 }, label: 'all ports' };

function columnsOf(plans: readonly ReviewedPlan[]): Columns {
  const found = new Map<string, GridColumn>();
  let all = false;
  for (const { rows, whole } of plans.flatMap(({ access }) => access.sides)) {
    all ||= whole.some(letsIn);
    for (const { protocol, ports } of rows) {
      const key = `${ports}/${protocol}`;
      if (found.has(key)) continue;
      const range = parsePortRange(ports);
      if (typeof range !== 'string') found.set(key, { protocol, range, label: key });
    }
  }
  const sorted = [...found.values()].sort(comparePorts);
  const columns = all ? [ALL, ...sorted] : sorted;
  return { columns, at: new Map(columns.map(({ label }, index) => [label, index])) };
}

/** The same name may occur twice once names are cleaned: then the plans go to their hosts in order. */
function plansByHost(groups: Review['plans']['groups']): (name: string) => number | null {
  const plans = new Map<string, number[]>();
  groups.forEach(({ hosts }, index) => {
    for (const host of hosts) plans.set(host, [...(plans.get(host) ?? []), index]);
  });
  return (name) => plans.get(name)?.shift() ?? null;
}

function letsIn({ before, after }: Pick<WholeAccess, 'before' | 'after'>): boolean {
  return before.who !== 'nobody' || after.who !== 'nobody';
}

/** Cells, each once; what hosts of a fleet share is worked out once. */
class Cells {
  readonly list: GridCell[] = [];
  readonly #known = new Map<string, number>();
  readonly #cleaned = new Map<string, AccessLine>();

  rowOf(access: HostAccess, { columns, at }: Columns): readonly (number | null)[] {
    const lines = columns.map((): AccessLine[] => []);
    const reasons = access.reasons.map((reason) => reasonText(reason, false));
    for (const side of access.sides) {
      const both = new Set(side.whole.map(({ family }) => family)).size > 1;
      const add = (column: number | undefined, found: readonly Found[]): void => {
        if (column === undefined) return;
        for (const line of withoutTwins(found)) lines[column]!.push(this.#line(side, both, line, reasons));
      };
      const whole = side.whole.filter(letsIn);
      if (whole.length > 0) add(at.get(ALL.label), whole.map(wholeFound));
      for (const [label, rows] of rowsByPorts(side.rows)) add(at.get(label), rows);
    }
    return lines.map((some) => (some.length === 0 ? null : this.#cell(some)));
  }

  #cell(lines: readonly AccessLine[]): number {
    const key = JSON.stringify(lines);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const turn = turnOf(lines);
    const internet = lines.some(({ classes, after }) => facesInternet(classes) && isOpen(after));
    this.list.push({ turn, internet, lines });
    this.#known.set(key, this.list.length - 1);
    return this.list.length - 1;
  }

  /** @param both whether the interface has addresses of both families, so that one alone must be named */
  #line({ interface: name, classes }: AccessSide, both: boolean, found: Found, reasons: readonly string[]): AccessLine {
    const { turn, only, destinations, before, after, by } = found;
    const line: AccessLine = {
      turn,
      interface: name,
      classes,
      family: only === null || !both ? null : only === 'ipv4' ? 'IPv4' : 'IPv6',
      only,
      addresses: destinations,
      before,
      after,
      by,
      why: [...new Set(found.why.flatMap((at) => reasons[at] ?? []))],
    };
    const key = JSON.stringify(line);
    const known = this.#cleaned.get(key) ?? cleaned(line);
    this.#cleaned.set(key, known);
    return known;
  }
}

function isOpen({ who }: Comers): boolean {
  return who === 'anybody' || who === 'anybody-but';
}

/** What most matters of several interfaces and families. */
function turnOf(lines: readonly AccessLine[]): Turn {
  const turns = new Set(lines.map(({ turn }) => turn));
  turns.delete('same');
  const has = (...some: readonly Turn[]): boolean => [...turns].every((turn) => some.includes(turn));
  if (turns.size <= 1) return [...turns][0] ?? 'same';
  if (has('opened', 'widened')) return 'widened';
  return has('closed', 'narrowed') ? 'narrowed' : 'changed';
}

type Found = Pick<AccessRow, 'turn' | 'destinations' | 'before' | 'after' | 'by' | 'why' | 'family'> & {
  readonly only: AddressFamily | null;
};

function wholeFound({ family, before, after, turn }: WholeAccess): Found {
  return { family, only: family, before, after, turn, destinations: [], by: [], why: [] };
}

function rowsByPorts(rows: readonly AccessRow[]): ReadonlyMap<string, readonly Found[]> {
  const ports = new Map<string, Found[]>();
  for (const row of rows) {
    const label = `${row.ports}/${row.protocol}`;
    const found: Found = { ...row, only: row.family };
    const known = ports.get(label);
    if (known === undefined) ports.set(label, [found]);
    else known.push(found);
  }
  return ports;
}

/** Where the families do not differ, one line is about both. */
function withoutTwins(found: readonly Found[]): readonly Found[] {
  const key = ({ turn, destinations, before, after, why }: Found): string =>
    JSON.stringify([turn, destinations, before, after, why]);
  return found.flatMap((one) => {
    const twin = found.some((other) => other.family !== one.family && key(other) === key(one));
    if (!twin) return [one];
    return one.family === 'ipv6' ? [] : [{ ...one, only: null }];
  });
}
