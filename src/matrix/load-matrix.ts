import path from 'node:path';
import { InputError, Problem, type SourceLocation } from '../core/problem.ts';
import { safeText, shown } from '../core/shown.ts';
import { sortProblems } from '../core/sort-problems.ts';
import { suggestion } from '../core/suggest.ts';
import { readYamlFile } from '../documents/read-file.ts';
import type { YamlFile } from '../documents/yaml-document.ts';
import type { Matrix, MatrixFeature, MatrixRole, PeerSet } from './matrix.ts';
import { type MatrixFile, matrixSchema } from './matrix-schema.ts';
import { mergeClusters } from './merge-clusters.ts';
import { mergeRole } from './merge-role.ts';
import type { KnownNames } from './rules.ts';
import { type Checked, SchemaChecker } from './schema-problems.ts';
import { displayPath, resolveReference } from './shipped.ts';

const CHECKER = new SchemaChecker(matrixSchema);

/** A matrix with all problems of its file and of those that it extends. */
export interface MatrixReading {
  /** `null` when a problem is an error. */
  readonly matrix: Matrix | null;
  /**
   * What can be read of a matrix with errors: all names of roles, features and peer sets, but not every rule. Only for
   * finding further problems, never for a run. `null` when too little can be read.
   */
  readonly partial?: Matrix | null;
  readonly problems: readonly Problem[];
}

/** The longest chain of matrices that extend each other. */
const MAX_CHAIN = 10;

/**
 * Reads a matrix and all that it extends, and validates them as a whole.
 *
 * @param reference a shipped matrix's name, or the path of a file
 * @param directory what a relative path starts from
 * @param location where the reference was written; `null` for the command line
 */
export function readMatrix(
  reference: string,
  directory: string = process.cwd(),
  location: SourceLocation | null = null,
): MatrixReading {
  return readChain(reference, directory, location, []);
}

/**
 * As {@link readMatrix}, where the matrix is needed.
 *
 * @throws InputError with every problem found
 */
export function loadMatrix(reference: string, directory: string = process.cwd()): Matrix {
  const { matrix, problems } = readMatrix(reference, directory);
  if (matrix === null) throw new InputError(problems);
  return matrix;
}

function readChain(
  reference: string,
  directory: string,
  location: SourceLocation | null,
  chain: readonly string[],
): MatrixReading {
  const file = resolveReference('matrix', reference, directory, location);
  if (typeof file !== 'string') return { matrix: null, problems: [file] };
  if (chain.includes(file) || chain.length >= MAX_CHAIN) {
    const cycle = [...chain.slice(Math.max(0, chain.indexOf(file))), file].map(displayPath).join(' → ');
    const problem: Problem = new Problem({
      severity: 'error',
      code: 'extends-cycle',
      what: chain.includes(file)
        ? `the matrices extend each other in a circle: ${cycle}`
        : `more than ${MAX_CHAIN} matrices extend each other`,
      solve: 'Remove "extends" from one of them',
      location,
    });
    return { matrix: null, problems: [problem] };
  }
  let yaml: YamlFile;
  try {
    yaml = readYamlFile(displayPath(file));
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { matrix: null, problems: error.problems.map((problem) => blameReference(problem, location)) };
  }
  const checked = CHECKER.check(yaml);
  if (!checked.usable([])) return { matrix: null, problems: checked.problems };
  const written = yaml.value as MatrixFile;
  const base =
    written.extends !== undefined && checked.sound(['extends'])
      ? readChain(written.extends, path.dirname(file), yaml.locate(['extends']), [...chain, file])
      : null;
  return resolveMatrix(written, yaml, checked, base);
}

/** A file that cannot be opened is a problem of the line that names it, if there is one. */
function blameReference(problem: Problem, location: SourceLocation | null): Problem {
  if (
    location === null ||
    problem.location === null ||
    !/^(?:file-not-found|file-unreadable|not-a-file)$/.test(problem.code)
  )
    return problem;
  const { file } = problem.location;
  const name = safeText(file.length > 200 ? `…${file.slice(-200)}` : file);
  return new Problem({ ...problem, what: `${name}: ${problem.what}`, location });
}

