import { formatPortRange, mergePortRanges, type PortRange } from '../../core/ports.ts';
import type { AccessSide, HostAccess, Turn } from '../../plan/access-types.ts';
import type { PlanBody } from '../../plan/plan.ts';
import { textWithoutOwn } from '../failure-groups.ts';
import {
  type Entry,
  hasBothFamilies,
  type Joined,
  joinFamilies,
  type Stretch,
  stretchesOf,
  type Who,
  whoOf,
} from './port-stretches.ts';
import type { PortsLine, VerdictPorts } from './summary-types.ts';
import { whyText } from './why.ts';

/** A part of a summary with a key that is equal on all hosts where it is the same. */
export interface Keyed<T> {
  readonly key: string;
  readonly value: T;
  /** The same with texts that hold for each of these hosts. */
  readonly rough: T;
}

/** What is said of one host's interfaces. */
export interface HostPorts {
  /** Ports that fewer reach afterwards; also those where others get access instead. */
  readonly closes: readonly Keyed<PortsLine>[];
  readonly opens: readonly Keyed<PortsLine>[];
  /** Who gets in by interfaces that the internet reaches, afterwards. */
  readonly reached: readonly Keyed<VerdictPorts>[];
  /** Who reaches all ports, afterwards. */
  readonly trusted: readonly Keyed<VerdictPorts>[];
  readonly ssh: readonly Keyed<VerdictPorts>[];
}

/** All that a summary says of the access to one host. */
export function hostPorts({ host, access }: PlanBody): HostPorts {
  const sides = access.sides.map((side) => new Side(side, access, host));
  const lines = ordered(sides.flatMap((side) => side.lines()));
  return {
    closes: lines.filter(({ value }) => CLOSING.has(value.turn)),
    opens: lines.filter(({ value }) => !CLOSING.has(value.turn)),
    reached: ordered(sides.flatMap((side) => (side.internet ? side.reached() : []))),
    trusted: ordered(sides.flatMap((side) => side.trusted())),
    ssh: ordered(sides.flatMap((side) => side.ssh())),
  };
}

/** `changed`: some lose access and others get it. */
const CLOSING: ReadonlySet<Turn> = new Set<Turn>(['closed', 'narrowed', 'changed']);
const GAINS: ReadonlySet<Turn> = new Set<Turn>(['opened', 'widened', 'changed']);

/** What is said of all ports of an interface, or of all that are not named apart. */
export const ALL_PORTS = 'all ports';
export const ALL_OTHER_PORTS = 'all other ports';

interface Piece<T> {
  readonly key: string;
  readonly stretch: Stretch;
  readonly say: (ports: readonly string[]) => { readonly value: T; readonly rough: T };
}

class Side {
  readonly internet: boolean;
  readonly #host: string;
  readonly #side: AccessSide;
  readonly #access: HostAccess;
  readonly #both: boolean;
  /** Members of a cluster or a site let in all others: single addresses may differ from host to host. */
  readonly #rough: boolean;
  readonly #stretches: readonly Stretch[];

  constructor(side: AccessSide, access: HostAccess, host: string) {
    this.#host = host;
    this.#side = side;
    this.#access = access;
    const { classes } = side;
    // Nothing shows that an interface without a class is safe.
    this.internet = facesInternet(classes);
    this.#both = hasBothFamilies(side);
    this.#rough = side.whole.some(({ before, after }) => before.who === 'these' || after.who === 'these');
    this.#stretches = stretchesOf(side);
  }

  /** What changes. */
  lines(): readonly Keyed<PortsLine>[] {
    const alike = (one: Entry, other: Entry): boolean =>
      one.turn === other.turn && one.before.who === other.before.who && one.after.who === other.after.who;
    const pieces = this.#stretches.flatMap((stretch) =>
      joinFamilies(
        stretch.entries.filter(({ turn }) => turn !== 'same'),
        this.#both,
        alike,
      ).map((joined) => this.#line(stretch, joined)),
    );
    return this.#gathered(pieces);
  }

