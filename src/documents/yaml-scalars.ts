/**
 * Scalars as PyYAML's safe loader reads them (YAML 1.1 with PyYAML's own deviations), which is what Ansible uses.
 * Source: PyYAML's resolver tables as documented, https://pyyaml.org/wiki/PyYAMLDocumentation, and the behaviour of
 * `ansible-inventory`, against which the inventory fixtures were recorded.
 */

/** A YAML float that keeps being one: `1.0` is not `1` when printed. */
export class YamlFloat {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }

  /** The shortest text that reads back as the same number, in Python's notation (`1.0`, `1e-05`, `Infinity`). */
  toString(): string {
    const value = this.value;
    if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity';
    if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
    const [mantissa, exponentText] = value.toExponential().split('e') as [string, string];
    const exponent = Number(exponentText);
    if (exponent >= -4 && exponent < 16) {
      const fixed =
        exponent < 0 ? value.toFixed(Math.min(100, (mantissa.split('.')[1]?.length ?? 0) - exponent)) : String(value);
      return fixed.includes('.') ? fixed : `${fixed}.0`;
    }
    return `${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
  }
}

/** A YAML date or time. */
export class YamlTimestamp {
  /** As the file has it. */
  readonly source: string;
  /** As Python's `isoformat()` prints it. */
  readonly iso: string;

  constructor(source: string, iso: string) {
    this.source = source;
    this.iso = iso;
  }
}

/** Text tagged `!unsafe`: never a template. */
export class UnsafeText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A value encrypted by `ansible-vault`, tagged `!vault`. */
export class VaultValue {
  readonly ciphertext: string;

  constructor(ciphertext: string) {
    this.ciphertext = ciphertext;
  }
}

/** What a scalar can be; integers beyond 2^53 are bigints. */
export type YamlScalar =
  | string
  | number
  | bigint
  | boolean
  | null
  | YamlFloat
  | YamlTimestamp
  | UnsafeText
  | VaultValue;

const BOOL = /^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$/;
const NULL = /^(?:~|null|Null|NULL|)$/;
const INT = /^[-+]?(?:0b[01_]+|0[0-7_]+|(?:0|[1-9][0-9_]*)|0x[0-9a-fA-F_]+|[1-9][0-9_]*(?::[0-5]?[0-9])+)$/;
const FLOAT =
  /^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;
const DATE = /^(\d{4})-(\d\d)-(\d\d)$/;
const TIMESTAMP =
  /^(\d{4})-(\d\d?)-(\d\d?)(?:[Tt]|[ \t]+)(\d\d?):(\d\d):(\d\d)(?:\.(\d*))?(?:[ \t]*(Z|([-+])(\d\d?)(?::(\d\d))?))?$/;

/** The value of an untagged plain scalar. Throws a `RangeError` for a date that does not exist, as PyYAML does. */
export function resolvePlain(text: string): YamlScalar {
  if (NULL.test(text)) return null;
  if (BOOL.test(text)) return toBool(text);
  const first = text.charCodeAt(0);
  // Only what starts with a digit, a sign or a dot can be a number or a date.
  if (!((first >= 0x30 && first <= 0x39) || first === 0x2b || first === 0x2d || first === 0x2e)) return text;
  if (FLOAT.test(text)) return toFloat(text);
  if (INT.test(text)) return toInt(text) ?? text;
  return toTimestamp(text) ?? text;
}

/** The boolean of one of YAML 1.1's eleven words; any other text is a `RangeError`. */
export function toBool(text: string): boolean {
  if (!BOOL.test(text)) throw new RangeError('not a boolean');
  return /^(?:yes|true|on)$/i.test(text);
}

/** The integer of a YAML 1.1 text (binary, octal, hexadecimal, base 60), or `null` when it is none. */
export function toInt(source: string): number | bigint | null {
  if (!INT.test(source)) return null;
  const negative = source.startsWith('-');
  const text = source.replaceAll('_', '').replace(/^[-+]/, '');
  let value: bigint;
  if (/^0b/.test(text)) value = text.length > 2 ? BigInt(text) : 0n;
  else if (/^0x/.test(text)) value = text.length > 2 ? BigInt(text) : 0n;
  else if (text.includes(':')) value = text.split(':').reduce((sum, part) => sum * 60n + BigInt(part), 0n);
  else if (text.startsWith('0') && text.length > 1) value = BigInt(`0o${text}`);
  else value = BigInt(text);
  if (negative) value = -value;
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}

/** The float of a YAML 1.1 text. Throws a `RangeError` when it is none. */
export function toFloat(source: string): YamlFloat {
  const text = source.replaceAll('_', '').toLowerCase();
  const sign = text.startsWith('-') ? -1 : 1;
  const digits = text.replace(/^[-+]/, '');
  if (digits === '.inf') return new YamlFloat(sign * Number.POSITIVE_INFINITY);
  if (digits === '.nan') return new YamlFloat(Number.NaN);
  const value = digits.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
  if (digits === '' || Number.isNaN(value)) throw new RangeError('not a number');
  return new YamlFloat(sign * value);
}

/** The date or time of a text, `null` if it has another form; a `RangeError` when no such day exists. */
export function toTimestamp(text: string): YamlTimestamp | null {
  const day = DATE.exec(text);
  if (day !== null) {
    checkDate(Number(day[1]), Number(day[2]), Number(day[3]));
    return new YamlTimestamp(text, text);
  }
  const found = TIMESTAMP.exec(text);
  if (found === null) return null;
  const [, year, month, date, hour, minute, second, fraction, zone, sign, zoneHour, zoneMinute] = found;
  checkDate(Number(year), Number(month), Number(date));
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) throw new RangeError('no such time of day');
  const two = (part: string | undefined): string => (part ?? '0').padStart(2, '0');
  const micros = (fraction ?? '').slice(0, 6).padEnd(6, '0');
  let iso = `${year}-${two(month)}-${two(date)}T${two(hour)}:${minute}:${second}`;
  if (micros !== '000000') iso += `.${micros}`;
  if (sign !== undefined) {
    const zero = Number(zoneHour) === 0 && Number(zoneMinute ?? 0) === 0;
    iso += `${zero ? '+' : sign}${two(zoneHour)}:${two(zoneMinute)}`;
  } else if (zone !== undefined) iso += '+00:00';
  return new YamlTimestamp(text, iso);
}

function checkDate(year: number, month: number, day: number): void {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (year < 1 || date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) throw new RangeError('no such day');
}
