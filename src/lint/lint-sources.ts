import { contains, parseNetwork } from '../core/addresses.ts';
import { threeShown } from '../core/lists.ts';
import { shown } from '../core/shown.ts';
import type { MatrixRule } from '../matrix/matrix.ts';
import { ruleSelectors } from '../matrix/selectors.ts';
import { allowSelector, intersection } from '../policy/sources.ts';
import { meansAnyone, peerWarnings } from '../settings/addresses-of-hosts.ts';
import type { HostSettings } from '../settings/settings-types.ts';
import { type Finding, hostNames, type LintCheck, type LintWorld } from './lint-world.ts';

/** Checks of who may connect: peers, `portfw_allow_from`, lists of sources. */
export const SOURCE_CHECKS: readonly LintCheck[] = [
  { code: 'unreachable-rule', find: unreachableRules },
  { code: 'empty-peers', find: emptyPeers },
  { code: 'unused-peers', find: unusedPeers },
  { code: 'empty-allow-from', find: emptyAllowFrom },
  { code: 'unused-allow-from', find: unusedAllowFrom },
  { code: 'not-narrowed', find: notNarrowed },
  { code: 'repeated-source', find: repeatedSources },
  { code: 'source-is-everyone', find: everyone },
  { code: 'unknown-address', find: unknownAddresses },
  { code: 'private-without-peers', find: privateWithoutPeers },
];

/** Peer sets without a known address that rules open to: each once, with the roles whose rules admit nobody. */
function unreachableRules(world: LintWorld): Finding[] {
  const found = new Map<string, { set: string; host: HostSettings; hosts: HostSettings[]; uses: SetUse[] }>();
  for (const host of world.managed) {
    for (const { set, uses } of emptySets(world, host)) {
      const key = JSON.stringify([world.matrixOf(host)?.name, set]);
      const same = found.get(key) ?? { set, host, hosts: [], uses: [] };
      same.hosts.push(host);
      same.uses.push(...uses);
      found.set(key, same);
    }
  }
  return [...found.values()].map(({ set, host, hosts, uses }) => ({
    what: `the peer set ${shown(set)} has no member with a known address: ${rulesOf(uses)} ${admitNobody(uses)} on ${hostNames(hosts)}`,
    solve: memberHint(world, host, set),
    location: world.place(host, ['portfw_roles']),
  }));
}

function memberHint(world: LintWorld, host: HostSettings, set: string): string {
  const { roles, site } = defaultsOf(world, host, set);
  if (roles.length > 0)
    return `Give the machines portfw_roles: [${roles.join('] or [')}] and an address, or name them in portfw_peers.${set}`;
  return site
    ? `Give the other servers of the site an address and check portfw_site, or name them in portfw_peers.${set}`
    : `Name their machines in portfw_peers.${set}`;
}

/** Who the matrix says is in a peer set where the inventory says nothing. */
function defaultsOf(
  world: LintWorld,
  host: HostSettings,
  set: string,
): { readonly roles: readonly string[]; readonly site: boolean } {
  const { roles = [], site = false } = world.matrixOf(host)?.peers.get(set) ?? {};
  return { roles, site };
}

/** A rule that opens to a peer set, and its role. */
interface SetUse {
  readonly role: string;
  readonly rule: string;
}

/** What a host's rules open to, by peer set: the rules of the roles that it surely plays. */
function setUses(world: LintWorld, host: HostSettings): ReadonlyMap<string, readonly SetUse[]> {
  const sets = new Map<string, SetUse[]>();
  for (const role of world.sureRoles(host)) {
    for (const { rule } of world.standing(host, role)) {
      if (rule.from === 'any') continue;
      sets.set(rule.from, [...(sets.get(rule.from) ?? []), { role: role.name, rule: rule.id }]);
    }
  }
  return sets;
}

/** The peer sets that a host's rules open to, that it does not name itself, and that have no address. */
function emptySets(
  world: LintWorld,
  host: HostSettings,
): readonly { readonly set: string; readonly uses: readonly SetUse[] }[] {
  return [...setUses(world, host)].flatMap(([set, uses]) =>
    // An entry of its own that leads nowhere is blamed itself.
    host.peers[set] !== undefined || world.peerAddresses(host, set).length > 0 ? [] : [{ set, uses }],
  );
}

/** `the rules of "gcems" (gcems/control/tcp/20, gcems/control/tcp/21 and 11 more)`. */
function rulesOf(uses: readonly SetUse[]): string {
  const rules = [...new Set(uses.map(({ rule }) => rule))];
  const roles = [...new Set(uses.map(({ role }) => role))];
  const more = rules.length <= 2 ? '' : ` and ${rules.length - 2} more`;
  return `the ${rules.length === 1 ? 'rule' : 'rules'} of ${threeShown(roles)} (${rules.slice(0, 2).join(', ')}${more})`;
}

function admitNobody(uses: readonly SetUse[]): string {
  return new Set(uses.map(({ rule }) => rule)).size === 1 ? 'admits nobody' : 'admit nobody';
}

