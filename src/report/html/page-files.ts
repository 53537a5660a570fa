import { readFileSync } from 'node:fs';

let files: { readonly style: string; readonly script: string } | undefined;

/** The style sheet and the script of the page; both are files, so that they can be read and checked as what they are. */
export function pageFiles(): { readonly style: string; readonly script: string } {
  const text = (name: string): string => readFileSync(new URL(`page/${name}`, import.meta.url), 'utf8');
  files ??= { style: text('review.css'), script: text('review.js') };
  return files;
}
