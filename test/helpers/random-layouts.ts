import { randomFrom } from './seeded-random.ts';

/**
 * YAML documents whose texts in quotes and brackets are laid out at random, as a person could type them: their lines begin at any
 * column, with tabs, empty lines and comments between. Every third one has a mistake.
 */
export function randomLayouts(count: number, seed: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => {
    const layout = new Layout(randomFrom(seed + index));
    return hasMistake(index) ? layout.withMistake() : layout.document();
  });
}

/** Whether the document at an index has a mistake. */
export function hasMistake(index: number): boolean {
  return index % 3 === 2;
}

const WORDS = ['a', 'word', 'two words', '12', '-', '-x', 'yes', 'http://192.0.2.1/x', '0x1f', 'é', 'a#b', "it's", '~'];
const QUOTED = [
  '',
  'a',
  '{{ x }}',
  '# no comment',
  'a: b',
  '[c',
  '}',
  '-',
  '---x',
  'two  blanks',
  '- d',
  'x\u2028y',
  '...y',
];
const KEYS = ['k', 'key', 'two words', '"q"', "'s'", 'k-1'];
const MISTAKES = [
  ']',
  '}',
  '"',
  "'",
  ',',
  ':',
  '\n',
  '\t',
  '---\n',
  '\n--- ',
  '\n... ',
  '#',
  ' # c\n',
  '[',
  '{',
  '- ',
  '? ',
];

class Layout {
  readonly #random: () => number;
  #anchors = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  document(): string {
    const start = this.#one(['', '', '', '---\n', '# c\n', '%YAML 1.1\n---\n', '\ufeff', '\n']);
    const end = this.#one(['\n', '\n', '', '\n...\n', ' # c\n', '\n\n']);
    const text = `${start}${this.#chance(0.2) ? this.#flow(0) : this.#block(0)}${end}`;
    return this.#chance(0.15) ? text.replaceAll('\n', '\r\n') : text;
  }

  /** A document with a piece left out, put in, or moved to another place. */
  withMistake(): string {
    const text = this.document();
    const at = this.#below(text.length + 1);
    const length = this.#chance(0.6) ? 1 : this.#below(8);
    const put = this.#chance(0.4) ? '' : this.#one(MISTAKES);
    return text.slice(0, at) + put + text.slice(at + (this.#chance(0.5) ? length : 0));
  }

  #block(indent: number): string {
    const deeper = indent < 4;
    const list = this.#chance(0.3);
    const items = Array.from({ length: 1 + this.#below(3) }, (_, index) => {
      const key = list ? '-' : `${this.#key(index)}:`;
      const nested = deeper && this.#chance(0.3);
      if (nested && list) return `- ${this.#block(indent + 2).trimStart()}`;
      if (nested) return `${key}\n${' '.repeat(indent + 2)}${this.#block(indent + 2).trimStart()}`;
      const gap = list ? ' ' : this.#one([' ', ' ', '  ', '\t', ' \t']);
      const after = this.#one(['', '', ' # c', '\t# c', '# c', '#']);
      return `${key}${gap}${this.#blockValue(indent, after)}`;
    });
    return items.join(`\n${this.#chance(0.2) ? '\n' : ''}${' '.repeat(indent)}`);
  }

  #blockValue(indent: number, after: string): string {
    const kind = this.#random();
    if (kind < 0.4) return this.#flow(0) + after;
    if (kind < 0.75) return this.#quoted(true) + after;
    if (kind < 0.85)
      return `${this.#one(['|', '>', '|-', '>+'])}\n${' '.repeat(indent + 2)}- [x\n\n${' '.repeat(indent + 3)}"y`;
    return this.#one(['word', 'two words', '12', '']);
  }

  /** A list or mapping in brackets. */
  #flow(depth: number): string {
    const list = this.#chance(0.5);
    const length = this.#below(4);
    const parts = Array.from({ length }, (_, index) => (list ? this.#value(depth) : this.#entry(depth, index)));
    const last = length > 0 && this.#chance(0.2) ? `,${this.#gap()}` : '';
    const comma = (): string => `${this.#gap()},${this.#gap()}`;
    let text = this.#gap();
    for (const [index, part] of parts.entries()) text += `${index > 0 ? comma() : ''}${part}`;
    text += `${this.#gap()}${last}`;
    return list ? `[${text}]` : `{${text}}`;
  }

  #entry(depth: number, index: number): string {
    const key = this.#key(index);
    const kind = this.#random();
    if (kind < 0.1) return `${key} `;
    if (kind < 0.2) return `?${this.#one([' ', '\n', '\t'])}${key}${this.#gap()} : ${this.#value(depth)}`;
    if (kind < 0.3 && /["']$/.test(key)) return `${key}:${this.#value(depth)}`;
    return `${key}${this.#one(['', '', ' ', '\t'])}:${this.#one([' ', ' ', '\n', '\t', ' # c\n', '\n\n\t'])}${this.#value(depth)}`;
  }

  #key(index: number): string {
    return this.#one(KEYS).replace(/^(["']?)./, `$1k${index}`);
  }

  #value(depth: number): string {
    const kind = this.#random();
    if (depth < 3 && kind < 0.25) return this.#flow(depth + 1);
    if (kind < 0.55) return this.#quoted(true);
    if (kind < 0.6) {
      this.#anchors += 1;
      return `&a${this.#anchors} ${this.#one(['x', '"y"', '[z]'])}`;
    }
    if (kind < 0.65 && this.#anchors > 0) return `*a${1 + this.#below(this.#anchors)} `;
    if (kind < 0.7) return `!!str ${this.#one(['x', '"y"', '12'])}`;
    if (kind < 0.75) return `${this.#one(['a', 'b'])}${this.#break()}${this.#one(['c', '-d', '#e'])}`;
    return this.#one(WORDS);
  }

  #quoted(lines: boolean): string {
    const quote = this.#one(['"', "'"]);
    const count = lines ? 1 + this.#below(3) : 1;
    let text = this.#one(QUOTED);
    for (let line = 1; line < count; line += 1) {
      const atEnd = quote === '"' && this.#chance(0.2) ? this.#one(['\\', ' \\', '\\\\', '\\t']) : '';
      text += `${atEnd}${this.#break()}${this.#one(QUOTED)}`;
    }
    const escaped = quote === '"' && this.#chance(0.2) ? this.#one(['\\"', '\\u00e9', '\\N', '\\ ']) : '';
    return `${quote}${text}${escaped}${quote}`;
  }

  /** Blanks, or line ends and comments. */
  #gap(): string {
    const kind = this.#random();
    if (kind < 0.35) return '';
    if (kind < 0.5) return this.#one([' ', '\t', '  ', ' \t']);
    if (kind < 0.65) return `${this.#one([' ', '\t', '\n'])}# c ] } "${this.#break()}`;
    return this.#break();
  }

  /** One line end or several, and where the next line begins. */
  #break(): string {
    const before = this.#one(['', '', ' ', '\t']);
    const empty = this.#chance(0.2) ? this.#one(['\n', ' \n', '\t\n', '\n\n']) : '';
    return `${before}\n${empty}${this.#one(['', '', '', ' ', '  ', '    ', '\t', ' \t', '\t\t '])}`;
  }

  #chance(share: number): boolean {
    return this.#random() < share;
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #one<T>(items: readonly T[]): T {
    return items[this.#below(items.length)]!;
  }
}
