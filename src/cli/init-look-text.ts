import { foldedLine } from '../core/folded-line.ts';
import { hasUnshowable } from '../core/shown.ts';
import { terminalLine } from '../core/terminal-text.ts';
import type { Proposal, Scope, Setting } from '../propose/proposals.ts';
import { heading, type InitAnswers, type InitFile, list, scalar } from './init-text.ts';

/** Comments are wrapped at this column. */
const WIDTH = 118;

/** Something that the facts do not decide, with the line of the file that does. */
export interface OpenItem {
  readonly line: number;
  /** `null` for all hosts. */
  readonly host: string | null;
  readonly variable: Setting['variable'];
  readonly text: string;
}

/** The file that `portfw init --look` writes. */
export interface LookText {
  readonly text: string;
  readonly open: readonly OpenItem[];
  /** The line at which each host begins. */
  readonly lineOf: ReadonlyMap<string, number>;
}

/**
 * The text of the file beside an inventory, from proposals. Pure. Values are only what the proposals' own checks and
 * {@link scalar} let through; what hosts say is in comments, on one line each and without control characters.
 */
export function lookText(
  proposals: readonly Proposal[],
  account: Pick<InitAnswers, 'user' | 'become'>,
  context: InitFile,
): LookText {
  const writer = new Writer();
  writer.put(0, `# yaml-language-server: $schema=${context.schema}`, ...heading(context));
  writer.put(0, '# The lines below come from a look at the hosts. The comment above each line says why it is there.');
  writer.put(0, 'all:', '  vars:');
  const all = proposals.filter(({ scope }) => scope.kind === 'all');
  writer.section(
    4,
    all,
    'portfw_playbook',
    `Which port tables go to which hosts: ${context.playbooks.join(', ')}, or a path.`,
  );
  writer.put(0, '');
  writer.section(4, all, 'portfw_interfaces', 'Which interface is which, by the networks that they are on.');
  writer.put(0, '');
  writer.comment(4, 'What private interfaces accept: "trusted" (everything, the default), "peers" or "matrix".');
  writer.put(4, '# portfw_private: peers', '');
  writer.section(
    4,
    all,
    'portfw_management',
    'From these sources the hosts must stay reachable over SSH. On the public side, SSH is open only to them.',
  );
  if (account.user !== null || account.become !== null) {
    writer.put(0, '');
    writer.comment(4, 'How portfw logs in, and becomes root.');
    if (account.user !== null) writer.put(4, `ansible_user: ${scalar(account.user)}`);
    if (account.become !== null) writer.put(4, `ansible_become: ${String(account.become)}`);
  }
  writer.scopes(proposals, 'host', 'hosts:');
  writer.scopes(proposals, 'group', 'children:');
  return writer.finish();
}

class Writer {
  readonly #lines: string[] = [];
  readonly #open: OpenItem[] = [];
  readonly #lineOf = new Map<string, number>();

  put(indent: number, ...lines: readonly string[]): void {
    this.#lines.push(...lines.map((text) => `${' '.repeat(indent)}${text}`.trimEnd()));
  }

  /** Untrusted text as a comment, on as many lines as it needs. */
  comment(indent: number, text: string, hang = ''): void {
    this.put(indent, ...foldedLine(`# ${terminalLine(text, 600)}`, WIDTH - indent, `# ${hang}`));
  }

  /** The line of a variable for all hosts, with what it means; without one, an example. */
  section(indent: number, all: readonly Proposal[], variable: Setting['variable'], meaning: string): void {
    this.comment(indent, meaning);
    const own = all.filter((one) => one.kind === 'line' && one.setting.variable === variable);
    for (const one of own) this.proposal(indent, one);
    if (own.length === 0 && variable !== 'portfw_playbook') {
      this.comment(indent, 'Nothing was seen that all hosts share.');
      this.put(
        indent,
        variable === 'portfw_management'
          ? '# portfw_management: [192.0.2.0/24]'
          : '# portfw_interfaces: { public: [203.0.113.0/24], private: [198.51.100.0/24] }',
      );
    }
  }

