import fc from 'fast-check';

/** An inventory made at random: its files, and what `-i` names. */
export interface RandomInventory {
  readonly files: Readonly<Record<string, string>>;
  readonly sources: readonly string[];
}

const GROUPS = ['web', 'db', 'edge', 'site', 'all', 'ungrouped', 'low', 'w1'];
const HOSTS = [
  'w1',
  'w2.example.net',
  'd[1:3]',
  'x[01:03:2]',
  'gw:2222',
  '192.0.2.7',
  '[2001:db8::1]:2200',
  '2001:db8::2',
  'l[a:b]',
];
const NAMES = ['a', 'b', 'c', 'ansible_host', 'ansible_port', 'nested', 'ansible_group_priority'];
const YAML_VALUES = [
  '1',
  '0644',
  '1:30',
  '1_000',
  '1e3',
  '1.5',
  '.5',
  '~',
  '',
  'yes',
  'off',
  'y',
  'text',
  '"quoted"',
  "'it''s'",
  '2001-12-14',
  '2001-12-14 21:59:43',
  '[1, two, [3]]',
  '{k: v, l: [1]}',
  '!unsafe "{{ x }}"',
  '!!str 5',
  '"{{ a }}"',
  '0x1F',
  '-0',
  '+1',
  'a b c',
  '{2: b, 10: a}',
  '[]',
  '{}',
  '"\\u00e9"',
  'é',
  '12345678901234567890',
  '1.0e+3',
  '!!omap [a: 1]',
  'null',
  'Null',
  '_1',
  '08',
  '1.2.3',
];
const INI_VALUES = [
  '1',
  '0644',
  '1_000',
  '1e3',
  'True',
  'true',
  'None',
  '',
  'text',
  '"a b"',
  "'a b'",
  '"\'5\'"',

  '"[1, \'two\', {}]"',
  '"{\'k\': 1}"',
  'a=b',
  'http://192.0.2.1:80/?q=1',
  "r'x'",
  '(1,2)',
  '1,2',
  'a\\ b',
  '"a#b"',
  "'{{ a }}'",
  '0x1F',
  '-1',
  '--1',
  '1j5',
  'é',
  'x.y',
  '.5',
  '5.',
];

const pick = fc.constantFrom;

/** `ansible_group_priority` takes whole numbers alone; elsewhere it would be an error. */
function valued(name: string, value: string, priority: string): string {
  return name === 'ansible_group_priority' ? priority : value;
}

const unique = <T>(items: fc.Arbitrary<T>, maxLength: number): fc.Arbitrary<T[]> =>
  fc.uniqueArray(items, { maxLength });

const yamlVariables = fc
  .uniqueArray(fc.tuple(pick(...NAMES), pick(...YAML_VALUES), pick('0', '1', '-3', '"20"', '10')), {
    maxLength: 3,
    selector: ([name]) => name,
  })
  .map((entries) => entries.map(([name, value, priority]) => `${name}: ${valued(name, value, priority)}`));

const indented = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);

/** Sections in any order, each perhaps empty; a group below another is one that comes later in the list: no circle. */
function yamlGroup(rank: number): fc.Arbitrary<string[]> {
  const below = GROUPS.slice(rank + 1).filter((name) => name !== 'all');
  const hosts = unique(pick(...HOSTS), 3).chain((keys) =>
    fc.tuple(...keys.map((key) => yamlVariables.map((lines) => [`${JSON.stringify(key)}:`, ...indented(lines)]))),
  );
  const children =
    below.length === 0
      ? fc.constant<string[]>([])
      : unique(pick(...below), 2).chain((names) =>
          fc
            .tuple(
              ...names.map((name) =>
                fc.oneof({ depthSize: 'small' }, fc.constant<string[]>([]), yamlGroup(GROUPS.indexOf(name))),
              ),
            )
            .map((bodies) => bodies.flatMap((body, index) => [`${names[index]}:`, ...indented(body)])),
        );
  const sections = fc.record(
    { hosts: hosts.map((all) => all.flat()), children, vars: yamlVariables },
    { requiredKeys: [] },
  );
  return fc.tuple(sections, fc.boolean()).map(([found, reversed]) => {
    const entries = Object.entries(found).map(([name, lines]) => [`${name}:`, ...indented(lines as string[])]);
    return (reversed ? entries.reverse() : entries).flat();
  });
}

