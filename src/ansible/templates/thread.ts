import { Worker, type WorkerOptions } from 'node:worker_threads';
import type { Vault } from '../vault/vault.ts';
import type { Assignment } from './worker.ts';
import type { Outcome, TemplateWorld } from './world.ts';

/** How long one variable of one host may take, with all that it refers to. */
export const TEMPLATE_TIME_LIMIT_MS = 5_000;

/** How long all of them together may take. */
export const TEMPLATES_TIME_LIMIT_MS = 120_000;

/** What came of a thread's work: everything, or the one variable that used up its time or memory, or the time of all. */
export type ThreadResult =
  | { readonly kind: 'done'; readonly outcomes: readonly Outcome[] }
  | { readonly kind: 'stopped'; readonly index: number; readonly because: 'time' | 'memory' | 'all' };

/** Node's heap of the thread; that of the engine's WebAssembly is bounded by itself. */
const HEAP_MB = 512;
const LOOK_EVERY_MS = 100;

/**
 * Evaluates variables in a thread of its own. Templates are untrusted: one may loop, grow without limit, or match a
 * regular expression without end. The thread has no output, no environment of its own, a limit of memory, and a limit
 * of time for each variable; it is gone when this returns.
 *
 * @param wanted hosts and variables
 */
export async function evaluateInThread(
  world: TemplateWorld,
  vault: Vault,
  wanted: Assignment['wanted'],
  timeLimitMs = TEMPLATE_TIME_LIMIT_MS,
): Promise<ThreadResult> {
  const progress = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  Atomics.store(progress, 0, -1);
  const passwords = vault.secrets.map((secret) => ({ id: secret.id, bytes: new Uint8Array(secret.bytes()) }));
  const assignment: Assignment = { world, passwords, wanted, progress };
  const worker = startThread({
    workerData: assignment,
    env: {},
    execArgv: [],
    stdin: false,
    stdout: true,
    stderr: true,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
  });
  try {
    return await new Promise<ThreadResult>((resolve, reject) => {
      let last = -1;
      let since = Date.now();
      const began = since;
      const watch = setInterval(() => {
        const index = Atomics.load(progress, 0);
        // The thread's start is not counted: only what a variable takes.
        if (Date.now() - began > TEMPLATES_TIME_LIMIT_MS) {
          settle(() => resolve({ kind: 'stopped', index: Math.max(0, index), because: 'all' }));
        } else if (index !== last || index === -1) {
          last = index;
          since = Date.now();
        } else if (Date.now() - since > timeLimitMs) settle(() => resolve({ kind: 'stopped', index, because: 'time' }));
      }, LOOK_EVERY_MS);
      const settle = (then: () => void): void => {
        clearInterval(watch);
        then();
      };
      worker.once('message', (outcomes: readonly Outcome[]) => settle(() => resolve({ kind: 'done', outcomes })));
      worker.once('error', (error: Error & { readonly code?: string }) => {
        const index = Atomics.load(progress, 0);
        // The engine ends with a trap when it cannot have more memory; so does the thread when its own heap is full.
        const isMemory =
          error.name === 'RuntimeError' || error instanceof RangeError || error.code === 'ERR_WORKER_OUT_OF_MEMORY';
        settle(() => (isMemory && index >= 0 ? resolve({ kind: 'stopped', index, because: 'memory' }) : reject(error)));
      });
      worker.once('exit', () => settle(() => reject(new Error('the thread that evaluates templates ended early'))));
    });
  } finally {
    worker.removeAllListeners();
    await worker.terminate();
  }
}

function startThread(options: WorkerOptions): Worker {
  if (!import.meta.url.endsWith('.ts')) return new Worker(new URL('./worker.js', import.meta.url), options);
  // From its sources portfw runs under a loader of TypeScript, which a thread does not inherit.
  const loader = new URL('../../../node_modules/tsx/dist/esm/api/index.mjs', import.meta.url);
  const script = new URL('./worker.ts', import.meta.url);
  const start = `import('${loader}').then(({ register }) => (register(), import('${script}')))`;
  return new Worker(start, { ...options, eval: true });
}
