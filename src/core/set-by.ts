import type { SourceLocation } from './problem.ts';

/** What set a value: a variable, a flag or an option by its name, and its place where that is in a file. */
export interface SetBy {
  readonly name: string;
  readonly location: SourceLocation | null;
}

/** `ansible_user at hosts.yaml:3:7`. */
export function setByText({ name, location }: SetBy): string {
  return location === null ? name : `${name} at ${location.file}:${location.line}:${location.column}`;
}
