import type { TemplateFailure } from './faults.ts';
import { FILTERS } from './filters.ts';
import { FUNCTIONS } from './functions.ts';
import type { Vocabulary } from './syntax.ts';
import { TESTS } from './tests.ts';
import type { Value } from './values.ts';

/** A scalar that is not plain data, in a form that can be sent to a thread. */
export type Tagged =
  | { readonly tag: 'unsafe'; readonly text: string }
  | { readonly tag: 'vault'; readonly ciphertext: string };

/** A variable's value, unevaluated. */
export type Raw = null | boolean | number | bigint | string | readonly Raw[] | ReadonlyMap<string, Raw> | Tagged;

/** A variable as it is written. Hosts of one group share it. */
export interface RawVariable {
  readonly value: Raw;
  /** Whether it is in a file that is encrypted as a whole. */
  readonly secret: boolean;
}

/** Everything that a template may refer to. */
export interface TemplateWorld {
  /** The variables of every host. */
  readonly hosts: ReadonlyMap<string, ReadonlyMap<string, RawVariable>>;
  readonly groups: ReadonlyMap<string, readonly string[]>;
  /** What `lookup('env', …)` sees. */
  readonly environment: ReadonlyMap<string, string>;
}

/** The result for a variable. `undefined` is the fault of a name that is not set; `default` can replace it. */
export type Outcome =
  | { readonly kind: 'value'; readonly value: Value; readonly secret: boolean }
  | { readonly kind: 'undefined' | 'failed'; readonly failure: TemplateFailure };

/** What templates may name beyond variables. */
export const VOCABULARY: Vocabulary = {
  filters: new Set(FILTERS.keys()),
  functions: FUNCTIONS,
  tests: new Set([
    'defined',
    'undefined',
    'none',
    'string',
    'number',
    'integer',
    'float',
    'boolean',
    'true',
    'false',
    'mapping',
    'iterable',
    'sequence',
    'odd',
    'even',
    'divisibleby',
    'in',
    'eq',
    'equalto',
    'ne',
    'lt',
    'gt',
    'le',
    'ge',
    'lower',
    'upper',
    'sameas',
    ...TESTS.keys(),
  ]),
};
