import { randomFrom } from './seeded-random.ts';

/** A folder with configuration files, made at random. */
export interface RandomConfig {
  /** By their paths below the folder `work`, which is the current one. */
  readonly files: Readonly<Record<string, Uint8Array>>;
  /** `ROOT` in it stands for the folder above. */
  readonly environment: Readonly<Record<string, string>>;
  /** Whether everybody may write into the current folder. */
  readonly worldWritable: boolean;
}

const WORDS = [
  'deploy',
  '"quoted"',
  "'single'",
  '"half',
  '""',
  '',
  'a b',
  'é',
  '%(x)s',
  '%%',
  'a ; b',
  'a;b',
  'a # b',
  '"a\\"',
];
const FLAGS = ['yes', 'True', 'FALSE', 'on', '0', '1', 't', 'n', 'maybe', '', '"yes"', ' y ', '1.0'];
const NUMBERS = ['10', '+7', '-3', '1_000', '007', '10.0', 'ten', '', '0', '1e3', ' 8 ', '70000', '_1', '1__0'];
const PATHS = [
  'keys/id',
  '/abs/../id',
  '~/.ssh/id',
  '$HERE/id',
  '\x24{HERE}/x',
  '$NOT_SET/id',
  '{{CWD}}/id',
  '"~/q"',
  '',
  '.',
  'a//b/./c',
  '$',
  '~',
];
const LISTS = [
  'hosts',
  'hosts, ../other',
  'a,b,',
  ' one ,/two',
  '{{CWD}}/inv',
  'dev@~/dev.pass, prod@prompt',
  '"x", \'y\'',
  '~/inv',
  '',
];
const ARGS = [
  '-o ControlMaster=auto -F /x',
  '-i "~/k"',
  '"-J a"',
  '-o ProxyCommand="ssh -W %h:%p gw"',
  '',
  '-C ; faster',
];
const HASHES = ['merge', 'replace', '"merge"', 'Merge', 'other', ''];

/** Section, key, variables, and texts that fit. */
const SETTINGS: readonly (readonly [
  section: string,
  key: string,
  variables: readonly string[],
  texts: readonly string[],
])[] = [
  ['defaults', 'inventory', ['ANSIBLE_INVENTORY'], LISTS],
  ['defaults', 'remote_user', ['ANSIBLE_REMOTE_USER'], WORDS],
  ['defaults', 'remote_port', ['ANSIBLE_REMOTE_PORT'], NUMBERS],
  ['defaults', 'private_key_file', ['ANSIBLE_PRIVATE_KEY_FILE'], PATHS],
  ['defaults', 'timeout', ['ANSIBLE_TIMEOUT'], NUMBERS],
  ['defaults', 'forks', ['ANSIBLE_FORKS'], NUMBERS],
  ['defaults', 'ask_pass', ['ANSIBLE_ASK_PASS'], FLAGS],
  ['defaults', 'ask_vault_pass', ['ANSIBLE_ASK_VAULT_PASS'], FLAGS],
  ['defaults', 'vault_password_file', ['ANSIBLE_VAULT_PASSWORD_FILE'], PATHS],
  ['defaults', 'vault_identity_list', ['ANSIBLE_VAULT_IDENTITY_LIST'], LISTS],
  ['defaults', 'hash_behaviour', ['ANSIBLE_HASH_BEHAVIOUR'], HASHES],
  ['defaults', 'host_key_checking', ['ANSIBLE_HOST_KEY_CHECKING', 'ANSIBLE_SSH_HOST_KEY_CHECKING'], FLAGS],
  ['ssh_connection', 'host_key_checking', [], FLAGS],
  ['ssh_connection', 'ssh_args', ['ANSIBLE_SSH_ARGS'], ARGS],
  ['ssh_connection', 'ssh_common_args', ['ANSIBLE_SSH_COMMON_ARGS'], ARGS],
  ['ssh_connection', 'ssh_extra_args', ['ANSIBLE_SSH_EXTRA_ARGS'], ARGS],
  ['ssh_connection', 'timeout', ['ANSIBLE_SSH_TIMEOUT'], NUMBERS],
  ['privilege_escalation', 'become', ['ANSIBLE_BECOME'], FLAGS],
  ['privilege_escalation', 'become_user', ['ANSIBLE_BECOME_USER', 'ANSIBLE_SUDO_USER'], WORDS],
  ['privilege_escalation', 'become_method', ['ANSIBLE_BECOME_METHOD'], WORDS],
  ['privilege_escalation', 'become_ask_pass', ['ANSIBLE_BECOME_ASK_PASS'], FLAGS],
  ['sudo_become_plugin', 'user', [], WORDS],
  ['defaults', 'unknown', [], WORDS],
];

