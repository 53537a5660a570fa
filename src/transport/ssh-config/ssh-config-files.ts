import { readdirSync, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { fileItself, Problem } from '../../core/problem.ts';
import { terminalLine } from '../../core/terminal-text.ts';
import { type ParsedConfig, parseSshConfig } from './ssh-config-parse.ts';

/** Where ssh_config is looked for. */
export interface SshConfigPlaces {
  /** The folder that `~` means. */
  readonly home?: string;
  /** `--ssh-config`: only this file; `none` for no file at all; `null` for the user's and the system's. */
  readonly file?: string | null;
  /** The system's file; `/etc/ssh/ssh_config`. */
  readonly systemFile?: string;
}

/** A larger file is refused. */
const MOST_BYTES = 4 * 1024 * 1024;
/** PATH_MAX. */
const MOST_CHARACTERS = 4096;

/**
 * The ssh_config files of a run: each is read and parsed once for all hosts. It is read when first needed, as Include may
 * depend on the host.
 */
export class SshConfigFiles {
  readonly home: string;
  readonly #file: string | null;
  readonly #systemFile: string;
  readonly #parsed = new Map<string, ParsedConfig>();
  readonly #globs = new Map<string, readonly string[]>();

  constructor(places: SshConfigPlaces = {}) {
    this.home = places.home ?? homedir();
    this.#file = places.file ?? null;
    this.#systemFile = places.systemFile ?? '/etc/ssh/ssh_config';
  }

  /**
   * The files that apply to a host, in the order in which they count.
   *
   * @param own the file of its arguments' `-F`, which replaces the others; `null` for none
   */
  sources(own: string | null): readonly { readonly config: ParsedConfig; readonly source: 'user' | 'system' }[] {
    const file = own ?? this.#file;
    if (file?.toLowerCase() === 'none') return [];
    // As with OpenSSH, a file that the user named is not checked; the user's default file must not be writable by other accounts.
    if (file !== null) return [{ config: this.#read(resolve(file), 'user', 'named'), source: 'user' }];
    return [
      { config: this.#read(join(this.home, '.ssh', 'config'), 'user', 'found'), source: 'user' },
      { config: this.#read(this.#systemFile, 'system', 'system'), source: 'system' },
    ];
  }

  /**
   * The files of one word of an Include line; none when the pattern matches nothing.
   *
   * @returns `null` for a path that this kind of file may not use (`~` in the system's)
   */
  include(pattern: string, source: 'user' | 'system'): readonly ParsedConfig[] | null {
    // No path is longer than this, and following each of its steps would take long.
    if (pattern.length > MOST_CHARACTERS) return [];
    if (pattern.startsWith('~') && (source === 'system' || !/^~(?:\/|$)/.test(pattern))) return null;
    const base = source === 'user' ? join(this.home, '.ssh') : '/etc/ssh';
    const path = pattern.startsWith('~') ? `${this.home}${pattern.slice(1)}` : pattern;
    const absolute = isAbsolute(path) ? path : `${base}/${path}`;
    let files = this.#globs.get(absolute);
    if (files === undefined) {
      files = expandGlob(absolute);
      this.#globs.set(absolute, files);
    }
    return files.map((file) => this.#read(file, source, 'found'));
  }

  #read(file: string, source: 'user' | 'system', how: 'named' | 'found' | 'system'): ParsedConfig {
    const key = `${source} ${how} ${file}`;
    const known = this.#parsed.get(key);
    if (known !== undefined) return known;
    const parsed = readConfig(file, source, how);
    this.#parsed.set(key, parsed);
    return parsed;
  }
}

const NOTHING: ParsedConfig = { statements: [], blockEnds: [], problems: [] };

function readConfig(file: string, source: 'user' | 'system', how: 'named' | 'found' | 'system'): ParsedConfig {
  const failed = (severity: Problem['severity'], what: string, solve: string): ParsedConfig => ({
    ...NOTHING,
    problems: [new Problem({ severity, code: 'ssh-config-unusable', what, solve, location: fileItself(file) })],
  });
  try {
    const info = statSync(file);
    if (info.isDirectory() && how !== 'named') return NOTHING;
    if (!info.isFile() && file !== '/dev/null')
      return failed('error', `The SSH configuration ${file} is not a regular file`, 'Name a file');
    if (info.size > MOST_BYTES)
      return failed('error', `The SSH configuration ${file} is larger than 4 MiB`, 'Name an ssh_config file');
    const foreign = info.uid !== 0 && info.uid !== process.getuid?.();
    if (how === 'found' && (foreign || (info.mode & 0o022) !== 0)) {
      return failed(
        'error',
        `Others may change the SSH configuration ${file}, so neither OpenSSH nor portfw uses it`,
        `Run: chmod go-w ${file}; it must belong to you or to root`,
      );
    }
    return parseSshConfig(readFileSync(file, 'utf8'), file, source);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    const absent = code === 'ENOENT' || code === 'ENOTDIR';
    if (absent && how !== 'named') return NOTHING;
    // OpenSSH silently ignores a default file that cannot be read.
    return failed(
      how === 'named' ? 'error' : 'warning',
      `Cannot read the SSH configuration ${terminalLine(file)}: ${code}`,
      absent ? 'Correct the path, or write "none" for no configuration' : 'Make the file readable for your account',
    );
  }
}

/** The files that a glob(7) pattern matches, in the order of their bytes. */
function expandGlob(pattern: string): readonly string[] {
  let found = ['/'];
  for (const segment of pattern.split('/').filter((part) => part !== '')) {
    if (!/[*?[\\]/.test(segment)) {
      found = found.map((folder) => join(folder, segment));
      continue;
    }
    const matcher = globSegment(segment);
    found = found.flatMap((folder) =>
      entries(folder)
        .filter((name) => matcher.test(name) && (!name.startsWith('.') || segment.startsWith('.')))
        .map((name) => join(folder, name)),
    );
  }
  return found.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

function entries(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function globSegment(segment: string): RegExp {
  const source = segment.replace(/\*+|\?|\[!?\]?[^\]]*\]|\\.|[^*?[\\]+|[[\\]/gs, (part) => {
    if (part.startsWith('*')) return '[^/]*';
    if (part === '?') return '[^/]';
    if (part.length > 2 && part.startsWith('[')) {
      const negated = part.startsWith('[!');
      const members = part.slice(negated ? 2 : 1, -1).replace(/[\\\]^[]/g, '\\$&');
      return `[${negated ? '^' : ''}${members}]`;
    }
    return (part.length === 2 && part.startsWith('\\') ? part.slice(1) : part).replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  });
  try {
    return new RegExp(`^${source}$`, 'su');
  } catch {
    // A class such as [z-a] matches nothing.
    return /(?!)/;
  }
}
