import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Inventory, loadInventory } from '../../src/ansible/inventory.ts';
import { matchHosts, matchLimit } from '../../src/ansible/patterns/patterns.ts';
import { requireAnsible } from '../helpers/ansible.ts';
import { supported } from '../helpers/supported.ts';
import { randomPattern } from './helpers/random-patterns.ts';

/** What Ansible is asked: the hosts of a pattern, or those of "all" that a limit leaves. */
type Question = { readonly inventory: string } & (
  | { readonly pattern: string | readonly string[] }
  | { readonly limit: string }
);

interface Answer {
  readonly hosts: readonly string[];
  readonly error: string | null;
  readonly warnings: readonly string[];
}

/** Asks the very code behind `ansible --list-hosts`, without its half second of start-up for each pattern. */
const ORACLE = `
import json, sys
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.utils.display import Display

warnings = []
Display.warning = lambda self, text, formatted=False: warnings.append(text)
managers = {}
answers = []
for asked in json.load(sys.stdin):
    source = asked['inventory']
    if source not in managers:
        managers[source] = InventoryManager(loader=DataLoader(), sources=[source])
    manager = managers[source]
    manager.clear_caches()
    warnings.clear()
    answer = {'hosts': [], 'error': None}
    try:
        manager.subset(asked.get('limit'))
        answer['hosts'] = [str(host) for host in manager.list_hosts(asked.get('pattern', 'all'))]
    except Exception as error:
        answer['error'] = type(error).__name__ + ': ' + str(error)
    answer['warnings'] = list(warnings)
    answers.append(answer)
print(json.dumps(answers))
`;

const FIXTURES = join(import.meta.dirname, '../fixtures/inventory/patterns');
const SITE = join(FIXTURES, 'hosts.yaml');
const AWKWARD = join(FIXTURES, 'awkward.yaml');
const python = requireAnsible();
const inventories = new Map<string, Inventory>();
for (const file of [SITE, AWKWARD]) inventories.set(file, await loadInventory(file));

function ask(questions: readonly Question[]): readonly Answer[] {
  const options = {
    input: JSON.stringify(questions),
    encoding: 'utf8',
    timeout: 60_000,
    maxBuffer: 1 << 28,
    stdio: 'pipe',
  } as const;
  return JSON.parse(execFileSync(python, ['-c', ORACLE], options)) as Answer[];
}

/** What portfw makes of the same question; a limit keeps the inventory's order, as in a run. */
function ours(question: Question): { readonly hosts: readonly string[]; readonly problems: readonly string[] } {
  const inventory = inventories.get(question.inventory)!;
  const found = 'pattern' in question ? matchHosts(inventory, question.pattern) : matchLimit(inventory, question.limit);
  const chosen = new Set(found.hosts);
  const hosts = 'pattern' in question ? found.hosts : [...inventory.hosts.keys()].filter((host) => chosen.has(host));
  return { hosts, problems: found.problems.map((problem) => problem.what) };
}

/** What Ansible lets pass without a word, and portfw refuses (docs/plan-and-apply.md). */
const REFUSED = [
  / leaves no host$/,
  / names no host$/,
  /^there is nothing after /,
  /has a hyphen where a colon belongs$/,
  /ends before it begins$/,
  /is beyond the last host$/,
  /without its partner$/,
  /^no group and no host matches "(?:localhost|127\.0\.0\.1|::1)"$/,
  /not supported/,
];

/** Where portfw finds nothing wrong, Ansible has to choose the same hosts without a warning; and the other way round. */
function compare(questions: readonly Question[]): { readonly same: number; readonly refused: number } {
  const answers = ask(questions);
  const different: unknown[] = [];
  let same = 0;
  let refused = 0;
  for (const [index, question] of questions.entries()) {
    const answer = answers[index]!;
    const own = ours(question);
    const doubtful = answer.error !== null || answer.warnings.length > 0;
    if (own.problems.length === 0) {
      if (doubtful || JSON.stringify(own.hosts) !== JSON.stringify(answer.hosts))
        different.push({ question, own, answer });
      same += 1;
    } else {
      if (!doubtful && !own.problems.some((message) => REFUSED.some((known) => known.test(message))))
        different.push({ question, own, answer });
      refused += 1;
    }
  }
  expect(different).toEqual([]);
  return { same, refused };
}

