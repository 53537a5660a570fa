import type { RunningFirewalld } from '../../facts/facts.ts';

/** What of a running firewalld decides, beside its zones, services and ipsets. */
export type FilterFacts = Pick<
  RunningFirewalld,
  'version' | 'defaultZone' | 'zoneDrifting' | 'files' | 'networkManager'
> & {
  readonly runtime: Pick<RunningFirewalld['runtime'], 'direct'>;
};