function emptyPeers(world: LintWorld): Finding[] {
  const values = world.shared(world.managed, (host) =>
    Object.entries(host.peers)
      .filter(([, names]) => world.resolve(names).addresses.length === 0)
      .map(([set]) => ({ value: set, location: world.place(host, ['portfw_peers', set]) })),
  );
  return values.map(({ value, location, hosts }) => ({
    what: `the peer set ${shown(value)} is empty: no address is known of what the list names${closedBy(world, value, hosts)}`,
    solve: 'Name machines that have an address (ansible_host or portfw_addresses), or leave the entry out',
    location,
  }));
}

/** Which rules admit nobody because a peer set is empty. */
function closedBy(world: LintWorld, set: string, hosts: readonly HostSettings[]): string {
  const uses = hosts.flatMap((host) => setUses(world, host).get(set) ?? []);
  return uses.length === 0 ? '' : `, so ${rulesOf(uses)} ${admitNobody(uses)}`;
}

function unusedPeers(world: LintWorld): Finding[] {
  const values = world.shared(world.managed, (host) =>
    Object.keys(host.peers).map((set) => ({ value: set, location: world.place(host, ['portfw_peers', set], 'key') })),
  );
  return values.flatMap(({ value, location, hosts }) => {
    const known = hosts.filter((host) => world.matrixOf(host)?.peers.has(value) === true);
    const used = known.some((host) =>
      world.possibleRoles(host).some((role) => world.standing(host, role).some(({ rule }) => rule.from === value)),
    );
    if (known.length === 0 || used) return [];
    return [
      {
        what: `no rule of ${hostNames(hosts)} opens towards the peers ${shown(value)}`,
        solve: 'Set it for the hosts whose roles have such rules, turn their feature on, or leave it out',
        location,
      },
    ];
  });
}

/** The entries of `portfw_allow_from` by place, with the hosts that may play the role. */
function allowances(world: LintWorld) {
  return world.shared(world.managed, (host) =>
    Object.entries(host.allowFrom).map(([selector, names]) => ({
      value: { selector, names },
      location: world.place(host, ['portfw_allow_from', selector], 'key'),
    })),
  );
}

/** The rules of a host that an entry of `portfw_allow_from` decides about. */
function decided(world: LintWorld, host: HostSettings, selector: string) {
  return world
    .possibleRoles(host)
    .flatMap((role) => world.standing(host, role))
    .filter(({ rule }) => allowSelector(rule, host.allowFrom) === selector);
}

function emptyAllowFrom(world: LintWorld): Finding[] {
  return allowances(world).flatMap(({ value: { selector, names }, location, hosts }) => {
    if (meansAnyone(names)) return [];
    const allowed = world.resolve(names).addresses;
    if (allowed.length === 0) {
      return [
        {
          what: `portfw_allow_from leaves no source for ${shown(selector)}: no address is known of what it names`,
          solve: 'Name machines that have an address (ansible_host or portfw_addresses), or leave the entry out',
          location,
        },
      ];
    }
    const shut = hosts.flatMap((host) =>
      decided(world, host, selector)
        .filter(({ rule }) => rule.from !== 'any' && apart(world, host, rule, allowed))
        .map(({ rule }) => rule.from),
    );
    if (shut.length === 0) return [];
    return [
      {
        what: `portfw_allow_from leaves no source for ${shown(selector)}: it has no address in common with the peers ${threeShown([...new Set(shut)])}`,
        solve: 'For a rule towards peers both must agree: name some of the peers here, or leave the entry out',
        location,
      },
    ];
  });
}

function apart(world: LintWorld, host: HostSettings, rule: MatrixRule, allowed: readonly string[]): boolean {
  const peers = world.peerAddresses(host, rule.from);
  return peers.length > 0 && intersection(peers, allowed).length === 0;
}

function unusedAllowFrom(world: LintWorld): Finding[] {
  return allowances(world).flatMap(({ value: { selector }, location, hosts }) => {
    const covered = hosts.filter((host) => world.matrixOf(host) !== null);
    if (covered.length === 0) return [];
    const name = selector.split('/')[0] ?? '';
    const players = covered.filter((host) => world.possibleRoles(host).some((role) => role.name === name));
    if (players.length === 0) {
      return [
        {
          what: `portfw_allow_from narrows the role ${shown(name)}, which ${hostNames(hosts)} ${hosts.length === 1 ? 'does' : 'do'} not play`,
          solve: 'Set it for the hosts that play the role, or leave it out',
          location,
        },
      ];
    }
    const selected = players.flatMap((host) =>
      world
        .possibleRoles(host)
        .flatMap((role) => role.rules.filter((rule) => ruleSelectors(rule).includes(selector)))
        .map((rule) => ({ rule, on: rule.feature === null || world.features(host).has(rule.feature) })),
    );
    const features = selected.flatMap(({ rule, on }) => (on || rule.feature === null ? [] : [rule.feature]));
    if (selected.length === 0 || selected.some(({ on }) => on)) return [];
    return [
      {
        what: `portfw_allow_from narrows ${shown(selector)}, and the feature ${threeShown([...new Set(features)])} that opens it is off`,
        solve: 'Turn it on with portfw_features, or leave the entry out',
        location,
      },
    ];
  });
}

