/**
 * The format of the document that `--format json` prints. Adding a field keeps the format. Removing one, or changing what it
 * means, needs a new number. Plans in it have a format of their own.
 */
export const REVIEW_FORMAT = 1;
