/** Stands for a text that must be refused. */
export const REFUSED = Symbol('refused');

/** YAML texts, and what both PyYAML and portfw make of them. */
export const LAYOUT_CASES: readonly (readonly [text: string, value: unknown])[] = [
  // Texts in brackets and quotes go on at any column.
  [
    "all:\n  vars:\n    rules: [\n    'one',\n    'two'\n    ]\n  hosts: {h1: }\n",
    { all: { vars: { rules: ['one', 'two'] }, hosts: { h1: null } } },
  ],
  ['x: [\n\t1,\n\t2\n]\n', { x: [1, 2] }],
  ['x: "{{\n  foo\n}}"\n', { x: '{{ foo }}' }],
  [
    "rules: [ \n'-A INPUT -j ACCEPT', \n'-A INPUT -j DROP', \n]\n",
    { rules: ['-A INPUT -j ACCEPT', '-A INPUT -j DROP'] },
  ],
  ["a:\n  b: 'x\n\n\ty\n'\nc: 1\n", { a: { b: 'x\ny ' }, c: 1 }],
  ['a:\n  - {b: 1,\n\n# comment\nc: 2}\n  - d\n', { a: [{ b: 1, c: 2 }, 'd'] }],
  ['a: [b\nc, "d\ne"]\n', { a: ['b c', 'd e'] }],
  ['- - [\n]\n  - b\n', [[[], 'b']]],
  ['a: [1,\r\n2]\r\nb: "x\r\ny"\r\n', { a: [1, 2], b: 'x y' }],
  ['? "a\nb"\n: c\n', { 'a b': 'c' }],
  ['a: "x\\\n\n  y"\n', { a: 'x\ny' }],
  ['a: "x\\\\\n\n  y"\n', { a: 'x\\\ny' }],
  ['a: [&x b,\n*x , !!str\n1]\n', { a: ['b', 'b', '1'] }],
  ['a: [? b\n: c]\n', { a: [{ b: 'c' }] }],
  ['\ufeffa: [\n1]\n', { a: [1] }],
  ['a: |\n  [x\n  "y\nb: 1\n', { a: '[x\n"y\n', b: 1 }],
  // Comments directly after them, and what may touch in brackets.
  ['a: "b"#c\n', { a: 'b' }],
  ['a: [b]#c\nd: 1\n', { a: ['b'], d: 1 }],
  ['{a: b\n# c\n, d: e}', { a: 'b', d: 'e' }],
  ['{"a":b, \'c\':"d"}', { a: 'b', c: 'd' }],
  ['[-, {a: -}, -b]', ['-', { a: '-' }, '-b']],
  ['[?a, b]', [{ a: null }, 'b']],
  // A document marker ends them only at the left margin, and with a blank after it.
  ['a: "x\n---y"\n', { a: 'x ---y' }],
  ['a: "x\n..."\n', { a: 'x ...' }],
  ['[a,\n\t---\n]\n', ['a', '---']],
  ['a: "x\n--- y"\n', REFUSED],
  ["a: 'x\n... '\n", REFUSED],
  ['a: [\n---\n]\n', REFUSED],
  // A key and its colon are on one line.
  ['"a\nb": c\n', REFUSED],
  ['[a,\nb]: c\n', REFUSED],
  ['{a\nb: c}', REFUSED],
  ['{"a"\n: b}', REFUSED],
  ['a: [b\n: c]', REFUSED],
  ['a: [b,\nc]: d\n', REFUSED],
  ['a: [b]: c\n', REFUSED],
  [`{"${'k'.repeat(1030)}": b}`, REFUSED],
  ['a: {b: 1,\nc\nd: 2}\n', REFUSED],
  // Tabs stand between values, but never where a key could begin.
  ['a:\t1\nb: \t2\t# c\n', { a: 1, b: 2 }],
  ['a: "b"\t# c\n', { a: 'b' }],
  ['a: b\n  \t\nc: d\n', { a: 'b', c: 'd' }],
  ['a: |\t# c\n  x\n', { a: 'x\n' }],
  ['-\ta\n', REFUSED],
  ['- \ta\n', REFUSED],
  ['a:\n\tb\n', REFUSED],
  ['a: [b]\n\t# c\n', REFUSED],
  ['a: "b"\n  \t\nc: d\n', REFUSED],
  ['a:\n  b: c\n  \t\n  d: e\n', REFUSED],
  ['a: [b\n\t]\n', REFUSED],
  ['a: [b\n\tc]\n', REFUSED],
  ['a: |\n  \tx\n', REFUSED],
  ['a: |2\n  \tx\n', { a: '\tx\n' }],
  ['a: |\n  x\n  \ty\n', { a: 'x\n\ty\n' }],
  // Characters that end a line for PyYAML.
  ['a: "x\u2028y"\n', { a: 'x\u2028y' }],
  ['# c \u2028\na: 1\n', { a: 1 }],
];

/** Texts that Ansible reads and portfw refuses, because nobody sees the line break in them. */
export const INVISIBLE_BREAKS: readonly string[] = [
  'a: "x\u0085y"\n',
  'a: "x \u2028y"\n',
  'a: x\u2028\n',
  'a: "x\u2028---y"\n',
  'a: x\u0085b: y\n',
  '# c\u2029a: 1\n',
  'a: |\n  x\u2028  y\n',
  'a: [1,\u20282]\n',
  '---\n\ufeffa: 1\n',
];