/** Who narrows a rule on a trusted interface narrows nothing. */
function notNarrowed(world: LintWorld): Finding[] {
  const trusting = (host: HostSettings): boolean =>
    world.privateMode(host) === 'trusted' && host.interfaces.private.length > 0;
  const solve = 'It has an effect only with portfw_private set to "peers" or "matrix"';
  const entries = allowances(world).flatMap(({ value: { selector, names }, location, hosts }) => {
    if (meansAnyone(names)) return [];
    const idle = hosts.filter(
      (host) => trusting(host) && decided(world, host, selector).some((standing) => standing.interface === 'private'),
    );
    return idle.length === 0 ? [] : [{ what: `portfw_allow_from narrows ${shown(selector)}`, idle, location }];
  });
  const rules = world
    .shared(world.managed.filter(trusting), (host) =>
      host.extraRules
        .filter((rule) => rule.interface === 'private' && rule.from !== null && !meansAnyone(rule.from))
        .map((rule) => ({ value: rule.name, location: rule.location })),
    )
    // Who writes "trusted" out knows of it, and the rule is there for the day when that changes.
    .flatMap(({ value, location, hosts }) =>
      hosts.every((host) => host.private === 'trusted')
        ? []
        : [{ what: `the extra rule ${shown(value)} limits who may connect`, idle: hosts, location }],
    );
  return [...entries, ...rules].map(({ what, idle, location }) => ({
    what: `${what}, but ${hostNames(idle)} ${idle.length === 1 ? 'trusts' : 'trust'} the private side as a whole, so anybody there may connect`,
    solve,
    location,
  }));
}

/** Sources that another one of the same list holds already. */
function repeatedSources(world: LintWorld): Finding[] {
  const values = world.shared(world.hosts, (host) =>
    world.sourceLists(host).flatMap(({ path, sources }) =>
      sources.flatMap((source, index) => {
        const wider = sources.find((other, at) => at !== index && holds(world, other, source, at < index));
        return wider === undefined ? [] : [{ value: { source, wider }, location: world.place(host, [...path, index]) }];
      }),
    ),
  );
  return values.map(({ value: { source, wider }, location }) => ({
    what:
      source === wider
        ? `${shown(source)} is in the list twice`
        : `${shown(source)} is already part of ${shown(wider)} in the same list`,
    solve: 'Remove it, or remove the wider one if that was not meant',
    location,
  }));
}

/** Whether one source takes in another; of two that mean the same, the later one is blamed. */
function holds(world: LintWorld, wider: string, source: string, earlier: boolean): boolean {
  if (wider === source) return earlier;
  const [outer, inner] = [parseNetwork(wider), parseNetwork(source)];
  if (outer !== null && inner !== null) {
    return contains(outer, inner) && (!contains(inner, outer) || earlier);
  }
  const group = world.inventory.groups.get(wider);
  if (group === undefined) return false;
  if (!world.inventory.groups.has(source)) return group.allHosts.includes(source);
  const members = world.inventory.groups.get(source)?.allHosts ?? [];
  const all = members.length > 0 && members.every((member) => group.allHosts.includes(member));
  return all && (members.length < group.allHosts.length || earlier);
}

function everyone(world: LintWorld): Finding[] {
  const values = world.shared(world.hosts, (host) =>
    world
      .sourceLists(host)
      .flatMap(({ path, sources }) =>
        sources.flatMap((source, index) =>
          parseNetwork(source)?.prefix === 0
            ? [{ value: { source, variable: String(path[0]) }, location: world.place(host, [...path, index]) }]
            : [],
        ),
      ),
  );
  return values.map(({ value: { source, variable }, location }) => ({
    what: `${shown(source)} covers all addresses`,
    solve:
      variable === 'portfw_allow_from' || variable === 'portfw_extra_rules'
        ? 'Write "any" if anyone may connect; otherwise name the networks'
        : 'Name the networks that are meant',
    location,
  }));
}

function unknownAddresses(world: LintWorld): readonly Finding[] {
  return peerWarnings(world.inventory, world.everyone).map(({ what, solve, location }) => ({
    what,
    solve,
    location,
  }));
}

function privateWithoutPeers(world: LintWorld): Finding[] {
  const lonely = world.managed.filter((host) => {
    if (world.privateMode(host) === 'trusted' || host.interfaces.private.length === 0) return false;
    if (world.matrixOf(host) === null) return false;
    return !world.siteOf(host).some((other) => other.name !== host.name && world.addressesOf(other).length > 0);
  });
  const values = world.shared(lonely, (host) => [
    { value: world.privateMode(host), location: world.place(host, ['portfw_private']) },
  ]);
  return values.map(({ value, location, hosts }) => ({
    what: `portfw_private is ${shown(value)}, and no address of another server of the site is known to ${hostNames(hosts)}`,
    solve: 'Give the other servers ansible_host or portfw_addresses, and check portfw_site',
    location,
  }));
}
