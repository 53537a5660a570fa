import { expect } from 'vitest';
import type { Change } from '../../../src/plan/plan.ts';
import type { LabHost } from '../../lab/host.ts';
import type { Lab } from '../../lab/lab.ts';
import { changeTexts } from './change-texts.ts';
import { expectDone } from './expect-done.ts';
import { type Variables, writeInventory } from './lab-inventory.ts';
import { filesBelow, tableHandle } from './observed-host.ts';
import { outcomeOf, portfwJson } from './portfw-cli.ts';
import { callsOf, filesOf, watchCalls } from './watched-calls.ts';

/** The hosts whose life is followed: firewalld 0.9.3, 1.3.3 and 2.3.1, and one for each shipped matrix. */
export const HOSTS = ['sip1', 'ocs1', 'gcems1'] as const;
export type Host = (typeof HOSTS)[number];

/** The changes of each host's plan as {@link changeTexts} has them; `null` for a host that needs nothing. */
type Expected = Readonly<Record<Host, readonly string[] | null>>;

/** A lab with its inventory, which changes step by step. */
export class Lifecycle {
  readonly lab: Lab;
  /** Each host's variables; a step changes them. */
  readonly variables: Record<Host, Record<string, unknown>> = { sip1: {}, ocs1: {}, gcems1: {} };
  /** The machines of the group `office`, which are peers and nothing else. */
  readonly office = new Map<string, Variables>();
  #inventory = '';

  constructor(lab: Lab) {
    this.lab = lab;
  }

  /** The path of the inventory that was saved last. */
  get inventory(): string {
    return this.#inventory;
  }

  async saveInventory(): Promise<void> {
    const spare = { portfw_addresses: { private: this.lab.spareAddress('private', 160).v4 } };
    this.#inventory = await writeInventory(this.lab, 'inventory', {
      hosts: this.variables,
      others: { ...Object.fromEntries(this.office), spare },
      groups: { office: [...this.office.keys()], site: ['sip1', 'ocs1', 'spare'] },
    });
  }

  /** Does something for all hosts at once. */
  each<T>(work: (host: LabHost, name: Host) => Promise<T>): Promise<T[]> {
    return Promise.all(HOSTS.map((name) => work(this.lab.host(name), name)));
  }

  /**
   * Plans, compares with what is expected, applies, and looks at the hosts.
   *
   * @param reloads how often firewalld may reload on each host that changes
   */
  async step(reloads: 0 | 1, expected: Expected): Promise<void> {
    await this.saveInventory();
    const [planned, handles] = await Promise.all([
      portfwJson('plan', this.inventory, '--detailed-exitcode'),
      this.each((host) => tableHandle(host)),
    ]);
    expect(planned.exitCode).toBe(2);
    const plans = new Map<Host, readonly Change[]>();
    for (const name of HOSTS) {
      const { plan } = outcomeOf(planned, name, expected[name] === null ? 'unchanged' : 'planned');
      plans.set(name, plan.changes);
      expect(changeTexts(plan), name).toEqual(expected[name] ?? []);
    }
    const watched = await this.each(async (host) => ({
      files: await filesBelow(host, '/etc/firewalld'),
      stop: await watchCalls(host),
    }));
    const applied = await portfwJson('apply', this.inventory, '--yes');
    const arrived = await Promise.all(watched.map(({ stop }) => stop()));
    expect(applied.exitCode, applied.stdout).toBe(0);
    await this.each(async (host, name) => {
      const at = HOSTS.indexOf(name);
      const changed = applied.outcomes.get(name);
      // What arrives on the host is what the plan's steps say, call by call and file by file, and nothing else.
      const plan = changed?.kind === 'changed' ? changed.plan : null;
      expect([...arrived[at]!].sort(), `${name}: calls`).toEqual(plan === null ? [] : [...callsOf(plan)].sort());
      const files = await filesBelow(host, '/etc/firewalld');
      const touched = [...new Set([...files.keys(), ...watched[at]!.files.keys()])].filter(
        // What the daemon leaves beside a file of ours is litter, which a run takes away.
        (path) =>
          !/\/portfw-[^/]*\.old$/.test(path) && files.get(path)?.sha256 !== watched[at]!.files.get(path)?.sha256,
      );
      const named = plan === null ? new Set<string>() : filesOf(plan);
      const unnamed = touched.filter((path) => !named.has(path.slice('/etc/firewalld/'.length)));
      expect(unnamed, `${name}: files that no step names`).toEqual([]);
      const before = handles[HOSTS.indexOf(name)]!;
      if (expected[name] === null) {
        outcomeOf(applied, name, 'unchanged');
        expect(await tableHandle(host), `${name}: the handle of firewalld's table`).toBe(before);
        return;
      }
      const outcome = outcomeOf(applied, name, 'changed');
      expect(outcome.plan.changes).toEqual(plans.get(name));
      expect(outcome.reloads, `${name}: reloads`).toBe(reloads);
      const handle = expect(await tableHandle(host), `${name}: the handle of firewalld's table`);
      if (reloads === 0) handle.toBe(before);
      else handle.not.toBe(before);
      await expectDone(host, outcome.plan);
    });
  }
}
