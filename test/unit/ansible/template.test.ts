import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadInventory } from '../../../src/ansible/inventory.ts';
import { resolveInventory } from '../../../src/ansible/templates/resolve.ts';
import type { Outcome } from '../../../src/ansible/templates/world.ts';
import { Vault } from '../../../src/ansible/vault/vault.ts';
import { formatProblem } from '../../../src/core/problem.ts';
import { readSettings } from '../../../src/settings/read-settings.ts';
import { VARIABLES } from '../../../src/settings/schema.ts';
import type { SettingsResult } from '../../../src/settings/settings-types.ts';
import { supported } from '../../helpers/supported.ts';
import { evaluateExpressions, expressionCases, plain } from './helpers/template-cases.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'portfw-templates-'));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;

/** The settings of an inventory, and everything that is wrong with it, without the folder that it lies in. */
async function read(text: string, environment = {}): Promise<SettingsResult & { readonly said: string }> {
  files += 1;
  const base = path.join(folder, String(files));
  mkdirSync(base);
  writeFileSync(path.join(base, 'hosts.yaml'), text);
  const inventory = await loadInventory(path.join(base, 'hosts.yaml'));
  const result = readSettings(
    await resolveInventory(inventory, { vault: new Vault([]), variables: VARIABLES, environment }),
  );
  return { ...result, said: result.problems.map(formatProblem).join('\n').replaceAll(`${base}/`, '') };
}

describe('expressions mean what they mean to Ansible', () => {
  const cases = expressionCases();
  let outcomes: readonly Outcome[] = [];
  beforeAll(async () => {
    const result = await evaluateExpressions(cases.map(({ expression }) => expression));
    if (result.kind !== 'done') throw new Error(`stopped at ${cases[result.index]?.expression}`);
    outcomes = result.outcomes;
  }, 30_000);

  it('there are enough of them', () => {
    expect(cases.length).toBeGreaterThan(150);
  });

  it.each(cases.map((one, index) => ({ ...one, index })))('$expression', ({ value, error, index }) => {
    const outcome = outcomes[index]!;
    if (error) {
      expect(outcome.kind).not.toBe('value');
      return;
    }
    const ours = plain(outcome);
    // A number stays one, where Ansible 2.14 makes text of it.
    expect(typeof ours === 'number' && typeof value === 'string' ? String(ours) : ours).toEqual(value);
  });
});

