import fc from 'fast-check';

/** One change to a text, at places that are fractions of its length. */
export type Mutation =
  | { readonly kind: 'flip byte'; readonly at: number; readonly bit: number }
  | { readonly kind: 'set byte'; readonly at: number; readonly byte: number }
  | { readonly kind: 'delete'; readonly at: number; readonly length: number }
  | { readonly kind: 'insert'; readonly at: number; readonly token: string }
  | { readonly kind: 'repeat'; readonly at: number; readonly length: number; readonly times: number }
  | { readonly kind: 'drop line'; readonly at: number }
  | { readonly kind: 'double line'; readonly at: number; readonly to: number }
  | { readonly kind: 'swap lines'; readonly at: number; readonly to: number }
  | { readonly kind: 'shift line'; readonly at: number; readonly by: number }
  | {
      readonly kind: 'splice';
      readonly at: number;
      readonly other: number;
      readonly from: number;
      readonly length: number;
    }
  | { readonly kind: 'cut'; readonly at: number };

/** Words that mean something to some parser, or are dangerous to pass on. */
const TOKENS = [
  ...[
    ':',
    ': ',
    '- ',
    '? ',
    '{',
    '}',
    '[',
    ']',
    ',',
    '#',
    '&a ',
    '*a',
    '!',
    '!vault |',
    '!unsafe ',
    '!!int ',
    '|',
    '>',
    '"',
    "'",
  ],
  ...[
    '<<: ',
    '---\n',
    '...\n',
    '%YAML 1.2\n',
    '\t',
    '\n',
    '\r',
    '\r\n',
    '  ',
    '\\',
    '\\x',
    '\\u202E',
    '\0',
    '\x1b[2J',
    '\x9b',
    '\x7f',
  ],
  ...['\ufeff', '\u202e', '\u2066', '\u200b', '\u2028', '\u0085', '\u00a0', '\ud7ff', '\u{1f525}', 'é', 'ı', '\uffff'],
  ...[
    'yes',
    'no',
    'null',
    '~',
    '.nan',
    '-.inf',
    '1e999',
    '0x7f',
    '0o17',
    '1_000',
    '1:30',
    '2026-02-30',
    '-1',
    '0',
    '65536',
    '99999999999999999999',
  ],
  ...[
    'all:',
    'hosts:',
    'children:',
    'vars:',
    'plugin: x\n',
    'ungrouped:',
    '[all]',
    '[all:vars]',
    '[web:children]',
    'x=1',
    'web[1:9]',
    '[1:99999999]',
  ],
  ...[
    '{{ x }}',
    '{{ hostvars[inventory_hostname] }}',
    '{% for a in range(99) %}',
    '{{',
    '}}',
    '{#',
    '$ANSIBLE_VAULT;1.1;AES256\n',
  ],
  ...[
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    '__ansible_vault',
    'ansible_host: ',
    'portfw_roles: ',
    'portfw_vips: ',
  ],
  ...[
    '$(reboot)',
    '`reboot`',
    '; reboot',
    '../..',
    '/dev/zero',
    '/',
    '-oProxyCommand=x',
    '<a>&amp;',
    '%h',
    '%%',
    '%x',
    '~',
    '!',
    '*',
    '?',
    '@',
    '|1|',
  ],
  ...[
    'Host *',
    'Match all',
    'Match exec "x"',
    'Include ',
    'ProxyJump ',
    'ssh-ed25519 ',
    '@revoked ',
    '@cert-authority ',
    'AAAA',
    '==',
  ],
  ...['(a+)+$', '~(', '~[', ':&', ':!', '[0:2]', '[-1]', '010.0.0.1', '192.0.2.0/33', '::', '2001:db8::1', '0.0.0.0/0'],
] as const;

/** Evenly spread: small numbers are not to be preferred. */
const at = fc.noBias(fc.integer({ min: 0, max: 999_999 })).map((millionths) => millionths / 1_000_000);
const short = fc.nat(40);

