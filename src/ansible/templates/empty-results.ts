import { threeShown } from '../../core/lists.ts';
import { isMapping } from '../../core/mapping.ts';
import { shown } from '../../core/shown.ts';
import type { YamlPath } from '../../documents/yaml-document.ts';
import type { EmptyResult, Variable, Variables } from '../graph/variables.ts';
import { isTemplate, split, type Token } from './tokens.ts';
import { ExpressionError } from './values.ts';

/** How many variables deep the cause is looked for. */
const MAX_DEPTH = 8;
const WORDS = new Set([
  ...['and', 'or', 'not', 'in', 'is', 'if', 'elif', 'else', 'endif', 'for', 'endfor', 'set', 'true', 'false', 'none'],
  ...['True', 'False', 'None', 'omit', 'undefined', 'defined'],
]);

/** A variable that was empty or not set, and so made another one empty. */
interface Cause {
  readonly name: string;
  readonly isSet: boolean;
}

/**
 * Finds the templates that gave an empty text, and the variables that were empty in them. What holds for many hosts is
 * said once, so the words are made when all hosts are known.
 */
export class EmptyResults {
  private readonly hosts = new Map<string, string[]>();

  /** The empty texts within a value of one host, each with its cause. */
  of(host: string, written: Variable, plain: unknown, variables: Variables): readonly EmptyResult[] {
    const found: EmptyResult[] = [];
    const visit = (template: unknown, value: unknown, path: YamlPath): void => {
      if (typeof template === 'string') {
        if (typeof value === 'string' && value.trim() === '' && isTemplate(template))
          found.push(this.result(host, written, path, template, causesOf(template, variables, 0)));
      } else if (Array.isArray(template) && Array.isArray(value)) {
        for (const [index, item] of template.entries()) visit(item, value[index], [...path, index]);
      } else if (isMapping(template) && isMapping(value)) {
        for (const [key, item] of Object.entries(template)) visit(item, value[key], [...path, key]);
      }
    };
    visit(written.exact, plain, []);
    return found;
  }

  private result(
    host: string,
    written: Variable,
    path: YamlPath,
    template: string,
    causes: readonly Cause[],
  ): EmptyResult {
    const key = JSON.stringify([written.locate(path), causes]);
    const hosts = this.hosts.get(key) ?? [];
    this.hosts.set(key, hosts);
    hosts.push(host);
    const because = causes.map(({ name, isSet }) => `${shown(name)} is ${isSet ? 'empty' : 'not set'}`);
    return {
      path,
      why: () => {
        const where = `for the host${hosts.length === 1 ? '' : 's'} ${threeShown(hosts)}`;
        const cause = because.length === 0 ? '' : `: ${because.join(' and ')}`;
        return `the template ${shown(template)} gives an empty text ${where}${cause}`;
      },
      solve: causes.length === 0 ? null : `Set ${causes.map(({ name }) => shown(name)).join(' or ')}`,
    };
  }
}

/** The variables of a template that are not set or empty, also where others lead to them. */
function causesOf(template: string, variables: Variables, depth: number): readonly Cause[] {
  const found = new Map<string, Cause>();
  for (const name of namesIn(template)) {
    const value = variables.get(name)?.exact;
    if (typeof value === 'string' && isTemplate(value)) {
      if (depth < MAX_DEPTH) for (const cause of causesOf(value, variables, depth + 1)) found.set(cause.name, cause);
    } else if (value === undefined || value === null || (typeof value === 'string' && value.trim() === '')) {
      found.set(name, { name, isSet: variables.has(name) });
    }
  }
  return [...found.values()];
}

/** The names of variables that a template refers to. */
function namesIn(template: string): readonly string[] {
  try {
    return split(template).flatMap((part) => (part.kind === 'verbatim' ? [] : variableNames(part.tokens)));
  } catch (error) {
    if (error instanceof ExpressionError) return [];
    throw error;
  }
}

/** Names that are no attribute, filter, test, function or argument. */
function variableNames(tokens: readonly Token[]): readonly string[] {
  return tokens.flatMap(({ kind, text }, index) => {
    const before = tokens[index - 1]?.text ?? '';
    const after = tokens[index + 1]?.text ?? '';
    const isTest = before === 'is' || (before === 'not' && tokens[index - 2]?.text === 'is');
    const isOther = ['.', '|'].includes(before) || isTest || ['(', '='].includes(after) || WORDS.has(text);
    return kind === 'name' && !isOther ? [text] : [];
  });
}
