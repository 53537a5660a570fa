import { describe, expect, it } from 'vitest';
import { filtersOf } from '../../../src/plan/before-and-after.ts';
import { lockout } from '../../../src/plan/lockout/lockout.ts';
import type { LockoutVerdict } from '../../../src/plan/lockout/lockout-types.ts';
import type { Dialled, WayFacts } from '../../../src/plan/lockout/proof-ways.ts';
import { trialsOf } from '../../../src/plan/lockout/trials.ts';
import { waysOf } from '../../../src/plan/lockout/ways.ts';
import type { RehearsedName, TrialResult } from '../../../src/plan/rehearsal.ts';
import { kernelsOf } from '../../../src/plan/rehearsed-kernels.ts';
import { fixture } from '../kernel/helpers/asking.ts';
import { from, INTERFACES, layer, PUBLIC_OPEN } from './helpers/proof-case.ts';

const VERSIONS = ['0.9.3', '1.3.3', '2.3.1'] as const;

const FACTS: WayFacts = {
  controllerPath: { clientAddress: '203.0.113.7', clientPort: 40000, serverAddress: '192.0.2.10', serverPort: 22 },
  interfaces: INTERFACES,
};

/** The rules of firewalld as it is packaged, as the kernel lists them, changed as a text. */
type Edit = (rules: string) => string;
const AS_IS: Edit = (rules) => rules;
/** Without the rules that accept port 22. */
const SHUT: Edit = (text) => {
  const document = JSON.parse(text) as { nftables: { rule?: { expr: unknown } }[] };
  const kept = document.nftables.filter(
    ({ rule }) => rule === undefined || !/"dport"\}\},"right":22\}/.test(JSON.stringify(rule.expr)),
  );
  if (kept.length === document.nftables.length) throw new Error('no rule accepts port 22');
  return JSON.stringify({ nftables: kept });
};
/** With an expression that nobody knows before everything else. */
const STRANGE: Edit = (text) => {
  const document = JSON.parse(text) as { nftables: { rule?: { chain: string } }[] };
  const at = document.nftables.findIndex(({ rule }) => rule?.chain === 'filter_INPUT');
  const { rule } = document.nftables[at]!;
  document.nftables.splice(at, 0, { rule: { ...rule!, expr: [{ moonphase: 'full' }, { drop: null }] } as never });
  return JSON.stringify(document);
};

const NAMES = ['disk', 'reload', 'running', 'boot'] as const;

interface Given {
  readonly version?: (typeof VERSIONS)[number];
  readonly rules?: Partial<Record<'now' | RehearsedName, Edit>>;
  /** What the packets of all ways said, by state; they got in where nothing is said. */
  readonly packets?: Partial<Record<RehearsedName, TrialResult>>;
  readonly dialled?: Dialled;
  readonly management?: readonly string[];
  readonly reload?: boolean;
}

/** The proof of a plan whose rules and packets are these, whatever firewalld's configuration says. */
function proved({
  version = '1.3.3',
  rules = {},
  packets = {},
  dialled,
  management = [],
  reload = false,
}: Given): LockoutVerdict {
  const { ways } = waysOf(FACTS, from(...management), dialled ?? null);
  const trials = trialsOf(ways);
  const text = (name: 'now' | RehearsedName) => ({
    nft: (rules[name] ?? AS_IS)(fixture(`firewalld-${version}.json`)),
    save4: '',
    save6: '',
    ipsets: '',
  });
  const rehearsal = {
    kind: 'rehearsed',
    now: text('now'),
    ways: trials.ways,
    states: NAMES.filter((name) => reload || name !== 'reload').map((name) => ({
      name,
      loads: true as const,
      seconds: 0.2,
      modules: [],
      lost: [],
      said: [],
      failed: [],
      rules: text(name),
      packets: trials.ways.map(() => packets[name] ?? 'open'),
    })),
  } as const;
  const config = layer(PUBLIC_OPEN);
  const firewalld = {
    version,
    defaultZone: 'public',
    zoneDrifting: false,
    files: [],
    networkManager: [],
    runtime: { direct: [] },
  };
  const outcome = { runtime: config, permanent: config };
  const observed = { ...outcome, zoneFiles: new Set<string>(), zoneFolders: new Map(), broken: [] };
  const kernels = kernelsOf(rehearsal, FACTS);
  return lockout({
    facts: FACTS,
    firewalld,
    filters: filtersOf({ firewalld, observed, outcome, kernels }),
    outcome,
    reload,
    changes: true,
    ways,
    trials,
    rehearsal,
    kernels,
  });
}

describe('the packets that are sent', () => {
  it('are those of every way that there is room for', () => {
    const [eth0] = INTERFACES.filter(({ name }) => name === 'eth0');
    const addresses = Array.from({ length: 80 }, (_, index) => ({
      address: `192.0.2.${index + 10}`,
      prefix: 24,
      family: 'ipv4' as const,
    }));
    const six = eth0!.addresses.filter(({ family }) => family === 'ipv6');
    const facts: WayFacts = { controllerPath: null, interfaces: [{ ...eth0!, addresses: [...addresses, ...six] }] };
    const { ways } = waysOf(facts, from('192.0.2.200', '2001:db8::99'), null);
    expect(trialsOf(ways).ways.map(({ source }) => source)).toEqual(['2001:db8::99']);
  });
});

