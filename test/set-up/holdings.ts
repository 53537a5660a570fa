import type { Docker } from '../lab/engine.ts';
import { IMAGE_PREFIX } from '../lab/images.ts';
import { OWNER_LABEL } from '../lab/network.ts';
import { isKept, isRunning } from '../lab/owner.ts';
import { ignoreGone } from '../lab/removal.ts';

/** Marks each image that a build of the lab makes, those between its steps as well. */
const IMAGE_LABEL = 'portfw.lab.image';

/** What an engine holds, told apart by whose it is. */
export interface Holdings {
  /** Processes whose labs are running now, as `pid:start time`. */
  readonly busy: readonly string[];
  /** How many containers of the lab there are. */
  readonly containers: number;
  /** Names of the lab's images. */
  readonly images: readonly string[];
  /** What is not the lab's, for people; empty when the engine holds nothing else. */
  readonly others: readonly string[];
  /** The folder in which the engine keeps everything. */
  readonly folder: string;
}

/** Looks at everything that the engine holds. */
export async function holdingsOf(docker: Docker): Promise<Holdings> {
  const [containers, images, volumes, info] = await Promise.all([
    docker.listContainers({ all: true }),
    docker.listImages(),
    docker.listVolumes(),
    docker.info() as Promise<{ readonly DockerRootDir: string }>,
  ]);
  const owners = containers.flatMap(({ Labels }) => Labels[OWNER_LABEL] ?? []);
  const ours = images.flatMap(({ RepoTags }) => (RepoTags ?? []).filter((tag) => tag.startsWith(IMAGE_PREFIX)));
  const foreign = images.filter(
    ({ RepoTags, Labels }) =>
      Labels?.[IMAGE_LABEL] === undefined && !(RepoTags ?? []).some((tag) => tag.startsWith(IMAGE_PREFIX)),
  );
  const foreignContainers = containers.filter(({ Labels }) => Labels[OWNER_LABEL] === undefined);
  return {
    busy: [...new Set(owners)].filter((owner) => !isKept(owner) && isRunning(owner)),
    containers: owners.length,
    images: [...ours].sort(),
    others: [
      ...foreignContainers.map(({ Names, Id }) => `container ${Names[0]?.replace(/^\//, '') ?? Id.slice(0, 12)}`),
      ...foreign.map(({ RepoTags, Id }) => `image ${RepoTags?.[0] ?? Id.slice(7, 19)}`),
      ...volumes.Volumes.map(({ Name }) => `volume ${Name}`),
    ],
    folder: info.DockerRootDir,
  };
}

/** Removes the lab's images, whatever clone or version built them. */
export async function removeImages(docker: Docker, names: readonly string[]): Promise<void> {
  // What is built on another comes first: an image that others stand on cannot be removed.
  const bases = names.filter((name) => name.startsWith(`${IMAGE_PREFIX}base-`));
  for (const name of [...names.filter((each) => !bases.includes(each)), ...bases]) {
    await ignoreGone(docker.getImage(name).remove());
  }
  await docker.pruneImages({ filters: { dangling: ['true'], label: [IMAGE_LABEL] } });
}
