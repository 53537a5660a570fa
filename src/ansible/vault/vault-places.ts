import type { Problem, SourceLocation } from '../../core/problem.ts';

/** The places that values of vaults have given out as theirs, with the variable's name. */
const places = new WeakMap<SourceLocation, string>();

/** Notes that a problem with this place is about a value that comes from a vault. @param variable its name */
export function fromVault(location: SourceLocation | null, variable: string): SourceLocation | null {
  if (location !== null) places.set(location, variable);
  return location;
}

/**
 * Problems with values that come from a vault, without what they quote of them: the kind and the place are left. Whoever
 * finds something wrong with a value asks it for its place, and by that the problem is known, wherever it was found.
 *
 * @param files files that are encrypted as a whole
 */
export function withoutVaultContents(
  problems: readonly Problem[],
  files: ReadonlySet<string> = new Set(),
): readonly Problem[] {
  return problems.map((problem) => {
    const { location, code } = problem;
    // Why something could not be decrypted or evaluated is said with care to begin with.
    if (location === null || /^(?:vault|template)-/.test(code)) return problem;
    const variable = places.get(location);
    if (variable === undefined && !files.has(location.file)) return problem;
    const judgement = problem.severity === 'error' ? 'is not right' : 'is doubtful';
    const subject =
      variable === undefined
        ? `something in this encrypted file ${judgement}`
        : `the value of ${variable} comes from a vault, and ${judgement}`;
    return {
      ...problem,
      message: `${subject} (${code.replaceAll('-', ' ')})`,
      hint: 'It is not shown; look at it with "ansible-vault view" or "ansible-vault decrypt", and correct it',
    };
  });
}
