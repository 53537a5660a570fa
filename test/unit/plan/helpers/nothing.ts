import type { RunningFirewalld } from '../../../../src/facts/facts.ts';
import { type OurLayer, perOurKind } from '../../../../src/firewalld/kinds/kinds.ts';
import { stockFirewalld } from '../../../../src/firewalld/offline.ts';
import { type DesiredFirewalld, withoutReasons } from '../../../../src/policy/desired.ts';

/** A desired configuration without objects, of whatever kinds there are. */
export const NOTHING_DESIRED: DesiredFirewalld = withoutReasons(perOurKind<OurLayer>(() => new Map()));

/** What a host tells of a firewalld in which nothing runs. */
export const NOTHING_RUNS: RunningFirewalld['runtime'] = stockFirewalld().runtime;
