import { CANNOT_LOAD } from './cannot-load.ts';
import type { Fault, Foreign, Scene } from './drill.ts';
import { pause, RUNTIME_ONLY, type Stand } from './stand.ts';
import { CUT_TABLE } from './state.ts';

const nothing = new Map<string, string>();
const DAY = 86_400;
const OFFICE = '/etc/firewalld/zones/office.xml';
const OURS = '/etc/firewalld/zones/portfw-public.xml';
/** Before our first write, and after the decision: what is wrong with firewalld then is not portfw's to mend. */
const NOT_OURS_TO_START = ['locked', 'deciding', 'decided'];

/** A table of its own, before firewalld's and after it, which no reload of firewalld touches. */
function cut(stand: Stand): Promise<string> {
  return stand.host.run(
    'nft',
    [
      `add table inet ${CUT_TABLE}`,
      `add chain inet ${CUT_TABLE} came { type filter hook prerouting priority -500; policy drop; }`,
      `add chain inet ${CUT_TABLE} went { type filter hook output priority -500; policy drop; }`,
      `add rule inet ${CUT_TABLE} came iifname lo accept`,
      `add rule inet ${CUT_TABLE} went oifname lo accept`,
    ].join('; '),
  );
}

async function mend({ stand }: Scene): Promise<void> {
  await stand.host.exec(['nft', 'delete', 'table', 'inet', CUT_TABLE]);
}

/** Both folders and the units' on one small file system, as on a root disk. */
const SMALL_DISK = `
mount -t tmpfs -o size=6m,mode=755 tmpfs /mnt
for folder in /etc/firewalld /var/lib/portfw /etc/systemd/system; do
  mkdir -p /mnt$folder
  cp -a $folder/. /mnt$folder/
  mount --bind /mnt$folder $folder
done`;

const FILL = `
dd if=/dev/zero of=/mnt/filler bs=64k 2>/dev/null || true
dd if=/dev/zero of=/mnt/filler2 bs=1k 2>/dev/null || true
dd if=/dev/zero of=/mnt/filler3 bs=1 2>/dev/null || true
! touch /mnt/full && printf x >/mnt/full 2>/dev/null || rm -f /mnt/full`;

/** The line by which a look names a file. */
async function lineOf({ stand }: Scene, path: string): Promise<string> {
  const text = await stand.host.sh('printf "%s " "$(stat -c "%a %u:%g" "$1")"; sha256sum <"$1" | cut -d" " -f1', path);
  return `file ${path} ${text.trim()}`;
}

const EDIT = `sed 's,</zone>,  <port port="9555" protocol="tcp"/>\\n</zone>,' "$1" >/tmp/edited && cat /tmp/edited >"$1"`;

