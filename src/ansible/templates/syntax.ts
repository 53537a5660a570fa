import { shown } from '../../core/shown.ts';
import { suggestion } from '../../core/suggest.ts';
import { boundNames, CLOSING, split, syntax, type Token } from './tokens.ts';
import { ExpressionError, PASS_OVER, unquote } from './values.ts';

/**
 * Jinja templates, turned into ones for MiniJinja.
 *
 * MiniJinja parses them, runs their statements and operators, and counts what they cost. Names, what is asked of values
 * (`x.y`, `x[0]`, `x.upper()`), filters and functions become calls back into portfw, so that variables are evaluated only
 * when they are asked for, and have Ansible's meaning. A chain such as `a.b | int` becomes a condition,
 * `__filter("int", __key(__name("a"), "b"), [], {})`: true leaves the chain's value for `__take()`, false means undefined.
 */
export interface Translated {
  /** One expression and nothing around it: its value keeps its kind. All else makes text. */
  readonly kind: 'expression' | 'template';
  readonly code: string;
  /** What a whole expression's text ends with: a block scalar's line feed, which Jinja drops and Ansible puts back. */
  readonly suffix: string;
}

/** What a template may name beyond variables. */
export interface Vocabulary {
  readonly filters: ReadonlySet<string>;
  readonly functions: ReadonlySet<string>;
  readonly tests: ReadonlySet<string>;
}

const OPERATORS = new Set(['+', '-', '*', '/', '//', '%', '**', '~', '==', '!=', '<', '>', '<=', '>=']);
const WORDS = new Set(['and', 'or', 'not', 'in', 'if', 'else', 'is', 'recursive']);
const CONSTANTS: Readonly<Record<string, string>> = {
  true: 'true',
  True: 'true',
  false: 'false',
  False: 'false',
  none: 'none',
  None: 'none',
};
/** Functions that MiniJinja itself has. */
const NATIVE = new Set(['range', 'dict', 'namespace']);
const STATEMENTS = new Set([
  'if',
  'elif',
  'else',
  'endif',
  'for',
  'endfor',
  'set',
  'endset',
  'macro',
  'endmacro',
  'with',
  'endwith',
  'break',
  'continue',
]);
/**
 * Translates a template.
 *
 * @throws ExpressionError saying what is wrong with it
 */
export function translate(source: string, vocabulary: Vocabulary): Translated {
  const parts = split(source);
  const [first, second] = parts;
  const locals = boundNames(parts);
  const isWhole = parts.length === 1 || (parts.length === 2 && second?.kind === 'verbatim' && second.text === '\n');
  if (first?.kind === 'print' && isWhole) {
    const operand = new Translator(first.tokens, locals, vocabulary, false).whole();
    return { kind: 'expression', code: condition(operand), suffix: parts.length === 1 ? '' : '\n' };
  }
  const code = parts.map((part) => {
    if (part.kind === 'verbatim') return part.text;
    const translator = new Translator(part.tokens, locals, vocabulary, part.kind === 'statement');
    const inner = part.kind === 'print' ? `__text(${condition(translator.whole())})` : translator.statement();
    return `${part.open} ${inner} ${part.close}`;
  });
  return { kind: 'template', code: code.join(''), suffix: '' };
}

/** A part of an expression: a condition that leaves a value, or the code of a value itself. */
type Operand = { readonly condition: string } | { readonly value: string };

function condition(operand: Operand): string {
  return 'condition' in operand ? operand.condition : `__put(${operand.value})`;
}

function valueCode(operand: Operand): string {
  return 'value' in operand ? operand.value : `(__take() if ${operand.condition} else __undefined)`;
}

class Translator {
  private at = 0;
  private readonly tokens: readonly Token[];
  private readonly locals: ReadonlySet<string>;
  private readonly vocabulary: Vocabulary;
  private readonly escapes: boolean;

  /** @param escapes whether backslashes in quotes have a meaning: Ansible takes them as they are between `{{` and `}}` */
  constructor(tokens: readonly Token[], locals: ReadonlySet<string>, vocabulary: Vocabulary, escapes: boolean) {
    this.escapes = escapes;
    this.tokens = tokens;
    this.locals = locals;
    this.vocabulary = vocabulary;
  }

