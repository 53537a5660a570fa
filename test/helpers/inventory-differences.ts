/** One point in which portfw and Ansible knowingly differ: a heading of `docs/reference/ansible-differences.md`, and what shows it. */
export interface Difference {
  readonly title: string;
  readonly files: Readonly<Record<string, string>>;
  /** What `-i` names; `hosts.yaml` when not given. */
  readonly sources?: readonly string[];
  /** What Ansible's list matches; `null` when it prints none. */
  readonly ansible: RegExp | null;
  /** What portfw's list or its error matches. */
  readonly portfw: RegExp;
}

const script = (list: string, host: string): string =>
  `#!/bin/sh\nif [ "$1" = --list ]; then ${list}; else ${host}; fi\n`;

export const DIFFERENCES: readonly Difference[] = [
  {
    title: 'A key that appears twice is an error',
    files: { 'hosts.yaml': 'web:\n  hosts:\n    w1: {a: 1, a: 2}\n' },
    ansible: /"a": 2/,
    portfw: /hosts\.yaml:3:16: error: the key "a" appears twice/,
  },
  {
    title: 'A source that cannot be read is an error',
    files: { 'hosts.yaml': 'web:\n  hosts:\n    w1:\n', 'broken.yaml': 'web: [\n' },
    sources: ['hosts.yaml', 'broken.yaml', 'missing.yaml', 'nobody.example.net'],
    ansible: /"w1"/,
    portfw:
      /broken\.yaml:1:6: error: .*\n[\s\S]*missing\.yaml:1:1: error: there is no such file[\s\S]*nobody\.example\.net:1:1: error/,
  },
  {
    title: 'An empty inventory is an error',
    files: { 'hosts.yaml': '---\n' },
    ansible: /"hostvars": \{\}/,
    portfw: /hosts\.yaml:1:\d+: error: the inventory is empty/,
  },
  {
    title: 'An empty map is an error',
    files: { 'inventory/hosts': '[web]\nw1\n', 'inventory/none': '{}' },
    sources: ['inventory'],
    ansible: /"\{\}"/,
    portfw: /inventory\/none:1:1: error: the inventory is empty: "\{\}" holds no group/,
  },
  {
    title: 'Files that are no inventories name no hosts',
    files: {
      'inventory/hosts': '[web]\nw1\n',
      'inventory/README': 'Inventories\n',
      'inventory/vault_pass': 'secret\n',
    },
    sources: ['inventory'],
    ansible: /"Inventories"[\s\S]*"secret"/,
    portfw: /^(?![\s\S]*(?:Inventories|secret))[\s\S]*"w1"/,
  },
  {
    title: 'Unknown keys and wrong shapes are errors',
    files: { 'hosts.yaml': 'web:\n  host:\n    w1:\n  hosts:\n    w2:\ndb: text\n' },
    ansible: /"w2"/,
    portfw:
      /hosts\.yaml:2:3: error: unknown key "host" in the group "web"[\s\S]*hosts\.yaml:6:5: error: the group "db" must be a mapping/,
  },
  {
    title: 'Names have no special characters',
    files: { 'hosts.yaml': 'web:\n  hosts:\n    "w1;reboot":\n    "w 2":\n' },
    ansible: /"w1;reboot"/,
    portfw: /hosts\.yaml:3:5: error: the host name "w1;reboot" holds the character ";"/,
  },
  {
    title: 'A reversed range is an error',
    files: { 'hosts.yaml': 'web:\n  hosts:\n    w[3:1]:\n    other:\n' },
    ansible: /"other"/,
    portfw: /hosts\.yaml:3:5: error: the range \[3:1\] is reversed/,
  },
  {
    title: 'Sizes have limits',
    files: { 'hosts.yaml': 'web:\n  hosts:\n    "p:65536":\n' },
    ansible: /"ansible_port": 65536/,
    portfw: /hosts\.yaml:3:5: error: port 65536 is not between 1 and 65535/,
  },
  {
    title: 'Some unusual forms of YAML are errors',
    files: { 'hosts.yaml': 'web:\n  vars:\n    list: [-, a]\n    text: "one\u0085two"\n  hosts:\n    w1:\n' },
    ansible: /"one two"/,
    portfw: /hosts\.yaml:4:15: error: the invisible character U\+0085 ends a line here for Ansible/,
  },
  {
    title: 'Programs that fail are errors',
    files: { 'inventory.sh': script(`echo '{"web": ["w1"]}'`, `echo '{"a": 1}'; echo no access >&2; exit 3`) },
    sources: ['inventory.sh'],
    ansible: /"a": 1/,
    portfw: /inventory\.sh:1:1: error: the program \("--host w1"\) ended with exit code 3: no access/,
  },
  {
    title: 'Collections within !unsafe are kept',
    files: { 'hosts.yaml': 'web:\n  vars:\n    u: !unsafe [{k: "{{ x }}"}]\n  hosts:\n    w1:\n' },
    ansible: /"u": \[\s*\{\}\s*\]/,
    portfw: /"u": \[\s*\{\s*"k": \{\s*"__ansible_unsafe": "\{\{ x \}\}"/,
  },
  {
    title: 'Dates can be keys',
    files: { 'hosts.yaml': 'web:\n  vars: {days: {2020-01-01: a}}\n  hosts:\n    w1:\n' },
    ansible: null,
    portfw: /"2020-01-01": "a"/,
  },
  {
    title: 'Tags that have no JSON form are errors',
    files: { 'hosts.yaml': 'web:\n  vars:\n    b: !!binary aGk=\n    s: !!set {a, b}\n  hosts:\n    w1:\n' },
    ansible: null,
    portfw: /hosts\.yaml:3:\d+: error: the tag "!!binary" is not known[\s\S]*hosts\.yaml:4:\d+: error: the tag "!!set"/,
  },
  {
    title: 'Python values that have no JSON form stay text or become lists',
    files: { 'hosts.ini': 'w1 set={1,2} complex=1j dots=... named="\'\\N{BULLET}\'"\n' },
    sources: ['hosts.ini'],
    ansible: null,
    portfw: /"complex": "1j",\s*"dots": "\.\.\.",\s*"named": "'\\\\N\{BULLET\}'",\s*"set": \[\s*1,\s*2\s*\]/,
  },
  {
    title: 'A byte order mark before an INI inventory is ignored',
    files: { 'hosts.ini': '\ufeff[web]\nw1\n' },
    sources: ['hosts.ini'],
    ansible: /^(?![\s\S]*"web")/,
    portfw: /"web": \{\s*"hosts": \[\s*"w1"/,
  },
  {
    title: 'Names of variables are text',
    files: { 'hosts.yaml': 'web:\n  hosts:\n    w1: {b: 1, 2: c, a: 3}\n' },
    ansible: /"b": 1,\s*"2": "c",\s*"a": 3/,
    portfw: /"2": "c",\s*"a": 3,\s*"b": 1/,
  },
  {
    title: 'Names of hosts and groups are text',
    files: { 'hosts.yaml': 'web:\n  hosts:\n    w1:\n  children:\n    10:\n      hosts:\n        w2:\n' },
    ansible: /"hostvars": \{\}/,
    portfw: /hosts\.yaml:5:5: error: the group "10" is not text/,
  },
  {
    title: 'A few values that Ansible refuses are text',
    files: { 'hosts.yaml': 'web:\n  vars: {a: =, b: <<}\n  hosts:\n    w1:\n' },
    ansible: /"hostvars": \{\}/,
    portfw: /"a": "=",\s*"b": "<<"/,
  },
];
