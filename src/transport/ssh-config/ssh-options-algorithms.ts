import { HOST_KEY_ALGORITHMS } from '../ssh2/known-hosts.ts';
import { matchesPatternList } from './ssh-config-patterns.ts';

/**
 * Those of our host key algorithms that a value of HostKeyAlgorithms allows, most wanted first: `a,b` is the list itself,
 * `+a` adds, `-a*` takes away, `^a` puts first.
 */
export function chooseHostKeyAlgorithms(value: string): readonly string[] {
  const list = value.slice(1).split(',');
  switch (value[0]) {
    // Everything that we support is in the default list already.
    case '+':
      return HOST_KEY_ALGORITHMS;
    case '-':
      return HOST_KEY_ALGORITHMS.filter((algorithm) => !matchesPatternList(value.slice(1), algorithm));
    case '^': {
      const first = matching(list);
      return [...first, ...HOST_KEY_ALGORITHMS.filter((algorithm) => !first.includes(algorithm))];
    }
    default:
      return matching(value.split(','));
  }
}

function matching(patterns: readonly string[]): readonly string[] {
  const chosen = patterns.flatMap((pattern) =>
    HOST_KEY_ALGORITHMS.filter((algorithm) => matchesPatternList(pattern, algorithm)),
  );
  return [...new Set(chosen)];
}
