import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { requireAnsible } from './ansible.ts';

/** One call of `ansible-inventory`: its arguments, and the folder that it runs in. */
export interface InventoryCall {
  readonly args: readonly string[];
  readonly cwd: string;
}

const SETTINGS = join(import.meta.dirname, '../fixtures/inventory/ansible.cfg');

/** What `ansible-inventory` printed; `null` when it printed nothing, as after an error. */
export interface InventoryAnswer {
  readonly stdout: string | null;
  /** Its error, or what it warned of. */
  readonly said: string;
}

/**
 * The very code of `ansible-inventory`, without its half second of start-up for each call: each is a fork of one process, so
 * that nothing of one call is left for the next.
 */
const PROGRAM = `
import json, os, sys, tempfile
from ansible.cli.inventory import InventoryCLI
from ansible.plugins.loader import inventory_loader, vars_loader

for name in ('host_list', 'script', 'auto', 'yaml', 'ini', 'toml'):
    inventory_loader.get(name)
list(vars_loader.all())

def ask(call, out, err):
    os.chdir(call['cwd'])
    os.dup2(out.fileno(), 1)
    os.dup2(err.fileno(), 2)
    try:
        cli = InventoryCLI(['ansible-inventory', *call['args']])
        cli.parse()
        cli.run()
    except SystemExit:
        pass
    except BaseException as error:
        print(type(error).__name__ + ': ' + str(error), file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()

def text(file):
    file.seek(0)
    return file.read().decode('utf-8', 'replace')

answers = []
for call in json.load(sys.stdin):
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            try:
                ask(call, out, err)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        answers.append({'stdout': text(out) or None, 'said': text(err)})
json.dump(answers, sys.stdout)
`;

/** An environment in which Ansible's own settings are the defaults, whatever the machine's administrator has set. */
export function ansibleEnvironment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^ANSIBLE_|^PORTFW_/.test(name));
  return { ...Object.fromEntries(own), ANSIBLE_CONFIG: SETTINGS, ANSIBLE_NOCOLOR: 'true', LC_ALL: 'C.UTF-8' };
}

/**
 * Asks Ansible all of the calls in one process.
 *
 * @param environment what is to be in it besides
 */
export function askAnsible(
  calls: readonly InventoryCall[],
  environment: Readonly<Record<string, string>> = {},
): readonly InventoryAnswer[] {
  const python = requireAnsible();
  const options = {
    input: JSON.stringify(calls),
    encoding: 'utf8',
    env: { ...ansibleEnvironment(), ...environment },
    timeout: 240_000,
  } as const;
  const { status, stdout, stderr } = spawnSync(python, ['-c', PROGRAM], { ...options, maxBuffer: 256 * 1024 * 1024 });
  if (status !== 0) throw new Error(`Ansible could not be asked: ${stderr}`);
  return JSON.parse(stdout) as readonly InventoryAnswer[];
}
