/** Whether a value is a mapping, and no list: what YAML and JSON call so, once they are read. */
export function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
