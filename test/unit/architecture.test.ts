import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

const SRC = path.join(import.meta.dirname, '../../src');

/** The rooms in their order; each may import from itself and from those before it. */
const STAGES = [
  'core',
  'documents',
  'ansible',
  'settings',
  'matrix',
  'facts',
  'kernel',
  'firewalld',
  'roles',
  'policy',
  'lint',
  'plan',
  'saved',
  'decide',
  'propose',
  'transport',
  'host',
  'journal',
  'fleet',
  'report',
  'cli',
];

/** Modules with which a file reaches beyond its arguments. */
const EFFECTS =
  /^(?:node:)?(?:fs|fs\/promises|net|dns|http|https|http2|tls|dgram|child_process|worker_threads|cluster|readline|tty)$/;

/** The files before the transport that read files of the user's or of the package's own: what the pure stages start from. */
const LOADERS = [
  'ansible/config/config-world.ts',
  'ansible/sources/detect-format.ts',
  'ansible/sources/list-sources.ts',
  'ansible/templates/thread.ts',
  'ansible/templates/worker.ts',
  'ansible/graph/vars-files.ts',
  'ansible/vault/vault-passwords.ts',
  'documents/read-file.ts',
  'matrix/shipped.ts',
].sort();

/** The published form of events and reviews, as schemas. */
const EVENT_SCHEMAS = [
  'report/json/event-schema.ts',
  'report/json/facts-schema.ts',
  'report/json/review-schema.ts',
  'report/json/run-schema.ts',
];

interface Import {
  readonly from: string;
  readonly to: string;
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.split(path.sep).join('/'))
  .sort();

const texts = new Map(files.map((file) => [file, readFileSync(path.join(SRC, file), 'utf8')]));

