import type { CodedFault } from '../../core/failure.ts';
import { few } from '../../core/lists.ts';
import type { HostFacts } from '../../facts/facts.ts';
import { compareVersions } from '../../facts/version.ts';
import type { Filter } from '../../firewalld/filter/dispatch.ts';
import type { FilterFacts } from '../../firewalld/filter/facts.ts';
import { isOurs } from '../../firewalld/model.ts';
import type { PolicyNote } from '../../policy/desired.ts';
import type { Filters } from '../before-and-after.ts';
import { type ForwardedFlow, forwardedFlows } from './forwarded-flows.ts';
import {
  BY_INGRESS_ALONE,
  forwardPortsOf,
  masqueraderOf,
  type Opening,
  openingsOf,
  type Way,
  zoneOf,
} from './forwarding-openings.ts';
import { fateOf, fateOfPort, isAbout, refusalOf } from './forwarding-passed.ts';

type Family = 'ipv4' | 'ipv6';

/** What the notes on forwarding are made from. */
export interface ForwardingInput {
  readonly filters: Filters;
  readonly firewalld: FilterFacts;
  readonly host: string;
  readonly facts: Pick<HostFacts, 'interfaces' | 'forwarding' | 'writers' | 'flows'> &
    Partial<Pick<HostFacts, 'routeTable'>>;
  /** Whether the plan starts firewalld: before that, everything that the kernel forwards gets through. */
  readonly starts: boolean;
}

/** What a plan does to forwarded packets. */
export interface ForwardingVerdict {
  readonly notes: readonly PolicyNote[];
  /** Forwarding that others set up and the plan ends: refused, unless accepted with a flag. */
  readonly refusals: readonly CodedFault[];
}

/** Something that is forwarded now and will no longer be. */
interface Stop extends Way {
  readonly family: Family;
  /** With the plan, or with the reload or reboot after it. */
  readonly when: 'now' | 'boot';
  /** The part of it; `null` for everything. */
  readonly what: string | null;
  /** Why it is forwarded now, or why it will not be: the middle of the sentence. */
  readonly why: string;
  /** Whether it was set up by others, so that the plan is refused. */
  readonly others: boolean;
  readonly solve: string;
}

/** Up to so many interfaces, each pair is evaluated; above that, one pair for all interfaces in the same zones. */
const MOST_LINKS = 12;

/**
 * What the plan does to forwarded packets, if the kernel forwards: what is forwarded now and will no longer be, and what
 * firewalld itself lets through although no portfw zone opens it. Nothing if forwarding is off. Pure.
 */
export function forwarding(input: ForwardingInput): ForwardingVerdict {
  const links = input.facts.interfaces
    .filter(({ up, loopback, name }) => up && !loopback && !/^veth/.test(name))
    .map(({ name }) => name);
  const ways = links.flatMap((from) => {
    const families = familiesOf(from, input.facts.forwarding);
    return links.filter((to) => to !== from).flatMap((to) => families.map((family) => ({ from, to, family })));
  });
  if (ways.length === 0) return { notes: [], refusals: [] };
  const { filters } = input;
  const after = input.starts ? filters.boot.after : filters.now.after;
  const stops = new Stops(input, filters.now.before, after, filters.boot);
  const found = [...ways.flatMap((way) => stops.of(way)), ...links.flatMap((name) => stops.ofPorts(name))];
  const texts = grouped(found, input);
  return {
    notes: [
      ...texts.filter(({ stop }) => !stop.others).map(({ text }) => warning('forwarding-stops', text)),
      ...pings(input, ways, after),
    ],
    refusals: texts
      .filter(({ stop }) => stop.others)
      .map(({ text, stop }) => ({ code: 'forwarding-stops', what: text, solve: stop.solve })),
  };
}

function warning(code: string, text: string): PolicyNote {
  return { severity: 'warning', code, text };
}

function familiesOf(from: string, { ipv4, ipv6 }: HostFacts['forwarding']): Family[] {
  return [
    ...(ipv4.includes(from) ? (['ipv4'] as const) : []),
    ...(ipv6 === 'all' || ipv6.includes(from) ? (['ipv6'] as const) : []),
  ];
}

