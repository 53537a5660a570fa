import { readSavedFile, type SavedFile } from '../../src/cli/saved-files.ts';
import { type ReviewFlags, showReview } from '../../src/cli/show-review.ts';
import type { Terminal } from '../../src/cli/terminal.ts';
import { reviewOfSaved } from '../../src/report/review-of-saved.ts';
import { createStyle } from '../../src/report/terminal/style.ts';

/** Where the documentation has the plan of the demo, and what is made of it. */
export const EXAMPLES = new URL('../../docs/review/', import.meta.url);
const SAVED = 'change.plan.json';
/** Columns of the texts: what a page of documentation has room for. */
const COLUMNS = 120;

/** The files, and the flags of `portfw show change.plan.json` that print them. */
export const EXAMPLE_FLAGS: Readonly<Record<string, Omit<ReviewFlags, 'verbose'>>> = {
  'plan.txt': {},
  'plan-details.txt': { details: true },
  'plan.html': { format: 'html' },
  'plan.markdown': { format: 'markdown' },
  'plan.json': { format: 'json' },
  'plan.junit.xml': { format: 'junit' },
  'plan.sarif.json': { format: 'sarif' },
};

/** The recorded plan of the demo; its digest is checked. @throws InputError when it was edited */
export function recordedPlan(): Promise<SavedFile> {
  return readSavedFile(new URL(SAVED, EXAMPLES).pathname);
}

/** What `portfw show` prints of a saved plan, without what it says of the file and its signatures. */
export async function exampleOf({ saved }: SavedFile, flags: Omit<ReviewFlags, 'verbose'>): Promise<string> {
  const printed: string[] = [];
  const terminal: Terminal = {
    style: createStyle(false),
    errorStyle: createStyle(false),
    isTty: false,
    interactive: false,
    width: COLUMNS,
    errorWidth: null,
    out: (text) => void printed.push(text),
    error: () => {},
  };
  await showReview(reviewOfSaved(saved), { ...flags, verbose: 0 }, terminal, `portfw show ${SAVED}`);
  return `${printed.join('').trim()}\n`;
}
