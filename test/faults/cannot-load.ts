import { UNLOADABLE } from '../integration/helpers/unloadable.ts';
import type { Fault, Scene } from './drill.ts';
import { pause, type Stand } from './stand.ts';

/** Somebody's file that firewalld cannot load, with what makes the host go back. */
export const CANNOT_LOAD = {
  cannotLoadKilled: {
    name: 'controller killed, files that no longer load',
    how: 'SIGKILL to the controller, and a foreign file that firewalld cannot load, until the host was seen with the old rules',
    grace: 25,
    onlyOld: true,
    inject: async (scene) => {
      await placeUnloadable(scene.stand);
      await scene.controller.kill();
      await heldMeanwhile(scene);
    },
    questions: heldSaid,
  },
  cannotStart: {
    name: 'firewalld killed, files that no longer load',
    how: 'SIGKILL to firewalld, and a foreign file that it cannot load, until the host was seen with the old rules',
    grace: 25,
    onlyOld: true,
    inject: async (scene) => {
      await placeUnloadable(scene.stand);
      await scene.stand.host.run('systemctl', 'kill', '--signal=KILL', 'firewalld.service');
      await heldMeanwhile(scene);
    },
    questions: heldSaid,
  },
  cannotReload: {
    name: 'files that no longer load',
    how: 'a foreign file that firewalld cannot load, while the run goes on; it is repaired when the host has rolled back',
    grace: 25,
    onlyOld: true,
    inject: async (scene) => {
      await placeUnloadable(scene.stand);
      await heldMeanwhile(scene);
    },
    questions: heldSaid,
  },
  cannotLoadBooted: {
    name: 'host loses power, files that no longer load',
    how: 'every process ends at once, and a foreign file that firewalld cannot load is there when the host starts again, until the host was seen with the old rules',
    grace: 25,
    boots: true,
    onlyOld: true,
    inject: async (scene) => {
      await placeUnloadable(scene.stand);
      await scene.stand.host.powerOff();
      await scene.stand.powerOn();
      await heldMeanwhile(scene);
    },
    questions: heldSaid,
  },
} satisfies Record<string, Fault>;

const ALARM = '/run/portfw/portfw.prom';
const HELD_SECONDS = 40;

async function placeUnloadable({ host }: Stand): Promise<void> {
  const [path, text] = UNLOADABLE[host.name]!;
  await host.writeFile(path, text);
}

/** Until the host says that its rollback waits and that the rules of before are in force, or has gone back; then the file goes. */
async function heldMeanwhile(scene: Scene): Promise<void> {
  const { host } = scene.stand;
  await scene.release();
  const waiting = `n=0; until grep -qs 'in_force.* 1' ${ALARM} || { [ ! -e /run/portfw/lock ] && [ -z "$(ls /var/lib/portfw/guard)" ]; }; do
    n=$((n + 1)); [ $n -lt $1 ] || break; sleep 0.1; done
    if [ -e ${ALARM} ]; then cat ${ALARM}; else echo back; fi`;
  scene.notes.set('held', await host.sh(waiting, String((scene.window + HELD_SECONDS) * 10)));
  if (scene.notes.get('held') !== 'back\n') {
    // As long as it may last: nothing opens meanwhile, and the old rules let SSH in.
    await pause(3);
    const why = await scene.stand.loginFails();
    if (why !== null) scene.notes.set('mute', why);
    scene.notes.set('journal', await host.sh('journalctl -t portfw -p crit --no-pager'));
  }
  await host.run('rm', '-f', UNLOADABLE[host.name]![0]);
}

async function heldSaid({ notes }: Scene): Promise<readonly string[]> {
  const held = notes.get('held')!;
  if (held === 'back\n') return [];
  const mute = notes.get('mute');
  return [
    ...(/^portfw_rollback_rules_in_force\S* 1$/m.test(held) ? [] : [`the host did not hold the old rules: ${held}`]),
    ...(mute === undefined ? [] : [`logins failed while it held the old rules: ${mute}`]),
    ...(notes.get('journal')!.includes('the previous rules are in force') ? [] : ['the journal does not say so']),
  ];
}
