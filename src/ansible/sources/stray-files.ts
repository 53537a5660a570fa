import { basename } from 'node:path';
import { isMapping } from '../../core/mapping.ts';
import { closest } from '../../core/suggest.ts';

/** What a file is that is no inventory. */
export interface Stray {
  /** With its article: "a playbook". */
  readonly seems: string;
  /** What to do when it was named itself, where that is more than to name another file. */
  readonly whenNamed?: string;
  /** What to do when it lies in a folder of inventories, where that is more than to move it. */
  readonly inFolder?: string;
}

/** A pattern, and what a file is that it fits. */
type Sign = readonly [pattern: RegExp, seems: string, inFolder?: string];

/** Files that are what their name says, whatever they hold. */
const BY_NAME: readonly Sign[] = [
  [
    /^(?:README|CHANGELOG|CONTRIBUTING|AUTHORS)\b|^(?:[Rr]eadme|[Cc]hangelog|[Cc]ontributing|[Aa]uthors)(?:\.|$)/,
    'a text for people',
  ],
  // In small letters the word may begin the name of an inventory, such as "license-servers".
  [/^(?:LICEN[CS]E|COPYING)\b|^(?:[Ll]icen[cs]e|[Cc]opying)(?:\.|$)/, 'a licence'],
  [/^(?:gnu)?makefile$|\.mk$/i, 'a Makefile'],
  [/^(?:vagrant|docker|container|jenkins|gem|proc|pip|just|task|berks)file(?:\.|$)/i, 'a file of another tool'],
  [/^id_(?:rsa|dsa|ecdsa|ed25519)$/, 'a private key'],
  [/^known_hosts\b/, 'a file of known host keys'],
  [
    /^\.?(?:ansible[-_]?)?(?:vault[-_.]?(?:pass(?:word|wd|phrase)?|pw|key)|password)(?:[-_.]?file)?(?:\.sh|\.py)?$/i,
    'a file with a password',
    'Move it out of this folder: Ansible takes its text for the name of a host',
  ],
];

/** What files that cannot be read as inventories are, by the ends of their names. */
const BY_ENDING: readonly Sign[] = [
  [/[-_.](?:example|sample|dist|template|tmpl|tpl|skel|skeleton)s?(?:\.\w+)?$|^(?:example|sample)/i, 'an example'],
  [/[-_.](?:old|save|disabled|off|backup|bkp|copy|tmp)$/i, 'a copy that is not used'],
  [/^(?:todo|notes?|install|changes)\b/i, 'a text for people'],
  [/\.(?:j2|jinja2?)$/, 'a template'],
  [/\.(?:tf|tfvars|tfstate|hcl)$/, 'a file of Terraform'],
  [/\.(?:py|sh|bash|rb|pl|js|ts|go|ps1|bat)$/, 'a program'],
  [/\.(?:csv|tsv|xlsx?|ods)$/, 'a table'],
  [/\.(?:xml|html?|svg)$/, 'a document with markup'],
  [/\.log(?:\.\d+)?$/, 'a log'],
  [/\.(?:pem|key|crt|cer|csr|pub|p12|pfx|gpg|asc)$/, 'a key or a certificate'],
  [/\.(?:gz|tgz|zip|bz2|xz|tar|rpm|deb|png|jpe?g|gif|pdf|docx?)$/, 'a file that is no text'],
];

/** Ends of names that inventories have too: they say nothing of one that has the name or the words of an inventory. */
const BY_COMMON_ENDING: readonly Sign[] = [
  [/[-_.]defaults?(?:\.\w+)?$/i, 'an example'],
  [/\.(?:conf|service|sql|env|lock|sum|patch|diff|adoc|lst)$/, 'a file of another program'],
];

/** Words that only an inventory has: with a mistake in it, its hosts must not be passed over. */
const INVENTORY_WORDS =
  /\b(?:ansible_(?:host|user|port|connection|ssh_\w+))\b|^\[[^\]\s:]+:(?:children|vars)\]|^[ \t]+(?:hosts|children):/m;

/** Names of files that are meant as inventories, whatever is wrong with them. */
const NAMED_INVENTORY = /hosts|inventor/i;

/** Names of files that nobody means to be read; Ansible reads them all the same, where they hold an inventory. */
const NAMED_ASIDE = /[-_.](?:example|sample|dist|old|save|disabled|off|backup|bkp)s?(?:\.\w+)?$/i;

