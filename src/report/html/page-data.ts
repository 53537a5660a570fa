import type { Comers } from '../../firewalld/filter/comers.ts';
import { comersText } from '../impact-view.ts';
import type { PlanGroup } from '../plan-view.ts';
import type { AccessLine, GridView } from './grid-view.ts';
import { whereText } from './words.ts';

/** What the page's script gets: the grid, with each text and each set of comers once. Positions refer to these lists. */
export interface PageData {
  readonly texts: readonly string[];
  readonly comers: readonly PageComers[];
  /** Names, groups and roles of hosts. */
  readonly hosts: readonly (readonly [name: string, groups: readonly number[], roles: readonly number[]])[];
  readonly columns: readonly (readonly [protocol: string, first: number, last: number, label: string])[];
  readonly cells: readonly (readonly PageLine[])[];
  /** Hosts, and for each column a cell or -1. */
  readonly rows: readonly (readonly [hosts: readonly number[], cells: readonly number[]])[];
  /** For each plan its hosts. */
  readonly plans: readonly (readonly number[])[];
}

export type PageComers = readonly [who: Comers['who'], sources: readonly string[], more: number, text: number];

type PageLine = readonly [
  turn: string,
  where: number,
  before: number,
  after: number,
  why: readonly number[],
  by: readonly number[],
  /** The length of an address of the only family that it is about; 0 for both. */
  bits: number,
];

const BITS = { ipv4: 32, ipv6: 128 } as const;

/** The data of a page, from its grid. */
export function pageData(grid: GridView, plans: readonly PlanGroup[]): PageData {
  const texts = new Once<string>();
  const comers = new Once<PageComers>();
  const all = (some: readonly string[]): number[] => some.map((text) => texts.at(text, text));
  const who = (some: Comers): number =>
    comers.at(JSON.stringify(some), [some.who, some.sources, some.more, all([comersText(some)])[0]!]);
  const line = (one: AccessLine): PageLine => {
    const where = all([whereText(one)])[0]!;
    return [
      one.turn,
      where,
      who(one.before),
      who(one.after),
      all(one.why),
      all(one.by),
      one.only === null ? 0 : BITS[one.only],
    ];
  };
  return {
    hosts: grid.hosts.map(({ name, groups, roles }) => [name, all(groups), all(roles)]),
    columns: grid.columns.map(({ protocol, range, label }) => [protocol, range.first, range.last, label]),
    cells: grid.cells.map(({ lines }) => lines.map(line)),
    rows: grid.rows.map(({ hosts, cells }) => [hosts, cells.map((cell) => cell ?? -1)]),
    plans: plans.map((_, index) => grid.rows.flatMap(({ plan, hosts }) => (plan === index ? hosts : []))),
    texts: texts.values,
    comers: comers.values,
  };
}

/** Values, each once. */
class Once<T> {
  readonly values: T[] = [];
  readonly #known = new Map<string, number>();

  at(key: string, value: T): number {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    this.#known.set(key, this.values.length);
    this.values.push(value);
    return this.values.length - 1;
  }
}
