import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { SETTINGS } from '../../src/ansible/config/setting-table.ts';
import { buildProgram } from '../../src/cli/build-program.ts';
import { EXIT } from '../../src/cli/exit-codes.ts';
import { COMMAND_HELP, PROGRAM_HELP } from '../../src/cli/help.ts';
import { SECRET_VARIABLES } from '../../src/core/environment.ts';
import { readMatrix } from '../../src/matrix/load-matrix.ts';
import { ANSIBLE_SCHEMAS, PORTFW_SCHEMAS } from '../../src/settings/schema.ts';
import { FAULTS } from '../faults/faults.ts';
import { KINDS } from '../faults/kinds.ts';
import { faultText, kindText } from '../faults/table.ts';

const ROOT = path.join(import.meta.dirname, '../..');
const DOCS = filesBelow('docs').filter((name) => name.endsWith('.md'));
const PAGES = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', ...DOCS];

function filesBelow(folder: string): readonly string[] {
  return readdirSync(path.join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(ROOT, path.join(entry.parentPath, entry.name)))
    .sort();
}

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
const commands = program.commands.filter((command) => !command.name().startsWith('__'));
const names = new Set(commands.map((command) => command.name()));

describe('docs/reference/inventory-variables.md', () => {
  const text = read('docs/reference/inventory-variables.md');

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

/** What a reader would have to puzzle out, where the words are "roll back", "SSH" and "confirm". */
const INSTEAD_OF_ROLLBACK_OR_CONFIRM =
  /\bways? (?:back|in)\b|\bput(?:s|ting)? (?:\w+ ){0,3}back\b|\b(?:taken|takes?|brought|brings?) back\b|\ba yes\b|\bsay yes\b|\bmend(?:s|ed)?\b/gi;

describe.each(PAGES)('%s', (page) => {
  const text = read(page);

  it('names only flags that a command has', () => {
    // Of lines about other programs, flags are theirs.
    const lines = text.split('\n').filter((line) => /\bportfw\b|^\| `-|^- `--|`--?[a-zA-Z]/.test(line));
    const ours = lines.filter(
      (line) => !/ansible-inventory|busctl|firewall-cmd|npm |sudo |nmcli|complete reload/.test(line),
    );
    const named = ours.flatMap((line) => [...line.matchAll(/(?<=[\s`(])--[a-z][a-z-]+/g)].map(([flag]) => flag));
    expect(named.filter((flag) => !flags.has(flag))).toEqual([]);
  });

  it('calls only commands that exist', () => {
    const called = [...text.matchAll(/(?:^ +(?:\$ )?|`|\$ )portfw ([a-z]+)\b/gm)].map(([, name]) => name ?? '');
    expect(called.filter((name) => !names.has(name) && name !== 'help')).toEqual([]);
  });

  it('links to files and headings that exist', () => {
    expect(linksOf(text).filter((target) => !leadsSomewhere(page, target))).toEqual([]);
  });

  it('uses the words of the glossary', () => {
    // Examples are indented; texts of the program stand between backticks, names of tests between quotes.
    const prose = text.replaceAll(/^ {4}.*$/gm, '').replaceAll(/`[^`]*`|“[^”]*”/g, '');
    expect(prose.match(INSTEAD_OF_ROLLBACK_OR_CONFIRM) ?? []).toEqual([]);
  });

  it('has no heading twice, so that each has an anchor of its own', () => {
    // A changelog has the same sections in each release.
    const found = headingsOf(text).filter((heading) => page !== 'CHANGELOG.md' || /\d/.test(heading));
    expect(found.filter((heading, index) => found.indexOf(heading) !== index)).toEqual([]);
  });
});

/** The targets of all links within the repository. */
function linksOf(text: string): readonly string[] {
  const flowing = text.replaceAll(/\s*\n\s*/g, ' ');
  const inline = [...flowing.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
  return inline.filter((target) => !/^https?:/.test(target));
}

/** Whether a relative link leads to a file of the repository, and to a heading of it. */
function leadsSomewhere(page: string, target: string): boolean {
  const [file = '', heading] = target.split('#');
  const at = file === '' ? page : path.normalize(path.join(path.dirname(page), file));
  if (path.isAbsolute(file) || at.startsWith('..') || !existsSync(path.join(ROOT, at))) return false;
  if (file.endsWith('/') && !statSync(path.join(ROOT, at)).isDirectory()) return false;
  return heading === undefined || (at.endsWith('.md') && headingsOf(read(at)).includes(heading));
}

/** Headings as GitHub makes anchors of them. Lines of examples are indented, and are none. */
function headingsOf(text: string): readonly string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replaceAll(/[^\p{Letter}\p{Number}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** The part of a page below one heading, up to the next of the same depth or above. */
function sectionOf(text: string, heading: string): string {
  const from = text.split(`\n${heading}\n`)[1];
  expect(from, `section ${heading}`).toBeDefined();
  const depth = heading.indexOf(' ');
  return (from ?? '').split(new RegExp(`\n#{1,${depth}} `))[0] ?? '';
}

/** The code at the beginning of each row of the tables. */
function firstCells(text: string): readonly string[] {
  return [...text.matchAll(/^\| `?\[?`?([^`|]+?)`? \|/gm)].map(([, cell = '']) => cell);
}

describe('README.md', () => {
  const text = read('README.md');

  it('is a door: at most 150 lines', () => {
    expect(text.trimEnd().split('\n').length).toBeLessThanOrEqual(150);
  });
});

describe('docs/README.md', () => {
  it('lists every page', () => {
    const listed = linksOf(read('docs/README.md')).map((target) => path.join('docs', target.split('#')[0] ?? ''));
    expect(listed.filter((page) => page.startsWith('docs/')).sort()).toEqual(
      DOCS.filter((page) => page !== 'docs/README.md').sort(),
    );
  });
});

describe('docs/reference/commands.md', () => {
  const text = read('docs/reference/commands.md');
  const shared = {
    '#flags-over-hosts': flagsOfTable(sectionOf(text, '## Flags over hosts')),
    '#flags-for-vaults': flagsOfTable(sectionOf(text, '## Flags for vaults')),
  };

  /** Short and long names of the flags that a section has rows for. */
  function flagsOfTable(section: string): readonly string[] {
    return firstCells(section)
      .filter((cell) => /^--?[a-z]/i.test(cell))
      .map((cell) => cell.replace(/ [^-].*$/, ''));
  }

  it.each(commands.map((command) => [command.name(), command] as const).filter(([name]) => name !== 'help'))(
    'has a row for %s, and its flags and no others',
    (name, command) => {
      const row = text.split('\n').find((line) => new RegExp(`^\\| \`portfw ${name}\\b`).test(line)) ?? '';
      const listed = [
        ...(row.includes(`(#portfw-${name})`) ? flagsOfTable(sectionOf(text, `### \`portfw ${name}\``)) : []),
        ...Object.entries(shared).flatMap(([anchor, own]) => (row.includes(`(${anchor})`) ? own : [])),
      ];
      const visible = command.options.filter(({ hidden }) => !hidden);
      expect(row).not.toBe('');
      expect(listed.sort()).toEqual(
        visible.map(({ short, long }) => [short, long].filter((flag) => flag !== undefined).join(', ')).sort(),
      );
    },
  );

  it('names no command that does not exist', () => {
    const rows = [...text.matchAll(/^\| `portfw ([a-z]+)/gm)].map(([, name = '']) => name);
    expect(rows.sort()).toEqual([...names].filter((name) => name !== 'help').sort());
    expect(Object.keys(COMMAND_HELP).filter((name) => !rows.includes(name))).toEqual([]);
    const sections = [...text.matchAll(/^### `portfw (.+)`$/gm)].map(([, name = '']) => name);
    expect(sections.filter((name) => !text.includes(`[its own](#portfw-${name})`))).toEqual([]);
  });

  it('names the other spellings of flags, which the help leaves out', () => {
    const hidden = commands.flatMap((command) => command.options.filter((option) => option.hidden));
    expect(hidden.length).toBeGreaterThan(0);
    expect(hidden.map(({ long }) => long ?? '').filter((flag) => !text.includes(`\`${flag}\``))).toEqual([]);
  });
});

describe('docs/reference/exit-codes.md', () => {
  const text = read('docs/reference/exit-codes.md');
  const codes = Object.values<number>(EXIT).map(String).sort();

  it('has the codes of the program, as its help has', () => {
    expect(
      firstCells(text)
        .filter((cell) => /^\d+$/.test(cell))
        .sort(),
    ).toEqual(codes);
    const help = [...PROGRAM_HELP.matchAll(/^ {2}(\d+) +\S/gm)].map(([, code]) => code);
    expect(help.sort()).toEqual(codes);
  });

  it('has the order in which they count, as the help has', () => {
    const order = /(?<=: )\d+(?:, \d+)+(?=\.)/;
    expect(order.exec(text)?.[0]).toBe(order.exec(PROGRAM_HELP)?.[0]);
    expect(order.exec(text)?.[0].split(', ').sort()).toEqual(codes);
  });
});

describe('docs/reference/environment.md', () => {
  const [readOnes = '', given = ''] = read('docs/reference/environment.md').split('\nportfw sets ');
  const named = firstCells(readOnes).filter((cell) => /^[A-Z]/.test(cell));

  it('has every variable that the program reads, and no other', () => {
    const source = filesBelow('src')
      .filter((file) => file.endsWith('.ts'))
      .map(read)
      .join('\n');
    const inSource = [...source.matchAll(/\b(?:environment|env)\['([A-Z_0-9]+)'\]/g)].map(([, name = '']) => name);
    // Where the home folder comes from is Node's to say: it reads HOME.
    const ofAnsible = Object.values(SETTINGS).flatMap(({ variables }) => variables);
    const all = new Set([...inSource, ...ofAnsible, ...Object.values(SECRET_VARIABLES), 'HOME']);
    expect([...named].sort()).toEqual([...all].sort());
  });

  it('has every variable of the help', () => {
    const help = PROGRAM_HELP.slice(PROGRAM_HELP.indexOf('Environment:'));
    const inHelp = [...help.matchAll(/\b[A-Z]+_[A-Z_]+\b/g)].map(([name]) => name);
    expect(inHelp.length).toBeGreaterThan(5);
    expect(inHelp.filter((name) => !named.includes(name))).toEqual([]);
  });

  it('has the variables that a probe is given', () => {
    const probes = read('src/fleet/probes.ts');
    expect(
      firstCells(given)
        .filter((cell) => cell.startsWith('PORTFW_'))
        .sort(),
    ).toEqual([...new Set([...probes.matchAll(/\bPORTFW_[A-Z]+\b/g)].map(([name]) => name))].sort());
  });
});

describe('docs/evidence/faults.md', () => {
  const text = read('docs/evidence/faults.md');

  it('has the faults and the stands of the suite', () => {
    expect(text).toContain(faultText(Object.values(FAULTS)));
    expect(text).toContain(kindText(Object.values(KINDS)));
  });
});

describe.each([
  ['docs/architecture.md', 60],
  ['CONTRIBUTING.md', 10],
  ['package.json', 10],
] as const)('%s', (file, least) => {
  it('names only files and folders that exist', () => {
    const paths = [...read(file).matchAll(/(?<=[`\s("]|\.\.\/)(?:src|test|docs|playbooks|inventories)\/[\w./-]+/g)]
      .map(([found]) => found.replace(/[.,:]+$/, ''))
      .filter((found) => !/NAME/.test(found));
    expect(paths.length).toBeGreaterThan(least);
    expect(paths.filter((found) => !existsSync(path.join(ROOT, found)))).toEqual([]);
  });
});

describe('docs/architecture.md', () => {
  const text = read('docs/architecture.md');

  it('has every room', () => {
    const rooms = readdirSync(path.join(ROOT, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
    const missing = rooms.filter(({ name }) => !new RegExp(`^\\| \`src/${name}\` \\|`, 'm').test(text));
    expect(missing.map(({ name }) => name)).toEqual([]);
  });
});

describe('docs/glossary.md', () => {
  it('has each word once, in the order of the alphabet', () => {
    const words = firstCells(read('docs/glossary.md'))
      .map((cell) => cell.replaceAll('*', ''))
      .filter((cell) => cell !== 'word' && cell !== '---');
    expect(words.length).toBeGreaterThan(30);
    expect(words).toEqual([...new Set(words)].sort((a, b) => a.localeCompare(b, 'en')));
  });
});

describe('examples of matrices', () => {
  it('those of docs/reference/matrices.md pass validation', () => {
    const examples = read('docs/reference/matrices.md')
      .split('\n\n')
      .filter((block) => block.startsWith('    matrix: '));
    expect(examples).toHaveLength(2);
    for (const example of examples) expect(problemsOf(example.replaceAll(/^ {4}/gm, ''))).toEqual([]);
  });
});

/** What the validation says of a matrix. */
function problemsOf(text: string): readonly string[] {
  const folder = mkdtempSync(path.join(tmpdir(), 'portfw-docs-'));
  try {
    const file = path.join(folder, 'matrix.yaml');
    writeFileSync(file, text);
    return readMatrix(file).problems.map(({ what }) => what);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
