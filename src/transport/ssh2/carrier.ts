import { Duplex, type Readable, type Writable } from 'node:stream';
import type { Connection } from '../connection.ts';

/** What the bytes of one SSH connection travel over. */
export interface Carrier {
  /** Paused, so that nothing the server says is lost before somebody listens. */
  readonly stream: Duplex;
  readonly endpoints: Connection['endpoints'];
  /** What is known about why it ended, fit for a terminal; waits a moment for it. `null` when nothing is. */
  lastWords(): Promise<string | null>;
}

/**
 * Two streams as one that ends like a socket: destroying it closes it at once, whether the other side answers or not. A
 * channel of ssh2 does not, and a program has two streams anyway.
 */
export class PairedStream extends Duplex {
  readonly #source: Readable;
  readonly #sink: Writable;
  readonly #letGo: () => void;

  /** @param letGo ends what the streams belong to; called once */
  constructor(source: Readable, sink: Writable, letGo: () => void) {
    super({ allowHalfOpen: false });
    this.#source = source;
    this.#sink = sink;
    this.#letGo = letGo;
    source.on('data', (chunk: Buffer) => {
      if (!this.destroyed && !this.push(chunk)) source.pause();
    });
    source.on('end', () => this.#end());
    source.on('close', () => this.#end());
    source.on('error', () => this.#end());
    sink.on('error', () => this.#end());
    this.pause();
  }

  #end(): void {
    if (this.destroyed || this.readableEnded) return;
    this.push(null);
    // Nobody may be reading, and then the end would never be seen.
    if (this.readableLength === 0) this.destroy();
  }

  override _read(): void {
    this.#source.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (!this.#sink.writable) done(new Error('the other end is closed'));
    else if (this.#sink.write(chunk)) done();
    else this.#sink.once('drain', () => done());
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#sink.end();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#letGo();
    done(error);
  }
}
