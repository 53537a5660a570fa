import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';

/**
 * The last step of `npm run build`: what runs on the hosts is read from beside the compiled code, so it has to lie there
 * too, and only what lies in src.
 */
const root = path.join(import.meta.dirname, '..');
const source = path.join(root, 'src/host/remote');
const target = path.join(root, 'dist/host/remote');

mkdirSync(target, { recursive: true });
const isProgram = (name: string): boolean => /\.(?:sh|py)$/.test(name);
for (const stale of readdirSync(target).filter(isProgram)) rmSync(path.join(target, stale));
for (const name of readdirSync(source).filter(isProgram)) cpSync(path.join(source, name), path.join(target, name));

const main = path.join(root, 'dist/cli/main.js');
if (existsSync(main)) chmodSync(main, 0o755);
