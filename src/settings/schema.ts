import { z } from 'zod';
import type { UsedVariables } from '../ansible/templates/resolve.ts';
import { explainBadSource, parseAddress, parseNetwork, parseSource } from '../core/addresses.ts';
import type { Fault } from '../core/failure.ts';
import { formatPortRange, mergePortRanges, type PortRange, parsePortRange } from '../core/ports.ts';
import { hasUnshowable, safeText, shown } from '../core/shown.ts';
import { SHAPES, type TextShape } from './schema-patterns.ts';
import { INTERFACE_CLASSES } from './settings-types.ts';

/** What a check finds wrong with a text: what, and how to solve it. */
type Wrong = (Fault & { readonly code?: string }) | null;

/**
 * Text that passes a check; what the check finds becomes the problem's `what` and `solve`.
 *
 * @param shape what of the check a JSON Schema can say
 */
function checkedText(shape: TextShape | null, check: (text: string) => Wrong): z.ZodType<string> {
  const checked = z.string().superRefine((text, context) => {
    const wrong = check(text);
    if (wrong === null) return;
    const params = wrong.code === undefined ? {} : { params: { code: wrong.code } };
    context.addIssue({ code: 'custom', message: `${wrong.what}\n${wrong.solve}`, ...params });
  });
  return shape === null ? checked : checked.meta({ ...shape });
}

function oneOrMore<T>(
  item: z.ZodType<T>,
  otherwise?: { error: (issue: { readonly input?: unknown }) => string },
): z.ZodType<T | T[]> {
  return z.union([item, z.array(item)], otherwise);
}

const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,62}[A-Za-z0-9])?$/;
const USER = /^[A-Za-z0-9_.@\\$+][A-Za-z0-9_.@\\$+-]{0,127}$/;
const INTERFACE = /^[A-Za-z0-9_.@-]{1,15}$/;
const HOST = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}$/;

/** The name of a role, a feature, a peer set or a rule. */
const name = checkedText(SHAPES.name, (text) =>
  NAME.test(text)
    ? null
    : {
        code: 'bad-name',
        what: `${shown(text)} is not a name`,
        solve: 'Use letters, digits, hyphens and underscores, up to 64',
      },
);

const address = checkedText(SHAPES.address, (text) => {
  if (parseAddress(text) !== null) return null;
  const what = parseNetwork(text) === null ? explainBadSource(text) : `${shown(text)} is a network, not one address`;
  return { code: 'bad-address', what, solve: 'Write one address, such as 192.0.2.10 or 2001:db8::10' };
});

/** Whether text was meant as an address or a network rather than as a name. */
export function looksNumeric(text: string): boolean {
  return text.includes('/') || /^[\d.]+$/.test(text) || /:.*:/.test(text);
}

/** An address, a network, or a group or host name; names are looked up where the inventory is at hand. */
const source = checkedText(SHAPES.source, (text) => {
  const parsed = parseSource(text);
  if (typeof parsed !== 'string') return null;
  if (looksNumeric(text)) {
    return {
      code: 'bad-address',
      what: parsed,
      solve: 'Write an address, a network such as 192.0.2.0/24, or a name of the inventory',
    };
  }
  return text === ''
    ? { what: 'a source cannot be empty', solve: 'Write an address, a network or a name of the inventory' }
    : null;
});

const interfaceOrNetwork = checkedText(SHAPES.interfaceOrNetwork, (text) => {
  if (parseNetwork(text) !== null) return null;
  if (looksNumeric(text)) {
    return {
      code: 'bad-address',
      what: explainBadSource(text),
      solve: 'Write an interface, an address or a network such as 192.0.2.0/24',
    };
  }
  return INTERFACE.test(text)
    ? null
    : {
        what: `${shown(text)} is neither an interface nor an address`,
        solve: 'Interface names have 1 to 15 letters, digits, dots, hyphens',
      };
});

const sentence = checkedText(SHAPES.sentence, (text) => {
  if (text.trim() === '') return { what: 'this text cannot be empty', solve: 'Say it in a few words' };
  if (text.length > 200) return { what: 'this text is longer than 200 characters', solve: 'Shorten it' };
  return hasUnshowable(text)
    ? { what: 'this text holds control or invisible characters', solve: 'Write it on one line as plain text' }
    : null;
});

