/**
 * The format of the events that `--json` prints. Adding a field or a kind keeps the format. Removing one, or changing what it
 * means, needs a new number.
 */
export const EVENT_FORMAT = 1;
