import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { connectionKind } from '../../src/settings/connection-kinds.ts';
import { requireAnsible } from '../helpers/ansible.ts';

/** The short names that Ansible finds a connection plugin by: its own plugins, and those that it redirects to a collection. */
const SHORT_NAMES = `
import json, os, pkgutil, yaml
import ansible.config, ansible.plugins.connection as own

names = [module.name for module in pkgutil.iter_modules(own.__path__)]
with open(os.path.join(os.path.dirname(ansible.config.__file__), 'ansible_builtin_runtime.yml')) as file:
    names += yaml.safe_load(file)['plugin_routing']['connection']
print(json.dumps(sorted(set(names) - {'redirected_local'})))
`;

describe('the connections of the installed Ansible', () => {
  it('are all known by their short names', () => {
    const names: string[] = JSON.parse(execFileSync(requireAnsible(), ['-c', SHORT_NAMES], { encoding: 'utf8' }));
    const ofKind = (kind: string): readonly string[] => names.filter((name) => connectionKind(name) === kind);
    expect(ofKind('unknown')).toEqual([]);
    expect(ofKind('local')).toEqual(['local']);
    expect(ofKind('ssh').filter((name) => name !== 'paramiko_ssh')).toEqual(['ssh']);
    expect(ofKind('other')).toEqual(expect.arrayContaining(['docker', 'network_cli', 'winrm']));
  });
});
