import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RehearseRequest } from '../../src/host/requests.ts';
import { readRules } from '../../src/kernel/rules-text.ts';
import type { Ruleset } from '../../src/kernel/ruleset.ts';
import type { RehearsedName } from '../../src/plan/rehearsal.ts';
import { stepsOfKind } from '../../src/plan/steps.ts';
import { RESTART_FIREWALLD } from '../lab/firewalld.ts';
import type { LabHost } from '../lab/host.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import { writeInventory } from './helpers/lab-inventory.ts';
import { outcomeOf, portfwJson } from './helpers/portfw-cli.ts';
import {
  bringProgram,
  differenceInAnyOrder,
  ownTables,
  rehearsedOn,
  rulesInForce,
  stateOf,
} from './helpers/rehearsed.ts';

/**
 * Where NetworkManager manages interfaces, its connections say which zone they are in: after a start of firewalld too. What a
 * rehearsal binds beforehand is compared with what the host has afterwards, rule by rule.
 */
let lab: Lab;
let inventory: string;

beforeAll(async () => {
  lab = await startLab({
    name: 'bindings',
    hosts: [
      { name: 'old', suite: 'bullseye', networkManager: true },
      { name: 'young', suite: 'trixie', networkManager: true },
    ],
  });
  const wishes = { portfw_playbook: 'img-gcems', portfw_roles: ['gcems'] };
  inventory = await writeInventory(lab, 'inventory', {
    hosts: Object.fromEntries(
      lab.hosts.map((host) => [
        host.name,
        { ...wishes, portfw_interfaces: { public: host.publicAddress, control: host.privateAddress } },
      ]),
    ),
  });
  await each(bringProgram);
});

afterAll(() => lab?.stop());

function each<T>(work: (host: LabHost) => Promise<T>): Promise<T[]> {
  return Promise.all(lab.hosts.map(work));
}

/** Once firewalld has started anew, and NetworkManager has told it of its connections. */
async function restarted(host: LabHost): Promise<Ruleset> {
  await host.sh(RESTART_FIREWALLD);
  let rules = await rulesInForce(host);
  await expect
    .poll(
      async () => {
        const before = rules;
        await new Promise((resolve) => setTimeout(resolve, 700));
        rules = await rulesInForce(host);
        return differenceInAnyOrder(ownTables(before), ownTables(rules));
      },
      { timeout: 15_000 },
    )
    .toBeNull();
  return rules;
}

/** What the rehearsal of one state has otherwise than the host had; `null` for nothing. */
async function otherwise(host: LabHost, name: RehearsedName, more: Partial<RehearseRequest>, actual: Ruleset) {
  const state = stateOf(await rehearsedOn(host, more), name);
  if (!state.loads) return state;
  expect(state.failed).toEqual([]);
  return differenceInAnyOrder(ownTables(actual), ownTables(readRules(state.rules)));
}

async function ourFiles(host: LabHost): Promise<RehearseRequest['ours']> {
  const paths = await host.sh('cd /etc/firewalld && find zones services ipsets -name "portfw-*.xml"');
  return Promise.all(
    paths
      .split('\n')
      .filter((path) => path.endsWith('.xml'))
      .map(async (path) => ({ path, text: await host.sh('cat "/etc/firewalld/$1"', path) })),
  );
}

const HOME = '<?xml version="1.0" encoding="utf-8"?>\n<zone><interface name="%s"/><service name="samba"/></zone>';

describe('interfaces that NetworkManager manages', { timeout: 240_000 }, () => {
  it('are in the zones that a rehearsal has them in: while it runs, and after the next boot', async () => {
    const before = await each(rulesInForce);
    const planned = await portfwJson('plan', inventory);
    const applied = await portfwJson('apply', inventory, '--yes');
    expect(applied.exitCode, applied.stdout).toBe(0);
    const running = await each(rulesInForce);
    const ours = await each(ourFiles);
    const booted = await each(restarted);
    const back = await portfwJson('rollback', inventory, '--yes');
    expect(back.exitCode, back.stdout).toBe(0);
    await each(async (host) => {
      const index = lab.hosts.indexOf(host);
      const { plan } = outcomeOf(planned, host.name, 'planned');
      const steps = plan.steps;
      const request: Partial<RehearseRequest> = {
        reload: stepsOfKind(steps, 'reload').length > 0,
        files: stepsOfKind(steps, 'file').map(({ path, text }) => ({ path, text })),
        ours: ours[index]!,
        edits: stepsOfKind(steps, 'edit-zone').map(({ zone, interfaces }) => ({ zone, interfaces })),
        calls: stepsOfKind(steps, 'call').map(({ call }) => call),
        connections: stepsOfKind(steps, 'connection').map(({ uuid, zone }) => [uuid, zone] as const),
      };
      expect(request.connections, host.name).toHaveLength(2);
      expect(await otherwise(host, 'running', request, running[index]!), host.name).toBeNull();
      expect(await otherwise(host, 'boot', request, booted[index]!), host.name).toBeNull();
      // The apply has changed something that the comparison sees.
      expect(differenceInAnyOrder(ownTables(before[index]!), ownTables(running[index]!))).not.toBeNull();
    });
  });

  it('are not where a file of firewalld’s has them, but where their connection says, or else in the default zone', async () => {
    await each((host) => host.sh('printf "$1" "$2" >/etc/firewalld/zones/home.xml', HOME, host.interfaces.private!));
    const rules = await each(restarted);
    await each(async (host) => {
      const index = lab.hosts.indexOf(host);
      const zone = await host.sh('firewall-cmd --get-zone-of-interface="$1"', host.interfaces.private!);
      expect(zone.trim()).toBe('public');
      expect(await otherwise(host, 'disk', {}, rules[index]!), host.name).toBeNull();
    });
    await each((host) =>
      host.sh(
        'uuid=$(nmcli -t -f UUID,DEVICE connection show --active | sed -n "s/:$1\\$//p"); nmcli connection modify $uuid connection.zone work',
        host.interfaces.private!,
      ),
    );
    const named = await each(restarted);
    await each(async (host) => {
      const index = lab.hosts.indexOf(host);
      expect(await otherwise(host, 'disk', {}, named[index]!), host.name).toBeNull();
    });
  });
});
