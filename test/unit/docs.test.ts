import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { buildProgram } from '../../src/cli/build-program.ts';
import { SECRET_VARIABLES } from '../../src/core/environment.ts';
import { readMatrix } from '../../src/matrix/load-matrix.ts';
import { ANSIBLE_SCHEMAS, PORTFW_SCHEMAS } from '../../src/settings/schema.ts';

const ROOT = path.join(import.meta.dirname, '../..');
const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(path.join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

function read(file: string): string {
  return readFileSync(path.join(ROOT, file), 'utf8');
}

function flagsOf(command: Command): string[] {
  const own = [...command.options, command.createHelp().visibleOptions(command)].flat();
  return [
    ...own.flatMap(({ short, long }) => [short, long]).filter((flag) => typeof flag === 'string'),
    ...command.commands.flatMap(flagsOf),
  ];
}

const program = buildProgram('0.0.0', () => {});
const flags = new Set(flagsOf(program));
// A name with underscores is for completion scripts, not for people.
const commands = new Set(program.commands.map((command) => command.name()).filter((name) => !name.startsWith('__')));

describe('docs/inventory-variables.md', () => {
  const text = read('docs/inventory-variables.md');

  it.each(Object.keys(PORTFW_SCHEMAS))('has a section on %s, and a row for it', (name) => {
    expect(text).toContain(`### \`${name}\`\n`);
    expect(text).toContain(`| [\`${name}\`](#${name}) |`);
  });

  it.each(Object.keys(ANSIBLE_SCHEMAS))('names %s', (name) => {
    expect(text).toContain(`\`${name}\``);
  });

  it('names no variable that does not exist', () => {
    const known = new Set([...Object.keys(PORTFW_SCHEMAS), ...Object.keys(ANSIBLE_SCHEMAS), 'ansible_password']);
    // A name that is followed by an underscore is a prefix, and one in an error message is meant to be wrong.
    const named = [...text.matchAll(/\b(?:portfw|ansible)_[a-z_]*[a-z]\b/g)].map(([name]) => name);
    expect(named.filter((name) => !known.has(name) && name !== 'portfw_privat')).toEqual([]);
  });
});

describe.each(PAGES)('%s', (page) => {
  const text = read(page);

  it('names only flags that a command has', () => {
    // Of lines about other programs, flags are theirs.
    const lines = text.split('\n').filter((line) => /\bportfw\b|^\| `-|^- `--|`--?[a-zA-Z]/.test(line));
    const ours = lines.filter((line) => !/ansible-inventory|busctl|firewall-cmd|npm |sudo |complete reload/.test(line));
    const named = ours.flatMap((line) => [...line.matchAll(/(?<=[\s`(])--[a-z][a-z-]+/g)].map(([flag]) => flag));
    expect(named.filter((flag) => !flags.has(flag))).toEqual([]);
  });

  it('calls only commands that exist', () => {
    const called = [...text.matchAll(/(?:^ +(?:\$ )?|`|\$ )portfw ([a-z]+)\b/gm)].map(([, name]) => name ?? '');
    expect(called.filter((name) => !commands.has(name))).toEqual([]);
  });

  it('links to files and headings that exist', () => {
    const broken = [...text.matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, target = '']) => {
      if (/^https?:/.test(target)) return [];
      const [file = '', heading] = target.split('#');
      const at = file === '' ? page : path.join(path.dirname(page), file);
      if (!existsSync(path.join(ROOT, at))) return [target];
      return heading === undefined || headings(read(at)).has(heading) ? [] : [target];
    });
    expect(broken).toEqual([]);
  });
});

/** Headings as GitHub makes anchors of them. */
function headings(text: string): ReadonlySet<string> {
  return new Set(
    [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
      title
        .toLowerCase()
        .replace(/[^\p{Letter}\p{Number}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

describe('README.md', () => {
  const text = read('README.md');

  it.each(Object.values(SECRET_VARIABLES))('names the environment variable %s', (name) => {
    expect(text).toContain(name);
  });

  it.each([...commands].filter((name) => name !== 'help'))('shows the command %s', (name) => {
    expect(text).toContain(`portfw ${name}`);
  });

  it('has every exit code of --help', () => {
    const help = read('src/cli/help.ts');
    const codes = [...help.matchAll(/^ {2}(\d+) +\S/gm)].map(([, code]) => code);
    expect(codes).toHaveLength(7);
    for (const code of codes) expect(text).toMatch(new RegExp(`^\\| ${code} \\|`, 'm'));
  });
});

describe('examples of matrices', () => {
  it.each([
    ['docs/matrices.md', 2],
    ['README.md', 1],
  ])('those of %s pass validation', (page, count) => {
    const examples = read(page)
      .split('\n\n')
      .filter((block) => block.startsWith('    matrix: '));
    expect(examples).toHaveLength(count);
    for (const example of examples) expect(problemsOf(example.replaceAll(/^ {4}/gm, ''))).toEqual([]);
  });
});

/** What the validation says of a matrix. */
function problemsOf(text: string): readonly string[] {
  const folder = mkdtempSync(path.join(tmpdir(), 'portfw-docs-'));
  try {
    const file = path.join(folder, 'matrix.yaml');
    writeFileSync(file, text);
    return readMatrix(file).problems.map(({ message }) => message);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
