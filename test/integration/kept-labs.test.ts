import { afterAll, beforeAll, expect, it } from 'vitest';
import { connect, type Docker } from '../lab/engine.ts';
import { ensureImages } from '../lab/images.ts';
import { OWNER_LABEL } from '../lab/network.ts';
import { isKept, keptOwner, thisProcess } from '../lab/owner.ts';
import { purge, removeLabs } from '../lab/purge.ts';
import { ignoreGone } from '../lab/removal.ts';
import { sayOnStderr } from '../lab/say.ts';

const OWNERS = {
  own: keptOwner('/srv/one/.lab/'),
  other: keptOwner('/srv/two/.lab/'),
  running: thisProcess(),
} as const;

let docker: Docker;
const made = new Map<string, string>();

/** The machines of this test that are left. */
async function left(): Promise<string[]> {
  const machines = await docker.listContainers({ all: true, filters: { label: [OWNER_LABEL] } });
  const ids = new Set(machines.map(({ Id }) => Id));
  return [...made].flatMap(([name, id]) => (ids.has(id) ? [name] : [])).sort();
}

beforeAll(async () => {
  docker = await connect();
  const Image = (await ensureImages(docker, sayOnStderr, ['scanner'])).get('scanner') ?? '';
  for (const [name, owner] of Object.entries(OWNERS))
    made.set(name, (await docker.createContainer({ Image, Labels: { [OWNER_LABEL]: owner } })).id);
});

afterAll(async () => {
  for (const id of made.values()) await ignoreGone(docker.getContainer(id).remove({ force: true }));
});

it('kept hosts go with their own clone, or with all that were kept, and hosts in use never', async () => {
  expect(await left()).toEqual(['other', 'own', 'running']);
  await purge(docker);
  expect(await left()).toEqual(['other', 'own', 'running']);
  expect(await removeLabs(docker, (owner) => owner === OWNERS.own)).toBe(1);
  expect(await left()).toEqual(['other', 'running']);
  // As --all does; hosts that somebody else on this engine has kept are none of this test's.
  expect(await removeLabs(docker, (owner) => isKept(owner) && owner === OWNERS.other)).toBe(1);
  expect(await left()).toEqual(['running']);
});
