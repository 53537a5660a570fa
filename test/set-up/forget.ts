import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import { findEngine } from '../lab/engine.ts';
import { isKept, isRunning } from '../lab/owner.ts';
import { removeLabs } from '../lab/purge.ts';
import type { Say } from '../lab/say.ts';
import { type Choice, heldByEngine, packagesToPurge } from './forget-plan.ts';
import { holdingsOf, removeImages } from './holdings.ts';
import { NEEDS } from './needs.ts';
import { installedPackages, purgePackages, removalOf } from './packages.ts';
import { recordedPackages, unrecordPackages } from './record.ts';
import { isEngineFolder, PID_FILE, removeEngineFolder, stopEngine } from './stop-engine.ts';

/*
 *   npm run lab:forget                    takes away what the set-up has brought to this machine, after asking
 *   npm run lab:forget -- --yes           without asking: what the set-up has brought, and nothing else
 *   npm run lab:forget -- --yes --all     packages as well that the set-up would have installed but found there
 */

const say: Say = (line) => console.log(`lab: ${line}`);
const ENGINE_PACKAGE = NEEDS.engine.packages[0];

async function main(choice: Choice): Promise<number> {
  const docker = await findEngine(say);
  const holdings = docker === null ? null : await holdingsOf(docker);
  if (holdings !== null && holdings.busy.length > 0) {
    throw new Error(`The lab is in use by process ${holdings.busy.join(', ').replace(/:\d+/g, '')}: let it end first.`);
  }
  const machine = { installed: await installedPackages(), recorded: await recordedPackages(), removalOf };
  // Another engine than that of this machine's package: DOCKER_HOST names it, or it runs without root.
  const own = process.env['DOCKER_HOST'] === undefined && existsSync(PID_FILE);
  const packages = await packagesToPurge(machine, heldByEngine(holdings, own), choice, agreed, say);
  const folder = holdings !== null && own && packages.includes(ENGINE_PACKAGE) ? holdings.folder : null;
  if (packages.length > 0 && process.getuid?.() !== 0)
    throw new Error('Only root can remove packages: run this as root.');

  const lines = [
    ...(holdings === null || holdings.containers === 0 ? [] : [`containers of the lab: ${holdings.containers}`]),
    ...(holdings === null || holdings.images.length === 0 ? [] : [`images: ${holdings.images.join(' ')}`]),
    ...(packages.length === 0 ? [] : [`packages, with their configuration: ${packages.join(' ')}`]),
    ...(folder === null
      ? []
      : [`the Docker engine (it is stopped first)${isEngineFolder(folder) ? `, and ${folder}` : `; ${folder} stays`}`]),
  ];
  if (lines.length === 0) {
    say('nothing that the set-up brought is here');
    return 0;
  }
  say('this is taken away:');
  for (const line of lines) say(`  ${line}`);
  if (!(choice.yes || (await agreed('Take it away?')))) {
    say('nothing was changed');
    return 1;
  }
  const needed = machine.recorded.filter((name) => machine.installed.includes(name) && !packages.includes(name));
  if (needed.length > 0) say(`packages that stay, since others want them: ${needed.join(' ')}`);
  if (docker !== null && holdings !== null) {
    await removeLabs(docker, (owner) => isKept(owner) || !isRunning(owner));
    await removeImages(docker, holdings.images);
  }
  if (folder !== null) await stopEngine(say);
  await purgePackages(packages, say);
  await unrecordPackages(packages);
  if (folder !== null && isEngineFolder(folder)) await removeEngineFolder(folder);
  say('all of it is gone');
  return 0;
}

async function agreed(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) throw new Error('There is no terminal to ask on: --yes goes on without asking.');
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return (await terminal.question(`${question} Type "yes" to continue: `)).trim() === 'yes';
  } finally {
    terminal.close();
  }
}

try {
  const options = { yes: { type: 'boolean', default: false }, all: { type: 'boolean', default: false } } as const;
  process.exit(await main(parseArgs({ options }).values));
} catch (error) {
  console.error(`lab:forget: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}