/** What a text says of itself at its beginning. */
const BY_TEXT: readonly Sign[] = [
  [/^-----BEGIN [A-Z ]*PRIVATE KEY-----/, 'a private key'],
  [/^-----BEGIN [A-Z ]+-----/, 'a key or a certificate'],
  [/^(?:ssh|ecdsa|sk)-\S+ AAAA/, 'a public key'],
  [/^\S+ (?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-\S+) AAAA/m, 'a file of known host keys'],
  [
    /^[ \t]*(?:Host|Match)[ \t]+\S.*(?:\r?\n[ \t]*(?:#.*)?)*\r?\n[ \t]*(?:HostName|User|Port|ProxyJump|ProxyCommand|IdentityFile|IdentitiesOnly|StrictHostKeyChecking|UserKnownHostsFile|ForwardAgent|ControlMaster|ServerAliveInterval)[ \t=]/im,
    'a configuration of the SSH client',
    'Move it out of this folder, and name it in ansible_ssh_common_args with "-F FILE"',
  ],
  [/^(?:127\.0\.0\.1|::1)[ \t]+localhost\b/m, 'a file of addresses like /etc/hosts'],
  [/^[ \t]*\{%-?[ \t]*(?:for|if|set|include|block|macro)\b/m, 'a template'],
];

/** Outermost keys of YAML and JSON files of other programs; all of one line are needed. */
const BY_KEYS: readonly (readonly [keys: readonly string[], seems: string])[] = [
  [['$schema'], 'a JSON Schema'],
  [['apiVersion', 'kind'], 'a manifest of Kubernetes'],
  [['AWSTemplateFormatVersion'], 'a template of CloudFormation'],
  [['terraform_version'], 'a state of Terraform'],
  [['galaxy_info'], 'the description of a role'],
  [['namespace', 'name', 'version'], 'the description of a collection'],
  [['driver', 'platforms'], 'a configuration of Molecule'],
  [['repos'], 'a configuration of pre-commit'],
];

const SECTIONS = ['hosts', 'children', 'vars'];

/** What a file is by its name alone; `null` when the name does not say. */
export function strayByName(file: string): Stray | null {
  return bySign(BY_NAME, basename(file));
}

/** What a text seems to be that cannot be read as an inventory; `null` when nothing says so. */
export function strayByText(file: string, text: string): Stray | null {
  const head = text.slice(0, 65_536);
  const known = bySign(BY_TEXT, head) ?? bySign(BY_ENDING, basename(file));
  const isMeant = NAMED_INVENTORY.test(basename(file)) || INVENTORY_WORDS.test(head);
  return known ?? (isMeant ? null : bySign(BY_COMMON_ENDING, basename(file)));
}

/** What a file seems to be that is not even text. */
export function strayByEnding(file: string): Stray | null {
  return bySign([...BY_ENDING, ...BY_COMMON_ENDING], basename(file));
}

/** Whether the name of a file that can be read says that it is an example or an old copy. */
export function namedAside(file: string): boolean {
  return NAMED_ASIDE.test(basename(file));
}

function bySign(signs: readonly Sign[], text: string): Stray | null {
  const found = signs.find(([sign]) => sign.test(text));
  if (found === undefined) return null;
  const [, seems, inFolder] = found;
  return inFolder === undefined ? { seems } : { seems, inFolder };
}

/** What the value of a YAML or JSON file shows it to be, unless it may be an inventory. */
export function strayByValue(file: string, value: unknown): Stray | null {
  if (Array.isArray(value)) return strayList(value);
  if (!isMapping(value)) return null;
  if (typeof value['matrix'] === 'string')
    return { seems: 'a port matrix', whenNamed: 'Give the inventory; a playbook names the matrix' };
  const keys = Object.keys(value);
  const known = BY_KEYS.find(([wanted]) => wanted.every((key) => isOther(value, key)));
  if (known !== undefined) return { seems: known[1] };
  if (
    isMapping(value['services']) &&
    Object.values(value['services']).some((one) => isMapping(one) && ('image' in one || 'build' in one))
  )
    return { seems: 'a file of Docker Compose' };
  if (keys.length > 0 && keys.every((key) => ['roles', 'collections'].includes(key) && Array.isArray(value[key])))
    return { seems: 'a list of requirements for ansible-galaxy' };
  if (!NAMED_INVENTORY.test(basename(file)) && isVariables(value))
    return {
      seems: 'a file of variables',
      whenNamed:
        'Begin with "all:" and name hosts below it; variables of hosts and groups go into host_vars and group_vars',
      inFolder:
        'No host gets these variables: put them into group_vars or host_vars, or move the file out of this folder',
    };
  return null;
}

/** Whether a key is there that is no group: nothing in it is a section of one. */
function isOther(value: Record<string, unknown>, key: string): boolean {
  return Object.hasOwn(value, key) && !hasSection(value[key]);
}

function strayList(list: readonly unknown[]): Stray | null {
  const entries = list.filter(isMapping);
  const some = (...keys: readonly string[]): boolean =>
    entries.some((entry) => keys.some((key) => Object.hasOwn(entry, key)));
  if (some('hosts', 'import_playbook', 'ansible.builtin.import_playbook'))
    return { seems: 'a playbook', whenNamed: 'Give the inventory here, and the playbook with --playbook' };
  if (
    some('src') ||
    (entries.length > 0 &&
      entries.every((entry) => Object.keys(entry).every((key) => ['name', 'version', 'scm', 'role'].includes(key))))
  )
    return { seems: 'a list of requirements for ansible-galaxy' };
  if (some('name', 'when', 'register', 'block', 'include_tasks', 'import_tasks')) return { seems: 'a list of tasks' };
  return null;
}

/** A mapping of names to values none of which can be a group, so that Ansible takes nothing from it. */
function isVariables(value: Record<string, unknown>): boolean {
  const values = Object.entries(value).filter(([, item]) => item !== null);
  if (values.length === 0 || Object.hasOwn(value, 'all')) return false;
  if (values.some(([, item]) => hasSection(item))) return false;
  // Groups with their hosts in a list: a mistake in an inventory.
  if (values.every(([, item]) => Array.isArray(item) && item.every((one) => typeof one === 'string'))) return false;
  return values.some(([, item]) => !isMapping(item)) || values.every(([, item]) => !maybeGroup(item));
}

/** Whether a value has a section of a group, or what is almost one. */
function hasSection(value: unknown): boolean {
  return isMapping(value) && Object.keys(value).some((key) => closest(key, SECTIONS) !== null && key.length > 3);
}

/** Whether hosts may have been meant: names with nothing or with variables below them. */
function maybeGroup(value: unknown): boolean {
  return isMapping(value) && Object.values(value).every((item) => item === null || isMapping(item));
}
