import { createRequire } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';
import type { Environment } from 'minijinja-js';
import { Vault, VaultSecret } from '../vault/vault.ts';
import { TemplateEngine } from './engine.ts';
import { withMemoryLimit } from './memory.ts';
import type { TemplateWorld } from './world.ts';

/** What the thread is started with. */
export interface Assignment {
  readonly world: TemplateWorld;
  readonly passwords: readonly { readonly id: string; readonly bytes: Uint8Array }[];
  /** Hosts and variables, in the order in which they are evaluated. */
  readonly wanted: readonly (readonly [host: string, variable: string])[];
  /** The position in `wanted` of what is being evaluated. */
  readonly progress: Int32Array;
}

/** The most memory that the template engine may take: beyond it the thread ends. */
const MEMORY_BYTES = 256 * 1024 * 1024;

const { world, passwords, wanted, progress } = workerData as Assignment;
const library = withMemoryLimit(
  MEMORY_BYTES,
  () => createRequire(import.meta.url)('minijinja-js') as { readonly Environment: new () => Environment },
);
const vault = new Vault(passwords.map(({ id, bytes }) => new VaultSecret(id, Buffer.from(bytes))));
const engine = new TemplateEngine(world, vault, () => new library.Environment());
const outcomes = wanted.map(([host, variable], index) => {
  Atomics.store(progress, 0, index);
  return engine.variable(host, variable);
});
parentPort?.postMessage(outcomes);
