import { createServer, type Server } from 'node:net';

/** A string of the SSH wire format. */
export function field(value: string | Buffer): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'latin1') : value;
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** A FIDO key as ssh-keygen would write it with a security key at hand. */
export function fidoKey(type: string): { readonly text: string; readonly line: string; readonly blob: Buffer } {
  const blob = Buffer.concat([field(type), field(Buffer.alloc(32, 1)), field('ssh:')]);
  const body = [
    Buffer.from('openssh-key-v1\0', 'latin1'),
    field('none'),
    field('none'),
    field(''),
    Buffer.from([0, 0, 0, 1]),
    field(blob),
    field(Buffer.alloc(64, 2)),
  ];
  const base64 = Buffer.concat(body).toString('base64');
  return {
    text: `-----BEGIN OPENSSH PRIVATE KEY-----\n${base64}\n-----END OPENSSH PRIVATE KEY-----\n`,
    line: `${type} ${blob.toString('base64')} me\n`,
    blob,
  };
}

/** An agent that holds these keys and can do nothing but list them. */
export async function startAgent(path: string, keys: readonly (readonly [Buffer, string])[]): Promise<Server> {
  const count = Buffer.alloc(5, 12);
  count.writeUInt32BE(keys.length, 1);
  const answer = field(Buffer.concat([count, ...keys.flatMap(([blob, comment]) => [field(blob), field(comment)])]));
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    // In two pieces, as a stream may bring it.
    socket.on('data', () => {
      socket.write(answer.subarray(0, 7));
      setTimeout(() => socket.write(answer.subarray(7)), 5);
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return server;
}
