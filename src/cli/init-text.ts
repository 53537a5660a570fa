import { formatNetwork, parseAddress, parseNetwork } from '../core/addresses.ts';
import { shellWord } from '../core/shell-word.ts';
import { hasUnshowable, safeText } from '../core/shown.ts';
import { type LeftOut, leftOutText } from '../settings/left-out.ts';

/** A host as `portfw init` takes it. */
export interface InitHost {
  /** The group that it goes into, or `null` for none. */
  readonly group: string | null;
  /** A name, or a range such as `sip[1:2].example.net`. */
  readonly name: string;
  readonly address: string | null;
  /** Declared roles; empty leaves them to be detected. */
  readonly roles: readonly string[];
}

/** A virtual address, with the group whose hosts it may float to, or with one host. */
export interface InitVip {
  readonly on: 'group' | 'host';
  readonly name: string;
  readonly address: string;
}

/** What `portfw init` knows once all questions are answered. */
export interface InitAnswers {
  /** A shipped playbook's name, or a path. */
  readonly playbook: string;
  /** Interfaces, addresses or networks. */
  readonly public: readonly string[];
  readonly private: readonly string[];
  /** `null` where the inventory that is there says it. */
  readonly user: string | null;
  readonly become: boolean | null;
  readonly hosts: readonly InitHost[];
  readonly vips: readonly InitVip[];
  readonly management: readonly string[];
}

/** What goes into the file besides the answers. */
export interface InitFile {
  /** Where it is written, as the user named it. */
  readonly file: string;
  /** The inventories that are there already and stay as they are; empty for a new one. */
  readonly from: readonly string[];
  /** The path of the JSON Schema for editors. */
  readonly schema: string;
  /** The names of playbooks that ship. */
  readonly playbooks: readonly string[];
  /** Addresses at which the hosts of `from` are reached. */
  readonly addresses: readonly string[];
  /** Hosts of `from` that are not for portfw, because of their connection. */
  readonly leftOut: readonly LeftOut[];
}

/** Whether a file is one of variables, beside an inventory, and not an inventory itself. */
export function isVariablesFile(file: string): boolean {
  return /(?:^|\/)(?:group_vars|host_vars)\/./.test(file);
}

/** How the inventories are named on a command line: the file alone, or after those that were there. */
export function inventoryArguments(file: string, from: readonly string[]): string {
  const words = [...from, ...(from.length > 0 && isVariablesFile(file) ? [] : [file])].map(shellWord);
  return words.length === 1 ? words[0]! : words.map((word) => `-i ${word}`).join(' ');
}

/** The first commands to run, in order. */
export function nextCommands(file: string, from: readonly string[]): readonly string[] {
  const named = inventoryArguments(file, from);
  return ['lint', 'detect', 'plan', 'apply'].map((command) => `portfw ${command} ${named}`);
}

/** The text of the inventory, or of the variables beside one that is there. Pure. */
export function initText(answers: InitAnswers, context: InitFile): string {
  const beside = context.from.length > 0;
  const variables = isVariablesFile(context.file);
  const lines = [`# yaml-language-server: $schema=${context.schema}`, ...heading(context)];
  if (variables) lines.push(...variableLines(answers, context));
  else {
    lines.push('all:', '  vars:', ...indented(4, variableLines(answers, context)));
    if (!beside) lines.push(...hostLines(answers));
    else lines.push(...roleLines(answers, context.leftOut));
  }
  return `${lines.map((line) => line.trimEnd()).join('\n')}\n`;
}

/** What stands above everything: what the file is, and the commands to run. */
export function heading({ file, from }: InitFile): readonly string[] {
  const meanings = [
    'what is wrong, if anything; contacts no host',
    'which roles the hosts play, with the evidence',
    'what would change, and why; changes nothing',
    'changes it',
  ];
  const commands = nextCommands(file, from);
  const width = Math.max(...commands.map((command) => command.length));
  const names = from.map(safeText).join(', ');
  const stays = from.length === 1 ? 'is' : 'are';
  const what =
    from.length === 0
      ? [
          'An Ansible inventory for portfw: variables that begin with "portfw_" are for portfw, the others are Ansible\'s own.',
        ]
      : isVariablesFile(file)
        ? [`What portfw needs in addition to ${names}, which ${stays} not changed. Ansible ignores these variables.`]
        : [
            `What portfw needs in addition to ${names}, which ${stays} not changed. Name all of them on the command line,`,
            `or once in ansible.cfg: inventory = ${[...from, file].join(',')}`,
          ];
  return [...what, '', ...commands.map((command, index) => `  ${command.padEnd(width)}  ${meanings[index]!}`)].map(
    (line) => `# ${safeText(line)}`,
  );
}

