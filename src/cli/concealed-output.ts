import { concealed } from '../core/concealed.ts';

/** A stream, as far as writing to it goes. */
interface Writable {
  write: (...args: never[]) => boolean;
}

/**
 * Takes secrets out of everything that is written to a stream, whichever code writes it: reports, problems, events as
 * JSON, the parser of the command line, a crash.
 */
export function concealOutput(stream: Writable): void {
  const write = stream.write.bind(stream) as (chunk: unknown, ...rest: unknown[]) => boolean;
  stream.write = (chunk: unknown, ...rest: unknown[]) => {
    const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk as Uint8Array).toString('utf8');
    const safe = concealed(text);
    return write(safe === text ? chunk : safe, ...rest);
  };
}
