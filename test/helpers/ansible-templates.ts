import { spawnSync } from 'node:child_process';
import { requireAnsible } from './ansible.ts';
import { ansibleEnvironment } from './ansible-inventory.ts';

/** What Ansible makes of an expression: a value as JSON has it, or that it cannot. */
export type Evaluated = { readonly value: unknown } | { readonly error: string };

/** Ansible's own templating for one host of an inventory, for all expressions in one process. */
const PROGRAM = `
import json, sys
from ansible.parsing.dataloader import DataLoader
from ansible.inventory.manager import InventoryManager
from ansible.vars.manager import VariableManager
from ansible.vars.hostvars import HostVars
from ansible.template import Templar

given = json.load(sys.stdin)
loader = DataLoader()
inventory = InventoryManager(loader=loader, sources=[given['inventory']])
variables = VariableManager(loader=loader, inventory=inventory)
HostVars(inventory, variables, loader)
templar = Templar(loader, variables=variables.get_vars(host=inventory.get_host(given['host'])))
answers = []
for expression in given['expressions']:
    try:
        answers.append({'value': json.loads(json.dumps(templar.template(expression), default=str))})
    except Exception as error:
        answers.append({'error': str(error).split('\\n')[0]})
json.dump(answers, sys.stdout)
`;

/** Has Ansible evaluate expressions for one host. @param environment beside the present one: what lookups see */
export function askTemplar(
  inventory: string,
  host: string,
  expressions: readonly string[],
  environment: Readonly<Record<string, string>>,
): readonly Evaluated[] {
  const result = spawnSync(requireAnsible(), ['-c', PROGRAM], {
    input: JSON.stringify({ inventory, host, expressions }),
    encoding: 'utf8',
    env: { ...ansibleEnvironment(), ...environment },
    timeout: 120_000,
    maxBuffer: 64 * 1024 * 1024,
  });
  if (result.status !== 0) throw new Error(`Ansible could not be asked: ${result.stderr}`);
  return JSON.parse(result.stdout) as readonly Evaluated[];
}
