import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setUpLab } from '../set-up/lab.ts';
import { DEMO_HOSTS, demoInventory } from './demo-inventory.ts';
import { Stage } from './demo-stage.ts';
import { demoMachines, tellStory } from './demo-story.ts';
import type { Docker } from './engine.ts';
import { ensureImages, type ImageName } from './images.ts';
import { type Lab, startLab } from './lab.ts';
import { OWNER_LABEL } from './network.ts';
import { KEPT, openKeptSession, openSession } from './owner.ts';
import { purge } from './purge.ts';

/*
 *   npm run demo               the whole story on six hosts, which are removed at its end
 *   npm run demo -- --keep     the same, and the hosts stay
 *   npm run demo -- --remove   removes hosts that were kept
 */

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const LAB_NAME = 'demo';
const IMAGES_OF_DEMO: readonly ImageName[] = [...new Set(DEMO_HOSTS.map((host) => host.suite)), 'scanner'];
const USAGE = 'usage: npm run demo [-- --keep | --remove]';

const say = (line: string): void => console.log(`lab: ${line}`);
const interruption = new AbortController();
let lab: Lab | null = null;
/** Nothing is running that would have to be removed: an interruption may end the program at once. */
let idle = true;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (idle) process.exit(130);
    if (!interruption.signal.aborted) say('interrupted: removing the hosts');
    interruption.abort();
  });
}

const flags = process.argv.slice(2);
if (flags.length > 1 || flags.some((flag) => flag !== '--keep' && flag !== '--remove')) {
  console.error(USAGE);
  process.exit(4);
}
process.exit(await main(flags[0] ?? null));

async function main(flag: string | null): Promise<number> {
  try {
    const docker = await setUpLab(say, { images: IMAGES_OF_DEMO });
    if (flag !== null) await removeKept(docker);
    if (flag === '--remove') return 0;
    if (!existsSync(join(ROOT, 'dist/cli/main.js'))) throw new Error('dist/ is missing: run npm run build first');
    await prepare(docker, flag === '--keep');
    return await run(flag === '--keep');
  } catch (error) {
    if (interruption.signal.aborted) return 130;
    console.error(`demo: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
}

/** Images first: the first time takes a minute or two, and says so. */
async function prepare(docker: Docker, keep: boolean): Promise<void> {
  if (keep) openKeptSession();
  else openSession();
  await purge(docker);
  const started = performance.now();
  await ensureImages(docker, say, IMAGES_OF_DEMO);
  const seconds = (performance.now() - started) / 1000;
  if (seconds > 5) say(`the images are there (${seconds.toFixed(0)} s; the next time they are)`);
}

async function run(keep: boolean): Promise<number> {
  const stage = new Stage(interruption.signal);
  let kept = false;
  try {
    idle = false;
    say(`starting ${DEMO_HOSTS.length} hosts and a machine that scans`);
    const started = performance.now();
    lab = await startLab({ name: LAB_NAME, hosts: DEMO_HOSTS, scanner: true, say });
    say(`they are up (${((performance.now() - started) / 1000).toFixed(1)} s)`);
    const file = join(lab.directory, 'inventory.yaml');
    await writeFile(file, demoInventory(lab, demoMachines(lab)));
    const inventory = relative(ROOT, file);
    await tellStory({ stage, lab, inventory });
    stage.proceed();
    kept = keep;
    if (keep) howToGoOn(lab, inventory);
  } catch (error) {
    stage.proceed();
    stage.brokeOff(error);
  } finally {
    if (!kept) await lab?.stop();
    idle = true;
  }
  return verdict(stage);
}

function verdict(stage: Stage): number {
  if (stage.broken.length === 0) {
    console.log(`\ndemo: all ${stage.checks} checks hold`);
    return 0;
  }
  console.log(`\ndemo: ${stage.broken.length} of ${stage.checks} checks do not hold:`);
  for (const what of stage.broken) console.log(`  ${what}`);
  return 1;
}

function howToGoOn({ directory, privateKeyFile, knownHostsFile, host }: Lab, inventory: string): void {
  const [key, knownHosts] = [privateKeyFile, knownHostsFile].map((file) => relative(ROOT, file));
  console.log(`
The hosts stay, as they were before the first apply. Go on by hand, in this folder:
  node dist/cli/main.js plan ${inventory} --limit web1
  node dist/cli/main.js apply ${inventory} --limit web1
  ssh -i ${key} -o UserKnownHostsFile=${knownHosts} root@${host('web1').privateAddress} firewall-cmd --list-all-zones
Keys, known_hosts and the inventory are in ${relative(ROOT, directory)}. Remove everything with:
  npm run demo -- --remove`);
}

/** Removes the hosts that an earlier `--keep` left. */
async function removeKept(docker: Docker): Promise<void> {
  const kept = await docker.listContainers({ all: true, filters: { label: [`${OWNER_LABEL}=${KEPT}`] } });
  await purge(docker, KEPT);
  say(kept.length === 0 ? 'no hosts were kept' : `the ${kept.length} machines that were kept are removed`);
}
