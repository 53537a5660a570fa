import { readFileSync } from 'node:fs';
import path from 'node:path';
import { EVERY_ADDRESS, holds } from '../../../../src/core/address-ranges.ts';
import { parseAddress } from '../../../../src/core/addresses.ts';
import { Evaluator, type Passage } from '../../../../src/kernel/evaluate.ts';
import type { Approach } from '../../../../src/kernel/flow.ts';
import type { Ruleset } from '../../../../src/kernel/ruleset.ts';

export function fixture(name: string): string {
  return readFileSync(path.join(import.meta.dirname, '../../../fixtures/kernel', name), 'utf8');
}

/** New TCP flows from anywhere to 198.51.100.1 on eth0, apart from what is given. */
export function ask(rules: Ruleset | Evaluator, given: Partial<Approach> = {}, worst = true): Passage {
  const family = given.family ?? 'ipv4';
  return (rules instanceof Evaluator ? rules : new Evaluator(rules)).passage(
    {
      direction: 'input',
      interface: 'eth0',
      outInterface: null,
      family,
      protocol: 'tcp',
      port: 22,
      sourcePort: null,
      sources: EVERY_ADDRESS[family],
      destination: family === 'ipv4' ? '198.51.100.1' : '2001:db8::1',
      state: 'new',
      local: ['198.51.100.1', '2001:db8::1'],
      ...given,
    },
    worst,
  );
}

/** What becomes of one source: `accept`, `drop`, `reject`, or where it is sent. */
export function verdict(found: Passage, source: string): string {
  const address = parseAddress(source)!.first;
  const away = found.translated.find(({ ranges }) => holds(ranges, address));
  const refusal = found.refused.find(({ ranges }) => holds(ranges, address));
  const end = refusal?.verdict ?? (away === undefined || holds(away.accepted, address) ? 'accept' : 'lost');
  if (away !== undefined) return `to ${away.destination.join()} ${away.port}: ${end}`;
  return holds(found.accepted, address) === (refusal === undefined) ? end : 'contradiction';
}
