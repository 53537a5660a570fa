import { isDeepStrictEqual } from 'node:util';
import { expect, it } from 'vitest';
import { holds } from '../../../src/core/address-ranges.ts';
import { Evaluator } from '../../../src/kernel/evaluate.ts';
import type { Approach } from '../../../src/kernel/flow.ts';
import { randomFrom } from '../../helpers/seeded-random.ts';
import { certainWay, everyWay, type Packet } from './helpers/naive.ts';
import { BASE, BEHIND, HOST, HOST_TOO, RandomRuleset } from './helpers/random-ruleset.ts';

const CASES = 6000;

function text(address: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => String((address >> shift) & 255n)).join('.');
}

it('treats a set of sources as a packet from each of them', () => {
  const seen = { accepted: 0, refused: 0, away: 0, uncertain: 0 };
  for (let seed = 1; seed <= CASES; seed += 1) {
    const random = randomFrom(seed);
    const made = new RandomRuleset(random);
    const ruleset = made.make();
    const direction = made.pick(['input', 'forward'] as const);
    const destination = direction === 'input' ? HOST : BEHIND;
    const port = made.pick([80, 81, 443]);
    const out = direction === 'input' ? null : made.pick(['eth1', 'eth0', null]);
    const approach: Approach = {
      direction,
      interface: 'eth0',
      outInterface: out,
      family: 'ipv4',
      protocol: 'tcp',
      port,
      sourcePort: null,
      sources: [{ first: BASE, last: BASE + 15n }],
      destination: text(destination),
      state: 'new',
      local: [text(HOST), text(HOST_TOO)],
    };
    const worst = new Evaluator(ruleset).passage(approach, true);
    const best = new Evaluator(ruleset).passage(approach, false);
    for (let source = BASE; source < BASE + 16n; source += 1n) {
      const packet: Packet = {
        source,
        destination,
        port: BigInt(port),
        interface: 'eth0',
        out,
        direction,
        local: [HOST, HOST_TOO],
      };
      const ways = everyWay(ruleset, packet, 500);
      const certain = certainWay(ruleset, packet);
      for (const [found, expected] of [
        [worst, ways],
        [best, [certain]],
      ] as const) {
        if (expected === null) continue;
        const refused = expected.some(({ end }) => end === 'refused');
        const away = expected.some((way) => way.away);
        const arrives = !refused && expected.some((way) => way.away && way.end === 'accepted');
        const wanted = { refused, translated: away && !refused, arrives, accepted: !refused && !away };
        const answer = {
          refused: found.refused.some(({ ranges }) => holds(ranges, source)),
          // Whoever is refused on one way is not followed on the others.
          translated: !refused && found.translated.some(({ ranges }) => holds(ranges, source)),
          arrives: found.translated.some(({ accepted }) => holds(accepted, source)),
          accepted: holds(found.accepted, source),
        };
        if (!isDeepStrictEqual(answer, wanted)) {
          expect({ seed, source: text(source), worst: found === worst, ...answer }).toEqual(wanted);
        }
        seen.accepted += refused || away ? 0 : 1;
        seen.refused += refused ? 1 : 0;
        seen.away += away ? 1 : 0;
      }
      seen.uncertain += ways !== null && ways.length > 1 ? 1 : 0;
    }
  }
  // The rules are of all kinds.
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(CASES);
}, 120_000);
