import type { HostPlan } from '../../../src/plan/plan.ts';
import { type RuntimeOperation, type Step, stepsOfKind } from '../../../src/plan/steps.ts';
import type { LabHost } from '../../lab/host.ts';

const FIREWALLD = 'org.fedoraproject.FirewallD1';
const RECORD = '/run/portfw-watched';
/** A call that changes nothing and that the record has to show: then it has everything before. */
const SEE_PING = `
see_ping() {
  before=$(grep -c '"Ping"' ${RECORD}.json)
  for try in $(seq 100); do
    busctl call org.fedoraproject.FirewallD1 /org/fedoraproject/FirewallD1 org.freedesktop.DBus.Peer Ping >/dev/null
    if [ "$(grep -c '"Ping"' ${RECORD}.json)" -gt "$before" ]; then return 0; fi
    sleep 0.1
  done
  echo 'the monitor of the bus shows no call' >&2
  return 1
}`;
const START = `${SEE_PING}
: >${RECORD}.json
busctl monitor --json=short org.fedoraproject.FirewallD1 >${RECORD}.json 2>/dev/null </dev/null &
echo $! >${RECORD}.pid
see_ping`;
const STOP = `${SEE_PING}
see_ping && kill "$(cat ${RECORD}.pid)" && cat ${RECORD}.json`;

/** What changes nothing: reading, and the daemon's own check. */
const READING = /^(?:get|query|list|Get|Introspect|Ping|checkPermanentConfig)/;

interface Message {
  readonly type: string;
  readonly interface?: string;
  readonly member?: string;
  readonly destination?: string;
  readonly payload?: { readonly type: string; readonly data: readonly unknown[] };
}

/**
 * Watches the D-Bus of a host for calls on firewalld, from outside portfw.
 *
 * @returns a function that ends the watch and gives every call that may change something, in order, as text
 */
export async function watchCalls(host: LabHost): Promise<() => Promise<readonly string[]>> {
  await host.run('sh', '-c', START);
  return async () => {
    const record = await host.run('sh', '-c', STOP);
    return record
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Message)
      .filter(({ type, destination, member = '' }) => {
        return type === 'method_call' && destination === FIREWALLD && !READING.test(member);
      })
      .map(({ interface: on = '', member = '', payload }) => {
        const short = on.replace('org.fedoraproject.FirewallD1', '');
        // The content of a whole object is looked at in its file; a timeout is always 0.
        if (/^update2?$/.test(member)) return `${short} ${member}`;
        const data = payload?.type.endsWith('i') === true ? payload.data.slice(0, -1) : (payload?.data ?? []);
        return [short, member, ...data].join(' ');
      });
  };
}

/** Which method of the daemon carries out each operation, written down from firewalld.dbus(5). */
const METHODS: Readonly<Record<Exclude<RuntimeOperation, 'move-connection'>, string>> = {
  'bind-interface': '.zone changeZoneOfInterface',
  'release-interface': '.zone removeInterface',
  'add-service': '.zone addService',
  'remove-service': '.zone removeService',
  'add-rich-rule': '.zone addRichRule',
  'remove-rich-rule': '.zone removeRichRule',
  'remove-port': '.zone removePort',
  'remove-source-port': '.zone removeSourcePort',
  'remove-protocol': '.zone removeProtocol',
  'remove-source': '.zone removeSource',
  'remove-masquerade': '.zone removeMasquerade',
  'remove-icmp-block': '.zone removeIcmpBlock',
  'remove-icmp-block-inversion': '.zone removeIcmpBlockInversion',
  'remove-forward-port': '.zone removeForwardPort',
  'add-entry': '.ipset addEntry',
  'remove-entry': '.ipset removeEntry',
};

/** The calls that a plan's steps are to make on firewalld, as {@link watchCalls} has them. */
export function callsOf({ steps }: HostPlan): readonly string[] {
  return steps.flatMap(callsOfStep);
}

function callsOfStep(step: Step): readonly string[] {
  switch (step.kind) {
    case 'reload':
      return [' reload'];
    case 'call': {
      const [operation, ...args] = step.call;
      return operation === 'move-connection' ? [] : [[METHODS[operation], ...args].join(' ')];
    }
    case 'edit-zone':
      return step.interfaces.map((name) => `.config.zone removeInterface ${name}`);
    case 'settings':
      return [`.config.${step.object} ${step.object === 'ipset' ? 'update' : 'update2'}`];
    case 'delete':
      return [`.config.${step.object} remove`];
    case 'file':
    case 'connection':
    case 'remember':
    case 'start-firewalld':
      return [];
  }
}

/** The files below /etc/firewalld that a plan's steps may change. */
export function filesOf({ steps }: HostPlan): ReadonlySet<string> {
  const written: (step: Step) => readonly string[] = (step) => {
    if (step.kind === 'edit-zone') return [`zones/${step.zone}.xml`];
    if (step.kind === 'settings') return [`${step.object}s/${step.settings.name}.xml`];
    return step.kind === 'delete' ? [`${step.object}s/${step.name}.xml`] : [];
  };
  return new Set([...stepsOfKind(steps, 'file').map(({ path }) => path), ...steps.flatMap(written)]);
}
