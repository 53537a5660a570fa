import { STATE_HOME } from './state-home.ts';

/**
 * Importing it makes portfw, and the programs that this process starts, forget how Ansible is set up on this machine, in its files
 * or in the environment: a test and the demo are about their own inventories. They also keep their own journals.
 */
for (const name of Object.keys(process.env)) if (name.startsWith('ANSIBLE_')) delete process.env[name];
process.env['ANSIBLE_CONFIG'] = new URL('no-settings.cfg', import.meta.url).pathname;
process.env['XDG_STATE_HOME'] = STATE_HOME;
