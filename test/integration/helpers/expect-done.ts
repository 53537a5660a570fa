import { expect } from 'vitest';
import type { HostPlan } from '../../../src/plan/plan.ts';
import type { LabHost } from '../../lab/host.ts';
import { chain, filesBelow, runtimeState, zones } from './observed-host.ts';

/** Whether firewalld and the kernel have what a plan promised, asked of them by their own tools. */
export async function expectDone(host: LabHost, plan: HostPlan): Promise<void> {
  const runtime = await runtimeState(host);
  const permanent = await zones(host, 'permanent');
  const files = await filesBelow(host, '/etc/firewalld');
  const held = (zone: string, field: string) =>
    [runtime.zones, permanent].map((layer) => layer.get(zone)?.get(field) ?? []);
  for (const change of plan.changes) {
    switch (change.kind) {
      case 'interface': {
        const bound = held(change.zone, 'interfaces').map((names) => names.includes(change.interface));
        expect(bound, `${change.interface} in ${change.zone}`).toEqual([
          change.action === 'bind',
          change.action === 'bind',
        ]);
        break;
      }
      case 'zone-service': {
        const there = held(change.zone, 'services').map((names) => names.includes(change.service));
        expect(there, `${change.service} in ${change.zone}`).toEqual([
          change.action === 'add',
          change.action === 'add',
        ]);
        const allowed = chain(runtime.rules, `filter_IN_${change.zone}_allow`).join('\n');
        if (change.action === 'remove') break;
        for (const { protocol, range } of change.ports) {
          const ports = range.first === range.last ? `${range.first}` : `${range.first}-${range.last}`;
          expect(allowed, `${host.name}: the kernel's rules`).toMatch(new RegExp(`^${protocol} dport ${ports} `, 'm'));
        }
        break;
      }
      case 'rich-rule': {
        const there = held(change.zone, 'rich rules').map((rules) => rules.includes(change.rule));
        expect(there, change.rule).toEqual([change.action === 'add', change.action === 'add']);
        break;
      }
      case 'ipset-entries': {
        // Those of a set that goes are asked about with its file; the kernel keeps the set until the next reload.
        if (!plan.result.ipsets.some(({ name }) => name === change.ipset)) break;
        const entries = await host.run('firewall-cmd', '--permanent', `--ipset=${change.ipset}`, '--get-entries');
        const set = await host.run('nft', 'list', 'set', 'inet', 'firewalld', change.ipset);
        const kernel = /elements = \{([^}]*)\}/.exec(set)?.[1] ?? '';
        for (const [wanted, list] of [
          [true, change.add],
          [false, change.remove],
        ] as const) {
          for (const entry of list) {
            expect(entries.split('\n').includes(entry), `${entry} in ${change.ipset}`).toBe(wanted);
            expect(kernel.split(/[,\s]+/).includes(entry), `${entry} in the kernel's ${change.ipset}`).toBe(wanted);
          }
        }
        break;
      }
      case 'definition': {
        const path = `/etc/firewalld/${change.object}s/${change.name}.xml`;
        expect(files.has(path), path).toBe(change.action !== 'delete');
        expect(files.get(path)?.kind ?? '644 0:0 f').toBe('644 0:0 f');
        break;
      }
      case 'stray':
        expect(held(change.zone, `${change.field}s`).flat()).not.toContain(change.value);
        break;
      case 'remember':
        break;
    }
  }
  expect([...files.keys()].filter((path) => /\/\.?portfw-.*\.old$|\/\.portfw-/.test(path))).toEqual([]);
}