  /** All tokens as one expression. */
  whole(): Operand {
    if (this.tokens.length === 0) throw syntax('there is nothing between the braces');
    const operand = this.expression();
    this.end();
    return operand;
  }

  statement(): string {
    const keyword = this.next('a statement').text;
    if (!STATEMENTS.has(keyword)) {
      const message = `the statement ${shown(keyword)} is not supported`;
      throw new ExpressionError(message, 'Statements are if, for, set, with and macro', 'template-unsupported');
    }
    let code = keyword;
    if (keyword === 'macro') return this.verbatim(code);
    if (keyword === 'for' || keyword === 'set') {
      const end = keyword === 'for' ? 'in' : '=';
      while (this.peek() !== undefined && this.peek()!.text !== end) code += ` ${this.next('a name').text}`;
      if (this.peek() !== undefined) code += ` ${this.next(end).text} `;
    }
    if (keyword === 'with') code += ` ${this.next('a name').text} ${this.expect('=')} `;
    while (this.peek() !== undefined) {
      code += ` ${valueCode(this.expression())}`;
      if (this.takes(',')) code += keyword === 'with' ? `, ${this.next('a name').text} ${this.expect('=')}` : ',';
    }
    return code;
  }

  private verbatim(start: string): string {
    let code = start;
    while (this.peek() !== undefined) code += ` ${literal(this.next('a token'))}`;
    return code;
  }

