import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readRules } from '../../src/kernel/rules-text.ts';
import { rulesDifference } from '../helpers/rules-difference.ts';
import { START_FIREWALLD } from '../lab/firewalld.ts';
import type { LabHost } from '../lab/host.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import { HAZARDS } from './helpers/hazards.ts';
import { writeInventory } from './helpers/lab-inventory.ts';
import { portfwJson } from './helpers/portfw-cli.ts';
import { randomConfig } from './helpers/random-firewalld.ts';
import {
  bringProgram,
  differenceInAnyOrder,
  ownTables,
  rehearsedOn,
  rulesInForce,
  stateOf,
} from './helpers/rehearsed.ts';

/**
 * What a rehearsal says beforehand, and what the host then does: whether it loads, and the rules, line by line.
 * CONFIGURATIONS is how many random configurations each version loads.
 */
const SUITES = ['bullseye', 'bookworm', 'trixie'] as const;
const CONFIGURATIONS = Number(process.env['CONFIGURATIONS'] ?? 12);
/** Another one for each run, unless it is given: a failure shows it. */
const SEED = Number(process.env['REHEARSAL_SEED'] ?? Date.now() % 1_000_000);

let lab: Lab;

beforeAll(async () => {
  lab = await startLab({
    name: 'rehearse',
    hosts: SUITES.flatMap((suite) => [
      { name: suite, suite },
      { name: `${suite}-random`, suite },
    ]),
  });
  for (const host of lab.hosts) {
    await bringProgram(host);
    await host.run('cp', '-a', '/etc/firewalld', '/root/firewalld.was');
  }
});

afterAll(async () => {
  await lab?.stop();
});

const WRITE = `
rm -rf /etc/firewalld/zones /etc/firewalld/policies /etc/firewalld/ipsets /etc/firewalld/services /etc/firewalld/direct.xml
mkdir -p /etc/firewalld/zones /etc/firewalld/policies /etc/firewalld/ipsets /etc/firewalld/services
printf %s "$1" | base64 -d | python3 -c '
import json, os, sys
for name, text in json.load(sys.stdin).items():
    os.makedirs(os.path.dirname("/etc/firewalld/" + name), exist_ok=True)
    with open("/etc/firewalld/" + name, "w") as out:
        out.write(text)'
`;

/** These files and no others; firewalld does not read them yet. */
async function write(host: LabHost, files: Readonly<Record<string, string>>): Promise<void> {
  await host.sh(WRITE, Buffer.from(JSON.stringify(files)).toString('base64'));
}

/** Whether firewalld reloads and is in order afterwards. */
async function reloads(host: LabHost): Promise<boolean> {
  const { exitCode } = await host.exec(['firewall-cmd', '--reload']);
  const state = await host.exec(['firewall-cmd', '--state']);
  return exitCode === 0 && state.exitCode === 0;
}

/** As it was when the lab started, whatever a failed reload has left. */
async function reset(host: LabHost): Promise<void> {
  await host.sh(`
    systemctl stop firewalld
    for table in 'inet firewalld' 'ip firewalld' 'ip6 firewalld' 'inet firewalld_policy_drop'; do
      nft delete table $table 2>/dev/null || true
    done
    rm -rf /etc/firewalld && cp -a /root/firewalld.was /etc/firewalld
    systemctl reset-failed firewalld
    ${START_FIREWALLD}`);
}

describe('what a rehearsal says beforehand', { timeout: 900_000, concurrent: true }, () => {
  it.each(SUITES)('of files that may not load, is what a reload does: %s', async (suite) => {
    const host = lab.host(suite);
    const wrong: object[] = [];
    let failing = 0;
    for (const [what, files] of Object.entries(HAZARDS)) {
      await write(host, files);
      const before = await rulesInForce(host);
      const state = stateOf(await rehearsedOn(host), 'disk');
      // The host itself is as it was, whatever became of the rehearsal.
      if (rulesDifference(before, await rulesInForce(host)) !== null) wrong.push({ what, touched: true });
      const loaded = await reloads(host);
      if (state.loads !== loaded) wrong.push({ what, rehearsed: state, loaded });
      if (!loaded) {
        failing += 1;
        // firewalld's own words, and the file that is to blame.
        if (state.loads || state.why === '' || !state.files.some((path) => path in files)) wrong.push({ what, state });
        await reset(host);
      } else await write(host, {});
    }
    await reset(host);
    expect(wrong).toEqual([]);
    expect(failing).toBeGreaterThan(4);
  });
});

