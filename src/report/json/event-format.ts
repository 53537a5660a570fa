/**
 * The format of the events that `--json` prints. Within one format fields and kinds may be added; whatever goes, or means
 * something else, makes a new one.
 */
export const EVENT_FORMAT = 1;
