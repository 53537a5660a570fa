/**
 * A zone file's text without its binding of one interface, every other byte as it was; `null` when it binds none such.
 * A line that holds nothing else goes as a whole; what stands in a comment stays. Hosts do it by themselves (released.py): this is
 * the same, for what a plan shows of it, and for tests.
 */
export function withoutInterface(text: string, name: string): string | null {
  const escaped = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const element = `<interface\\s+name\\s*=\\s*(?:"${escaped}"|'${escaped}')\\s*(?:/>|>\\s*</interface\\s*>)`;
  const comment = '<!--[\\s\\S]*?-->';
  const pattern = new RegExp(`${comment}|(?<=^|\\n)[ \\t]*${element}[ \\t]*\\r?\\n|${element}`, 'g');
  const rest = text.replace(pattern, (match) => (match.startsWith('<!--') ? match : ''));
  return rest === text ? null : rest;
}
