/**
 * Collects what a host sends. Each chunk is copied: otherwise every chunk would keep its whole packet in memory, and a host that
 * sends single bytes would use a hundred times as much memory.
 */
export class ByteSink {
  #bytes = Buffer.alloc(4096);
  #length = 0;

  append(chunk: Buffer): void {
    const needed = this.#length + chunk.length;
    if (needed > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(needed, this.#bytes.length * 2));
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    chunk.copy(this.#bytes, this.#length);
    this.#length = needed;
  }

  /** Everything so far. */
  bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }
}
