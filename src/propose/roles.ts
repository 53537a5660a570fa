import { few, three } from '../core/lists.ts';
import type { Matrix } from '../matrix/matrix.ts';
import { detectRoles } from '../roles/detect.ts';
import type { Evidence, RoleFindings } from '../roles/findings.ts';
import { PORTFW_SCHEMAS } from '../settings/schema.ts';
import {
  type Candidate,
  choice,
  isSet,
  line,
  type Proposal,
  type Seen,
  type SeenHost,
  type SettingOf,
  sorted,
} from './proposals.ts';
import { placeSettings } from './scopes.ts';

/** What a playbook's matrix makes of one host. */
interface Fit {
  readonly matrix: Matrix;
  readonly findings: RoleFindings;
  readonly found: number;
}

/** What all playbooks make of all hosts: playbook, host. */
type Fits = ReadonlyMap<string, ReadonlyMap<string, Fit>>;

/** What is proposed of playbooks and roles, and what follows from them. */
export interface RoleProposals {
  readonly proposals: readonly Proposal[];
  /** Hosts with the role for which they need a virtual address. */
  readonly needVirtual: ReadonlyMap<string, string>;
}

/**
 * The playbook whose matrix finds its roles on most hosts, another one for the hosts on which only that one does, and the roles
 * of each host under its playbook. Roles that are found need no line; where the evidence does not decide, the operator does.
 */
export function proposeRoles(seen: Seen): RoleProposals {
  const fits: Fits = new Map(seen.playbooks.map((playbook) => [playbook.name, fitsOf(playbook, seen.hosts)]));
  const [main] = ranked(seen, fits);
  if (main === undefined) return { proposals: [], needVirtual: new Map() };
  const own = new Map(seen.hosts.map((host) => [host.name, playbookOf(host, main, seen, fits)] as const));
  const values = new Map<string, SettingOf<'portfw_playbook'>>();
  for (const host of seen.hosts) {
    const playbook = own.get(host.name)!;
    if (!isSet(host, 'portfw_playbook') && PORTFW_SCHEMAS.portfw_playbook.safeParse(playbook).success)
      values.set(host.name, { variable: 'portfw_playbook', playbook });
  }
  // Every host needs one, also those that were not seen.
  const placed = placeSettings(values, seen, 'portfw_playbook', 0);
  const lines = placed.map(({ scope, setting, hosts }) => {
    const settled = hosts.filter((host) => fits.get(setting.playbook)?.get(host)?.findings.verdict.kind === 'settled');
    return line(
      scope,
      setting,
      evidenceOf(setting.playbook, hosts, settled, fits),
      checkOf(setting.playbook, hosts, settled, fits),
    );
  });
  const fitOf = (host: SeenHost): Fit | undefined => fits.get(own.get(host.name)!)?.get(host.name);
  const needVirtual = seen.hosts.flatMap((host) => {
    const role = needsVirtual(fitOf(host));
    return role === null ? [] : [[host.name, role] as const];
  });
  return {
    proposals: [...lines, ...seen.hosts.flatMap((host) => rolesOf(host, fitOf(host)))],
    needVirtual: new Map(needVirtual),
  };
}

/** The first role that opens ports on virtual addresses whatever is turned on. */
function needsVirtual(fit: Fit | undefined): string | null {
  const opens = (role: string): boolean =>
    fit?.matrix.roles.get(role)?.rules.some((rule) => rule.interface === 'vip' && rule.feature === null) === true;
  return detected(fit).find(opens) ?? null;
}

function fitsOf(playbook: Candidate, hosts: readonly SeenHost[]): ReadonlyMap<string, Fit> {
  const fits = new Map<string, Fit>();
  for (const host of hosts) {
    const matrix = playbook.playOf(host.name)?.matrix;
    if (matrix === undefined) continue;
    const remembered = host.facts.remembered?.roles ?? null;
    const findings = detectRoles({ matrix, facts: host.facts, declared: host.settings.roles, remembered });
    const found = findings.roles.filter((role) => role.because === 'detected').length;
    fits.set(host.name, { matrix, findings, found });
  }
  return fits;
}

/** The playbooks, that of most hosts first; of two that find the same, the one whose matrix extends no other. */
function ranked(seen: Seen, fits: Fits): readonly string[] {
  const score = (name: string): readonly [number, number, number] => {
    const all = [...fits.get(name)!.values()];
    return [
      all.filter(settles).length,
      all.reduce((sum, { found }) => sum + found, 0),
      all.some(({ matrix }) => matrix.extends !== null) ? 0 : 1,
    ];
  };
  return seen.playbooks
    .map(({ name }) => ({ name, score: score(name) }))
    .sort((a, b) => b.score[0] - a.score[0] || b.score[1] - a.score[1] || b.score[2] - a.score[2])
    .map(({ name }) => name);
}