  #line(stretch: Stretch, { entries, family }: Joined): Piece<PortsLine> {
    const { turn } = entries[0]!;
    const before = this.#who(entries.map((entry) => entry.before));
    const after = this.#who(entries.map((entry) => entry.after));
    const why = [
      ...new Set(entries.flatMap((entry) => entry.why.flatMap((at) => this.#access.reasons[at] ?? [])).map(whyText)),
    ];
    const common = { turn: turn as PortsLine['turn'], ...this.#place(), family, partly: stretch.partly, why };
    // Why something is taken away is worth a line of its own; what is open has a reason for each port.
    const reasons = CLOSING.has(turn) ? why.map((text) => textWithoutOwn(text, this.#host)) : [];
    return {
      key: JSON.stringify([
        this.#side.interface,
        this.#side.classes,
        turn,
        family,
        stretch.partly,
        before.key,
        after.key,
        reasons,
      ]),
      stretch,
      say: (ports) => ({
        value: { ...common, ports, before: before.text, after: after.text },
        rough: { ...common, ports, before: before.rough, after: after.rough },
      }),
    };
  }

  /** Who gets in afterwards. Those who reach all ports anyway are not said again for single ones. */
  reached(): readonly Keyed<VerdictPorts>[] {
    const whole = new Map(this.#side.whole.map(({ family, after }) => [family, JSON.stringify(after)]));
    return this.#afterwards(this.#stretches, ({ ports }, { family, after }) =>
      after.who === 'nobody' ? false : ports === null || JSON.stringify(after) !== whole.get(family),
    );
  }

  trusted(): readonly Keyed<VerdictPorts>[] {
    const wholes = this.#stretches.filter(({ ports }) => ports === null);
    return this.#afterwards(wholes, (_, { after }) => after.who !== 'nobody');
  }

  ssh(): readonly Keyed<VerdictPorts>[] {
    const whole = this.#stretches.find(({ ports }) => ports === null)?.entries ?? [];
    const stretches = this.#access.ssh.flatMap((port): readonly Stretch[] => {
      const named = this.#stretches.filter(
        ({ ports }) => ports?.protocol === 'tcp' && ports.range.first <= port && port <= ports.range.last,
      );
      const families = new Set(
        named.filter(({ partly }) => !partly).flatMap(({ entries }) => entries.map(({ family }) => family)),
      );
      const ports = { protocol: 'tcp', range: { first: port, last: port } } as const;
      const rest = { ports, partly: false, entries: whole.filter(({ family }) => !families.has(family)) };
      const everywhere = named.filter(({ partly }) => !partly).flatMap(({ entries }) => entries);
      const some = named.filter(({ partly }) => partly).map((stretch) => ({ ...stretch, ports }));
      return [{ ...rest, entries: [...everywhere, ...rest.entries] }, ...some];
    });
    return this.#afterwards(stretches, () => true);
  }

  #afterwards(
    stretches: readonly Stretch[],
    counts: (stretch: Stretch, entry: Entry) => boolean,
  ): readonly Keyed<VerdictPorts>[] {
    const alike = (one: Entry, other: Entry): boolean =>
      one.after.who === other.after.who && GAINS.has(one.turn) === GAINS.has(other.turn);
    const pieces = stretches.flatMap((stretch) =>
      joinFamilies(
        stretch.entries.filter((entry) => counts(stretch, entry)),
        this.#both,
        alike,
      ).map(({ entries, family }): Piece<VerdictPorts> => {
        const from = this.#who(entries.map(({ after }) => after));
        const common = {
          ...this.#place(),
          family,
          partly: stretch.partly,
          changed: GAINS.has(entries[0]!.turn),
        };
        return {
          key: JSON.stringify([common, from.key]),
          stretch,
          say: (ports) => ({
            value: { ...common, ports, from: from.text },
            rough: { ...common, ports, from: from.rough },
          }),
        };
      }),
    );
    return this.#gathered(pieces);
  }

  #who(comers: readonly Entry['after'][]): Who {
    return whoOf(comers, this.#rough);
  }

  #place(): Pick<PortsLine, 'interface' | 'classes' | 'internet'> {
    return { interface: this.#side.interface, classes: this.#side.classes, internet: this.internet };
  }

  /** One line for all ports of which the same is said. */
  #gathered<T extends PortsLine | VerdictPorts>(pieces: readonly Piece<T>[]): readonly Keyed<T>[] {
    const groups = new Map<string, Piece<T>[]>();
    for (const piece of pieces) {
      const key = JSON.stringify([piece.stretch.ports === null, piece.key]);
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [piece]);
      else group.push(piece);
    }
    return [...groups.values()].map((group) => {
      const { key, say } = group[0]!;
      const ports = this.#portTexts(group.map(({ stretch }) => stretch));
      return { key: JSON.stringify([key, ports]), ...say(ports) };
    });
  }

  #portTexts(stretches: readonly Stretch[]): readonly string[] {
    if (stretches.some(({ ports }) => ports === null))
      return [this.#side.rows.length === 0 ? ALL_PORTS : ALL_OTHER_PORTS];
    const ranges = (protocol: 'tcp' | 'udp'): readonly PortRange[] =>
      mergePortRanges(stretches.flatMap(({ ports }) => (ports?.protocol === protocol ? [ports.range] : [])));
    const texts = (['tcp', 'udp'] as const).flatMap((protocol) =>
      ranges(protocol).map((range) => ({ range, text: `${formatPortRange(range)}/${protocol}` })),
    );
    return texts.sort((a, b) => a.range.first - b.range.first).map(({ text }) => text);
  }
}

/** Where the internet gets in comes first, and there what concerns all ports. The order is the same on hosts that are alike. */
function ordered<T extends PortsLine | VerdictPorts>(lines: readonly Keyed<T>[]): readonly Keyed<T>[] {
  const rank = ({ value }: Keyed<T>): number => {
    const [first] = value.ports;
    const single = first === ALL_PORTS || first === ALL_OTHER_PORTS ? 0 : 2;
    return (value.internet ? 0 : 4) + single + ('changed' in value && !value.changed ? 1 : 0);
  };
  return [...lines].sort((a, b) => rank(a) - rank(b));
}

/** Whether the internet reaches an interface of these classes: public, a virtual address, or none. */
export function facesInternet(classes: readonly string[]): boolean {
  return classes.length === 0 || classes.includes('public') || classes.includes('vip');
}
