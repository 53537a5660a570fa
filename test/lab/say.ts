/** Takes one plain line about a step that the lab takes. */
export type Say = (line: string) => void;

/** Writes the lab's lines to stderr, so that stdout stays for results. */
export const sayOnStderr: Say = (line) => {
  process.stderr.write(`lab: ${line}\n`);
};
