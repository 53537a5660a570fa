import { createConnection } from 'node:net';

const EVERY_MS = 500;
const PATIENCE_MS = 450;

/** What was seen of one port at one moment; `at` is a time of `performance.now()`. */
export interface Sight {
  readonly at: number;
  readonly open: boolean;
}

/** Connects to each of some ports of a host twice a second, from outside, until it is stopped. */
export class PortWatch {
  readonly #address: string;
  readonly #ports: readonly number[];
  readonly #seen = new Map<number, Sight[]>();
  readonly #timer: NodeJS.Timeout;

  constructor(address: string, ports: readonly number[]) {
    this.#address = address;
    this.#ports = ports;
    for (const port of ports) this.#seen.set(port, []);
    this.#timer = setInterval(() => void this.#look(), EVERY_MS);
  }

  /** The ports that were open at least once since the watch began, or since {@link forget}. */
  get everOpen(): readonly number[] {
    return this.#ports.filter((port) => this.#seen.get(port)!.some(({ open }) => open));
  }

  /** For how many seconds in a row a port was certainly shut, at most: from the first look that found it shut to the last. */
  longestShut(port: number): number {
    let longest = 0;
    let since: number | null = null;
    for (const { at, open } of this.#seen.get(port)!) {
      since = open ? null : (since ?? at);
      if (since !== null) longest = Math.max(longest, at - since);
    }
    return longest / 1000;
  }

  /** What was seen of one of the ports, in order. */
  sights(port: number): readonly Sight[] {
    return this.#seen.get(port) ?? [];
  }

  /** How often each port was looked at. */
  get looks(): number {
    return Math.min(...[...this.#seen.values()].map((sights) => sights.length));
  }

  forget(): void {
    for (const sights of this.#seen.values()) sights.length = 0;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    const at = performance.now();
    await Promise.all(
      this.#ports.map(async (port) => {
        this.#seen.get(port)!.push({ at, open: await answers(this.#address, port) });
      }),
    );
  }
}

/** Whether a TCP connection to a port comes about. */
export function answers(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: address, port });
    const end = (open: boolean) => {
      socket.destroy();
      resolve(open);
    };
    socket.setTimeout(PATIENCE_MS, () => end(false));
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}
