import { readFile, writeFile } from 'node:fs/promises';

const SETTING = '/proc/sys/fs/inotify/max_user_instances';
/** Each systemd in a container takes about nine; by default all containers of a machine share 128. */
const ENOUGH = 512;

/** Lets more hosts run at once than the kernel's default allows. Without root it is left as it is, and says so. */
export async function allowManyHosts(say: (line: string) => void): Promise<void> {
  const text = await readFile(SETTING, 'utf8').catch(() => '');
  const present = Number(text.trim());
  if (text === '' || present >= ENOUGH) return;
  try {
    await writeFile(SETTING, `${ENOUGH}\n`);
    say(`raised fs.inotify.max_user_instances from ${present} to ${ENOUGH}, until the next boot of this machine`);
  } catch {
    say(`fs.inotify.max_user_instances is ${present}: hosts beyond the fourteenth may not start`);
  }
}