  /** The groups or hosts that have something of their own. */
  scopes(proposals: readonly Proposal[], kind: 'group' | 'host', title: string): void {
    const names = new Set(
      proposals.flatMap(({ scope }) => (scope.kind === kind && isWritable(scope.name) ? [scope.name] : [])),
    );
    if (names.size === 0) return;
    this.put(0, '', `  ${title}`);
    if (kind === 'host') this.comment(4, 'Roles are found at each run: they need no line here.');
    for (const name of names) {
      this.#lineOf.set(name, this.#lines.length + 1);
      const own = proposals.filter(({ scope }) => scope.kind === kind && scope.name === name);
      // A group without a line would be no mapping.
      this.put(4, `${scalar(name)}:`);
      if (kind === 'group') this.put(6, 'vars:');
      for (const one of own) this.proposal(kind === 'group' ? 8 : 6, one);
    }
  }

  proposal(indent: number, one: Proposal): void {
    switch (one.kind) {
      case 'seen':
        this.#evidence(indent, one.evidence);
        return;
      case 'line':
        this.#evidence(indent, one.evidence);
        if (one.check !== null) {
          this.comment(indent, `TO CHECK: ${one.check}`, '  ');
          this.#ask(one.scope, one.setting.variable, one.check, this.#lines.length + 1);
        }
        this.put(indent, ...blockOf(one.setting));
        return;
      case 'choice': {
        const [first, ...others] = one.options;
        this.comment(indent, `TO DECIDE: ${one.question}`, '  ');
        const place = this.#lines.length;
        this.#evidence(indent, one.evidence);
        // Addresses that nobody can know yet: the line to edit is there all the same.
        const blank = first === undefined && one.variable === 'portfw_vips' ? '# portfw_vips: [ADDRESS]' : null;
        this.#ask(
          one.scope,
          one.variable,
          one.question,
          first === undefined && blank === null ? place : this.#lines.length + 1,
        );
        if (blank !== null) this.put(indent, blank);
        if (first === undefined) return;
        const short = first.variable === 'portfw_roles' && others.length > 0;
        const rest = others.map((other) => (other.variable === 'portfw_roles' ? list(other.roles) : ''));
        this.put(indent, `# ${flowOf(first)}${short ? `  # or ${rest.join(' or ')}` : ''}`);
        if (!short) for (const other of others) this.put(indent, `# or: ${flowOf(other)}`);
        return;
      }
    }
  }

  #evidence(indent: number, evidence: readonly string[]): void {
    for (const text of evidence) this.comment(indent, `- ${text}`, '  ');
  }

  #ask(scope: Scope, variable: Setting['variable'], question: string, place: number): void {
    const host = scope.kind === 'all' ? null : scope.name;
    this.#open.push({ line: place, host, variable, text: terminalLine(question) });
  }

  finish(): LookText {
    return { text: `${this.#lines.join('\n')}\n`, open: this.#open, lineOf: this.#lineOf };
  }
}

/** A name of the inventory that YAML and a terminal show as it is. */
function isWritable(name: string): boolean {
  return name !== '' && !hasUnshowable(name);
}

/** A setting as lines of YAML. */
function blockOf(setting: Setting): readonly string[] {
  if (setting.variable !== 'portfw_interfaces') return [flowOf(setting)];
  return ['portfw_interfaces:', ...sidesOf(setting).map((side) => `  ${side}`)];
}

/** A setting as one line of YAML. */
function flowOf(setting: Setting): string {
  switch (setting.variable) {
    case 'portfw_playbook':
      return `portfw_playbook: ${scalar(setting.playbook)}`;
    case 'portfw_interfaces':
      return `portfw_interfaces: { ${sidesOf(setting).join(', ')} }`;
    case 'portfw_vips':
      return `portfw_vips: ${list(setting.vips)}`;
    case 'portfw_roles':
      return `portfw_roles: ${list(setting.roles)}`;
    case 'portfw_management':
      return `portfw_management: ${list(setting.sources)}`;
    case 'portfw_managed':
      return `portfw_managed: ${String(setting.managed)}`;
  }
}

function sidesOf(setting: Extract<Setting, { variable: 'portfw_interfaces' }>): readonly string[] {
  return (['public', 'private'] as const).flatMap((side) =>
    setting[side].length === 0 ? [] : [`${side}: ${list(setting[side])}`],
  );
}