const PORT_HINT = 'Write a port such as 8442, or a range such as "8903-8904"';

/** What is said of a value that has none of the forms that are allowed. */
function otherwise(what: string, solve: string): { error: (issue: { readonly input?: unknown }) => string } {
  return { error: ({ input }) => `${shown(input)} is not ${what}\n${solve}` };
}

const portOrRange = z.union(
  [z.int().meta({ minimum: 1, maximum: 65_535 }), z.string().meta({ ...SHAPES.port })],
  otherwise('a port', PORT_HINT),
);

const port = portOrRange.superRefine((value, context) => {
  const range = parsePortRange(String(value));
  if (typeof range === 'string') {
    context.addIssue({
      code: 'custom',
      message: `${safeText(range)}\n${PORT_HINT}`,
      params: { code: 'bad-port' },
    });
  }
});

const ports = oneOrMore<string | number>(port, otherwise('a port', PORT_HINT)).superRefine((value, context) => {
  if (Array.isArray(value) && value.length === 0) {
    context.addIssue({
      code: 'custom',
      message: `the list of ports is empty\n${PORT_HINT}`,
      params: { code: 'bad-port' },
    });
  }
  const ranges: PortRange[] = [];
  for (const one of Array.isArray(value) ? value : [value]) {
    const range = parsePortRange(String(one));
    if (typeof range === 'string') return;
    ranges.push(range);
  }
  const size = (list: readonly PortRange[]): number =>
    list.reduce((sum, range) => sum + range.last - range.first + 1, 0);
  if (size(mergePortRanges(ranges)) !== size(ranges)) {
    const given = ranges.map(formatPortRange).join(', ');
    context.addIssue({
      code: 'custom',
      message: `the ports ${given} overlap\nName each port once`,
      params: { code: 'overlapping-ports' },
    });
  }
});

const date = checkedText(SHAPES.date, (text) => {
  const parts = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text);
  const day = parts === null ? null : new Date(`${text}T00:00:00Z`);
  const real = day !== null && !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text);
  return real
    ? null
    : { code: 'bad-date', what: `${shown(text)} is not a day`, solve: 'Write it as YYYY-MM-DD, such as 2027-01-31' };
});

/** The parts of a selector of `portfw_allow_from`; each part but the role narrows it further. */
export interface RuleSelector {
  readonly role: string;
  readonly interface: string | null;
  readonly protocol: string | null;
  /** Normalised: `8442`, `8903-8904`, `rpc:mountd`. */
  readonly port: string | null;
}

/** Reads `role`, `role/port`, `role/protocol/port` or `role/interface/protocol/port`; a sentence says what is wrong. */
export function parseSelector(text: string): RuleSelector | string {
  const parts = text.split('/');
  const role = parts[0]!;
  if (!NAME.test(role)) return `${shown(role)} is not the name of a role`;
  if (parts.length > 4) return `${shown(text)} has more than four parts`;
  const port = parts.length === 1 ? null : parts.at(-1)!;
  const protocol = parts.length > 2 ? parts.at(-2)! : null;
  const interfaceClass = parts.length > 3 ? parts[1]! : null;
  if (interfaceClass !== null && !(INTERFACE_CLASSES as readonly string[]).includes(interfaceClass)) {
    return `${shown(interfaceClass)} is not an interface class`;
  }
  if (protocol !== null && protocol !== 'tcp' && protocol !== 'udp') return `${shown(protocol)} is neither tcp nor udp`;
  if (port === null) return { role, interface: null, protocol: null, port: null };
  if (/^rpc:[a-z0-9_.-]+$/.test(port)) return { role, interface: interfaceClass, protocol, port };
  const range = parsePortRange(port);
  if (typeof range === 'string') return range;
  return { role, interface: interfaceClass, protocol, port: formatPortRange(range) };
}

const selector = checkedText(SHAPES.selector, (text) => {
  const parsed = parseSelector(text);
  if (typeof parsed !== 'string') return null;
  return { what: parsed, solve: 'Write role, role/8700, role/tcp/8700 or role/public/tcp/8700' };
});

const interfaceClass = z.enum(INTERFACE_CLASSES);

