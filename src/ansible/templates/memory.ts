/**
 * Bounds the memory of WebAssembly modules that are compiled while `load` runs: a module that says how little it needs
 * and not how much it may take is given a maximum. Node has no other way to limit what a module allocates.
 *
 * @param bytes the maximum; rounded down to pages of 64 KiB
 */
export function withMemoryLimit<T>(bytes: number, load: () => T): T {
  const { WebAssembly } = globalThis as unknown as { WebAssembly: { Module: new (source: Uint8Array) => object } };
  const Original = WebAssembly.Module;
  WebAssembly.Module = class extends Original {
    constructor(source: Uint8Array) {
      super(limited(source, Math.floor(bytes / PAGE_BYTES)));
    }
  };
  try {
    return load();
  } finally {
    WebAssembly.Module = Original;
  }
}

const PAGE_BYTES = 65_536;
const HEADER_BYTES = 8;
const MEMORY_SECTION = 5;

/** The module with a maximum for its own memory. Format: https://webassembly.github.io/spec/core/binary/modules.html */
function limited(source: Uint8Array, maxPages: number): Uint8Array {
  let at = HEADER_BYTES;
  while (at < source.length) {
    const id = source[at];
    const size = readNumber(source, at + 1);
    const end = size.next + size.value;
    if (id !== MEMORY_SECTION) {
      at = end;
      continue;
    }
    const count = readNumber(source, size.next);
    const flags = source[count.next];
    const least = readNumber(source, count.next + 1);
    // One memory without a maximum: what a compiler makes.
    if (count.value !== 1 || flags !== 0)
      throw new RangeError('the WebAssembly module has a memory of an unknown kind');
    const contents = [1, 1, ...numberBytes(least.value), ...numberBytes(Math.max(least.value, maxPages))];
    const section = [MEMORY_SECTION, ...numberBytes(contents.length), ...contents];
    return Buffer.concat([source.subarray(0, at), Buffer.from(section), source.subarray(end)]);
  }
  throw new RangeError('the WebAssembly module has no memory of its own');
}

/** An unsigned number in LEB128. */
function readNumber(source: Uint8Array, from: number): { readonly value: number; readonly next: number } {
  let value = 0;
  let factor = 1;
  for (let at = from; at < source.length; at += 1) {
    const byte = source[at]!;
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) return { value, next: at + 1 };
    factor *= 128;
  }
  throw new RangeError('the WebAssembly module ends within a number');
}

function numberBytes(value: number): number[] {
  const low = value % 128;
  return value < 128 ? [low] : [low | 0x80, ...numberBytes(Math.floor(value / 128))];
}