describe('an inventory with templates', () => {
  it('names the variable that was empty where a template gives an empty text', async () => {
    const { said } = await read(`
all:
  vars:
    ansible_host: "{{ ip | default('') }}"
    ansible_port: 22
  hosts:
    a:
    b:
    c: { ip: 192.0.2.3 }
    d: { ip: "" }
    e: { ip: "{{ found | default('') }}" }
    f: { ip: 192.0.2.6, portfw_management: [192.0.2.0/24, "{{ admins | default('', true) | trim }}"], admins: }
    g: { ip: "{{ '' if other.x is defined else 'no' }}", other: { x: 1 } }
`);
    const template = `the template "{{ ip | default('') }}" gives an empty text`;
    const admins = `the template "{{ admins | default('', true) | trim }}" gives an empty text`;
    expect(said.split('\n')).toEqual([
      `hosts.yaml:4:19: error: "" is not a host name: ${template} for the hosts "a", "b": "ip" is not set`,
      '    Set "ip"',
      `hosts.yaml:4:19: error: "" is not a host name: ${template} for the host "d": "ip" is empty`,
      '    Set "ip"',
      `hosts.yaml:4:19: error: "" is not a host name: ${template} for the host "e": "found" is not set`,
      '    Set "found"',
      `hosts.yaml:4:19: error: "" is not a host name: ${template} for the host "g"`,
      '    Write an address or a host name',
      `hosts.yaml:12:59: error: a source cannot be empty: ${admins} for the host "f": "admins" is empty`,
      '    Set "admins"',
    ]);
  });

  it(
    supported('Templates', 'in every variable that portfw uses, evaluated for each host in its own context'),
    async () => {
      const { settings, said } = await read(`
all:
  vars:
    base: 192.0.2.0/24
    port: 2222
    portfw_playbook: img-gcems
    ansible_port: "{{ port }}"
    ansible_host: "{{ base | ansible.utils.nthhost(number) }}"
    ansible_user: "{{ lookup('env', 'WHO') | default('admin', true) }}"
    portfw_management: ["{{ hostvars[groups['jump'][0]].ansible_host }}", 203.0.113.0/24]
  children:
    jump: { hosts: { jump1: { number: 1 } } }
    web: { hosts: { "web[1:2]": {} }, vars: { number: "{{ inventory_hostname[-1] | int + 10 }}" } }
`);
      expect(said).toBe('');
      const hosts = [...settings.values()].map(({ name, connection, management }) => [
        name,
        connection.address,
        connection.port,
        connection.user,
        management,
      ]);
      const management = ['192.0.2.1', '203.0.113.0/24'];
      expect(hosts).toEqual([
        ['jump1', '192.0.2.1', 2222, 'admin', management],
        ['web1', '192.0.2.11', 2222, 'admin', management],
        ['web2', '192.0.2.12', 2222, 'admin', management],
      ]);
    },
  );

  it(supported('Templates', '`default(omit)`: a variable that is not set after all'), async () => {
    const { settings, said } = await read(`
all:
  hosts:
    h: { ansible_host: 192.0.2.1, ansible_port: "{{ other_port | default(omit) }}", portfw_vips: "{{ [omit, '192.0.2.9'] }}" }
`);
    expect(said).toBe('');
    expect(settings.get('h')?.connection.port).toBeNull();
    expect(settings.get('h')?.vips).toEqual(['192.0.2.9']);
  });

  it(supported('Templates', 'left alone in every variable that portfw does not use, however wrong'), async () => {
    const { said } = await read(`
all:
  hosts:
    h: { ansible_host: 192.0.2.1, other: "{{ no_such | no_filter( }}", another: "{{ ansible_facts.x }}" }
`);
    expect(said).toBe('');
  });

  it('of a host that is not managed is needed only where it is used', async () => {
    const { said } = await read(`
all:
  hosts:
    h: { ansible_host: 192.0.2.1, ansible_user: "{{ no_such }}", portfw_managed: "{{ false }}" }
`);
    expect(said).toBe('');
  });

  it(
    supported(
      'Templates',
      'an expression that cannot be evaluated is an error that names it, with its place, once for all its hosts',
    ),
    async () => {
      const { said } = await read(`
all:
  vars:
    ansible_port: "{{ prot }}"
    port: 22
    base: "{{ nowhere }}"
  hosts:
    h1: { ansible_host: "{{ ansible_default_ipv4.address }}" }
    h2: { ansible_host: "{{ base }}", portfw_vips: ["192.0.2.1", "{{ port | ip }}"] }
    h3: { ansible_host: "{{ lookup('file', '/etc/passwd') }}", a: "{{ b }}", b: "{{ a }}", ansible_user: "{{ a }}" }
    h4: { ansible_host: "{{ playbook_dir }}", ansible_user: "{% include 'x' %}" }
`);
      expect(
        said,
      ).toBe(`hosts.yaml:4:19: error: ansible_port of the hosts "h1", "h2", "h3" and 1 more cannot be evaluated: in the template "{{ prot }}", "prot" is undefined
    Did you mean "port"?
hosts.yaml:6:11: error: ansible_host of the host "h2", which needs base, cannot be evaluated: in the template "{{ nowhere }}", "nowhere" is undefined
    Set it, or use "| default(…)" where it may be missing
hosts.yaml:8:25: error: ansible_host of the host "h1" cannot be evaluated: in the template "{{ ansible_default_ipv4.address }}", "ansible_default_ipv4" is a fact, which Ansible gathers from the host
    Write the value itself as a variable, or use "| default(…)"
hosts.yaml:9:66: error: portfw_vips of the host "h2" cannot be evaluated: in the template "{{ port | ip }}", the filter "ip" is not known
    Did you mean "zip"?
hosts.yaml:10:25: error: ansible_host of the host "h3" cannot be evaluated: in the template "{{ lookup('file', '/etc/passwd') }}", the lookup "file" is not supported
    Lookups are env, dict, items and list; write the value itself, or put it into an environment variable
hosts.yaml:10:67: error: ansible_user of the host "h3", which needs a, cannot be evaluated: a refers to itself: a → b → a
    Break the cycle: one of them must be a value
hosts.yaml:11:25: error: ansible_host of the host "h4" cannot be evaluated: in the template "{{ playbook_dir }}", "playbook_dir" exists only while Ansible runs a playbook
    Write the value itself as a variable, or use "| default(…)"
hosts.yaml:11:61: error: ansible_user of the host "h4" cannot be evaluated: in the template "{% include 'x' %}", the statement "include" is not supported
    Statements are if, for, set, with and macro`);
    },
  );

  it('that leads to a wrong value is wrong at the place of the template', async () => {
    const { said } = await read(`
all: { hosts: { h: { ansible_host: 192.0.2.1, port: 70000, ansible_port: "{{ port }}" } } }
`);
    expect(said).toBe('hosts.yaml:2:74: error: port 70000 is not between 1 and 65535\n    Write a number such as 22');
  });

  it('and one without share what they share: values without templates stay the same objects', async () => {
    const text =
      'all: { vars: { portfw_vips: [192.0.2.9] }, hosts: { a: { ansible_host: "{{ inventory_hostname }}.example.net" }, b: } }';
    const file = path.join(folder, 'shared.yaml');
    writeFileSync(file, text);
    const inventory = await loadInventory(file);
    const resolved = await resolveInventory(inventory, { vault: new Vault([]), variables: VARIABLES, environment: {} });
    const vips = (of: typeof inventory, host: string) => of.hosts.get(host)?.variables.get('portfw_vips');
    expect(vips(resolved, 'a')).toBe(vips(inventory, 'b'));
    expect(resolved.hosts.get('b')).toBe(inventory.hosts.get('b'));
    expect(resolved.hosts.get('a')?.origin('ansible_host')?.column).toBe(72);
  });

  it('and none at all starts no thread and copies nothing', async () => {
    const file = path.join(folder, 'plain.yaml');
    writeFileSync(file, 'all: { hosts: { a: { ansible_host: 192.0.2.1, other: "{{ x }}" } } }');
    const inventory = await loadInventory(file);
    expect(await resolveInventory(inventory, { vault: new Vault([]), variables: VARIABLES, environment: {} })).toBe(
      inventory,
    );
  });
});

it(supported('Templates', 'expressions are bounded in time, memory and steps, and reach nothing but variables'), {
  timeout: 20_000,
}, async () => {
  const { said } = await read(`
all:
  hosts:
    h: { ansible_host: "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}" }
`);
  expect(said).toContain('it takes too many steps');
  const { said: bomb } = await read(`
all: { hosts: { h: { ansible_host: "{{ 'x' * 1000000 * 1000000 }}" } } }
`);
  expect(bomb).toBe(
    'hosts.yaml:2:36: error: ansible_host of the host "h" cannot be evaluated: it takes too much memory\n    Simplify the expression',
  );
});