function perClass<T>(item: z.ZodType<T>): z.ZodType<{ [K in (typeof INTERFACE_CLASSES)[number]]?: T | undefined }> {
  return z.strictObject({
    public: item.optional().describe('the side that everyone can reach'),
    private: item.optional().describe('the side between the servers of a site'),
    vip: item.optional().describe('the side that holds the virtual addresses'),
    control: item.optional().describe('the network between a server and the devices that it controls'),
  });
}

const extraRule = z
  .strictObject({
    name: name.describe('what plans and firewalld call the rule'),
    interface: interfaceClass.describe('the interface class that it applies to'),
    protocol: z.enum(['tcp', 'udp']).describe('tcp or udp'),
    port: ports.optional().describe('a port such as 8442, a range such as "8903-8904", or a list of these'),
    ports: ports.optional().describe('the same as "port", for several'),
    from: oneOrMore(source)
      .optional()
      .describe('who may connect: addresses, networks, groups, hosts; anyone when left out'),
    owner: sentence.describe('who to ask about the rule'),
    reason: sentence.describe('why it is there'),
    expires: date.optional().describe("the last day on which the rule applies, such as '2027-12-31'"),
  })
  .superRefine((rule, context) => {
    if ((rule.port === undefined) === (rule.ports === undefined)) {
      const what = rule.port === undefined ? 'the rule has no port' : 'the rule has both "port" and "ports"';
      context.addIssue({ code: 'custom', message: `${what}\nWrite either "port" or "ports"` });
    }
  })
  .meta({ description: 'one rule of your own', oneOf: [{ required: ['port'] }, { required: ['ports'] }] });

const zoneTarget = z.enum(['default', 'drop', 'reject']);

/** INI has no `false`: Ansible takes `False` for a Python value, and `false` for text. */
function trueOrFalse(name: string) {
  return z.boolean({
    error: ({ input }) =>
      `${name} must be true or false, not ${shown(input)}\nWrite true or false, without quotes; in an INI file True or False, with a capital letter`,
  });
}

/** All portfw variables. */
export const PORTFW_SCHEMAS = {
  portfw_managed: trueOrFalse('portfw_managed'),
  portfw_playbook: checkedText(SHAPES.notBlank, (text) =>
    text.trim() === '' || hasUnshowable(text)
      ? {
          what: `${shown(text)} is not the name of a playbook`,
          solve: 'Write the name of a shipped playbook, or the path of a file',
        }
      : null,
  ),
  portfw_roles: oneOrMore(name),
  portfw_interfaces: perClass(oneOrMore(interfaceOrNetwork)),
  portfw_vips: oneOrMore(address),
  portfw_features: oneOrMore(name),
  portfw_private: z.enum(['trusted', 'peers', 'matrix']),
  portfw_cluster: z.string(),
  portfw_site: z.string(),
  portfw_role_interfaces: z.record(name, interfaceClass),
  portfw_peers: z.record(name, oneOrMore(source)),
  portfw_allow_from: z.record(selector, oneOrMore(source)),
  portfw_extra_rules: z.array(extraRule),
  portfw_management: oneOrMore(source),
  portfw_ensure_firewalld: z.enum(['running', 'installed']),
  portfw_addresses: perClass(oneOrMore(address)),
  portfw_sides_checked: trueOrFalse('portfw_sides_checked'),
  portfw_zone_target: z.union(
    [zoneTarget, perClass(zoneTarget)],
    otherwise('a target', 'Write default, drop or reject, or one of them for each class, as in { public: drop }'),
  ),
} satisfies Record<string, z.ZodType>;

const hostAddress = checkedText(SHAPES.hostAddress, (text) => {
  if (parseAddress(text) !== null) return null;
  if (/^[\d.]+$/.test(text) || text.includes(':')) {
    return {
      code: 'bad-address',
      what: explainBadSource(text),
      solve: 'Write one address without a port, or a host name',
    };
  }
  return HOST.test(text)
    ? null
    : { what: `${shown(text)} is not a host name`, solve: 'Write an address or a host name' };
});

const user = checkedText(SHAPES.user, (text) =>
  USER.test(text)
    ? null
    : { what: `${shown(text)} is not a user name`, solve: 'Write the name of an account on the host' },
);

const wholePort = z.union(
  [z.int().meta({ minimum: 1, maximum: 65_535 }), z.string().meta({ ...SHAPES.portNumber })],
  otherwise('a port', 'Write a number such as 22'),
);

