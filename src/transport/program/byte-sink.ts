/**
 * Collects what a host sends. Each chunk is copied: a host that sends its bytes one by one would otherwise fill the memory
 * with a hundred times what it sends, since every chunk keeps the whole packet that it came in.
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