/** Both inventories, and both uses of a pattern. */
function questions(patterns: readonly string[]): Question[] {
  return [SITE, AWKWARD].flatMap((inventory) =>
    patterns.flatMap((pattern): Question[] => [
      { inventory, pattern },
      { inventory, limit: pattern },
    ]),
  );
}

const words = (text: string): string[] => text.split(' ');

describe('patterns choose what Ansible chooses, asked live', () => {
  it(supported('Patterns', 'a list of patterns as the `hosts` of a play'), () => {
    const lists = [
      ['web:db', 'prod'],
      ['web', '!web1.example.net'],
      ['db,web', '&prod'],
      ['all:!db', 'prod'],
      ['db', 'web:db'],
    ];
    const { same } = compare(lists.map((pattern) => ({ inventory: SITE, pattern })));
    expect(same).toBe(lists.length);
  });

  const CASES: readonly (readonly [string, readonly string[]])[] = [
    [
      supported('Patterns', 'names of hosts and groups, `all` and `*`'),
      ['all', '*', 'web', 'site', 'ungrouped', 'same', 'db01', 'WEB', 'web1.example.net', '192.0.2.10', '0', 'zero'],
    ],
    [
      supported('Patterns', 'several, joined by `,` or `:`: `web,db`, `web:db`'),
      [
        'web,db',
        'web:db',
        'db : fe',
        ' db , fe ',
        'db fe',
        'db,,fe',
        'db:fe:ab',
        'ab:db:fe',
        'zeta:alpha',
        'alpha:zeta',
      ],
    ],
    [
      supported('Patterns', '`&` (and in) and `!` (and not in), in any order: `web:&prod:!db1`'),
      [
        ...words('web:&prod &prod:web web:&prod:!web1.example.net !web1.example.net:&prod:web db:&fe ab:!db'),
        ...words('all:!ungrouped site:!z* site,&zeta,&alpha web:!db2.example.net db,!db01,db01'),
      ],
    ],
    [
      supported('Patterns', '`!` and `&` alone: from all hosts'),
      [
        '!web',
        '&prod',
        '!db',
        '&db',
        '!web:!db',
        '!ungrouped,!site',
        '&ab,!db02',
        '!all',
        '!localhost',
        'all:!127.0.0.1',
      ],
    ],
    [
      supported('Patterns', 'globs: `web*`, `db?.example.net`, `web[12].*`, `web[!1-3].*`'),
      [
        ...words('web* *.example.net *1* db? db?? db0[12] db0[!1] a-[a-b] a-[ac] a-[!b-z] [zw]*'),
        ...words('web[1-3].example.net web[!12].example.net [[]x a-[]a] a-[^a] a-[a z[9-3]* w*:&prod'),
        ...words('192.0.2.* 2001:db8::1* *,!*1* W* b?cher* [a-bü]* under_* a-[a-] a-[-a] **1'),
      ],
    ],
    [
      supported('Patterns', '`~` and a regular expression, as Python reads it: `~(web|db)\\d+\\.`'),
      [
        ...words(String.raw`~web\d ~(web|db)\d+ ~.*[34]\. ~^db0?1$ ~(?i)web1 ~(?P<what>db|fe) ~db01\Z ~\Adb`),
        ...words(String.raw`~db(?!01) ~.*(?<=1)\.example ~.*(?<!1)\.example ~\w+$ ~[\w-]+$ ~\D+$ ~(?a)\w+\. ~.*\b1`),
        ...words(String.raw`~a-[a-b] ~[^\W\d]+\d{2}$ ~[]a] ~z{1} ~z{,2}4 ~(?#a)db ~((a|z)+)+\d ~\x64\u0062 ~(?i-s)x`),
        ...words(String.raw`~w.*:!~.*[34]\. ~.*\.net:&site ~(z|a)4|db ~ ~( ~* ~a** ~[z-a] ~\y ~(?<=a+)b ~(?<n>a)`),
        ...words(String.raw`~a\B- ~\S+٣ ~.*\d\.e ~BÜCHER ~(?i)BÜCHER ~(?i)[A-Z]+\d ~(?i)[^A-Z] ~a{2,1} ~x{ ~(?i ~)`),
      ],
    ],
    [
      supported('Patterns', 'positions in a group: `group[0]`, `group[-1]`, `group[0:2]`, `group[2:]`, also of globs'),
      [
        ...words('web[0] web[-1] web[1:2] web[2:] web[0:0] web[1:99] site[0] site[1:3] site[-2] all[3]'),
        ...words('z*[0] *[0] *[2:4] a*[-1] a*[1] zeta[0]:alpha[1] zeta[0],alpha[0:1] site:!site[0] site:&site[1:2]'),
        ...words('web[9] web[-9] web[2:1] web[0-1] web[99999999999999999999] db[00] db[-0] empty[0] db[0][0]'),
        ...words('all[0]:all[-1] !all[0] &all[1:4] db01[0] db01[1] same[1] same[0] ab[0:1] db[:1] db[] db[a]'),
      ],
    ],
    [
      supported('Patterns', 'IPv6 addresses, and names that look like a port or a number'),
      [
        ...words('2001:db8::10 2001:db8::10,db 2001:db8::10:db [2001:db8::10] ::1 gateway.example.net fe:ab'),
        ...words('gateway.example.net:2222 db:0 0 0:db 2001:db8::[10:11] 192.0.2.[10:11] web[1:4].example.net db:22'),
      ],
    ],
  ];
  it.each(CASES)('%s', (_, patterns) => {
    expect(compare(questions(patterns)).same).toBeGreaterThan(patterns.length / 2);
  });

  it('patterns that choose nothing, or hold something that matches nothing, are not passed over', () => {
    const wrong = [
      'nothing',
      'web:nothing',
      'web:!nothing',
      '',
      ',',
      ':',
      ' ',
      '!',
      '&',
      '@',
      'web]',
      '~we[b',
      '[',
      'localhost',
    ];
    expect(compare(questions(wrong)).same).toBe(0);
  });

  it('thousands of patterns made at random', () => {
    const seed = Number(process.env['PORTFW_SEED'] ?? 20_260_101);
    const asked = fc.sample(question, { numRuns: Number(process.env['PORTFW_RUNS'] ?? 3_000), seed });
    const { same, refused } = compare(asked);
    // Most have to say something, or the comparison proves little.
    expect(same).toBeGreaterThan(asked.length / 5);
    expect(refused).toBeGreaterThan(asked.length / 5);
  });

  it('the command itself says the same as the code that was asked', () => {
    for (const pattern of ['web:&prod:!web1.example.net', 'web[0:2]', '~.*[34]\\.', '*.example.net,!db*']) {
      const printed = execFileSync('ansible', ['-i', SITE, pattern, '--list-hosts'], {
        encoding: 'utf8',
        timeout: 30_000,
      });
      const hosts = printed
        .split('\n')
        .slice(1)
        .map((line) => line.trim())
        .filter((line) => line !== '');
      expect([pattern, hosts]).toEqual([pattern, matchHosts(inventories.get(SITE)!, pattern).hosts]);
    }
  });
});

