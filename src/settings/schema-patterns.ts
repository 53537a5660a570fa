/**
 * What values look like, as patterns for JSON Schemas: editors then find what the validation would refuse. Each is as narrow as
 * a pattern can be and never narrower than the validation; a template, which is evaluated first, fits them all.
 */

const OCTET = '(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])';
const V4 = `(?:${OCTET}\\.){3}${OCTET}`;
const HEX = '[0-9A-Fa-f]{1,4}';

/** The spellings of IPv6: in full, with `::` at each place, and with the last four bytes as IPv4. */
function ipv6(): string {
  const shortened = Array.from({ length: 7 }, (_, index) => {
    const before = index === 0 ? '' : `(?:${HEX}:){${index - 1}}${HEX}`;
    return `${before}::(?:${HEX}(?::${HEX}){0,${6 - index}})?`;
  });
  const mixed = Array.from({ length: 6 }, (_, index) => {
    const before = index === 0 ? '' : `(?:${HEX}:){${index - 1}}${HEX}`;
    return `${before}::(?:${HEX}:){0,${5 - index}}${V4}`;
  });
  return ['(?:H:){7}H', '(?:H:){6}H::', ...shortened, `(?:H:){6}${V4}`, ...mixed].join('|').replaceAll('H', HEX);
}

const V6 = `(?:${ipv6()})`;
const NETWORK = `(?:${V4}(?:/(?:[0-9]|[12][0-9]|3[0-2]))?|${V6}(?:/(?:[0-9]|[1-9][0-9]|1[01][0-9]|12[0-8]))?)`;
const PORT = '0{0,4}(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])';
const RANGE = `${PORT}(?:\\s*[-–]\\s*${PORT})?`;
/** Text with a template in it. */
export const TEMPLATE = '\\{[{%#]';

/** What a JSON Schema says of a text: the pattern, and what editors show where it does not match. */
export interface TextShape {
  readonly pattern: string;
  readonly patternErrorMessage: string;
}

function whole(pattern: string, patternErrorMessage: string): TextShape {
  return { pattern: `^(?:${pattern})$|${TEMPLATE}`, patternErrorMessage };
}

/** Yes and no in every case: `[yY][eE][sS]`. */
function anyCase(word: string): string {
  return [...word].map((letter) => (/[a-z]/.test(letter) ? `[${letter}${letter.toUpperCase()}]` : letter)).join('');
}

const RULE_PORT = `(?:${RANGE}|rpc:[a-z0-9_.-]+)`;
const FLAG_WORDS = ['y', 'yes', 'on', '1', 'true', 't', 'n', 'no', 'off', '0', 'false', 'f'];

/** The shapes of texts by what they describe. */
export const SHAPES = {
  name: whole(
    '[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,62}[A-Za-z0-9])?',
    'A name has letters, digits, hyphens and underscores, up to 64',
  ),
  user: whole('[A-Za-z0-9_.@\\\\$+][A-Za-z0-9_.@\\\\$+-]{0,127}', 'Write the name of an account on the host'),
  address: whole(`${V4}|${V6}`, 'Write one address, such as 192.0.2.10 or 2001:db8::10'),
  // A text without a slash and without two colons that is not only digits and dots is a name of the inventory.
  source: whole(
    `${NETWORK}|(?![0-9.]+$)(?!.*:.*:)[^/]+`,
    'Write an address, a network such as 192.0.2.0/24, or a group or host of the inventory',
  ),
  interfaceOrNetwork: whole(
    `${NETWORK}|(?![0-9.]+$)[A-Za-z0-9_.@-]{1,15}`,
    'Write an interface, an address or a network such as 192.0.2.0/24',
  ),
  hostAddress: whole(
    `${V4}|${V6}|(?![0-9.]+$)[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}`,
    'Write one address without a port, or a host name',
  ),
  date: whole('[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])', 'Write a day as YYYY-MM-DD, in quotes'),
  port: whole(`\\s*${RANGE}\\s*`, 'Write a port from 1 to 65535, or a range such as "8903-8904"'),
  portNumber: whole(`\\s*${PORT}\\s*`, 'Write a port from 1 to 65535'),
  seconds: whole(
    '\\s*0{0,5}(?:[1-9][0-9]{0,2}|[12][0-9]{3}|3[0-5][0-9]{2}|3600)\\s*',
    'Write a number of seconds from 1 to 3600',
  ),
  path: whole('(?!~[^/])(?=.*\\S).*', "Write the path of a file; another user's home is written out"),
  notBlank: whole('(?=.*\\S).*', 'This cannot be empty'),
  sentence: whole('(?=[^]*\\S)[^]{1,200}', 'Say it in a few words, at most 200 characters'),
  selector: whole(
    `[A-Za-z0-9][A-Za-z0-9_.-]*(?:/(?:(?:(?:public|private|vip|control)/)?(?:tcp|udp)/)?${RULE_PORT})?`,
    'Write role, role/8700, role/tcp/8700 or role/public/tcp/8700',
  ),
  flag: whole(`\\s*(?:${FLAG_WORDS.map(anyCase).join('|')})\\s*`, 'Write true or false'),
} as const;