/** A zone that 0.9 lists, and cannot use: it could read only half of its file. */
const HALF_READ = {
  'zones/half.xml':
    '<zone><service name="ssh"/><port port="400-2000" protocol="tcp"/><port port="2000" protocol="tcp"/></zone>',
};

describe('the rules that a rehearsal shows', {
  timeout: Math.max(900_000, 30_000 * CONFIGURATIONS),
  concurrent: true,
}, () => {
  it.each(SUITES)('are line by line those that the host has after a reload: %s', async (suite) => {
    const host = lab.host(`${suite}-random`);
    const around = {
      interface: host.interfaces.public!,
      address: host.publicAddress,
      privateAddress: host.privateAddress,
      behind: host.interfaces.private!,
      callers: ['203.0.113.5', '203.0.113.150', '203.0.113.151'],
    };
    const wrong: object[] = [];
    let looked = 0;
    for (let index = 0; looked < CONFIGURATIONS && index < 3 * CONFIGURATIONS; index += 1) {
      const seed = SEED * 100 + index;
      await write(host, index === 0 ? HALF_READ : randomConfig(seed, around).files);
      const state = stateOf(await rehearsedOn(host), 'disk');
      const loaded = await reloads(host);
      if (state.loads !== loaded) wrong.push({ seed, rehearsed: state.loads, loaded });
      if (!loaded || !state.loads) {
        await reset(host);
        continue;
      }
      looked += 1;
      const difference = differenceInAnyOrder(ownTables(readRules(state.rules)), ownTables(await rulesInForce(host)));
      if (difference !== null) wrong.push({ seed, ...difference });
      // And what runs, made of what the daemon says of itself, is the same again.
      const running = stateOf(await rehearsedOn(host), 'running');
      const again = running.loads
        ? differenceInAnyOrder(ownTables(readRules(running.rules)), ownTables(await rulesInForce(host)))
        : running;
      if (again !== null) wrong.push({ seed, running: again });
    }
    await reset(host);
    expect(wrong, `REHEARSAL_SEED=${SEED}`).toEqual([]);
    expect(looked).toBe(CONFIGURATIONS);
  });
});

/** The hosts of which there is one a version. */
const broken = () => SUITES.map((suite) => lab.host(suite));

describe('where namespaces cannot be had', { timeout: 120_000 }, () => {
  it('the host says so', async () => {
    const without = ['setpriv', '--bounding-set', '-sys_admin', '--inh-caps', '-sys_admin'];
    for (const host of broken()) {
      expect(await rehearsedOn(host, {}, without)).toEqual({
        kind: 'not-rehearsed',
        why: expect.stringContaining('Operation not permitted'),
      });
    }
  });
});

describe('a host that cannot be reloaded', { timeout: 300_000 }, () => {
  it('is refused before the first write, with firewalld’s own reason and the file', async () => {
    const files = HAZARDS['a policy for a set without a file']!;
    const old = HAZARDS['a port inside a range']!;
    for (const host of broken()) await write(host, host.suite === 'bullseye' ? old : files);
    const written = await Promise.all(
      broken().map((host) =>
        host.sh('find /etc/firewalld /var/lib/portfw -type f 2>/dev/null | sort | xargs sha256sum'),
      ),
    );
    const own = { portfw_playbook: 'portaswitch', portfw_roles: [] };
    const inventory = await writeInventory(lab, 'broken', {
      hosts: Object.fromEntries(SUITES.map((name) => [name, own])),
    });
    const run = await portfwJson('apply', inventory, '--yes');
    for (const [index, host] of broken().entries()) {
      const outcome = run.outcomes.get(host.name);
      const blamed = host.suite === 'bullseye' ? 'office.xml' : 'blk.xml';
      expect(outcome).toMatchObject({
        kind: 'refused',
        failure: { code: 'cannot-reload', what: expect.stringContaining(blamed) },
      });
      expect(await host.sh('find /etc/firewalld /var/lib/portfw -type f 2>/dev/null | sort | xargs sha256sum')).toBe(
        written[index],
      );
    }
    await Promise.all(broken().map(reset));
  });
});
