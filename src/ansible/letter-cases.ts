/** The last character that exists in several cases. */
const LAST_CASED = 0x1_e9_43;

let casesOnce: ReadonlyMap<number, readonly string[]> | null = null;

/** The characters that exist in several cases, each with its others: "k" with "K" and the sign of Kelvin. */
export function cases(): ReadonlyMap<number, readonly string[]> {
  if (casesOnce !== null) return casesOnce;
  const same = new Map<string, Set<string>>();
  for (let code = 0; code <= LAST_CASED; code += 1) {
    const character = String.fromCodePoint(code);
    for (const other of [character.toLowerCase(), character.toUpperCase()]) {
      // "ß" in capitals is two letters, and to Python no "ß".
      if (other === character || [...other].length !== 1) continue;
      const all = new Set([...(same.get(character) ?? [character]), ...(same.get(other) ?? [other])]);
      for (const member of all) same.set(member, all);
    }
  }
  casesOnce = new Map(
    [...same].map(([character, all]) => [character.codePointAt(0)!, [...all].filter((item) => item !== character)]),
  );
  return casesOnce;
}