describe('files of patterns, asked live', () => {
  let folder: string;
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'portfw-limit-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it(
    supported('Patterns', '`--limit @FILE`, one pattern a line; several files, with other patterns beside them'),
    () => {
      const one = file('one', 'db\n\n  zeta[0]  \n');
      const two = file('two', 'web1.example.net\r\n!db02\r\n');
      const three = file('three', '&site\n');
      const lists = [
        `@${one}`,
        `@${two}`,
        `@${one},@${two}`,
        `@${one}:@${two}`,
        `@${three}`,
        `alpha,@${three}`,
        `@${one},!db01`,
      ];
      const asked = lists.map((limit) => ({ inventory: AWKWARD, limit }));
      expect(compare(asked)).toEqual({ same: asked.length, refused: 0 });
    },
  );

  it('a line is one pattern, whatever it holds', () => {
    const limits = ['db:fe', 'db,fe', 'db fe', '# db', '@db'].map(
      (line, index) => `@${file(`line${index}`, `${line}\n`)}`,
    );
    const asked = limits.map((limit) => ({ inventory: AWKWARD, limit }));
    expect(compare(asked)).toEqual({ same: 0, refused: asked.length });
  });
});

const names = [...inventories.values()].flatMap((inventory) => [...inventory.groups.keys(), ...inventory.hosts.keys()]);
const question: fc.Arbitrary<Question> = fc
  .tuple(fc.constantFrom(SITE, AWKWARD), randomPattern(names), fc.boolean())
  .map(([inventory, text, limit]) => (limit ? { inventory, limit: text } : { inventory, pattern: text }));
