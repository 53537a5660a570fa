import type { CodedFault } from '../../core/failure.ts';
import { safeText } from '../../core/shown.ts';
import { closest } from '../../core/suggest.ts';
import { ExpressionError } from './values.ts';

/** Where an evaluation failed: in the variable that was asked for, or in one that it needs. */
export interface TemplateFailure extends CodedFault {
  readonly host: string;
  readonly variable: string;
  /** The template; `null` when it is a value of a vault that could not be decrypted. */
  readonly expression: string | null;
  /** Its place within the variable. */
  readonly path: readonly (string | number)[];
  /** Whether the template itself must not be shown. */
  readonly secret: boolean;
}

/** What is wrong: with the template itself, or with a variable that it needs. */
export type TemplateFault = ExpressionError | TemplateFailure;

/** Ends the evaluation of a variable. */
export class Stop extends Error {
  readonly failure: TemplateFailure;
  readonly isUndefined: boolean;

  constructor(failure: TemplateFailure, isUndefined: boolean) {
    super(failure.code);
    this.failure = failure;
    this.isUndefined = isUndefined;
  }
}

const FACTS =
  /^ansible_(?:facts|local|default_ipv[46]|all_ipv[46]_addresses|hostname|fqdn|nodename|domain|distribution|interfaces|os_family|date_time|eth\d|en[sopx]\w+)/;

const RUN_NAMES = new Set([
  ...['playbook_dir', 'role_path', 'role_name', 'play_hosts', 'environment', 'item', 'now'],
  ...['ansible_play_hosts', 'ansible_play_batch', 'ansible_play_name', 'ansible_version', 'ansible_check_mode'],
]);

/** Something is undefined; `default` can replace it. */
export function undefinedError(
  what: string,
  solve = 'Set it, or use "| default(…)" where it may be missing',
): ExpressionError {
  return new ExpressionError(what === '' ? 'it is undefined' : what, solve, 'template-undefined');
}

/** A name that is not set. @param known the names that there are */
export function undefinedName(name: string, known: Iterable<string>): ExpressionError {
  const instead = 'Write the value itself as a variable, or use "| default(…)"';
  if (FACTS.test(name)) return undefinedError(`"${name}" is a fact, which Ansible gathers from the host`, instead);
  if (RUN_NAMES.has(name)) return undefinedError(`"${name}" exists only while Ansible runs a playbook`, instead);
  const near = closest(name, known);
  const solve = near === null ? undefined : `Did you mean "${safeText(near)}"?`;
  return undefinedError(`"${safeText(name)}" is undefined`, solve);
}

/** MiniJinja's own error message; `null` for all other errors, for example the end of its WebAssembly instance. */
export function engineError(error: unknown): ExpressionError | null {
  if (!(error instanceof Error) || error.name === 'RuntimeError' || error instanceof RangeError) return null;
  const [line = ''] = error.message.split('\n');
  const what = line
    .replace(/^(?:invalid operation|syntax error|bad serialization): /, '')
    .replace(/ \(in <[^>]*>:\d+\)$/, '');
  if (/out of fuel/.test(what)) {
    return new ExpressionError(
      'it takes too many steps',
      'Simplify it, or write the value itself',
      'template-too-long',
    );
  }
  if (/^syntax error/.test(line)) return new ExpressionError(what, 'Correct the expression', 'template-syntax');
  if (/^undefined value/.test(what)) return undefinedError('');
  return new ExpressionError(what, 'Correct the expression');
}
