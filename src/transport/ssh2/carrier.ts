import { Duplex, type Readable, type Writable } from 'node:stream';
import type { Connection } from '../connection.ts';

/** The stream below one SSH connection. */
export interface Carrier {
  /** Paused, so that no data is lost before there is a listener. */
  readonly stream: Duplex;
  readonly endpoints: Connection['endpoints'];
  /** Why it ended, safe for a terminal; waits a moment for it. `null` if unknown. */
  lastWords(): Promise<string | null>;
}

/**
 * Two streams as one that ends like a socket: destroying it closes it at once, whether the other side answers or not. An ssh2
 * channel does not do that, and a program has two streams anyway.
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
    // Without a reader, the end would never be noticed.
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
