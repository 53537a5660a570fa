import path from 'node:path';
import { InputError, Problem, type SourceLocation } from '../core/problem.ts';
import { shown } from '../core/shown.ts';
import { sortProblems } from '../core/sort-problems.ts';
import { suggestion } from '../core/suggest.ts';
import { readYamlFile } from '../documents/read-file.ts';
import type { YamlFile, YamlPath } from '../documents/yaml-document.ts';
import { type MatrixReading, readMatrix } from './load-matrix.ts';
import { type PlayReading, readProbes } from './load-probes.ts';
import type { BatchSize, Matrix, Play, Playbook } from './matrix.ts';
import { type PlayEntry, playbookSchema, type SerialEntry } from './playbook-schema.ts';
import { SchemaChecker } from './schema-problems.ts';
import { displayPath, resolveReference } from './shipped.ts';

const CHECKER = new SchemaChecker(playbookSchema);

/** A playbook with all its problems and those of its matrices. */
export interface PlaybookReading {
  /** `null` when a problem is an error. */
  readonly playbook: Playbook | null;
  /** The plays that can be read of a playbook with errors in it or in its matrices: for finding further problems. */
  readonly partial?: PartialPlaybook;
  readonly problems: readonly Problem[];
}

/** See {@link PlaybookReading.partial}. */
export interface PartialPlaybook {
  readonly playbook: Playbook;
  /** The matrices that are known only in part. */
  readonly incomplete: ReadonlySet<Matrix>;
}

/**
 * Reads a playbook and the matrices of its plays, and validates them as a whole.
 *
 * @param reference a shipped playbook's name, or the path of a file
 * @param directory what a relative path starts from
 * @param location where the reference was written; `null` for the command line
 */
export function readPlaybook(
  reference: string,
  directory: string = process.cwd(),
  location: SourceLocation | null = null,
): PlaybookReading {
  const file = resolveReference('playbook', reference, directory, location);
  if (typeof file !== 'string') return { playbook: null, problems: [file] };
  let yaml: YamlFile;
  try {
    yaml = readYamlFile(displayPath(file));
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const problems = error.problems.map((problem) =>
      location !== null && problem.code === 'file-not-found'
        ? new Problem({ ...problem, what: `there is no playbook ${shown(displayPath(file))}`, location })
        : problem,
    );
    return { playbook: null, problems };
  }
  const checked = CHECKER.check(yaml);
  if (!checked.usable([])) return { playbook: null, problems: checked.problems };
  const own = [...checked.problems];
  const ofMatrices: Problem[] = [];

  const matrices = new Map<string, MatrixReading>();
  const incomplete = new Set<Matrix>();
  const plays: Play[] = [];
  for (const [index, entry] of (yaml.value as readonly PlayEntry[]).entries()) {
    if (!checked.usable([index]) || !checked.sound([index, 'matrix'])) continue;
    let reading = matrices.get(entry.matrix);
    if (reading === undefined) {
      reading = readMatrix(entry.matrix, path.dirname(file), yaml.locate([index, 'matrix']));
      matrices.set(entry.matrix, reading);
      ofMatrices.push(...reading.problems);
    }
    const directory = path.resolve(path.dirname(file));
    const matrix = reading.matrix ?? reading.partial ?? null;
    if (matrix !== null && reading.matrix === null) incomplete.add(matrix);
    const play = readPlay(entry, index, matrix, { directory, yaml, checked, problems: own });
    if (play !== null) plays.push(play);
  }
  const problems = [...sortProblems(own), ...ofMatrices];
  const playbook = { name: path.basename(file).replace(/\.ya?ml$/i, ''), file: yaml.file, plays };
  if (problems.some((problem) => problem.severity === 'error'))
    return { playbook: null, partial: { playbook, incomplete }, problems };
  return { playbook, problems };
}

/**
 * As {@link readPlaybook}, where the playbook is needed.
 *
 * @throws InputError with every problem found
 */
export function loadPlaybook(reference: string, directory: string = process.cwd()): Playbook {
  const { playbook, problems } = readPlaybook(reference, directory);
  if (playbook === null) throw new InputError(problems);
  return playbook;
}

function readPlay(entry: PlayEntry, index: number, matrix: Matrix | null, reading: PlayReading): Play | null {
  const { yaml, checked, problems } = reading;
  const serial = checked.sound([index, 'serial']) ? readSerial(entry.serial, [index, 'serial'], yaml, problems) : [];
  const features = entry.features !== undefined && checked.usable([index, 'features']) ? entry.features : [];
  const probes = readProbes(entry, index, reading);
  if (matrix === null || !checked.sound([index, 'hosts'])) return null;
  for (const [position, feature] of features.entries()) {
    if (!checked.sound([index, 'features', position])) continue;
    const at = yaml.locate([index, 'features', position]);
    if (!matrix.features.has(feature)) {
      const solve = suggestion(feature, matrix.features.keys(), 'features');
      problems.push(
        new Problem({
          severity: 'error',
          code: 'unknown-feature',
          what: `the matrix ${shown(matrix.name)} has no feature ${shown(feature)}`,
          solve,
          location: at,
        }),
      );
    } else if (features.indexOf(feature) !== position) {
      problems.push(
        new Problem({
          severity: 'error',
          code: 'duplicate-feature',
          what: `the feature ${shown(feature)} is in the list twice`,
          solve: 'Keep one of the two',
          location: at,
        }),
      );
    }
  }
  return {
    name: entry.name ?? `${matrix.name} on ${[entry.hosts].flat().join(', ')}`,
    hosts: entry.hosts,
    matrix,
    private: entry.private ?? null,
    features,
    serial,
    maxFailPercentage: entry.max_fail_percentage ?? null,
    onFailure: entry.on_failure ?? 'keep-good',
    probes,
    location: yaml.locate([index, 'hosts']),
  };
}

function readSerial(written: PlayEntry['serial'], at: YamlPath, yaml: YamlFile, problems: Problem[]): BatchSize[] {
  if (written === undefined) return [];
  const list = Array.isArray(written) ? (written as readonly SerialEntry[]) : null;
  return (list ?? [written as SerialEntry]).flatMap((entry, index) => {
    const size = readBatchSize(entry);
    if (size !== null) return [size];
    problems.push(
      new Problem({
        severity: 'error',
        code: 'bad-batch-size',
        what: `${shown(entry)} is not a batch size`,
        solve: 'Write a whole number of hosts from 1, or a share above 0% and up to "100%"',
        location: yaml.locate(list === null ? at : [...at, index]),
      }),
    );
    return [];
  });
}

function readBatchSize(entry: SerialEntry): BatchSize | null {
  const [, number, sign] = /^(\d{1,9}(?:\.\d{1,9})?)(%?)$/.exec(String(entry)) ?? [];
  const value = Number(number);
  if (number === undefined || value <= 0) return null;
  if (sign === '%') return value <= 100 ? { kind: 'percent', percent: value } : null;
  return Number.isInteger(value) ? { kind: 'count', count: value } : null;
}
