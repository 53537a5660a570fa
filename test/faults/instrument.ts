import { cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');

/** Where an instrumented run waits on a host, and says that it does. */
export const HOLD_FOLDER = '/run/portfw-fault';

/** What is put in front of each step's mark: the run waits there for as long as the host has a file of that name. */
const HOLDING = `def progress(step):
    mark_progress(step)
    name = step.replace(" ", "-")
    if os.path.exists("${HOLD_FOLDER}/hold-" + name):
        with open("${HOLD_FOLDER}/held-" + name, "w") as handle:
            handle.write(str(os.getpid()))
        while os.path.exists("${HOLD_FOLDER}/hold-" + name):
            time.sleep(0.005)


def mark_progress(step):
`;

/** The proof before the first write, made to find nothing: the bug that the guard has to make good for. */
const BLIND = `export function lockout(input) {
    const verdict = lockoutThatSees(input);
    return verdict === null || 'text' in verdict ? null : { ...verdict, refusals: [] };
}
function lockoutThatSees(`;

/** Builds of portfw that differ from the one under test in what is named, and in nothing else. */
export interface Builds {
  /** The one under test; its command. */
  readonly plain: string;
  /** Stops at the boundaries of the protocol when it is asked to. */
  readonly holding: string;
  /** The same, with a lockout proof that finds nothing. */
  readonly blind: string;
}

/**
 * Makes the instrumented copies below a folder of the lab. Throws unless each text that is replaced was there exactly once:
 * a copy that does not stop would prove nothing.
 *
 * @param dist the built portfw
 */
export async function instrument(folder: string, dist: string): Promise<Builds> {
  const made = async (name: string): Promise<string> => {
    const home = join(folder, name);
    await mkdir(home, { recursive: true });
    await cp(dist, join(home, 'dist'), { recursive: true });
    await cp(join(ROOT, 'package.json'), join(home, 'package.json'));
    await symlink(join(ROOT, 'playbooks'), join(home, 'playbooks'));
    const host = join(home, 'dist/host/remote');
    const programs = (await readdir(host)).filter((file) => file.endsWith('.py')).map((file) => join(host, file));
    await replaceOnce(programs, 'def progress(step):\n', HOLDING);
    return home;
  };
  const holding = await made('holding');
  const blind = await made('blind');
  await replaceOnce([join(blind, 'dist/plan/lockout/lockout.js')], 'export function lockout(', BLIND);
  const main = 'dist/cli/main.js';
  return { plain: join(dist, 'cli/main.js'), holding: join(holding, main), blind: join(blind, main) };
}

async function replaceOnce(files: readonly string[], text: string, instead: string): Promise<void> {
  const found: string[] = [];
  for (const file of files) {
    const content = await readFile(file, 'utf8');
    found.push(
      ...content
        .split(text)
        .slice(1)
        .map(() => file),
    );
    if (content.includes(text))
      await writeFile(
        file,
        content.replace(text, () => instead),
      );
  }
  if (found.length !== 1)
    throw new Error(`"${text.trim()}" should be in one place, and is in ${found.length}: ${found}`);
}
