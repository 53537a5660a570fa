import type { Proposal, Setting } from '../propose/proposals.ts';
import type { InitAnswers } from './init-text.ts';

/** What was found, as the answers to questions: their defaults. */
export interface FoundAnswers {
  /** `null` where each host has one already. */
  readonly playbook: string | null;
  readonly public: string;
  readonly private: string;
  readonly vip: string;
  readonly management: string;
}

/** What the command line and the inventory say of the answers. */
export interface AnswerContext {
  /** Whether a flag names the playbook: it is then written even where each host has one already. */
  readonly insists: boolean;
  /** The hosts of a group. */
  readonly membersOf: (group: string) => readonly string[];
}

/** The defaults of the questions. What differs between hosts is no answer: it has lines of its own. */
export function foundAnswers(proposals: readonly Proposal[]): FoundAnswers {
  const playbook = forAll(proposals, 'portfw_playbook');
  const interfaces = forAll(proposals, 'portfw_interfaces');
  const management = forAll(proposals, 'portfw_management');
  return {
    playbook: playbook?.playbook ?? null,
    public: joined(interfaces?.public),
    private: joined(interfaces?.private),
    vip: joined(vipsOf(proposals)),
    management: joined(management?.sources),
  };
}

/** The proposals, with what the user answered otherwise, or gave in flags, in their place. */
export function withAnswers(
  proposals: readonly Proposal[],
  answers: InitAnswers,
  { insists, membersOf }: AnswerContext,
): readonly Proposal[] {
  const found = foundAnswers(proposals);
  const replaced: Setting['variable'][] = [];
  const added: Proposal[] = [];
  const put = (setting: Setting, isEmpty: boolean): void => {
    replaced.push(setting.variable);
    if (!isEmpty) added.push(answered({ kind: 'all' }, setting));
  };
  if (found.playbook === null ? insists : answers.playbook !== found.playbook)
    put({ variable: 'portfw_playbook', playbook: answers.playbook }, false);
  if (found.public !== joined(answers.public) || found.private !== joined(answers.private)) {
    const { public: open, private: closed } = answers;
    put({ variable: 'portfw_interfaces', public: open, private: closed }, open.length + closed.length === 0);
  }
  if (found.management !== joined(answers.management))
    put({ variable: 'portfw_management', sources: answers.management }, answers.management.length === 0);
  const vips = answers.vips.map(({ name, address }) => `${name}=${address}`);
  const otherVips = found.vip !== joined(vips);
  const declared = new Map(
    answers.hosts.filter(({ roles }) => roles.length > 0).map(({ name, roles }) => [name, roles]),
  );
  const kept = proposals.filter((one) => {
    if (one.kind === 'seen') return true;
    const variable = one.kind === 'line' ? one.setting.variable : one.variable;
    if (one.scope.kind === 'all') return !replaced.includes(variable);
    const { name: scoped } = one.scope;
    if (variable === 'portfw_roles') return !declared.has(scoped);
    if (!otherVips || variable !== 'portfw_vips') return true;
    // What the answer says of a host, or of its group, is no longer open.
    const answersFor = ({ on, name }: (typeof answers.vips)[number]): boolean =>
      (on === one.scope.kind && name === scoped) || (on === 'group' && membersOf(name).includes(scoped));
    return one.kind === 'choice' && !answers.vips.some(answersFor);
  });
  return [
    ...kept,
    ...added,
    ...(otherVips ? answeredVips(answers) : []),
    ...[...declared].map(([name, roles]) => answered({ kind: 'host', name }, { variable: 'portfw_roles', roles })),
  ];
}

function answered(scope: Proposal['scope'], setting: Setting): Proposal {
  return { kind: 'line', scope, setting, evidence: ['as answered'], check: null };
}

function answeredVips({ vips }: InitAnswers): readonly Proposal[] {
  const scopes = new Map(vips.map(({ on, name }) => [`${on} ${name}`, { kind: on, name }] as const));
  return [...scopes.values()].map((scope) => {
    const own = vips.filter(({ on, name }) => on === scope.kind && name === scope.name);
    return answered(scope, { variable: 'portfw_vips', vips: own.map(({ address }) => address) });
  });
}

/** The virtual addresses that were found, as an answer has them: `web=203.0.113.45`. */
function vipsOf(proposals: readonly Proposal[]): readonly string[] {
  return proposals.flatMap((one) => {
    if (one.kind !== 'line' || one.setting.variable !== 'portfw_vips' || one.scope.kind === 'all') return [];
    const { name } = one.scope;
    return one.setting.vips.map((vip) => `${name}=${vip}`);
  });
}

function forAll<V extends Setting['variable']>(
  proposals: readonly Proposal[],
  variable: V,
): Extract<Setting, { variable: V }> | null {
  for (const one of proposals) {
    if (one.kind === 'line' && one.scope.kind === 'all' && one.setting.variable === variable)
      return one.setting as Extract<Setting, { variable: V }>;
  }
  return null;
}

function joined(values: readonly string[] | undefined): string {
  return (values ?? []).join(', ');
}
