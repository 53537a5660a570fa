import { expect, it } from 'vitest';
import type { HostOutcome } from '../../../src/fleet/events.ts';
import type { FleetCommand } from '../../../src/fleet/run.ts';
import { type Behaviour, runFake } from '../security/helpers/fake-host.ts';

const OURS = { ansible_user: 'root', portfw_roles: ['proxy'], portfw_interfaces: { public: 'eth0', private: 'eth1' } };

/** How a run ends on a host that behaves so, and the operations that it was asked for. */
async function ran(
  behaviour: Behaviour,
  command?: FleetCommand,
): Promise<{ outcome: HostOutcome | undefined; asked: string[] }> {
  const { events, hosts } = await runFake({
    hosts: { h: { ansible_host: '192.0.2.1', ...OURS } },
    behaviours: { h: behaviour },
    ...(command === undefined ? {} : { command }),
  });
  const outcome = events.flatMap((event) => (event.kind === 'host-finished' ? [event.outcome] : []))[0];
  const asked = hosts.get('h')!.runs.flatMap(({ data }) => /"operation":"([a-z-]+)"/.exec(data)?.[1] ?? []);
  return { outcome, asked };
}

const refusing = (wanted: string): Behaviour => ({
  answer: ({ operation }) =>
    operation === wanted
      ? JSON.stringify({ kind: 'refused', why: 'the request.files[0].text: expected x' })
      : undefined,
});

it('a host whose program does not take the first request was not touched, and the run says which field it was', async () => {
  const { outcome } = await ran(refusing('begin'));
  expect(outcome).toMatchObject({
    kind: 'failed',
    aftermath: { kind: 'untouched' },
    failure: { code: 'request-refused', details: ['the request.files[0].text: expected x'] },
  });
});

it('one that does not answer a later request is rolled back', async () => {
  for (const operation of ['permanent', 'keep']) {
    const { outcome, asked } = await ran(refusing(operation));
    expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'request-refused' } });
    expect(asked.at(-1)).toBe('settle');
  }
});

it('a generation that no generation is called is not even asked for', async () => {
  const history = { kind: 'history', generations: [] };
  const behaviour: Behaviour = {
    answer: ({ operation }) => (operation === 'history' ? JSON.stringify(history) : undefined),
  };
  const { outcome, asked } = await ran(behaviour, { kind: 'rollback', generation: '../../../etc', review: null });
  expect(outcome).toMatchObject({ kind: 'refused', failure: { code: 'no-generation' } });
  expect(asked).toEqual(['history']);
});
