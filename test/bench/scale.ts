import { parseFacts } from '../../src/facts/parse-facts.ts';
import { observedFirewalld } from '../../src/firewalld/observed.ts';
import { filtersOf } from '../../src/plan/before-and-after.ts';
import { lockout } from '../../src/plan/lockout/lockout.ts';
import { waysOf } from '../../src/plan/lockout/ways.ts';
import { buildDesired } from '../../src/policy/build-desired.ts';
import { jsonLine } from '../../src/report/json/json-line.ts';
import { plansText } from '../../src/report/terminal/plan-text.ts';
import { PLAIN_STYLE } from '../../src/report/terminal/style.ts';
import { hostPeers } from '../../src/settings/addresses-of-hosts.ts';
import { makePlan } from '../helpers/make-plan.ts';
import { decidedFromFacts } from '../unit/decide/helpers/decided.ts';
import { type BigHost, bigHost, type Size, SMALL } from '../unit/scale/helpers/big-host.ts';

const WORLDS: Readonly<Record<string, Partial<Size>>> = {
  'entries 100,000, as they are': { entries: 100_000 },
  'entries 100,000, half of them new': { entries: 100_000, changed: 50_000 },
  'foreign entries 100,000': { foreign: 100_000, changed: 1 },
  'rich rules 5,000': { rules: 5_000, changed: 1 },
  'sockets 10,000': { sockets: 10_000, changed: 1 },
  'flows 4,000': { flows: 4_000, changed: 1 },
  'interfaces 500': { interfaces: 500, changed: 1 },
  'zones 500': { interfaces: 500, zones: 500, changed: 1 },
};

function timed<T>(row: Record<string, number>, stage: string, work: () => T): T {
  const before = process.cpuUsage();
  const result = work();
  const { user, system } = process.cpuUsage(before);
  row[stage] = Math.round((user + system) / 1000);
  return result;
}

function measure({ text, job, play, context }: BigHost): Record<string, number> {
  const row: Record<string, number> = {};
  const parsed = timed(row, 'parse facts', () => parseFacts(text));
  if (parsed.kind === 'unreadable') throw new Error(parsed.why);
  const { facts } = parsed;
  if (facts.firewalld.kind !== 'running') throw new Error('firewalld does not run');
  const { firewalld } = facts;
  const observed = timed(row, 'observe', () => observedFirewalld(firewalld));
  const peers = timed(row, 'peers', () => hostPeers(job.settings, context.inventory, context.settings));
  const outcome = timed(row, 'desire', () =>
    buildDesired({
      matrix: play.matrix,
      roles: ['proxy'],
      settings: job.settings,
      facts,
      firewalld,
      privateMode: 'trusted',
      features: new Set(),
      peers,
      today: context.today,
    }),
  );
  if (outcome.kind === 'refused') throw new Error(JSON.stringify(outcome.refusals));
  const { desired } = outcome;
  const common = { facts: firewalld, observed, desired };
  const { plan, outcome: result } = timed(row, 'plan', () =>
    makePlan({ ...common, host: job.host, matrix: 'x', roles: [], remembered: null, notes: [], live: facts }),
  );
  timed(row, 'lockout', () =>
    lockout({
      facts,
      firewalld,
      filters: filtersOf({ firewalld, observed, outcome: result, kernels: null }),
      outcome: result,
      reload: false,
      changes: true,
      ways: waysOf(facts, [], null).ways,
      trials: { ways: [], samples: [] },
      rehearsal: null,
      kernels: null,
    }),
  );
  timed(row, 'text', () => plansText([plan], { style: PLAIN_STYLE, verbosity: 0 }));
  timed(row, 'json', () => jsonLine({ kind: 'x', plan }));
  timed(row, 'facts json', () => jsonLine(facts));
  const decided = timed(row, 'decide, all', () => decidedFromFacts(job, play, facts, context));
  if (decided.kind === 'refused') throw new Error(JSON.stringify(decided.failure));
  return row;
}

const only = process.argv[2];
const rows: Record<string, Record<string, number>> = {};
measure(bigHost(SMALL));
for (const [name, size] of Object.entries(WORLDS)) {
  if (only !== undefined && !name.includes(only)) continue;
  rows[name] = measure(bigHost({ ...SMALL, ...size }));
}
console.table(rows);
