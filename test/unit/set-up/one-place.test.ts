import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../../..');
const PASSED_OVER = new Set(['.git', '.lab', 'node_modules', 'dist', 'coverage']);

function filesBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const file = join(folder, entry.name);
    if (entry.isDirectory()) return PASSED_OVER.has(entry.name) ? [] : filesBelow(file);
    return entry.isFile() ? [file] : [];
  });
}

const texts = new Map(filesBelow('.').map((file) => [file, readFileSync(join(ROOT, file), 'latin1')]));

/** The files whose text fits, of those whose name fits, with what fitted. */
function found(name: RegExp, text: RegExp): [string, string][] {
  return [...texts].flatMap(([file, content]) =>
    name.test(file) ? [...content.matchAll(text)].map(([match]): [string, string] => [file, match]) : [],
  );
}

describe('one place installs packages', () => {
  const own = /^(?:test\/(?!fixtures\/).*\.(?:ts|mts|mjs|js|sh|py)|\.ci\/.*|package\.json)$/;
  const managers = '(?:apt-get|apt|aptitude|dnf|yum|zypper|apk|pacman|snap|brew|pip3?)';

  it('reads the files that it is about', () => {
    expect([...texts.keys()].filter((file) => own.test(file)).length).toBeGreaterThan(100);
  });

  it('calls a package manager from test/set-up/packages.ts alone, and from the script that runs inside images', () => {
    const program = new RegExp(`['"\`](?:${managers}|dpkg)['"\`]`, 'g');
    const command = new RegExp(
      `\\b(?:${managers}(?: -\\S+| \\$\\w+)* (?:install|update|upgrade|add|remove|purge)|dpkg (?:-i|--install))\\b`,
      'g',
    );
    const all = [...found(own, program), ...found(own, command)].map(([file]) => file);
    // The tests of that one place: under a fake, and in a folder of its own.
    const callers = all.filter((file) => !/^test\/(?:unit\/set-up|integration)\/packages\.test\.ts$/.test(file));
    const allowed = ['test/lab/image/install-packages.sh', 'test/set-up/packages.ts'];
    expect([...new Set(callers)].sort()).toEqual(allowed);
  });

  it('installs from what is started by a person or before all tests, and never from a test or a build', () => {
    const imports = found(own, /^import \{[^}]*\b(?:installPackages|provide|setUpLab)\b[^}]*\} from '[^']*';$/gm);
    expect([...new Set(imports.map(([file]) => file))].sort()).toEqual([
      'test/bench/compare.ts',
      'test/faults/run.ts',
      'test/integration/packages.test.ts',
      'test/lab/demo.ts',
      'test/lab/global-setup.ts',
      'test/lab/lockout.ts',
      'test/lab/prepare.ts',
      'test/set-up/lab.ts',
      'test/set-up/provide.ts',
      'test/set-up/run.ts',
      'test/set-up/unit-setup.ts',
      'test/tools/shellcheck.ts',
      'test/unit/set-up/packages.test.ts',
      'test/unit/set-up/provide.test.ts',
    ]);
  });
});

describe('no mirror and no registry is named', () => {
  /** Pages for people to read, and examples. Packages come from none of them. */
  const PAGES = new Set([
    'bugs.debian.org',
    'docs.ansible.com',
    'docs.python.org',
    'github.com',
    'json-schema.org',
    'json.schemastore.org',
    'prometheus.io',
    'no-color.org',
    'pyyaml.org',
    'webassembly.github.io',
    'www.debian.org',
    'www.freedesktop.org',
    'www.w3.org',
  ]);
  const example =
    /(?:^|\.)example(?:\.net|\.org|\.com)?$|^(?:192\.0\.2|198\.51\.100|203\.0\.113)\.\d+$|^127\.0\.0\.1$|^localhost$/;

  it('in a URL', () => {
    const urls = found(
      /^(?!package-lock\.json$)/,
      /(?:https?|ftp):\/\/(?:[^\s/@'"`]*@)?([a-z0-9][a-z0-9.-]*[a-z0-9])/gi,
    );
    const hosts = urls.map(([file, url]): [string, string] => [file, url.replace(/^.*[/@]/, '').toLowerCase()]);
    expect(hosts.length).toBeGreaterThan(20);
    expect(hosts.filter(([, host]) => host.includes('.') && !PAGES.has(host) && !example.test(host))).toEqual([]);
  });

  it('by its bare name', () => {
    const names = found(
      /./,
      /[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:debian\.(?:org|net)|ubuntu\.com|docker\.(?:io|com)|npmjs\.(?:org|com))\b/gi,
    );
    expect(names.filter(([, name]) => !PAGES.has(name))).toEqual([]);
  });

  it('in package-lock.json', () => {
    expect(texts.get('package-lock.json')).not.toMatch(/"resolved": "https?:/);
  });
});

describe('one place starts the firewalld of a lab host', () => {
  it('and waits for its rules: who looks before they are loaded sees an open host', () => {
    const started = found(/^test\/.*\.ts$/, /systemctl\b[^\n]*?\b(?:re)?start\b[^\n]*?\bfirewalld\b[^\n]*/g).filter(
      ([file, line]) =>
        file !== 'test/lab/firewalld.ts' && !line.includes('_FIREWALLD}') && !/^test\/unit\//.test(file),
    );
    // Each of these waits in a way of its own, because the start is expected to fail or not to last.
    expect([...new Set(started.map(([file]) => file))].sort()).toEqual([
      'test/integration/bad-hosts.test.ts',
      'test/integration/ensure-firewalld.test.ts',
      'test/integration/rollback-holds.test.ts',
    ]);
  });
});