function settles({ findings, found }: Fit): boolean {
  return (
    findings.verdict.kind === 'settled' && (found > 0 || findings.roles.some((role) => role.because === 'declared'))
  );
}

/** The main playbook, unless only another one finds the host's roles. */
function playbookOf(host: SeenHost, main: string, seen: Seen, fits: Fits): string {
  const under = (name: string): Fit | undefined => fits.get(name)?.get(host.name);
  if (isSet(host, 'portfw_playbook') && host.settings.playbook !== null) return host.settings.playbook;
  const fit = under(main);
  if (fit !== undefined && settles(fit)) return main;
  const other = ranked(seen, fits).find((name) => name !== main && under(name) !== undefined && settles(under(name)!));
  return other ?? main;
}

function evidenceOf(
  playbook: string,
  hosts: readonly string[],
  settled: readonly string[],
  fits: Fits,
): readonly string[] {
  const roles = sorted(settled.flatMap((host) => detected(fits.get(playbook)?.get(host))));
  const found =
    roles.length === 0
      ? `none of its roles was found on ${three(hosts)}`
      : `its roles were found on ${settled.length} of ${hosts.length}: ${roles.join(', ')}`;
  const same = [...fits.keys()].filter(
    (name) =>
      name !== playbook &&
      settled.length > 0 &&
      settled.every(
        (host) => detected(fits.get(name)?.get(host)).join() === detected(fits.get(playbook)?.get(host)).join(),
      ),
  );
  const editions = same.map((name) => {
    const print = fits.get(name)?.get(settled[0]!)?.matrix.print;
    return `${name} finds the same roles${print === undefined ? '' : `; it follows ${print.document}, ${print.edition}`}`;
  });
  return [
    found,
    ...editions,
    ...(same.length === 0 ? [] : ['the facts do not say which edition of the tables your release follows']),
  ];
}

function checkOf(playbook: string, hosts: readonly string[], settled: readonly string[], fits: Fits): string | null {
  const roles = settled.flatMap((host) => detected(fits.get(playbook)?.get(host)));
  return roles.length > 0 ? null : `is ${playbook} right for ${three(hosts)}? No role of any playbook was found`;
}

function detected(fit: Fit | undefined): readonly string[] {
  return (fit?.findings.roles ?? []).filter((role) => role.because !== 'every-host').map(({ role }) => role);
}

/** What is to be said of the roles of one host. */
function rolesOf(host: SeenHost, fit: Fit | undefined): readonly Proposal[] {
  const scope = { kind: 'host', name: host.name } as const;
  if (fit === undefined) return [{ kind: 'seen', scope, evidence: ['no play of the playbook covers this host'] }];
  const { findings } = fit;
  const roles = findings.roles.filter((role) => role.because !== 'every-host');
  const texts = roles.map((role) =>
    role.because === 'declared'
      ? `role ${role.role}: declared`
      : `role ${role.role}, ${percent(role.confidence)}: ${because(role.evidence)}`,
  );
  const { verdict } = findings;
  switch (verdict.kind) {
    case 'settled':
      return [{ kind: 'seen', scope, evidence: [...texts, ...findings.warnings] }];
    case 'ambiguous': {
      const sure = roles.map(({ role }) => role);
      const options = [...verdict.candidates.map((name) => [...sure, name]), ...(sure.length > 0 ? [sure] : [])];
      const weak = findings.candidates
        .filter(({ role }) => verdict.candidates.includes(role))
        .map(
          ({ role, confidence, evidence }) => `role ${role}, ${percent(confidence)}, not enough: ${because(evidence)}`,
        );
      const question = `which roles? ${three(verdict.unexplained)} fits ${verdict.candidates.join(', ')}`;
      return [choice(host.name, 'portfw_roles', question, options.map(declared), [...texts, ...weak])];
    }
    case 'none':
      return [
        choice(
          host.name,
          'portfw_roles',
          'which roles? None was found',
          [declared([])],
          ['an empty list is only what every host plays'],
        ),
      ];
  }
}

function declared(roles: readonly string[]): SettingOf<'portfw_roles'> {
  return { variable: 'portfw_roles', roles };
}

function because(evidence: readonly Evidence[]): string {
  return evidence.length === 0
    ? 'applied before'
    : few(
        evidence.map(({ text }) => text),
        '; ',
      );
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