/** Mutations of every kind. */
export const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ kind: fc.constant('flip byte'), at, bit: fc.nat(7) }),
  fc.record({ kind: fc.constant('set byte'), at, byte: fc.nat(255) }),
  fc.record({ kind: fc.constant('delete'), at, length: short }),
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('insert'), at, token: fc.constantFrom(...TOKENS) }) },
  fc.record({ kind: fc.constant('repeat'), at, length: short, times: fc.constantFrom(2, 3, 20, 300, 3_000, 100_000) }),
  fc.record({ kind: fc.constant('drop line'), at }),
  fc.record({ kind: fc.constant('double line'), at, to: at }),
  fc.record({ kind: fc.constant('swap lines'), at, to: at }),
  fc.record({ kind: fc.constant('shift line'), at, by: fc.integer({ min: -4, max: 4 }) }),
  fc.record({ kind: fc.constant('splice'), at, other: fc.nat(1_000), from: at, length: fc.nat(300) }),
  fc.record({ kind: fc.constant('cut'), at }),
);

/** No text grows beyond this many bytes: the limit of a file's size is tested by itself. */
const MAX_BYTES = 100_000;

/** Applies mutations one after another. @param corpus what is spliced in */
export function mutate(text: Buffer, mutations: readonly Mutation[], corpus: readonly Buffer[]): Buffer {
  let bytes: Buffer = Buffer.from(text);
  for (const one of mutations) bytes = apply(bytes, one, corpus).subarray(0, MAX_BYTES);
  return bytes;
}

function apply(bytes: Buffer, mutation: Mutation, corpus: readonly Buffer[]): Buffer {
  const place = Math.floor(mutation.at * bytes.length);
  const insert = (what: Buffer): Buffer => Buffer.concat([bytes.subarray(0, place), what, bytes.subarray(place)]);
  switch (mutation.kind) {
    case 'flip byte':
    case 'set byte': {
      if (place >= bytes.length) return bytes;
      const copy = Buffer.from(bytes);
      copy[place] = mutation.kind === 'set byte' ? mutation.byte : copy[place]! ^ (1 << mutation.bit);
      return copy;
    }
    case 'delete':
      return Buffer.concat([bytes.subarray(0, place), bytes.subarray(place + mutation.length)]);
    case 'insert':
      return insert(Buffer.from(mutation.token));
    case 'repeat': {
      const piece = bytes.subarray(place, place + mutation.length);
      const times = Math.min(mutation.times, Math.ceil(MAX_BYTES / Math.max(1, piece.length)));
      return insert(Buffer.concat(new Array<Buffer>(times).fill(piece)));
    }
    case 'splice': {
      const other = corpus[mutation.other % corpus.length]!;
      const from = Math.floor(mutation.from * other.length);
      return insert(other.subarray(from, from + mutation.length));
    }
    case 'cut':
      return bytes.subarray(0, place);
    default:
      return applyToLines(bytes, mutation);
  }
}

function applyToLines(bytes: Buffer, mutation: Extract<Mutation, { kind: `${string} line` | 'swap lines' }>): Buffer {
  // As Latin-1, in which any bytes go there and back unharmed.
  const lines = bytes.toString('latin1').split('\n');
  const index = Math.min(lines.length - 1, Math.floor(mutation.at * lines.length));
  const line = lines[index]!;
  switch (mutation.kind) {
    case 'drop line':
      lines.splice(index, 1);
      break;
    case 'double line':
      lines.splice(Math.floor(mutation.to * lines.length), 0, line);
      break;
    case 'swap lines': {
      const other = Math.min(lines.length - 1, Math.floor(mutation.to * lines.length));
      lines[index] = lines[other]!;
      lines[other] = line;
      break;
    }
    case 'shift line':
      lines[index] = mutation.by < 0 ? line.slice(-mutation.by) : ' '.repeat(mutation.by) + line;
  }
  return Buffer.from(lines.join('\n'), 'latin1');
}