const portNumber = wholePort.superRefine((value, context) => {
  const number = /^\d{1,9}$/.test(String(value).trim()) ? Number(value) : 0;
  if (number < 1 || number > 65_535) {
    context.addIssue({
      code: 'custom',
      message: `port ${shown(value)} is not between 1 and 65535\nWrite a number such as 22`,
      params: { code: 'bad-port' },
    });
  }
});

const wholeSeconds = z.union(
  [z.int().meta({ minimum: 1, maximum: 3600 }), z.string().meta({ ...SHAPES.seconds })],
  otherwise('a time in seconds', 'Write a number such as 10'),
);

const seconds = wholeSeconds.superRefine((value, context) => {
  const number = /^\d{1,9}$/.test(String(value).trim()) ? Number(value) : 0;
  if (number < 1 || number > 3600) {
    context.addIssue({
      code: 'custom',
      message: `the time limit ${shown(value)} is not between 1 and 3600 seconds\nWrite a number such as 10`,
    });
  }
});

const path = checkedText(SHAPES.path, (text) => {
  if (text.trim() === '' || hasUnshowable(text))
    return { what: `${shown(text)} is not a path`, solve: 'Write the path of a file' };
  if (/^~[^/]/.test(text)) return { what: `${shown(text)} names another user's home`, solve: 'Write the path out' };
  return null;
});

const plainText = checkedText(null, (text) =>
  hasUnshowable(text)
    ? { what: 'this text holds control or invisible characters', solve: 'Write it on one line as plain text' }
    : null,
);

const TRUE = new Set(['y', 'yes', 'on', '1', 'true', 't']);
const FALSE = new Set(['n', 'no', 'off', '0', 'false', 'f']);

/** A yes or no as Ansible takes it, from words too; `null` when it is neither. */
export function readFlag(value: unknown): boolean | null {
  if (typeof value === 'boolean') return value;
  const word = String(value).toLowerCase().trim();
  if (TRUE.has(word)) return true;
  return FALSE.has(word) ? false : null;
}

const flagWords = z.union(
  [z.boolean(), z.string().meta({ ...SHAPES.flag }), z.int().meta({ minimum: 0, maximum: 1 })],
  otherwise('yes or no', 'Write true or false'),
);

const flag = flagWords.superRefine((value, context) => {
  if (readFlag(value) === null)
    context.addIssue({ code: 'custom', message: `${shown(value)} is neither yes nor no\nWrite true or false` });
});

const secret = z.union([z.string(), z.number()], { error: 'a password must be text\nWrite it in quotes' });

/** The variables of Ansible's that say how to reach a host and gain root there. */
export const ANSIBLE_SCHEMAS = {
  ansible_host: hostAddress,
  ansible_ssh_host: hostAddress,
  ansible_port: portNumber,
  ansible_ssh_port: portNumber,
  ansible_user: user,
  ansible_ssh_user: user,
  ansible_private_key_file: path,
  ansible_ssh_private_key_file: path,
  ansible_ssh_args: plainText,
  ansible_ssh_common_args: plainText,
  ansible_ssh_extra_args: plainText,
  ansible_timeout: seconds,
  ansible_ssh_timeout: seconds,
  ansible_connection: z.string(),
  ansible_become: flag,
  ansible_become_user: user,
  ansible_become_method: z.string(),
  ansible_become_password: secret,
  ansible_become_pass: secret,
  ansible_password: secret,
  ansible_ssh_pass: secret,
  ansible_ssh_password: secret,
} satisfies Record<string, z.ZodType>;

/** Variables whose values are names that portfw, its matrices and the inventory give things, and so no secrets. */
const VOCABULARY: ReadonlySet<string> = new Set([
  ...['portfw_managed', 'portfw_playbook', 'portfw_roles', 'portfw_features', 'portfw_private', 'portfw_cluster'],
  ...['portfw_site', 'portfw_role_interfaces', 'portfw_ensure_firewalld', 'portfw_sides_checked', 'portfw_zone_target'],
  ...['ansible_connection', 'ansible_become', 'ansible_become_user', 'ansible_become_method'],
]);

/** Every variable that portfw reads, and which of them are never concealed. */
export const VARIABLES: UsedVariables = {
  used: [...Object.keys(PORTFW_SCHEMAS), ...Object.keys(ANSIBLE_SCHEMAS)],
  vocabulary: VOCABULARY,
};