/** The configurations of a seed. */
export class RandomConfigs {
  readonly #next: () => number;

  constructor(seed: number) {
    this.#next = randomFrom(seed);
  }

  make(): RandomConfig {
    const files: Record<string, Uint8Array> = {};
    if (this.#chance(0.85)) files['work/ansible.cfg'] = this.#file();
    if (this.#chance(0.15)) files['home/.ansible.cfg'] = this.#file();
    const environment: Record<string, string> = { HOME: 'ROOT/home', HERE: '/here' };
    if (this.#chance(0.25)) {
      files['named/ansible.cfg'] = this.#file();
      const names = [
        '../named',
        'ROOT/named/ansible.cfg',
        '$UP/named',
        '~/../named/',
        'ROOT/none.cfg',
        'ROOT/named/x.yml',
      ];
      environment['ANSIBLE_CONFIG'] = this.#one(names);
      environment['UP'] = '..';
      if (this.#chance(0.2)) files['named/x.yml'] = new TextEncoder().encode('a: 1\n');
    }
    for (const [, , variables, texts] of SETTINGS)
      for (const name of variables)
        if (this.#chance(0.1)) environment[name] = this.#one(texts).replaceAll('\u0000', '');
    return { files, environment, worldWritable: this.#chance(0.1) };
  }

  #file(): Uint8Array {
    const lines: string[] = this.#chance(0.05) ? [this.#option()] : [];
    const sections = ['defaults', 'ssh_connection', 'privilege_escalation', 'sudo_become_plugin', 'DEFAULT', 'galaxy'];
    for (const section of sections) {
      if (!this.#chance(0.7)) continue;
      lines.push(this.#one([`[${section}]`, `[${section}] ; here`, `  [${section}]`, `[${section}]trailing`]));
      const own = SETTINGS.filter(([of]) => of === section || section === 'DEFAULT');
      for (const [, key, , texts] of own)
        if (this.#chance(section === 'DEFAULT' ? 0.08 : 0.4)) lines.push(...this.#entry(key, texts));
    }
    if (this.#chance(0.04)) lines.push('[defaults]', 'more = 1');
    if (this.#chance(0.04)) lines.splice(Math.floor(this.#next() * lines.length), 0, 'no sign here');
    const end = this.#chance(0.1) ? '\r\n' : '\n';
    const text = `${this.#chance(0.02) ? '\uFEFF' : ''}${lines.join(end)}${this.#chance(0.9) ? end : ''}`;
    const latin = this.#chance(0.05) ? Uint8Array.of(0x23, 0xe9, 0x0a) : new Uint8Array();
    return Buffer.concat([latin, new TextEncoder().encode(text)]);
  }

  #entry(key: string, texts: readonly string[]): readonly string[] {
    const lines = [this.#one(['', '', '', '', ' ', '\t']) + this.#option(key, texts)];
    if (this.#chance(0.12))
      lines.push(this.#one(['    more', '  # a comment', '', '\tx ; y', '    ; z', '  key = value']));
    if (this.#chance(0.08)) lines.push(this.#one(['# comment', '; comment', '', '   ']));
    if (this.#chance(0.015)) lines.push(this.#option(key, texts));
    return lines;
  }

  #option(key = 'timeout', texts: readonly string[] = NUMBERS): string {
    const written = this.#one([key, key, key, key.toUpperCase(), `${key} `]);
    return `${written}${this.#one(['=', ' = ', ':', ' : ', '=  '])}${this.#one(texts)}${this.#one(['', '', '', ' ; why', '  ', ' # no'])}`;
  }

  #chance(probability: number): boolean {
    return this.#next() < probability;
  }

  #one<T>(choices: readonly T[]): T {
    return choices[Math.floor(this.#next() * choices.length)]!;
  }
}
