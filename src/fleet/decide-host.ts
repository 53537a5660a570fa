import type { HostFacts, RunningFirewalld } from '../facts/facts.ts';
import { firewalldRefusal } from '../facts/version.ts';
import { isOurs } from '../firewalld/model.ts';
import { type ObservedFirewalld, observedFirewalld } from '../firewalld/observed.ts';
import { parseRichRule } from '../firewalld/rich-rule.ts';
import { hostPeers } from '../inventory/peers.ts';
import type { Play } from '../matrix/matrix.ts';
import { askedFirst } from '../plan/asked-first.ts';
import { buildPlan, reloadReason } from '../plan/build-plan.ts';
import { entrance, lockout } from '../plan/lockout.ts';
import type { HostPlan } from '../plan/plan.ts';
import { reloadHazard } from '../plan/reload-hazard.ts';
import { buildDesired } from '../policy/build-desired.ts';
import type { DesiredFirewalld, PolicyNote, PolicyRefusal } from '../policy/desired.ts';
import { detectRoles } from '../roles/detect.ts';
import type { RoleFindings } from '../roles/findings.ts';
import type { Failure } from './events.ts';
import type { HostJob, RunContext } from './operations.ts';

/** What the pure stages make of one host's facts. */
export type Decision =
  | { readonly kind: 'refused'; readonly failure: Failure }
  | {
      readonly kind: 'planned';
      readonly plan: HostPlan;
      readonly desired: DesiredFirewalld;
      readonly observed: ObservedFirewalld;
    };

/** Which roles the host plays, by declaration, detection and memory. */
export function rolesOf(job: HostJob, play: Play, facts: HostFacts): RoleFindings {
  const { remembered } = facts;
  return detectRoles({
    matrix: play.matrix,
    facts,
    declared: job.settings.roles,
    // Under another matrix too: a role that it knows as well stays, and one that it does not is warned of.
    remembered: remembered?.roles ?? null,
  });
}

/** Facts → roles → desired → plan. Pure but for what `context` holds: the inventory and the day. */
export function decide(
  job: HostJob,
  play: Play,
  facts: HostFacts,
  context: Pick<RunContext, 'inventory' | 'settings' | 'today'>,
): Decision {
  if (!facts.root)
    return refused(
      'not-root',
      'the account has no root rights on the host, and only root may read and change firewalld',
      'log in as root, or set ansible_become: true with sudo rights',
    );
  const running = usableFirewalld(facts);
  if (running.kind === 'refused') return running;
  const findings = rolesOf(job, play, facts);
  if (findings.verdict.kind === 'ambiguous') {
    const { unexplained, candidates } = findings.verdict;
    return refused(
      'roles-ambiguous',
      `${unexplained.join(', ')} fits ${candidates.join(', ')}, and nothing tells which`,
      `declare the roles: portfw_roles: [${candidates[0] ?? ''}] (or the others) for this host`,
    );
  }
  if (findings.verdict.kind === 'none') {
    return refused(
      'no-roles',
      'no role was found on the host and none is declared',
      'declare the roles in portfw_roles; an empty list stands for a host that only plays the roles of every host',
    );
  }
  return planOf(job, play, facts, running.firewalld, findings, context);
}

function planOf(
  job: HostJob,
  play: Play,
  facts: HostFacts,
  firewalld: RunningFirewalld,
  findings: RoleFindings,
  context: Pick<RunContext, 'inventory' | 'settings' | 'today'>,
): Decision {
  const observed = observedFirewalld(firewalld);
  if (observed.broken.length > 0) {
    const [first] = observed.broken;
    return refused(
      'broken-xml',
      `firewalld cannot use ${first!.path}: ${first!.why}`,
      'repair or remove the file: the next reload would lose what is in it, or fail',
      observed.broken.slice(1).map((item) => `${item.path}: ${item.why}`),
    );
  }
  const outcome = buildDesired({
    matrix: play.matrix,
    roles: findings.roles.map((item) => item.role),
    settings: job.settings,
    facts,
    firewalld,
    privateMode: job.settings.private ?? play.private ?? 'trusted',
    features: new Set([...play.features, ...job.settings.features]),
    peers: hostPeers(job.settings, context.inventory, context.settings),
    today: context.today,
  });
  if (outcome.kind === 'refused') return refusedBy(outcome.refusals);
  const { desired } = outcome;
  const warnings = findings.warnings.map((text): PolicyNote => ({ severity: 'warning', code: 'roles', text }));
  const plan = buildPlan({
    host: job.host,
    matrix: play.matrix.name,
    roles: findings.roles,
    facts: firewalld,
    observed,
    desired,
    remembered: facts.remembered,
    notes: [
      ...warnings,
      ...outcome.notes,
      ...lockNotes(facts),
      ...writerNotes(facts),
      ...entranceNotes(job, facts),
      ...askedFirst(desired, observed.runtime, firewalld.runtime),
    ],
  });
  const reload = reloadReason(plan.changes) !== null;
  const against = [
    lockout({ facts, desired, observed, defaultZone: firewalld.defaultZone, reload }),
    reload ? reloadHazard(observed, firewalld.version) : null,
    managedElsewhere(facts, plan),
    stillUsed(observed, firewalld.files, plan),
  ].filter((item) => item !== null);
  return against.length > 0 ? refusedBy(against) : { kind: 'planned', plan, desired, observed };
}

function refused(
  code: string,
  what: string,
  solve: string,
  details: readonly string[] = [],
): Extract<Decision, { kind: 'refused' }> {
  return { kind: 'refused', failure: { code, what, solve, details } };
}