/** What a file says of a matrix, and what it builds on. */
interface Part {
  readonly written: MatrixFile;
  readonly yaml: YamlFile;
  readonly checked: Checked;
  /** The matrix that it extends; `null` for none, and for one that cannot be read. */
  readonly base: Matrix | null;
  readonly report: Report;
}

function resolveMatrix(
  written: MatrixFile,
  yaml: YamlFile,
  checked: Checked,
  reading: MatrixReading | null,
): MatrixReading {
  const problems: Problem[] = [...checked.problems];
  const report: Report = (code, what, solve, location) => {
    problems.push(new Problem({ severity: 'error', code, what, solve, location }));
  };
  const base = reading?.matrix ?? null;
  const part: Part = { written, yaml, checked, base, report };
  // Without its base nothing can be checked: the base's problems must be solved first.
  const baseless = written.extends !== undefined && base === null;

  checkHead(part);
  const features = new Map<string, MatrixFeature>(base?.features);
  for (const [name, description] of entriesOf(written.features)) features.set(name, { name, description });
  const peers = peersOf(part);
  const known: KnownNames = { features: new Set(features.keys()), peers: new Set(peers.keys()) };

  let clusters: Matrix['clusters'] = base?.clusters ?? new Map();
  const roles = new Map<string, MatrixRole>(base?.roles);
  if (!baseless) dropRoles(part, roles);
  if (!baseless && checked.usable(['roles'])) {
    mergeRoles(part, roles, known, problems);
    const named = new Set([...roles.keys(), ...entriesOf(written.roles).map(([name]) => name)]);
    checkPeerRoles(part, peers, named);
    clusters = mergeClusters({ ...part, roles: named, features: known.features });
  }

  // A set that loses only some of its roles remains with the others.
  for (const [name, peer] of peers) {
    const left = peer.roles.filter((role) => roles.has(role));
    if (left.length > 0 && left.length < peer.roles.length) peers.set(name, { ...peer, roles: left });
  }

  const content = { roles, features, peers, clusters };
  const all = [...(reading?.problems ?? []), ...sortProblems(problems)];
  if (all.some((problem) => problem.severity === 'error')) {
    const partial = baseless || !checked.usable(['roles']) ? null : partialMatrix(written, yaml, content);
    return { matrix: null, partial, problems: all };
  }
  const print = written.print ?? base?.print;
  const title = written.title ?? base?.title;
  if (print === undefined || title === undefined) return { matrix: null, problems: all };
  const { file } = yaml;
  const matrix: Matrix = { name: written.matrix, title, file, extends: base?.name ?? null, print, ...content };
  return { matrix, problems: all };
}

/** The peer sets of the base, with those that the file adds or writes anew. */
function peersOf({ written, yaml, checked, base, report }: Part): Map<string, PeerSet> {
  const peers = new Map<string, PeerSet>(base?.peers);
  for (const [name, peer] of entriesOf(written.peers)) {
    const sound = checked.sound(['peers', name]);
    peers.set(name, {
      name,
      description: sound ? peer.description : '',
      roles: sound ? [peer.role ?? []].flat() : [],
      site: sound && peer.site === true,
    });
    if (name === 'any') {
      report(
        'reserved-name',
        'a peer set cannot be named "any"',
        '"any" already means everyone',
        yaml.locate(['peers', name], 'key'),
      );
    }
  }
  return peers;
}

function mergeRoles(part: Part, roles: Map<string, MatrixRole>, known: KnownNames, problems: Problem[]): void {
  const { written, yaml, checked, base } = part;
  for (const [name, entry] of entriesOf(written.roles)) {
    if (!checked.usable(['roles', name])) continue;
    const merged = mergeRole(name, entry, base?.roles.get(name) ?? null, {
      matrix: written.matrix,
      extending: base !== null,
      baseRoles: [...(base?.roles.keys() ?? [])],
      yaml,
      checked,
      known,
      problems,
    });
    roles.set(name, merged);
  }
}

