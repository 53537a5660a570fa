import { contains, parseAddress, parseNetwork } from '../../../../src/core/addresses.ts';
import type { Dispatch } from '../../../../src/firewalld/stock.ts';

/** A rich rule as firewalld.richlanguage(5) has it, in parts. */
export interface Rule {
  readonly priority: number;
  readonly source: { readonly kind: 'address' | 'ipset' | 'mac'; readonly value: string; readonly not: boolean } | null;
  readonly destination: string | null;
  readonly element: 'none' | 'ssh' | 'port' | 'other-port' | 'tcp' | 'udp';
  readonly action: 'accept' | 'drop' | 'reject';
}

export interface Zone {
  readonly name: string;
  readonly priority: number;
  readonly target: 'default' | 'ACCEPT' | 'DROP' | '%%REJECT%%';
  readonly interfaces: readonly string[];
  readonly sources: readonly string[];
  readonly ssh: boolean;
  readonly port: boolean;
  readonly forwarded: boolean;
  readonly rules: readonly Rule[];
}

export interface Policy {
  readonly name: string;
  readonly priority: number;
  readonly target: 'CONTINUE' | 'ACCEPT' | 'DROP' | 'REJECT';
  readonly ingress: readonly string[];
  readonly ssh: boolean;
  readonly rules: readonly Rule[];
}

export interface World {
  readonly dispatch: Dispatch;
  readonly defaultZone: string;
  readonly zones: readonly Zone[];
  readonly policies: readonly Policy[];
  readonly ipsets: Readonly<Record<string, readonly string[]>>;
}

/** A TCP SYN to port 22. */
export interface Packet {
  readonly source: string;
  readonly mac: string;
  readonly destination: string;
  readonly interface: string;
}

type Verdict = 'accept' | 'refuse' | 'go on';

const within = (address: string, networks: readonly string[]) =>
  networks.some((network) => contains(parseNetwork(network)!, parseAddress(address)!));

/**
 * Takes one packet through firewalld, rule by rule, as its nftables ruleset would: the ground truth that the proof is
 * held against. It knows nothing of sets of addresses, nor of the proof's code.
 *
 * @param shuffled an order for what has none: rules and policies of one priority
 */