function refusedBy(refusals: readonly PolicyRefusal[]): Decision {
  const [first, ...rest] = refusals;
  return refused(
    first!.code,
    first!.text,
    first!.hint,
    rest.map((item) => `${item.text} (${item.hint})`),
  );
}

/** A firewalld that can be worked with: installed, new enough, running, and not in an emergency. */
function usableFirewalld(
  facts: HostFacts,
): { readonly kind: 'usable'; readonly firewalld: RunningFirewalld } | Extract<Decision, { kind: 'refused' }> {
  const { firewalld } = facts;
  if (firewalld.kind === 'absent')
    return refused(
      'firewalld-absent',
      'firewalld is not installed on the host',
      'install the package firewalld and start it',
    );
  const old = firewalld.version === '' ? null : firewalldRefusal(firewalld.version);
  if (old !== null) return refused('firewalld-too-old', old.what, old.solve);
  if (firewalld.kind === 'stopped')
    return refused(
      'firewalld-stopped',
      `firewalld does not run: ${firewalld.reason}`,
      'start it with `systemctl enable --now firewalld`, and mind that it then filters at once',
    );
  if (firewalld.state !== 'RUNNING')
    return refused(
      'firewalld-failed',
      `firewalld says of itself that it is ${firewalld.state}`,
      'see `journalctl -u firewalld`; repair its configuration and restart it',
    );
  if (firewalld.panicMode)
    return refused(
      'panic-mode',
      'firewalld is in panic mode: it drops everything',
      'end it with `firewall-cmd --panic-off` once the reason for it is gone',
    );
  return { kind: 'usable', firewalld };
}

function writerNotes(facts: HostFacts): PolicyNote[] {
  if (facts.writers.units.length === 0) return [];
  return [
    {
      severity: 'info',
      code: 'other-writers',
      text: `${facts.writers.units.join(', ')} also write(s) rules on this host; they are left alone`,
    },
  ];
}

/** A plan can be made while another run holds the host, but not applied. */
function lockNotes({ lock }: HostFacts): PolicyNote[] {
  if (lock === null) return [];
  const text = `${lock.holder} has been changing this host since ${lock.since}: what is planned now may be half of that, and apply would be refused`;
  return [{ severity: 'warning', code: 'locked', text }];
}

/** Without sshd's word for the way in, nobody can say whether it stays open. */
function entranceNotes(job: HostJob, facts: HostFacts): PolicyNote[] {
  if (job.settings.connection.kind !== 'ssh' || entrance(facts) !== undefined) return [];
  const text =
    'the host does not say which of its addresses we came in by: whether the way in stays open cannot be worked out beforehand';
  return [{ severity: 'warning', code: 'entrance-unknown', text }];
}

/** Where NetworkManager manages an interface its connection's zone wins at the next activation. */
function managedElsewhere(facts: HostFacts, plan: HostPlan): PolicyRefusal | null {
  for (const change of plan.changes) {
    if (change.kind !== 'interface' || change.action !== 'bind') continue;
    const managed = facts.writers.networkManager.find((item) => item.interface === change.interface);
    if (managed !== undefined && managed.zone !== change.zone) {
      return {
        code: 'networkmanager-zone',
        text: `NetworkManager manages ${change.interface}, and its connection's zone wins over firewalld's: it says ${managed.zone === '' ? 'none' : managed.zone}, the plan says ${change.zone}`,
        hint: `on the host: nmcli connection modify ${shellWord(managed.connection)} connection.zone ${change.zone}   (it takes effect when portfw has made the zone)`,
      };
    }
  }
  return null;
}

/** One word of a command line that is shown for copying: the host chose the text. */
function shellWord(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Somebody else's zone that uses a service or ipset of ours keeps it from being deleted: the next reload would fail. */
function stillUsed(
  observed: ObservedFirewalld,
  files: RunningFirewalld['files'],
  plan: HostPlan,
): PolicyRefusal | null {
  const deleted = new Set(
    plan.changes.flatMap((change) => (change.kind === 'definition' && change.action === 'delete' ? [change.name] : [])),
  );
  if (deleted.size === 0) return null;
  for (const { path, text } of files) {
    // Zones are read below; policies, services that include ours and direct rules are searched as text.
    if (path.startsWith('zones/') || isOurs(path.slice(path.lastIndexOf('/') + 1))) continue;
    const name = [...deleted].find((item) => mentions(text, item));
    if (name !== undefined) return usedBy(`/etc/firewalld/${path}`, name);
  }
  for (const config of [observed.permanent, observed.runtime]) {
    for (const zone of config.zones.values()) {
      if (isOurs(zone.name)) continue;
      const rules = zone.richRules.map(parseRichRule);
      const used = [
        ...zone.services,
        ...rules.map((rule) => rule.service),
        ...rules.map((rule) => rule.sourceIpset),
        ...zone.sources.map((source) => source.replace(/^ipset:/, '')),
      ];
      const name = used.find((item) => item !== null && deleted.has(item));
      if (name !== undefined && name !== null) return usedBy(`zone ${zone.name}`, name);
    }
  }
  return null;
}

/** Whether a text names an object of ours as a word of its own. The name may be anything: it is that of a file on the host. */
function mentions(text: string, name: string): boolean {
  return text.split(name).some((part, index, parts) => {
    const next = parts[index + 1];
    return next !== undefined && !/[A-Za-z0-9_.-]$/.test(part) && !/^[A-Za-z0-9_.-]/.test(next);
  });
}

function usedBy(what: string, name: string): PolicyRefusal {
  return {
    code: 'still-used',
    text: `${what}, which is not ours, uses ${name}, which the plan deletes`,
    hint: `take ${name} out of it first`,
  };
}
