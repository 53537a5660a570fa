import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import '../set-up/ansible-environment.ts';
import { setUpLab } from '../set-up/lab.ts';
import { DEMO_HOSTS, demoInventory } from './demo-inventory.ts';
import { Stage } from './demo-stage.ts';
import { demoMachines, savedPlan, tellStory } from './demo-story.ts';
import type { Docker } from './engine.ts';
import { ensureImages, type ImageName } from './images.ts';
import { type Lab, startLab } from './lab.ts';
import { OWNER_LABEL } from './network.ts';
import { isKept, keptOwner, openKeptSession, openSession } from './owner.ts';
import { purge, removeLabs } from './purge.ts';

/*
 *   npm run demo               the whole story on six hosts, which are removed at its end
 *   npm run demo -- --keep     the same, and the hosts stay
 *   npm run demo -- --record   the same as without a flag, and the first plan is saved for docs/review
 *   npm run demo -- --remove   removes the hosts that were kept from this clone
 *   npm run demo -- --remove --all   also those that were kept from other clones, on the same engine
 */

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** Where the documentation has the first plan of a run. */
const RECORD = join(ROOT, 'docs/review/change.plan.json');
const LAB_NAME = 'demo';
const IMAGES_OF_DEMO: readonly ImageName[] = [...new Set(DEMO_HOSTS.map((host) => host.suite)), 'scanner'];
const USAGE = 'usage: npm run demo [-- --keep | --record | --remove [--all]]';

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

const command = process.argv.slice(2).join(' ');
if (!['', '--keep', '--record', '--remove', '--remove --all'].includes(command)) {
  console.error(USAGE);
  process.exit(4);
}
process.exit(await main(command));

async function main(flags: string): Promise<number> {
  const keep = flags === '--keep';
  try {
    const docker = await setUpLab(say, { images: IMAGES_OF_DEMO });
    if (keep || flags.startsWith('--remove')) await removeKept(docker, flags.endsWith('--all'));
    if (flags.startsWith('--remove')) return 0;
    if (!existsSync(join(ROOT, 'dist/cli/main.js'))) throw new Error('dist/ is missing: run npm run build first');
    await prepare(docker, keep);
    return await run(keep, flags === '--record');
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

async function run(keep: boolean, record: boolean): Promise<number> {
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
    if (record && stage.broken.length === 0) await recordPlan(savedPlan(file));
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

/** Keeps a plan for the documentation, for everybody to read: `--out` writes it for its owner only. */
async function recordPlan(file: string): Promise<void> {
  await mkdir(dirname(RECORD), { recursive: true });
  await writeFile(RECORD, await readFile(file));
  say(`${relative(ROOT, RECORD)} is recorded; next: npx tsx test/tools/review-examples.ts`);
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

/** Removes the hosts that an earlier `--keep` left: those of this clone, or all of them. */
async function removeKept(docker: Docker, all: boolean): Promise<void> {
  const own = keptOwner();
  const removed = await removeLabs(docker, (owner) => (all ? isKept(owner) : owner === own));
  say(removed === 0 ? 'no hosts were kept' : `the ${removed} machines that were kept are removed`);
  const left = await docker.listContainers({ all: true, filters: { label: [OWNER_LABEL] } });
  const others = left.filter(({ Labels }) => isKept(Labels[OWNER_LABEL] ?? '')).length;
  if (others > 0)
    say(`${others} machines were kept from other clones: npm run demo -- --remove --all removes them too`);
}
