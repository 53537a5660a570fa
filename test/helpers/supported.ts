/**
 * What of other programs' conventions portfw supports, told by the tests that prove it: `docs/evidence/compatibility.md` is made from
 * the titles given here (see `compatibility-page.ts`), so that a line stands there only as long as its test does.
 */

/** The sections of the page, in its order. */
export const SECTIONS = [
  'ansible.cfg',
  'Inventory files',
  'YAML values',
  'INI inventories',
  'Executable inventories and plugins',
  'Vault',
  'Templates',
  'Patterns',
  'ssh_config',
  'ansible_ssh_common_args',
  'Logging in',
  'Host keys',
  'Jump hosts',
  'sudo and login shells',
] as const;

export type Section = (typeof SECTIONS)[number];

/**
 * The title of a test that proves one line of the page.
 *
 * @param line what is supported, in the words of a user: `ProxyJump through several hosts`. A literal, as the page is made
 *   from the source text
 * @example it(supported('Patterns', '`group[0:2]`: the first three hosts of a group'), () => …)
 */
export function supported(section: Section, line: string): string {
  return `${section}: ${line}`;
}