  /** Up to the end, a closing bracket, a comma or a colon. */
  private expression(): Operand {
    let code = '';
    let only: Operand | null = null;
    let complete = false;
    for (let count = 0; ; count += 1) {
      const token = this.peek();
      if (token === undefined || /^(?:[)\]},:]|=)$/.test(token.text)) {
        if (count === 0)
          throw syntax(
            token === undefined ? 'the expression ends too early' : `"${token.text}" is where a value should be`,
          );
        return only ?? { value: code };
      }
      if (token.kind === 'mark' && OPERATORS.has(token.text) && (complete || !/^[-+]$/.test(token.text))) {
        code += ` ${this.next('').text} `;
        only = null;
        complete = false;
      } else if (token.kind === 'name' && WORDS.has(token.text)) {
        code += ` ${this.next('').text} `;
        if (token.text === 'is') code += this.test();
        only = null;
        complete = false;
      } else {
        if (complete) throw syntax(`"${token.text}" follows a value without an operator`);
        complete = true;
        const operand = this.operand();
        only = count === 0 ? operand : null;
        code += valueCode(operand);
      }
    }
  }

  /** The name of a test after `is`; its argument is an ordinary value. */
  private test(): string {
    const negated = this.takes('not') ? 'not ' : '';
    const name = this.dottedName('a test');
    if (!this.vocabulary.tests.has(name)) {
      const message = `the test ${shown(name)} is not known`;
      throw new ExpressionError(message, suggestion(name, this.vocabulary.tests, 'tests'), 'template-unknown-test');
    }
    if (this.peek()?.text !== '(') return `${negated}${name} `;
    const { positional, named } = this.arguments();
    return `${negated}${name}(${[...positional, ...named.map(([key, value]) => `${key}=${value}`)].join(', ')}) `;
  }

  /** A value with all that is asked of it and done with it; a sign before it comes before the filters. */
  private operand(): Operand {
    let operand = this.signed();
    for (;;) {
      if (this.takes('|')) operand = this.filtered(operand);
      else if (this.peek()?.text === '%' && isText(operand)) operand = this.formatted(operand);
      else return operand;
    }
  }

  private signed(): Operand {
    for (const sign of ['-', '+'])
      if (this.takes(sign)) return { value: `(${sign === '-' ? '-' : '0+'}${valueCode(this.signed())})` };
    return this.postfixed();
  }

  private filtered(operand: Operand): Operand {
    const name = this.dottedName('a filter');
    if (!this.vocabulary.filters.has(name)) {
      const message = `the filter ${shown(name)} is not known`;
      throw new ExpressionError(
        message,
        suggestion(name, this.vocabulary.filters, 'filters'),
        'template-unknown-filter',
      );
    }
    const { positional, named } = this.peek()?.text === '(' ? this.passed() : { positional: [], named: [] };
    // What is undefined cannot be in a list here, so what would be taken out of it next is never put in.
    if (name === 'map' && this.keepsDefined()) named.push([PASS_OVER, 'true']);
    return { condition: `__filter(${text(name)}, ${condition(operand)}, ${callCode(positional, named)})` };
  }

  /** Whether `| select('defined')` comes next. */
  private keepsDefined(): boolean {
    const [bar, filter, open, test, close] = this.tokens.slice(this.at, this.at + 5);
    return (
      [bar, filter, open, close].map((token) => token?.text).join(' ') === '| select ( )' &&
      /^["']defined["']$/.test(test?.text ?? '')
    );
  }

  /** `'…%s…' % value`: what is in parentheses with a comma are several values. */
  private formatted(operand: { readonly value: string }): Operand {
    this.expect('%');
    const isTuple = this.peek()?.text === '(';
    const right = this.signed();
    const several = isTuple && 'value' in right && right.value.startsWith('[');
    let last = right;
    while (this.takes('|')) last = this.filtered(last);
    const given = several && last === right ? right.value : `[${valueCode(last)}]`;
    return { condition: `__filter("format", ${condition(operand)}, ${given}, {})` };
  }

  private postfixed(): Operand {
    let operand = this.primary();
    for (;;) {
      if (this.takes('.')) {
        const token = this.next('a name');
        if (token.kind === 'number') operand = { condition: `__key(${condition(operand)}, ${Number(token.text)})` };
        else if (token.kind !== 'name') throw syntax(`"${token.text}" is where a name should be`);
        else if (this.peek()?.text === '(')
          operand = { condition: `__method(${text(token.text)}, ${condition(operand)}, ${this.call()})` };
        else
          operand = this.native(operand)
            ? { value: `${operand.value}.${token.text}` }
            : { condition: `__key(${condition(operand)}, ${text(token.text)})` };
      } else if (this.peek()?.text === '[') operand = this.subscript(operand);
      else return operand;
    }
  }

  /** Whether it is one of the template's own names, such as `loop`, or a part of it. */
  private native(operand: Operand): operand is { readonly value: string } {
    return 'value' in operand && this.locals.has(/^\w+/.exec(operand.value)?.[0] ?? '');
  }

  private primary(): Operand {
    const token = this.next('a value');
    if (token.kind === 'number') return { value: literal(token) };
    if (token.kind === 'string') {
      let joined = unquote(token.text, this.escapes);
      while (this.peek()?.kind === 'string') joined += unquote(this.next('').text, this.escapes);
      return { value: text(joined) };
    }
    if (token.kind === 'name') return this.name(token.text);
    if (token.text === '(' || token.text === '[') {
      const end = CLOSING[token.text]!;
      const items: string[] = [];
      let comma = false;
      while (!this.takes(end)) {
        items.push(valueCode(this.expression()));
        if (this.takes(',')) comma = true;
        else if (this.peek()?.text !== end)
          throw syntax(`"${this.peek()?.text ?? 'the end'}" is where "${end}" should be`);
      }
      if (token.text === '(' && !comma && items.length === 1) return { value: `(${items[0]})` };
      return { value: `[${items.join(', ')}]` };
    }
    if (token.text === '{') {
      const entries: string[] = [];
      while (!this.takes('}')) {
        const key = valueCode(this.expression());
        this.expect(':');
        entries.push(`${key}: ${valueCode(this.expression())}`);
        if (!this.takes(',') && this.peek()?.text !== '}') throw syntax('a mapping is not closed');
      }
      return { value: `{${entries.join(', ')}}` };
    }
    throw syntax(`"${token.text}" is where a value should be`);
  }

  private name(name: string): Operand {
    if (Object.hasOwn(CONSTANTS, name)) return { value: CONSTANTS[name]! };
    const isCall = this.peek()?.text === '(';
    if (this.locals.has(name) || (isCall && NATIVE.has(name))) {
      if (!isCall) return { value: name };
      const { positional, named } = this.arguments();
      return { value: `${name}(${[...positional, ...named.map(([key, value]) => `${key}=${value}`)].join(', ')})` };
    }
    if (!isCall) return { condition: `__name(${text(name)})` };
    if (!this.vocabulary.functions.has(name)) {
      const known = [...this.vocabulary.functions, ...NATIVE];
      throw new ExpressionError(
        `the function ${shown(name)} is not known`,
        suggestion(name, known, 'functions'),
        'template-unknown-function',
      );
    }
    return { condition: `__call(${text(name)}, ${this.call()})` };
  }

  private subscript(operand: Operand): Operand {
    this.expect('[');
    const parts: (string | null)[] = [];
    let colons = 0;
    let current: string | null = null;
    while (!this.takes(']')) {
      if (this.takes(':')) {
        parts.push(current);
        current = null;
        colons += 1;
      } else {
        current = valueCode(this.expression());
        if (this.peek()?.text === ',') throw syntax('there is a comma in a subscript');
      }
    }
    parts.push(current);
    if (colons === 0) {
      if (current === null) throw syntax('"[]" holds no key');
      return this.native(operand)
        ? { value: `${operand.value}[${current}]` }
        : { condition: `__key(${condition(operand)}, ${current})` };
    }
    if (colons > 2) throw syntax('a slice has more than two colons');
    const [start = null, stop = null, step = null] = parts;
    return { condition: `__slice(${condition(operand)}, ${start ?? 'none'}, ${stop ?? 'none'}, ${step ?? 'none'})` };
  }

  /** The arguments in parentheses as a list and a mapping: a call back cannot tell a last mapping from named ones. */
  private call(): string {
    const { positional, named } = this.passed();
    return callCode(positional, named);
  }

  /** A chain is handed on by reference: it is not copied through MiniJinja, and may be undefined. */
  private passed(): { positional: string[]; named: [string, string][] } {
    return this.arguments((operand) => ('value' in operand ? operand.value : `__reference(${operand.condition})`));
  }

  private arguments(pass = valueCode): { positional: string[]; named: [string, string][] } {
    this.expect('(');
    const positional: string[] = [];
    const named: [string, string][] = [];
    while (!this.takes(')')) {
      const token = this.peek();
      if (token?.text === '*' || token?.text === '**') {
        throw new ExpressionError(
          `"${token.text}" before an argument is not supported`,
          'Write the arguments out',
          'template-unsupported',
        );
      }
      if (token?.kind === 'name' && this.tokens[this.at + 1]?.text === '=') {
        this.at += 2;
        named.push([token.text, pass(this.expression())]);
      } else positional.push(pass(this.expression()));
      if (!this.takes(',') && this.peek()?.text !== ')') throw syntax('the arguments are not closed');
    }
    return { positional, named };
  }

  /** The last part of a name with dots: `ansible.utils.ipaddr` is `ipaddr`. */
  private dottedName(what: string): string {
    let token = this.next(what);
    while (token.kind === 'name' && this.takes('.')) token = this.next(what);
    if (token.kind !== 'name') throw syntax(`"${token.text}" is where the name of ${what} should be`);
    return token.text;
  }

  private peek(): Token | undefined {
    return this.tokens[this.at];
  }

  private next(what: string): Token {
    const token = this.tokens[this.at];
    if (token === undefined) throw syntax(`the expression ends where ${what} should be`);
    this.at += 1;
    return token;
  }

  private takes(mark: string): boolean {
    const token = this.tokens[this.at];
    if (token?.text !== mark || token.kind === 'string') return false;
    this.at += 1;
    return true;
  }

  private expect(mark: string): string {
    if (!this.takes(mark)) throw syntax(`"${mark}" is missing`);
    return mark;
  }

  private end(): void {
    const token = this.peek();
    if (token !== undefined) throw syntax(`"${token.text}" is where the expression should end`);
  }
}

function literal(token: Token): string {
  if (token.kind === 'string') return text(unquote(token.text, true));
  if (token.kind !== 'number') return token.text;
  const digits = token.text.replaceAll('_', '');
  // As it is written: a number that JavaScript cannot hold stays what it is.
  return /^0[xXoObB]/.test(digits) ? String(BigInt(digits)) : digits.replace(/^0+(?=\d)/, '');
}

function callCode(positional: readonly string[], named: readonly (readonly [string, string])[]): string {
  return `[${positional.join(', ')}], {${named.map(([key, value]) => `${text(key)}: ${value}`).join(', ')}}`;
}

/** Whether an operand is text in quotes. */
function isText(operand: Operand): operand is { readonly value: string } {
  return 'value' in operand && operand.value.startsWith('"');
}

/** Text as a string of MiniJinja's. */
function text(value: string): string {
  return JSON.stringify(value);
}