/** Every kind of fault. */
export const FAULTS = {
  controllerKilled: {
    name: 'controller killed',
    how: 'SIGKILL to the controller; what it had asked the host to do goes on there',
    inject: ({ controller }) => controller.kill(),
  },
  controllerStopped: {
    name: 'controller hangs',
    how: 'SIGSTOP to the controller until two seconds after the window, then SIGCONT',
    inject: async (scene) => {
      scene.controller.signal('SIGSTOP');
      if (scene.step !== 'verifying') await scene.release();
      await pause(scene.window + 2);
      scene.controller.signal('SIGCONT');
      await scene.release();
    },
  },
  cutForGood: {
    name: 'network cut for good',
    how: 'a table of nftables before firewalld drops every packet in both directions, until the host has been seen to be whole',
    deaf: true,
    inject: async ({ stand }) => void (await cut(stand)),
    end: mend,
  },
  cutForAWhile: {
    name: 'network cut for a while',
    patient: true,
    shutsOut: true,
    how: 'the same for three seconds',
    inject: async (scene) => {
      await cut(scene.stand);
      await scene.release();
      await pause(3);
      await mend(scene);
    },
  },
  sshdKilled: {
    name: 'sshd killed',
    patient: true,
    shutsOut: true,
    how: 'SIGKILL to the daemon and to every session; systemd starts the daemon again',
    inject: async ({ stand }) => void (await stand.host.exec(['pkill', '-KILL', '^sshd'])),
  },
  sshdDaemonKilled: {
    name: 'sshd killed, sessions left',
    patient: true,
    shutsOut: true,
    how: 'SIGKILL to the daemon alone',
    inject: async ({ stand }) =>
      void (await stand.host.run('systemctl', 'kill', '--kill-who=main', '--signal=KILL', 'ssh.service')),
  },
  sshdStopped: {
    name: 'sshd stopped for good',
    how: 'the daemon is stopped and every session killed; it is started again after the host has been seen to be whole',
    deaf: true,
    inject: async ({ stand }) => void (await stand.host.sh('systemctl stop ssh.service; pkill -KILL "^sshd" || true')),
    end: async ({ stand }) => void (await stand.host.run('systemctl', 'start', 'ssh.service')),
  },
  firewalldKilled: {
    name: 'firewalld killed',
    patient: true,
    how: 'SIGKILL; its rules stay in the kernel, and it is not started again',
    leavesFirewalldDown: NOT_OURS_TO_START,
    inject: async ({ stand }) => void (await stand.host.run('systemctl', 'kill', '--signal=KILL', 'firewalld.service')),
  },
  firewalldStopped: {
    name: 'firewalld stopped',
    patient: true,
    opens: true,
    how: '`systemctl stop firewalld`: its rules are gone, the host is open',
    leavesFirewalldDown: NOT_OURS_TO_START,
    inject: async ({ stand }) => void (await stand.host.run('systemctl', 'stop', 'firewalld.service')),
  },
  firewalldHung: {
    name: 'firewalld hung',
    how: 'SIGSTOP, for good',
    leavesFirewalldDown: NOT_OURS_TO_START,
    inject: async ({ stand }) => void (await stand.host.run('systemctl', 'kill', '--signal=STOP', 'firewalld.service')),
  },
  powerCut: {
    name: 'host loses power',
    how: 'every process ends at once; the disk stays, /run goes; the host starts again at once',
    boots: true,
    inject: async ({ stand }) => {
      await stand.host.powerOff();
      await stand.powerOn();
    },
  },
  rebooted: {
    name: 'host rebooted',
    how: 'an orderly shutdown and start',
    boots: true,
    inject: async ({ stand }) => {
      await stand.host.shutDown();
      await stand.powerOn();
    },
  },
  diskFull: {
    name: 'disk full',
    patient: true,
    how: '/etc/firewalld, /etc/systemd/system and /var/lib/portfw on one small file system, filled to the last byte until the host has been seen to be whole',
    prepare: async (stand) => {
      await stand.host.sh(SMALL_DISK);
      await stand.restartFirewalld();
    },
    inject: async ({ stand }) => void (await stand.host.sh(FILL)),
    end: async ({ stand }) => void (await stand.host.sh('rm -f /mnt/filler*')),
  },
  ourZoneEdited: {
    name: 'a portfw zone file edited',
    patient: true,
    how: 'another program writes one more port into the file of portfw-public',
    inject: async (scene) => {
      await scene.stand.host.sh(EDIT, OURS);
      scene.notes.set('line', await lineOf(scene, OURS));
    },
    // Before the run has read the host it is a drift, and after its last check the file is not read before the next run.
    foreign: (scene): Foreign =>
      ['locked', 'permanent', 'deciding', 'decided'].includes(scene.step)
        ? { files: new Map([[OURS, scene.notes.get('line')!]]), tolerated: /^elements \S+portfw-public\.xml / }
        : { files: nothing, tolerated: null },
  },
  foreignZoneEdited: {
    name: 'a foreign zone file edited',
    patient: true,
    how: 'another program writes one more port into the file of a foreign zone; it stays, and is in force after the next reload',
    inject: async (scene) => {
      await scene.stand.host.sh(EDIT, OFFICE);
      scene.notes.set('line', await lineOf(scene, OFFICE));
    },
    foreign: (scene) => ({ files: new Map([[OFFICE, scene.notes.get('line')!]]), tolerated: /\b9555\b/ }),
  },
  runtimePortAdded: {
    name: 'a runtime port added',
    patient: true,
    how: 'another program opens a port in a foreign zone, at runtime only; a reload removes it, and otherwise it stays',
    inject: async ({ stand }) => void (await stand.host.run('firewall-cmd', '--zone=office', '--add-port=9555/tcp')),
    foreign: () => ({ files: nothing, tolerated: RUNTIME_ONLY }),
  },
  clockForward: {
    name: 'clock set forward',
    patient: true,
    how: 'the clock that the controller and programs on the host see goes forward by a day (simulated: see below)',
    clock: true,
    inject: async (scene) => shiftClocks(scene, DAY),
  },
  clockBack: {
    name: 'clock set back',
    patient: true,
    how: 'the same, back by a day',
    clock: true,
    inject: async (scene) => shiftClocks(scene, -DAY),
  },
  clockForwardKilled: {
    name: 'clock set forward, controller killed',
    how: 'both at once',
    clock: true,
    inject: async (scene) => {
      await shiftClocks(scene, DAY);
      await scene.controller.kill();
    },
  },
  clockBackKilled: {
    name: 'clock set back, controller killed',
    how: 'both at once',
    clock: true,
    inject: async (scene) => {
      await shiftClocks(scene, -DAY);
      await scene.controller.kill();
    },
  },
  twoControllers: {
    name: 'two controllers',
    patient: true,
    how: 'a second apply, of another inventory, asks for the host while the first is at the boundary',
    inject: async (scene) => {
      const { stand, window } = scene;
      const second = stand.start(stand.builds.plain, ['apply', stand.inventories.other], window);
      await second.sees((event) => event.kind === 'host-phase' && event.phase === 'writing');
      await scene.release();
      const { outcome } = await second.ended;
      const code = outcome?.kind === 'refused' ? outcome.failure.code : `${outcome?.kind}`;
      scene.notes.set('second', code);
    },
    questions: async ({ notes }) =>
      ['locked', 'drifted'].includes(notes.get('second')!)
        ? []
        : [`the second controller ended as ${notes.get('second')}`],
  },
  lockout: {
    name: 'a plan that cuts SSH',
    how: 'a matrix that forgets SSH, and a build of portfw whose proof before the first write finds nothing',
    blind: true,
    onlyOld: true,
    inject: async ({ controller }) =>
      void (await controller.sees((event) => event.kind === 'host-phase' && event.phase === 'verifying')),
  },
  lockoutKilled: {
    name: 'a plan that cuts SSH, controller killed',
    how: 'the same, and SIGKILL to the controller',
    blind: true,
    onlyOld: true,
    inject: ({ controller }) => controller.kill(),
  },
  revertReadOnly: {
    name: 'controller killed, the first revert fails',
    how: '/etc/firewalld is mounted read-only from the boundary until 1.5 s after the window',
    inject: async (scene) => {
      await scene.controller.kill();
      await scene.stand.host.sh(
        'mount --bind /etc/firewalld /etc/firewalld; mount -o remount,ro,bind /etc/firewalld; nohup sh -c "sleep $1; umount -l /etc/firewalld" >/dev/null 2>&1 &',
        String(scene.window + 1.5),
      );
    },
  },
  revertKilled: {
    name: 'controller killed, the revert killed',
    how: 'SIGKILL to the process of the rollback as soon as it runs, once',
    inject: async (scene) => {
      await scene.controller.kill();
      await scene.stand.host.writeFile('/tmp/kill-revert.sh', KILL_REVERT);
      await scene.stand.host.sh('nohup sh /tmp/kill-revert.sh >/dev/null 2>&1 &');
    },
  },
  revertReloadDenied: {
    name: 'controller killed, reloads turned away',
    how: 'the system bus turns every further reload of firewalld away',
    inject: async (scene) => {
      await scene.controller.kill();
      await scene.stand.denyReload();
    },
    end: async ({ stand }) => void (await stand.allowReload()),
  },
  operationKilled: {
    name: "the host's process killed",
    patient: true,
    how: 'SIGKILL to the process that carries out the step',
    inject: async ({ stand, process }) => void (await stand.host.run('kill', '-KILL', String(process))),
  },
  paused: {
    name: 'host paused beyond its window',
    shutsOut: true,
    how: 'every process of the host stands still until two seconds after the window',
    inject: async ({ stand, window }) => {
      await stand.host.pause();
      await pause(window + 2);
      await stand.host.unpause();
    },
  },
  ...CANNOT_LOAD,
  laterEdits: {
    name: 'controller killed, later foreign edits',
    how: 'another program writes a source and a drop rule into the file from which the run removes an interface, and SIGKILL to the controller; the edits stay when the host rolls back',
    onlyOld: true,
    inject: async (scene) => {
      await scene.stand.host.sh(EDIT_EDGE, EDGE);
      await scene.controller.kill();
    },
    foreign: () => ({ files: nothing, tolerated: LATER }),
    // What they have written is taken away by them again, so that the next run finds what its reference found.
    end: async (scene) => {
      scene.notes.set('edge', await scene.stand.host.run('cat', EDGE));
      await scene.stand.host.sh(`sed -i '/192[.]0[.]2[.]9[89]/d' "$1"`, EDGE);
    },
    questions: async ({ notes, stand }) => {
      const text = notes.get('edge')!;
      const wanted = ['192.0.2.98', '192.0.2.99', ...(stand.kind.host?.networkManager ? [] : ['<interface'])];
      return wanted.filter((word) => !text.includes(word)).map((word) => `${EDGE} has no ${word} any more`);
    },
  },
} satisfies Record<string, Fault>;

const EDGE = '/etc/firewalld/zones/edge.xml';
const EDIT_EDGE = `sed 's,</zone>,  <source address="192.0.2.99"/>\\n  <rule family="ipv4"><source address="192.0.2.98"/><drop/></rule>\\n</zone>,' "$1" >/tmp/edited && cat /tmp/edited >"$1"`;
/** What the later edits are seen by, in their file and wherever they have come into force. */
const LATER = /192\.0\.2\.9[89]|^file \S+edge\.xml /;

const KILL_REVERT = `
n=0
until pid=$(pgrep -f '/var/lib/portfw/guard/[^ ]*py timer'); do n=$((n + 1)); [ $n -lt 1000 ] || exit 1; sleep 0.05; done
kill -KILL $pid`;

async function shiftClocks({ stand, controller }: Scene, seconds: number): Promise<void> {
  controller.shiftClock(seconds);
  await stand.host.writeFile('/run/portfw-fault/clock', String(seconds));
}
