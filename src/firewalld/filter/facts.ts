import type { RunningFirewalld } from '../../facts/facts.ts';

/** What decides in a running firewalld besides the objects that it has. */
export type FilterFacts = Pick<
  RunningFirewalld,
  'version' | 'defaultZone' | 'zoneDrifting' | 'files' | 'networkManager'
> & {
  readonly runtime: Pick<RunningFirewalld['runtime'], 'direct'>;
};
