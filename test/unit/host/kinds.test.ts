import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { eachKind, eachOurKind, KINDS, type OurObjects } from '../../../src/firewalld/kinds/kinds.ts';
import { EMPTY_ZONE } from '../../../src/firewalld/kinds/zone.ts';
import { loadedFile } from '../../../src/firewalld/loaded.ts';
import { ACCEPT_ALL, acceptRule, normaliseRules } from '../../../src/firewalld/rich-rule.ts';
import { firewalldProgram } from '../../../src/host/programs.ts';
import { RUNTIME_OPERATIONS } from '../../../src/plan/steps.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'portfw-kinds-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The very Python that runs on hosts, but for its last lines, which begin to read standard input. */
const PROGRAM = firewalldProgram().split("<<'PORTFW_END_OF_PROGRAM'\n")[1]!.split('\nif len(sys.argv) == 3:')[0]!;

// A module of its own, so that Python compiles it once.
writeFileSync(path.join(folder, 'program.py'), PROGRAM);

/** What an expression comes to in that program. `Bus` stands for the D-Bus bindings: their types hold what they are given. */
function python(expression: string, given: unknown = null): unknown {
  const file = path.join(folder, 'ask.py');
  writeFileSync(
    file,
    `from program import *
class Bus:
    Array = Struct = staticmethod(lambda items, signature=None: list(items))
    Dictionary = staticmethod(lambda items, signature=None: dict(items))
    Boolean = bool
def attempt(rule, value):
    try:
        return rule(value)
    except Wrong as wrong:
        return str(wrong)
given = json.load(sys.stdin)
json.dump(${expression}, sys.stdout)
`,
  );
  return JSON.parse(execFileSync('python3', [file], { input: JSON.stringify(given), encoding: 'utf8' }));
}

const our = eachOurKind((_, name) => name);

it('both sides have the same kinds, in one order', () => {
  expect(python('[[folder, KINDS[folder]["object"]] for folder in KINDS]')).toEqual(
    eachKind(({ object }, name) => [name, object]),
  );
  expect(python('OUR_FOLDERS')).toEqual(our);
});

it('both sides take the same folders below /etc/firewalld for what firewalld loads', () => {
  const read = python('READ_IN') as Record<string, string>;
  for (const [name, object] of Object.entries(read)) {
    expect(loadedFile(`${name}/a.xml`, '1.3.3')).toMatchObject({ kind: 'loaded', folder: name });
    if (Object.hasOwn(KINDS, name)) expect(object).toBe(KINDS[name as keyof typeof KINDS].object);
  }
  expect(Object.keys(read)).toEqual([...eachKind((_, name) => name), 'helpers', 'icmptypes']);
});

it('the host reads every kind at runtime, and reads, writes and makes those of which there are objects of ours', () => {
  const calls = python('[KINDS[folder]["runtime"] for folder in KINDS]') as string[][];
  for (const [index, [bus, list, getter]] of calls.entries()) {
    expect(bus, `runtime ${index}`).toMatch(/^(?:|\.[a-z]+)$/);
    expect([list, getter]).toEqual([expect.stringMatching(/^(?:get|list)\w+s$/), expect.stringMatching(/^get\w+/)]);
  }
  const memory = python('[KINDS[folder].get("permanent") for folder in KINDS]') as (string[] | null)[];
  const objects = eachKind(({ object }) => object);
  expect(memory.map((found) => found?.length ?? 0)).toEqual(
    eachKind((_, name) => (our.some((o) => o === name) ? 5 : 0)),
  );
  for (const [index, found] of memory.entries()) if (found !== null) expect(found[1]).toBe(`.config.${objects[index]}`);
});

it('the host lets in files, deletions and settings of our kinds, and of no other', () => {
  expect(python('[list(ADMITTED), sorted(ELEMENTS)]')).toEqual([our, [...our].sort()]);
  const paths = eachKind((_, name) => `${name}/portfw-a.xml`);
  expect(python('[path for path in given if OUR_FILE.match(path)]', paths)).toEqual(
    our.map((name) => `${name}/portfw-a.xml`),
  );
  const deletions = eachKind(({ object }) => [[object, 'portfw-a']]);
  expect(python('[attempt(SCHEMA["permanent"]["deletions"], rows) is None for rows in given]', deletions)).toEqual(
    eachKind((_, name) => our.some((one) => one === name)),
  );
});

it('both sides know the same operations on a running daemon', () => {
  const all = python('[[*RUNTIME_CALLS, "move-connection"], sorted(CALLS)]') as string[][];
  for (const names of all) expect([...names].sort()).toEqual([...RUNTIME_OPERATIONS].sort());
});

/** One object of each kind, with something in every field that portfw writes. */
const OBJECTS: OurObjects = {
  zones: new Map([
    [
      'portfw-public',
      {
        ...EMPTY_ZONE,
        name: 'portfw-public',
        short: 'portfw public',
        description: 'What is open.',
        target: 'DROP',
        interfaces: ['eth0', 'eth1'],
        services: ['portfw-web-public'],
        richRules: normaliseRules([
          ACCEPT_ALL,
          acceptRule({ family: 'ipv4', sourceIpset: 'portfw-a', destination: null, service: 'portfw-b', port: null }),
        ]),
      },
    ],
  ]),
  services: new Map([
    [
      'portfw-web-public',
      {
        name: 'portfw-web-public',
        short: 'Web',
        description: 'A role.',
        ports: [
          { protocol: 'tcp', range: { first: 443, last: 443 } },
          { protocol: 'udp', range: { first: 5000, last: 5010 } },
        ],
        protocols: [],
        sourcePorts: [],
        helpers: ['ftp'],
        modules: [],
        includes: [],
        destination: { ipv4: null, ipv6: null },
      },
    ],
  ]),
  ipsets: new Map([
    [
      'portfw-a',
      {
        name: 'portfw-a',
        short: 'portfw-a',
        description: 'Addresses.',
        type: 'hash:net',
        family: 'ipv6',
        options: { family: 'inet6' },
        entries: ['2001:db8::/64'],
      },
    ],
  ]),
};

it('what a settings step sends is let in whole, and the daemon is told the very object', () => {
  const asked = eachOurKind((kind, name) => ({ name, settings: [...OBJECTS[name].values()].map(kind.settingsOf)[0]! }));
  // For each kind: whether its settings are let in, the fields without which they are, and what the daemon is told.
  const answers = python(
    `[[attempt(ADMITTED[one["name"]][1], one["settings"]),
       [key for key in one["settings"] if attempt(ADMITTED[one["name"]][1], {k: one["settings"][k] for k in one["settings"] if k != key}) is None],
       (lambda kind, found: dict(zip(kind["fields"], found)) if "fields" in kind else found)(
         KINDS[one["name"]], KINDS[one["name"]]["settings"](Bus, one["settings"]))] for one in given]`,
    asked,
  ) as [string | null, string[], Record<string, unknown>][];
  let seen = 0;
  eachOurKind((kind, name) => {
    const [refused, spare, told] = answers[seen]!;
    seen += 1;
    const [[id, item] = []] = [...OBJECTS[name]];
    expect([name, refused, spare]).toEqual([name, null, []]);
    expect(kind.readBus(id!, told)).toEqual(item);
    expect(kind.ofSettings(kind.settingsOf(item!))).toEqual(item);
    expect(kind.readXml(id!, kind.writeXml(item!))).toEqual(item);
  });
  expect(seen).toBe(our.length);
});
