/** What may stand in our Markdown as HTML. */
const OUR_TAGS = /<\/?(?:code|details|summary|br)>|^<!-- portfw:(?:plan|rollback) -->$/g;

/** A piece of Markdown without what portfw itself puts there: what is left must be text. */
export function withoutOurMarkup(line: string): string {
  return line.replace(OUR_TAGS, '');
}

/** Text with its entities read. */
export function entitiesRead(text: string): string {
  return text.replace(/&#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)));
}

/** The lines outside fenced blocks, and the contents of the blocks. A fence ends with the same run of backticks at least. */
export function blocksOf(markdown: string): {
  readonly outside: readonly string[];
  readonly inside: readonly string[];
} {
  const outside: string[] = [];
  const inside: string[] = [];
  let fence: string | null = null;
  for (const line of markdown.split('\n')) {
    const run = /^ {0,3}(`{3,})([^`]*)$/.exec(line);
    if (fence === null && run !== null) fence = run[1]!;
    else if (fence !== null && run !== null && run[1]!.length >= fence.length && run[2]!.trim() === '') fence = null;
    else (fence === null ? outside : inside).push(line);
  }
  if (fence !== null) throw new Error('a fence is open at the end');
  return { outside, inside };
}