const yamlFile = unique(pick(...GROUPS), 4).chain((names) =>
  fc
    .tuple(...names.map((name) => yamlGroup(GROUPS.indexOf(name)).map((body) => [`${name}:`, ...indented(body)])))
    .map((groups) => {
      const lines = groups.flat();
      return `${(lines.length === 0 ? ['all:'] : lines).join('\n')}\n`;
    }),
);

const iniAssignment = fc
  .tuple(pick('a', 'b', 'c', 'ansible_port'), pick(...INI_VALUES))
  .map(([name, value]) => `${name}=${value}`);

const iniHost = fc
  .tuple(pick(...HOSTS), fc.array(iniAssignment, { maxLength: 3 }), pick('', ' # comment', '   '))
  .map(([host, assignments, end]) => `${[host, ...assignments].join(' ')}${end}`);

const iniVariable = fc
  .tuple(
    pick('a', 'b', 'nested', 'ansible_group_priority'),
    pick('=', ' = '),
    pick(...INI_VALUES),
    pick('2', "'7'", '-1'),
  )
  .map(([name, equals, value, priority]) => `${name}${equals}${valued(name, value, priority)}`);

const iniSection = pick(...GROUPS.keys()).chain((rank) => {
  const name = GROUPS[rank]!;
  const below = GROUPS.slice(rank + 1).filter((one) => one !== 'all');
  const ofHosts = fc.array(iniHost, { maxLength: 3 }).map((lines) => [`[${name}]`, ...lines, '']);
  const ofVariables = fc.array(iniVariable, { maxLength: 3 }).map((lines) => [`[${name}:vars]`, '; comment', ...lines]);
  const ofChildren = unique(pick(...below, 'w1'), 2).map((lines) => [
    `[${name}:children]`,
    ...lines.filter((one) => one !== name),
  ]);
  return fc.oneof(ofHosts, ofHosts, ofVariables, ofChildren);
});

const iniFile = fc
  .tuple(fc.array(iniHost, { maxLength: 2 }), fc.array(iniSection, { maxLength: 6 }))
  .map(([free, sections]) => {
    // Every group is declared somewhere, perhaps after it was spoken of.
    const declared = GROUPS.map((name) => `[${name}]`);
    return `${[...free, ...sections.flat(), ...declared].join('\n')}\n`;
  });

const source = fc.oneof(
  yamlFile.map((text) => ({ ending: '.yaml', text })),
  yamlFile.map((text) => ({ ending: '', text })),
  iniFile.map((text) => ({ ending: '.ini', text })),
  iniFile.map((text) => ({ ending: '', text })),
);

const varsFile = fc.tuple(
  pick('group_vars', 'host_vars'),
  pick('all', 'web', 'db', 'low', 'w1', 'd2', 'gw', 'ungrouped', '2001:db8::1'),
  pick('', '.yml', '.yaml', '.json.yml', '/10.yml', '/x/20'),
  yamlVariables.map((lines) => lines.filter((line) => !line.startsWith('ansible_group_priority'))),
);

/** Small inventories of one to three sources, YAML and INI, in one folder or several, with files of variables. */
export const randomInventory: fc.Arbitrary<RandomInventory> = fc
  .tuple(
    fc.array(fc.tuple(source, pick('', 'one/', 'two/')), { minLength: 1, maxLength: 3 }),
    fc.array(fc.tuple(varsFile, pick('', 'one/', 'two/')), { maxLength: 5 }),
    fc.boolean(),
  )
  .map(([sources, varsFiles, asFolder]) => {
    const files: Record<string, string> = {};
    for (const [[kind, name, ending, lines], folder] of varsFiles) {
      const path = `${folder}${kind}/${name}${ending}`;
      // A name cannot be a file and a folder at once.
      if (Object.keys(files).some((other) => other.startsWith(`${path}/`) || path.startsWith(`${other}/`))) continue;
      files[path] = lines.length === 0 ? '' : `${lines.join('\n')}\n`;
    }
    const names = sources.map(([{ ending, text }, folder], index) => {
      const path = `${folder}hosts${index}${ending}`;
      files[path] = text;
      return path;
    });
    const folders = [
      ...new Set(names.map((name) => name.split('/')).flatMap((parts) => (parts.length > 1 ? [parts[0]!] : []))),
    ];
    // In a folder files that end in .ini are passed over, and there must be something.
    const foldersWill = asFolder && names.every((name) => name.includes('/') && !name.endsWith('.ini'));
    return { files, sources: foldersWill ? folders : names };
  });
