import type { AddressRange } from '../core/address-ranges.ts';
import { readSpan } from './read-ipset-save.ts';
import type { Destination, Part, Table, Target } from './ruleset.ts';
import { readValue } from './values.ts';

/** Targets after which the next rule is evaluated, and which change nothing that rules match. */
const ASIDE = [
  'LOG',
  'NFLOG',
  'ULOG',
  'AUDIT',
  'TRACE',
  'TCPMSS',
  'TCPOPTSTRIP',
  'CHECKSUM',
  'CLASSIFY',
  'DSCP',
  'TOS',
  'ECN',
  'TTL',
  'HL',
  'SET',
  'SECMARK',
  'CONNSECMARK',
  'IDLETIMER',
  'LED',
  'RATEEST',
  'TEE',
];

/** What a rule does, from `-j` on; nothing without one. */
export function readIptablesTarget(words: readonly string[], family: 'ipv4' | 'ipv6', table: Table): Part[] {
  const [how, name = '', ...options] = words;
  if (how === undefined) return [];
  const after = (option: string): string | null => {
    const index = options.indexOf(option);
    return index === -1 ? null : (options[index + 1] ?? '');
  };
  if (how === '-g') return [{ kind: 'verdict', verdict: { kind: 'goto', target: name } }];
  if (name === 'SET' && options.includes('--map-mark')) return [{ kind: 'set-mark', of: 'mark', to: null }];
  if (ASIDE.includes(name)) return [{ kind: 'aside' }];
  switch (name) {
    case 'ACCEPT':
      return [{ kind: 'verdict', verdict: { kind: 'accept' } }];
    case 'DROP':
      return [{ kind: 'verdict', verdict: { kind: 'drop' } }];
    case 'REJECT':
      return [{ kind: 'verdict', verdict: { kind: 'reject' } }];
    case 'RETURN':
      return [{ kind: 'verdict', verdict: { kind: 'return' } }];
    case 'NFQUEUE':
    case 'QUEUE':
      return [{ kind: 'queue', text: words.join(' ') }];
    case 'NOTRACK':
      return [{ kind: 'untrack' }];
    case 'CT':
      return [options.includes('--notrack') ? { kind: 'untrack' } : { kind: 'aside' }];
    case 'MARK':
    case 'CONNMARK':
      return [markPart(name === 'MARK' ? 'mark' : 'ct mark', after, options)];
    case 'MASQUERADE':
    case 'SNAT':
      return [{ kind: 'translate-source' }];
    case 'DNAT':
      return [{ kind: 'translate-destination', to: destinationOf(after('--to-destination') ?? '', family) }];
    case 'REDIRECT': {
      const ports = after('--to-ports');
      const port = ports === null ? 'same' : readSpan(ports, 'inet_service', '-');
      return [{ kind: 'translate-destination', to: { family, address: 'here', port, map: null } }];
    }
    default:
      return table.chains.has(name)
        ? [{ kind: 'verdict', verdict: { kind: 'jump', target: name } }]
        : [{ kind: 'unknown-statement', text: words.join(' ') }];
  }
}

const ALL_BITS = (1n << 32n) - 1n;

function markPart(of: 'mark' | 'ct mark', after: (option: string) => string | null, options: readonly string[]): Part {
  const set = after('--set-xmark');
  if (set !== null) {
    const [value, mask] = set.split('/').map((part) => readValue(part, 'mark')?.first);
    if (value !== undefined)
      return { kind: 'set-mark', of, to: { from: of, and: ALL_BITS ^ (mask ?? ALL_BITS), xor: value } };
  }
  const whole = ['--nfmask', '--ctmask', '--mask'].every((option) => {
    const mask = after(option);
    return mask === null || mask === '0xffffffff';
  });
  const copied = { and: ALL_BITS, xor: 0n };
  if (options.includes('--save-mark')) {
    return { kind: 'set-mark', of: 'ct mark', to: whole ? { from: 'mark', ...copied } : null };
  }
  if (options.includes('--restore-mark')) {
    return { kind: 'set-mark', of: 'mark', to: whole ? { from: 'ct mark', ...copied } : null };
  }
  return { kind: 'set-mark', of, to: null };
}

/** `192.0.2.7`, `192.0.2.7:80`, `[2001:db8::7]:80`, `:80`, or ranges of these. */
function destinationOf(text: string, family: 'ipv4' | 'ipv6'): Target {
  const match =
    family === 'ipv4'
      ? /^([^:]*)(?::(.+))?$/.exec(text)
      : (/^\[([^\]]*)\](?::(.+))?$/.exec(text) ?? /^(.*)()$/.exec(text));
  const [, address = '', ports = ''] = match ?? [];
  const type = family === 'ipv4' ? 'ipv4_addr' : 'ipv6_addr';
  const to: Destination['address'] | AddressRange = address === '' ? 'same' : readSpan(address, type, '-');
  const port = ports === '' ? 'same' : readSpan(ports.split('/')[0]!, 'inet_service', '-');
  return { family, address: to, port, map: null };
}
