import { describe, expect, it } from 'vitest';
import { exitCodeOf } from '../../../src/cli/exit-codes.ts';
import type { HostOutcome } from '../../../src/fleet/events.ts';
import { OUTCOMES } from '../report/helpers/outcomes.ts';

function codeOf(hosts: readonly string[], options: { interrupted?: boolean; detailed?: boolean } = {}): number {
  const outcomes = new Map<string, HostOutcome>(hosts.map((host) => [host, OUTCOMES.get(host)!]));
  const summary = {
    command: 'x',
    outcomes,
    durationMs: 0,
    interrupted: options.interrupted === true,
  };
  return exitCodeOf(summary, options.detailed === true);
}

describe('the exit code', () => {
  it.each([
    [['facts1', 'roles1', 'settled1', 'changed1', 'history1', 'rolled1'], {}, 0],
    [[], {}, 0],
    [['planned1'], {}, 0],
    [['planned1', 'settled1'], { detailed: true }, 2],
    [['settled1'], { detailed: true }, 0],
    [['unsettled1'], {}, 0],
    [['unsettled1'], { detailed: true }, 5],
    [['unsettled2', 'planned1'], { detailed: true }, 5],
    [['unsettled1', 'unreachable1'], { detailed: true }, 3],
    [['unsettled1', 'refused1'], { detailed: true }, 1],
    [['changed1', 'unreachable1'], {}, 3],
    [['planned1', 'unreachable1'], { detailed: true }, 3],
    [['unreachable1', 'failed1'], {}, 1],
    [['unreachable1', 'refused1'], {}, 1],
    [['unreachable1', 'skipped1'], {}, 3],
    [['skipped1'], {}, 1],
    [['changed1', 'reverted1'], {}, 1],
    [['reverted1', 'unreachable1'], {}, 3],
    [['reverted1'], { interrupted: true }, 130],
    [['roles1', 'roles2'], {}, 1],
    [['roles3'], {}, 1],
    [['failed1', 'unreachable1', 'planned1'], { interrupted: true, detailed: true }, 130],
    [['settled1'], { interrupted: true }, 130],
  ])('of %j with %o is %i', (hosts, options, code) => expect(codeOf(hosts, options)).toBe(code));
});