function variableLines(answers: InitAnswers, context: InitFile): readonly string[] {
  const lines = [
    `# Which port tables go to which hosts: ${context.playbooks.join(', ')}, or the path of a playbook of your own.`,
    `portfw_playbook: ${scalar(answers.playbook)}`,
    '',
    "# Which interface is which: an interface's name, an address on it or, for all hosts alike, a network. A host with a",
    '# single interface needs no entry: that one is public.',
    ...guess(context.addresses),
  ];
  const mapped = [
    ...(answers.public.length > 0 ? [`  public: ${list(answers.public)}`] : []),
    ...(answers.private.length > 0 ? [`  private: ${list(answers.private)}`] : []),
  ];
  if (mapped.length > 0) lines.push('portfw_interfaces:', ...mapped);
  else lines.push('# portfw_interfaces:', '#   public: [203.0.113.0/24]', '#   private: [198.51.100.0/24]');
  lines.push(
    '',
    '# What private interfaces accept. "trusted": everything (the default, as the vendor advises); "peers": everything from',
    '# the servers of the site, and the ports of the tables; "matrix": only the ports of the tables.',
    '# portfw_private: peers',
    '',
    '# From these networks the hosts must stay reachable over SSH: a plan that would cut it is refused. On the public side,',
    '# SSH is open only to them.',
    answers.management.length > 0
      ? `portfw_management: ${list(answers.management)}`
      : '# portfw_management: [192.0.2.0/24]',
  );
  if (answers.user !== null || answers.become !== null) {
    lines.push('', '# How portfw logs in, and becomes root.');
    if (answers.user !== null) lines.push(`ansible_user: ${scalar(answers.user)}`);
    if (answers.become !== null) lines.push(`ansible_become: ${String(answers.become)}`);
  }
  return lines;
}

/** Networks that the hosts' addresses lie in: a guess is offered and never made. */
function guess(addresses: readonly string[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const address of addresses) {
    const network = networkOf(address);
    if (network !== null) counts.set(network, (counts.get(network) ?? 0) + 1);
  }
  const found = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).slice(0, 4);
  if (found.length === 0) return [];
  const listed = found.map(([network, count]) => `${network} (${count} ${count === 1 ? 'host' : 'hosts'})`).join(', ');
  return ['# portfw connects to your hosts at these addresses. Choose which side they are on:', `#   ${listed}`];
}

/** The /24 or /64 that an address lies in. */
function networkOf(address: string): string | null {
  const parsed = parseAddress(address);
  if (parsed === null) return null;
  const network = parseNetwork(`${address}/${parsed.family === 'ipv4' ? 24 : 64}`);
  return network === null ? null : formatNetwork(network);
}

function hostLines({ hosts, vips }: InitAnswers): readonly string[] {
  const groups = [...new Set(hosts.map((host) => host.group))];
  const lines: string[] = [];
  const alone = hosts.filter((host) => host.group === null);
  if (alone.length > 0)
    lines.push(
      '  hosts:',
      ...indented(
        4,
        alone.flatMap((host) => hostEntry(host, vips)),
      ),
    );
  const named = groups.filter((group) => group !== null);
  if (named.length > 0) lines.push('', '  children:');
  for (const group of named) {
    const own = hosts.filter((host) => host.group === group);
    lines.push(
      `    ${scalar(group)}:`,
      '      hosts:',
      ...indented(
        8,
        own.flatMap((host) => hostEntry(host, vips)),
      ),
    );
    const floating = vips.filter((vip) => vip.on === 'group' && vip.name === group).map((vip) => vip.address);
    if (floating.length === 0) continue;
    const several = own.length > 1 || own.some((host) => host.name.includes('['));
    lines.push(
      '      vars:',
      '        # Addresses that float between the hosts of the group; each host gets their rules.',
      `        portfw_vips: ${list(floating)}`,
      ...(several
        ? own.every((host) => host.address !== null)
          ? [
              '        # Nothing is filtered between the nodes of a cluster.',
              `        portfw_cluster: ${scalar(group)}`,
            ]
          : [
              '        # Nothing is filtered between the nodes of a cluster. It takes an ansible_host of each of them:',
              `        # portfw_cluster: ${scalar(group)}`,
            ]
        : []),
    );
  }
  return lines;
}

