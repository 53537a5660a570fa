import { PassThrough } from 'node:stream';
import type { Docker } from './engine.ts';

/** How a program in a container ended. */
export interface ExecResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program in a container, as root, by the engine (not over SSH) and waits for its end. */
export async function execIn(
  docker: Docker,
  containerId: string,
  argv: readonly string[],
  options: { readonly user?: string } = {},
): Promise<ExecResult> {
  const exec = await docker.getContainer(containerId).exec({
    Cmd: [...argv],
    AttachStdout: true,
    AttachStderr: true,
    User: options.user ?? 'root',
  });
  const stream = await exec.start({ Detach: false, Tty: false });
  const stdout = collector();
  const stderr = collector();
  docker.modem.demuxStream(stream, stdout.stream, stderr.stream);
  await new Promise<void>((resolve, reject) => {
    stream.on('end', resolve);
    stream.on('close', resolve);
    stream.on('error', reject);
  });
  const { ExitCode } = await exec.inspect();
  return { exitCode: ExitCode ?? -1, stdout: stdout.text(), stderr: stderr.text() };
}

function collector(): { readonly stream: PassThrough; readonly text: () => string } {
  const chunks: Buffer[] = [];
  const stream = new PassThrough();
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return { stream, text: () => Buffer.concat(chunks).toString('utf8') };
}