/** Every module that a text names in an import, an export, a dynamic import or an import type. */
function modulesIn(text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
  const forms = [
    /^\s*(?:import|export)\b[^'";]*?\bfrom\s*['"]([^'"]+)['"]/gm,
    /^\s*import\s*['"]([^'"]+)['"]/gm,
    /\bimport\s*\(\s*['"]([^'"]+)['"]/g,
    /\brequire\s*\(\s*['"]([^'"]+)['"]/g,
  ];
  return forms.flatMap((form) => [...code.matchAll(form)].map((match) => match[1]!));
}

const imports: Import[] = files.flatMap((from) => modulesIn(texts.get(from)!).map((to) => ({ from, to })));
const internal = imports
  .filter(({ to }) => to.startsWith('.'))
  .map(({ from, to }) => ({ from, to: path.posix.join(path.posix.dirname(from), to) }));

function stageOf(file: string): string {
  return file.split('/')[0]!;
}

/** Every circle, once for each way into it. */
function circlesOf(arrows: readonly Import[]): string[] {
  const targets = new Map<string, string[]>();
  for (const { from, to } of arrows) targets.set(from, [...(targets.get(from) ?? []), to]);
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (place: string, way: readonly string[]): void => {
    if (way.includes(place)) circles.push([...way.slice(way.indexOf(place)), place].join(' → '));
    if (way.includes(place) || done.has(place)) return;
    for (const to of targets.get(place) ?? []) visit(to, [...way, place]);
    done.add(place);
  };
  for (const place of targets.keys()) visit(place, []);
  return circles;
}

function shown({ from, to }: Import): string {
  return `${from} imports ${to}`;
}

describe('the shape of the code', () => {
  it('is found', () => {
    expect([...new Set(files.map(stageOf))].sort()).toEqual([...STAGES].sort());
    expect(imports.length).toBeGreaterThan(300);
    expect(modulesIn("import a from './a.ts';\nexport type { B } from './b.ts';\nimport './c.ts';")).toEqual([
      './a.ts',
      './b.ts',
      './c.ts',
    ]);
    expect(
      modulesIn("const d = await import('./d.ts');\ntype E = import('./e.ts').E;\nimport {\n  f,\n} from './f.ts';"),
    ).toEqual(['./f.ts', './d.ts', './e.ts']);
    expect(modulesIn("// import a from './a.ts'\n/** import b from './b.ts' */")).toEqual([]);
  });

  it('has imports only to files that are there, with their ending', () => {
    expect(internal.filter(({ to }) => !texts.has(to)).map(shown)).toEqual([]);
  });

  it('lets imports go one way only, from stage to stage', () => {
    const rank = (file: string) => STAGES.indexOf(stageOf(file));
    expect(internal.filter(({ from, to }) => rank(to) > rank(from)).map(shown)).toEqual([]);
  });

  it('has no files that import each other in a circle', () => {
    expect(circlesOf(internal)).toEqual([]);
  });

  it('has no wings of a room that import each other in a circle', () => {
    // A room's own files are its words below the wings, and what puts the wings together above them.
    const wing = (file: string) => (file.split('/').length > 2 ? path.posix.dirname(file) : null);
    const between = internal.flatMap(({ from, to }) => {
      const [one, other] = [wing(from), wing(to)];
      return one !== null && other !== null && one !== other && stageOf(from) === stageOf(to)
        ? [{ from: one, to: other }]
        : [];
    });
    expect(between.length).toBeGreaterThan(5);
    expect(circlesOf(between)).toEqual([]);
  });

  it('keeps the wings of the transport to itself', () => {
    const outside = internal.filter(({ from, to }) => stageOf(from) !== 'transport' && /^transport\/.*\//.test(to));
    expect(outside.map(shown)).toEqual([]);
  });

  it('hides nothing behind the identity of objects', () => {
    // What is known of a value stands in a field, or is handed on; results that are only remembered, in one place.
    const allowed = [
      'ansible/templates/engine.ts',
      'ansible/templates/resolve.ts',
      'core/remember.ts',
      'firewalld/filter/dispatch.ts',
      'firewalld/filter/reach.ts',
      'firewalld/filter/rules.ts',
      'firewalld/rich-rule.ts',
    ];
    const hiding = files.filter((file) => /\bnew Weak(?:Map|Set)\b/.test(texts.get(file)!));
    expect(hiding.filter((file) => !allowed.includes(file))).toEqual([]);
  });

  it('makes problems in one way, so that none can quote a vault', () => {
    const around = files.filter((file) =>
      /\bas (?:unknown as )?Problem\b|\b(?:extends|implements) Problem\b/.test(texts.get(file)!),
    );
    expect(around).toEqual([]);
  });

  it.each(['lint', 'propose'])('lets only the command line read %s', (room) => {
    const readers = internal.filter(({ from, to }) => stageOf(to) === room && stageOf(from) !== room);
    expect(readers.length).toBeGreaterThan(0);
    expect(readers.filter(({ from }) => stageOf(from) !== 'cli').map(shown)).toEqual([]);
  });

  it('reads Ansible without a word of ours', () => {
    expect(files.filter((file) => stageOf(file) === 'ansible' && texts.get(file)!.includes('portfw_'))).toEqual([]);
  });

  it('keeps effects out of the stages before the transport, but for the loaders', () => {
    const pure = STAGES.slice(0, STAGES.indexOf('transport'));
    const found = imports.filter(
      ({ from, to }) => pure.includes(stageOf(from)) && EFFECTS.test(to) && to !== 'node:net',
    );
    expect([...new Set(found.map(({ from }) => from))].sort()).toEqual(LOADERS);
  });

  it('takes from node:net only what looks at texts there', () => {
    const pure = STAGES.slice(0, STAGES.indexOf('transport'));
    for (const { from, to } of imports.filter((one) => pure.includes(stageOf(one.from)) && one.to === 'node:net')) {
      const names = new RegExp(`import \\{([^}]*)\\} from '${to}'`).exec(texts.get(from)!)?.[1]?.split(',') ?? [
        'everything',
      ];
      for (const name of names) expect(['isIP', 'isIPv4', 'isIPv6'], from).toContain(name.trim());
    }
  });

  it('has no clock and no chance between facts and plan', () => {
    const pure = ['facts', 'kernel', 'firewalld', 'roles', 'policy', 'lint', 'plan', 'decide', 'propose'];
    const impure =
      /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\brandom(?:Bytes|UUID)\b|\bprocess\.|\bsetTimeout\b|\bfetch\(/;
    expect(files.filter((file) => pure.includes(stageOf(file)) && impure.test(texts.get(file)!))).toEqual([]);
  });

  it('leaves the process and its exit code to the command line', () => {
    // A negative number is a group of processes: that of a program which we started.
    const exits = /\bprocess\.(?:exit|exitCode|abort)\b|\bprocess\.kill\b(?!\(-child\.pid)/;
    expect(files.filter((file) => stageOf(file) !== 'cli' && exits.test(texts.get(file)!))).toEqual([]);
  });

  it('writes to the terminal from the report and the command line only, and asks for passwords beside the connection', () => {
    const writes = /\bconsole\.\w+\(|\bprocess\.std(?:out|err)\b/;
    const found = files.filter((file) => !['report', 'cli'].includes(stageOf(file)) && writes.test(texts.get(file)!));
    expect(found).toEqual([]);
  });

  it('has no file that nobody can take in at once', () => {
    const long = files.filter((file) => texts.get(file)!.split('\n').length > 450);
    expect(long).toEqual([]);
  });

  it('loads what is slow to load only where it is used', () => {
    const slow: Readonly<Record<string, readonly string[]>> = {
      ssh2: ['transport'],
      'node-ssh': ['transport'],
      execa: ['core/run-program.ts', 'transport/local.ts'],
      listr2: ['report'],
      '@xmldom/xmldom': ['firewalld'],
      commander: ['cli'],
      zod: [
        'documents',
        'settings',
        'matrix',
        'plan/plan-file.ts',
        'plan/loss-schemas.ts',
        'saved/saved-schema.ts',
        ...EVENT_SCHEMAS,
      ],
    };
    // Nothing that makes or applies plans reads one from a file; a run needs no more of the published events than their types.
    const readers = (file: string) => internal.filter(({ to }) => to === file).map(({ from }) => from);
    expect(readers('plan/plan-file.ts')).toEqual([
      'report/json/event-schema.ts',
      'report/json/review-schema.ts',
      'saved/saved-schema.ts',
    ]);
    for (const file of EVENT_SCHEMAS)
      for (const reader of readers(file).filter((from) => !EVENT_SCHEMAS.includes(from)))
        expect(texts.get(reader)).toMatch(new RegExp(`^import type .* from '\\./${path.posix.basename(file)}';$`, 'm'));
    const astray = imports.filter(
      ({ from, to }) => slow[to] !== undefined && !slow[to].includes(stageOf(from)) && !slow[to].includes(from),
    );
    expect(astray.map(shown)).toEqual([]);
  });

  it('is mirrored by the tests, and what helps them has folders of its own', () => {
    // What looks at the whole program, and what tests the set-up of the lab.
    const others = ['adversarial', 'bad-input', 'scale', 'security', 'set-up'];
    const TESTS = path.join(import.meta.dirname, '..');
    const inFolder = (folder: string) =>
      readdirSync(path.join(TESTS, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => path.relative(TESTS, path.join(entry.parentPath, entry.name)).split(path.sep));
    const tests = [...inFolder('unit'), ...inFolder('integration')];
    expect(tests.length).toBeGreaterThan(180);
    expect(tests.filter((file) => !file.at(-1)!.endsWith('.test.ts') && file.at(-2) !== 'helpers')).toEqual([]);
    const folders = new Set(tests.filter((file) => file[0] === 'unit' && file.length > 2).map((file) => file[1]!));
    const rooms = [...folders].filter((folder) => !folder.endsWith('.test.ts'));
    expect(rooms.filter((room) => !STAGES.includes(room) && !others.includes(room))).toEqual([]);
    expect(tests.filter((file) => file.at(-1)!.startsWith('review'))).toEqual([]);
  });
});