/** What can be read of a matrix with errors; of an unreadable role only its name. */
function partialMatrix(
  written: MatrixFile,
  yaml: YamlFile,
  { roles, features, peers, clusters }: Pick<Matrix, 'roles' | 'features' | 'peers' | 'clusters'>,
): Matrix {
  const named = entriesOf(written.roles).map(([name]): [string, MatrixRole] => [
    name,
    { name, title: name, everyHost: false, appliance: false, interfaceChoices: [], detectors: [], rules: [] },
  ]);
  return {
    name: String(written.matrix),
    title: '',
    file: yaml.file,
    extends: null,
    print: { document: '', edition: '' },
    roles: new Map([...named, ...roles]),
    features,
    peers,
    clusters,
  };
}

type Report = (code: string, what: string, solve: string, location: SourceLocation) => void;

function checkHead({ written, yaml, base, report }: Part): void {
  if (written.extends === undefined) {
    for (const key of ['title', 'print', 'roles'] as const) {
      if (written[key] !== undefined) continue;
      report('missing-key', `${shown(key)} is missing`, 'A matrix without "extends" must set it', yaml.locate([]));
    }
    return;
  }
  if (base === null) return;
  const origins = new Set([
    base.name,
    ...[...base.roles.values()].flatMap((role) => role.rules.map((rule) => rule.matrix)),
  ]);
  if (origins.has(written.matrix)) {
    report(
      'duplicate-name',
      `the matrix has the name of one that it extends, ${shown(written.matrix)}`,
      'Give it a name of its own, so that each rule shows where it comes from',
      yaml.locate(['matrix']),
    );
  }
}

function dropRoles({ written, yaml, checked, base, report }: Part, roles: Map<string, MatrixRole>): void {
  if (written.drop_roles === undefined || !checked.usable(['drop_roles'])) return;
  for (const [index, name] of written.drop_roles.entries()) {
    if (!checked.sound(['drop_roles', index])) continue;
    const at = yaml.locate(['drop_roles', index]);
    if (base === null) {
      report(
        'nothing-to-drop',
        'there is no base to drop a role from',
        'Name the base with "extends", or leave "drop_roles" out',
        at,
      );
    } else if (entriesOf(written.roles).some(([role]) => role === name)) {
      report(
        'contradiction',
        `the role ${shown(name)} is both dropped and defined`,
        'Do one of the two; "rules" replaces all of its rules',
        at,
      );
    } else if (!roles.delete(name)) {
      const solve = base.roles.has(name)
        ? 'It is in the list twice: keep one'
        : suggestion(name, base.roles.keys(), 'roles');
      report('nothing-to-drop', `${shown(base.name)} has no role ${shown(name)} to drop`, solve, at);
    }
  }
}

/** A peer set may only follow existing roles; one whose roles are all dropped would lose its addresses. */
function checkPeerRoles(
  { written, yaml, report }: Part,
  peers: ReadonlyMap<string, PeerSet>,
  roles: ReadonlySet<string>,
): void {
  for (const peer of peers.values()) {
    const missing = peer.roles.filter((role) => !roles.has(role));
    const [first] = missing;
    if (first === undefined) continue;
    const own = entriesOf(written.peers).find(([name]) => name === peer.name)?.[1];
    if (own !== undefined) {
      for (const role of missing) {
        const index = Array.isArray(own.role) ? [own.role.indexOf(role)] : [];
        const at = yaml.locate(['peers', peer.name, 'role', ...index]);
        report('unknown-role', `there is no role ${shown(role)}`, suggestion(role, roles, 'roles'), at);
      }
    } else if (missing.length === peer.roles.length) {
      report(
        'dangling-peers',
        `the peer set ${shown(peer.name)} refers to the dropped role ${shown(first)}`,
        `Define the peer set ${shown(peer.name)} again under "peers", without "role"`,
        yaml.locate(['drop_roles', written.drop_roles?.indexOf(first) ?? 0]),
      );
    }
  }
}

/** A mapping's entries; none when it is missing or not a mapping. */
function entriesOf<T>(mapping: Readonly<Record<string, T>> | undefined): [string, T][] {
  return typeof mapping === 'object' && mapping !== null ? Object.entries(mapping) : [];
}