interface WayOf extends Way {
  readonly family: Family;
}

class Stops {
  readonly #input: ForwardingInput;
  readonly #before: Filter;
  readonly #after: Filter;
  readonly #boot: { readonly before: Filter; readonly after: Filter };
  readonly #flows: readonly ForwardedFlow[];
  readonly #few: boolean;
  readonly #known = new Map<string, readonly Stop[]>();

  constructor(input: ForwardingInput, before: Filter, after: Filter, boot: { before: Filter; after: Filter }) {
    this.#input = input;
    this.#before = before;
    this.#after = after;
    this.#boot = boot;
    this.#flows = forwardedFlows(input.facts);
    this.#few = input.facts.interfaces.length <= MOST_LINKS;
  }

  of(way: WayOf): readonly Stop[] {
    const zones = (name: string) =>
      this.#few ? name : `${zoneOf(this.#before, name).name}/${zoneOf(this.#after, name).name}`;
    // A way with flows is not shared with others.
    const flows = this.#flows.filter(
      (flow) => flow.from === way.from && flow.to === way.to && flow.family === way.family,
    );
    const key = [way.family, zones(way.from), zones(way.to), flows.length > 0 ? `${way.from} ${way.to}` : ''].join(
      '\n',
    );
    let found = this.#known.get(key);
    if (found === undefined) {
      found = this.#input.starts ? this.#byStart(way, flows) : this.#byRules(way, flows);
      this.#known.set(key, found);
    }
    return found.map((stop) => ({ ...stop, ...way }));
  }

  /** Nothing is filtered now; only flows show whether forwarding is intended. */
  #byStart(way: WayOf, flows: readonly ForwardedFlow[]): Stop[] {
    if (openingsOf(way, this.#after, this.#version).some(({ what }) => what === null)) return [];
    const why = 'because nothing is filtered until firewalld starts';
    // Docker adds its own zone as soon as firewalld runs.
    const others = flows.length > 0 && !runsDocker(this.#input);
    return [this.#stop(way, { what: null, why, others, policy: null })];
  }

  #byRules(way: WayOf, flows: readonly ForwardedFlow[]): Stop[] {
    const all = openingsOf(way, this.#before, this.#version);
    // An opening by others is the better reason to report.
    const ranked = [...all].sort((a, b) => Number(isOurs(a.owner)) - Number(isOurs(b.owner)));
    const stopping = ranked.flatMap((opening) => {
      const when = this.#ends(way, opening);
      return when === null ? [] : [{ opening, when }];
    });
    const whole = stopping.find(({ opening }) => opening.what === null);
    const named = whole === undefined ? stopping : [whole];
    const found = named.map(({ opening, when }) =>
      this.#stop(way, {
        when,
        what: opening.what,
        why: `because ${opening.why}`,
        others: this.#meant(way, opening, flows),
        policy: opening.kind === 'policy' ? opening.owner : null,
      }),
    );
    if (whole !== undefined) return found;
    const unexplained = this.#unexplained(
      way,
      all,
      named.map(({ opening }) => opening),
      flows,
    );
    const masquerade = unexplained === null ? this.#masquerade(way, all) : null;
    return [...found, ...[unexplained, masquerade].filter((stop) => stop !== null)];
  }

  /** Whether a forward ends: with the plan, or with the next reload or reboot if that would not end it without the plan. */
  #ends(way: WayOf, opening: Opening): Stop['when'] | null {
    const probes = opening.probes.filter((probe) => isAbout(probe, way.family));
    if (probes.length === 0 && opening.probes.length > 0) return null;
    const ends = (before: Filter, after: Filter): boolean => {
      const fates = probes.map((probe) => fateOf({ ...way, probe }, before, after));
      if (fates.some((fate) => fate === 'stops')) return true;
      if (fates.some((fate) => fate !== null)) return false;
      const held = openingsOf(way, after, this.#version);
      return !held.some(({ what }) => what === null || what === opening.what);
    };
    if (ends(this.#before, this.#after)) return 'now';
    const stands = openingsOf(way, this.#boot.before, this.#version).some(
      ({ owner, what }) => owner === opening.owner && what === opening.what,
    );
    return stands && ends(this.#boot.before, this.#boot.after) ? 'boot' : null;
  }

  /** Whether it was set up on purpose: a zone forwards between its interfaces by default, so only traffic shows it. */
  #meant(way: WayOf, { owner, kind }: Opening, flows: readonly ForwardedFlow[]): boolean {
    if (isOurs(owner)) return false;
    if (kind !== 'intra' || flows.length > 0) return true;
    const names = (zones: readonly string[]) => zones.includes(owner);
    return (
      zoneOf(this.#before, way.to).masquerade ||
      this.#before.policies.some(
        ({ ingressZones, egressZones }) => !egressZones.includes('HOST') && (names(ingressZones) || names(egressZones)),
      )
    );
  }

  /** What the kernel's rules let through now and will not, for a reason that firewalld's configuration does not show. */
  #unexplained(
    way: WayOf,
    all: readonly Opening[],
    named: readonly Opening[],
    flows: readonly ForwardedFlow[],
  ): Stop | null {
    const anything = { family: null, protocol: 'tcp', port: 1, destination: '' };
    const asked = [
      ...(all.some(({ what }) => what === null) ? [] : [{ probe: anything, opener: undefined, what: null }]),
      ...flows.map(({ opener, address, protocol, port }) => ({
        probe: { family: null, protocol, port, destination: address },
        opener,
        what: `${port}/${protocol} from ${opener} to ${address}`,
      })),
    ];
    for (const { probe, opener, what } of asked) {
      const through = { ...way, probe, ...(opener === undefined ? {} : { opener }) };
      if (fateOf(through, this.#before, this.#after) !== 'stops') continue;
      const known = named.some(({ probes }) =>
        probes.some((one) => one.protocol === probe.protocol && (one.port === null || one.port === probe.port)),
      );
      if (known) continue;
      const why = `but with the plan ${refusalOf(through, this.#after)}`;
      return this.#stop(way, { what, why, others: true, policy: null });
    }
    return null;
  }

  /** Packets that would leave without masquerading, so that no answer comes back. */
  #masquerade(way: WayOf, all: readonly Opening[]): Stop | null {
    const masquerader = masqueraderOf(way, this.#before);
    const forwards = all.length > 0 && openingsOf(way, this.#after, this.#version).length > 0;
    if (masquerader === null || way.family !== 'ipv4' || !forwards) return null;
    if (masqueraderOf(way, this.#after) !== null || zoneOf(this.#before, way.from).name === 'docker') return null;
    const owner = masquerader.slice(masquerader.indexOf(' ') + 1);
    return this.#stop(way, {
      what: 'masquerading',
      why: `because ${masquerader} masquerades`,
      others: !isOurs(owner),
      policy: null,
    });
  }

  /** Forward ports that stop, for packets that come in by an interface. */
  ofPorts(name: string): Stop[] {
    if (this.#input.starts) return [];
    const own = this.#input.facts.interfaces.find((item) => item.name === name)?.addresses ?? [];
    return forwardPortsOf(name, this.#before).flatMap((item): Stop[] => {
      const family: Family = item.target.startsWith('[') ? 'ipv6' : 'ipv4';
      if (!familiesOf(name, this.#input.facts.forwarding).includes(family)) return [];
      const address = own.find((one) => one.family === family)?.address;
      const ends = (before: Filter, after: Filter) => {
        const at = { interface: name, address: address ?? '', family };
        const fate = address === undefined ? null : fateOfPort(item, at, before, after);
        if (fate !== null) return fate === 'stops';
        return !forwardPortsOf(name, after).some(
          ({ port, protocol, target }) => port === item.port && protocol === item.protocol && target === item.target,
        );
      };
      if (!ends(this.#before, this.#after)) return [];
      const what = `${item.port}/${item.protocol} of the host`;
      const why = `because ${item.owner} has a forward port for it`;
      const policy = null;
      return [
        this.#stop(
          { from: name, to: item.target, family },
          { what, why, others: !isOurs(item.owner.replace(/^\w+ /, '')), policy },
        ),
      ];
    });
  }

  #stop(
    way: WayOf,
    {
      policy,
      when = 'now',
      ...given
    }: Pick<Stop, 'what' | 'why' | 'others'> & {
      readonly policy: string | null;
      readonly when?: Stop['when'];
    },
  ): Stop {
    const [ingress, egress] = [way.from, way.to].map((name) => zoneOf(this.#after, name).name);
    const keep =
      policy === null
        ? ''
        : `; to forward it again, add the new zones to policy ${policy}: firewall-cmd --permanent --policy=${policy} --add-ingress-zone=${ingress} --add-egress-zone=${egress}`;
    return {
      ...way,
      ...given,
      when,
      solve: `to apply anyway: --accept-forwarding-stop ${this.#input.host}${keep}`,
    };
  }

  get #version(): string {
    return this.#input.firewalld.version;
  }
}

function runsDocker({ facts }: ForwardingInput): boolean {
  return facts.writers.units.some((name) => name.startsWith('docker'));
}

/** One sentence for all that stops from one interface for one reason. */
function grouped(stops: readonly Stop[], input: ForwardingInput): { readonly text: string; readonly stop: Stop }[] {
  const groups = new Map<string, { stop: Stop; families: Set<string>; targets: Set<string>; what: Set<string> }>();
  // Both families of a way share a sentence if they are treated alike.
  const families = new Map<string, Set<Family>>();
  const same = ({ from, to, what, why, when }: Stop) => [from, to, what ?? '', why, when].join('\n');
  for (const stop of stops) families.set(same(stop), (families.get(same(stop)) ?? new Set()).add(stop.family));
  for (const stop of stops) {
    const both = [...families.get(same(stop))!].map((family) => (family === 'ipv4' ? 'IPv4' : 'IPv6'));
    const whole = stop.what === null ? '' : 'part';
    const key = [stop.from, both.join(' and '), stop.why, stop.when, whole, whole === '' ? '' : stop.to].join('\n');
    const group = groups.get(key) ?? { stop, families: new Set(both), targets: new Set(), what: new Set() };
    group.targets.add(stop.to);
    if (stop.what !== null) group.what.add(stop.what);
    groups.set(key, group);
  }
  const docker = runsDocker(input)
    ? "; ports that Docker publishes stay reachable; a container's own address is reachable only where Docker's zone allows it"
    : '';
  return [...groups.values()].map(({ stop, families: both, targets, what }) => {
    const part = what.size === 0 ? '' : ` (${few([...what])})`;
    return {
      stop,
      text: `${[...both].join(' and ')} from ${stop.from} to ${few([...targets])}${part} is forwarded now, ${stop.why}, and will no longer be forwarded${stop.when === 'now' ? '' : ' after the next reload or reboot'}; established connections continue${docker}`,
    };
  });
}

/** Before 1.0 a zone with the default target lets all ICMP be forwarded out of it. */
function pings(input: ForwardingInput, ways: readonly Way[], after: Filter): PolicyNote[] {
  if (compareVersions(input.firewalld.version, BY_INGRESS_ALONE) >= 0) return [];
  const open = ways.filter(({ from, to }) => {
    const entered = zoneOf(after, from);
    return isOurs(entered.name) && isOurs(zoneOf(after, to).name) && entered.target === 'default';
  });
  if (open.length === 0) return [];
  const pairs = [...new Set(open.map(({ from, to }) => `from ${from} to ${to}`))];
  const text = `firewalld ${input.firewalld.version} forwards ICMP (ping) ${few(pairs)}, independent of what the zones open, because their target is the default; portfw_zone_target: reject (or drop) stops this`;
  return [warning('forwards-icmp', text)];
}
