import { randomFrom } from './seeded-random.ts';

/** Inventories whose mappings are set in many layers, as files by their names; the sources are `one.yaml` and `two.yaml`. */
export function randomLayers(count: number, seed: number): readonly Readonly<Record<string, string>>[] {
  const next = randomFrom(seed);
  const one = <T>(choices: readonly T[]): T => choices[Math.floor(next() * choices.length)]!;
  const value = (depth: number): unknown => {
    if (depth === 0 || next() < 0.3)
      return one<unknown>([1, 'text', null, [1, 2], [{ a: 1 }], {}, true, '{{ other }}']);
    return Object.fromEntries(['a', 'b', 'c', '7'].filter(() => next() < 0.5).map((key) => [key, value(depth - 1)]));
  };
  const variables = (): Record<string, unknown> =>
    Object.fromEntries(['m', 'n', 'o'].filter(() => next() < 0.6).map((name) => [name, value(3)]));
  const source = (): object => ({
    all: {
      vars: variables(),
      children: {
        web: {
          hosts: { h1: variables(), h2: variables() },
          vars: variables(),
          children: { inner: { hosts: { h1: {} } } },
        },
        low: { hosts: { h1: variables() }, vars: variables() },
        inner: { vars: variables() },
      },
    },
  });
  const names = [
    ...[
      'group_vars/all.yaml',
      'group_vars/web/a.yaml',
      'group_vars/web/b.yaml',
      'group_vars/low.yaml',
      'host_vars/h1.yaml',
    ],
    ...['play/group_vars/all.yaml', 'play/group_vars/web.yaml', 'play/host_vars/h1.yaml'],
  ];
  return Array.from({ length: count }, () => ({
    'one.yaml': JSON.stringify(source()),
    'two.yaml': JSON.stringify(source()),
    ...Object.fromEntries(names.filter(() => next() < 0.6).map((name) => [name, JSON.stringify(variables())])),
  }));
}