describe.each(VERSIONS)('the proof with the rules of firewalld %s', (version) => {
  it('refuses no plan that lets somebody in for the first time, though a rollback would shut him out again', () => {
    const shut = { packets: { disk: 'silent' }, management: ['203.0.113.77'], reload: true } as const;
    const first = proved({ version, rules: { now: SHUT, disk: SHUT, reload: SHUT }, ...shut });
    expect(first.refusals).toEqual([]);
    expect(first.notes.map(({ code }) => code)).not.toContain('shut-for-a-moment');
    const lost = proved({ version, rules: { disk: SHUT }, ...shut }).refusals.map(({ what }) => what);
    expect(lost.filter((text) => text.includes('203.0.113.77'))).toEqual([expect.stringContaining('after a rollback')]);
  });

  it('says nothing where the rules and the packets let SSH in', () => {
    expect(proved({ version })).toMatchObject({ refusals: [], notes: [] });
  });

  it('is made of the rules, and not of the configuration', () => {
    const { refusals } = proved({ version, rules: { running: SHUT, boot: SHUT }, packets: { running: 'refused' } });
    expect(refusals).toHaveLength(1);
    expect(refusals[0]!.what).toMatch(
      /zone public would not let SSH in again: 203\.0\.113\.7 to 192\.0\.2\.10 port 22\/tcp on eth0/,
    );
    expect(refusals[0]!.what).toContain('in the rehearsal a real packet from 203.0.113.7 was refused');
  });

  it('tells the next boot from what runs', () => {
    const { refusals } = proved({ version, rules: { boot: SHUT }, packets: { boot: 'silent' } });
    expect(refusals.map(({ what }) => what)).toEqual([expect.stringContaining('after a reload or reboot')]);
  });

  it('names what it does not understand', () => {
    const { refusals, notes } = proved({
      version,
      rules: { now: STRANGE, disk: STRANGE, running: STRANGE, boot: STRANGE },
    });
    expect(refusals).toEqual([]);
    expect(notes.map(({ code, text }) => `${code}: ${text}`)).toContainEqual(
      expect.stringMatching(/^rules-unknown: .*moonphase/),
    );
  });

  it('refuses what it does not understand where the plan brings it', () => {
    const { refusals } = proved({ version, rules: { running: STRANGE, boot: STRANGE } });
    expect(refusals.map(({ code }) => code)).toEqual(['lockout']);
  });
});

describe('packets', () => {
  it('that do not get in though no rule says so are a refusal where they got in in another state', () => {
    const { refusals } = proved({ packets: { running: 'silent' } });
    expect(refusals.map(({ what }) => what)).toEqual([
      expect.stringMatching(/no known rule explains it.*was not answered/),
    ]);
  });

  it('that never got in are a note: the trial may be at fault', () => {
    const { refusals, notes } = proved({ packets: { disk: 'silent', running: 'silent', boot: 'silent' } });
    expect(refusals).toEqual([]);
    expect(new Set(notes.map(({ code }) => code))).toEqual(new Set(['trial-failed']));
  });

  it('of one address that got in win over a rule that was read wrongly', () => {
    expect(proved({ rules: { running: SHUT, boot: SHUT } }).refusals).toEqual([]);
  });

  it('of a network say nothing of its other addresses', () => {
    const { refusals } = proved({ rules: { running: SHUT }, management: ['203.0.113.0/24'] });
    expect(refusals.map(({ what }) => what)).toEqual([expect.stringContaining('203.0.113.0/24')]);
  });

  it('are sent to what was dialled as well', () => {
    const { ways } = waysOf(FACTS, [], { address: '192.0.2.10', port: 2222 });
    expect(trialsOf(ways).ways.map(({ destination, port }) => `${destination} ${port}`)).toEqual([
      '192.0.2.10 22',
      '192.0.2.10 2222',
    ]);
  });
});

describe('trials', () => {
  const trials = (...management: readonly string[]) => {
    const facts = { ...FACTS, controllerPath: null, routeTable: undefined };
    return trialsOf(waysOf({ interfaces: facts.interfaces, controllerPath: null }, from(...management), null).ways)
      .ways;
  };

  it('take both ends of a network, and no address that is none of a machine', () => {
    expect(new Set(trials('203.0.113.0/24').map(({ source }) => source))).toEqual(
      new Set(['203.0.113.1', '203.0.113.254']),
    );
    expect(trials('192.0.2.64/32').map(({ source }) => source)).toEqual(['192.0.2.64']);
    for (const { source } of trials('0.0.0.0/0')) expect(source).not.toMatch(/^(0|127|22[4-9]|2[3-5]\d)\./);
  });

  it('are no more than a host answers in a moment', () => {
    const many = Array.from({ length: 200 }, (_, index) => `192.0.2.${index + 20}`);
    expect(trials(...many).length).toBeLessThanOrEqual(64);
  });
});