export function letsIn(world: World, packet: Packet, shuffled: <T>(items: readonly T[]) => readonly T[]): boolean {
  const ordered = <T extends { readonly priority: number }>(items: readonly T[]) =>
    [...shuffled(items)].sort((a, b) => a.priority - b.priority);

  const about = (rule: Rule): boolean => {
    if (rule.destination !== null && rule.destination !== packet.destination) return false;
    if (rule.source !== null) {
      const { kind, value, not } = rule.source;
      const hit =
        kind === 'mac'
          ? value === packet.mac
          : within(packet.source, kind === 'ipset' ? world.ipsets[value]! : [value]);
      if (hit === not) return false;
    }
    return rule.element !== 'other-port' && rule.element !== 'udp';
  };
  const take = (rules: readonly Rule[]): Verdict => {
    for (const rule of rules) if (about(rule)) return rule.action === 'accept' ? 'accept' : 'refuse';
    return 'go on';
  };
  const firstOf = (...steps: readonly (() => Verdict)[]): Verdict => {
    for (const step of steps) {
      const said = step();
      if (said !== 'go on') return said;
    }
    return 'go on';
  };
  const rulesOf = (rules: readonly Rule[], open: boolean): Verdict =>
    firstOf(
      () => take(ordered(rules.filter((rule) => rule.priority < 0))),
      () => take(rules.filter((rule) => rule.priority === 0 && rule.action !== 'accept')),
      () => (open ? 'accept' : take(rules.filter((rule) => rule.priority === 0 && rule.action === 'accept'))),
      () => take(ordered(rules.filter((rule) => rule.priority > 0))),
    );
  const target = (text: string): Verdict =>
    text === 'ACCEPT' ? 'accept' : text === 'default' || text === 'CONTINUE' ? 'go on' : 'refuse';

  const binds = (zone: Zone) => zone.sources.some((source) => sourceHits(source));
  const sourceHits = (source: string): boolean =>
    source.startsWith('ipset:')
      ? within(packet.source, world.ipsets[source.slice(6)]!)
      : parseNetwork(source) === null
        ? source === packet.mac
        : within(packet.source, [source]);
  const holds = (zone: Zone) => zone.interfaces.includes(packet.interface);

  const policies = (early: boolean, zone: Zone | null): Verdict => {
    for (const policy of ordered(world.policies.filter(({ priority }) => priority < 0 === early))) {
      if (!reached(policy, zone)) continue;
      const said = firstOf(
        () => rulesOf(policy.rules, policy.ssh),
        () => target(policy.target),
      );
      if (said !== 'go on') return said;
    }
    return 'go on';
  };
  const reached = (policy: Policy, zone: Zone | null): boolean => {
    if (policy.ingress.includes('ANY')) return true;
    if (world.dispatch === '2') return policy.ingress.includes(zone!.name);
    const zones = world.zones.filter(({ name }) => policy.ingress.includes(name));
    return zones.some((one) => holds(one) || binds(one));
  };

  const inZone = (zone: Zone): Verdict => {
    const own = () => rulesOf(zone.rules, zone.ssh || zone.port);
    if (world.dispatch === 'drifting' || world.dispatch === '0') return firstOf(own, () => target(zone.target));
    const said = firstOf(
      () => policies(true, zone),
      own,
      () => policies(false, zone),
      () => target(zone.target),
    );
    return said === 'go on' ? 'refuse' : said;
  };

  const byName = [...world.zones].sort((a, b) => (a.name < b.name ? -1 : 1));
  const fallback = world.zones.find(({ name }) => name === world.defaultZone)!;
  const bySource = byName.find(binds);
  const byInterface = byName.find(holds) ?? fallback;
  const asked = (() => {
    switch (world.dispatch) {
      case 'drifting':
        return bySource === undefined ? [byInterface] : [bySource, byInterface];
      case '0':
      case '1':
        return [bySource ?? byInterface];
      case '2': {
        const candidates = byName.filter((zone) => binds(zone) || holds(zone));
        const rank = (zone: Zone) => [zone.priority, binds(zone) ? 1 : 2] as const;
        candidates.sort((a, b) => rank(a)[0] - rank(b)[0] || rank(a)[1] - rank(b)[1]);
        return [candidates[0] ?? fallback];
      }
    }
  })();
  // A zone's forward port takes the packet away before anything is filtered.
  if (asked.some((zone) => zone.forwarded)) return false;
  if (world.dispatch === '1' || world.dispatch === '2') return inZone(asked[0]!) === 'accept';
  const said = firstOf(
    () => policies(true, null),
    ...asked.map((zone) => () => inZone(zone)),
    () => policies(false, null),
  );
  return said === 'accept';
}

/** A rule as firewalld spells it. */
export function ruleText(rule: Rule): string {
  const element = {
    none: '',
    ssh: 'service name="ssh"',
    port: 'port port="20-25" protocol="tcp"',
    'other-port': 'port port="80" protocol="tcp"',
    tcp: 'protocol value="tcp"',
    udp: 'port port="22" protocol="udp"',
  }[rule.element];
  const { source } = rule;
  const parts = [
    'rule',
    rule.priority === 0 ? '' : `priority="${rule.priority}"`,
    source?.kind === 'mac' ? '' : 'family="ipv4"',
    source === null ? '' : `source ${source.not ? 'NOT ' : ''}${source.kind}="${source.value}"`,
    rule.destination === null ? '' : `destination address="${rule.destination}"`,
    element,
    rule.action,
  ];
  return parts.filter((part) => part !== '').join(' ');
}