/** A host with what is its own. @param leftOut why no run is for it, or nothing */
function hostEntry(host: InitHost, vips: readonly InitVip[], leftOut?: LeftOut): readonly string[] {
  const floating = vips.flatMap((vip) => (vip.on === 'host' && vip.name === host.name ? [vip.address] : []));
  const own = [
    ...(leftOut === undefined ? [] : [`  # ${leftOutText([leftOut])}`, '  portfw_managed: false']),
    ...(host.address === null ? [] : [`  ansible_host: ${scalar(host.address)}`]),
    ...(host.roles.length === 0
      ? []
      : ['  # Without this line they are detected.', `  portfw_roles: ${list(host.roles)}`]),
    ...(floating.length === 0 ? [] : [`  portfw_vips: ${list(floating)}`]),
  ];
  return [`${scalar(host.name)}:`, ...own];
}

/** What hosts and groups that are there already have of their own. */
function roleLines({ hosts, vips }: InitAnswers, leftOut: readonly LeftOut[]): readonly string[] {
  const declared = new Map(
    hosts.filter((host) => host.roles.length > 0).map(({ name, roles }) => [name, roles] as const),
  );
  const reasons = new Map(leftOut.map((one) => [one.host, one] as const));
  const onHosts = vips.flatMap((vip) => (vip.on === 'host' ? [vip.name] : []));
  const names = [...new Set([...declared.keys(), ...onHosts, ...reasons.keys()])].filter(
    (name) => !hasUnshowable(name),
  );
  const entries = names.flatMap((name) =>
    hostEntry({ group: null, name, address: null, roles: declared.get(name) ?? [] }, vips, reasons.get(name)),
  );
  const lines: string[] = [];
  if (declared.size === 0)
    lines.push(
      '',
      '  # Roles are detected. Where that finds too little, declare them:',
      '  # hosts:',
      '  #   web1.example.net:',
      '  #     portfw_roles: [web-admin]',
    );
  if (entries.length > 0) lines.push('', '  hosts:', ...indented(4, entries));
  const groups = [...new Set(vips.flatMap((vip) => (vip.on === 'group' ? [vip.name] : [])))];
  if (groups.length > 0) lines.push('', '  children:');
  for (const group of groups) {
    const floating = vips.filter((vip) => vip.on === 'group' && vip.name === group).map((vip) => vip.address);
    lines.push(`    ${scalar(group)}:`, '      vars:', `        portfw_vips: ${list(floating)}`);
  }
  return lines;
}

/** Lines further to the right; empty ones stay empty. */
export function indented(columns: number, lines: readonly string[]): readonly string[] {
  return lines.map((line) => (line === '' ? '' : `${' '.repeat(columns)}${line}`));
}

/** Texts as a YAML list on one line. */
export function list(values: readonly string[]): string {
  return `[${values.map((value) => (/[[\]{},:]/.test(value) ? quoted(value) : scalar(value))).join(', ')}]`;
}

/** A text as YAML: plain where it can be nothing else, in quotes otherwise. */
export function scalar(text: string): string {
  const plain = /^(?:[A-Za-z_./][\w./@[\]:+-]*|\d+(?:\.\d+){3}(?:\/\d+)?)$/.test(text) && !/:$/.test(text);
  const other = /^(?:y|yes|n|no|on|off|true|false|null|\.inf|\.nan)$/i.test(text);
  return plain && !other ? text : quoted(text);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
