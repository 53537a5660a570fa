import { CST } from 'yaml';

/**
 * A double-quoted text, of which the library has made `value`. PyYAML keeps the empty lines after a line that ends with a backslash; the
 * library makes one blank of them.
 *
 * @param source the text with its quotes
 */
export function doubleQuoted(source: string, value: string): string {
  if (!/\\\r?\n[ \t]*\r?\n/.test(source)) return value;
  const written = source.replace(/\\(\r?\n(?:[ \t]*\r?\n)+|[\s\S])/g, (whole, escaped: string) => {
    const lines = escaped.split('\n').length - 1;
    return lines > 1 ? `${'\\n'.repeat(lines - 1)}\\\n` : whole;
  });
  return CST.resolveAsScalar({ type: 'double-quoted-scalar', offset: 0, indent: 0, source: written }).value;
}
