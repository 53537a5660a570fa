/**
 * Before each file of unit tests: whatever Ansible is told on this machine, in its files or in the environment, is not
 * what a test is about.
 */
for (const name of Object.keys(process.env)) if (name.startsWith('ANSIBLE_')) delete process.env[name];
process.env['ANSIBLE_CONFIG'] = new URL('no-settings.cfg', import.meta.url).pathname;
