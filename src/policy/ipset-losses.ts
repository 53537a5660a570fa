import { addressRanges, sameRanges, subtract } from '../core/address-ranges.ts';
import type { AddressFamily } from '../core/addresses.ts';
import { OUR_PREFIX } from '../firewalld/model.ts';
import type { Reason } from './desired.ts';
import { interfacesOf } from './interfaces.ts';
import { type LossGround, matrixBefore } from './loss-ground.ts';
import type { Loss } from './loss-types.ts';
import { ipsetName, slug } from './names.ts';
import type { SourceSet } from './sources.ts';

type NamedSet = Extract<SourceSet, { kind: 'set' }>;

/** Why an ipset on the host is not desired, or not with all of its entries. The answer is `null` where it is not known. */
export class IpsetLosses {
  readonly #ground: LossGround;
  readonly #ofRole: (role: string) => Loss;

  /** @param ofRole says why a role that the host does not play opens nothing */
  constructor(ground: LossGround, ofRole: (role: string) => Loss) {
    this.#ground = ground;
    this.#ofRole = ofRole;
  }

  ofIpset(name: string): readonly Reason[] | null {
    const { input } = this.#ground;
    const stem = name.slice(OUR_PREFIX.length).replace(/-6$/, '');
    if (stem === 'site') return [this.#ofSite()];
    if (stem === 'cluster') return [this.#ofCluster(name)];
    if (stem === 'management') return [this.#unused(name, 'portfw_management')];
    const extra = input.settings.extraRules.find((rule) => isNamed(name, `extra-${slug(rule.name)}`));
    if (extra !== undefined) return [this.#ofExtraRule(name, extra.name)];
    if (stem.startsWith('extra-')) return [{ kind: 'extra-rule-gone', name: stem.slice('extra-'.length) }];
    if (stem.startsWith('from-')) return this.#ofSelector(name, stem.slice('from-'.length));
    if (stem.startsWith('peer-')) return [this.#ofPeerSet(name, stem.slice('peer-'.length))];
    return null;
  }

  ofEntries(name: string, entries: readonly string[]): readonly Reason[] | null {
    const { desired, opened } = this.#ground;
    const sets = opened.flatMap(({ opening: { sources } }) => (sources.kind === 'set' ? [sources] : []));
    const set = sets.find(({ stem }) => isNamed(name, stem));
    const item = desired.ipsets.get(name);
    if (set !== undefined && item !== undefined) return lostEntries(set, entries, item.value.family);
    const [reason] = item?.reasons ?? [];
    return reason === undefined ? null : [{ kind: 'peers-gone', of: groupText(reason) }];
  }

  #ofSite(): Loss | Reason {
    const { input, map } = this.#ground;
    if (input.privateMode === 'trusted') return { kind: 'private-mode', mode: 'trusted' };
    if (interfacesOf(map, 'private').length === 0) return { kind: 'side-gone', sides: ['private'] };
    return { kind: 'no-peers', of: `the site's servers (${input.peers.site().from})` };
  }

  #ofCluster(name: string): Loss | Reason {
    const { input, desired } = this.#ground;
    const { matrix, roles, features, peers } = input;
    const clusters = peers.clusters({ roles, features, clusters: matrix.clusters.values() });
    const known = clusters.flatMap(({ addresses }) => addresses);
    if (clusters.length === 0) return { kind: 'no-cluster' };
    if (known.length === 0 || hasFamily(known, name) === false) return { kind: 'no-peers', of: 'the cluster' };
    return [...desired.zones.values()].some(({ reasons }) => reasons.some(({ kind }) => kind === 'private-mode'))
      ? { kind: 'private-mode', mode: 'trusted' }
      : { kind: 'no-cluster' };
  }

  #ofExtraRule(name: string, rule: string): Loss {
    const { unopened } = this.#ground;
    const closed = unopened.find(({ owner }) => owner.kind === 'extra' && owner.name === rule);
    return closed?.loss ?? this.#unused(name, `extra rule "${rule}"`);
  }

  /** An ipset of `portfw_allow_from`: a selector begins with its role. */
  #ofSelector(name: string, rest: string): readonly Reason[] | null {
    const { matrix, roles, settings, facts } = this.#ground.input;
    const known = [...matrix.roles.keys(), ...(facts.remembered?.roles ?? [])];
    const of = known.filter((role) => rest === slug(role) || rest.startsWith(`${slug(role)}-`));
    const role = of.sort((a, b) => b.length - a.length)[0];
    if (role === undefined) return null;
    if (!roles.includes(role)) return [this.#ofRole(role)];
    const selector = Object.keys(settings.allowFrom).find((item) => isNamed(name, `from-${slug(item)}`));
    return [this.#unused(name, `portfw_allow_from (${selector ?? role})`)];
  }

  /** An ipset of one of the matrix's peer sets: the rows that name it open nothing here. */
  #ofPeerSet(name: string, rest: string): Loss {
    const { input, opened, unopened } = this.#ground;
    const { matrix, roles } = input;
    const set = [...matrix.peers.keys()]
      .filter((item) => rest === item || rest.startsWith(`${item}-`) || isNamed(name, `peer-${item}`))
      .sort((a, b) => b.length - a.length)[0];
    if (set === undefined) return { kind: 'peer-set-gone', matrix: matrix.name, before: matrixBefore(input) };
    const users = [...matrix.roles.values()].filter(({ rules }) =>
      rules.some(({ from, fromPublic }) => from === set || fromPublic === set),
    );
    const played = users.filter((role) => roles.includes(role.name));
    if (users.length > 0 && played.length === 0) {
      const before = users.find((role) => input.facts.remembered?.roles.includes(role.name) === true);
      return this.#ofRole((before ?? users[0]!).name);
    }
    const closed = unopened.find(
      ({ owner, service }) => played.some(({ name: role }) => role === owner.name) && service.includes(`-${set}`),
    );
    if (closed !== undefined) return closed.loss;
    const narrowed = opened
      .flatMap(({ opening: { sources } }) =>
        sources.kind === 'set' && setName(sources) === set ? [sources.narrowed] : [],
      )
      .find((item) => item !== null);
    return narrowed === undefined
      ? this.#unused(name, `peer set "${set}"`)
      : { kind: 'narrowed', by: narrowed.by, to: narrowed.to };
  }

  /** Of an ipset that nothing names: either it has no address of the family, or nothing is narrowed to it. */
  #unused(name: string, by: string): Loss {
    const { opened } = this.#ground;
    const used = opened.some(({ opening: { sources } }) => sources.kind === 'set' && isNamed(name, sources.stem));
    return used ? { kind: 'no-peers', of: by } : { kind: 'not-narrowed', by };
  }
}

function lostEntries(set: NamedSet, entries: readonly string[], family: AddressFamily): Reason[] {
  const { narrowed, reason } = set;
  const gone: Loss = {
    kind: 'peers-gone',
    of: narrowed === null ? groupText(reason) : narrowed.by,
  };
  if (narrowed === null || narrowed.wide === null) return [gone];
  const lost = addressRanges(entries, family) ?? [];
  const outside = subtract(lost, addressRanges(narrowed.wide, family) ?? []);
  const shrunk: Loss = { kind: 'narrowed', by: narrowed.by, to: narrowed.to };
  if (outside.length === 0) return [shrunk];
  const left: Loss = { kind: 'peers-gone', of: groupText(reason) };
  return sameRanges(outside, lost) ? [left] : [shrunk, left];
}

function setName({ reason }: NamedSet): string | null {
  return reason.kind === 'peers' ? reason.set : null;
}

/** Whom an ipset holds, in words. */
function groupText(reason: Reason): string {
  switch (reason.kind) {
    case 'peers':
      return reason.set === 'site' ? "the site's servers" : `peer set "${reason.set}"`;
    case 'extra-rule':
      return `extra rule "${reason.name}"`;
    case 'cluster':
      return `cluster "${reason.group}"`;
    case 'role-cluster':
      return `cluster "${reason.cluster}"`;
    case 'shared-address':
      return `the hosts that share ${reason.address}`;
    default:
      return 'those who may connect';
  }
}

function isNamed(name: string, stem: string): boolean {
  return name === ipsetName(stem, 'ipv4') || name === ipsetName(stem, 'ipv6');
}

function hasFamily(addresses: readonly string[], name: string): boolean {
  return addresses.some((address) => address.includes(':') === name.endsWith('-6'));
}
