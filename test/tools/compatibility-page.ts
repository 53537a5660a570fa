import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { SECTIONS } from '../helpers/supported.ts';

/** One line of the page: what is supported, and the test or case that proves it. */
export interface Proved {
  readonly section: string;
  readonly line: string;
  /** Relative to the repository. */
  readonly file: string;
}

const ROOT = path.join(import.meta.dirname, '../..');
/** `supported('Section', 'line')` in a test; the texts are literals. */
const IN_TEST = /\bsupported\(\s*'([^']*)',\s*(?:'((?:\\.|[^'\\])*)'|"((?:\\.|[^"\\])*)"|`([^`$]*)`),?\s*\)/g;
/** `# supported: Section | line` in a case that is a data file; `;` begins a comment in INI. */
const IN_CASE = /^[ \t]*(?:[#;]|\/\/)[ \t]*supported:[ \t]*(.*?)[ \t]*\|[ \t]*(.*?)[ \t]*$/gm;

/** Everything that the tests say they prove, in the order of the files. */
export function provedLines(): readonly Proved[] {
  const lines: Proved[] = [];
  for (const file of filesBelow('test')) {
    if (file === 'test/helpers/supported.ts' || file === 'test/tools/compatibility-page.ts') continue;
    const inFixture = file.startsWith('test/fixtures/');
    if (!inFixture && !file.endsWith('.test.ts')) continue;
    const text = readFileSync(path.join(ROOT, file), 'latin1');
    if (!text.includes('supported')) continue;
    const decoded = Buffer.from(text, 'latin1').toString('utf8');
    for (const match of decoded.matchAll(inFixture ? IN_CASE : IN_TEST)) {
      const [, section = '', ...texts] = match;
      const line = texts.find((one) => one !== undefined) ?? '';
      lines.push({ section, line: inFixture ? line : line.replaceAll(/\\(.)/g, '$1'), file });
    }
  }
  return lines;
}

/** How many calls of `supported(` the tests hold; each is to be one line of the page. */
export function supportedCalls(): number {
  return filesBelow('test')
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => readFileSync(path.join(ROOT, file), 'utf8').match(/\bsupported\(/g)?.length ?? 0)
    .reduce((sum, count) => sum + count, 0);
}

/** The text of `docs/evidence/compatibility.md`. */
export function compatibilityPage(): string {
  const lines = provedLines();
  const parts = SECTIONS.map((section) => {
    const own = lines.filter((line) => line.section === section);
    const rows = [...new Map(own.map((line) => [line.line, line])).values()]
      .sort((a, b) => (a.line.replaceAll('`', '') < b.line.replaceAll('`', '') ? -1 : 1))
      .map(({ line, file }) => `| ${line.replaceAll('|', '\\|')} | [${shortName(file)}](../../${file}) |`);
    return `## ${section}\n\n| supported | proved by |\n| --- | --- |\n${rows.join('\n')}\n`;
  });
  return `# Compatibility

What of Ansible and OpenSSH works with portfw. Every line is the title of a test that proves it, against the real ansible-inventory,
ansible-vault, ssh or sshd if there is one. \`npm run compatibility\` generates this page.

Where portfw differs on purpose: [Differences from Ansible](../reference/ansible-differences.md) and [SSH](../ssh.md).

${parts.join('\n')}`;
}

/** A case's folder says more than the name of its file. */
function shortName(file: string): string {
  if (!file.startsWith('test/fixtures/')) return path.basename(file).replace(/\.test\.ts$/, '');
  const folder = path.basename(path.dirname(file));
  return /^(?:cases|list|bad|bad-input|ssh-config|ini)$/.test(folder) ? path.basename(file) : folder;
}

function filesBelow(folder: string): string[] {
  return readdirSync(path.join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(ROOT, path.join(entry.parentPath, entry.name)))
    .sort();
}
