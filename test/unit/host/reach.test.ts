import { spawn } from 'node:child_process';
import { mkdtempSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reachProgram } from '../../../src/host/programs.ts';

/** The real program in a real shell, with Python and on a machine that has bash alone. */
let folder: string;
let server: Server;
let openPort: number;
let closedPort: number;

async function listen(): Promise<Server> {
  const created = createServer((socket) => void socket.on('error', () => undefined).destroy());
  await new Promise<void>((resolve) => created.listen(0, '127.0.0.1', resolve));
  return created;
}

const portOf = (listening: Server): number => (listening.address() as AddressInfo).port;

function which(program: string): string {
  for (const place of ['/bin', '/usr/bin', '/usr/local/bin']) {
    try {
      readlinkSync(path.join(place, program));
      return path.join(place, program);
    } catch (error) {
      // A file that is no link is there all the same.
      if ((error as NodeJS.ErrnoException).code === 'EINVAL') return path.join(place, program);
    }
  }
  throw new Error(`there is no ${program} on this machine`);
}

/** What other programs would take for a flag, a path, a command or no limit. */
const NOT_INPUTS: readonly (readonly string[])[] = [
  ['-h', '22', '1'],
  ['', '22', '1'],
  ['../../etc', '22', '1'],
  ['127.0.0.1', '-1', '1'],
  ['127.0.0.1', '22/../../x', '1'],
  ['127.0.0.1', '22', '--signal=KILL'],
  ['127.0.0.1', '22', 'inf'],
  ['$(id)', '22', '1'],
];

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'portfw-reach-'));
  for (const program of ['bash', 'timeout', 'sed']) symlinkSync(which(program), path.join(folder, program));
  server = await listen();
  openPort = portOf(server);
  const gone = await listen();
  closedPort = portOf(gone);
  await new Promise((resolve) => gone.close(resolve));
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

function reach(
  kind: 'python' | 'bash',
  lines: readonly (string | number)[],
): Promise<readonly [number | null, string]> {
  return new Promise((resolve) => {
    const PATH = kind === 'bash' ? folder : '/usr/bin:/bin';
    const child = spawn('/bin/sh', ['-c', reachProgram()], { env: { PATH }, stdio: ['pipe', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.on('data', (chunk) => {
      said += chunk;
    });
    child.on('close', (code) => resolve([code, said]));
    child.stdin.end(`${lines.join('\n')}\n`);
  });
}

describe.each(['python', 'bash'] as const)('with %s', (kind) => {
  it('a connection that is accepted passes', async () => {
    expect(await reach(kind, ['127.0.0.1', openPort, 5])).toEqual([0, '']);
  });

  it('one that is not says why', async () => {
    expect(await reach(kind, ['127.0.0.1', closedPort, 5])).toEqual([1, 'Connection refused\n']);
  });

  it('what is no address, no port or no time reaches no other program', async () => {
    for (const lines of NOT_INPUTS)
      expect(await reach(kind, lines), lines.join()).toEqual([1, 'not an address, a port and a time\n']);
  });

  it('a name is data, whatever it holds', async () => {
    const mark = path.join(folder, 'mark');
    for (const name of [`$(touch ${mark})`, `';touch ${mark};'`, `x/1; touch ${mark}; #`, '-c', '']) {
      const [code, said] = await reach(kind, [name, closedPort, 2]);
      expect(code, name).toBe(1);
      expect(said, name).toMatch(/^.+\n$/);
    }
    expect(() => readlinkSync(mark)).toThrow(/ENOENT/);
  });
});
