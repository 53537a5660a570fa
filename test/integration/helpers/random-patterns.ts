import fc from 'fast-check';

const atom = fc.oneof(
  fc.constantFrom(...String.raw`. \d \w \W \. - 1 a b w z e db web example B ٣ ü`.split(' ')),
  fc.constantFrom(...String.raw`[a-z] [^0-9] [\w-] []z] [a- [b-a] ^ $ \b \B \Z \A \ { } )`.split(' ')),
  fc.constantFrom(
    ...String.raw`(?=d) (?!w) (?<=b) (?<!1) (?i:WEB) (?:a) (?P<n>z) (?P=n) \1 (?#x) \x77 (?i)`.split(' '),
  ),
);
const { regex } = fc.letrec<{ regex: string; piece: string }>((tie) => ({
  regex: fc.array(tie('piece'), { minLength: 1, maxLength: 3 }).map((pieces) => pieces.join('')),
  piece: fc.oneof(
    { depthSize: 'small', maxDepth: 2 },
    fc
      .tuple(atom, fc.constantFrom('', '', '', '*', '+', '?', '{2}', '{1,2}', '{,3}', '*?', '+?', '**'))
      .map((both) => both.join('')),
    fc
      .tuple(tie('regex'), tie('regex'), fc.constantFrom('', '?', '*', '+'))
      .map(([one, other, times]) => `(${one}|${other})${times}`),
  ),
}));
const subscript = fc.oneof(
  fc.integer({ min: -4, max: 5 }).map((index) => `[${index}]`),
  fc
    .tuple(fc.nat(4), fc.constantFrom(':', ':', ':', '-'), fc.option(fc.nat(6), { nil: '' }))
    .map((range) => `[${range.join('')}]`),
);
/** Patterns made of some names: right ones, doubtful ones and nonsense. */
export function randomPattern(names: readonly string[]): fc.Arbitrary<string> {
  const name = fc.constantFrom(...names);
  /** A name with some of its characters replaced by what means something to a glob. */
  const glob = fc
    .tuple(
      name,
      fc.array(fc.tuple(fc.nat(12), fc.constantFrom('*', '?', '[a-z]', '[!0-9]', '[1-3]', '[', ']', '-', '!', ''))),
    )
    .map(([text, edits]) => {
      const characters = [...text];
      for (const [at, edit] of edits.slice(0, 2)) if (at < characters.length) characters[at] = edit;
      return characters.join('');
    });
  const part = fc
    .tuple(
      fc.constantFrom('', '', '', '!', '&'),
      fc.oneof(
        { weight: 3, arbitrary: name },
        glob,
        regex.map((text) => `~${text}`),
        fc
          .tuple(fc.constantFrom('', '.*', '[^.]*', '(?i)'), fc.constantFrom('1', '\\d', 'w', '.', 'db'), regex)
          .map((all) => `~${all.join('')}`),
        fc.tuple(fc.oneof(name, glob), subscript).map((both) => both.join('')),
      ),
    )
    .map((both) => both.join(''));
  return (
    fc
      .tuple(
        fc.oneof(
          part.map((one) => [one]),
          fc.array(part, { minLength: 1, maxLength: 3 }),
        ),
        fc.constantFrom(',', ',', ',', ':', ', ', ' '),
      )
      .map(([parts, separator]) => parts.join(separator))
      // A part "@…" would name a file.
      .filter((text) => !text.includes('@'))
  );
}
